"""The settings of a training: their bounds are one set for page, command line and service."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import click
import pytest
from flask import Flask

from app.har.errors import InvalidSetting
from app.har.training.config import TrainConfig, help_on, limits, validated

BOUNDED = {
    "seed": (0, 2**31 - 1),
    "epochs": (1, 1000),
    "folds": (2, 20),
    "window_length_s": (0.5, 60),
    "overlap": (0, 0.9),
    "low_pass_hz": (0.1, 500),
    "gap_s": (0.1, 1.0),
}


def test_a_configuration_survives_json() -> None:
    config = TrainConfig(("svm", "cnn"), "random", 3, 5, low_pass_hz=8.0, separate_gravity=True, gap_s=0.9)
    assert validated(json.loads(json.dumps(asdict(config)))) == config
    assert validated({}) == TrainConfig()


@pytest.mark.parametrize(("name", "bounds"), BOUNDED.items(), ids=BOUNDED)
def test_the_bounds_themselves_are_allowed_and_nothing_beyond(name: str, bounds: tuple[float, float]) -> None:
    assert limits(name) == bounds
    for value in bounds:
        assert getattr(validated({name: value}), name) == value
    step = 1 if isinstance(bounds[0], int) and isinstance(bounds[1], int) else 1e-6
    for value in (bounds[0] - step, bounds[1] + step):
        with pytest.raises(InvalidSetting, match=f"{name}: must be between .*; found {value}") as caught:
            validated({name: value})
        assert caught.value.setting == name


@pytest.mark.parametrize(
    ("settings", "setting", "message"),
    [
        ({"models": []}, "models", "Choose models among elm-gru-am, .*; found none"),
        ({"models": ["svm", "svm2000"]}, "models", "found svm2000"),
        ({"models": "svm"}, "models", "valid tuple; found 'svm'"),
        ({"protocol": "weekly"}, "protocol", "'random', 'subject' or 'dataset'; found 'weekly'"),
        ({"epochs": "many"}, "epochs", "between 1 and 1000; found 'many'"),
        ({"window_length_s": float("nan")}, "window_length_s", "found nan"),
        ({"protocol": "random", "overlap": 0.5}, "overlap", "share samples"),
        ({"batch_size": 32}, "batch_size", "found 32"),
        ({"\ud800": 1}, "name of a setting", "valid string"),
    ],
)
def test_what_cannot_be_is_refused_by_its_setting(settings: dict[str, Any], setting: str, message: str) -> None:
    with pytest.raises(InvalidSetting, match=message) as caught:
        validated(settings)
    assert caught.value.setting == setting


def test_page_and_command_line_have_the_bounds_defaults_and_texts_of_the_settings(app: Flask) -> None:
    from app.cli.train import evaluate, train
    from app.web.training.forms import TrainForm

    options = {option.name: option for command in (train, evaluate) for option in command.params}
    with app.test_request_context():
        form = TrainForm()
    for name, (low, high) in BOUNDED.items():
        option = options[name]
        assert isinstance(option, click.Option)
        assert isinstance(option.type, click.IntRange | click.FloatRange)
        assert (option.type.min, option.type.max, option.help) == (low, high, help_on(name))
        if name == "folds":  # the page offers three of them
            continue
        assert (form[name].flags.min, form[name].flags.max) == (low, high)
        assert str(form[name].description).startswith(help_on(name))  # the page may say more
        assert form[name].data == option.default == getattr(TrainConfig, name)
