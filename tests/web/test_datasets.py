"""The administrator's pages of data sets."""

from __future__ import annotations

import io
import re
import time
import zipfile
from html import unescape
from pathlib import Path

import pytest
from filelock import FileLock
from flask import Flask
from flask.testing import FlaskClient

from app.har.datasets.loaders import LOADERS
from app.services.datasets import exports, imports, library
from app.tables import Dataset
from tests.bad_inputs import zipped
from tests.services.test_audit import written
from tests.synthetic import ku_har_zip, sp_sw_files

NAME = "<img src=x onerror=alert(1)>"


@pytest.fixture
def small_page(small: Dataset) -> str:
    return f"/datasets/{small.name}"


def text_of(response) -> str:
    return unescape(re.sub(r"<[^>]+>", " ", response.text))


def upload(client: FlaskClient, content: bytes, filename: str, name: str = "mine"):
    """Send a file as the browser does and return the page that shows how it ended."""
    data = {"name": name, "file": (io.BytesIO(content), filename)}
    response = client.post("/datasets/add", data=data, content_type="multipart/form-data")
    response.request.environ["wsgi.input"].close()  # the test client leaves a large body open
    if response.status_code == 302:
        token = response.location.rpartition("/")[2]
        assert imports.get(token).done.wait(120)
        response = client.get(response.location)
    return response


def test_an_empty_list_says_what_to_do_next(admin_client: FlaskClient) -> None:
    page = admin_client.get("/datasets/")
    assert page.status_code == 200
    assert 'class="empty-state"' in page.text
    assert 'href="/datasets/add"' in page.text


def test_the_page_that_adds_a_data_set_names_every_known_layout(admin_client: FlaskClient) -> None:
    page = text_of(admin_client.get("/datasets/add"))
    for loader in LOADERS:
        assert loader.TITLE in page
        assert loader.DESCRIPTION.partition(": ")[2] in page


def test_the_list_shows_what_is_there(admin_client: FlaskClient, small_page: str) -> None:
    page = text_of(admin_client.get("/datasets/"))
    assert re.search(r"small\s+KU-HAR[^\n]+\s+6\s+2\s+3\s", page)


def test_an_uploaded_file_becomes_a_data_set_and_its_page_is_opened(
    app: Flask, admin_client: FlaskClient, tmp_path: Path
) -> None:
    response = upload(
        admin_client, ku_har_zip(tmp_path / "small.zip", subjects=2, seconds=12.5).read_bytes(), "small.zip"
    )
    assert (response.status_code, response.location) == (302, "/datasets/mine")
    page = admin_client.get(response.location)
    assert page.status_code == 200
    assert "“mine” was added" in page.text
    assert list(app.config["UPLOADS"].iterdir()) == []


def test_a_path_on_the_server_becomes_a_data_set(admin_client: FlaskClient, tmp_path: Path) -> None:
    path = ku_har_zip(tmp_path / "small.zip", subjects=2, seconds=12.5)
    response = admin_client.post("/datasets/add", data={"name": "mine", "path": f" {path} "})
    assert response.status_code == 302
    assert imports.get(response.location.rpartition("/")[2]).done.wait(60)
    assert admin_client.get("/datasets/mine").status_code == 200


def test_the_progress_page_and_its_json_follow_the_conversion(
    app: Flask, admin_client: FlaskClient, tmp_path: Path
) -> None:
    path = ku_har_zip(tmp_path / "large.zip")
    (app.config["INSTANCE"] / "datasets").mkdir()
    with FileLock(app.config["INSTANCE"] / "datasets" / "conversion.lock"):  # so it has to wait
        address = admin_client.post("/datasets/add", data={"name": "mine", "path": str(path)}).location
        page = admin_client.get(address)
        assert page.status_code == 200
        assert "Adding “mine”" in page.text
        assert "“mine” is being added: waiting for another import to finish" in admin_client.get("/datasets/").text
        progress = admin_client.get(f"{address}/progress").json
        assert (progress["status"], progress["stage"]) == ("running", "waiting for another import to finish")
    while progress["status"] == "running":
        time.sleep(0.05)
        before, progress = progress, admin_client.get(f"{address}/progress").json
        assert progress["elapsed_s"] >= before["elapsed_s"]
    assert progress["status"] == "finished"
    assert admin_client.get(address).location == "/datasets/mine"
    assert "is being added" not in admin_client.get("/datasets/").text


