"""The shared vocabulary: what data sets call `stairsup`, `WALKING_UPSTAIRS` and `Stair-up` is one activity of a tree.

The tree says how deep an answer can be: whoever can't tell walking from stairs can still say *on foot*.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from app.har.types import FloatArray, IntArray

STILL, ON_FOOT, STAIRS = "Still", "On foot", "Stairs"
SITTING, STANDING, LYING = "Sitting", "Standing", "Lying"
SITTING_OR_LYING = "Sitting or lying"  # all that a phone in a trouser pocket can tell
WALKING, STAIRS_UP, STAIRS_DOWN = "Walking", "Stairs up", "Stairs down"
RUNNING, CYCLING, OTHER, NOT_WORN = "Running", "Cycling", "Other movement", "Not worn"
ANYTHING = "Uncertain"  # the root: an answer that says nothing
UNFAMILIAR = "Unfamiliar"  # no node: the movement is unlike anything that the model knows, so that no answer holds
TOO_LITTLE = "Too little"  # no node: recorded, but for less than a window between two gaps
MISSING = "missing"  # no node: not recorded
NO_ANSWER = (ANYTHING, UNFAMILIAR, TOO_LITTLE)
# As programs and people write that there is no label, see `normalised`; "" is what holds no letter or digit: "?", "-"
NO_ACTIVITY = frozenset(
    (*(name.casefold() for name in (*NO_ANSWER, MISSING)), "", "nan", "null", "none", "na", "n a", "nil", "unknown",
     "undefined", "unlabelled", "unlabeled", "not labelled", "not labeled", "no label", "no activity")
)  # fmt: skip

DEFAULT_LIMIT = 0.8  # how probable a node must be to be an answer, where neither administrator nor model says it
LIMITS = (0.5, 0.99)  # below one half, two nodes of which at most one is true could both be answers

PARENT: Mapping[str, str] = {
    STILL: ANYTHING, STANDING: STILL, SITTING_OR_LYING: STILL, SITTING: SITTING_OR_LYING, LYING: SITTING_OR_LYING,
    ON_FOOT: ANYTHING, WALKING: ON_FOOT, STAIRS: ON_FOOT, STAIRS_UP: STAIRS, STAIRS_DOWN: STAIRS,
    RUNNING: ANYTHING, CYCLING: ANYTHING, OTHER: ANYTHING, NOT_WORN: ANYTHING,
}  # fmt: skip

# Whole names as data sets and people write them, in lower case with single spaces; see `normalised`
_NAMES: Mapping[str, Sequence[str]] = {
    STILL: ("still", "stationary", "inactive", "rest", "resting", "idle", "static"),
    SITTING: ("sitting", "sit", "seated", "talk sit", "sitting still", "sitting relaxed"),
    STANDING: ("standing", "stand", "std", "talk stand", "standing still"),
    LYING: ("lying", "lay", "laying", "lie", "lying down", "laying down", "sleeping"),
    SITTING_OR_LYING: ("sitting or lying",),
    ON_FOOT: ("on foot",),
    WALKING: ("walking", "walk", "wlk", "walking around", "walk backward", "walk circle"),
    STAIRS: ("stairs", "stair", "climbing stairs", "stair climbing", "walking stairs", "using stairs"),
    STAIRS_UP: (
        "stairs up", "stair up", "stairsup", "ups", "upstairs", "up stairs", "walking upstairs", "walk upstairs",
        "climbing upstairs", "going upstairs", "ascending stairs", "stairs ascending", "stair ascent", "climb up",
    ),
    STAIRS_DOWN: (
        "stairs down", "stair down", "stairsdown", "dws", "downstairs", "down stairs", "walking downstairs",
        "walk downstairs", "going downstairs", "descending stairs", "stairs descending", "stair descent", "climb down",
    ),
    RUNNING: ("running", "run", "jogging", "jog"),
    CYCLING: ("cycling", "bike", "biking", "bicycle", "bicycling"),
    OTHER: ("other", "other movement", "other activity"),
    NOT_WORN: ("not worn", "off body", "offbody", "on table", "on a table", "device on table", "table"),
}  # fmt: skip
_POSTURE = r"(?:sit(?:ting)?|stand(?:ing)?|lie|lay|lying|laying)"
_TRANSITION = re.compile(
    rf"{_POSTURE} (?:to )?{_POSTURE}|(?:stand|get)(?:ing|ting)? up|sit(?:ting)? down|turn(?:ing)?(?: around)?"
)
_END_OF = {"sit": SITTING, "sta": STANDING, "lie": LYING, "lay": LYING, "lyi": LYING}
_NODE_OF = {name: node for node, names in _NAMES.items() for name in names}
# As people write labels, besides: read where labels are compared, and never to name the activities of a model
_LABELS: Mapping[str, Sequence[str]] = {
    STILL: ("stillness", "not moving", "no movement", "sedentary"),
    SITTING: ("sitting on a chair", "sit on chair", "sitzen", "sitting at desk"),
    STANDING: ("stehen", "standing upright"),
    LYING: ("lie down", "lying on bed", "lying in bed", "in bed", "sleep", "asleep", "liegen"),
    WALKING: ("gait", "stroll", "strolling", "gehen", "treadmill walking", "walking on treadmill", "nordic walking"),
    STAIRS: ("stairs climbing", "stair walking", "treppe"),
    STAIRS_UP: (
        "going up stairs", "going up", "walk up stairs", "walking up stairs", "climb stairs up",
        "climbing up stairs", "climbing up", "ascend stairs", "ascending", "ascend", "stairs ascent", "treppe hoch",
        "treppe rauf", "upstairs walking",
    ),
    STAIRS_DOWN: (
        "going down stairs", "going down", "walk down stairs", "walking down stairs",
        "climbing down stairs", "climbing down", "descend stairs", "descending", "descend", "stairs descent",
        "treppe runter", "downstairs walking",
    ),
    RUNNING: ("sprint", "sprinting", "rennen", "joggen", "running on treadmill", "treadmill running"),
    CYCLING: ("cycle", "bike riding", "riding a bike", "radfahren", "cycling outdoor"),
    NOT_WORN: ("nonwear", "non wear", "not wearing", "unworn", "not being worn"),
}  # fmt: skip
_LABEL_OF = {name: node for node, names in _LABELS.items() for name in names}
_MANNER = frozenset(  # words that change how, and not what
    ("normal", "normally", "slow", "slowly", "fast", "quick", "quickly", "brisk", "briskly", "calm", "usual", "flat",
     "level", "ground", "indoor", "indoors", "outdoor", "outdoors", "inside", "outside", "straight", "the", "a",
     "speed")
)  # fmt: skip


def normalised(name: str) -> str:
    """Return a name in lower case, its words apart by single spaces: ``WALKING_UPSTAIRS`` → ``walking upstairs``."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return " ".join(re.findall(r"[^\W_]+", apart.casefold()))


