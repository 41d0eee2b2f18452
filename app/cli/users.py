"""``flask users``: make and list accounts, and let their owners in again."""

from __future__ import annotations

import sys

import click
from flask import current_app

from app.cli.output import json_option, needs_home, print_json
from app.services import accounts, audit
from app.services.errors import Conflict
from app.services.identity import one_time


def site_address() -> str:
    """Return where the site is, as far as its settings say: a proxy may give it another name."""
    host, port = current_app.config["HOST"], current_app.config["PORT"]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


@click.group()
def users() -> None:
    """Create and list accounts, and make addresses that work once."""


@users.command("create")
@click.option("--username", required=True)
@click.option("--email", required=True)
@click.option("--role", type=click.Choice(list(accounts.ROLES)), default="user", show_default=True)
@click.option("--contact-number", default="")
@click.option("--address", default="")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input instead of asking twice.")
@needs_home
def create_user(username: str, email: str, role: str, contact_number: str, address: str, password_stdin: bool) -> None:
    """Make an account, for example the first administrator's."""
    if password_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    user = accounts.register(username, password, contact_number, email, address, role)
    click.echo(f"{user.username} may log in now, as {user.role.in_words}.")


@users.command("setup-address")
@needs_home
def setup_address() -> None:
    """Make a new one-time address at which the first administrator creates their account; earlier ones end."""
    if not accounts.setup_needed():
        raise Conflict("There is an administrator already.")
    click.echo(f"{site_address()}/setup/{accounts.setup_token()}")
    click.echo(f"It works once, within {accounts.SETUP_HOURS} hours.", err=True)


@users.command("reset")
@click.argument("name")
@needs_home
def reset(name: str) -> None:
    """Make a one-time address at which the account NAME gets a new password; its second factor stays."""
    token = one_time.open_reset(accounts.find(name).id)
    click.echo(f"{site_address()}/reset/{token}")
    click.echo(f"It works once, within {one_time.RESET_HOURS} hours.", err=True)


@users.command("list")
@json_option
@needs_home
def list_users(as_json: bool) -> None:
    """List the accounts."""
    everybody = accounts.all_users()
    audit.looked("list of accounts", [user.id for user in everybody])
    if as_json:
        print_json(
            [
                {
                    "username": user.username,
                    "email": user.email,
                    "role": user.role.value,
                    "disabled": user.disabled,
                    "created": user.created.isoformat(),
                    "last_login": user.last_login.isoformat() if user.last_login else None,
                }
                for user in everybody
            ]
        )
        return
    for user in everybody:
        click.echo(f"{user.username:<24} {user.email:<32} {user.role.value}{', disabled' if user.disabled else ''}")
