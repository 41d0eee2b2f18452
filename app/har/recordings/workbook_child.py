"""Turn a workbook (standard input) into CSV text by sheet (JSON on standard output), in a process of its own.

A few bytes of a damaged or hostile workbook can ask for a hundred gigabytes, which ends a Rust program at once: the
library's, and with it the server's, were it called there. Here it ends a child, within limits. Imports nothing of ours.
"""

from __future__ import annotations

import csv
import io
import json
import sys

MAX_MEMORY_BYTES = 1280 * 2**20
MAX_TEXT_LETTERS = 128 * 2**20  # of all sheets
MAX_CELLS = 16_000_000  # of all sheets, those without content too: they cost time and memory alike
MAX_CELL_LETTERS = 10_000
MAX_COLUMNS = 4_000  # as of any table; one stray cell at the end of a row makes each row as long
MAX_ANSWER_BYTES = 4 * MAX_TEXT_LETTERS  # standard output is a file


def main() -> None:
    """Read, convert, write; any failure ends the process with an error status."""
    try:
        import resource
    except ImportError:  # Windows: the parent's time limit remains
        pass
    else:
        for kind, most in ((resource.RLIMIT_AS, MAX_MEMORY_BYTES), (resource.RLIMIT_FSIZE, MAX_ANSWER_BYTES)):
            allowed = resource.getrlimit(kind)[1]  # a reader may have less; only root could take more
            most = most if allowed == resource.RLIM_INFINITY else min(most, allowed)
            resource.setrlimit(kind, (most, most))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    from python_calamine import CalamineWorkbook

    workbook = CalamineWorkbook.from_filelike(io.BytesIO(sys.stdin.buffer.read()))
    sheets: dict[str, str] = {}
    cells = letters = 0
    for name in workbook.sheet_names:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        sheet = workbook.get_sheet_by_name(name)
        if sheet.total_width >= MAX_COLUMNS:
            sys.exit(f"more than {MAX_COLUMNS:,} columns")
        cells += (sheet.total_height + 1) * (sheet.total_width + 1)  # these count from 0
        if cells > MAX_CELLS:
            sys.exit(f"more than {MAX_CELLS:,} cells")
        for row in sheet.iter_rows():
            if any(isinstance(cell, str) and len(cell) > MAX_CELL_LETTERS for cell in row):
                sys.exit(f"a cell of more than {MAX_CELL_LETTERS:,} letters")
            if text.tell() or any(cell != "" for cell in row):  # blank rows may come first
                writer.writerow(row)
            if letters + text.tell() > MAX_TEXT_LETTERS:
                sys.exit(f"more than {MAX_TEXT_LETTERS:,} letters")
        letters += text.tell()
        sheets[name] = text.getvalue()
    json.dump(sheets, sys.stdout)


if __name__ == "__main__":
    main()
