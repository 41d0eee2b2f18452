"""A model that is made to forget somebody from the page."""

from __future__ import annotations

from app.services.models import background, forgetting
from app.services.models.background import Job

STAGE = "Solving the head without this person, and once more from scratch to compare"
_jobs = background.OneAtATime(
    busy="A model is forgetting somebody at this moment. Try again when it is done.",
    failed="No version was made, because of an unexpected error. See the server's log for details.",
)
get = _jobs.get


def start(version_id: int, subject: str) -> Job:
    """Begin to make a version that has forgotten a person; return at once, or after a second if it is done by then.

    Raises
    ------
    Conflict : another is being made.
    Invalid : the model cannot forget this subject.
    """
    forgetting.check(version_id, subject)

    def work(job: Job) -> None:
        made, certificate = forgetting.forget(version_id, subject)
        job.made_id, job.message = made.id, f"{made.label} is {certificate['model']} without subject {subject}."

    return _jobs.start(Job(version_id, subject, STAGE), work, background.SOON_S)
