"""Descriptions that people write in YAML: read strictly, and every fault told by its key."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.har.errors import InvalidDescription

MAX_CHARACTERS = 100_000
_short = reprlib.Repr()
_short.maxstring = _short.maxother = 60


def load_yaml(text: str, source: str) -> Section:
    """Parse a YAML document that is a mapping of keys to values.

    Raises
    ------
    InvalidDescription : not YAML, a key twice, or something else than keys with values.
    """
    import yaml

    class Loader(yaml.SafeLoader):
        """Refuses a key that is there twice, of which YAML silently takes the last."""

    def mapping(loader: Loader, node: Any) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                line = key.start_mark.line + 1
                raise InvalidDescription(f"{source}, line {line}: expected each key once, found {key.value!r} twice.")
            if key.tag != "tag:yaml.org,2002:merge":
                seen.add(str(key.value))
        return dict(loader.construct_mapping(node, deep=True))

    Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)
    if len(text) > MAX_CHARACTERS:
        raise InvalidDescription(f"{source}: expected at most {MAX_CHARACTERS:,} characters, found {len(text):,}.")
    try:
        document = yaml.load(text, Loader)  # noqa: S506  a SafeLoader
    except (yaml.YAMLError, ValueError, RecursionError, TypeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InvalidDescription(f"{source}: expected a YAML document, found a fault in it ({reason}).") from error
    return Section(source, document)


def dump_yaml(document: Mapping[str, Any]) -> str:
    """Write plain values as YAML, keys in the order given."""
    import yaml

    return str(yaml.safe_dump(document, sort_keys=False, allow_unicode=True, default_flow_style=None, width=100))


@dataclass
class Section:
    """Keys and values of one part of a document; each is taken by name, and what nobody takes is a fault."""

    source: str
    values: Any
    path: str = ""
    taken: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        if not isinstance(self.values, Mapping) or not all(isinstance(key, str) for key in self.values):
            found = _short.repr(self.values)
            raise InvalidDescription(
                f"{self.source}: {self.path or 'document'}: expected keys with values, found {found}."
            )

    def fault(self, key: str, expected: str, found: object = "nothing") -> InvalidDescription:
        """Return an error that names a key, what was expected there and what was found."""
        where = f"{self.path}.{key}" if self.path else key
        shown = found if found == "nothing" else _short.repr(found)
        return InvalidDescription(f"{self.source}: {where}: expected {expected}, found {shown}.")

    def _take(self, key: str) -> Any:
        self.taken.add(key)
        return self.values.get(key)

    def text(self, key: str, expected: str = "text") -> str | None:
        """Return a text, None where the key is absent or empty; a number is taken as it is written."""
        value = self._take(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (str, int, float)) or not str(value).strip():
            raise self.fault(key, expected, value)
        return str(value).strip()

    def choice(self, key: str, choices: Collection[str], spellings: Mapping[str, str] | None = None) -> str | None:
        """Return one of some words, None where the key is absent."""
        expected = f"one of {', '.join(choices)}"
        value = self.text(key, expected)
        value = value if value is None else (spellings or {}).get(value, value)
        if value is not None and value not in choices:
            raise self.fault(key, expected, value)
        return value

    def number(self, key: str, expected: str, low: float = -math.inf, high: float = math.inf) -> float | None:
        """Return a finite number within bounds, None where the key is absent."""
        value = self._take(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
            raise self.fault(key, expected, value)
        if not math.isfinite(value):
            raise self.fault(key, expected, value)
        return float(value)

    def items(self, key: str, expected: str) -> list[Any] | None:
        """Return a list, None where the key is absent."""
        value = self._take(key)
        if value is not None and not isinstance(value, list):
            raise self.fault(key, expected, value)
        return value

    def section(self, key: str, expected: str) -> Section | None:
        """Return the keys below a key, None where it is absent."""
        value = self._take(key)
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise self.fault(key, expected, value)
        return Section(self.source, value, f"{self.path}.{key}" if self.path else key)

    def end(self) -> None:
        """Refuse keys that nobody took."""
        unknown = [key for key in self.values if key not in self.taken]
        if unknown:
            raise self.fault(unknown[0], f"one of the keys {', '.join(sorted(self.taken))}", unknown[0])
