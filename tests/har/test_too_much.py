"""Files that ask for more than anybody needs: each is refused in words, soon, and within memory."""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from app.har.datasets.store import build_store
from app.har.errors import HarError
from app.har.recordings import conversions, workbook_child
from app.har.recordings.files import in_memory
from app.har.recordings.upload import read_upload
from tests import exports, synthetic


def refusal(folder: Path, data: bytes | str, name: str) -> str:
    path = folder / "stored"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    with pytest.raises(HarError) as refused:
        read_upload(path, name)
    return str(refused.value)


def test_an_upload_has_a_limit_of_tables(tmp_path: Path) -> None:
    table = "time_s,acc_x,acc_y,acc_z\n0,1,2,3\n"
    archive = exports.zipped({f"{i}.csv": table for i in range(conversions.MAX_TABLES + 2)})
    assert "there are more than 2,000 tables" in refusal(tmp_path, archive, "many.zip")


def test_a_file_of_json_has_a_limit_of_sensors(tmp_path: Path) -> None:
    entries = [{"sensor": f"sensor {i}", "time": str(i), "x": 1, "y": 2, "z": 3} for i in range(200)]
    assert "more than 100 sensors" in refusal(tmp_path, json.dumps(entries), "many.json")


def labelled(n: int, seconds: float = 20.0) -> str:
    header, *rows = synthetic.kinelab_csv(seconds=seconds).splitlines()
    assert header.endswith(",activity")
    return "\n".join([header, *(f"{row.rpartition(',')[0]},label {i % n}" for i, row in enumerate(rows))])


def test_a_recording_has_a_limit_of_labels(tmp_path: Path) -> None:
    assert "activity: holds more than 200 different activities" in refusal(tmp_path, labelled(900), "many.csv")
    path = tmp_path / "few.csv"
    path.write_text(labelled(200))
    (recording,) = read_upload(path, path.name)
    assert len(recording.activities) == 200


def test_a_data_set_has_a_limit_of_labels_over_all_its_files(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    for i in range(3):
        rows = labelled(100, 20.0 + i).replace("label ", f"label {i} ")
        (folder / f"{i}_walk.csv").write_text(rows)
    with pytest.raises(HarError, match="more than 200 different activities"):
        build_store(folder, tmp_path / "store")
    assert not (tmp_path / "store").exists()


def overlapping(n: int) -> bytes:
    """Return an archive whose members are all expanded from the same bytes."""
    content = exports.zipped({"a.csv": synthetic.kinelab_csv(seconds=2.0)})
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        start = archive.start_dir
    entry, end = content[start : content.rfind(b"PK\x05\x06")], content[content.rfind(b"PK\x05\x06") :]
    entries = b"".join(entry.replace(b"a.csv", b"%05d" % i) for i in range(n))
    counts = struct.pack("<HHII", n, n, len(entries), start)
    return content[:start] + entries + end[:8] + counts + end[20:]


def test_members_of_an_archive_that_lie_over_one_another_are_refused(tmp_path: Path) -> None:
    assert "lie over one another" in refusal(tmp_path, overlapping(50), "bomb.zip")


def sheets(data: bytes) -> Sequence[object]:
    return list(conversions._sheets(in_memory("walk.xlsx", data)))


@pytest.mark.parametrize(("limit", "value"), [("MAX_CELLS", 3000), ("MAX_TEXT_LETTERS", 12_000)])
def test_the_limits_of_a_workbook_are_those_of_all_its_sheets(limit: str, value: int, tmp_path: Path) -> None:
    rows = [["Time (s)", "X (g)", "Y (g)", "Z (g)"], *[[i / 100, 0.1, 0.2, 0.97] for i in range(300)]]
    source = Path(workbook_child.__file__).read_text(encoding="utf-8")
    child = tmp_path / "child.py"
    before = next(line for line in source.splitlines() if line.startswith(f"{limit} = "))
    child.write_text(source.replace(before, f"{limit} = {value}"), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workbook_child, "__file__", str(child))
        assert len(sheets(exports.workbook({"a": rows}))) == 1
        with pytest.raises(HarError, match="asks for too much"):
            sheets(exports.workbook(dict.fromkeys("abc", rows)))


def test_a_workbook_is_read_where_less_memory_is_allowed_than_it_may_take(tmp_path: Path) -> None:
    rows = [["Time (s)", "X (g)", "Y (g)", "Z (g)"], *[[i / 100, 0.1, 0.2, 0.97] for i in range(30)]]
    path = tmp_path / "walk.xlsx"
    path.write_bytes(exports.workbook({"a": rows}))
    less = workbook_child.MAX_MEMORY_BYTES // 2
    program = f"""
import resource
from app.har.recordings import workbook_child
resource.setrlimit(resource.RLIMIT_AS, ({less}, {less}))
workbook_child.main()
assert resource.getrlimit(resource.RLIMIT_AS) == ({less}, {less})  # root, too, does not take more
"""
    with path.open("rb") as file:
        run = subprocess.run([sys.executable, "-c", program], stdin=file, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "0.97" in json.loads(run.stdout)["a"]
