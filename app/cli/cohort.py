"""``flask cohort``: recognise a folder of recordings by many processes, and report on it."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.cli.output import json_option, needs_home, print_json, reports_errors, text_of
from app.har.measures.cut_points import AGES
from app.services.formatting import duration
from app.services.recordings.places import PLACES

if TYPE_CHECKING:
    from app.services.cohorts.running import Ended, Event

WITH_FAILURES, STOPPED = 3, 4  # exit statuses
LINE_EVERY_S = 10.0  # where there is no terminal
PARQUET = click.Path(dir_okay=False, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False)
YAML = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def cohort() -> None:
    """Recognise thousands of recordings, and report on them."""


@cohort.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", type=PARQUET, required=True, help="The table; others, and what is kept, lie beside it.")
@click.option("--model", help="name/version, or a name for its newest version; by default the promoted model.")
@click.option("--workers", type=click.IntRange(1, 1024), help="Processes on this machine; by default one a core.")
@click.option("--scheduler", default="", metavar="URL", help="tls://… or tcp://…: a Dask cluster that exists already.")
@click.option("--tls-ca", type=FILE, help="Who vouches for the scheduler; see Dask's documentation.")
@click.option("--tls-cert", type=FILE, help="The certificate by which the scheduler knows this client.")
@click.option("--tls-key", type=FILE, help="Its key, where it is not in the same file.")
@click.option("--place", type=click.Choice(list(PLACES)), help="Where the devices were worn.")
@click.option("--age", type=click.Choice(list(AGES)), help="The age group; without one there are no intensities.")
@click.option(
    "--tz", default="UTC", show_default=True, help="The time zone of days and of clocks without one: Europe/Berlin."
)
@click.option("--map", "mapping", type=YAML, help="Read files in no known layout by this mapping; see flask map.")
@click.option(
    "--people",
    default="folder",
    show_default=True,
    help="Whose a recording is: folder (the uppermost one), file (each another's), or a pattern of names such as "
    "{subject}_{trial}.",
)
@click.option("--again", is_flag=True, help="Try again what failed in an earlier run.")
@click.option("--report", type=PARQUET, help="Write an anonymised report, a page of HTML, here as well.")
@json_option
@needs_home
def run(
    folder: Path,
    out: Path,
    model: str | None,
    workers: int | None,
    scheduler: str,
    tls_ca: str | None,
    tls_cert: str | None,
    tls_key: str | None,
    place: str | None,
    age: str | None,
    tz: str,
    mapping: Path | None,
    people: str,
    again: bool,
    report: Path | None,
    as_json: bool,
) -> None:
    """Recognise every recording under FOLDER.

    A second run does only what is missing or has changed. Exit status: 0, or 3 if recordings failed, 4 if it was
    stopped.
    """
    from app.har.recordings.mappings.mapping import ColumnMapping
    from app.services.cohorts import running, tables
    from app.services.cohorts.cluster import Where
    from app.services.cohorts.report import write_report

    if out.suffix != ".parquet":
        raise click.BadParameter("it must end in .parquet", param_hint="--out")
    if workers and scheduler:
        raise click.UsageError("Give --workers, or --scheduler, which has its own.")
    out = out.absolute()
    columns = ColumnMapping.from_yaml(text_of(mapping), mapping.name) if mapping else None
    job = running.job_for(folder, model, place=place or "", age=age or "", zone=tz, people=people, mapping=columns)
    where = Where(workers or os.cpu_count() or 1, scheduler, tls_ca or "", tls_cert or "", tls_key or "")
    shown = _Shown()
    with tempfile.TemporaryDirectory() as scratch:
        stop, log = Path(scratch) / "stop", out.with_name(f"{out.stem}.log")
        with running.started(job, out, where, stop, log, again=again) as process:
            while True:
                try:
                    ended = process.follow(shown.show)
                    break
                except KeyboardInterrupt:
                    click.echo("\nStopping; what was recognised is kept.", err=True)
                    stop.touch()
    shown.end()
    if report:
        write_report(tables.beside(out, tables.ANSWERS), report)
    if as_json:
        print_json(asdict(ended) | {"out": str(out)})
    else:
        _say(ended, out, report)
    sys.exit(STOPPED if ended.stopped else WITH_FAILURES if ended.failed else 0)


@cohort.command("report")
@click.argument("table", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--out", type=PARQUET, required=True, help="The page of HTML.")
@reports_errors
def report_(table: Path, out: Path) -> None:
    """Write an anonymised report on a cohort by its TABLE."""
    from app.services.cohorts import tables
    from app.services.cohorts.report import write_report

    write_report(tables.beside(table, tables.ANSWERS), out)
    click.echo(f"{out}: without names and paths, and without what fewer than 5 people did.")


def _say(ended: Ended, out: Path, report: Path | None) -> None:
    from app.services.cohorts import tables

    click.echo(f"{ended.answered:,} of {ended.files:,} recordings are recognised, {ended.new:,} were done in this run.")
    for path in (out, tables.beside(out, tables.BOUTS), tables.beside(out, tables.DAYS)):
        click.echo(f"  {path}")
    if ended.failed:
        click.echo(f"{ended.failed:,} failed: {tables.beside(out, tables.FAILURES)} says why.")
    if report:
        click.echo(f"  {report}")
    if ended.stopped:
        click.echo("It was stopped before its end. The same command goes on.")


class _Shown:
    """Progress: one line that changes on a terminal, a line now and then elsewhere."""

    def __init__(self) -> None:
        self._terminal, self._last, self._stage = sys.stderr.isatty(), 0.0, ""

    def show(self, event: Event) -> None:
        """Show how far it is."""
        line = event["stage"]
        if "files" in event:
            line += f": {event['answered'] + event['failed']:,} of {event['files']:,}, {event['failed']:,} failed"
        if event.get("remaining_s") is not None:
            line += f", about {duration(event['remaining_s'])} remaining"
        if self._terminal:
            click.echo(f"\r\x1b[K{line}", err=True, nl=False)
        elif event["stage"] != self._stage or time.monotonic() - self._last > LINE_EVERY_S:
            click.echo(line, err=True)
            self._last = time.monotonic()
        self._stage = event["stage"]

    def end(self) -> None:
        """Leave the line."""
        if self._terminal:
            click.echo(err=True)
