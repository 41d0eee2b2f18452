#!/usr/bin/env bash
# sqlcipher3 in a process that has loaded TensorFlow before, on Linux.
#
# Expected: sqlcipher3's wheel holds its own SQLite, so `sqlite_version()` and SQLCipher's functions are the same whatever
# was imported before; and so with Python's own sqlite3, which is built against the system's library.
# Seen: TensorFlow holds an SQLite, too, and is loaded so that its functions are everybody's. Whatever SQLite is imported
# after it works with TensorFlow's: an older one, in which `PRAGMA cipher_version` says nothing and `sqlcipher_export` does
# not exist. In the other order all is well. A program that uses both asks for the library's own functions first
# (`RTLD_DEEPBIND`), and looks whether `PRAGMA cipher_version` answers.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q --disable-pip-version-check tensorflow==2.21.0 sqlcipher3==0.6.4
for order in "sqlcipher3.dbapi2 tensorflow" "tensorflow sqlcipher3.dbapi2" "tensorflow sqlite3" "sqlite3 tensorflow"; do
  TF_CPP_MIN_LOG_LEVEL=3 "$folder/env/bin/python" - $order 2>/dev/null <<'PY'
import importlib
import sys

for name in sys.argv[1:]:
    importlib.import_module(name)
library = sys.modules[next(name for name in sys.argv if "sql" in name)]
connection = library.connect(":memory:")
[[version]] = connection.execute("SELECT sqlite_version()").fetchall()
answer = connection.execute("PRAGMA cipher_version").fetchall()
print(f"{' then '.join(sys.argv[1:]):35} SQLite {version:8} PRAGMA cipher_version: {answer or 'nothing'}")
PY
done | tee "$folder/seen"
versions=($(awk '{print $5}' "$folder/seen"))
[ "${versions[1]}" = "${versions[2]}" ] && [ "${versions[0]}" != "${versions[1]}" ] && [ "${versions[3]}" != "${versions[2]}" ]
[ "$(grep -c nothing "$folder/seen")" = 3 ]
