"""``flask measures``: what a study needs of each day in a file; nothing is stored."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click
from flask import current_app

from app.cli.output import json_option, needs_home, print_json, text_of
from app.har.measures.cut_points import AGES, CUT_POINTS
from app.services.recordings.places import PLACES


@click.command("measures")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--model", help="name/version, or a name for its newest version; by default as flask predict has it.")
@click.option(
    "--map",
    "mapping",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Read FILE, in no known layout, by this mapping; see flask map.",
)
@click.option("--place", type=click.Choice(list(PLACES)), help="Where the device was worn; cut-points depend on it.")
@click.option("--age", type=click.Choice(list(AGES)), help="The age group; without one there are no intensities.")
@click.option(
    "--cut-points",
    type=click.Choice([each.name for each in CUT_POINTS]),
    metavar="NAME",
    help="These cut-points, where they fit place and age; by default the first that do. Names: docs/REFERENCE.md.",
)
@click.option(
    "--tz", default="UTC", show_default=True, help="The time zone of days, and of a clock without one: Europe/Berlin."
)
@click.option("--hours", is_flag=True, help="A row for each hour, not for each day.")
@click.option("--dictionary", is_flag=True, help="Print what each column is, instead.")
@json_option
@needs_home
def measures(
    file: Path,
    model: str | None,
    mapping: Path | None,
    place: str | None,
    age: str | None,
    cut_points: str | None,
    tz: str,
    hours: bool,
    dictionary: bool,
    as_json: bool,
) -> None:
    """Write the daily measures of FILE as CSV."""
    from app.har.recordings.mappings.mapping import ColumnMapping
    from app.services.measures import tables
    from app.services.measures.measured import of_recognised
    from app.services.recordings import recordings
    from app.services.recordings.smoothing import as_chosen
    from app.services.recordings.wall_clock import time_zone

    zone, period = time_zone(tz), tables.HOUR if hours else tables.DAY
    if dictionary:
        click.echo(tables.dictionary_csv(period), nl=False)
        return
    columns = ColumnMapping.from_yaml(text_of(mapping), mapping.name) if mapping else None
    found = recordings.predict_file(file, file.name, model, mapping=columns, place=place or "", zone=tz)
    found = replace(found, result=as_chosen(found.result))
    worn_enough_h = current_app.config["VALID_DAY_HOURS"]
    rows = of_recognised(
        found, zone, age or "", cut_points=cut_points or "", period=period, worn_enough_h=worn_enough_h
    )
    if as_json:
        about = {"file": file.name, "model": found.result.model_label, "time_zone": tz, "age": age}
        print_json(tables.document(rows, period, about))
    else:
        click.echo(tables.as_csv(rows, period), nl=False)
