"""The tables of a cohort, as Parquet: what was recognised, bouts, daily measures, failures.

They are written whole, with a part of them in memory.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.har.texts import cell
from app.services.cohorts.kept import Kept, Line
from app.services.cohorts.recogniser import MINUTES
from app.services.files import written_whole

if TYPE_CHECKING:
    import polars as pl
    from polars._typing import SchemaDict

ANSWERS = "answers.sqlite"
BOUTS, DAYS, FAILURES = "bouts", "days", "failures"
LINES_A_PART = 2000
RECORDINGS_A_PART = 200  # whose bouts, or days, are in memory


def beside(out: Path, what: str) -> Path:
    """Return where another table, or what is kept, lies beside the one that was asked for: results.bouts.parquet."""
    return out.with_name(f"{out.stem}.{what}" if what == ANSWERS else f"{out.stem}.{what}{out.suffix}")


def write(kept: Kept, out: Path) -> list[Path]:
    """Write all tables; a person who reads one meanwhile has the old one until the new one is whole."""
    import polars as pl

    paths = out, *(beside(out, what) for what in (BOUTS, DAYS, FAILURES))
    line = {"file": pl.String, "person": pl.String}
    failures = {**line, "kind": pl.String, "reason": pl.String}
    _write(paths[0], _lines(kept, failed=False), _line_schema(answers_of(kept)))
    _write(paths[1], _several(kept, BOUTS), {**line, **_bout_schema()})
    _write(paths[2], _several(kept, DAYS), {**line, **_day_schema()})
    _write(paths[3], _lines(kept, failed=True), failures)
    return list(paths)


def answers_of(kept: Kept) -> list[str]:
    """Return the answers that occur in a cohort, those with most minutes first."""
    minutes: dict[str, float] = {}
    for lines in _chunks(kept, failed=False):
        for one in lines:
            for name, value in one.minutes.items():
                minutes[name] = minutes.get(name, 0.0) + value
    return sorted(minutes, key=lambda name: (-minutes[name], name))


def _line_schema(answers: Sequence[str]) -> SchemaDict:
    import polars as pl

    moment = pl.Datetime("ms", "UTC")
    return {
        "file": pl.String, "person": pl.String, "bytes": pl.Int64, "recordings": pl.Int64, "app": pl.String,
        "start_utc": moment, "duration_s": pl.Float64, "rate_hz": pl.Float64, "place": pl.String, "windows": pl.Int64,
        "minutes": pl.Float64, "confidence": pl.Float64, "unfamiliar": pl.Int64, "not_worn": pl.Int64,
        "verdict": pl.String, "quality": pl.String, "problems": pl.Int64, "model": pl.String, "smoothed_s": pl.Float64,
        **{f"{MINUTES}{name}": pl.Float64 for name in answers},
    }  # fmt: skip


def _bout_schema() -> SchemaDict:
    import polars as pl

    moment = pl.Datetime("ms", "UTC")
    return {
        "recording": pl.String, "start_s": pl.Float64, "end_s": pl.Float64, "activity": pl.String, "windows": pl.Int64,
        "confidence": pl.Float64, "start_utc": moment, "end_utc": moment, "deepest_activity": pl.String,
        "deepest_confidence": pl.Float64, "start_local": pl.String, "end_local": pl.String, "model": pl.String,
        "smoothed_s": pl.Float64,
    }  # fmt: skip


def _day_schema() -> SchemaDict:
    import polars as pl

    from app.har.measures.dictionary import columns

    kinds: dict[str, type[pl.DataType]] = {"": pl.String, "true or false": pl.Boolean}
    return {column.name: kinds.get(column.unit, pl.Float64) for column in columns("day")}


def _chunks(kept: Kept, failed: bool) -> Iterator[list[Line]]:
    start = 0
    while lines := kept.lines(failed, start, start + LINES_A_PART):
        yield lines
        start += LINES_A_PART


def _lines(kept: Kept, failed: bool) -> Iterator[Mapping[str, list[Any]]]:
    for lines in _chunks(kept, failed):
        rows = [
            {"file": one.name, "person": one.person, "bytes": one.size, "kind": one.kind, **one.line} for one in lines
        ]
        names = dict.fromkeys(name for row in rows for name in row)
        yield {name: [row.get(name) for row in rows] for name in names}


def _several(kept: Kept, which: str) -> Iterator[Mapping[str, list[Any]]]:
    for part in kept.table(which, RECORDINGS_A_PART):
        columns: dict[str, list[Any]] = {}
        for name, person, own in part:
            n = len(next(iter(own.values())))
            for column, values in {"file": [name] * n, "person": [person] * n, **own}.items():
                columns.setdefault(column, []).extend(values)
        yield columns


def _write(path: Path, parts: Iterator[Mapping[str, list[Any]]], schema: SchemaDict) -> None:
    """Write parts of a table into one file, without having more than one in memory."""
    import polars as pl

    folder = Path(tempfile.mkdtemp(prefix=".draft-", dir=path.parent))
    try:
        n = 0
        for n, columns in enumerate(parts, 1):
            _frame(columns, schema).write_parquet(folder / f"{n:06}.parquet")
        with written_whole(path) as draft:
            if n:
                pl.scan_parquet(folder / "*.parquet").sink_parquet(draft)
            else:
                pl.DataFrame(schema=schema).write_parquet(draft)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _frame(columns: Mapping[str, list[Any]], schema: SchemaDict) -> pl.DataFrame:
    """Return plain values as a table; what is no column of it is left out, what is not there is null."""
    import polars as pl

    n = len(next(iter(columns.values())))
    return pl.DataFrame([_series(name, columns.get(name, [None] * n), kind) for name, kind in schema.items()])


def _series(name: str, values: list[Any], kind: Any) -> pl.Series:
    import polars as pl

    if isinstance(kind, pl.Datetime):
        return pl.Series(name, values, pl.String).str.to_datetime(time_unit="ms", time_zone="UTC")
    return pl.Series(name, values, kind, strict=False)


def as_csv(path: Path) -> bytes:
    """Return a table as CSV, in which no spreadsheet takes the name of a file for a formula."""
    import polars as pl

    table = pl.read_parquet(path)
    safe = [
        column.replace_strict(texts := column.drop_nulls().unique().to_list(), list(map(cell, texts)), default=None)
        if column.dtype == pl.String and column.null_count() < len(column)
        else column
        for column in table.get_columns()
    ]
    return pl.DataFrame(safe).write_csv().encode()
