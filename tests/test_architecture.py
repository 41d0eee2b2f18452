"""Who may import whom: ``web → services → {models, har}``, ``cli → services``; the core knows nothing of ours."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

# What each part may import of ours; `config` reads the environment and nobody but the factory needs it.
MAY_IMPORT = {
    "app.har": {"app.har"},
    "app.tables": {"app.tables", "app.extensions"},
    "app.services": {"app.services", "app.tables", "app.har", "app.extensions"},
    "app.web": {"app.web", "app.services", "app.har", "app.extensions"},
    "app.cli": {"app.cli", "app.services", "app.har"},
}
FRAMEWORKS = {"flask", "sqlalchemy", "flask_sqlalchemy", "flask_login", "wtforms", "werkzeug", "click"}
REQUEST_BOUND = {"request", "session", "g", "flash", "redirect", "render_template", "url_for"}
HEAVY = ["tensorflow", "keras", "sklearn", "matplotlib", "pandas"]


def modules() -> list[str]:
    paths = sorted((ROOT / "app").rglob("*.py"))
    return [".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in paths]


def source(module: str) -> ast.Module:
    path = ROOT / Path(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(module: str) -> set[str]:
    """Return every name that a module imports, inside functions too, but not what only the type checker reads."""
    tree = source(module)
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            node.body = []
    found = set()
    for node in ast.walk(tree):
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
    environment = {**os.environ, "HAR_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    environment.pop("DATABASE_URL", None)
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


@pytest.mark.parametrize("module", [m for m in modules() if within(m, set(MAY_IMPORT))])
def test_a_module_imports_only_what_its_part_may(module: str) -> None:
    part = ".".join(module.split(".")[:2])
    ours = {name for name in imports(module) if within(name, {"app", "config", "run"})}
    assert {name for name in ours if not within(name, MAY_IMPORT[part])} == set()


@pytest.mark.parametrize("module", [m for m in modules() if within(m, {"app.services"})])
def test_a_service_knows_neither_request_nor_session(module: str) -> None:
    flask_names = {name.removeprefix("flask.") for name in imports(module) if name.startswith("flask.")}
    assert flask_names & REQUEST_BOUND == set()
    assert {name for name in imports(module) if within(name, {"flask_login", "flask_wtf", "wtforms"})} == set()


@pytest.mark.parametrize("module", modules())
def test_only_the_configuration_reads_the_environment(module: str) -> None:
    """Settings come from ``config.py``; to tell TensorFlow something before it is imported, one may write."""
    reads = {"os.environ.get", "os.environ.copy", "os.environ.items", "os.getenv"}
    for node in ast.walk(source(module)):
        assert not (isinstance(node, ast.Attribute) and ast.unparse(node) in reads)
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
            assert ast.unparse(node.value) != "os.environ"


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
    assert loaded_by(code, tmp_path) & {*HEAVY, "plotly"} == set()


def test_files_stay_small_enough_to_read() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in (ROOT / "app").rglob("*.py")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 460
    }
    assert long == {}