def test_the_pages_own_upload_is_told_where_to_go_or_why_not(admin_client: FlaskClient, tmp_path: Path) -> None:
    def send(name: str, path: Path):
        data = {"name": name, "path": str(path)}
        return admin_client.post("/datasets/add", data=data, headers={"Accept": "application/json"})

    path = ku_har_zip(tmp_path / "small.zip", subjects=2, seconds=12.5)
    answer = send("mine", path)
    assert answer.status_code == 200
    assert re.fullmatch(r"/datasets/add/[0-9a-f]{32}", answer.json["url"])
    assert imports.get(answer.json["url"].rpartition("/")[2]).done.wait(60)
    for name, where, status, message in [
        ("mine", path, 409, "already"),
        ("", path, 422, "Give the data set a name."),
        ("No!", path, 422, "A name must have 1 to 64"),
        ("other", tmp_path / "gone", 422, "gone"),
    ]:
        answer = send(name, where)
        assert answer.status_code == status
        assert message in answer.json["message"]


@pytest.mark.parametrize(
    ("data", "status", "message"),
    [
        ({"name": "", "path": "x"}, 422, "Give the data set a name"),
        ({"name": "No Such Name!", "path": "x"}, 422, "A name must have 1 to 64 lower-case letters"),
        ({"name": "mine"}, 422, "Choose a file to upload or give a path"),
        ({"name": "mine", "path": "/no/such/place"}, 422, "This path is not in the folder that DATA_FOLDERS names: /"),
        ({"name": "mine", "path": "a\x00b"}, 422, "This path is not in the folder"),
        ({"name": "mine", "path": "~nobody-of-that-name/x"}, 422, "This path is not in the folder"),
        ({"name": "mine", "path": "x" * 1001}, 422, "at most 1,000 characters"),
        ({"name": "small", "path": "x"}, 409, "There is already a data set called “small”"),
    ],
)
def test_a_wrong_answer_in_the_form_is_refused_and_the_form_kept(
    admin_client: FlaskClient, small_page: str, data: dict[str, str], status: int, message: str
) -> None:
    response = admin_client.post("/datasets/add", data=data)
    assert response.status_code == status
    assert message in unescape(response.text)
    assert f'value="{data["name"]}"' in response.text
    assert [dataset.name for dataset in library.list_datasets()] == ["small"]


def test_a_failure_can_be_looked_at_again_with_the_form_filled(admin_client: FlaskClient, tmp_path: Path) -> None:
    missing = tmp_path / "missing.zip"
    admin_client.post("/datasets/add", data={"name": "mine", "path": str(missing)})
    job = list(imports._imports.values())[-1]
    assert job.done.wait(60)
    for _ in range(2):
        page = admin_client.get(f"/datasets/add/{job.token}")
        assert page.status_code == 422
        assert job.message in unescape(page.text)
        assert f'value="{missing}"' in page.text
    assert admin_client.get(f"/datasets/add/{job.token}/progress").json["status"] == "failed"


def test_an_adding_nobody_knows_is_not_found(admin_client: FlaskClient) -> None:
    assert admin_client.get("/datasets/add/0123").status_code == 404


def test_the_page_of_a_data_set_shows_figures_rows_and_problems(admin_client: FlaskClient, small_page: str) -> None:
    page = admin_client.get(small_page)
    assert page.status_code == 200
    text = text_of(page)
    for part in ("Rest", "Walk", "Run", "t_acc (s)", "ax (m/s²)", "gz (rad/s)", "Rows 1 to 25 of", "BLAKE2b"):
        assert part in text
    assert f'href="{small_page}/problems"' in page.text
    assert "Problems found" in text_of(admin_client.get(f"{small_page}/problems"))
    assert f"{small_page}/distribution.svg" in page.text


