"""Explanations of a model that are tested from its page."""

from __future__ import annotations

from app.services.errors import Invalid
from app.services.models import background, explained, model_versions
from app.services.models.background import Job

STAGE = "Taking parts of windows away, and looking whether the answers change"
_jobs = background.OneAtATime(
    busy="Explanations of a model are being tested at this moment. Try again when it is done.",
    failed="Nothing was kept, because of an unexpected error. See the server's log for details.",
)
get = _jobs.get


def start(version_id: int) -> Job:
    """Begin to test explanations of a version; return at once, or after a second if it is done by then.

    Raises
    ------
    Conflict : those of another are being tested.
    Invalid : there is nobody to test them on.
    """
    version = model_versions.get(version_id)
    if why := explained.why_not_testable(version):
        raise Invalid(why)

    def work(job: Job) -> None:
        found = explained.measure(version_id)
        job.made_id, job.message = (
            version_id,
            found.why_not or f"Explanations were tested and are shown. {found.tested}",
        )

    return _jobs.start(Job(version_id, version.label, STAGE), work, background.SOON_S)
