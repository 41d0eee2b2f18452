"""Long recordings: read, filtered and cut in parts that come out as the whole would, within bounded memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from app.har.errors import UnreadableData
from app.har.progress import Event
from app.har.recordings import tables
from app.har.recordings.files import in_memory
from app.har.recordings.tables import open_table, parse
from app.har.recordings.upload import read_upload
from app.har.signals import filters, resampling, samples, spline, summaries
from app.har.signals.filters import Preparation, prepare
from app.har.signals.gravity import match_gravity
from app.har.signals.pages import let_go
from app.har.signals.resampling import to_signal_set
from app.har.signals.types import Recording, Stream
from app.har.windows import iter_window_batches, make_windows
from tests import synthetic
from tests.conftest import ROOT

ROWS = [f"{i / 50:.3f},{np.sin(i):.4f},{i % 7}.25,9.8" for i in range(400)]
HEADER = "time_s,acc_x,acc_y,acc_z"


def labelled(names: list[str]) -> str:
    return "\n".join([f"{HEADER},activity", *(f"{row},{names[i % len(names)]}" for i, row in enumerate(ROWS))])


TEXTS = {
    "plain": "\n".join([HEADER, *ROWS, ""]).encode(),
    "no line end at the end": "\n".join([HEADER, *ROWS]).encode(),
    "CRLF": "\r\n".join([HEADER, *ROWS, ""]).encode(),
    "CR": "\r".join([HEADER, *ROWS, ""]).encode(),
    "byte order mark": b"\xef\xbb\xbf" + "\n".join([HEADER, *ROWS]).encode(),
    "UTF-16": "\r\n".join([HEADER, *ROWS]).encode("utf-16"),
    "Latin-1": labelled(["Gehen", "Rückwärts gehen", ""]).encode("latin-1"),
    "decimal comma": "\n".join([HEADER, *ROWS]).replace(",", ";").replace(".", ",").encode(),
    "spaces": "\n".join([HEADER, *ROWS]).replace(",", ", ").encode(),
    "labels": labelled(["Walk", "Sit", "Talk-sit"]).encode(),
    "quoted labels with commas": labelled(['"Walk, fast"', "Sit", '"say ""no"""']).encode(),
    "quoted labels with line ends": labelled(['"Walk\nfast"', "Sit", '"a\n\nb"', '"\nc","d\n"']).encode(),
    "blank lines": "\n".join([HEADER, *ROWS[:150], "", "", *ROWS[150:]]).encode(),
    "damaged rows": "\n".join(
        [HEADER, *(row if i % 90 else ("oops" if i % 180 else f"{row},1,2,3") for i, row in enumerate(ROWS, 1))]
    ).encode(),
}  # fmt: skip


def parsed(data: bytes) -> pl.DataFrame:
    source = open_table(in_memory("day.csv", data))
    types = {"time_s": pl.Float64, "activity": pl.Categorical}
    names = [*source.layout.names, *(f"more {i}" for i in range(len(source.layout.names), source.layout.n_columns))]
    return parse(source, {name: types.get(name, pl.Float32) for name in names})


@pytest.mark.parametrize("size", [40, 97, 1000])
@pytest.mark.parametrize("kind", TEXTS)
def test_a_file_read_in_chunks_is_what_it_is_as_a_whole(kind: str, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = parsed(TEXTS[kind])
    assert whole.height >= len(ROWS)
    assert whole["acc_z"].drop_nulls().to_list() == pytest.approx([9.8] * whole["acc_z"].count(), abs=1e-6)
    monkeypatch.setattr(tables, "CHUNK_BYTES", size)
    in_chunks = parsed(TEXTS[kind])
    assert in_chunks.equals(whole.with_columns(pl.selectors.categorical().cast(pl.Categorical)))


@pytest.mark.parametrize("row", [0, 1, 200, 399])
@pytest.mark.parametrize("damaged", ["oops", "12;5", "nan,nan,nan,nan", "1,2"])
def test_a_damaged_row_in_any_chunk_is_named_by_its_line(
    damaged: str, row: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "CHUNK_BYTES", 60)
    path = tmp_path / "day.csv"
    path.write_text("\n".join([HEADER, *ROWS[:row], damaged, *ROWS[row:]]))
    (recording,) = read_upload(path, path.name)
    (problem,) = (p for p in recording.problems if p.kind in ("corrupt rows", "empty cells"))
    assert (
        f"1 of 401 rows without numbers in time_s, acc_x, acc_y, acc_z, the first in line {row + 2}: {damaged!r}"
        in (problem.detail)
    )
    assert len(recording.streams[0].time_s) == 400


def test_zeros_in_a_later_chunk_are_named_by_their_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "CHUNK_BYTES", 60)
    path = tmp_path / "day.csv"
    path.write_bytes("\n".join([HEADER, *ROWS[:300], "1,\0\0,2,3", *ROWS[300:]]).encode())
    with pytest.raises(UnreadableData, match=r"day.csv, line 302: holds NUL bytes"):
        read_upload(path, path.name)


