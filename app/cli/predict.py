"""``flask predict``: recognise the activities in a file; nothing is stored. ``flask map``: what its columns may be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from app.cli.output import json_option, needs_home, print_json, reports_errors, text_of
from app.services.formatting import percent
from app.services.recordings.places import PLACES

YAML = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("map")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write it here instead of on stdout.")
@reports_errors
def map_(file: Path, output: Path | None) -> None:
    """Guess what the columns of FILE are, for flask predict --map.

    Prints YAML, to be corrected where the guess is wrong.
    """
    from app.services.recordings.table_preview import guess_mapping

    text = guess_mapping(file).to_yaml()
    if output is None:
        click.echo(text, nl=False)
    elif output.exists():
        raise click.ClickException(f"{output} is there already; name another file.")
    else:
        output.write_text(text, encoding="utf-8")


@click.command("predict")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--model",
    help="name/version, or a name for its newest version; by default the promoted model, or one that reads all devices "
    "of FILE together, if it fits.",
)
@click.option("--map", "mapping", type=YAML, help="Read FILE, in no known layout, by this mapping; see flask map.")
@click.option("--place", type=click.Choice(list(PLACES)), help="Where the device was worn; not every model uses it.")
@click.option(
    "--walking",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A recording of the same person walking for 15 s or more, the device worn as in FILE: a measure for FILE.",
)
@click.option(
    "--smooth/--no-smooth",
    default=None,
    help="Smoothed, without bouts too short to be believed, or each window alone; by default smoothed, if the model "
    "knows how long bouts are.",
)
@click.option("--tz", default="UTC", show_default=True, help="The time zone of a clock without one: Europe/Berlin.")
@json_option
@needs_home
def predict(
    file: Path,
    model: str | None,
    mapping: Path | None,
    place: str | None,
    walking: Path | None,
    smooth: bool | None,
    tz: str,
    as_json: bool,
) -> None:
    """Recognise the activities in FILE."""
    from app.har.recordings.mappings.mapping import ColumnMapping
    from app.services.recordings import recordings, result_tables, table_texts
    from app.services.recordings.smoothing import as_chosen
    from app.services.recordings.verdict import decide, in_text

    columns = ColumnMapping.from_yaml(text_of(mapping), mapping.name) if mapping else None
    place, tz = place or "", tz or "UTC"
    found = recordings.predict_file(file, file.name, model, mapping=columns, place=place, walking=walking, zone=tz)
    result = as_chosen(found.result, smooth)
    if smooth and not result.smoothed_s:
        click.echo(
            f"Nothing was smoothed: the bouts that {result.model_label} knows are as short as windows.", err=True
        )
    if walking and not result.wearings:
        click.echo(f"{result.model_label} does not measure against walking: {walking.name} was not used.", err=True)
    if result.chosen_because:
        click.echo(result.chosen_because, err=True)
    if as_json:
        print_json(result_tables.document(result))
        return
    summary = result.summary()
    for line in in_text(decide(result, found.quality.as_dict())):
        click.echo(line)
    click.echo()
    for bout in table_texts.records(result_tables.bouts(result)):
        where = f"{bout['recording']}  " if summary["recordings"] > 1 else ""
        times = f"{bout['start_s']:9.1f} s – {bout['end_s']:9.1f} s"
        click.echo(f"{where}{times}  {bout['activity']:<24} {percent(bout['confidence']):>7}{_guess(bout)}")
    how = f"smoothed, without bouts of less than {summary['smoothed_s']:g} s" if summary["smoothed_s"] else "each alone"
    how += ", with height by air pressure" if summary["height_used"] else ""
    click.echo(f"\n{summary['windows']} windows recognised by {summary['model']}, {how}:")
    for name, minutes in summary["minutes_per_activity"].items():
        click.echo(f"  {name:<24} {minutes:8.2f} min")
    depths = summary["windows_per_depth"]
    click.echo(
        f"Answers of at least {percent(summary['limit'], 0)}: {depths['activity']} windows are one activity, "
        f"{depths['group']} a group of several, {depths['none']} have no answer."
    )
    if summary["compared"]:
        click.echo(f"{summary['right']} of {summary['compared']} answers agree with the activity that the file names.")
    for problem in summary["problems"]:
        click.echo(f"{problem['source']}: {problem['kind']}: {problem['detail']}; {problem['action']}", err=True)


def _guess(bout: dict[str, Any]) -> str:
    """Write the likeliest activity of a bout whose answer is less deep."""
    if bout["deepest_activity"] in (None, bout["activity"]):
        return ""
    return f"  deepest guess: {bout['deepest_activity']} {percent(bout['deepest_confidence'])}"