def test_the_rows_can_be_paged_sorted_and_filtered(admin_client: FlaskClient, small_page: str) -> None:
    first = admin_client.get(f"{small_page}?size=10&sort=ax").text
    assert 'aria-sort="ascending"' in first
    ascending = cells(first, "ax")
    descending = cells(admin_client.get(f"{small_page}?size=10&sort=ax&descending=1").text, "ax")
    assert ascending == sorted(ascending)
    assert descending == sorted(descending, reverse=True)
    assert descending[-1] > ascending[-1]
    second = cells(admin_client.get(f"{small_page}?size=10&sort=ax&page=2").text, "ax")
    assert ascending[-1] <= second[0]
    recording = admin_client.get(f"{small_page}/recordings.json?text=1002").json[0]["id"]
    filtered = admin_client.get(small_page, query_string={"recording": recording})
    assert "Rows 1 to 25 of 1,250" in text_of(filtered)
    assert "Download this recording" in filtered.text


def cells(page: str, column: str) -> list[float]:
    """Return a column of the table of rows."""
    table = re.search(r'id="rows".*?</section>', page, re.DOTALL)[0]
    headings = re.findall(r"<th .*?</th>", table, re.DOTALL)
    header = [unescape(re.sub(r"<[^>]+>|[▲▼]| \(.*", "", each)).strip() for each in headings]
    rows = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)]
    return [float(row[header.index(column)]) for row in rows if row]


@pytest.mark.parametrize(
    "query",
    [
        "page=0",
        "page=99999999999",
        "page=-1",
        "page=abc",
        "size=99999",
        "sort=nothing",
        "table=../x",
        "first_column=999",
        "page=1e9&size=x",
        "descending=maybe",
        "page=²",
    ],
)
def test_an_address_with_nonsense_still_shows_the_page(admin_client: FlaskClient, small_page: str, query: str) -> None:
    page = admin_client.get(f"{small_page}?{query}")
    assert page.status_code == 200
    assert "Rows as recorded" in page.text


def test_a_recording_that_is_not_there_is_searched_for_and_its_name_escaped(
    admin_client: FlaskClient, small_page: str
) -> None:
    page = admin_client.get(f"{small_page}/recording.csv", query_string={"recording": NAME})
    assert page.status_code == 404
    assert NAME not in page.text
    page = admin_client.get(small_page, query_string={"recording": NAME}, follow_redirects=True)
    assert "No recording fits" in page.text
    assert NAME not in page.text


def test_a_data_set_of_two_devices_is_shown(app: Flask, admin_client: FlaskClient, tmp_path: Path) -> None:
    (tmp_path / "both.zip").write_bytes(zipped(sp_sw_files()))
    library.add("both", tmp_path / "both.zip")
    page = admin_client.get("/datasets/both?table=watch&recording=s02_01&sort=x_gyro")
    assert (page.status_code, "SP-SW-HAR" in page.text) == (200, True)
    lines = admin_client.get("/datasets/both/preview.json?activity=WALK").json["lines"]
    assert [(lines[i]["channel"], lines[i]["unit"]) for i in (0, 11)] == [
        ("phone.acc_x", "m/s²"),
        ("watch.gyro_z", "rad/s"),
    ]
    assert admin_client.get("/datasets/both/distribution.png").status_code == 200
    csv = admin_client.get("/datasets/both/recording.csv?recording=s01_01").text
    assert csv.startswith("time_s,phone.acc_x,")


def test_the_preview_is_json_of_one_activity(admin_client: FlaskClient, small_page: str) -> None:
    preview = admin_client.get(f"{small_page}/preview.json?activity=Walk")
    assert preview.status_code == 200
    assert preview.json["activity"] == "Walk"
    assert len(preview.json["lines"]) == 6
    assert admin_client.get(f"{small_page}/preview.json?activity=Fly").status_code == 404


