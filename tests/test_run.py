"""The start of the server: where it listens, and what it says when it cannot."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from config import Config
from run import keep_home, listen, warn_of_what_is_open


def test_a_port_in_use_is_a_clear_message() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SystemExit, match=f"cannot listen on 127.0.0.1:{port}.*make run PORT="):
            listen("127.0.0.1", str(port))


@pytest.mark.parametrize(
    ("host", "port", "message"),
    [
        ("127.0.0.1", "many", "PORT must be a number"),
        ("127.0.0.1", "99999", "PORT must be a number"),
        ("no-such-host.invalid", "0", "HOST must be an address"),
    ],
)
def test_a_wrong_host_or_port_is_a_clear_message(host: str, port: str, message: str) -> None:
    with pytest.raises(SystemExit, match=message):
        listen(host, port)


def test_port_0_takes_a_free_port() -> None:
    with listen("127.0.0.1", "0") as listener:
        assert listener.getsockname()[1] > 0


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "a year", "99999999999999999999"])
def test_a_wrong_number_of_days_is_a_clear_message(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAR_HOME", str(tmp_path))
    monkeypatch.setenv("AUDIT_DAYS", text)
    with pytest.raises(SystemExit, match=f"AUDIT_DAYS must be a whole number of days.*{text}"):
        Config()


@pytest.mark.parametrize("name", ["MAX_UPLOAD_MB", "USER_QUOTA_MB", "DISK_RESERVE_MB"])
@pytest.mark.parametrize("text", ["abc", "0", "-5", "nan", "inf"])
def test_a_wrong_limit_of_bytes_is_a_clear_message(
    name: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HAR_HOME", str(tmp_path))
    monkeypatch.setenv(name, text)
    with pytest.raises(SystemExit, match=f"{name} must be a number.*{text}"):
        Config()


@pytest.mark.parametrize(
    "name",
    [
        "THREADS",
        "MAX_CONNECTIONS",
        "MAX_STREAMS",
        "CONNECTION_TIMEOUT_S",
        "READERS",
        "READ_TIMEOUT_S",
        "READ_MEMORY_MB",
        "ADD_TIMEOUT_S",
        "FEDERATION_MIN_WINDOWS",
        "FEDERATION_MIN_PEOPLE",
    ],
)
@pytest.mark.parametrize("text", ["many", "0", "-5", "1.5", "²", "9" * 5000])
def test_a_wrong_limit_of_the_server_is_a_clear_message(
    name: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HAR_HOME", str(tmp_path))
    monkeypatch.setenv(name, text)
    with pytest.raises(SystemExit, match=rf"{name} must be a whole number from \d+ to [\d,]+; found '{text[:9]}"):
        Config()


@pytest.mark.parametrize("name", ["SESSION_HOURS", "SESSION_IDLE_MINUTES", "VALID_DAY_HOURS"])
@pytest.mark.parametrize("text", ["soon", "0", "-1", "inf"])
def test_a_wrong_length_of_sessions_is_a_clear_message(
    name: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HAR_HOME", str(tmp_path))
    monkeypatch.setenv(name, text)
    with pytest.raises(SystemExit, match=f"{name} must be a number.*{text}"):
        Config()


def test_a_home_has_one_server(tmp_path: Path) -> None:
    (tmp_path / "instance").mkdir()
    first = keep_home(tmp_path)
    with pytest.raises(SystemExit, match=f"{tmp_path} is in use by a server that is just starting"):
        keep_home(tmp_path)
    (tmp_path / "instance" / "server.txt").write_text("process 12, at http://127.0.0.1:5000")
    with pytest.raises(SystemExit, match=r"in use by process 12, at http://127.0.0.1:5000. Stop that one first"):
        keep_home(tmp_path)
    first.release()
    keep_home(tmp_path).release()


@pytest.mark.parametrize("text", ["one", "-1", "1.5", "11"])
def test_a_wrong_number_of_proxies_is_a_clear_message(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HAR_HOME", str(tmp_path))
    monkeypatch.setenv("PROXIES", text)
    with pytest.raises(SystemExit, match=f"PROXIES must be the number of proxies.*{text}"):
        Config()


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({}, set()),
        ({"HOST": "localhost"}, set()),
        ({"HOST": "192.0.2.7"}, {"PROXIES", "HTTPS"}),
        ({"HOST": "192.0.2.7", "HTTPS": "1"}, {"PROXIES"}),
        ({"HTTPS": "1"}, {"PROXIES"}),
        ({"HOST": "192.0.2.7", "HTTPS": "1", "PROXIES": "1"}, set()),
        ({"HOST": "lab.example.org", "PROXIES": "1"}, {"HTTPS"}),
        ({"HTTPS": "own"}, set()),
    ],
)
def test_a_site_that_others_reach_says_what_was_left_out(
    settings: dict[str, str],
    named: set[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for name, value in (settings | {"HAR_HOME": str(tmp_path)}).items():
        monkeypatch.setenv(name, value)
    warn_of_what_is_open(Config())
    assert {name for name in ("PROXIES", "HTTPS") if f"set {name}=1" in caplog.text} == named


def test_a_home_that_is_a_file_is_a_clear_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home").touch()
    monkeypatch.setenv("HAR_HOME", str(tmp_path / "home"))
    with pytest.raises(SystemExit, match="HAR_HOME must be a folder"):
        Config()


def test_a_home_that_cannot_be_written_is_a_clear_message(tmp_path: Path) -> None:
    (tmp_path / "instance").touch()  # a folder without the right to write is none for root
    with pytest.raises(SystemExit, match="HAR_HOME must be a folder that can be written"):
        keep_home(tmp_path)


def test_the_folders_to_read_from_are_those_named_or_the_recordings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HAR_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("DATA_FOLDERS", raising=False)
    monkeypatch.delenv("HAR_DATA_DIR", raising=False)
    assert Config().DATA_FOLDERS == ()
    first, second = tmp_path / "first", tmp_path / "second"
    monkeypatch.setenv("HAR_DATA_DIR", str(first))
    assert Config().DATA_FOLDERS == ()
    first.mkdir()
    second.mkdir()
    assert (first,) == Config().DATA_FOLDERS
    monkeypatch.setenv("DATA_FOLDERS", f"{second}{os.pathsep}{first}")
    assert (second, first) == Config().DATA_FOLDERS


@pytest.mark.parametrize("text", ["nowhere", "/no/such/folder", "{tmp_path}/home/uploads", "{tmp_path}/home"])
def test_wrong_folders_to_read_from_are_a_clear_message(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HAR_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DATA_FOLDERS", text.format(tmp_path=tmp_path))
    with pytest.raises(SystemExit, match=r"DATA_FOLDERS must .*; found"):
        Config()


def test_https_is_off_a_proxys_or_our_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAR_HOME", str(tmp_path))
    monkeypatch.delenv("HOST", raising=False)
    monkeypatch.setenv("TLS_NAMES", " Lab.example.org, 10.0.0.1 ,")
    hosts = {}
    for text in ("", "1", "own"):
        monkeypatch.setenv("HTTPS", text)
        config = Config()
        hosts[text] = config.HOST
        assert (text != "") == config.SESSION_COOKIE_SECURE
        assert (text == "own") == config.OWN_TLS
    assert hosts == {"": "127.0.0.1", "1": "127.0.0.1", "own": "0.0.0.0"}  # noqa: S104
    assert config.TLS_NAMES == ("lab.example.org", "10.0.0.1")
    monkeypatch.setenv("HTTPS", "yes")
    with pytest.raises(SystemExit, match=r"HTTPS must be .*'yes'"):
        Config()


def test_a_token_for_metrics_that_could_be_guessed_is_a_clear_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HAR_HOME", str(tmp_path))
    monkeypatch.setenv("METRICS_TOKEN", "short")
    with pytest.raises(SystemExit, match="METRICS_TOKEN must have at least 20 letters; found 5"):
        Config()


def test_a_file_with_the_key_of_backups_that_is_not_there_is_a_clear_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HAR_HOME", str(tmp_path))
    monkeypatch.setenv("BACKUP_KEY_FILE", str(tmp_path / "none"))
    with pytest.raises(SystemExit, match=r"BACKUP_KEY_FILE must be a file that can be read; found .*none"):
        Config()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ENCRYPTION_PASSPHRASE": "four words to remember"}, "ENCRYPTION_KEY must be set alone"),
        ({"ENCRYPTION_KEY": "", "ENCRYPTION_KEY_FILE": "keys"}, "ENCRYPTION_KEY_FILE must be a path from the root"),
    ],
)
def test_a_key_that_nobody_would_find_again_is_a_clear_message(
    settings: dict[str, str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (settings | {"HAR_HOME": str(tmp_path)}).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit, match=message):
        Config()
