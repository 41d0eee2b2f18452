"""The software bill of materials: valid, whole, and true to what is locked."""

from __future__ import annotations

import json
import re

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from devtools import sbom


@pytest.fixture(scope="module")
def text() -> str:
    return sbom.document(sbom.LOCKED.read_text(encoding="utf-8"))


def test_the_bill_is_valid_by_its_schema_and_a_wrong_one_is_not(text: str) -> None:
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    assert validator.validate_str(text) is None
    assert validator.validate_str(text.replace('"type": "library"', '"type": "thing"', 1)) is not None


def test_every_pinned_library_is_in_it_with_all_hashes_and_somebody_who_needs_it(text: str) -> None:
    locked, bill = sbom.LOCKED.read_text(encoding="utf-8"), json.loads(text)
    names = {line.split("==")[0] for line in locked.splitlines() if "==" in line and line[0].isalnum()}
    assert {component["name"] for component in bill["components"]} == names | {"onnxruntime-web"}
    hashes = [h for c in bill["components"] for ref in c["externalReferences"] for h in ref["hashes"]]
    assert len(hashes) == locked.count("--hash=") + 2  # and of what lies in the repository
    needs = {entry["ref"]: set(entry.get("dependsOn", ())) for entry in bill["dependencies"]}
    reached, new = set(), {"kinelab"}
    while new:
        reached |= new
        new = {other for ref in new for other in needs.get(ref, ())} - reached
    assert reached == {component["bom-ref"] for component in bill["components"]} | {"kinelab"}
    asked = (sbom.ROOT / "requirements.in").read_text(encoding="utf-8")
    direct = set(re.findall(r"^[\w-]+", asked, re.M))
    assert {ref.split("/")[1].split("@")[0] for ref in needs["kinelab"]} == direct | {"onnxruntime-web"}


def test_most_libraries_state_their_licence(text: str) -> None:
    components = json.loads(text)["components"]
    assert sum("licenses" in component for component in components) > 0.8 * len(components)
