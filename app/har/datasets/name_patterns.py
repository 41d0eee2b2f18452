"""Patterns for the names of files, such as `{subject}_{label}_{trial}.csv`, instead of regular expressions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

MAX_PATTERN, MAX_PLACEHOLDERS = 200, 8
_PLACEHOLDER = re.compile(r"\{([a-z][a-z_]*)(\+?)\}")


class PatternFault(ValueError):
    """A pattern is malformed."""

    def __init__(self, expected: str, found: object) -> None:
        super().__init__(f"expected {expected}, found {found!r}")
        self.expected, self.found = expected, found


@dataclass(frozen=True)
class NamePattern:
    """A pattern for the end of a path: as many folders as it has slashes, and the file's name.

    `{word}` stands for one or more characters, but not for those that stand next to it in the pattern, nor for a slash;
    `{word+}` may hold them too, and there is at most one of it between two slashes: so a name is read in one way only.
    A pattern without a suffix is held against names without theirs.
    """

    text: str
    words: tuple[str, ...]
    expression: re.Pattern[str]

    def match(self, path: str) -> dict[str, str] | None:
        """Return the text of each word, None where the path is otherwise."""
        own = PurePosixPath(path)
        own = own if PurePosixPath(self.text).suffix else own.with_suffix("")
        parts = self.text.count("/") + 1
        found = self.expression.fullmatch("/".join(own.parts[-parts:])) if len(own.parts) >= parts else None
        return {word: text.strip() for word, text in found.groupdict().items()} if found else None


def name_pattern(text: str) -> NamePattern:
    """Compile a pattern.

    Raises
    ------
    PatternFault : malformed.
    """
    if len(text) > MAX_PATTERN:
        raise PatternFault(f"at most {MAX_PATTERN} characters", len(text))
    words = [word for word, _ in _PLACEHOLDER.findall(text)]
    if not words or len(words) > MAX_PLACEHOLDERS or len(set(words)) < len(words):
        raise PatternFault(
            f"1 to {MAX_PLACEHOLDERS} different words in braces, such as {{subject}}_{{label}}.csv", text
        )
    if re.search(r"[{}]", _PLACEHOLDER.sub("", text)) or text.startswith("/") or "//" in text:
        raise PatternFault("words of small letters in braces and plain text between them", text)
    if "}{" in text:
        raise PatternFault("some text between two words in braces", text)
    if any(segment.count("+}") > 1 for segment in text.split("/")):
        raise PatternFault("at most one {word+} between two slashes", text)
    pieces = _PLACEHOLDER.split(text)  # literal, word, plus, literal, word, plus, …, literal
    expression = re.escape(pieces[0])
    for before, word, plus, after in zip(pieces[::3], pieces[1::3], pieces[2::3], pieces[3::3], strict=False):
        barred = "/" if plus else "/" + before[-1:] + after[:1]
        expression += f"(?P<{word}>[^{re.escape(barred)}]+){re.escape(after)}"
    return NamePattern(text, tuple(words), re.compile(expression, re.IGNORECASE))
