"""``flask predict``: recognise the activities in a file; nothing is stored."""

from __future__ import annotations

from pathlib import Path

import click
from flask.cli import with_appcontext

from app.cli.output import json_option, print_json, reports_errors


@click.command("predict")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--model", help="name/version, or a name for its newest version; by default the promoted model.")
@json_option
@with_appcontext
@reports_errors
def predict(file: Path, model: str | None, as_json: bool) -> None:
    """Recognise the activities in FILE."""
    from app.services import predictions

    result = predictions.predict_file(file, file.name, model)
    if as_json:
        print_json(result.as_dict())
        return
    summary = result.summary()
    for bout in result.bouts():
        where = f"{bout['recording']}  " if summary["recordings"] > 1 else ""
        times = f"{bout['start_s']:9.1f} s – {bout['end_s']:9.1f} s"
        click.echo(f"{where}{times}  {bout['activity']:<24} {100 * bout['confidence']:5.1f} %")
    click.echo(f"\n{summary['windows']} windows recognised by {summary['model']}:")
    for name, minutes in summary["minutes_per_activity"].items():
        click.echo(f"  {name:<24} {minutes:8.2f} min")
    if summary["compared"]:
        click.echo(f"{summary['right']} of {summary['compared']} windows agree with the activity that the file names.")
    for problem in summary["problems"]:
        click.echo(f"{problem['source']}: {problem['kind']}: {problem['detail']}; {problem['action']}", err=True)
