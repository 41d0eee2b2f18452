"""Cohorts, for administrators."""

from app.web.cohorts.routes import bp as bp
