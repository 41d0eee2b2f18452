"""Differences between models, in words."""

from __future__ import annotations

import pytest

from app.web.training.verdicts import compared


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.01, 0.05, "ELM-GRU-AM is better"),
        (-0.05, -0.01, "cnn is better"),
        (-0.01, 0.05, "no significant difference"),
        (0.0, 0.05, "no significant difference"),
    ],
)
def test_only_a_difference_whose_interval_leaves_out_zero_counts(low: float, high: float, verdict: str) -> None:
    pair = {"model": "elm-gru-am", "against": "cnn", "f1": {"value": 0.02, "low": low, "high": high}}
    (shown,) = compared([pair], {"elm-gru-am": "ELM-GRU-AM"})
    assert shown["title"] == "ELM-GRU-AM − cnn"
    assert shown["verdict"] == verdict
    assert shown["f1"] == pair["f1"]
