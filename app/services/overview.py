"""What an administrator sees first: how much there is of everything."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select

from app.extensions import db
from app.tables import Dataset, ModelVersion, TrainingRun, User
from app.tables.training_run import RunStatus


@dataclass(frozen=True)
class Overview:
    datasets: int
    runs: int
    running_id: int | None  # the training that runs now
    models: int
    has_default: bool  # whether one of the models is the default
    users: int
    disabled: int

    @property
    def next_step(self) -> str | None:
        """What has to be done before people can upload recordings; None once they can."""
        if self.has_default:  # it may have come with the program
            return None
        there = {"datasets": self.datasets, "training": self.runs}
        return next((step for step, done in there.items() if not done), "models")


def overview() -> Overview:
    """Count data sets, training runs, models and users in one query."""
    running = select(func.max(TrainingRun.id)).where(TrainingRun.status == RunStatus.RUNNING)
    row = db.session.execute(
        select(
            select(func.count(Dataset.id)).scalar_subquery(),
            select(func.count(TrainingRun.id)).scalar_subquery(),
            running.scalar_subquery(),
            select(func.count(ModelVersion.id)).scalar_subquery(),
            select(ModelVersion.id).where(ModelVersion.promoted).exists(),
            select(func.count(User.id)).scalar_subquery(),
            select(func.count(User.id)).where(User.disabled).scalar_subquery(),
        )
    ).one()
    return Overview(*row)
