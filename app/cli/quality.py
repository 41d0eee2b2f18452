"""``flask quality``: examine a file; nothing is stored and no model is needed."""

from __future__ import annotations

from pathlib import Path

import click
from flask.cli import with_appcontext

from app.cli.output import json_option, print_json, reports_errors


@click.command("quality")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
@with_appcontext
@reports_errors
def quality(file: Path, as_json: bool) -> None:
    """Print the quality card of each recording in FILE."""
    from app.services.recordings.recognise import examine

    found = examine(file, file.name).as_dict()
    if as_json:
        print_json(found)
        return
    for card in found["cards"]:
        click.echo(f"{card['recording']}: {card['verdict']}" + "".join(f"\n  - {reason}" for reason in card["reasons"]))
        facts = (card["app"], card["start_utc"], f"{card['duration_s']:.1f} s", f"gravity {card['gravity']}")
        click.echo("  " + ", ".join(fact for fact in facts if fact))
        for own in card["streams"]:
            asked = f" ({own['rate_asked_hz']:.1f} asked)" if own["rate_asked_hz"] else ""
            gaps = f"{own['gaps']} gaps, {own['gap_s']:.1f} s" if own["gaps"] else "no gap"
            click.echo(f"  {own['modality']:<24}{own['rate_hz']:>7.1f} Hz{asked}, {own['duration_s']:.1f} s, {gaps}")
            more = [f"unit {own['unit_found']}", f"mean magnitude {own['mean_magnitude']:.3g} {own['unit']}"]
            more += [f"clipped {100 * own['clipped']:.2f} %"] if own["clipped"] else []
            more += [f"worn {100 * own['worn']:.0f} %"] if own["worn"] is not None else []
            click.echo(f"  {'':<24}{', '.join(more)}")
        for problem in card["problems"]:
            click.echo(f"  {problem['kind']}: {problem['detail']}; {problem['action']}")
    if found["recordings"] > len(found["cards"]):
        click.echo(f"The first {len(found['cards'])} of {found['recordings']:,} recordings.")
