"""What daily measures need of a recording, kept in its folder: to count steps in a week's signal takes some seconds.

It is made anew whenever its owner sees other answers than those that it was made from.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from app.har.texts import loads
from app.services import keys, sealing
from app.services.files import written_whole
from app.services.measures.measured import Part, parts_of
from app.services.personal import in_lists, view
from app.services.recordings import recordings, steps
from app.services.recordings.result_files import DAMAGED
from app.services.sealing import Key
from app.tables import Prediction

log = logging.getLogger(__name__)

FILE = "measures.npz"
BUILD = 2  # of what is kept; another number makes it anew


def parts_of_prediction(prediction: Prediction) -> list[Part]:
    """Return what the recordings of a file say, as their owner sees them.

    Raises
    ------
    NotFound, DAMAGED : the result is gone, or cannot be read.
    """
    path = recordings.folder_of(prediction.recording) / FILE
    made_from = _made_from(prediction)
    if (kept := _read(path, made_from)) is not None:
        return kept
    result = view.view_of(prediction).result
    parts = parts_of(result, steps.of(prediction.recording, result))
    _write(path, made_from, parts, keys.of(prediction.recording.user_id))
    return parts


def _made_from(prediction: Prediction) -> str:
    """Return what changes whenever the owner sees other answers."""
    stored = recordings.result_file(prediction).stat()
    return json.dumps([BUILD, prediction.id, stored.st_mtime_ns, stored.st_size, in_lists.made_from(prediction)])


def _read(path: Path, made_from: str) -> list[Part] | None:
    try:
        with sealing.opened(path) as file, np.load(file, allow_pickle=False) as stored:
            arrays = dict(stored)
        about: dict[str, Any] = loads(arrays["about"].tobytes())
        return _parts(arrays, about["parts"]) if about["made_from"] == made_from else None
    except FileNotFoundError:
        return None
    except DAMAGED as error:
        log.warning("what was kept of the days of a recording is made anew: %s", error)
        return None


def _parts(arrays: dict[str, Any], about: list[list[Any]]) -> list[Part]:
    found, first, step, stood = [], 0, 0, 0
    for name, origin_s, n, n_steps, n_stood in about:
        own, made = slice(first, first + n), slice(step, step + (n_steps or 0))
        rose = slice(stood, stood + (n_stood or 0))
        columns = arrays["start_s"][own], arrays["end_s"][own], arrays["node"][own].astype(np.int64)
        origin = np.nan if origin_s is None else float(origin_s)
        counted = None if n_steps is None else arrays["steps"][made]
        stood_up = None if n_stood is None else arrays["stood_up"][rose]
        found.append(Part(str(name), origin, *columns, counted, stood_up))
        first, step, stood = own.stop, made.stop, rose.stop
    return found


def _write(path: Path, made_from: str, parts: Sequence[Part], key: Key) -> None:
    about = [
        [
            part.name,
            float(part.origin_s) if np.isfinite(part.origin_s) else None,
            len(part.start_s),
            None if part.steps is None else len(part.steps),
            None if part.stood_up is None else len(part.stood_up),
        ]
        for part in parts
    ]
    none = np.zeros(0)
    try:
        with written_whole(path) as draft, sealing.created(draft, key) as file:
            np.savez_compressed(
                file,
                about=np.frombuffer(json.dumps({"made_from": made_from, "parts": about}).encode(), np.uint8),
                start_s=np.concatenate([none, *(part.start_s for part in parts)]),
                end_s=np.concatenate([none, *(part.end_s for part in parts)]),
                node=np.concatenate([none, *(part.node for part in parts)]).astype(np.uint8),
                steps=np.concatenate([none, *(part.steps for part in parts if part.steps is not None)]),
                stood_up=np.concatenate(
                    [none.reshape(0, 2), *(part.stood_up for part in parts if part.stood_up is not None)]
                ),
            )
    except OSError as error:  # a full disk keeps nobody from what is theirs
        log.warning("the days of a recording cannot be kept: %s", error)
