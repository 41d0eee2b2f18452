"""Whose each row and each file is: whoever adds a table or a folder says it, or a test fails."""

from __future__ import annotations

import ast
from fnmatch import fnmatch
from pathlib import Path

from flask import Flask

from app.extensions import db
from app.services.privacy import belongings
from app.services.privacy.belongings import HOLDS, MODULES, NOBODYS, TABLES, USER
from tests.conftest import ROOT
from tests.test_architecture import modules, source

HOME = {"UPLOADS", "INSTANCE", "MODEL_STORE", "HAR_HOME"}
SECRET = ("hash", "token", "secret", "password", "address", "second_factor")


def test_each_table_is_somebodys_or_says_why_not(app: Flask) -> None:
    assert set(db.metadata.tables) == {*TABLES, *NOBODYS}
    assert not TABLES.keys() & NOBODYS.keys()


def test_rows_that_go_with_somebody_are_theirs_by_the_same_columns(app: Flask) -> None:
    for name, table in db.metadata.tables.items():
        goes = {
            column.name: key.column.table.name
            for column in table.columns
            for key in column.foreign_keys
            if key.ondelete == "CASCADE" and key.column.table.name in TABLES
        }
        if name == "consent":
            goes = {"user_id": USER}  # it may stay, without whose it was
        assert goes == (TABLES[name].by if name in TABLES else {}), f"whose are the rows of {name}?"


def test_no_secret_is_exported(app: Flask) -> None:
    for name, kept in TABLES.items():
        columns = {column.name for column in db.metadata.tables[name].columns}
        shown = {column for column in columns - set(kept.hidden) if any(part in column for part in SECRET)}
        assert shown <= {"address", "token_hash"} - {"token_hash"}, name  # where somebody lives, or logged in from
        assert {part.partition(".")[0] for part in kept.hidden} <= columns, name
        assert kept.title, name


def test_each_module_that_uses_a_folder_of_the_home_is_known() -> None:
    found = set()
    for module in modules():
        for node in ast.walk(source(module)):
            if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant) and node.slice.value in HOME:
                found.add(module)
    assert found == MODULES, "what does it keep there, and how does a person's part of it go? Say it in HOLDS"


def test_all_that_a_home_holds_is_known(started_home: Path) -> None:
    for top in ("instance", "uploads", "model_store"):
        for path in (started_home / top).iterdir():
            name = f"{top}/{path.name}"
            assert any(fnmatch(name, pattern) or top == pattern for pattern in HOLDS), name


def test_the_folders_of_a_person_are_named_in_the_list() -> None:
    prefixes = set()
    for path in (ROOT / "app" / "services").rglob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                name, value = node.targets[0].id, node.value
                if name.endswith("PREFIX") and isinstance(value, ast.Constant):
                    prefixes.add(value.value)
    assert {pattern.removeprefix("uploads/").removesuffix("*") for pattern in HOLDS} >= prefixes


def test_whose_a_row_is_follows_from_those_that_it_refers_to(app: Flask) -> None:
    assert str(belongings.theirs("notice", 7)).count("SELECT") == 3
