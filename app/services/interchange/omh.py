"""Activities as Open mHealth data points: the header of IEEE 1752.1, the body of omh:physical-activity:1.2.

Such a point says nothing of being withdrawn: what a person's correction did away with is left out.
"""

from __future__ import annotations

from typing import Any

from app.services.interchange.answers import Activity, Answers

SCHEMA = {"namespace": "omh", "name": "physical-activity", "version": "1.2"}


def data_points(answers: Answers) -> list[dict[str, Any]]:
    """Return a data point for each activity that holds, in the order of time."""
    held = [one for one in answers.activities if one.status != "entered-in-error"]
    return [{"header": _header(answers, one), "body": _body(one)} for one in held]


def _header(answers: Answers, one: Activity) -> dict[str, Any]:
    made = answers.said if one.said and answers.said else answers.made
    return {
        "uuid": str(answers.name_of(one, "omh")),
        "schema_id": SCHEMA,
        "source_creation_date_time": made.isoformat(timespec="milliseconds"),
        "modality": "self-reported" if one.said else "sensed",
        "external_datasheets": [
            {"datasheet_type": "software", "datasheet_reference": f"Kinelab, model {answers.model}"}
        ],
    }


def _body(one: Activity) -> dict[str, Any]:
    # A time interval has a start and either an end or a duration, never all three
    duration = {"value": one.minutes, "unit": "min"}
    interval = {"start_date_time": one.start.isoformat(timespec="milliseconds"), "duration": duration}
    return {"activity_name": one.name, "effective_time_frame": {"time_interval": interval}}