def test_a_line_that_never_ends_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "CHUNK_BYTES", 1000)
    data = "\n".join([HEADER, *ROWS, "1" * (4 * 2**20)]).encode()
    with pytest.raises(UnreadableData, match=r"day.csv, line 402: over .* bytes long, expected one row"):
        parsed(data)


def test_how_much_was_read_is_told_on_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "CHUNK_BYTES", 2**18)
    path = tmp_path / "day.csv"
    path.write_text("\n".join([HEADER, *(f"{i / 50:.3f},1.5,{i % 7}.25,9.8" for i in range(100_000))]))
    events: list[Event] = []
    read_upload(path, path.name, events.append)
    fractions = [event["fraction"] for event in events]
    assert len(fractions) > 5
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)


def walk(seconds: float, rate_hz: float = 100.0, jitter_s: float = 0.0) -> Recording:
    rng = np.random.default_rng(0)
    time = np.arange(round(seconds * rate_hz)) / rate_hz
    values = rng.normal(0, 1, (len(time), 3)).astype(np.float32) + np.float32([0, 0, 9.81])
    time = time + rng.uniform(-jitter_s, jitter_s, len(time))
    streams = (Stream("accelerometer", time, values), Stream("gyroscope", time, values[::-1].copy()))
    return Recording("day", "one", streams, "included")


@pytest.mark.parametrize("jitter_s", [0.0, 5e-7])  # the second is what six decimals leave of a time
def test_samples_that_are_where_they_are_wanted_are_taken_as_they_are(jitter_s: float) -> None:
    recording = walk(30, jitter_s=jitter_s)
    result = to_signal_set([recording], 100.0)
    expected = np.concatenate([stream.values for stream in recording.streams], axis=1)
    np.testing.assert_array_equal(result.signal, expected[: len(result.signal)])
    assert len(result.signal) >= len(expected) - 1


def test_a_clock_that_drifts_from_the_rate_is_interpolated() -> None:
    recording = walk(30)
    drifting = tuple(replace(s, time_s=s.time_s * 1.001) for s in recording.streams)
    result = to_signal_set([replace(recording, streams=drifting)], 100.0)
    assert len(result.signal) == 3002
    assert np.abs(result.signal[2000] - recording.streams[0].values[2000].repeat(2)).max() > 0.01


def test_gravity_comes_off_in_blocks_as_from_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    recording = walk(400, jitter_s=2e-3)
    whole = match_gravity(recording, "removed").streams[0].values
    monkeypatch.setattr(filters, "BLOCK", 3000)
    np.testing.assert_allclose(match_gravity(recording, "removed").streams[0].values, whole, atol=2e-6)


@pytest.mark.parametrize("preparation", [Preparation(low_pass_hz=15.0), Preparation(separate_gravity=True)])
def test_filters_work_in_blocks_as_on_the_whole(preparation: Preparation, monkeypatch: pytest.MonkeyPatch) -> None:
    signals = to_signal_set([walk(200), walk(20)], 100.0)
    whole = prepare(signals, preparation).signal
    monkeypatch.setattr(filters, "BLOCK", 3000)
    np.testing.assert_allclose(prepare(signals, preparation).signal, whole, atol=2e-6)


def test_sensors_of_one_clock_are_resampled_as_each_would_be_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    recording = walk(60, rate_hz=87.0, jitter_s=2e-3)
    monkeypatch.setattr(resampling, "BLOCK", 1000)
    together = to_signal_set([recording], 50.0)
    for number, stream in enumerate(recording.streams):
        alone = to_signal_set([replace(recording, streams=(stream,))], 50.0)
        np.testing.assert_array_equal(together.signal[:, 3 * number : 3 * number + 3], alone.signal)


