#!/usr/bin/env bash
# python-calamine (reads workbooks, as phyphox and lab software export them): the size of a sheet.
#
# Expected: total_height and total_width are counts like height and width, and no smaller than them: they take in the
# empty rows and columns before the data.
# Seen: they are the index of the last row and column, one less. A sheet of 301 rows that starts in its first cell has
# height 301 and total_height 300; one of a single row has total_height 0, which is also that of an empty sheet.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q --disable-pip-version-check python-calamine==0.9.1 openpyxl==3.1.5
"$folder/env/bin/python" - "$folder" <<'PY'
import sys
from importlib.metadata import version

from openpyxl import Workbook
from python_calamine import CalamineWorkbook

print("python-calamine", version("python-calamine"))
book = Workbook()
book.active.append(["Time (s)", "x", "y", "z"])
for row in range(300):
    book.active.append([row / 50, 0.1, 0.2, 9.8])
book.create_sheet("one row").append(["Time (s)", "x"])
book.create_sheet("empty")
book.save(f"{sys.argv[1]}/walk.xlsx")
sizes = []
workbook = CalamineWorkbook.from_path(f"{sys.argv[1]}/walk.xlsx")
for name in workbook.sheet_names:
    sheet = workbook.get_sheet_by_name(name)
    sizes.append((sheet.height, sheet.total_height, sheet.width, sheet.total_width))
    print(f"{name!r}: height {sizes[-1][0]}, total_height {sizes[-1][1]}, width {sizes[-1][2]}, total_width {sizes[-1][3]}")
assert sizes == [(301, 300, 4, 3), (1, 0, 2, 1), (0, 0, 0, 0)], sizes
PY
