"""What was answered of a cohort: one SQLite file beside the tables, in which each recording's answer is there or not.

The process that hands out the recordings writes, one transaction an answer: whenever it is killed, what is being
recognised at that moment is all that has to be done again. Nothing else writes; pages and reports read meanwhile.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from app.services.cohorts.folder import Item
from app.services.cohorts.recogniser import MINUTES
from app.services.files import written_whole
from app.services.formatting import ABSENT
from app.services.recordings.answers_in_words import main_answers

LAYOUT = 1
SEVERAL = ("bouts", "days")  # tables of which a recording has several rows
WAIT_S = 30.0  # for a page that reads
TABLES = """
CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE item (name TEXT PRIMARY KEY, stamp TEXT NOT NULL, person TEXT NOT NULL, size INTEGER NOT NULL);
CREATE TABLE answer (
    name TEXT PRIMARY KEY, stamp TEXT NOT NULL, kind TEXT NOT NULL, line TEXT NOT NULL, tables BLOB, cost TEXT NOT NULL
);
"""
# Of what the folder holds now: an answer to what has changed since is none
OF_NOW = "FROM item JOIN answer USING (name, stamp)"


@dataclass(frozen=True)
class Counts:
    """How far a cohort is."""

    files: int
    answered: int
    failed: int
    size: int  # bytes of all
    done_size: int  # of those that are answered or failed

    @property
    def done(self) -> int:
        return self.answered + self.failed


@dataclass(frozen=True)
class Line:
    """One recording and what is known of it."""

    name: str
    person: str
    size: int
    kind: str  # "" of one that was recognised, else the kind of failure
    line: Mapping[str, Any]  # the columns, or ``reason``
    cost: Mapping[str, float]

    @property
    def minutes(self) -> dict[str, float]:
        """Return the minutes of each answer, the longest first."""
        found = {name.removeprefix(MINUTES): value for name, value in self.line.items() if name.startswith(MINUTES)}
        return dict(sorted(found.items(), key=lambda each: -each[1]))

    @property
    def start(self) -> datetime | None:
        """Return when the recording began, None where it does not tell."""
        text = self.line.get("start_utc")
        return datetime.fromisoformat(text.replace("Z", "+00:00")) if text else None

    @property
    def main(self) -> str:
        """Return the longest answers in words."""
        return ", ".join(main_answers(self.minutes)) or ABSENT


class Kept:
    """The answers of a cohort in a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, timeout=WAIT_S)

    def prepare(self) -> None:
        """Make the file, where there is none; whole, for a page may look at any moment."""
        if self.path.exists():
            return
        facts = {"layout": str(LAYOUT), "salt": secrets.token_hex(16)}
        with written_whole(self.path) as draft:
            draft.touch(mode=0o600)
            with closing(sqlite3.connect(draft)) as connection, connection:
                connection.executescript(TABLES)
                connection.executemany("INSERT INTO fact VALUES (?, ?)", facts.items())

    def fact(self, name: str) -> str:
        """Return a fact of the file itself."""
        with closing(self._connect()) as connection:
            found = connection.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchone()
            return str(found[0])

    def begin(self, items: Iterable[tuple[Item, str, str]]) -> None:
        """Take what the folder holds now: each recording with its stamp and its person."""
        with closing(self._connect()) as connection, connection:
            connection.execute("DELETE FROM item")
            rows = [(item.name, stamp, person, item.size) for item, stamp, person in items]
            connection.executemany("INSERT INTO item VALUES (?, ?, ?, ?)", rows)

    def missing(self, again: bool = False) -> list[str]:
        """Return which recordings have no answer yet, the largest first; ``again`` those that failed as well."""
        failed = "OR answer.kind != ''" if again else ""
        query = f"""SELECT item.name FROM item LEFT JOIN answer USING (name, stamp)
            WHERE answer.name IS NULL {failed} ORDER BY item.size DESC, item.name"""  # noqa: S608  no text of others
        with closing(self._connect()) as connection:
            return [name for (name,) in connection.execute(query)]

    @contextmanager
    def keeping(self) -> Iterator[Callable[[str, Mapping[str, Any]], None]]:
        """Hand out what keeps what came of a recording in place of what came of it before, each in a transaction.

        The file stays open meanwhile, and transactions go to a log beside it: to open it and to wait for the disk, for
        each answer, took the process that hands them out longer than to write. No answer is lost if that is killed.
        """
        with closing(self._connect()) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            yield partial(_keep, connection)

    def counts(self, again: bool = False) -> Counts:
        """Return how far the cohort is; ``again``: as if nothing had failed."""
        of_these = f"{OF_NOW} WHERE kind = ''" if again else OF_NOW
        query = f"SELECT count(*), coalesce(sum(kind != ''), 0), coalesce(sum(size), 0) {of_these}"
        with closing(self._connect()) as connection:
            files, size = connection.execute("SELECT count(*), coalesce(sum(size), 0) FROM item").fetchone()
            done, failed, done_size = connection.execute(query).fetchone()
        return Counts(files, done - failed, failed, size, done_size)

    def lines(self, failed: bool | None = None, start: int = 0, stop: int | None = None) -> list[Line]:
        """Return recordings in the order of names, all or those that failed, or did not."""
        where = "" if failed is None else f"WHERE (kind != '') = {int(failed)}"
        limit = -1 if stop is None else stop - start
        query = f"""SELECT name, person, size, kind, line, cost {OF_NOW} {where}
            ORDER BY name LIMIT ? OFFSET ?"""
        with closing(self._connect()) as connection:
            found = connection.execute(query, (limit, start)).fetchall()
        return [
            Line(name, person, size, kind, json.loads(line), json.loads(cost))
            for name, person, size, kind, line, cost in found
        ]

    def table(self, which: str, size: int) -> Iterator[Sequence[tuple[str, str, Mapping[str, list[Any]]]]]:
        """Yield name, person and one of `SEVERAL` of those that were recognised, so many at a time."""
        query = f"SELECT name, person, tables {OF_NOW} WHERE kind = '' ORDER BY name"
        with closing(self._connect()) as connection:
            cursor = connection.execute(query)
            while rows := cursor.fetchmany(size):
                yield [(name, person, json.loads(zlib.decompress(packed))[which]) for name, person, packed in rows]


def _keep(connection: sqlite3.Connection, name: str, answer: Mapping[str, Any]) -> None:
    failure = answer.get("failure")
    kind, line = (failure["kind"], {"reason": failure["reason"]}) if failure else ("", answer["row"])
    several = None if failure else {table: answer[table] for table in SEVERAL}
    packed = zlib.compress(json.dumps(several).encode())
    with connection:
        connection.execute(
            "INSERT OR REPLACE INTO answer SELECT name, stamp, ?, ?, ?, ? FROM item WHERE name = ?",
            (kind, json.dumps(line), packed, json.dumps(answer["cost"]), name),
        )
