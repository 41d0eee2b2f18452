"""``flask falls train|list|use|delete``: detectors of falls."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from flask.cli import AppGroup

from app.cli.output import json_option, needs_home, print_json

if TYPE_CHECKING:
    from app.services.falls import Stored

falls = AppGroup("falls", help="Train and choose what watches for falls.")
HONEST = "Research software, not a medical device. What the figures mean: docs/BENCHMARKS.md, section falls."


@falls.command("train", epilog=HONEST)
@click.argument("data", nargs=-1, required=True)
@click.option("--fall", "activities", multiple=True, help="An activity that is a fall; default by their names.")
@json_option
@needs_home
def train(data: tuple[str, ...], activities: tuple[str, ...], as_json: bool) -> None:
    """Train a detector on DATA, data sets or paths to some such as SisFall, and use it from now on."""
    from app.services import falls as service

    stored = service.train(data, activities)
    print_json(stored.as_dict()) if as_json else click.echo(_line(stored))


@falls.command("list", epilog=HONEST)
@json_option
@needs_home
def list_(as_json: bool) -> None:
    """List what can watch for falls, the one in use with a star."""
    from app.services import falls as service

    stored = service.list_detectors()
    threshold = service.current() is None
    if as_json:
        print_json([*(one.as_dict() for one in stored), {"name": "threshold", "used": threshold}])
        return
    for one in stored:
        click.echo(_line(one))
    click.echo(f"{'*' if threshold else ' '} threshold: impact, turn and stillness; needs no training")


@falls.command("use")
@click.argument("name")
@needs_home
def use(name: str) -> None:
    """Let NAME watch from now on: a detector that flask falls list names, or threshold."""
    from app.services import falls as service

    service.use(name)
    click.echo(service.method_in_words())


@falls.command("delete")
@click.argument("name")
@needs_home
def delete(name: str) -> None:
    """Delete the detector NAME; if it was used, the one that comes with Kinelab watches."""
    from app.services import falls as service

    service.delete(name)
    click.echo(service.method_in_words())


def _line(stored: Stored) -> str:
    if stored.damage:
        return f"! {stored.name}: {stored.damage}"
    facts = stored.facts
    return (
        f"{'*' if stored.used else ' '} {stored.name}: trained on {facts['trained_on']}; of people left out it tells "
        f"of {facts['sensitivity']:.1%} of {facts['falls']} falls, {facts['false_alarms_an_hour']:.2f} false alarms "
        f"an hour of staged daily activities ({facts['hours']:.1f} h)"
    )
