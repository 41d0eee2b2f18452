"""Which files may be read by their path, whatever way the path is written."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from pathlib import Path

import pytest

from app.har.datasets.store import build_store
from app.har.errors import HarError, UnreadableData
from app.har.recordings.conversions import open_tables
from app.har.recordings.files import open_files
from app.har.recordings.reach import Reach
from app.har.recordings.upload import Upload
from tests.bad_exports import MENDED_EXPORTS, REFUSED_EXPORTS
from tests.bad_inputs import MENDED, REFUSED, BadInput
from tests.synthetic import kinelab_csv


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return a folder with a home in it, and recordings inside and outside of what may be read."""
    for name in ("data/walks/1_a.csv", "data/2_b.csv", "elsewhere/3_c.csv", "data/home/uploads/4_d.csv"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(kinelab_csv())
    return tmp_path


def reach_of(place: Path) -> Reach:
    return Reach((place / "data",), (place / "data" / "home",), quotes=False)


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("data", True),
        ("data/walks/1_a.csv", True),
        ("data/walks/../2_b.csv", True),
        ("data/not there yet", True),
        ("elsewhere", False),
        ("elsewhere/3_c.csv", False),
        ("data/../elsewhere/3_c.csv", False),
        (".", False),
        ("data/home", False),
        ("data/home/uploads/4_d.csv", False),
        ("data/walks/../home/uploads/4_d.csv", False),
        ("data/home/not there", False),
        ("data/" + "x" * 5000, True),
        ("data/a\x00b", False),
    ],
)
def test_a_path_is_judged_by_where_it_leads(place: Path, path: str, allowed: bool) -> None:
    assert reach_of(place).allows(place / path) is allowed


def test_links_are_followed_in_both_directions(place: Path) -> None:
    data = place / "data"
    for name, target in [
        ("out", place / "elsewhere"), ("in", data / "walks"), ("kept", data / "home"), ("circle", data / "circle"),
    ]:  # fmt: skip
        (data / name).symlink_to(target)
    (place / "door").symlink_to(data / "home" / "uploads")
    reach = reach_of(place)
    assert reach.allows(data / "in" / "1_a.csv")
    for path in (data / "out", data / "out" / "3_c.csv", data / "kept" / "uploads", data / "circle" / "x"):
        assert not reach.allows(path)
    assert not Reach(outside=(data / "home",)).allows(place / "door" / "4_d.csv")


def test_a_folder_named_by_a_link_is_the_folder_that_it_leads_to(place: Path) -> None:
    (place / "link").symlink_to(place / "data")
    assert Reach((place / "link",)).allows(place / "data" / "2_b.csv")


def test_a_folder_around_what_is_kept_is_read_without_it(place: Path) -> None:
    (place / "data" / "walks" / "link.csv").symlink_to(place / "elsewhere" / "3_c.csv")
    with open_files(place / "data", reach=reach_of(place)) as members:
        assert [member.name for member in members] == ["2_b.csv", "walks/1_a.csv"]
    assert build_store(place / "data", place / "store", reach=reach_of(place)).recordings == 1  # the other is a copy
    first = build_store(place / "data", place / "again", reach=reach_of(place)).fingerprint
    (place / "data" / "home" / "uploads" / "4_d.csv").write_text("changed")
    assert build_store(place / "data", place / "third", reach=reach_of(place)).fingerprint == first


def test_a_link_that_takes_the_place_of_a_listed_file_is_not_opened(place: Path) -> None:
    with open_files(place / "data" / "2_b.csv", reach=reach_of(place)) as (member,):
        (place / "data" / "2_b.csv").unlink()
        (place / "data" / "2_b.csv").symlink_to(place / "elsewhere" / "3_c.csv")
        with pytest.raises(UnreadableData, match="2_b\\.csv: lies outside"):
            member.read()


def test_a_path_out_of_reach_is_refused_alike_whether_it_exists_or_not(place: Path) -> None:
    messages = []
    for name in ("3_c.csv", "none.csv"):
        with pytest.raises(UnreadableData) as refusal, open_files(place / "elsewhere" / name, reach=reach_of(place)):
            pass
        messages.append(str(refusal.value).replace(name, ""))
    assert len(set(messages)) == 1


SECRET = "Xy9Kq7"
WORDS = (b"acc_", b"gyro_", b"Walk", b"rain", b"Dear", b"root", b"passwd", b"404", b"sensor", b"label", b"Time")


def with_secrets(data: bytes) -> Iterator[bytes]:
    """Yield a file with a secret in its words, in the first cells of most rows, and in a row in the middle."""
    yield reduce(lambda text, word: text.replace(word, word + SECRET.encode()), WORDS, data)
    first, *lines = data.splitlines(keepends=True)
    if len(lines) > 10:
        yield b"".join([first, lines[0], *(SECRET.encode() + line for line in lines[1:])])
        yield b"".join([first, *lines[:6], SECRET.encode() + b"," + lines[6], *lines[7:]])


def said_of(path: Path, name: str, store: Path) -> str:
    """Return all that is said of a file, read as a data set and as recordings, where it must not be quoted."""
    hidden, said = Reach((path.parent,), quotes=False), []
    try:
        said += [problem.detail for problem in build_store(path, store, name=name, reach=hidden).problems]
    except HarError as error:
        said.append(str(error))
    try:
        with open_files(path, name, hidden) as members:
            said += [p.detail for each in Upload(name, open_tables(members)).read() for p in each.problems]
    except HarError as error:
        said.append(str(error))
    return " ".join(said)


@pytest.mark.parametrize("case", REFUSED + REFUSED_EXPORTS + MENDED + MENDED_EXPORTS, ids=lambda case: case.title)
def test_no_message_quotes_a_file_that_is_given_by_its_path(case: BadInput, tmp_path: Path) -> None:
    data, path = case.build(), tmp_path / "file"
    if not data or len(data) > 2**20 or "ten thousand times" in case.title:
        pytest.skip("nothing to quote, or large and of the same kind as a smaller case")
    for number, text in enumerate(with_secrets(data)):
        path.write_bytes(text)
        assert SECRET not in said_of(path, case.name, tmp_path / f"store {number}")


def test_a_message_still_says_which_line_is_at_fault(tmp_path: Path) -> None:
    path = tmp_path / "secret_key"
    path.write_text("time_s,acc_x,acc_y,acc_z\n" + "a,b,c,d0e5a1\n" * 9)
    with pytest.raises(HarError) as shown:
        build_store(path, tmp_path / "store")
    with pytest.raises(HarError) as hidden:
        build_store(path, tmp_path / "store", reach=Reach((tmp_path,), quotes=False))
    assert "d0e5a1" in str(shown.value)
    assert "secret_key, line 2: (not shown): expected numbers in time_s" in str(hidden.value)


@pytest.mark.parametrize("name", ["x" * 5000, "x" * 300 + ".csv", "a\x00b"])
def test_an_impossible_name_is_a_file_that_is_not_there(name: str, tmp_path: Path) -> None:
    with pytest.raises(UnreadableData), open_files(tmp_path / name):
        pass
