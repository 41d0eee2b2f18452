"""Alarms: what was noticed, who looks after it, by which rules, and who is told where."""

from app.web.alarms import alarm_pages, notices, outbox, rules  # noqa: F401  each adds its pages
from app.web.alarms.blueprint import bp as bp
