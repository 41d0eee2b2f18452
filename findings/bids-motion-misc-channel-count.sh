#!/usr/bin/env bash
# BIDS-Motion: the count of channels of other kinds in a *_motion.json, as the validator and the schema name it.
#
# Expected: one spelling. Both are the newest releases of the same project, and a data set that follows the schema is
# not told by the validator that a field is missing.
# Seen: bidsschematools 2.0.1 (BIDS 1.11.2) recommends `MiscChannelCount` and calls `MISCChannelCount` deprecated;
# bids-validator-deno 3.0.2, which brings schema 1.2.7, asks for `MISCChannelCount` and passes over the other. Who
# writes what the schema recommends gets a warning, and who heeds the warning writes a deprecated field.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q --disable-pip-version-check bids-validator-deno==3.0.2 bidsschematools==2.0.1
"$folder/env/bin/python" - "$folder" <<'PY'
import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from bidsschematools.schema import load_schema

FIELDS = ("MISCChannelCount", "MiscChannelCount")
print("bids-validator-deno", version("bids-validator-deno"), "bidsschematools", version("bidsschematools"))
schema = load_schema()
rule = schema.rules.sidecars.motion.motionRecommended.fields
levels = {field: str(rule[field]) for field in FIELDS}
print("schema", schema.schema_version, "of BIDS", schema.bids_version, levels)

root = Path(sys.argv[1]) / "walk"
motion = root / "sub-01" / "motion"
motion.mkdir(parents=True)
(root / "README").write_text("A walk that was made up.\n")
(root / "participants.tsv").write_text("participant_id\nsub-01\n")
about = {"Name": "Walk", "BIDSVersion": "1.11.0", "DatasetType": "raw"}
(root / "dataset_description.json").write_text(json.dumps(about))
stem = motion / "sub-01_task-walk_tracksys-phone"
rows = "".join(f"acc_{axis}\t{axis}\tACCEL\tpocket\tm/s^2\n" for axis in "xyz")
Path(f"{stem}_channels.tsv").write_text(f"name\tcomponent\ttype\ttracked_point\tunits\n{rows}")
Path(f"{stem}_motion.tsv").write_text("0.1\t0.2\t9.8\n" * 100)


def asked_for(field: str) -> set[str]:
    """Which of the two spellings the validator misses where a sidecar has this one."""
    sidecar = {"TaskName": "walk", "SamplingFrequency": 50, "TrackingSystemName": "phone", field: 0}
    Path(f"{stem}_motion.json").write_text(json.dumps(sidecar))
    command = [str(Path(sys.executable).with_name("bids-validator-deno")), "--json", str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    issues = json.loads(done.stdout)["issues"]["issues"]
    assert not [issue for issue in issues if issue["severity"] == "error"], issues
    missed = {str(issue.get("subCode")) for issue in issues if issue["code"] == "SIDECAR_KEY_RECOMMENDED"}
    return missed & set(FIELDS)


missed = {field: asked_for(field) for field in FIELDS}
for field in FIELDS:
    print(f"with {field}, the validator asks for", missed[field] or "neither")
assert levels == {"MISCChannelCount": "deprecated", "MiscChannelCount": "recommended"}, levels
assert missed == {"MISCChannelCount": set(), "MiscChannelCount": {"MISCChannelCount"}}, missed
PY
