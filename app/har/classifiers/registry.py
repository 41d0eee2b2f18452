"""The registry of all models: ELM-GRU-AM and the everyday model, and those they are compared with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.har.classifiers.base import Classifier
from app.har.classifiers.baselines import on_features, raw_networks
from app.har.classifiers.elm_gru_am.classifier import ActivityClassifier
from app.har.classifiers.elm_gru_am.config import ModelConfig
from app.har.classifiers.everyday.classifier import EverydayClassifier

MODELS: dict[str, type[Classifier]] = {  # in the order of `catalogue`, which says what each is
    model.name: model
    for model in (
        ActivityClassifier,
        EverydayClassifier,
        on_features.RandomForest,
        on_features.SVM,
        on_features.NearestNeighbours,
        on_features.DecisionTree,
        on_features.NaiveBayes,
        on_features.PlainELM,
        raw_networks.LSTM,
        raw_networks.CNN,
        raw_networks.BiLSTM,
        raw_networks.DeepConvLSTM,
        raw_networks.Transformer,
        raw_networks.PublicRecipe,
    )
}


def make_classifier(name: str, options: Mapping[str, Any] | None = None) -> Classifier:
    """Return a new, unfitted model.

    ``options`` are fields of `ModelConfig` for ELM-GRU-AM, ``place_of`` for the everyday model; others have none.

    Raises
    ------
    ValueError : there is no model of that name, or an option is unknown.
    """
    if name not in MODELS:
        raise ValueError(f"There is no model {name!r}; known are {', '.join(MODELS)}.")
    try:
        if name == ActivityClassifier.name:
            return ActivityClassifier(ModelConfig(**(options or {})))
        return EverydayClassifier(**(options or {})) if name == EverydayClassifier.name else MODELS[name]()
    except TypeError as error:
        raise ValueError(f"{name} has no such option: {error}") from error
