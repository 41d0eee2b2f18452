"""``flask audit``: look whether the audit log is as it was written."""

from __future__ import annotations

import sys

import click

from app.cli.output import json_option, print_json, reports_errors
from app.services import audit


@click.group("audit")
def audit_() -> None:
    """Look whether the audit log is as it was written."""


@audit_.command("verify")
@click.option("--since", metavar="NUMBER:CHAIN", help="A line that was noted elsewhere, as this command prints it.")
@json_option
@reports_errors
def verify(since: str | None, as_json: bool) -> None:
    """Look at each line of the audit log, and name the first one that was changed, added or taken away."""
    verdict = audit.verify()
    noted = since is None or audit.has_line(since)
    if as_json:
        print_json({**vars(verdict), "broken": [str(broken) for broken in verdict.broken], "noted": noted})
    else:
        for broken in verdict.broken:
            click.echo(f"Broken: {broken}")
        if verdict.n_broken > len(verdict.broken):
            click.echo(f"and {verdict.n_broken - len(verdict.broken)} more")
        if not noted:
            click.echo(f"Broken: the line {since} is not in the log.")
        earlier = f", after {verdict.before:,} of an earlier version without a chain" if verdict.before else ""
        state = "Every line holds" if noted and not verdict.n_broken else "The chain does not hold"
        click.echo(f"{state}: {verdict.lines:,} lines{earlier}. The last one is {verdict.number}:{verdict.chain}")
    if verdict.n_broken or not noted:
        sys.exit(1)
