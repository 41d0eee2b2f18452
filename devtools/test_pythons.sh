#!/usr/bin/env bash
# On the oldest and the newest promised Python that this machine has, besides the one of .venv: start the site. On the
# oldest, which has other versions of the numeric libraries, also check the types: the newest has the same libraries as
# .venv. With "all", the site is started on those in between, too, and the oldest runs the fast tests of reading and
# computing.
# Says which Pythons it lacks. Usage: devtools/test_pythons.sh PATH_OF_UV [install|all]; "install" does nothing else.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=$1 what=${2:-}
used=$(.venv/bin/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')

find_python() { # prints a working interpreter of version $1; a shim may be there and refuse
  local candidate
  for candidate in "python$1" "$HOME"/.pyenv/versions/"$1".*/bin/python; do
    if "$candidate" -c 'import ssl, sqlite3' 2>/dev/null; then "$candidate" -c 'import sys; print(sys.executable)'; return; fi
  done
}

start_site() { # runs the site of environment $1 until its log-in page answers
  local home log server address
  home=$(mktemp -d) log=$(mktemp)
  HAR_HOME=$home PORT=0 "$1/bin/python" run.py >"$log" 2>&1 &
  server=$!
  trap 'kill $server 2>/dev/null || true' RETURN
  for _ in $(seq 120); do
    address=$(sed -n 's/^Kinelab is at \(http[^ ]*\).*/\1/p' "$log")
    if [ -n "$address" ]; then
      "$1/bin/python" -c "import sys, urllib.request as r; sys.exit(r.urlopen('$address/login').status != 200)"
      return
    fi
    kill -0 $server 2>/dev/null || break
    sleep 1
  done
  cat "$log"
  return 1
}

long=() # these train, or try hundreds of cases: they call the same functions of the libraries as the others do
for name in augmentation bad_inputs baselines classifier classifier_contract everyday_besides everyday_classifier \
  everyday_training exports federation forgetting live_recogniser long_recordings long_runs network_rounds \
  plain_network pooled_training reach stated_units transfer; do
  long+=("--ignore=tests/har/test_$name.py")
done
[ "$what" = all ] && versions="3.10 3.11 3.12 3.13" || versions="3.10 3.13"
for version in $versions; do
  [ "$version" = "$used" ] && { echo "Python $version: tested by make lint test"; continue; }
  python=$(find_python "$version")
  [ -z "$python" ] && { echo "Python $version: not on this machine, NOT TESTED"; continue; }
  environment=.venv-$version
  "$uv" venv --quiet --allow-existing --python "$python" "$environment"
  "$uv" pip install --quiet --python "$environment/bin/python" --require-hashes -r requirements-dev.txt
  [ "$what" = install ] && continue
  [ "$version" = 3.10 ] || { start_site "$environment"; echo "Python $version: the site starts"; continue; }
  "$environment/bin/python" -m mypy & types=$!
  start_site "$environment"
  [ "$what" != all ] || "$environment/bin/python" -m pytest -n 2 --dist loadfile -m "not slow and not real_data and not browser" --durations=0 --durations-min=60 tests/har "${long[@]}"
  wait $types
  echo "Python $version: the types are right, the site starts${what:+, and the fast tests of the core pass}"
done
