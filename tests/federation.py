"""Sites of tests: a small model, its windows divided among sites, and homes that act for several of them."""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from app.har.classifiers import model_folder
from app.har.classifiers.elm_gru_am.persistence import load_model, save_model
from app.har.federation.site_sums import Contribution, SharedMap
from app.har.federation.windows import windows_for
from app.har.windows import WindowSet
from tests.trained import Example

NODES = 120  # of the small model, besides its 500 convolutions


def shared_map(folder: Path) -> SharedMap:
    return SharedMap.of(load_model(folder), model_folder.verify(folder))


def windows_of(example: Example, shared: SharedMap) -> WindowSet:
    return windows_for(shared.model, example.store.signals, {})


def small_model(example: Example, folder: Path, **data: str) -> Path:
    """Save the model of an example with a head of few nodes, solved with the example's windows.

    Its manifest says of its data what is given; by default they were of people elsewhere.
    """
    shared = shared_map(example.model)
    model = shared.model
    patterns = list(model.elm_.betas)
    model.config = replace(model.config, elm_nodes=NODES)
    model.elm_ = model.new_elm(model.elm_.seed)
    model.elm_.learn(shared.sums(windows_of(example, shared)))
    for pattern in patterns:
        model.elm_.solve(pattern)
    manifest = model_folder.verify(example.model)
    extra = {key: manifest[key] for key in ("split", "config", "metrics")}
    extra["data"] = {"dataset": "elsewhere", "fingerprint": "0" * 64, **data}
    save_model(model, folder, extra=extra)
    return folder


def divided(windows: WindowSet, n_sites: int) -> list[WindowSet]:
    return [windows.take(np.arange(len(windows)) % n_sites == number) for number in range(n_sites)]


def together(parts: Sequence[Contribution]) -> Contribution:
    return functools.reduce(operator.add, parts)


@contextmanager
def acting_as(name: str) -> Iterator[None]:
    """Let this home be another site for a while: with its key, and without knowing itself as another."""
    from app.services.federation import sites

    here = sites.folder() / "site_key"
    aside, theirs = here.with_name("here"), here.with_name(f"key of {name}")
    sites.own_key()
    here.rename(aside)
    try:
        if theirs.exists():
            theirs.rename(here)
        sites.own_key()
        yield
    finally:
        here.rename(theirs)
        aside.rename(here)