def means_none(name: str) -> bool:
    """Tell whether a label says that there is none: ``NaN``, ``null``, ``unlabelled``, *Uncertain*."""
    return normalised(name) in NO_ACTIVITY or name.casefold() in NO_ACTIVITY


def shared_node(name: str) -> str | None:
    """Return the node that an activity is by its name, None where the shared vocabulary does not know it."""
    return _NODE_OF.get(normalised(name))


def label_node(name: str) -> str | None:
    """Return the node that a label means, in other words too ("walking slowly 2"); None where nobody can tell."""
    words = normalised(name)
    plain = " ".join(word for word in re.sub(r"\d+", " ", words).split() if word not in _MANNER)
    found = (_NODE_OF.get(text) or _LABEL_OF.get(text) for text in (words, plain))
    return next(filter(None, found), None)


def node_of(name: str) -> str:
    """Return the node of the tree that an activity is, by its name; one that is not in the tree is other movement."""
    return shared_node(name) or OTHER


def shared_name(name: str) -> str:
    """Return what an activity is called among several data sets: its node, or its own name where the tree lacks it.

    A transition between postures is "": it is no activity of the vocabulary, and lasts for less than a window.
    """
    return shared_node(name) or ("" if _TRANSITION.fullmatch(normalised(name)) else name)


