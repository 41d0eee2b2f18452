"""A model that is exported from its page."""

from __future__ import annotations

from typing import Any

from app.services.models import background, exports, model_versions
from app.services.models.background import Job

_jobs = background.OneAtATime(
    busy="A model is being exported at this moment. Try again when it is done.",
    failed="Nothing was made, because of an unexpected error. See the server's log for details.",
)
get = _jobs.get


def start(version_id: int, format_: str, weights: str) -> Job:
    """Begin to export a version; return at once, or after a second if it is done by then.

    Raises
    ------
    Conflict : another export goes on.
    Invalid : another format, or the model can't be exported.
    """
    exports.check(format_, weights)
    version = model_versions.get(version_id)
    exports.check_exportable(version)
    what = f"{version.label} as {exports.TITLES[format_][0]}, {weights}"

    def work(job: Job) -> None:
        def on_event(event: dict[str, Any]) -> None:
            job.stage, job.fraction = event["stage"], event.get("fraction", job.fraction)

        exports.make(version_id, format_, weights, on_event)
        job.made_id, job.message = version_id, f"{what}: made, tried, and ready to take along."

    return _jobs.start(Job(version_id, what, "Starting"), work, background.SOON_S)
