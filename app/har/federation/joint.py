"""The model that several sites have learnt together."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any

from app.har.classifiers.elm_gru_am.classifier import ActivityClassifier
from app.har.federation.site_sums import SharedMap
from app.har.sums import Sums

UNTESTED = "It was not tested when it was made. Test it on people of yours before you rely on it."


def joint_model(shared: SharedMap, total: Sums, ridge: float | None = None) -> ActivityClassifier:
    """Return the shared model with the head that solves these sums, for every pattern of sensors that it knows.

    Scaling, network and how both answers are combined are those of the shared model, which stays as it is.

    Parameters
    ----------
    total : of all sites together.
    ridge : default None, that of the shared model.

    Raises
    ------
    UnsolvableSums : they have no solution.
    """
    joint = copy(shared.model)
    joint.elm_ = joint.new_elm(shared.model.elm_.seed)
    if ridge is not None:
        joint.elm_.ridge = ridge
    joint.elm_.learn(total)
    for present in shared.model.elm_.betas:
        joint.elm_.solve(present)
    return joint


def joint_card(
    title: str, model: ActivityClassifier, facts: dict[str, Any], tested: Sequence[str] = (UNTESTED,)
) -> str:
    """Write the card of a joint model.

    Parameters
    ----------
    facts : as the manifest keeps them under ``federation``.
    tested : how well it does, as paragraphs; default that nobody knows.
    """
    rows = [
        f"| {activity.replace('|', '/')} | {windows:,} | {people:,} |"
        for activity, windows, people in zip(model.activities, facts["windows"], facts["people"], strict=True)
    ]
    unseen = [name for name, n in zip(model.activities, facts["windows"], strict=True) if not n]
    sections = [
        f"# {title}",
        "Recognises the activity in each window of a recording of worn motion sensors (ELM-GRU-AM), with a head that "
        f"{len(facts['sites'])} sites have learnt together without showing their recordings to each other.",
        "## Meant for",
        f"Research on the activities named below, recorded with {', '.join(model.channels)}, sensors worn as at the "
        "sites. Not a medical device: no diagnosis, no alarm and no decision about a person may rest on it alone.",
        "## Learnt from",
        "\n".join(f"- {line}" for line in _sources(facts)),
        "\n".join(["| Activity | Windows | People |", "| --- | ---: | ---: |", *rows]),
        "## What comes from the base model",
        f"Only the head was solved anew. The scaling of features, the network beside the head and how confident an "
        f"answer may be are those of {facts['base']}, and so is what counts as unfamiliar; see its card.",
        "## How well it does",
        *tested,
        "## Limits",
        "\n".join(f"- {line}" for line in _limits(facts, unseen)),
    ]
    return "\n\n".join(sections) + "\n"


def network_card(title: str, model: ActivityClassifier, facts: dict[str, Any]) -> str:
    """Write the card of a model whose network several sites have trained.

    Parameters
    ----------
    facts : as the manifest keeps them under ``federation``.
    """
    sites = facts["network"]["sites"]
    rows = [
        f"| {name} | {one['windows']:,} | {one['people']:,} | {one['rounds']} of {facts['network']['rounds']} |"
        for name, one in sites.items()
    ]
    sections = [
        f"# {title}",
        "Recognises the activity in each window of a recording of worn motion sensors (ELM-GRU-AM). The sites below "
        "trained its network together, by federated averaging, without showing recordings to each other.",
        "## Meant for",
        f"Research on the activities {', '.join(model.activities)}, recorded with {', '.join(model.channels)}, sensors "
        "worn as at the sites. Not a medical device: no diagnosis, no alarm and no decision about a person may rest on "
        "it alone.",
        "## What the network learnt from",
        "\n".join(["| Site | Windows | People | Rounds |", "| --- | ---: | ---: | ---: |", *rows]),
        "## What comes from the base model",
        f"Only the network was trained, from weights that had learnt nothing. The head, the scaling of features, how "
        f"both are combined and how confident an answer may be are those of {facts['base']}; see its card. Sites can "
        "solve a joint head for this model: flask federation export-stats and merge.",
        "## How well it does",
        UNTESTED,
    ]
    return "\n\n".join(sections) + "\n"


def _sources(facts: dict[str, Any]) -> list[str]:
    people = f"{sum(facts['windows']):,} windows of {facts['n_people']:,} people"
    together = f"Masked: only the sums of all are known here, {people}"
    lines = [f"Site {site['name']}" + (f", {site['made']}" if site.get("made") else "") for site in facts["sites"]]
    lines.append(together if facts["masked"] else f"Together {people}; who is at two sites counts twice")
    if facts["missing"]:
        lines.append(f"Dropped out before the end, and not in it: {', '.join(facts['missing'])}")
    for noise in facts["noise"]:
        lines.append(
            f"Noise of {noise['site']}: differential privacy for each person with ε = {noise['epsilon']:g}, "
            f"δ = {noise['delta']:g}"
        )
    return lines


def _limits(facts: dict[str, Any], unseen: list[str]) -> list[str]:
    lines = ["It is as good as the labels of every site: one that names activities otherwise harms all."]
    if unseen:
        lines.append(f"No site had {', '.join(unseen)}: of these the head knows nothing, only the network.")
    return lines
