"""Fixtures for what is recognised for whom."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from app.extensions import db
from app.services import accounts
from app.tables import ModelVersion, User
from tests.trained import Example, register_model


@pytest.fixture
def model(app: Flask, example_model: Example, tmp_path: Path) -> ModelVersion:
    return register_model(example_model, tmp_path)


@pytest.fixture
def user(app: Flask) -> User:
    return a_user("ursula")


def a_user(name: str, role: str = "user") -> User:
    accounts.register(name, "correct horse battery", "+44 20 7946 0000", f"{name}@example.org", "1 High Street", role)
    return db.session.scalars(select(User).where(User.username == name)).one()
