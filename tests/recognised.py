"""What was recognised, as the plain rows that pages and downloads have."""

from __future__ import annotations

from typing import Any

from app.services.recordings import result_tables, table_texts
from app.services.recordings.prediction_result import Opinion, PredictionResult


def windows(result: PredictionResult) -> list[dict[str, Any]]:
    """Return the windows and the pauses."""
    return table_texts.records(result_tables.windows(result))


def bouts(
    result: PredictionResult, opinion: Opinion = "answer", recording_index: int | None = None
) -> list[dict[str, Any]]:
    """Return the bouts, and the pauses between them."""
    found = result_tables.bout_rows(result, recording_index, opinion)
    return table_texts.records(result_tables.bouts(result, opinion=opinion, found=found))
