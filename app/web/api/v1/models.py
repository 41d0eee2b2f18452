"""Models and their cards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Response, send_file

from app.services.api.tokens import Scope
from app.services.errors import NotFound
from app.services.models import model_versions
from app.web.api.v1 import shapes
from app.web.api.v1.operations import operation

if TYPE_CHECKING:
    from app.tables import ModelVersion


@operation("GET", "/models", Scope.MODELS_READ, shapes.Models)
def list_models() -> shapes.Models:
    """List the models."""
    return shapes.Models([_shown(version) for version in model_versions.list_versions(with_metrics=True)])


@operation("GET", "/models/<int:model_id>", Scope.MODELS_READ, shapes.Model)
def get_model(model_id: int) -> shapes.Model:
    """Get a model."""
    return _shown(model_versions.get(model_id))


@operation("GET", "/models/<int:model_id>/card", Scope.MODELS_READ, media="text/markdown")
def get_card(model_id: int) -> Response:
    """Get the card of a model."""
    version = model_versions.get(model_id)
    if (path := model_versions.card(version)) is None:
        raise NotFound(f"{version.label} has no model card: it was trained before model cards existed.")
    return send_file(path, mimetype="text/markdown", conditional=False)


@operation("POST", "/models/<int:model_id>/promote", Scope.MODELS_ADMIN, shapes.Model)
def promote_model(model_id: int) -> shapes.Model:
    """Make a model the default one."""
    return _shown(model_versions.promote(model_id))


def _shown(version: ModelVersion) -> shapes.Model:
    return shapes.Model(
        id=version.id,
        label=version.label,
        name=version.name,
        version=version.version,
        default=version.promoted,
        created=version.created,
        training_run=version.training_run_id,
        answer_limit=model_versions.limit_of(version),
        accuracy=model_versions.accuracy_in_words(version),
        notes=version.notes,
    )
