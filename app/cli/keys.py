"""``flask keys check|encrypt-database|decrypt-database|export|new|rotate|seal``."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

import click
from flask.cli import AppGroup

from app.cli.output import json_option, needs_home, print_json

keys = AppGroup("keys", help="The key under which everything about people is sealed.")


@keys.command("check")
@json_option
@needs_home
def check(as_json: bool) -> None:
    """Say where the key is, and whether it opens everything that is stored; status 1 where it does not."""
    from app.services import keys as own
    from app.services import sealing_stored

    state, stock = own.state(), sealing_stored.stock()
    if as_json:
        print_json(
            {
                "fingerprint": state.fingerprint,
                "from": str(state.source),
                "database": state.database,
                "people": state.people,
                "keys_unreadable": state.unreadable,
                "files": asdict(stock),
            }
        )
    else:
        click.echo(f"The key is {state.fingerprint}, in {state.source}.")
        click.echo(f"People with a key: {state.people:,}, of which it does not open {state.unreadable:,}.")
        click.echo(f"Files: {stock.sealed:,} sealed, {stock.plain:,} plain, {stock.unreadable:,} that nothing opens.")
    if state.database == "plain":
        click.echo("The database is plain: stop the server and run flask keys encrypt-database.", err=True)
    if state.beside_data:
        click.echo("The key lies beside the data: whoever copies them has it, too. Move it.", err=True)
    if stock.plain:
        click.echo("An earlier build left files plain: stop the server and run flask keys seal.", err=True)
    if state.unreadable or stock.unreadable:
        sys.exit(1)


@keys.command("export")
@needs_home
def export() -> None:
    """Print the key, for a copy on paper or in a safe: without it, everything about people is lost."""
    from app.services import keys as own

    click.echo(own.export())


@keys.command("new")
def new() -> None:
    """Print a key to put into ENCRYPTION_KEY; nothing is changed."""
    from app.services import keys as own

    click.echo(own.as_text(own.random_key()))


@keys.command("rotate")
@needs_home
def rotate() -> None:
    """Wrap everybody's key by a new key of the installation; files stay as they are."""
    from app.services import keys as own

    passphrase = ""
    if own.source().kind == "passphrase":
        passphrase = click.prompt("New passphrase", hide_input=True, confirmation_prompt=True)
    before = own.state()
    text = own.rotate(passphrase)
    click.echo(text)
    click.echo("This is the key from now on. Keep a copy where neither this disk nor its backups are.", err=True)
    if before.source.kind == "passphrase":
        click.echo("Set ENCRYPTION_PASSPHRASE to the new passphrase before the next start.", err=True)
    else:
        click.echo(f"The one before, {before.fingerprint}, opens backups made with it, and nothing newer.", err=True)


@keys.command("seal")
@needs_home
def seal() -> None:
    """Seal what an earlier build stored plain; ended half-way, it goes on where it was."""
    from app.services import sealing_stored

    def on_file(path: Path) -> None:
        click.echo(f"{path.parent.name}/{path.name}", err=True)

    click.echo(f"{sealing_stored.seal_all(on_file):,} files were plain, and are sealed now.")


@keys.command("encrypt-database")
@needs_home
def encrypt_database() -> None:
    """Encrypt the database, too, while the site is stopped; decrypt-database takes it back."""
    _change(encrypted=True)


@keys.command("decrypt-database")
@needs_home
def decrypt_database() -> None:
    """Make the database plain again, while the site is stopped."""
    _change(encrypted=False)


def _change(*, encrypted: bool) -> None:
    from app.services import database_changing

    n_bytes = database_changing.change(encrypted)
    click.echo(f"The database is {'encrypted' if encrypted else 'plain'} now: {n_bytes / 2**20:,.1f} MiB.")
    if encrypted:
        click.echo("Its blocks before may remain on the disk, and in earlier copies; backups are sealed.", err=True)
