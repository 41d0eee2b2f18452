"""``flask backup`` and ``flask restore``: the whole site in one encrypted file, and back."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from flask import current_app

from app.cli.output import needs_home, reports_errors
from app.services.errors import Invalid

key_option = click.option(
    "--key-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with the passphrase in its first line; without it BACKUP_KEY_FILE, and without that you are asked.",
)


def passphrase_from(key_file: Path | None, *, is_new: bool = False) -> str:
    """Return the passphrase of a backup; a new one is asked twice."""
    if (path := key_file or current_app.config["BACKUP_KEY_FILE"]) is None:
        return str(click.prompt("Passphrase of the backup", hide_input=True, confirmation_prompt=is_new, err=True))
    try:
        line = path.read_text(encoding="utf-8").partition("\n")[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"{path} cannot be read as a passphrase: {error}.") from error
    if not line:
        raise Invalid(f"{path} has no passphrase in its first line.")
    return str(line)


@click.command("backup")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--verify", is_flag=True, help="Write nothing: read FILE to its end and look whether all of it is whole.")
@key_option
@needs_home
def backup(file: Path, verify: bool, key_file: Path | None) -> None:
    """Write an encrypted backup of the site to FILE, - for standard output, while it runs.

    FILE is there whole or, if the command is killed, as it was before. Keep the passphrase elsewhere: without it, a
    backup is of no use to anybody. The key of the encryption at rest is not in it.
    """
    if verify:
        from app.services import keys
        from app.services.backups import restoring

        contents = restoring.verify(file, passphrase_from(key_file))
        click.echo(f"Whole: {contents.files:,} files, {contents.n_bytes / 2**20:,.1f} MB, of {contents.made}.")
        warn_of_missing(contents.missing)
        if contents.key:
            click.echo(
                f"It needs the key {contents.key}, which is {'' if contents.has_key else 'not '}in {keys.source()}."
            )
        return
    from app.services.backups import writing

    passphrase = passphrase_from(key_file, is_new=True)
    written = writing.write(sys.stdout.buffer if str(file) == "-" else file, passphrase)
    click.echo(f"Written: {written.files:,} files, {written.n_bytes / 2**20:,.1f} MB.", err=True)


@click.command("restore")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--replace", is_flag=True, help="Let go of everything that the site has now.")
@click.option(
    "--erased",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A newer copy of instance/erasures: who is in it stays erased.",
)
@key_option
@reports_errors
def restore(file: Path, replace: bool, erased: Path | None, key_file: Path | None) -> None:
    """Put a backup in the place of an empty site, while no server runs in HAR_HOME.

    Everything in FILE is looked at before anything is changed, an older database is brought up to date, and if the
    command is killed the site is as it was or as it was to be.
    """
    from app.services import keys
    from app.services.backups import restoring

    restored = restoring.restore(file, passphrase_from(key_file), replace=replace, erased=erased)
    contents = restored.contents
    click.echo(f"Restored: {contents.files:,} files, {contents.n_bytes / 2**20:,.1f} MB, of {contents.made}.")
    if restored.erased:
        click.echo(f"Erased again, as they were after this backup was made: {restored.erased:,}.")
    warn_of_missing(contents.missing)
    if keys.is_made():  # otherwise the next start makes one
        state = keys.state()
        click.echo(f"Its key {state.fingerprint} is in {state.source}.")
        if state.unreadable:
            click.echo(f"It does not open the keys of {state.unreadable:,} of {state.people:,} people.", err=True)
            sys.exit(1)


@click.command("move")
@reports_errors
def move() -> None:
    """Take the site along to a server's database.

    That of DATABASE_URL must be empty, and no site run. The database in HAR_HOME goes when all of it is there: make a
    backup first.
    Ended half-way, it goes on with the next start. The way back is flask backup, and flask restore without
    DATABASE_URL.
    """
    from app.services.backups import restoring

    click.echo(f"{restoring.move_to_server():,} rows are in the server's database now.")


def warn_of_missing(names: list[str]) -> None:
    """Say which files were not there when the backup was made."""
    if names:
        click.echo(f"Not there when it was made: {', '.join(names[:5])}, {len(names):,} in all.", err=True)
