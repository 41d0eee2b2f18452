"""Daily measures as files: a table of days or hours, and the dictionary of its columns."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from app.har.measures.cut_points import CUT_POINTS
from app.har.measures.days import Period, Row
from app.har.measures.dictionary import ACTIVITIES, OWN, columns
from app.har.texts import cell

DAY: Period = "day"
HOUR: Period = "hour"
DICTIONARY = ("column", "unit", "definition", "source")


def as_csv(rows: Iterable[Row], period: Period, before: Sequence[str] = ()) -> str:
    """Return rows as CSV; ``before`` names columns that stand before those of `columns`."""
    names = [*before, *(column.name for column in columns(period))]
    return _csv(names, ([row.get(name) for name in names] for row in rows))


def dictionary(period: Period) -> list[dict[str, str]]:
    """Return what each column is."""
    return [
        {"column": each.name, "unit": each.unit, "definition": each.definition, "source": each.source}
        for each in columns(period)
    ]


def dictionary_in_short() -> list[dict[str, str]]:
    """Return the same of days as a page shows it: what is answered alike in one row."""
    answered = [each for each in ACTIVITIES if each.source == OWN]
    alike = {
        "column": f"{answered[0].name} … {answered[-2].name}",
        "unit": "min",
        "definition": "Minutes of each answer, no deeper and no less deep; corrected answers count",
        "source": OWN,
    }
    names = {each.name for each in answered[:-1]}
    return [
        alike if each["column"] == answered[0].name else each
        for each in dictionary("day")
        if each["column"] not in names - {answered[0].name}
    ]


def dictionary_csv(period: Period) -> str:
    """Return the same as CSV."""
    return _csv(DICTIONARY, (list(each.values()) for each in dictionary(period)))


def limits() -> list[dict[str, Any]]:
    """Return all cut-points that there are."""
    return [
        {
            "name": each.name, "place": each.place, "ages": list(each.ages), "metric": each.metric,
            "light_mg": each.light, "moderate_mg": each.moderate, "vigorous_mg": each.vigorous,
            "measured": each.measured, "publication": each.publication,
        }
        for each in CUT_POINTS
    ]  # fmt: skip


def document(rows: Sequence[Row], period: Period, about: Mapping[str, Any]) -> dict[str, Any]:
    """Return rows with the dictionary of their columns, as JSON has them."""
    return {**about, "period": period, "rows": list(rows), "columns": dictionary(period)}


def _csv(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(names)
    for row in rows:
        table.writerow([_plain(value) for value in row])
    return text.getvalue()


def _plain(value: Any) -> Any:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else cell(value)
