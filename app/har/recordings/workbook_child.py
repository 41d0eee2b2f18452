"""Turn a workbook (standard input) into CSV text by sheet (JSON on standard output), in a process of its own.

A few bytes of a damaged or hostile workbook can ask for a hundred gigabytes, which ends a Rust program at once: the
library's, and with it the server's, were it called there. Here it ends a child, within limits. Imports nothing of ours.
"""

from __future__ import annotations

import csv
import io
import json
import sys

MAX_MEMORY_BYTES = 2 * 2**30
MAX_TEXT_LETTERS = 256 * 2**20
MAX_CELL_LETTERS = 10_000


def main() -> None:
    """Read, convert, write; any failure ends the process with an error status."""
    try:
        import resource
    except ImportError:  # Windows: the parent's time limit remains
        pass
    else:
        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    from python_calamine import CalamineWorkbook

    workbook = CalamineWorkbook.from_filelike(io.BytesIO(sys.stdin.buffer.read()))
    sheets: dict[str, str] = {}
    for name in workbook.sheet_names:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        for row in workbook.get_sheet_by_name(name).iter_rows():
            if any(isinstance(cell, str) and len(cell) > MAX_CELL_LETTERS for cell in row):
                sys.exit(f"a cell of more than {MAX_CELL_LETTERS:,} letters")
            if text.tell() or any(cell != "" for cell in row):  # blank rows may come first
                writer.writerow(row)
            if text.tell() > MAX_TEXT_LETTERS:
                sys.exit(f"more than {MAX_TEXT_LETTERS:,} letters")
        sheets[name] = text.getvalue()
    json.dump(sheets, sys.stdout)


if __name__ == "__main__":
    main()
