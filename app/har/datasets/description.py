"""How a data set is made of a lab's own recordings: where each recording's label and subject are told."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from app.har.datasets.name_patterns import PatternFault, name_pattern
from app.har.documents import Section, dump_yaml, load_yaml
from app.har.recordings.mappings import mapping
from app.har.recordings.mappings.mapping import ColumnMapping

Told = Literal["column", "folder", "name", "table", "one"]
Clock = Literal["start", "file"]
MAX_LEVEL = 20


@dataclass(frozen=True)
class AnnotationSource:
    """Where the label, or the subject, of each recording is told."""

    kind: Told
    level: int = 1  # of "folder": 1 is the one that the file is in, 2 the one around that
    pattern: str = ""  # of "name"; see `names.NamePattern`
    table: str = ""  # of "table": the file's name; see `label_table`
    value: str = ""  # of "one"

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, as written to YAML."""
        own = {"folder": "level", "name": "pattern", "table": "table", "one": "value"}.get(self.kind)
        return {"from": self.kind} | ({own: getattr(self, own)} if own else {})


@dataclass(frozen=True)
class Description:
    """How to make a data set of recordings."""

    label: AnnotationSource
    subject: AnnotationSource
    columns: ColumnMapping | None = None  # of files in no known layout
    clock: Clock = "start"  # of the intervals of a table: seconds from the recording's start, or the file's own time

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, as written to YAML; `from_section` reads them."""
        document: dict[str, Any] = {"label": self.label.as_dict(), "subject": self.subject.as_dict()}
        if self.clock != "start":
            document["clock"] = self.clock
        return document | ({"columns": self.columns.as_dict()} if self.columns else {})

    def to_yaml(self) -> str:
        """Write it for a person to read and change."""
        return dump_yaml(self.as_dict())


def from_yaml(text: str, source: str) -> Description:
    """Read a description from YAML.

    Raises
    ------
    InvalidDescription : the message names the key, what was expected and what was found.
    """
    return from_section(load_yaml(text, source))


def from_section(document: Section) -> Description:
    """Read a description from the keys of a document; see `from_yaml`."""
    label, subject = (_origin(document, part) for part in ("label", "subject"))
    columns = document.section("columns", "a mapping of columns: the keys time and sensors")
    found = mapping.from_section(columns) if columns else None
    clock: Any = document.choice("clock", get_args(Clock)) or "start"
    document.end()
    for part, origin in (("label", label), ("subject", subject)):
        if origin.kind == "column" and found is not None and getattr(found, part) is None:
            raise document.fault(f"columns.{part}", f"the column that holds the {part}, because {part}.from is column")
    return Description(label, subject, found, clock)


def _origin(document: Section, part: str) -> AnnotationSource:
    ways = [told for told in get_args(Told) if told != "one" or part == "subject"]
    own = document.section(part, "the key from, and what belongs to it")
    if own is None:
        raise document.fault(part, "the key from, and what belongs to it")
    told: Any = own.choice("from", ways)
    if told is None:
        raise own.fault("from", f"one of {', '.join(ways)}")
    origin = AnnotationSource(told)
    if told == "folder":
        level = own.number("level", f"a whole number from 1 to {MAX_LEVEL}", 1, MAX_LEVEL)
        if level is not None and level % 1:
            raise own.fault("level", f"a whole number from 1 to {MAX_LEVEL}", level)
        origin = replace(origin, level=int(level or 1))
    elif told != "column":
        key = {"name": "pattern", "table": "table", "one": "value"}[told]
        expected = {"name": f"a pattern such as {{subject}}_{{label}}.csv, with {{{part}}} in it",
                    "table": "the name of a file of the data set", "one": "the subject's name"}[told]  # fmt: skip
        text = own.text(key, expected)
        if text is None:
            raise own.fault(key, expected)
        if told == "name":
            _check_pattern(own, part, text)
        origin = AnnotationSource(told, **{key: text})  # type: ignore[arg-type]
    own.end()
    return origin


def _check_pattern(own: Section, part: str, text: str) -> None:
    try:
        pattern = name_pattern(text)
    except PatternFault as fault:
        raise own.fault("pattern", *str(fault).split(", found ", 1)) from fault
    if part not in pattern.words:
        raise own.fault("pattern", f"a pattern with {{{part}}} in it", text)
