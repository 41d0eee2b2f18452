"""Caregivers and the people who agreed to be seen by them."""

from app.web.care.routes import bp as bp
