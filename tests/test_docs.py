"""Documents that can't lie: what the program has is documented, and what the documents name is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from flask import Flask

from app.har.datasets.loaders import LOADERS
from app.har.recordings.importers import IMPORTERS
from devtools import reference
from tests.conftest import ROOT

PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
PATH = re.compile(r"`((?:[\w-]+/)*[\w-]+\.(?:py|html|js|css|md|toml|json|sh|txt|in))`")
ROOTS = [ROOT, ROOT / "app", ROOT / "app" / "har", ROOT / "app" / "services", ROOT / "docs", ROOT / "app" / "static"]
# Files that users bring, or that the program writes; and files of old releases in the list of changes
NOT_OURS = re.compile(
    r"metrics|manifest|metadata|labels?|spec|own|our-|model_card|annotation|result|quality|events|walk|activity|"
    r"features|readme|info|test_file|study|data|recordings?|acc|gyro|mapping\.ya?ml|timeline|predictions\.npz",
    re.I,
)


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def test_the_reference_is_what_the_program_says_of_itself(app: Flask) -> None:
    assert text_of(reference.PAGE) == reference.document(app), "run: make reference"


def test_every_view_and_command_says_what_it_does(app: Flask) -> None:
    assert [address for address, _, _, does in reference.pages(app) if not does] == []
    assert [name for name, command in reference.own_commands(app).items() if not command.help] == []


def test_every_setting_is_documented_and_read() -> None:
    tree = ast.parse(text_of(ROOT / "config.py"))
    read = {
        node.args[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) == "os.environ.get"
        and isinstance(node.args[0], ast.Constant)
    }
    assert read == set(reference.SETTINGS)


def test_the_first_page_names_every_layout_and_every_data_set() -> None:
    readme = text_of(ROOT / "README.md")
    missing = [importer.APP for importer in IMPORTERS if importer.APP.removesuffix(" windows") not in readme]
    missing += [loader.FORMAT for loader in LOADERS if loader.TITLE.split(",")[0].lower() not in readme.lower()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_names_only_what_is_there(page: Path, app: Flask) -> None:
    text, wrong = text_of(page), []
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if "://" not in target and not (page.parent / target).exists():
            wrong.append(f"link to {target}")
    if page.name != "CHANGELOG.md":  # it tells of what was, too
        names = [name for name in PATH.findall(text) if "/" in name or name.endswith((".py", ".js", ".css", ".html"))]
        for name in names:
            if not NOT_OURS.search(name) and not any((root / name).exists() for root in (*ROOTS, page.parent)):
                wrong.append(f"file {name}")
    targets = set(re.findall(r"^([a-z][a-z-]*):", text_of(ROOT / "Makefile"), re.M))
    wrong += [f"make {name}" for name in re.findall(r"`make ([a-z-]+)", text) if name not in targets]
    ours = {name.split()[1] for name in reference.own_commands(app)} | {"db", "run", "routes", "shell"}
    wrong += [f"flask {name}" for name in re.findall(r"(?:`|bin/)flask ([a-z]+)", text) if name not in ours]
    assert wrong == []
