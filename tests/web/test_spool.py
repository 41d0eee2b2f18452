"""Files of what is too large for memory: as any other for who has them, and nothing plain on the disk."""

from __future__ import annotations

import io
import random
import tempfile
from typing import IO, Any

import pytest

from app.web import spool


def test_a_spool_behaves_as_a_file_and_is_plain_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[IO[bytes]] = []

    def noted(**options: Any) -> IO[bytes]:
        made.append(tempfile.TemporaryFile(**options))  # noqa: SIM115  the spool closes it
        return made[-1]

    monkeypatch.setattr(spool, "TemporaryFile", noted)
    chance, plain, content = random.Random(0), io.BytesIO(), b"samples of ursula " * 20_000
    with spool.spool() as file:
        for start in range(0, len(content), 7_001):  # at the end, read in between, as waitress does
            for each in (plain, file):
                at = each.tell()
                each.seek(0, io.SEEK_END)
                each.write(content[start : start + 7_001])
                each.seek(at)
            n = chance.randrange(5_000)
            assert file.read(n) == plain.read(n)
        file.seek(5)
        assert file.read() == content[5:]
        made[0].seek(0)
        kept = made[0].read()
    assert len(kept) == len(content)
    assert b"samples" not in kept
    assert made[0].closed
