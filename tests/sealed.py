"""What is in sealed files, and files as builds stored them that did not seal."""

from __future__ import annotations

from pathlib import Path

from app.services import sealing


def bytes_of(path: Path) -> bytes:
    """Return what is in a file, sealed or not."""
    with sealing.opened(path) as file:
        return file.read()


def text_of(path: Path) -> str:
    """Return the text in a file."""
    return bytes_of(path).decode()


def made_plain(path: Path) -> Path:
    """Let a file be as an earlier build stored it."""
    path.write_bytes(bytes_of(path))
    return path