def test_a_recording_is_downloaded_and_can_be_uploaded_again(admin_client: FlaskClient, small_page: str) -> None:
    recording = library.open_dataset(library.get("small")).signals.recording_ids[0]
    response = admin_client.get(f"{small_page}/recording.csv", query_string={"recording": recording})
    assert response.mimetype == "text/csv"
    assert response.text.startswith("time_s,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z")
    filename = re.search(r"filename=\"?([^\"]+)", response.headers["Content-Disposition"])[1]
    assert re.fullmatch(r"[\w.-]+\.csv", filename)
    assert upload(admin_client, response.data, filename, "again").location == "/datasets/again"


@pytest.mark.parametrize(("file_format", "mimetype"), [("png", "image/png"), ("svg", "image/svg+xml")])
def test_the_class_distribution_is_an_image_to_see_and_to_save(
    admin_client: FlaskClient, small_page: str, file_format: str, mimetype: str
) -> None:
    address = f"{small_page}/distribution.{file_format}"
    shown = admin_client.get(address)
    assert (shown.status_code, shown.mimetype) == (200, mimetype)
    assert "attachment" not in shown.headers.get("Content-Disposition", "")
    assert admin_client.get(address, headers={"If-None-Match": shown.headers["ETag"]}).status_code == 304
    saved = admin_client.get(f"{address}?download=1")
    assert f"small-classes.{file_format}" in saved.headers["Content-Disposition"]


def test_removing_is_a_post_and_leads_back_to_the_list(admin_client: FlaskClient, small_page: str) -> None:
    assert admin_client.get(f"{small_page}/remove").status_code == 405
    response = admin_client.post(f"{small_page}/remove")
    assert (response.status_code, response.location) == (302, "/datasets/")
    assert "“small” was removed" in admin_client.get("/datasets/").text
    for address in (
        small_page,
        f"{small_page}/preview.json",
        f"{small_page}/distribution.png",
        f"{small_page}/recording.csv",
        *(f"{small_page}/{page}" for page in ("people", "recordings", "recordings.json", "problems", "settings")),
    ):
        assert admin_client.get(address).status_code == 404
    assert admin_client.post(f"{small_page}/remove").status_code == 404


def test_hostile_names_in_files_are_shown_escaped_and_never_used_as_paths(
    app: Flask, admin_client: FlaskClient, tmp_path: Path
) -> None:
    source = zipfile.ZipFile(ku_har_zip(tmp_path / "small.zip", subjects=2, seconds=12.5))
    hostile = io.BytesIO()
    with zipfile.ZipFile(hostile, "w") as archive:
        for member in source.namelist():
            archive.writestr(member.replace("Walk", NAME).replace("1001_", f"{'x' * 300}1001_"), source.read(member))
    before = {path for path in tmp_path.rglob("*") if "home" not in path.parts}
    response = upload(admin_client, hostile.getvalue(), f"{NAME}/../../../etc/passwd\r\nX: y.zip")
    pages = [response.text]
    if response.status_code == 302:
        pages = [admin_client.get("/datasets/mine").text, admin_client.get("/datasets/").text]
    assert all(NAME not in page and "<img src=x" not in page for page in pages)
    assert {path for path in tmp_path.rglob("*") if "home" not in path.parts} == before
    assert not [path for path in app.config["HAR_HOME"].rglob("*") if "<" in path.name or "passwd" in path.name]


@pytest.mark.parametrize("address", ["/datasets/", "/datasets/add", "/datasets/small", "/datasets/small/preview.json"])
def test_users_and_strangers_do_not_get_in(
    client: FlaskClient, user_client: FlaskClient, small_page: str, address: str
) -> None:
    assert user_client.get(address).status_code == 403
    assert client.get(address).status_code in (302, 401)


def test_a_users_post_changes_nothing(user_client: FlaskClient, small_page: str) -> None:
    assert user_client.post(f"{small_page}/remove").status_code == 403
    assert library.get("small")


