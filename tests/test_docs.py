"""Documents that can't lie: what the program has is documented, and what the documents name is there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest
from flask import Flask

from app.har.datasets.loaders import LOADERS
from app.har.problems import ProblemKind
from app.har.recordings.importers import IMPORTERS
from devtools import reference
from tests.conftest import ROOT
from tests.test_architecture import CORE, GROUND

PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
CODE = ("app", "benchmarks", "devtools", "tests")
# What may stand before a path of ours: `har/errors.py` is app/har/errors.py
ROOTS = [ROOT, ROOT / "app", ROOT / "app" / "har", ROOT / "app" / "services", ROOT / "docs"]
PATH = re.compile(r"`((?:[\w-]+/)*[\w-]+\.(?:py|html|js|css|sh))`")
NAME = re.compile(r"`([A-Za-z_]\w*_\w+|[A-Z][a-z]+[A-Z]\w+|[A-Z]{5,})(?:\(\))?`")  # of something in the code
LABEL = re.compile(r"(?<![*\w])\*([A-Z][^*]{2,60})\*(?!\*)")  # *Any device orientation*: what a page calls it


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


def test_the_page_of_imports_names_every_layout() -> None:
    page = text_of(ROOT / "docs" / "IMPORTS.md")
    assert [importer.APP for importer in IMPORTERS if importer.APP.removesuffix(" windows") not in page] == []


def test_the_guide_calls_problems_as_the_pages_do() -> None:
    rows = text_of(ROOT / "docs" / "GUIDE.md").split("| problem | more |")[1].split("\n\n")[0]
    names = {name for cell in re.findall(r"^\| ([^|]+) \|", rows, re.M) for name in cell.split(", ")}
    assert names
    assert names <= {kind.value for kind in ProblemKind}


def test_the_rooms_are_those_that_the_architecture_test_checks() -> None:
    page = text_of(ROOT / "docs" / "ARCHITECTURE.md")
    drawn = dict(re.findall(r"^\| `(har/\w+)(?:/|\.py)` .*\| ([^|]+) \|$", page, re.M))
    for part, allowed in CORE.items():
        names = ", ".join(sorted(name.rpartition(".")[2] for name in allowed)) or "–"
        assert drawn[part.removeprefix("app.").replace(".", "/")] == names, part
    assert [name for name in GROUND if f"`{name.removeprefix('app.').replace('.', '/')}.py`" not in page] == []


@cache
def program(*folders: str) -> str:
    """Return all that the program says: its code, its pages, its scripts."""
    files = [path for folder in folders for path in sorted((ROOT / folder).rglob("*"))]
    files += [ROOT / "config.py", ROOT / "run.py"]
    return "\n".join(text_of(path) for path in files if path.suffix in {".py", ".html", ".js"})


@cache
def deployed() -> str:
    """Return what units and containers say: paths and settings of other programs."""
    return "\n".join(text_of(path) for path in sorted((ROOT / "deployment").iterdir()))


@cache
def words() -> set[str]:
    """Return the words of both."""
    return set(re.findall(r"\w+", program(*CODE) + deployed()))


def anchors(page: Path) -> set[str]:
    """Return what a link may name of a page: its headings, as GitHub writes them."""
    headings = re.findall(r"^#+ (.+)$", text_of(page), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_names_only_what_is_there(page: Path, app: Flask) -> None:
    text, wrong = text_of(page), []
    for target, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]+))?\)", text):
        path = page.parent / target if target else page
        if "://" not in target and not (path.exists() and (not anchor or anchor in anchors(path))):
            wrong.append(f"link to {target}#{anchor}")
    commands = reference.own_commands(app)
    known = {name.split()[1] for name in commands} | {"db", "run", "routes", "shell"}
    wrong += [f"flask {name}" for name in re.findall(r"(?:`|bin/)flask ([a-z]+)", text) if name not in known]
    targets = set(re.findall(r"^([a-z][a-z-]*):", text_of(ROOT / "Makefile"), re.M))
    wrong += [f"make {name}" for name in re.findall(r"`make ([a-z-]+)", text) if name not in targets]
    if page.name not in {"CHANGELOG.md", "BENCHMARKS.md"}:  # which tell of what was, and of figures
        parameters = [parameter for command in commands.values() for parameter in command.params]
        options = {option for parameter in parameters for option in (*parameter.opts, *parameter.secondary_opts)}
        wrong += [name for name in re.findall(r"(?<![\w-])--[a-z][a-z-]+", text) if name not in options | {"--help"}]
        rules = {re.sub("<[^>]*>", "<>", str(rule)).rstrip("/") for rule in app.url_map.iter_rules()}
        addresses = re.findall(r"`(/[^`\s]*)`", text)
        addresses = [name for name in addresses if name not in deployed()]
        wrong += [name for name in addresses if re.sub("<[^>]*>", "<>", name).rstrip("/") not in rules]
        wrong += [
            name for name in PATH.findall(text) if not any((root / name).exists() for root in (*ROOTS, page.parent))
        ]
        wrong += [name for name in NAME.findall(text) if name not in words()]
    if page.name in {"README.md", "GUIDE.md"}:
        wrong += [name for name in LABEL.findall(text) if " ".join(name.split()) not in program("app")]
    assert wrong == []


def test_what_is_easily_misread_is_tested_as_the_table_says() -> None:
    table = text_of(ROOT / "docs" / "IMPORTS.md").split("## What is easily misread")[1].split("\n## ")[0]
    named = re.findall(r"`(test_\w+)` \|$", table, re.M)
    files = [file for room in ("har", "services") for file in (ROOT / "tests" / room).glob("test_*.py")]
    there = {name for file in files for name in re.findall(r"^def (test_\w+)", text_of(file), re.M)}
    assert len(named) >= 25
    assert [name for name in named if name not in there] == []
