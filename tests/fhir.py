"""What FHIR R4 and HL7's guide Physical Activity 1.0 ask of a bundle of activities, and `fhir.resources` does not.

That library knows names and types of elements, and which must be there; it checks no list of codes, takes resources of
R5 into a bundle of R4B, and loses the zero at the end of a decimal.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from importlib import import_module
from typing import Any
from uuid import UUID

GUIDE = "http://hl7.org/fhir/us/physical-activity"
LOINC, UCUM = "http://loinc.org", "http://unitsofmeasure.org"
PANEL = (f"{GUIDE}/CodeSystem/pa-temporary-codes", "PAPanel")
CODES = {  # what FHIR binds as required, as far as a bundle here may have it
    ("Bundle", "type"): {"collection", "searchset"},
    ("Observation", "status"): {"final", "amended", "corrected", "entered-in-error"},
    ("Device", "status"): {"active", "inactive", "entered-in-error", "unknown"},
    ("Patient", "gender"): {"male", "female", "other", "unknown"},
}
NAMES_OF_DEVICES = {"udi-label-name", "user-friendly-name", "patient-reported-name", "manufacturer-name", "model-name"}
ROLES = {"derivation", "revision", "quotation", "source", "removal"}
AT_ALL = {"resourceType", "id", "meta"}
FIELDS = {  # of R4, as far as a bundle here may have them: R5 has others by other names
    "Patient": {"identifier", "name", "gender"},
    "Device": {"status", "deviceName", "version", "property", "note"},
    "Observation": {
        "status", "category", "code", "subject", "effectivePeriod", "performer", "valueCodeableConcept",
        "valueQuantity", "device", "hasMember", "component",
    },
    "Provenance": {"target", "recorded", "agent", "entity"},
    "OperationOutcome": {"issue"},
}  # fmt: skip
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


def resources(bundle: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """Return the resources of one kind."""
    return [each["resource"] for each in bundle["entry"] if each["resource"]["resourceType"] == kind]


def code_of(concept: dict[str, Any]) -> tuple[str, str]:
    """Return system and code of the only coding."""
    [coding] = concept["coding"]
    return coding["system"], coding["code"]


def check(text: str) -> dict[str, Any]:
    """Fail on what is against the standard or the guide; return the bundle."""
    bundle: dict[str, Any] = json.loads(text)
    _round_trip(text)
    is_search = bundle["type"] == "searchset"
    assert set(bundle) == {"resourceType", "type", "entry"} | ({"link"} if is_search else set())
    about = [each for each in bundle["entry"] if each["resource"]["resourceType"] != "OperationOutcome"]
    for each in bundle["entry"]:  # invariants bdl-2 and bdl-8, and that no array is empty
        assert set(each) - {"fullUrl"} == ({"resource", "search"} if is_search else {"resource"})
        assert not is_search or each["search"]["mode"] == ("match" if each in about else "outcome")
    assert bundle["entry"]
    by_name = {each["fullUrl"]: each["resource"] for each in about}
    assert len(by_name) == len(about)
    for name, resource in by_name.items():
        kind = resource["resourceType"]
        assert name == f"urn:uuid:{UUID(resource['id'])}"
        assert set(resource) <= FIELDS[kind] | AT_ALL, kind
    for found in (bundle, *by_name.values()):
        for (kind, field), codes in CODES.items():
            assert found["resourceType"] != kind or found[field] in codes
    for value in _values(bundle, "reference"):
        assert value in by_name
    for value in (*_values(bundle, "start"), *_values(bundle, "end"), *_values(bundle, "recorded")):
        assert MOMENT.fullmatch(value), value
    [patient] = resources(bundle, "Patient")
    [name] = patient["name"]
    assert set(name) == {"extension"}  # that says why there is none
    for device in resources(bundle, "Device"):
        assert {each["type"] for each in device["deviceName"]} <= NAMES_OF_DEVICES
    for observation in resources(bundle, "Observation"):
        _check_by_guide(observation, by_name)
    for provenance in resources(bundle, "Provenance"):
        assert {each["role"] for each in provenance.get("entity", ())} <= ROLES
        assert provenance["target"]
        assert provenance["agent"]
    return bundle


def _round_trip(text: str) -> None:
    """Read and write a bundle, and each resource alone, with classes of R4B; nothing may be lost."""
    bundle = json.loads(text)
    for document in (bundle, *(each["resource"] for each in bundle["entry"])):
        kind = document["resourceType"]
        model = getattr(import_module(f"fhir.resources.R4B.{kind.lower()}"), kind)
        back = model.model_validate_json(json.dumps(document)).model_dump_json()
        assert _comparable(json.loads(back, parse_float=Decimal)) == _comparable(
            json.loads(json.dumps(document), parse_float=Decimal)
        )


def _comparable(value: Any) -> Any:
    """Return plain values in which equal moments and numbers are equal, however they are written."""
    if isinstance(value, dict):
        return {key: _comparable(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_comparable(each) for each in value]
    if isinstance(value, str) and MOMENT.fullmatch(value):
        moment = datetime.fromisoformat(value.replace("Z", "+00:00"))
        return moment, moment.utcoffset()
    return Decimal(value) if isinstance(value, int | Decimal) else value


def _values(value: Any, key: str) -> Iterator[Any]:
    """Yield what stands under a key, however deep."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield from (each,) if name == key else _values(each, key)
    elif isinstance(value, list):
        for each in value:
            yield from _values(each, key)


