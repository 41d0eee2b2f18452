"""What the activities of a data set are called where several data sets are one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.har.vocabulary import PARENT, shared_name, shared_names, shared_node
from app.services import activity_names, audit
from app.services.audit import Action
from app.services.datasets import library
from app.services.errors import Invalid
from app.services.transaction import transaction
from app.tables import Dataset


@dataclass(frozen=True)
class SharedName:
    """The name of one activity, in its data set and among several."""

    own: str
    windows: int
    shared: str  # "" where the activity is left out
    usual: str  # what it is unless somebody chooses another
    choices: tuple[str, ...]  # besides being left out


def names_of(dataset: Dataset) -> dict[str, str]:
    """Return the shared name of each activity of a data set, "" for one that is left out."""
    return shared_names(dataset.summary["activities"], dataset.vocabulary)


def table_of(dataset: Dataset) -> list[SharedName]:
    """Return the activities of a data set with their shared names, and what they could be."""
    return [
        SharedName(
            own,
            dataset.summary["activities"][own],
            shared,
            shared_name(own),
            (*PARENT, *(name for name in dict.fromkeys((own, shared)) if name and name not in PARENT)),
        )
        for own, shared in names_of(dataset).items()
    ]


def choose(name: str, chosen: Mapping[str, str]) -> Dataset:
    """Say what some activities of a data set are called among several data sets; the others stay as they are.

    Parameters
    ----------
    chosen : by an activity's own name: a name of the vocabulary, any other for a special activity, "" to leave it out.

    Raises
    ------
    NotFound, Invalid : no such data set, no such activity, or a name that none can have.
    """
    dataset = library.get(name)
    known = dataset.summary["activities"]
    vocabulary = dict(dataset.vocabulary)
    for own, wanted in chosen.items():
        if own not in known:
            raise Invalid(
                f"{name} has no activity “{own[: activity_names.LONGEST]}”; it has {', '.join(known)}.", field="names"
            )
        vocabulary[own] = _checked(own, wanted)
    with transaction():
        dataset.vocabulary = {own: shared for own, shared in vocabulary.items() if shared != shared_name(own)}
    audit.record(Action.DATASET_CHANGED, name, change="names of activities")
    return dataset


def _checked(own: str, wanted: str) -> str:
    """Return the shared name that was chosen; the name that a data set itself has, such as a number, is one."""
    if not wanted.strip():
        return ""
    name = own if wanted == own else activity_names.checked(wanted, "names")
    return shared_node(name) or name
