#!/usr/bin/env bash
# garmin-fit-sdk (reads .fit files of sports watches): what its wheel installs.
#
# Expected: one package, garmin_fit_sdk.
# Seen: a second one at the top level, called tests, with the library's own tests. Whoever has it installed can import a
# package of that name anywhere, and a program whose tests are a package of this name, as is usual, gets the library's
# where its own folder is not first on the path: modules of it are then not found, with no word of why.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q --disable-pip-version-check garmin-fit-sdk==21.218.0
mkdir -p "$folder/lab/tests"
touch "$folder/lab/tests/__init__.py"
echo "WALK = 'a walk'" >"$folder/lab/tests/walks.py"
cd "$folder"
"$folder/env/bin/python" -I - <<'PY'
import sys
from importlib.metadata import version
from importlib.util import find_spec

sys.path.append("lab")  # as a .pth file or PYTHONPATH's last part would
print("garmin-fit-sdk", version("garmin-fit-sdk"))
spec = find_spec("tests")
print("import tests:", "the library's" if "site-packages" in spec.origin else "the lab's")
try:
    import tests.walks
    seen = "found"
except ModuleNotFoundError as error:
    seen = str(error)
print("import tests.walks:", seen)
sys.exit("site-packages" not in spec.origin or seen != "No module named 'tests.walks'")
PY