@pytest.mark.real_data
def test_hhar_is_shown_with_its_own_columns(admin_client: FlaskClient, data_dir: Path) -> None:
    library.add("hhar", data_dir / "hhar" / "phones")
    page = text_of(admin_client.get("/datasets/hhar"))
    for column in ("Index", "Arrival_Time", "Creation_Time", "User", "Model", "Device", "gt"):
        assert column in page
    assert "Action taken" in text_of(admin_client.get("/datasets/hhar/problems"))


@pytest.mark.real_data
def test_a_table_of_1803_columns_is_shown_ten_at_a_time(admin_client: FlaskClient, data_dir: Path) -> None:
    library.add("windows", data_dir / "ku-har" / "subsamples_60x1803.csv")
    page = text_of(admin_client.get("/datasets/windows"))
    assert re.search(r"Columns\s+1 to 10 of 1,80\d", page)
    last = text_of(admin_client.get("/datasets/windows?first_column=5000"))
    assert re.search(r"to (1,80\d) of \1", last)


def test_the_names_among_several_data_sets_are_shown_and_saved(admin_client: FlaskClient, small_page: str) -> None:
    page = admin_client.get(f"{small_page}/settings").text
    names = page[page.index('id="names"') :]
    assert re.findall(r'<option selected value="([^"]*)"', names)[:3] == ["Still", "Walking", "Running"]
    answers = {"names-0": "Lying", "names-1": "Walking", "names-2": ""}
    response = admin_client.post(f"{small_page}/names", data=answers)
    assert response.location.endswith(f"{small_page}/settings#names")
    page = admin_client.get(f"{small_page}/settings").text
    assert "Names saved." in page
    names = page[page.index('id="names"') :]
    assert re.findall(r'<option selected value="([^"]*)"', names)[:3] == ["Lying", "Walking", ""]
    assert "usually Still" in names
    assert "usually Running" in names


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({"names-0": "Lying"}, "a name for each activity"),
        ({"names-0": "Uncertain", "names-1": "", "names-2": ""}, "it says that there is no answer"),
    ],
)
def test_names_that_do_not_do_are_refused(
    admin_client: FlaskClient, small: Dataset, answers: dict[str, str], message: str
) -> None:
    admin_client.post(f"/datasets/{small.name}/names", data=answers)
    assert message in text_of(admin_client.get(f"/datasets/{small.name}"))
    assert library.get("small").vocabulary == {}


def test_where_the_device_was_worn_is_said_on_the_page(admin_client: FlaskClient, small: Dataset) -> None:
    response = admin_client.post(f"/datasets/{small.name}/places", data={"places-0": "leg"})
    assert response.location.endswith(f"/datasets/{small.name}/settings#places")
    page = admin_client.get(f"/datasets/{small.name}/settings").text
    assert "Places saved." in page
    assert '<option selected value="leg">in a trouser pocket</option>' in page
    for wrong in ({"places-0": "shoe"}, {}):
        admin_client.post(f"/datasets/{small.name}/places", data=wrong)
        assert "a place from the list for each device" in text_of(admin_client.get(response.location))
    assert library.get("small").places == {"": "leg"}


def test_recordings_are_found_by_activity_subject_and_text(admin_client: FlaskClient, small_page: str) -> None:
    def found(**query: str) -> list[str]:
        page = admin_client.get(f"{small_page}/recordings", query_string=query).text
        return [unescape(name) for name in re.findall(r'<th scope="row"[^>]*><a [^>]*>([^<]+)', page)]

    everything = found()
    assert len(everything) == 6
    assert [name for name in everything if "1002" in name] == found(subject="1002")
    assert [name for name in everything if "Walk" in name] == found(activity="Walk") == found(text="walk")
    assert found(activity="Run", subject="1001", text="100") == [n for n in everything if "Run/1001" in n]
    assert found(text="swim") == []
    assert found(page="99", activity="no such") == everything
    suggested = admin_client.get(f"{small_page}/recordings.json?text=walk 1001").json
    assert suggested == [{"id": found(text="walk 1001")[0], "about": "1001, Walk"}]


