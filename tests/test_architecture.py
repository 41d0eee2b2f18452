"""Who may import whom: ``web → services → {tables, har}``, ``cli → services``, and in the core the way of the data."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests import homes
from tests.conftest import ROOT

# What each part may import of ours, besides itself. `config` reads the environment; only the factory needs it.
GROUND = {
    f"app.har.{name}"
    for name in (
        "errors",
        "types",
        "problems",
        "progress",
        "renamed",
        "colours",
        "documents",
        "sums",
        "vocabulary",
        "texts",
    )
}
CORE = {  # in the way of the data; docs/ARCHITECTURE.md draws it
    "app.har.signals": set(),
    "app.har.windows": {"app.har.signals"},
    "app.har.smoothing": {"app.har.signals", "app.har.windows"},
    "app.har.recordings": {"app.har.signals"},
    "app.har.datasets": {"app.har.recordings", "app.har.signals", "app.har.windows"},
    "app.har.evaluation": {"app.har.signals", "app.har.windows"},
    "app.har.personal": set(),
    "app.har.measures": {"app.har.signals"},
    "app.har.height": {"app.har.signals"},
    "app.har.classifiers": {"app.har.evaluation", "app.har.personal", "app.har.signals", "app.har.windows"},
    "app.har.explanations": {"app.har.classifiers", "app.har.signals", "app.har.windows"},
    "app.har.labelling": {"app.har.classifiers", "app.har.signals", "app.har.windows"},
    "app.har.live": {"app.har.classifiers", "app.har.recordings", "app.har.signals", "app.har.windows"},
    "app.har.exports": {"app.har.classifiers", "app.har.evaluation", "app.har.signals", "app.har.windows"},
    "app.har.falls": {"app.har.classifiers", "app.har.datasets", "app.har.signals"},
    "app.har.training": {
        "app.har.classifiers",
        "app.har.evaluation",
        "app.har.explanations",
        "app.har.signals",
        "app.har.smoothing",
        "app.har.windows",
    },
    "app.har.federation": {
        "app.har.classifiers",
        "app.har.datasets",
        "app.har.signals",
        "app.har.windows",
    },
}
# Of the core, what pages and commands handle: values, their bounds, and what things are called
VALUES = GROUND | {
    "app.har.classifiers.catalogue",
    "app.har.datasets.description",
    "app.har.datasets.store",
    "app.har.datasets.survey",
    "app.har.evaluation.types",
    "app.har.exports.formats",
    "app.har.measures.cut_points",
    "app.har.measures.days",
    "app.har.measures.dictionary",
    "app.har.recordings.mappings.dry_run",
    "app.har.recordings.mappings.guess",
    "app.har.recordings.mappings.mapping",
    "app.har.recordings.mappings.units",
    "app.har.signals.clocks",
    "app.har.signals.types",
    "app.har.training.config",
    "app.har.training.results",
}
MAY_IMPORT = {
    **{part: GROUND | allowed for part, allowed in CORE.items()},
    "app.tables": {"app.extensions"},
    "app.services": {"app.tables", "app.har", "app.extensions"},
    "app.web": {"app.services", "app.extensions.limiter", "app.extensions.login_manager", *VALUES},
    "app.cli": {"app.services", *VALUES},
}
# Inside the packages: who must not know whom
APART = [
    ("app.har.recordings.formats", "app.har.recordings.mappings"),
    ("app.har.recordings.mappings", "app.har.recordings.formats"),
    ("app.har.classifiers.elm_gru_am", "app.har.classifiers.baselines"),
    ("app.har.classifiers.base", "app.har.classifiers.elm_gru_am"),
    ("app.har.classifiers.model_folder", "app.har.classifiers.elm_gru_am"),
]
FRAMEWORKS = {"flask", "sqlalchemy", "flask_sqlalchemy", "flask_login", "wtforms", "werkzeug", "click"}
REQUEST_BOUND = {
    f"flask.{name}" for name in ("request", "session", "g", "flash", "redirect", "render_template", "url_for")
}
HEAVY = ["tensorflow", "keras", "sklearn", "matplotlib", "pandas"]


def modules() -> list[str]:
    paths = sorted((ROOT / "app").rglob("*.py"))
    return [".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in paths]


def is_package(module: str) -> bool:
    return (ROOT / Path(*module.split("."))).is_dir()


@cache
def source(module: str) -> ast.Module:
    path = ROOT / Path(*module.split("."))
    path = path / "__init__.py" if is_package(module) else path.with_suffix(".py")
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imports(module: str) -> set[str]:
    """Return every name that a module imports, inside functions too, but not what only the type checker reads."""
    found: set[str] = set()
    nodes: list[Any] = [source(module)]
    while nodes:
        node = nodes.pop()
        is_typing = isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        nodes += node.orelse if is_typing else ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def within(name: str, parts: set[str]) -> bool:
    return any(name == part or name.startswith(f"{part}.") for part in parts)


def loaded_by(code: str, tmp_path: Path) -> set[str]:
    """Return the modules that a fresh interpreter has loaded after running a line."""
    environment = os.environ | homes.where(tmp_path) | {"PYTHONPATH": str(ROOT)}
    result = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint('\\n'.join(sys.modules), file=sys.stderr)"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return set(result.stderr.split())


def part_of(module: str, parts: Iterable[str]) -> str | None:
    return next((part for part in parts if within(module, {part})), None)


def imported_modules() -> dict[str, set[str]]:
    """Return of every module the modules of ours that it imports."""
    known = set(modules())
    return {
        module: {name if name in known else name.rpartition(".")[0] for name in imports(module)} & known
        for module in known
    }


def cycles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Return the names that lead back to themselves, in groups."""
    reach = {name: set(others) for name, others in graph.items()}
    for middle in graph:
        for others in reach.values():
            if middle in others:
                others |= reach[middle]
    groups = {frozenset(b for b in graph if b in reach[a] and a in reach[b]) for a in graph}
    return [sorted(group) for group in groups if group]


