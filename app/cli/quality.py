"""``flask quality``: examine a file; nothing is stored and no model is needed."""

from __future__ import annotations

from pathlib import Path

import click

from app.cli.output import json_option, print_json, reports_errors, text_of


@click.command("quality")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--map",
    "mapping",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Read FILE, in no known layout, by this mapping; see flask map.",
)
@json_option
@reports_errors
def quality(file: Path, mapping: Path | None, as_json: bool) -> None:
    """Print the quality card of each recording in FILE."""
    from app.har.recordings.mappings.mapping import ColumnMapping
    from app.services.recordings.recognise import examine

    columns = ColumnMapping.from_yaml(text_of(mapping), mapping.name) if mapping else None
    document = examine(file, file.name, columns).as_dict()
    if as_json:
        print_json(document)
        return
    for card in document["cards"]:
        click.echo(f"{card['recording']}: {card['verdict']}" + "".join(f"\n  - {reason}" for reason in card["reasons"]))
        facts = (card["app"], card["start_utc"], f"{card['duration_s']:.1f} s", f"gravity {card['gravity']}")
        click.echo("  " + ", ".join(fact for fact in facts if fact))
        for stream in card["streams"]:
            asked = f" ({stream['rate_asked_hz']:.1f} asked)" if stream["rate_asked_hz"] else ""
            gaps = f"{stream['gaps']} gaps, {stream['gap_s']:.1f} s" if stream["gaps"] else "no gap"
            click.echo(
                f"  {stream['modality']:<24}{stream['rate_hz']:>7.1f} Hz{asked}, {stream['duration_s']:.1f} s, {gaps}"
            )
            more = [f"unit {stream['unit_found']}", f"mean magnitude {stream['mean_magnitude']:.3g} {stream['unit']}"]
            more += [f"clipped {100 * stream['clipped']:.2f} %"] if stream["clipped"] else []
            more += [f"worn {100 * stream['worn']:.0f} %"] if stream["worn"] is not None else []
            click.echo(f"  {'':<24}{', '.join(more)}")
        for problem in card["problems"]:
            click.echo(f"  {problem['kind']}: {problem['detail']}; {problem['action']}")
    if document["recordings"] > len(document["cards"]):
        click.echo(f"The first {len(document['cards'])} of {document['recordings']:,} recordings.")
