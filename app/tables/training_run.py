"""Training runs: what was asked, how it went, what came of it."""

from __future__ import annotations

from enum import Enum

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.extensions import Model
from app.tables._columns import NUMBERED_FOR_GOOD, Created, Id, JsonDict, Moment
from app.tables.dataset import Dataset


class RunStatus(str, Enum):
    RUNNING = "running"
    FINISHED = "finished"
    STOPPED = "stopped"  # by a person
    FAILED = "failed"  # the trainer raised or died; `reason` says why
    INTERRUPTED = "interrupted"  # the server went away in mid-run


class TrainingRun(Model):
    __tablename__ = "training_run"
    __table_args__ = NUMBERED_FOR_GOOD

    id: Mapped[Id]
    # A result outlives its data set: the name and fingerprint of what it was trained on stay in `config`.
    dataset_id: Mapped[int | None] = mapped_column(ForeignKey("dataset.id", ondelete="SET NULL"))
    started_by_id: Mapped[int | None] = mapped_column(ForeignKey("user.id", ondelete="SET NULL"))
    status: Mapped[RunStatus] = mapped_column(default=RunStatus.RUNNING)
    reason: Mapped[str] = mapped_column(Text, default="")
    name: Mapped[str] = mapped_column(String(80), default="", server_default="")  # that people gave it, if they did
    notes: Mapped[str] = mapped_column(Text, default="", server_default="")
    config: Mapped[JsonDict]
    result: Mapped[JsonDict]  # experiment result: models, split, data; empty until finished
    created: Mapped[Created]
    finished: Mapped[Moment | None]
    dataset: Mapped[Dataset | None] = relationship()

    @property
    def title(self) -> str:
        """Return what pages call it."""
        return f"Training run {self.id}" + (f": {self.name}" if self.name else "")

    @property
    def dataset_name(self) -> str:
        return str(self.config.get("dataset", ""))