def test_a_module_imports_only_what_its_part_may() -> None:
    wrong = [
        f"{module}: {name}"
        for module in modules()
        if (part := part_of(module, MAY_IMPORT))
        for name in sorted(imports(module))
        if within(name, {"app", "config", "run"}) and not within(name, MAY_IMPORT[part] | {part})
    ]
    assert wrong == []


def test_every_module_of_the_core_belongs_to_a_part_whose_imports_are_limited() -> None:
    core = {module for module in modules() if within(module, {"app.har"})} - {"app.har"}
    assert {module for module in core if not within(module, GROUND | set(CORE))} == set()


def test_the_rooms_of_a_package_keep_apart() -> None:
    wrong = [
        f"{module}: {name}"
        for module in modules()
        for one, other in APART
        if within(module, {one})
        for name in imports(module)
        if within(name, {other})
    ]
    assert wrong == []


def test_no_import_leads_back() -> None:
    graph = imported_modules()
    assert cycles(graph) == []
    packages = [part for part in CORE if "." in part]
    between = {
        part: {other for module in graph if within(module, {part}) for name in graph[module]
               if (other := part_of(name, packages)) and other != part}
        for part in packages
    }  # fmt: skip
    assert cycles(between) == []


def test_each_package_says_what_comes_in_what_goes_out_and_what_it_may_import() -> None:
    packages = [module for module in modules() if within(module, set(CORE)) and is_package(module)]
    for package in packages:
        text = " ".join((ast.get_docstring(source(package)) or "").split())
        assert all(word in text for word in ("In:", "Out:", "May import:")), package


def test_a_service_knows_neither_request_nor_session() -> None:
    wrong = [
        f"{module}: {name}"
        for module in modules()
        if within(module, {"app.services"})
        for name in imports(module)
        if name in REQUEST_BOUND or within(name, {"flask_login", "flask_wtf", "wtforms"})
    ]
    assert wrong == []


def test_only_the_configuration_reads_the_environment() -> None:
    """Settings come from ``config.py``; to tell TensorFlow something before it is imported, one may write."""
    reads = {"os.environ.get", "os.environ.copy", "os.environ.items", "os.getenv"}
    for module in modules():
        for node in ast.walk(source(module)):
            assert not (isinstance(node, ast.Attribute) and ast.unparse(node) in reads), module
            if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
                assert ast.unparse(node.value) != "os.environ", module


@pytest.fixture(scope="module")
def core_modules(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    core = [module for module in modules() if within(module, {"app.har"})]
    return loaded_by("import " + ", ".join(core), tmp_path_factory.mktemp("core"))


def test_the_core_runs_without_the_application(core_modules: set[str]) -> None:
    ours = {name for name in core_modules if within(name, {"app", "config", "run"})}
    assert {name for name in ours if name != "app" and not within(name, {"app.har"})} == set()
    assert core_modules & FRAMEWORKS == set()


def test_the_core_imports_keras_only_when_it_trains_or_predicts(core_modules: set[str]) -> None:
    assert core_modules & {"tensorflow", "keras"} == set()


FIRST_PAGES = """
from app import create_app
from app.extensions import db
app = create_app()
with app.app_context():
    db.create_all()
client = app.test_client()
assert client.get('/').status_code == 200
assert client.get('/login').status_code == 200
assert client.get('/plotly.min.js').status_code == 200
"""
HELP = """
import sys
from flask.cli import main
sys.argv = ['flask', '--app', 'app', '--help']
try:
    main()
except SystemExit as end:
    assert not end.code
"""


@pytest.mark.parametrize(
    "code",
    ["import app", "from app import create_app; create_app()", FIRST_PAGES, HELP, "import app.har.training.experiment"],
    ids=["import", "create_app", "first pages", "flask --help", "training"],
)
def test_nothing_heavy_is_loaded_before_it_is_needed(code: str, tmp_path: Path) -> None:
    assert loaded_by(code, tmp_path) & {*HEAVY, "plotly", "pydantic"} == set()


def test_files_stay_small_enough_to_read() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in (ROOT / "app").rglob("*.py")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 450
    }
    assert long == {}