def test_a_recordings_name_leads_from_the_rows_to_the_search(admin_client: FlaskClient, small_page: str) -> None:
    response = admin_client.get(f"{small_page}?recording=walk")
    assert response.location == f"{small_page}/recordings?text=walk"


def test_who_supplies_what_is_shown_in_minutes_and_windows(admin_client: FlaskClient, small_page: str) -> None:
    text = re.sub(r"\s+", " ", text_of(admin_client.get(f"{small_page}/people")))
    assert "1001 0.2 0.2 0.2 0.6 1002 0.2 0.2 0.2 0.6 All 0.4 0.4 0.4 1.2" in text
    assert "more than half" not in text
    text = re.sub(r"\s+", " ", text_of(admin_client.get(f"{small_page}/people?in=windows")))
    assert "1001 4 4 4 12 1002 4 4 4 12 All 8 8 8 24" in text


def test_the_page_of_a_data_set_does_not_list_all_its_recordings(admin_client: FlaskClient, small_page: str) -> None:
    ids = [each["id"] for each in admin_client.get(f"{small_page}/recordings.json").json]
    page = unescape(admin_client.get(small_page).text)
    assert [name in page for name in ids] == [True, *[False] * 5]  # the first, in the rows


@pytest.mark.parametrize(("layout", "name"), [("kinelab", "1001/0.Rest_1001_A_1.csv"), ("bids", "participants.tsv")])
def test_a_data_set_is_downloaded_as_a_zip_and_that_is_in_the_audit_log(
    app: Flask, admin_client: FlaskClient, small_page: str, layout: str, name: str
) -> None:
    address = f"{small_page}/export.zip?layout={layout}"
    assert address in unescape(admin_client.get(small_page).text)
    response = admin_client.get(address)
    assert response.mimetype == "application/zip"
    assert f"small-{layout}.zip" in response.headers["Content-Disposition"]
    archive = zipfile.ZipFile(io.BytesIO(response.data))
    assert archive.testzip() is None
    assert f"small/{name}" in archive.namelist(), archive.namelist()[:5]
    assert re.search(rf'"data set exported".*"{layout}"', written(app))


def test_the_download_in_kinelabs_layout_is_added_again(admin_client: FlaskClient, small_page: str) -> None:
    archive = admin_client.get(f"{small_page}/export.zip?layout=kinelab").data
    assert upload(admin_client, archive, "small.zip", "again").location == "/datasets/again"
    before, after = library.get("small").summary, library.get("again").summary
    assert {key: after[key] for key in ("recordings", "subjects", "activities")} == {
        key: before[key] for key in ("recordings", "subjects", "activities")
    }


def test_only_two_data_sets_are_sent_at_once_so_that_threads_are_left_for_pages(
    admin_client: FlaskClient, small_page: str
) -> None:
    address = f"{small_page}/export.zip?layout=kinelab"
    for _ in range(exports.MOST_AT_ONCE + 1):
        assert admin_client.get(address).status_code == 200  # each gives its place back once it is sent
    others = [exports.begin() for _ in range(exports.MOST_AT_ONCE)]  # are being sent
    refused = admin_client.get(address)
    others[0]()
    assert admin_client.get(address).status_code == 200
    others[1]()
    assert refused.status_code == 503
    assert "Try again when one is done." in unescape(refused.text)


def test_an_export_in_no_known_layout_is_refused(admin_client: FlaskClient, small_page: str) -> None:
    response = admin_client.get(f"{small_page}/export.zip?layout=../x")
    assert response.status_code == 422
    assert "kinelab or bids" in response.text


def test_an_export_sends_as_it_reads(admin_client: FlaskClient, small: Dataset) -> None:
    opened = []

    def slow():
        for number in range(3):
            opened.append(number)
            yield f"{number}.csv", [b"x" * 1000]

    parts = exports.zipped(slow(), "set")
    next(parts)
    assert opened == [0]
    rest = b"".join(parts)
    assert opened == [0, 1, 2]
    assert rest
