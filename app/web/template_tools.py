"""What every template may use: filters for figures and moments, and the navigation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from flask import Flask, request, url_for
from flask_login import current_user
from markupsafe import Markup

from app.har.classifiers.catalogue import DEPLOYABLE_MODEL, EVERYDAY_MODEL
from app.har.colours import HATCHES
from app.services.consents import TEXTS, version_of
from app.services.formatting import (
    ABSENT,
    beyond_rounding,
    capitalise,
    counted,
    duration,
    percent,
    sensor_name,
    share,
    stopwatch,
    thousands,
)
from app.services.purposes import Purpose
from app.services.recordings.answers_in_words import main_answers

PAGES = (  # endpoint, label, who sees it
    ("home.index", "Home", "user"),
    ("days.index", "Days", "user"),
    ("live.index", "Live", "user"),
    ("care.people", "People", "caregiver"),
    ("alarms.index", "Alarms", "account"),
    ("datasets.index", "Data sets", "admin"),
    ("training.index", "Training", "admin"),
    ("training.models", "Models", "admin"),
    ("cohorts.index", "Cohorts", "admin"),
    ("sites.index", "Sites", "admin"),
    ("admin.users", "Users", "admin"),
    ("admin.audit", "Audit log", "admin"),
    ("auth.login", "Log in", "anonymous"),
    ("auth.register", "Register", "anonymous"),
)


@dataclass(frozen=True)
class NavigationItem:
    label: str
    url: str
    current: bool  # it is this very page
    above: bool  # the page belongs to it


def init_app(app: Flask) -> None:
    """Register the filters, ``navigation()``, the kept models' names, and ``hatched``, what is no activity."""
    app.jinja_env.filters.update(
        moment=moment,
        duration=duration,
        stopwatch=stopwatch,
        percent=percent,
        share=share,
        thousands=thousands,
        beyond_rounding=beyond_rounding,
        counted=counted,
        capitalise=capitalise,
        sensor_name=sensor_name,
        main_answers=main_answers,
    )
    app.jinja_env.globals.update(
        navigation=navigation,
        deployable_model=DEPLOYABLE_MODEL,
        everyday_model=EVERYDAY_MODEL,
        hatched=HATCHES,
        recognition_text=TEXTS[Purpose.RECOGNITION][version_of(Purpose.RECOGNITION)],
    )


def navigation() -> list[NavigationItem]:
    """Return the entries of the bar on top for the person who looks at it."""
    if not current_user.is_authenticated:
        levels = {"anonymous"}
    else:
        levels = {"account", "user", "admin"} if current_user.is_admin else {"account", current_user.role.value}
    return [
        NavigationItem(label, url := url_for(endpoint), request.endpoint == endpoint, _is_below(url))
        for endpoint, label, level in PAGES
        if level in levels
    ]


def _is_below(url: str) -> bool:
    """Tell whether the page shown belongs to an entry; recordings belong to the first page, which lists them."""
    return request.path.startswith("/predictions" if url == url_for("home.index") else url)


def moment(value: datetime | None) -> str:
    """Write a moment in UTC; ``kinelab.js`` turns it into the reader's own time."""
    if value is None:
        return ABSENT
    return Markup('<time class="moment" datetime="{}">{}</time>').format(
        value.isoformat(timespec="seconds"), value.strftime("%d %b %Y, %H:%M UTC")
    )
