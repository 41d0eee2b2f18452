"""What the page of a finished training shows, and the windows behind the cells of its confusion matrices."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from flask.testing import FlaskClient

from app.services.datasets import library
from app.services.errors import NotFound
from app.services.models import runs, tested_windows
from app.services.transaction import transaction
from tests import homes

FOREST = "random-forest"


def forget_recordings(run_id: int) -> None:
    """Leave of a run's predictions what an earlier build kept."""
    path = runs.folder(run_id) / "output" / "predictions.npz"
    with np.load(path) as kept:
        arrays = {name: kept[name] for name in kept.files if name not in ("recordings", "start_s")}
    np.savez_compressed(path, **arrays)


def test_behind_a_cell_are_as_many_windows_as_it_counts_each_where_the_data_set_has_that_activity(
    finished_run: int,
) -> None:
    run = runs.get(finished_run)
    activities, matrix = run.result["activities"], run.result["models"][FOREST]["confusion"]
    contents = library.open_dataset(library.get(homes.EXAMPLE)).contents
    for row, true in enumerate(activities):
        for column, recognised in enumerate(activities):
            cell = tested_windows.behind_cell(run, FOREST, true, recognised)
            assert (cell.windows.total, cell.of_activity) == (matrix[row][column], sum(matrix[row]))
            assert sum(n for _, n in cell.subjects) == cell.windows.total
            for window in cell.windows.items:
                assert window.recording in contents.recording_ids
                assert window.subject in run.result["split"]["subjects"]["test"]
                assert window.confidence >= window.of_truth
    correct = tested_windows.behind_cell(run, FOREST, activities[0], activities[0])
    shown = Counter(window.subject for window in correct.windows.items)
    assert correct.windows.total > len(shown) or correct.subjects == shown.most_common()


def test_a_click_on_a_cell_leads_to_its_windows(finished_run: int, admin_client: FlaskClient) -> None:
    page = admin_client.get(f"/training/{finished_run}").text
    links = re.findall(r'<a href="([^"]+/windows[^"]+)" aria-label="([\d,]+) of [\d,]+ windows of', page)
    cells = sum(1 for row in runs.get(finished_run).result["models"][FOREST]["confusion"] for cell in row if cell)
    assert len(links) == cells > 0
    address, n = links[0]
    windows = admin_client.get(address.replace("&amp;", "&")).text
    assert windows.count('data-label="Subject"') == min(int(n.replace(",", "")), tested_windows.PAGE_SIZE)
    assert re.search(r'<a href="/datasets/physiotherapy-example\?recording=[^"]+">', windows)
    assert "percent of each row" in page
    assert not re.search(r">\s*[01]\.\d{3}\b", page), "percentages and fractions on one page"


def test_a_run_that_kept_no_recordings_says_so_and_has_no_links(finished_run: int, admin_client: FlaskClient) -> None:
    forget_recordings(finished_run)
    page = admin_client.get(f"/training/{finished_run}").text
    assert "is not known for this run" in page
    assert "/windows" not in page
    activity = runs.get(finished_run).result["activities"][0]
    query = {"model": FOREST, "true": activity, "recognised": activity}
    answer = admin_client.get(f"/training/{finished_run}/windows", query_string=query)
    assert answer.status_code == 404
    assert "made by an earlier version" in answer.text


@pytest.mark.parametrize(("model", "activity"), [("cnn", None), (FOREST, "Levitating"), ("subjects", None)])
def test_a_cell_that_is_none_is_not_found(finished_run: int, model: str, activity: str | None) -> None:
    run = runs.get(finished_run)
    with pytest.raises(NotFound, match="no such cell"):
        tested_windows.behind_cell(run, model, activity or run.result["activities"][0], run.result["activities"][0])


def test_with_two_test_people_the_page_gives_numbers_and_says_what_it_cannot(
    finished_run: int, admin_client: FlaskClient
) -> None:
    run, difference = runs.get(finished_run), {"value": 0.1, "low": 0.05, "high": 0.15}
    pair = {"model": FOREST, "against": "cnn", "accuracy": difference, "f1": difference}
    with transaction():
        run.result = {**run.result, "comparisons": [pair]}
    page = admin_client.get(f"/training/{finished_run}").text
    assert run.result["split"]["test_subjects"] == 2
    assert "Only 2 people were tested." in page
    for row in run.result["models"][FOREST]["per_subject"]:
        assert f'<th scope="row">{row["subject"]}</th><td class="text-end">{100 * row["accuracy"]:.1f} %' in page
    assert "too few people to say" in page
    assert "Random Forest is better" not in page


def test_no_row_takes_a_colour_that_only_suits_a_light_page() -> None:
    pages = (Path(__file__).parents[2] / "app" / "templates").rglob("*.html")
    assert not [
        page.name
        for page in pages
        if re.search(r"table-(primary|info|success|warning|danger|light)\b", page.read_text())
    ]
