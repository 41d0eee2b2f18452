"""Trained models: one row a directory under model_store/."""

from __future__ import annotations

from sqlalchemy import Double, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.extensions import Model
from app.tables._columns import Created, Id, JsonDict
from app.tables.training_run import TrainingRun


class ModelVersion(Model):
    __tablename__ = "model_version"
    __table_args__ = (
        UniqueConstraint("name", "version", name="uq_model_version_name_version"),
        # At most one model is the default.
        Index(
            "uq_model_version_promoted",
            "promoted",
            unique=True,
            sqlite_where=text("promoted"),
            postgresql_where=text("promoted"),
        ),
    )

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(String(64))  # the data set's name
    version: Mapped[int]
    training_run_id: Mapped[int | None] = mapped_column(ForeignKey("training_run.id", ondelete="SET NULL"))
    metrics: Mapped[JsonDict] = mapped_column(deferred=True)  # long, and few pages show it
    notes: Mapped[str] = mapped_column(Text, default="")
    answer_limit: Mapped[float | None] = mapped_column(Double)  # that an administrator set; see app.har.vocabulary
    prior: Mapped[JsonDict] = mapped_column(server_default="{}")  # shares of activities in use; empty: all alike
    promoted: Mapped[bool] = mapped_column(default=False)
    created: Mapped[Created]
    training_run: Mapped[TrainingRun | None] = relationship()

    @property
    def label(self) -> str:
        """Return what people call it: ``ku-har/3``; also its directory under model_store/."""
        return f"{self.name}/{self.version}"
