"""A person's days, one beside the other, and of those who agreed to it several people's."""

from __future__ import annotations

from typing import Literal

from flask import Blueprint, Response, flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from app.har.measures.cut_points import AGES, CUT_POINTS
from app.har.measures.days import Period, Row
from app.services.audit import looked
from app.services.care import consents
from app.services.errors import Invalid, ServiceError
from app.services.measures import people, shown, tables
from app.services.measures.people import Found, Span
from app.web.access import access
from app.web.downloads import attachment, named, reader_zone
from app.web.forms import PageForm

bp = Blueprint("days", __name__)


@bp.get("/days/")
@access("user")
def index() -> ResponseReturnValue:
    """Show a person's days side by side: what they did, how long they sat, how hard they moved, when they rested."""
    newest = people.newest_day([current_user.id], reader_zone())
    try:
        span, cut_points = _asked([current_user.id])
    except Invalid as error:
        flash(str(error), "danger")
        return redirect(url_for(".index"))
    found = people.of_person(current_user, span, reader_zone(), cut_points)
    rows = found.days.rows("day", span.first, span.last)
    return render_template(
        "days/index.html",
        span=span,
        newest=newest,
        around=people.around([current_user.id], span, reader_zone()),
        rows=rows,
        left_out=found.left_out,
        undated=people.undated(current_user.id),
        ages=AGES,
        sets=[each for each in CUT_POINTS if current_user.age_group in each.ages],
        chosen=cut_points,
        cut_points=list(dict.fromkeys(row["cut_points"] for row in rows)),
        columns=tables.dictionary_in_short(),
        zone=reader_zone(),
        shown=shown,
        args={"first": span.first, "last": span.last, "cut_points": cut_points or None},
    )


@bp.post("/days/age")
@access("user")
def choose_age() -> ResponseReturnValue:
    """Keep one's age group, which cut-points depend on; or none."""
    if PageForm().validate():
        try:
            people.choose_age(current_user.id, request.form.get("age", "")[:40])
        except ServiceError as error:
            flash(str(error), "danger")
    return redirect(url_for(".index"))


@bp.get("/days/<any(days, hours):table>.<any(csv, json):file_format>")
@access("user")
def download(table: Literal["days", "hours"], file_format: Literal["csv", "json"]) -> Response:
    """Download one's days, or their hours, with the dictionary of the columns in JSON."""
    period: Period = "day" if table == "days" else "hour"
    span, cut_points = _asked([current_user.id])
    found = people.of_person(current_user, span, reader_zone(), cut_points)
    rows = found.days.rows(period, span.first, span.last)
    name = f"{table}-{span.first}-{span.last}.{file_format}"
    if file_format == "csv":
        return attachment(tables.as_csv(rows, period), name, "text/csv")
    about = {"time_zone": str(reader_zone()), "age": current_user.age_group or None, "left_out": list(found.left_out)}
    return named(jsonify(tables.document(rows, period, about)), name)


@bp.get("/days/columns.csv")
@access("user")
def columns_csv() -> Response:
    """Download what each column of the days is: unit, definition and source."""
    return attachment(tables.dictionary_csv("day"), "columns.csv", "text/csv")


@bp.get("/people/days")
@access("caregiver")
def compare() -> ResponseReturnValue:
    """Show a caregiver the days of those who agreed to that, side by side."""
    seen = consents.people_with_days(current_user.id)
    looked("days", [person.id for person in seen])
    newest = people.newest_day([person.id for person in seen], reader_zone())
    try:
        span, _ = _asked([person.id for person in seen])
    except Invalid as error:
        flash(str(error), "danger")
        return redirect(url_for(".compare"))
    found = {person: _rows(people.of_person(person, span, reader_zone()), span) for person in seen}
    every = sorted({row["date"] for rows in found.values() for row in rows}, reverse=True)
    return render_template(
        "days/people.html",
        span=span,
        newest=newest,
        around=people.around([person.id for person in seen], span, reader_zone()),
        found=found,
        days=[(day, {p: row for p, rows in found.items() for row in rows if row["date"] == day}) for day in every],
        means={person: shown.mean_of_valid(rows) for person, rows in found.items()},
        zone=reader_zone(),
        shown=shown,
    )


def _rows(found: Found, span: Span) -> list[Row]:
    return found.days.rows("day", span.first, span.last)


def _asked(user_ids: list[int]) -> tuple[Span, str]:
    """Return which days are asked for, and by which cut-points."""
    newest = people.newest_day(user_ids, reader_zone())
    span = people.span_of(request.args.get("first", ""), request.args.get("last", ""), newest)
    return span, people.checked_cut_points(request.args.get("cut_points", ""))