def test_windows_in_runs_are_the_windows_of_the_whole() -> None:
    signals = synthetic.signal_set(subjects=3, seconds=40.0)
    whole = make_windows(signals, 3.0, by_label=False)
    runs = list(iter_window_batches(signals, 3.0, 7))
    assert [len(windows) for windows, _ in runs[:-1]] == [7] * (len(runs) - 1)
    assert [fraction for _, fraction in runs][-1] == 1.0
    for name in ("X", "y", "subjects", "recordings", "start_s"):
        joined = np.concatenate([getattr(windows, name) for windows, _ in runs])
        np.testing.assert_array_equal(joined, getattr(whole, name))


MEASURE = """
import json, re, sys
from pathlib import Path
import app.har  # sets polars' allocator, before polars
import scipy.linalg, scipy.signal, polars
from app.har.recordings.quality import card
from app.har.recordings.upload import read_upload
from app.har.signals.resampling import to_signal_set
from app.har.signals.normalisation import normalise_units
# ru_maxrss would begin at the peak of the process that started this one
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024
before = peak()
recordings = [normalise_units(recording) for recording in read_upload(Path(sys.argv[1]), "day.csv")]
cards = [card(recording) for recording in recordings]
signals = to_signal_set(recordings, 100.0)
data = sum(s.values.nbytes for r in recordings for s in r.streams) + recordings[0].streams[0].time_s.nbytes
print(json.dumps({"grown": peak() - before, "data": (data + signals.signal.nbytes) / 2**20}))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is counted differently elsewhere")
def test_an_import_takes_little_more_memory_than_what_is_imported(tmp_path: Path) -> None:
    """Six hours; a chunk of text and its columns come on top, however long the recording."""
    n = 6 * 360_000
    rng = np.random.default_rng(0)
    time = np.arange(n) / 100 + rng.uniform(-2e-3, 2e-3, n)
    path = tmp_path / "day.csv"
    axes = {name: rng.normal(0, 1, n) for name in ("acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z")}
    pl.DataFrame({"time_s": time, **axes}).write_csv(path, float_precision=7)
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
    )
    memory = json.loads(done.stdout)
    assert memory["grown"] < 1.5 * memory["data"] + 120


@pytest.mark.parametrize("damaged", [None, 5, 250])
@pytest.mark.parametrize("first_longer", [True, False])
def test_columns_wanted_together_are_one_array_unless_a_cell_is_empty(
    damaged: int | None, first_longer: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "CHUNK_BYTES", 997)
    monkeypatch.setattr(tables, "MOVED", 7)
    cells = np.arange(1200.0).reshape(300, 4)
    lines = [
        ",".join(f"{cell:.{9 if (i < 150) == first_longer else 1}f}" for cell in row) for i, row in enumerate(cells)
    ]
    if damaged is not None:
        lines[damaged] = "1,2,,4"
        cells[damaged] = 1, 2, np.nan, 4
    source = open_table(in_memory("day.csv", "\n".join([HEADER, *lines]).encode()))
    axes = ["acc_x", "acc_y", "acc_z"]
    frame = parse(source, {"time_s": pl.Float64, **dict.fromkeys(axes, pl.Float32)}, together=[axes])
    np.testing.assert_array_equal(frame.to_numpy(), cells)
    assert frame.null_count().sum_horizontal().item() == (damaged is not None)
    assert np.shares_memory(frame.select(axes).to_numpy(), frame["acc_y"].to_numpy(allow_copy=damaged is not None)) == (
        damaged is None
    )


@pytest.mark.parametrize("time", [[], [1.0], [0, 1, 2, 9, 9, 10], [5, 4, 6, 7, 8, 30, 31], list(range(50))])
def test_what_is_asked_in_blocks_is_as_of_the_whole(time: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summaries, "BLOCK", 3)
    stamps = np.array(time, np.float64)
    steps = np.diff(stamps)
    assert summaries.step_range(stamps) == (steps.min(initial=np.inf), steps.max(initial=-np.inf))
    assert summaries.increases(stamps) == (steps > 0).all()
    assert summaries.holes(stamps, 1.5).tolist() == np.flatnonzero(steps > 1.5).tolist()


def test_a_long_signal_is_written_to_disk_and_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    recording = walk(30, jitter_s=2e-3)
    gyroscope = recording.streams[1]
    short = replace(gyroscope, time_s=gyroscope.time_s[:2000], values=gyroscope.values[:2000])
    recording = replace(recording, streams=(recording.streams[0], short))
    monkeypatch.setattr(resampling, "BLOCK", 700)
    in_memory_set = to_signal_set([recording], 50.0, allow_missing=True)
    monkeypatch.setattr(samples, "IN_MEMORY_BYTES", 1000)
    on_disk = to_signal_set([recording], 50.0, allow_missing=True)
    np.testing.assert_array_equal(on_disk.signal, in_memory_set.signal)
    assert not on_disk.signal.flags.writeable
    assert in_memory_set.signal.flags.writeable


def test_a_full_disk_is_an_error_and_no_half_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "IN_MEMORY_BYTES", 0)
    monkeypatch.setattr(os, "pwrite", lambda *_: 10)
    with pytest.raises(OSError, match="No space left"):
        to_signal_set([walk(5)], 100.0)


def test_many_numbers_are_rounded_as_python_rounds_one() -> None:
    rng = np.random.default_rng(0)
    ties = np.arange(-4000, 4000) / 16 + 0.0005
    numbers = np.concatenate(
        [rng.normal(0, 10, 5000).astype(np.float32), ties, ties.astype(np.float32), [0.0625, 1e20, 3e9]]
    )
    for digits in (0, 3):
        assert summaries.rounded(numbers, digits) == [round(float(number), digits) for number in numbers]
    assert np.isnan(summaries.rounded(np.array([np.nan]))).all()


@pytest.mark.parametrize("rate_hz", [100.0, 64.0, 33.3])
@pytest.mark.parametrize("start_s", [0.0, 1e3 / 3, 1.7e9])
@pytest.mark.parametrize("jitter_s", [0.0, 1e-9, 4e-3, 0.2])
def test_moments_find_their_samples_as_a_search_would(rate_hz: float, start_s: float, jitter_s: float) -> None:
    rng = np.random.default_rng(0)
    at = start_s + np.arange(5000) / rate_hz
    time = np.sort(start_s - 1 + np.arange(6000) / 100 + rng.uniform(-jitter_s, jitter_s, 6000))
    time = time[(time < start_s + 10) | (time > start_s + 17)]
    for stamps in (time, at, at[::7], time + 3, time[:2], np.array([start_s - 9, start_s + 1e4])):
        expected = np.searchsorted(stamps, at, side="right")
        assert spline._not_later(stamps, at).tolist() == expected.tolist()


@pytest.mark.parametrize("n", [1, 2, 3, 10, 11, 500])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_median_and_percentiles_are_numpys(n: int, dtype: type) -> None:
    for seed in range(20):
        numbers = np.random.default_rng(seed).normal(0, 3, n).astype(dtype)
        assert summaries.median(numbers) == float(np.median(numbers))
        for percent in (0, 10, 50, 90, 100):
            expected = np.percentile(numbers.astype(np.float64), percent)  # of float32, numpy 1 rounds on its way
            assert summaries.percentile(numbers, percent) == pytest.approx(expected, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("most_bytes", [10**6, 0])
def test_rows_are_kept_in_memory_or_in_a_file(most_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "IN_MEMORY_BYTES", most_bytes)
    whole = np.random.default_rng(0).normal(0, 1, (100, 7)).astype(np.float32)
    rows = samples.Rows(7)
    for first in range(0, 100, 30):
        rows.append(whole[first : first + 30])
    np.testing.assert_array_equal(rows.finish(), whole)
    assert samples.Rows(3).finish().shape == (0, 3)


def test_pages_that_are_let_go_are_read_again(tmp_path: Path) -> None:
    whole = np.arange(10_000, dtype=np.float32).reshape(2, 5000)
    whole.tofile(tmp_path / "mapped")
    mapped = np.asarray(np.memmap(tmp_path / "mapped", np.float32, "r", shape=whole.shape)).T[10:]
    for array in (mapped, whole.T[10:], mapped.copy()):
        let_go(array)
        np.testing.assert_array_equal(array, whole.T[10:])
