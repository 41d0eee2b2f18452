"""A stored model that forgets a person: a new folder, whose head was solved without them, with a certificate."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from app.har.classifiers import model_folder
from app.har.classifiers.elm_gru_am import head_sums, persistence

CERTIFICATES = "forgotten.json"  # of everybody whom a model has forgotten
CARD = "model_card.md"


def forget(folder: Path, subject: str, target: Path, label: str) -> dict[str, Any]:
    """Write the model as it is without a person into a new folder; return the certificate.

    Parameters
    ----------
    folder : of the model, which stays as it is.
    label : what people call it.

    Raises
    ------
    InsufficientData : the model did not keep its sums, or does not know the person, or knows nobody else.
    ModelIntegrityError : a file is missing or was changed.
    UnsolvableSums : the head would not be that of the others alone.
    """
    manifest = model_folder.verify(folder)
    model = persistence.load_model(folder)
    model.finder = None  # a forest cannot forget
    rows, weights = head_sums.read(folder, manifest)
    model.head_rows_, facts = head_sums.without(model.elm_, rows, weights, subject)
    by_activity = {
        name: dict(zip(model.activities, facts.pop(name), strict=True))
        for name in ("rows_by_activity", "rows_of_others_by_activity")
    }
    certificate: dict[str, Any] = {
        "model": label,
        **facts,
        **by_activity,
        "sha256_of_rows_before": manifest["files"][head_sums.ROWS_FILE],
        "made": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "libraries": model_folder.library_versions(),
    }
    certificates = [*of(folder), certificate]
    texts = {CERTIFICATES: json.dumps(certificates, indent=1, ensure_ascii=False)}
    if (card := folder / CARD).is_file():
        # Every user reads the card: the certificate, for administrators, says who it was
        line = f"- {certificate['rows']:,} rows of one person, on {certificate['made'][:10]}, from {label}"
        heading = "" if len(certificates) > 1 else _SECTION
        texts[CARD] = f"{card.read_text(encoding='utf-8').rstrip()}\n{heading}{line}\n"
    persistence.save_model(model, target, extra=manifest, texts=texts)
    return certificate


def left_out(folder: Path) -> dict[str, tuple[int, int]]:
    """Return of each person whom a model has kept, see `head_sums.left_out`.

    Raises
    ------
    InsufficientData : the model kept nobody.
    ModelIntegrityError : a file is missing or was changed.
    """
    manifest = model_folder.verify(folder)
    return head_sums.left_out(persistence.load_model(folder).elm_, *head_sums.read(folder, manifest))


def of(folder: Path) -> list[dict[str, Any]]:
    """Return the certificates of a model, the oldest first."""
    path = folder / CERTIFICATES
    return list(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else []


_SECTION = """
## Forgotten

The head (the extreme learning machine) is the one that the other people alone give. Scaling, selection of features and
the network have seen whoever was forgotten. The results above, and how much is kept of the people, are those of the
model before; nothing is kept of whoever was forgotten.

"""
