"""``flask backup`` and ``flask restore``."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask

from app.services import accounts, keys, sealing
from app.services.backups import sealed
from tests import homes
from tests.conftest import PASSWORD
from tests.sealed import text_of

PASSPHRASE = "a horse that was backed up"


@pytest.fixture(autouse=True)
def quick_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed, "MEMORY_KIB", 64)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "backup.key"
    path.write_text(f"{PASSPHRASE}\n")
    return path


def test_a_site_is_written_verified_and_restored_from_the_shell(app: Flask, tmp_path: Path, key_file: Path) -> None:
    accounts.register("ada", PASSWORD, "", "ada@example.org", "")
    runner, file = app.test_cli_runner(), str(tmp_path / "site.backup")
    written = runner.invoke(args=["backup", file, "--key-file", str(key_file)])
    assert (written.exit_code, written.stdout) == (0, ""), written.stderr
    assert written.stderr.startswith("Written: ")
    app.config["BACKUP_KEY_FILE"] = key_file
    verified = runner.invoke(args=["backup", file, "--verify"])
    assert verified.exit_code == 0, verified.stderr
    assert verified.stdout.startswith("Whole: ")
    assert f"It needs the key {keys.state().fingerprint}, which is in the environment variable" in verified.stdout
    with homes.at_home(tmp_path / "other") as other:
        restored = other.test_cli_runner().invoke(args=["restore", file], input=f"{PASSPHRASE}\n")
        assert restored.exit_code == 0, restored.stderr
        assert "Restored: " in restored.stdout
        assert PASSPHRASE not in restored.output
        assert accounts.authenticate("ada", PASSWORD)
        again = other.test_cli_runner().invoke(args=["restore", file, "--key-file", str(key_file)])
        assert again.exit_code == 1
        assert "is not empty" in again.stderr


def test_a_backup_whose_key_is_not_here_is_refused_in_words_and_with_it_files_open(
    app: Flask, tmp_path: Path, key_file: Path
) -> None:
    user = accounts.register("ada", PASSWORD, "", "ada@example.org", "")
    (folder := Path(app.config["UPLOADS"]) / "recording-1").mkdir()
    key = keys.of(user.id)
    with sealing.created(folder / "notes.txt", key) as file:
        file.write(b"walked home")
    wanted, backup = keys.state().fingerprint, [str(tmp_path / "site.backup"), "--key-file", str(key_file)]
    assert app.test_cli_runner().invoke(args=["backup", *backup]).exit_code == 0
    stranger = keys.as_text(keys.random_key())
    with homes.at_home(tmp_path / "stranger", ENCRYPTION_KEY=stranger) as other:
        refused = other.test_cli_runner().invoke(args=["restore", *backup])
        assert refused.exit_code == 1
        assert f"Nothing was changed. This backup needs the key {wanted}" in refused.stderr
        assert "not in the environment variable ENCRYPTION_KEY" in refused.stderr
        assert not (tmp_path / "stranger" / homes.DATABASE).exists()
        assert list((tmp_path / "stranger" / "uploads").iterdir()) == []
        unread = other.test_cli_runner().invoke(args=["backup", "--verify", *backup])
        assert (unread.exit_code, f"needs the key {wanted}" in unread.stderr) == (1, True)
    sealing.forget(key.name)  # which this process knows
    with homes.at_home(tmp_path / "other") as other:
        restored = other.test_cli_runner().invoke(args=["restore", *backup])
        assert (restored.exit_code, restored.stderr) == (0, "")
        assert f"Its key {wanted} is in the environment variable ENCRYPTION_KEY." in restored.stdout
        assert text_of(tmp_path / "other" / "uploads" / "recording-1" / "notes.txt") == "walked home"


def test_a_backup_goes_to_standard_output_alone(app: Flask, tmp_path: Path, key_file: Path) -> None:
    result = app.test_cli_runner().invoke(args=["backup", "-", "--key-file", str(key_file)])
    assert result.exit_code == 0, result.stderr
    assert result.stdout_bytes.startswith(sealed.MARK)
    (tmp_path / "piped").write_bytes(result.stdout_bytes)
    app.config["BACKUP_KEY_FILE"] = key_file
    assert app.test_cli_runner().invoke(args=["backup", str(tmp_path / "piped"), "--verify"]).exit_code == 0


def test_a_new_passphrase_is_asked_twice(app: Flask, tmp_path: Path) -> None:
    file = tmp_path / "site.backup"
    result = app.test_cli_runner().invoke(args=["backup", str(file)], input=f"{PASSPHRASE}\nother\n")
    assert result.exit_code == 1
    assert "do not match" in result.output
    assert not file.exists()


@pytest.mark.parametrize(("content", "says"), [(b"\nsecond line", "no passphrase"), (b"\xff", "cannot be read")])
def test_a_file_that_holds_no_passphrase_is_one_line(app: Flask, tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "key").write_bytes(content)
    result = app.test_cli_runner().invoke(args=["backup", str(tmp_path / "a"), "--key-file", str(tmp_path / "key")])
    assert result.exit_code == 1
    assert says in result.stderr
    assert result.stderr.count("\n") == 1
