"""What apps, sensor boxes and data sets publish is read right, or refused by its name: see `tests/layouts.py`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.har.errors import UnreadableData
from app.har.recordings.upload import read_upload
from app.har.signals.clocks import sampling_rate
from tests.exports import stream, zipped
from tests.layouts import LAYOUTS, PublicLayout, read_layout


@pytest.mark.parametrize("layout", [own for own in LAYOUTS if not own.refused], ids=lambda own: own.name)
def test_what_is_published_is_read_right(layout: PublicLayout) -> None:
    recording = read_layout(layout)
    assert recording.gravity == layout.gravity
    assert recording.origin_utc_s == pytest.approx(layout.origin_utc_s, abs=1e-3)
    assert recording.activities == layout.activities
    there = {own.modality for own in recording.streams}
    assert set(layout.sensors) <= there
    assert {own for own in there if own.endswith(("accelerometer", "gyroscope"))} <= set(layout.sensors)
    for modality, values in layout.sensors.items():
        own = stream(recording, modality)
        assert len(own.values) == len(values)
        assert np.allclose(own.values, values, atol=0.02), modality
        assert sampling_rate(own.time_s) == pytest.approx(layout.rate_hz, rel=1e-3)


@pytest.mark.parametrize("layout", [own for own in LAYOUTS if own.refused], ids=lambda own: own.name)
def test_what_cannot_be_read_is_named(tmp_path: Path, layout: PublicLayout) -> None:
    path = tmp_path / "upload"
    ((name, text),) = layout.files.items()
    path.write_text(text)
    with pytest.raises(UnreadableData, match=layout.refused):
        read_upload(path, name)
    path.write_bytes(zipped(layout.files))
    with pytest.raises(UnreadableData, match=layout.refused):
        read_upload(path, "upload.zip")


def test_there_are_twenty_and_more() -> None:
    assert len({own.name for own in LAYOUTS}) == len(LAYOUTS) > 20


def test_the_table_in_the_docs_is_what_is_read() -> None:
    from benchmarks import imports_table as tables

    text = tables.DOCUMENT.read_text(encoding="utf-8")
    own = tables.updated(text, tables.layouts_table(), tables.LAYOUTS_BEGIN, tables.LAYOUTS_END)
    assert own == text, "run python -m benchmarks.imports_table"