def transition_ends(name: str) -> tuple[str, str] | None:
    """Return from which posture to which a transition leads by its name, None of what is no transition.

    ``STAND_TO_SIT`` → standing, sitting. Who walks, or turns, counts as standing here: upright.
    """
    words = normalised(name)
    if shared_node(name) or not _TRANSITION.fullmatch(words):
        return None
    first, last = words.split()[0], words.split()[-1]
    if first.startswith("turn"):
        return STANDING, STANDING
    if last == "up":
        return SITTING_OR_LYING, STANDING
    return (STANDING, SITTING) if last == "down" else (_END_OF[first[:3]], _END_OF[last[:3]])


def rises(name: str) -> int:
    """Return 1 of a transition that leads to a more upright posture, -1 of one that leads down, 0 of any other name."""
    height = {LYING: 0.0, SITTING_OR_LYING: 0.5, SITTING: 1.0, STANDING: 2.0}
    before, after = (height[end] for end in transition_ends(name) or (STANDING, STANDING))
    return (after > before) - (after < before)


def stands_up(name: str) -> bool:
    """Tell whether a transition leads from sitting to standing; standing up from wherever counts."""
    return transition_ends(name) in ((SITTING, STANDING), (SITTING_OR_LYING, STANDING))


def shared_names(activities: Iterable[str], chosen: Mapping[str, str]) -> dict[str, str]:
    """Return the shared name of each activity of a data set: the one that a person chose, or by its own name."""
    return {name: chosen.get(name, shared_name(name)) for name in activities}


