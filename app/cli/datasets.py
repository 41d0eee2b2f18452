"""``flask datasets add|export|list|info|map|rename|remove``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from flask.cli import AppGroup

from app.cli.output import json_option, needs_home, print_json, text_of
from app.har.progress import Event, OnEvent
from app.services.datasets import exports, shared_names, worn
from app.services.datasets import library as service
from app.services.errors import Invalid
from app.services.formatting import counted

if TYPE_CHECKING:
    from app.tables import Dataset

datasets = AppGroup("datasets", help="Add, list, inspect, map, export, rename and remove data sets.")


@datasets.command()
@click.argument("name")
@click.argument("path")
@click.option(
    "--description",
    "--spec",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="YAML that says where labels and subjects of your own recordings come from; see docs/GUIDE.md.",
)
@json_option
@needs_home
def add(name: str, path: str, file: Path | None, as_json: bool) -> None:
    """Add what is at PATH (a folder, a zip archive, a CSV file or the word embedded-example) as the data set NAME."""
    from app.har.datasets.description import Description

    description = Description.from_yaml(text_of(file), file.name) if file else None
    dataset = service.add(name, service.path_from_text(path), on_event=_progress(), description=description)
    if as_json:
        print_json(_document(dataset))
    else:
        click.echo(f"Added {name}: {_in_short(dataset)}.")
        _print_problems(dataset)


@datasets.command("list")
@json_option
@needs_home
def list_(as_json: bool) -> None:
    """List the data sets."""
    found = service.list_datasets()
    if as_json:
        print_json([_document(dataset) for dataset in found])
    elif not found:
        click.echo("No data set yet. Add one: flask datasets add NAME PATH")
    else:
        for dataset in found:
            click.echo(f"{dataset.name}: {_in_short(dataset)}")


@datasets.command()
@click.argument("name")
@json_option
@needs_home
def info(name: str, as_json: bool) -> None:
    """Show what is in the data set NAME and what was wrong with its files."""
    dataset = service.get(name)
    if as_json:
        print_json(_document(dataset))
        return
    summary = dataset.summary
    click.echo(f"{dataset.name}: {summary['format_title']}, {_in_short(dataset)}")
    click.echo(f"from {dataset.source}, added {dataset.created:%Y-%m-%d %H:%M} UTC, BLAKE2b-256 {dataset.fingerprint}")
    click.echo(f"{summary['sampling_rate_hz']:g} Hz, {', '.join(summary['channels'])}, gravity {summary['gravity']}")
    for activity, windows in summary["activities"].items():
        click.echo(f"  {activity}: {counted(windows, 'window')}")
    _print_problems(dataset)


@datasets.command("map")
@click.argument("name")
@click.argument("names", nargs=-1, metavar="[OWN=SHARED]...")
@json_option
@needs_home
def map_(name: str, names: tuple[str, ...], as_json: bool) -> None:
    """Say what activities of the data set NAME are called where several data sets are trained on as one.

    OWN=SHARED gives one a name of the shared vocabulary, such as "Stairs up", or any other; OWN= leaves it out.
    Without any, the names are only shown.
    """
    if wrong := [text for text in names if "=" not in text]:
        raise Invalid(f"Expected OWN=SHARED; found {wrong[0]!r}.")
    chosen = {own: shared for own, _, shared in (text.rpartition("=") for text in names)}
    dataset = shared_names.choose(name, chosen) if chosen else service.get(name)
    if as_json:
        print_json(shared_names.names_of(dataset))
        return
    for each in shared_names.table_of(dataset):
        note = "" if each.shared == each.usual else f" (usually {each.usual or 'left out'})"
        click.echo(f"{each.own}: {each.shared or 'left out'}{note}, {counted(each.windows, 'window')}")


@datasets.command("place")
@click.argument("name")
@click.argument("places", nargs=-1, metavar="[PLACE | DEVICE=PLACE]...")
@json_option
@needs_home
def place(name: str, places: tuple[str, ...], as_json: bool) -> None:
    """Say where the devices of the data set NAME were worn, for an everyday model that is trained on it.

    PLACE is leg, trunk, wrist or "hand or bag"; DEVICE= forgets one. Without any, the places are only shown.
    """
    chosen = {device: there for device, _, there in (text.rpartition("=") for text in places)}
    dataset = worn.choose(name, chosen) if chosen else service.get(name)
    known = worn.places(dataset)
    if as_json:
        print_json(known)
        return
    for device, there in known.items():
        click.echo(f"{device or 'device'}: {there or 'not known'}")


@datasets.command()
@click.argument("name")
@click.option(
    "--format",
    "layout",
    type=click.Choice(list(exports.FORMATS)),
    default="kinelab",
    show_default=True,
    help="Kinelab's own layout, which can be added again, or BIDS-Motion.",
)
@click.argument("folder", type=click.Path(path_type=Path))
@needs_home
def export(name: str, layout: str, folder: Path) -> None:
    """Write the data set NAME as files into FOLDER, which must not be there yet."""
    count = exports.write_folder(service.get(name), layout, folder)
    click.echo(f"Wrote {counted(count, 'file')} to {folder}.")


@datasets.command()
@click.argument("name")
@click.argument("new_name")
@json_option
@needs_home
def rename(name: str, new_name: str, as_json: bool) -> None:
    """Give the data set NAME the name NEW_NAME; models made from it keep theirs."""
    dataset = service.rename(name, new_name)
    if as_json:
        print_json(_document(dataset))
    else:
        click.echo(f"Renamed {name} to {dataset.name}.")


@datasets.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@needs_home
def remove(name: str, yes: bool) -> None:
    """Remove the data set NAME; models and results made from it stay."""
    service.get(name)
    if not yes:
        click.confirm(f"Remove the data set {name}?", abort=True)
    service.remove(name)
    click.echo(f"Removed {name}.")


def _document(dataset: Dataset) -> dict[str, object]:
    return {
        "name": dataset.name,
        "source": dataset.source,
        "added": dataset.created.isoformat(timespec="seconds"),
        "vocabulary": shared_names.names_of(dataset),
        "places": worn.places(dataset),
        **dataset.summary,
    }


def _in_short(dataset: Dataset) -> str:
    summary = dataset.summary
    return (
        f"{counted(summary['recordings'], 'recording')}, {counted(summary['subjects'], 'subject')}, "
        f"{counted(len(summary['activities']), 'activity', 'activities')}, "
        f"{counted(round(summary['minutes']), 'minute')}, {counted(len(summary['problems']), 'problem')}"
    )


def _print_problems(dataset: Dataset) -> None:
    for problem in dataset.summary["problems"]:
        click.echo(f"  {problem['source']}: {problem['kind']}: {problem['detail']} → {problem['action']}")


def _progress() -> OnEvent:
    """Return what writes progress to stderr: a line that renews itself on a terminal, a line a stage elsewhere."""
    stages: list[str] = []

    def show(event: Event) -> None:
        stage, fraction = event["stage"], event.get("fraction")
        if sys.stderr.isatty():
            share = "" if fraction is None else f" {fraction:4.0%}"
            click.echo(f"\r\033[K{stage}{share}", nl=fraction == 1, err=True)
        elif stage not in stages:
            stages.append(stage)
            click.echo(stage, err=True)

    return show
