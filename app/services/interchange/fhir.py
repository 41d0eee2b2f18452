"""Activities as a FHIR R4 bundle, after HL7's guide *Physical Activity* 1.0.

Of each activity there are three Observations: which it was, how long, and the panel that holds the two together. The
guide wants the author of a note to be a person, so that the confidence of the model is a component.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from app.services.interchange.answers import Activity, Answers, StepsOfDay

MEDIA_TYPE = "application/fhir+json"
LOINC, UCUM = "http://loinc.org", "http://unitsofmeasure.org"
GUIDE = "http://hl7.org/fhir/us/physical-activity"
GUIDE_CODES = f"{GUIDE}/CodeSystem/pa-temporary-codes"
HL7 = "http://terminology.hl7.org/CodeSystem"
ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
Resource = dict[str, Any]
CATEGORY = [
    {"coding": [{"system": f"{HL7}/observation-category", "code": "activity", "display": "Activity"}]},
    {"coding": [{"system": GUIDE_CODES, "code": "PhysicalActivity", "display": "Physical Activity"}]},
]


def bundle(answers: Answers) -> Resource:
    """Return all that is known of the activities of a recording."""
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [entry(each) for each in (patient(answers.person), *resources(answers))],
    }


def search_set(person: UUID, found: Sequence[Answers], left_out: Sequence[str], links: Mapping[str, str]) -> Resource:
    """Return a part of all that is known of a person, as ``$everything`` gives it.

    Parameters
    ----------
    left_out : what is not in it and why, in words.
    links : where this part is (``self``), and the one that follows (``next``), if any.
    """
    about = [patient(person), *(each for one in found for each in resources(one))]
    entries = [entry(each) | {"search": {"mode": "match"}} for each in about]
    if left_out:
        issues = [{"severity": "information", "code": "informational", "diagnostics": each} for each in left_out]
        outcome = {"resourceType": "OperationOutcome", "issue": issues}
        entries.append({"resource": outcome, "search": {"mode": "outcome"}})
    return {
        "resourceType": "Bundle",
        "type": "searchset",
        "link": [{"relation": relation, "url": url} for relation, url in links.items()],
        "entry": entries,
    }


def entry(resource: Resource) -> Resource:
    """Return a resource as it stands in a bundle."""
    return {"fullUrl": f"urn:uuid:{resource['id']}", "resource": resource}


def resources(answers: Answers) -> list[Resource]:
    """Return what is known of the activities of a recording, without whose they are."""
    device = uuid5(answers.recording, f"device {answers.model}")
    observations = [each for one in answers.activities for each in _observations(answers, one, device)]
    observations += [_steps(answers, one, device) for one in answers.steps]
    found = [_device(answers, device), *observations]
    if observations:
        found.append(_provenance(answers, observations, device))
    theirs = [each for each in observations if "performer" in each]
    if theirs and answers.said:
        found.append(_correction(answers, theirs, answers.said))
    return found


def patient(person: UUID) -> Resource:
    """Return whose it is: the number stands for a person, and the guide wants to be told that the name is withheld."""
    return {
        "resourceType": "Patient",
        "id": str(person),
        "identifier": [_identifier(person)],
        "name": [{"extension": [{"url": ABSENT, "valueCode": "masked"}]}],
        "gender": "unknown",
    }


def _device(answers: Answers, device: UUID) -> Resource:
    name, _, version = answers.model.partition("/")
    words = {
        "value": "windows recognised correctly",
        "low": "windows recognised correctly, low end of the 95 % interval",
        "high": "windows recognised correctly, high end of the 95 % interval",
    }
    properties = [
        {"type": {"text": words[key]}, "valueQuantity": [_share(share)]} for key, share in answers.accuracy.items()
    ]
    return {
        "resourceType": "Device",
        "id": str(device),
        "status": "active",
        "deviceName": [{"name": "Kinelab", "type": "user-friendly-name"}, {"name": name, "type": "model-name"}],
        **({"version": [{"value": version}]} if version else {}),
        **({"property": properties} if properties else {}),
        "note": [{"text": answers.truth}],
    }


def _observations(answers: Answers, one: Activity, device: UUID) -> list[Resource]:
    activity, duration, panel = (answers.name_of(one, kind) for kind in ("activity", "duration", "panel"))
    start, end = (moment.isoformat(timespec="milliseconds") for moment in (one.start, one.end))
    period = {"start": start, "end": end}

    def observation(name: UUID, profile: str, code: Resource, **more: Any) -> Resource:
        return {
            "resourceType": "Observation",
            "id": str(name),
            "meta": {"profile": [f"{GUIDE}/StructureDefinition/pa-observation-activity-{profile}"]},
            "status": one.status,
            "category": CATEGORY,
            "code": code,
            "subject": _reference(answers.person),
            "effectivePeriod": period,
            **({"performer": [_reference(answers.person)]} if one.said else {}),
            "device": _reference(device),
            **more,
        }

    probability = {"code": {"text": "mean probability of the activity"}, "valueQuantity": _share(one.confidence)}
    return [
        observation(
            activity,
            "measure",
            _coded(LOINC, "73985-4", "Exercise activity"),
            valueCodeableConcept={"text": one.name},
            **({} if one.said else {"component": [probability]}),
        ),
        observation(
            duration,
            "measure",
            _coded(LOINC, "55411-3", "Exercise duration"),
            valueQuantity={"value": one.minutes, "unit": "minutes", "system": UCUM, "code": "min"},
        ),
        observation(
            panel,
            "group",
            _coded(GUIDE_CODES, "PAPanel", "Physical Activity Panel"),
            hasMember=[_reference(activity), _reference(duration)],
        ),
    ]


def _steps(answers: Answers, one: StepsOfDay, device: UUID) -> Resource:
    """Return the steps of a day, with the share of it that was recorded, as the guide asks of a device."""
    start, end = (moment.isoformat(timespec="milliseconds") for moment in (one.start, one.end))
    share = {"value": one.recorded_percent, "system": UCUM, "code": "%"}
    active = _coded(GUIDE_CODES, "DeviceActivePercentage", "Device Active Percentage")
    return {
        "resourceType": "Observation",
        "id": str(answers.name_of(one, "steps")),
        "meta": {"profile": [f"{GUIDE}/StructureDefinition/pa-observation-time-measure"]},
        "status": one.status,
        "category": CATEGORY,
        "code": _coded(LOINC, "41950-7", "Number of steps in 24 hour Measured"),
        "subject": _reference(answers.person),
        "effectivePeriod": {"start": start, "end": end},
        "valueQuantity": {"value": one.count, "unit": "steps per day", "system": UCUM, "code": "/d"},
        "component": [{"code": active, "valueQuantity": share}],
        "device": _reference(device),
    }


def _provenance(answers: Answers, observations: Sequence[Resource], device: UUID) -> Resource:
    """Return by which model the activities were recognised, and from which recording."""
    return {
        "resourceType": "Provenance",
        "id": str(uuid5(answers.recording, f"provenance {answers.way}")),
        "target": [_reference(each["id"]) for each in observations],
        "recorded": answers.made.isoformat(timespec="milliseconds"),
        "agent": [
            {
                "type": _coded(f"{HL7}/provenance-participant-type", "assembler", "Assembler"),
                "who": _reference(device) | {"display": f"Kinelab, model {answers.model}"},
            }
        ],
        "entity": [{"role": "source", "what": {"identifier": _identifier(answers.recording)}}],
    }


def _correction(answers: Answers, observations: Sequence[Resource], said: datetime) -> Resource:
    """Return that it was the person who said which activities some were."""
    return {
        "resourceType": "Provenance",
        "id": str(uuid5(answers.recording, f"correction {answers.way}")),
        "target": [_reference(each["id"]) for each in observations],
        "recorded": said.isoformat(timespec="milliseconds"),
        "agent": [
            {
                "type": _coded(f"{HL7}/provenance-participant-type", "author", "Author"),
                "who": _reference(answers.person),
            }
        ],
    }


def _coded(system: str, code: str, display: str) -> Resource:
    return {"coding": [{"system": system, "code": code, "display": display}]}


def _identifier(name: UUID) -> Resource:
    return {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{name}"}


def _reference(name: UUID | str) -> Resource:
    return {"reference": f"urn:uuid:{name}"}


def _share(value: float) -> Resource:
    return {"value": value, "system": UCUM, "code": "1"}
