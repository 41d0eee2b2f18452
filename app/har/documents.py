"""Documents that people write in YAML: read strictly, with every fault named by its key."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticCustomError
from typing_extensions import Self

from app.har.errors import InvalidDescription

MAX_CHARACTERS = 100_000
NOTHING = "nothing"
_short = reprlib.Repr()
_short.maxstring = _short.maxother = 60
_short.maxlevel = 2  # YAML's aliases can nest lists without end


def refusal(expected: str, found: object = NOTHING, key: str = "") -> PydanticCustomError:
    """Return what a validator raises: what it expected and found, at a key below the one that it validates."""
    shown = found if found == NOTHING else _short.repr(found)
    return PydanticCustomError("refusal", "expected {expected}", {"expected": expected, "found": shown, "key": key})


class Document(BaseModel):
    """A part of a document, by its keys; a key without a value counts as left out.

    The description of a field says what is expected there.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        str_strip_whitespace=True,
        str_min_length=1,
        coerce_numbers_to_str=True,  # a text may be written as a number
        allow_inf_nan=False,
    )

    @model_validator(mode="wrap")
    @classmethod
    def _refused_in_words(cls, values: Any, check: ModelWrapValidatorHandler[Self]) -> Self:
        if isinstance(values, Mapping):
            known = cls._fields()
            values = {key: value for key, value in values.items() if value is not None or key not in known}
        try:
            return check(values)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            if first["type"] == "refusal":  # by a part, or a validator
                raise
            raise cls._in_words(first) from error

    @classmethod
    def _in_words(cls, error: ErrorDetails) -> PydanticCustomError:
        kind, location, found = error["type"], error["loc"], error["input"]
        if not location:
            return refusal("keys with values", found)
        fields, key = cls._fields(), str(location[0])
        if key not in fields:
            known = sorted(key for key, field in fields.items() if not field.exclude)
            return refusal(f"one of the keys {', '.join(known)}", key, key)
        if kind == "union_tag_invalid":
            tags, tag = error["ctx"]["expected_tags"].replace("'", ""), error["ctx"]["tag"]
            return refusal(f"one of {tags}", tag, f"{key}.from")
        return refusal(str(fields[key].description), NOTHING if kind == "missing" else found, key)

    @classmethod
    def _fields(cls) -> dict[str, FieldInfo]:
        return {field.alias or name: field for name, field in cls.model_fields.items()}

    @classmethod
    def from_yaml(cls, text: str, source: str) -> Self:
        """Read YAML; see `from_document`."""
        return cls.from_document(load_yaml(text, source), source)

    @classmethod
    def from_document(cls, document: object, source: str) -> Self:
        """Read plain values, as YAML or JSON holds them.

        Raises
        ------
        InvalidDescription : the message names the key, what was expected and what was found.
        """
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            path, context = _path(document, first["loc"]), first["ctx"]
            where = ".".join(filter(None, [*path, context["key"]])) or "document"
            message = f"{source}: {where}: expected {context['expected']}, found {context['found']}."
            raise InvalidDescription(message) from error

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, without what is left to its default; `from_document` reads them."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)

    def to_yaml(self) -> str:
        """Write it for a person to read and change."""
        import yaml

        document = self.as_dict()
        return str(yaml.safe_dump(document, sort_keys=False, allow_unicode=True, default_flow_style=None, width=100))


def load_yaml(text: str, source: str) -> Any:
    """Parse a YAML document.

    Raises
    ------
    InvalidDescription : too long, not YAML, or a key twice.
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
        return yaml.load(text, Loader)  # noqa: S506  a SafeLoader
    except (yaml.YAMLError, ValueError, RecursionError, TypeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InvalidDescription(f"{source}: expected a YAML document, found a fault in it ({reason}).") from error


def _path(document: object, location: tuple[int | str, ...]) -> list[str]:
    """Return the keys of a fault's location, which after a part of several kinds names the kind, too."""
    path = []
    for key in location:
        if isinstance(document, Mapping) and key in document and key != document.get("from"):
            path.append(str(key))
            document = document[key]
    return path
