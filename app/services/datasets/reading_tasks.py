"""What readers do with the files of a data set, in a process of their own. Plain values in and out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.har.progress import OnEvent
from app.har.recordings.files import Member, open_files
from app.har.recordings.reach import Reach
from app.services.recordings.table_preview import preview_tables

if TYPE_CHECKING:
    from app.har.datasets.description import Description

Arguments = Mapping[str, Any]
BOUTS = "bouts.npz"  # the map of a data set's bouts, in its folder
LOOKED_AT = 40  # files among which one is looked for that a mapping is tried on


def arguments(path: Path, name: str | None, reach: Reach, **extra: Any) -> dict[str, Any]:
    """Return as plain values where files are, what a person calls them, and which of them may be read."""
    within = None if reach.within is None else list(map(str, reach.within))
    allowed = {"within": within, "outside": list(map(str, reach.outside)), "quotes": reach.quotes}
    return {"path": str(path), "name": name, "reach": allowed, **extra}


def survey(arguments: Arguments, on_event: OnEvent) -> dict[str, Any]:
    """Look at some of the files; ``table`` is a `TablePreview` of those in no known layout, None if there are none."""
    from app.har.datasets.survey import survey as look

    with _opened(arguments) as members:
        found = look(members)
        table = preview_tables(found.unknown).as_dict() if found.unknown else None
    return {"survey": asdict(replace(found, unknown=())), "table": table}


def preview(arguments: Arguments, on_event: OnEvent) -> dict[str, Any]:
    """Return which label and subject each file would get by a description, and what its mapping makes of one file."""
    from app.har.datasets.described import LabelAssignment
    from app.har.recordings.conversions import open_tables
    from app.har.recordings.mappings import mapping
    from app.har.recordings.mappings.dry_run import dry_run

    description, facts = _description(arguments["description"], arguments["name"]), None
    assert description is not None  # noqa: S101  there is a document
    with _opened(arguments) as members:
        assignment = LabelAssignment(description, members)
        labels = [(member.name, asdict(assignment.for_file(member.name))) for member in assignment.candidates]
        if description.columns is not None:
            some = open_tables(assignment.candidates[:LOOKED_AT])
            unknown = mapping.unknown_tables(some)[0][:1]
            if description.columns.files:
                unknown, _ = mapping.fitting(some, description.columns, arguments["name"])
            facts = next(iter(dry_run(unknown, description.columns)), None)
    return {"labels": labels, "facts": facts and asdict(facts)}


def add(arguments: Arguments, on_event: OnEvent) -> dict[str, Any]:
    """Convert the files into a store in ``folder``; return its summary."""
    from app.har.datasets.described import DescribedDataset
    from app.har.datasets.store import build_store

    description, folder = _description(arguments["description"], "description"), Path(arguments["folder"])
    loader = DescribedDataset(description) if description else None
    path, reach = Path(arguments["path"]), _reach(arguments["reach"])
    summary = build_store(path, folder, on_event, name=arguments["name"], loader=loader, reach=reach)
    draw_distribution(folder, summary.activities)
    return summary.as_dict()


def map_bouts(arguments: Arguments, on_event: OnEvent) -> dict[str, Any]:
    """Make the map of the bouts of the store in ``folder``, and keep it there; return how many there are."""
    from app.har.datasets.store import open_store
    from app.har.labelling import make_map

    folder = Path(arguments["folder"])
    found = make_map(open_store(folder).signals, on_event)
    found.save(folder / BOUTS)
    return {"bouts": len(found.bouts)}


def draw_distribution(folder: Path, activities: Mapping[str, int]) -> None:
    """Draw how many windows there are of each activity, beside a store."""
    from app.har.training import plots

    plots.save(plots.class_distribution(activities).figure, folder / "distribution")


@contextmanager
def _opened(arguments: Arguments) -> Iterator[list[Member]]:
    with open_files(Path(arguments["path"]), arguments["name"], _reach(arguments["reach"])) as members:
        yield members


def _reach(allowed: Mapping[str, Any]) -> Reach:
    within = None if allowed["within"] is None else tuple(map(Path, allowed["within"]))
    return Reach(within, tuple(map(Path, allowed["outside"])), allowed["quotes"])


def _description(document: Any, source: str) -> Description | None:
    from app.har.datasets.description import Description

    return Description.from_document(document, source) if document else None