def inner_nodes(names: Iterable[str]) -> set[str]:
    """Return those of some shared names that others of them lie below: *Stairs*, where there is *Stairs up*."""
    present = set(names)
    return {above for name in present for above in path_of(node_of(name)) if above in present and above != name}


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Return shared names in the order of the tree, those that it lacks at the end."""
    place = {node: number for number, node in enumerate(PARENT)}
    return tuple(sorted(set(names), key=lambda name: (place.get(name, len(place)), name)))


def path_of(node: str) -> tuple[str, ...]:
    """Return a node and all above it, the root last."""
    path = [node]
    while path[-1] != ANYTHING:
        path.append(PARENT[path[-1]])
    return tuple(path)


def agree(answer: str, label: str) -> bool:
    """Say whether an answer is true of what happened, both nodes: one is the other, or lies above it.

    A label that is less deep than the answer, *stairs* for *stairs up*, cannot contradict it.
    """
    return answer in path_of(label) or label in path_of(answer)


@dataclass(frozen=True)
class AnswerTree:
    """The nodes over the activities of one model: each activity a leaf, and each node that several of them are below.

    An activity that is not in the shared vocabulary is below *other movement*. A node that all activities are below
    says no more than the root, and is left out.
    """

    activities: tuple[str, ...]

    @cached_property
    def nodes(self) -> tuple[str, ...]:
        """The activities in their order, then the nodes above several of them, the deepest first, the root last."""
        return self.activities + tuple(self._members)

    @cached_property
    def _members(self) -> dict[str, tuple[int, ...]]:
        """Return the positions of the activities below each inner node."""
        paths = [path_of(node_of(name)) for name in self.activities]
        inner = sorted({node for path in paths for node in path}, key=lambda node: (-len(path_of(node)), node))
        members = {node: tuple(i for i, path in enumerate(paths) if node in path) for node in inner}
        return {
            node: below
            for node, below in members.items()
            if node == ANYTHING or (1 < len(below) < len(self.activities) and node not in self.activities)
        }

    def members(self, node: str) -> tuple[str, ...]:
        """Return the activities that an answer of this node leaves open; an activity leaves open itself alone."""
        return (node,) if node in self.activities else tuple(self.activities[i] for i in self._members[node])

    @cached_property
    def branches(self) -> tuple[tuple[tuple[int, ...], tuple[tuple[int, ...], ...]], ...]:
        """The activities below each node that has several, by position, and below each of its branches; the root first.

        A branch is a node with no other between.
        """
        everything = tuple(range(len(self.activities)))
        below = {everything, *self._members.values(), *((i,) for i in everything)}
        found = []
        for members in sorted(below, key=len, reverse=True):
            smaller = [other for other in below if set(other) < set(members)]
            children = [other for other in smaller if not any(set(other) < set(between) for between in smaller)]
            if children:
                found.append((members, tuple(sorted(children))))
        return tuple(found)

    def open_between(self, node: str) -> tuple[str, ...]:
        """Return what an answer of an inner node leaves open, one step down the tree: of *on foot*, walking and stairs.

        *Sitting or lying* is no step: its name says what it leaves open itself.

        Of an activity and of the root it is nothing: the one leaves nothing open, the other everything.
        """
        if node in self.activities or node == ANYTHING:
            return ()
        branches: dict[str, list[str]] = {}
        for name in self.members(node):
            path = path_of(node_of(name))
            place = path.index(node)
            if place > 1 and path[place - 1] == SITTING_OR_LYING:
                place -= 1
            branches.setdefault(path[place - 1] if place else name, []).append(name)
        return tuple(
            (shared_node(below[0]) if below != [branch] else None) or below[0] if len(below) == 1 else branch
            for branch, below in branches.items()
        )

    def probabilities(self, proba: FloatArray) -> FloatArray:
        """Return the probability of each node, (n, n_nodes), from that of each activity, (n, n_activities)."""
        # Not a product of matrices: over so few columns, BLAS's threads take ten times as long
        inner = [sum(proba[:, i] for i in below) for below in self._members.values()]
        return np.column_stack((proba, *inner)).astype(np.float32, copy=False)

    def answers(self, proba: FloatArray, limit: float) -> IntArray:
        """Return the position among the nodes of each window's answer: the deepest that is as probable as the limit.

        Of nodes equally deep, the likelier. Where none reaches the limit, the answer is the root.
        """
        return self.deepest(self.probabilities(proba), limit)

    def deepest(self, of_nodes: FloatArray, limit: float) -> IntArray:
        """Return the same as `answers` from the probability of each node, (n, n_nodes)."""
        sure: NDArray[np.bool_] = of_nodes >= limit
        sure[:, -1] = True
        return np.asarray(np.where(sure, self.depth + 0.5 * of_nodes, -1.0).argmax(axis=1), np.int64)

    @cached_property
    def depth(self) -> FloatArray:
        """Return how deep each node is: its distance from the root, and one more for an activity below its node."""
        of_activities = [len(path_of(node_of(name))) for name in self.activities]
        return np.array(of_activities + [len(path_of(node)) - 1 for node in self._members], np.float32)

    @cached_property
    def _spelling(self) -> dict[str, str]:
        return {normalised(name): name for name in self.activities}

    def agrees(self, node: str, label: str) -> bool:
        """Say whether an answer, one of the nodes, is true where a file names an activity; see `agree`.

        Of what is neither an activity of the model nor a label that the vocabulary understands, nothing is true: it is
        compared with nothing, rather than taken for other movement.
        """
        own = self._spelling.get(normalised(label))
        if own is not None:
            return own in self.members(node)
        shared, meant = node_of(node) if node in self.activities else node, label_node(label)
        if meant is None or (shared == OTHER and normalised(node) not in _NODE_OF):
            return False  # jumping is not what another file calls push-ups
        return agree(shared, meant)