def _check_by_guide(observation: dict[str, Any], by_name: dict[str, Any]) -> None:
    """Fail where an Observation is against the profiles pa-observation-activity-measure and -group."""
    code, period = code_of(observation["code"]), observation["effectivePeriod"]
    is_panel, is_of_day = code == PANEL, code == (LOINC, "41950-7")
    kind = "time-measure" if is_of_day else f"activity-{'group' if is_panel else 'measure'}"
    [profile] = observation["meta"]["profile"]
    assert profile == f"{GUIDE}/StructureDefinition/pa-observation-{kind}"
    assert [code_of(each) for each in observation["category"]] == [
        ("http://terminology.hl7.org/CodeSystem/observation-category", "activity"),
        (f"{GUIDE}/CodeSystem/pa-temporary-codes", "PhysicalActivity"),
    ]
    assert by_name[observation["subject"]["reference"]]["resourceType"] == "Patient"
    assert all(by_name[each["reference"]]["resourceType"] == "Patient" for each in observation.get("performer", ()))
    assert by_name[observation["device"]["reference"]]["resourceType"] == "Device"
    start, end = (datetime.fromisoformat(period[key]) for key in ("start", "end"))
    assert start < end
    values = {key for key in observation if key.startswith("value")}
    if is_panel:
        members = [by_name[each["reference"]] for each in observation["hasMember"]]
        assert [code_of(each["code"]) for each in members] == [(LOINC, "73985-4"), (LOINC, "55411-3")]
        assert all(each["effectivePeriod"] == period and each["status"] == observation["status"] for each in members)
        assert not values
    elif is_of_day:
        assert values == {"valueQuantity"}
        assert isinstance(observation["valueQuantity"]["value"], int)
        assert (observation["valueQuantity"]["system"], observation["valueQuantity"]["code"]) == (UCUM, "/d")
        [active] = observation["component"]
        assert code_of(active["code"]) == (f"{GUIDE}/CodeSystem/pa-temporary-codes", "DeviceActivePercentage")
        assert active["valueQuantity"]["code"] == "%"
        assert 0 < active["valueQuantity"]["value"] <= 100
    elif code == (LOINC, "55411-3"):
        quantity = observation["valueQuantity"]
        assert (quantity["system"], quantity["code"]) == (UCUM, "min")
        assert abs(quantity["value"] - (end - start).total_seconds() / 60) < 1e-4
        assert "comparator" not in quantity
        assert values == {"valueQuantity"}
    else:
        assert code == (LOINC, "73985-4")
        assert observation["valueCodeableConcept"]["text"]
        assert values == {"valueCodeableConcept"}
