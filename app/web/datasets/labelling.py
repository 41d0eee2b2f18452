"""Label a data set's stretches: one at a time, with one key."""

from __future__ import annotations

import time
from itertools import zip_longest
from typing import Any

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app.har.errors import InsufficientData
from app.har.vocabulary import PARENT
from app.services.datasets import bout_drawing, labelling, library
from app.services.errors import Conflict, Invalid, NotFound
from app.services.formatting import duration
from app.web.access import access
from app.web.datasets.routes import bp
from app.web.errors import status_of

OWN_KEYS = "123456789pqrtvwxyz"
SHARED_KEYS = dict(zip(PARENT, "abcdefghijklmo", strict=True))  # n: a new name, s: skip, u: undo
LATEST = 2**53  # ms


@bp.get("/<name>/label")
@access("admin")
def label(name: str) -> ResponseReturnValue:
    """Show the stretch most worth a label, or how far its finding is."""
    return _page(name)


def _page(name: str, message: str = "", status: int = 200) -> ResponseReturnValue:
    dataset = library.get(name)
    try:
        desk = labelling.desk_of(dataset)
    except Conflict as error:
        return render_template("datasets/label.html", dataset=dataset, fault=str(error)), status_of(error)
    if desk is None:
        return render_template("datasets/label.html", dataset=dataset, making=labelling.making_of(dataset))
    said = labelling.labels_of(dataset)
    shown = labelling.next_bout(dataset, desk, said, current_user.id)
    named, others = labelling.activities(dataset, said)
    page = render_template(
        "datasets/label.html", dataset=dataset, shown=shown, drawn=shown and bout_drawing.draw(desk, shown),
        choices=[*zip_longest(named, OWN_KEYS[: len(named)]), *((each, SHARED_KEYS[each]) for each in others)],
        progress=labelling.progress(desk, said, current_user.id), message=message, height=bout_drawing.HEIGHT,
        shown_at=round(1000 * time.time()), new_name=request.form.get("new_name", "")[:64],
    )  # fmt: skip
    return page, status


@bp.get("/<name>/label/progress")
@access("admin")
def label_progress(name: str) -> dict[str, Any]:
    """Return how far the finding of the stretches is, for the page's script."""
    making = labelling.making_of(library.get(name))
    if making is None:
        return {"status": "finished"}
    return {
        "status": "running", "stage": making.stage, "fraction": making.fraction, "elapsed": duration(making.elapsed_s),
    }  # fmt: skip


@bp.post("/<name>/label")
@access("admin")
def say_label(name: str) -> ResponseReturnValue:
    """Keep what a stretch is: one of the names, another that is written, or none."""
    activity = request.form.get("activity", "").strip()
    written = request.form.get("other", "").strip()
    shown_at = min(max(request.form.get("shown_at", 0, type=int), 0), LATEST)
    looked_s = time.time() - shown_at / 1000
    try:
        if activity == "other" and not written:
            raise Invalid("Write what it is, or skip it. Nothing was saved.", field="other")
        said = written if activity == "other" else "" if activity == "skip" else activity.removeprefix("is:")
        if not said and activity != "skip":
            raise Invalid("Say what it is, or skip it. Nothing was saved.")
        labelling.say(name, current_user.id, request.form.get("bout", -1, type=int), said, looked_s)
    except (Invalid, NotFound) as error:
        return _page(name, str(error), status_of(error))
    return redirect(url_for(".label", name=name))


@bp.post("/<name>/label/undo")
@access("admin")
def undo_label(name: str) -> ResponseReturnValue:
    """Take back what was said of a stretch."""
    try:
        labelling.undo(name, current_user.id, request.form.get("label", 0, type=int))
    except NotFound as error:
        return _page(name, str(error), status_of(error))
    return redirect(url_for(".label", name=name))


@bp.post("/<name>/label/data-set")
@access("admin")
def make_labelled(name: str) -> ResponseReturnValue:
    """Make a data set of what is labelled."""
    try:
        job = labelling.make_dataset(name, request.form.get("new_name", "").strip(), current_user.id)
    except (Conflict, Invalid, InsufficientData) as error:
        return _page(name, str(error), status_of(error))
    return redirect(url_for(".adding", token=job.token))
