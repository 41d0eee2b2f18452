"""Fixtures that every test may use."""

from __future__ import annotations

import os

if "PYTEST_XDIST_WORKER" in os.environ:  # a worker on each core: threads of their own would only wait for one another
    for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.setdefault(threads, "1")

# Each test's home has its own database; in a file outside of it, their keys would outlive them
os.environ.setdefault("ENCRYPTION_KEY", "KINELAB-X45RL5-WQQMDY-OM625J-RZAYTK-K3YY7A-CSN2WT-OE7N6G-FGK4HQ-TCLEND-3X")

import gc
import hashlib
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import Context
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from types import MethodType
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from jinja2 import FileSystemBytecodeCache
from werkzeug.routing import Rule

from tests import homes, postgresql

if TYPE_CHECKING:
    from app.har.datasets.store import Store
    from app.har.types import FloatArray
    from app.har.windows import WindowSet
    from app.tables import Dataset
    from tests.trained import Example

ROOT = Path(__file__).resolve().parent.parent
gc.set_threshold(2000, 10, 100)  # of 700, 10, 10: a look through all objects takes long, and so often an eighth of all
PASSWORD = "correct horse battery"
looked_at = 0  # modules


def pytest_configure(config: pytest.Config) -> None:
    """Start the server that TEST_DATABASE asks for; workers, which are started afterwards, find it."""
    wanted = os.environ.get("TEST_DATABASE") or "sqlite"
    assert wanted in {"sqlite", "postgresql"}, f"TEST_DATABASE must be sqlite or postgresql; found {wanted}"
    if wanted == "postgresql" and not postgresql.is_used() and not config.option.collectonly:
        running = ExitStack()
        config.add_cleanup(running.close)
        os.environ[postgresql.FOLDER] = str(running.enter_context(postgresql.server()))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave out what only a database in a file does."""
    mark = item.get_closest_marker("sqlite")
    if mark is not None and postgresql.is_used():
        pytest.skip(mark.args[0])


def pytest_runtest_teardown() -> None:
    """Let the garbage collector pass over what libraries made when they were loaded: it stays."""
    global looked_at
    if len(sys.modules) > looked_at + 300:
        looked_at = len(sys.modules)
        gc.collect()
        gc.freeze()


class ServerLikeClient(FlaskClient):
    """Serve each request as the server does, in an application context of its own and not in the test's.

    In a shared one flask-login would remember the first request's account for all that follow. The answer is read to
    its end, so that a file that is sent is closed.
    """

    def run_wsgi_app(self, environ: Any, buffered: bool = False) -> Any:
        from app.extensions import db

        response = Context().run(super().run_wsgi_app, environ, buffered=True)
        environ["wsgi.input"].close()  # a temporary file, where much is uploaded
        db.session.expire_all()  # the test looks at the database afresh
        return response


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Return the folder of real recordings; without it a test is skipped on a user's machine and fails in CI."""
    folder = Path(os.environ.get("HAR_DATA_DIR") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        message = f"the real recordings are not at {folder} (set HAR_DATA_DIR)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return folder


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that this run's workers share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def migrated_home(shared_folder: Path) -> Path:
    """Return a home with an empty database as the migrations make it; each test gets a copy."""
    return homes.made_once(shared_folder / "migrated", homes.migrate)


@pytest.fixture(scope="session")
def started_home(shared_folder: Path, migrated_home: Path) -> Path:
    """Return a home after the first start, with the example and the reference models, and the data set "small"."""
    return homes.made_once(shared_folder / "started", partial(homes.start, migrated=migrated_home))


@pytest.fixture(scope="session")
def other_home(shared_folder: Path, started_home: Path) -> Path:
    """Return the same with a second small data set, "other"."""
    return homes.made_once(shared_folder / "other", partial(homes.add_other, started=started_home))


@pytest.fixture(scope="session")
def finished_home(shared_folder: Path, started_home: Path) -> Path:
    """Return the same after a training of a Random Forest on the example: run 1, and ``events.json``."""
    return homes.made_once(shared_folder / "finished", partial(homes.finish_a_run, started=started_home))


@pytest.fixture(scope="session")
def deployed_home(shared_folder: Path, started_home: Path) -> Path:
    """Return a home in which ``flask train`` made version 1 of the example's ELM-GRU-AM; ``stdout``, ``stderr``."""
    return homes.made_once(shared_folder / "deployed", partial(homes.deploy, started=started_home))


@pytest.fixture(scope="session")
def small_base(shared_folder: Path) -> Path:
    """Return the folder of a small model of ELM-GRU-AM to build on."""
    from tests.trained import make_base

    return homes.made_once(shared_folder / "small-base", lambda part: make_base(part / "model")) / "model"


@pytest.fixture(scope="session")
def ku_har_home(shared_folder: Path, migrated_home: Path, data_dir: Path) -> Path:
    """Return a home in which ``flask datasets add`` converted the real KU-HAR; ``stdout``."""
    archive = data_dir / "ku-har" / "1.Raw_time_domian_data.zip"
    return homes.made_once(shared_folder / "ku-har", partial(homes.add_ku_har, migrated=migrated_home, archive=archive))


@pytest.fixture(scope="session")
def real_store(shared_folder: Path, data_dir: Path) -> Callable[[str], Store]:
    """Return what opens a data set of real recordings, named by its path in ``data_dir``, which is converted once."""
    from app.har.datasets.store import build_store, open_store

    def converted(name: str) -> Store:
        folder = homes.made_once(
            shared_folder / name.replace("/", " "), lambda part: build_store(data_dir / name, part / "store")
        )
        return open_store(folder / "store")

    return converted


@pytest.fixture(scope="session", autouse=True)
def quick_hashes() -> Iterator[None]:
    """Hash passwords with a fraction of the work, and judge each once: tests log in more often than people."""
    from app.services.identity import rules
    from app.tables import user

    estimate = cache(lambda secret, words, judge=rules._estimate: judge(secret, list(words)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rules, "_estimate", lambda secret, words: estimate(secret, tuple(words)))
        patch.setattr(user, "PASSWORD_METHOD", "scrypt:128:8:1")
        yield


@pytest.fixture(scope="session")
def compiled_templates(tmp_path_factory: pytest.TempPathFactory) -> FileSystemBytecodeCache:
    """Keep compiled templates, or each test's application would compile them anew."""
    return FileSystemBytecodeCache(str(tmp_path_factory.mktemp("templates")))


@pytest.fixture(scope="session", autouse=True)
def compiled_routes() -> Iterator[None]:
    """Compile each route's address once, or each test's application would: the longest part of its start."""
    compile_anew, compiled = Rule.compile, {}
    made = ("_parts", "_trace", "_converters", "arguments")

    def compile_once(rule: Rule) -> None:
        defaults = tuple(sorted((rule.defaults or {}).items()))
        key = rule.rule, rule.subdomain, rule.merge_slashes, defaults, frozenset(rule.map.converters.items())
        if key not in compiled:
            compile_anew(rule)
            builders = rule._build.__func__, rule._build_unknown.__func__
            compiled[key] = {name: getattr(rule, name) for name in made}, builders
        attributes, (build, build_unknown) = compiled[key]
        vars(rule).update(attributes, _build=MethodType(build, rule), _build_unknown=MethodType(build_unknown, rule))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Rule, "compile", compile_once)
        yield


@contextmanager
def application(home: Path, migrated_home: Path, templates: FileSystemBytecodeCache) -> Iterator[Flask]:
    """Run an application with its own empty home and database, without CSRF and rate limits.

    Administrators may read by path what lies beside the home.
    """
    from app.services import audit
    from app.services.datasets import exports

    homes.copy_database(migrated_home, home)
    settings = {"TESTING": True, "WTF_CSRF_ENABLED": False, "RATELIMIT_ENABLED": False}
    audit._refusals.clear()  # of which only so many of one address are written in a minute: those of other tests count
    audit._looks.clear()
    with homes.at_home(home, **settings, DATA_FOLDERS=(home.parent,)) as app:
        app.test_client_class = ServerLikeClient
        app.jinja_env.bytecode_cache = templates
        yield app
    for give_back in [exports.begin() for _ in range(exports.MOST_AT_ONCE)]:  # no test keeps a place of this process
        give_back()
    postgresql.forget(home)


@pytest.fixture
def app(tmp_path: Path, migrated_home: Path, compiled_templates: FileSystemBytecodeCache) -> Iterator[Flask]:
    """Return an application with its own empty home and database, without CSRF and rate limits."""
    with application(tmp_path / "home", migrated_home, compiled_templates) as app:
        yield app


@pytest.fixture
def reads_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process do what readers do, so that a test can look on or change what happens in one."""
    from app.services.readers import pool

    def ask(
        task: str, arguments: dict[str, Any], limits: pool.Limits, on_event: Callable[..., None] = lambda _: None
    ) -> Any:
        module, _, name = task.partition(":")
        result = getattr(import_module(module), name)(json.loads(json.dumps(arguments)), on_event)
        return json.loads(json.dumps(result))

    monkeypatch.setattr(pool, "ask", ask)


@pytest.fixture
def example(app: Flask, started_home: Path) -> Flask:
    """Return the application with the embedded example."""
    homes.copy_dataset(started_home, homes.EXAMPLE, app)
    return app


@pytest.fixture
def small(app: Flask, started_home: Path) -> Dataset:
    """Give the application the data set "small": in KU-HAR's layout, two people, six recordings; return its row."""
    from app.services.datasets import library

    homes.copy_dataset(started_home, homes.SMALL, app)
    return library.get(homes.SMALL)


@pytest.fixture
def two(app: Flask, small: Dataset, other_home: Path) -> Flask:
    """Return the application with the data sets "small" and "other", of two and three people; no plots are drawn."""
    app.config["TRAINING_PLOTS"] = False
    homes.copy_dataset(other_home, homes.OTHER, app)
    return app


@pytest.fixture
def finished_run(example: Flask, finished_home: Path) -> int:
    """Give the application a finished training of a Random Forest on the example; return the run's number."""
    homes.copy_run(finished_home, 1)
    return 1


@pytest.fixture
def deployed(example: Flask, deployed_home: Path) -> Flask:
    """Return the application with an ELM-GRU-AM of the example: trained from a shell as run 1, and promoted."""
    homes.copy_run(deployed_home, 1)
    homes.copy_models(deployed_home, homes.EXAMPLE, example)
    return example


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def logged_in(app: Flask, username: str, role: str = "user") -> FlaskClient:
    """Register a person and return a client that is logged in as that person."""
    from app.services import accounts

    accounts.register(username, PASSWORD, "+44 20 7946 0000", f"{username}@example.org", "1 High Street", role)
    client = app.test_client()
    response = client.post("/login", data={"username": username, "password": PASSWORD})
    assert response.status_code == 302
    return client


@pytest.fixture
def log_in(app: Flask) -> Callable[..., FlaskClient]:
    """Return a maker of logged-in clients: ``log_in("ada")`` is a user, ``log_in("ada", role="admin")`` not only."""
    return partial(logged_in, app)


@pytest.fixture
def user_client(log_in: Callable[..., FlaskClient]) -> FlaskClient:
    """Return a client of the user ``ursula``."""
    return log_in("ursula")


@pytest.fixture
def admin_client(log_in: Callable[..., FlaskClient]) -> FlaskClient:
    """Return a client of the administrator ``adam``."""
    return log_in("adam", role="admin")


@pytest.fixture
def caregiver_client(log_in: Callable[..., FlaskClient]) -> FlaskClient:
    """Return a client of the caregiver ``carla``."""
    return log_in("carla", role="caregiver")


@pytest.fixture(scope="session")
def example_model(started_home: Path) -> Example:
    """Return the embedded example and the reference model that was trained on eight of its ten people."""
    return homes.example(started_home, homes.EXAMPLE, "reference-physiotherapy")


@pytest.fixture(scope="session")
def small_lab(shared_folder: Path, example_model: Example) -> Path:
    """Return the folder of a model that sites can merge, with a head of few nodes."""
    from tests.federation import small_model

    return (
        homes.made_once(shared_folder / "small-lab", lambda part: small_model(example_model, part / "model")) / "model"
    )


@pytest.fixture(scope="session")
def described() -> dict[bytes, FloatArray]:
    """Hold what windows were described as, by map and windows; see `described_once`."""
    return {}


@pytest.fixture
def described_once(described: dict[bytes, FloatArray], monkeypatch: pytest.MonkeyPatch) -> None:
    """Describe the same windows by the same map once: sites do it window by window, and tests have the same ones."""
    from app.har.federation.site_sums import SharedMap

    describe = SharedMap._scaled

    def once(self: SharedMap, windows: WindowSet) -> FloatArray:
        key = self.digest.encode() + hashlib.sha256(np.ascontiguousarray(windows.X).tobytes()).digest()
        if key not in described:
            described[key] = describe(self, windows)
        return described[key].copy()

    monkeypatch.setattr(SharedMap, "_scaled", once)


@pytest.fixture(scope="session")
def walking_model(started_home: Path) -> Example:
    """Return the data set "small" and the reference model of KU-HAR, which knows no gravity either."""
    return homes.example(started_home, homes.SMALL, "reference-ku-har")
