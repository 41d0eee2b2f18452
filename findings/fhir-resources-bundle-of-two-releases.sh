#!/usr/bin/env bash
# fhir.resources: what its models of FHIR R4B let through. `fhir.resources.observation` is R5's, and easily imported.
#
# Expected: a bundle of R4B refuses a resource of R5, or writes what it can read again; a status outside the list of
# codes that FHIR binds as required is refused; a decimal keeps its zeros, as FHIR says that its precision matters.
# Seen: the bundle takes the R5 object and writes it, and the library then refuses its own text; any word is a status;
# 2.50 becomes 2.5. Whoever sends bundles made with it has to check these three on their own.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q --disable-pip-version-check fhir.resources==8.3.0 fhir-core==1.1.12
"$folder/env/bin/python" - <<'PY'
import json
from importlib.metadata import version

from fhir.resources.observation import Observation as OfR5
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.observation import Observation

print("fhir.resources", version("fhir.resources"), "fhir-core", version("fhir-core"))
walk = {"resourceType": "Observation", "status": "final", "code": {"text": "Walking"}}

of_r5 = OfR5(**walk, triggeredBy=[{"observation": {"reference": "Observation/1"}, "type": "re-run"}])
written = Bundle(type="collection", entry=[{"resource": of_r5}]).model_dump_json()
try:
    Bundle.model_validate_json(written)
    again = "read again"
except ValueError as error:
    again = str(error).splitlines()[1]
print("an R5 Observation in a bundle of R4B: taken, written; its own text:", again)
assert "triggeredBy" in again, "the bundle's own text is read again"

status = Observation(**{**walk, "status": "strolling"}).status
print("a status that FHIR does not have is accepted:", status)

text = json.dumps(walk)[:-1] + ', "valueQuantity": {"value": 2.50, "unit": "min"}}'
value = json.loads(Observation.model_validate_json(text).model_dump_json(), parse_float=str)["valueQuantity"]["value"]
print("2.50 min is written as", value)
assert value == "2.5", "the precision is kept"
PY
