"""The registry of all models: ELM-GRU-AM, and those it is compared with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.har.classifiers.base import Classifier
from app.har.classifiers.baselines import on_features, raw_networks
from app.har.classifiers.elm_gru_am.classifier import ActivityClassifier
from app.har.classifiers.elm_gru_am.config import ModelConfig

MODELS: dict[str, type[Classifier]] = {  # in the order of `catalogue`, which says what each is
    model.name: model
    for model in (
        ActivityClassifier,
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
    """Return a new, unfitted model; ``options`` are fields of `ModelConfig`, which only ELM-GRU-AM has.

    Raises
    ------
    ValueError : there is no model of that name, or an option is unknown.
    """
    if name not in MODELS:
        raise ValueError(f"There is no model {name!r}; known are {', '.join(MODELS)}.")
    if name != ActivityClassifier.name:
        return MODELS[name]()
    try:
        return ActivityClassifier(ModelConfig(**(options or {})))
    except TypeError as error:
        raise ValueError(f"ELM-GRU-AM has no such option: {error}") from error
