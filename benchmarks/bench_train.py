"""What the commands of the README score on KU-HAR: ``flask train`` with all four models, by both protocols."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.browser.site import ROOT

DATA = Path(os.environ.get("HAR_DATA_DIR") or ROOT.parent / "shared" / "data")
MODELS = "elm-gru-am,random-forest,lstm,cnn"


def flask(home: str, *arguments: str) -> dict[str, Any]:
    """Run a command with ``--json`` and return its document."""
    command = [sys.executable, "-m", "flask", "--app", "app", *arguments, "--json"]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | {"HAR_HOME": home}, check=True, stdout=subprocess.PIPE)
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def main() -> None:
    home = tempfile.mkdtemp()
    flask(home, "datasets", "add", "ku-har", str(DATA / "ku-har" / "1.Raw_time_domian_data.zip"))
    figures = {}
    for protocol in ("random", "subject"):
        arguments = ["--dataset", "ku-har", "--protocol", protocol, "--models", MODELS, "--seed", "0"]
        figures[protocol] = flask(home, "train", *arguments)["models"]
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
