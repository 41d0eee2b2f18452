"""``flask stream``: devices that are none, over HTTP: a recording that is sent anew, or made-up people."""

from __future__ import annotations

import math
import random
import threading
import time
from pathlib import Path

import click

from app.cli.output import reports_errors

url_option = click.option("--url", default="http://127.0.0.1:5000", show_default=True, help="Where Kinelab is.")


@click.group("stream")
def stream() -> None:
    """Send sensors to a Kinelab as phones do. This tries the live page, and measures."""


@stream.command("replay")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--token", required=True, envvar="KINELAB_TOKEN", help="Of a device, from the page Devices.")
@click.option(
    "--speed",
    type=click.FloatRange(0, min_open=True),
    default=1.0,
    show_default=True,
    help="How many times as fast as it was recorded; the server slows down what it cannot take.",
)
@url_option
@reports_errors
def replay(file: Path, token: str, speed: float, url: str) -> None:
    """Send the first recording in FILE, in any layout that Kinelab reads, as if it were recorded now."""
    from app.services.live.simulated import Phone, batches_of

    phone = Phone(url, token)
    each_s = max(1.0, math.ceil(speed))  # of the recording, so that messages come once a second
    began = time.time()
    answer = {}
    for begin_s, sensors in batches_of(file, file.name, each_s):
        time.sleep(max(0.0, began + (begin_s + each_s) / speed - time.time()))
        body = phone.message({name: (times + began, values) for name, (times, values) in sensors.items()})
        answer = phone.send(body)
        click.echo(f"{begin_s:8.0f} s  {answer['answer'] or '–'}  {answer['message']}".rstrip())
    phone.end()
    waited = f", {phone.waited_s:.0f} s of them because the server asked for it" if phone.waited_s else ""
    click.echo(f"Sent {phone.number} messages in {time.time() - began:.0f} s{waited}.")


@stream.command("simulate")
@click.argument("phones", type=click.IntRange(1, 10_000))
@click.option(
    "--token",
    "tokens",
    multiple=True,
    required=True,
    envvar="KINELAB_TOKEN",
    help="Of a device; several are taken in turn. Phones that share a token are told apart, and the page says so.",
)
@click.option("--seconds", type=click.FloatRange(1), default=60.0, show_default=True, help="How long.")
@click.option("--doubled", type=click.FloatRange(0, 1), default=0.0, help="Share of messages that are sent twice.")
@click.option("--dropped", type=click.FloatRange(0, 1), default=0.0, help="Share of messages that are lost.")
@click.option("--shuffled", type=click.FloatRange(0, 1), default=0.0, help="Share that comes after the next one.")
@url_option
@reports_errors
def simulate(
    phones: int, tokens: tuple[str, ...], seconds: float, doubled: float, dropped: float, shuffled: float, url: str
) -> None:
    """Send what PHONES phones measure whose people walk, sit and stand: 100 Hz, six channels, a message a second."""
    from app.services.live.simulated import Mischief, Refused, send_person

    mischief = Mischief(doubled, dropped, shuffled)
    failed: list[str] = []

    def send(number: int) -> None:
        try:
            send_person(url, tokens[number % len(tokens)], number, seconds, mischief, random.Random(number))  # noqa: S311
        except Refused as error:
            failed.append(f"phone {number}: {error}")

    threads = [threading.Thread(target=send, args=(number,)) for number in range(phones)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise click.ClickException("; ".join(failed[:3]) + (f"; and {len(failed) - 3} more" if failed[3:] else ""))
    click.echo(f"{phones} phones sent for {seconds:g} s.")
