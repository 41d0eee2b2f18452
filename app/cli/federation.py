"""``flask federation key|sites|add|remove|export-stats|merge``; for masked sums ``keys|open|share|mask|ask|answer``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from flask.cli import AppGroup

from app.cli.output import json_option, needs_home, print_json
from app.services.formatting import counted

if TYPE_CHECKING:
    from app.services.federation.sharing import Given

federation = AppGroup("federation", help="Learn one model at several sites, from sums alone.")
ROUND_HELP = "Masked sums, in five steps: keys, open, share, mask, ask and answer; then merge. See docs/FEDERATION.md."
EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)


def _several(name: str) -> Callable[[Any], Any]:
    return click.argument(name, type=EXISTING, nargs=-1, required=True)


_out = click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The file to write; not overwritten."
)


def _noise(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of noise."""
    small = click.FloatRange(0, 1, min_open=True, max_open=True)
    options = (
        click.option("--epsilon", type=click.FloatRange(0, min_open=True), help="Add noise for this ε of each person."),
        click.option("--delta", type=small, default=1e-5, show_default=True),
        click.option(
            "--windows-of-a-person",
            type=click.IntRange(1),
            default=20,
            show_default=True,
            help="With noise: at most so many.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@federation.command("key")
@json_option
@needs_home
def show_key(as_json: bool) -> None:
    """Print the public key of this site, which its partners must know; it is made at the first call."""
    from app.services.federation import sites

    key = sites.own_public_key()
    print_json({"public_key": key}) if as_json else click.echo(key)


@federation.command("sites")
@json_option
@needs_home
def list_sites(as_json: bool) -> None:
    """List the sites whose files are taken here."""
    from app.services.federation import sites

    rows = [{"name": site.name, "public_key": site.public_key} for site in sites.list_sites()]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        click.echo(f"{row['name']:<24} {sites.fingerprint(row['public_key'])}")
    if not rows:
        click.echo("No site yet: flask federation add NAME KEY, with the key that flask federation key prints there.")


@federation.command("add")
@click.argument("name")
@click.argument("public_key")
@needs_home
def add_site(name: str, public_key: str) -> None:
    """Take files of the site NAME from now on, signed with PUBLIC_KEY; compare the key with somebody there."""
    from app.services.federation import sites

    site = sites.add(name, public_key)
    click.echo(f"Files of {site.name} are taken from now on, signed with {sites.fingerprint(site.public_key)}")


@federation.command("remove")
@click.argument("name")
@needs_home
def remove_site(name: str) -> None:
    """Take no more files of the site NAME; models that were made with it stay."""
    from app.services.federation import sites

    click.echo(f"Files of {sites.remove(name)} are no longer taken.")


@federation.command("export-stats")
@click.argument("model")
@click.option("--dataset", required=True, help="Name of a data set: flask datasets list.")
@_out
@_noise
@json_option
@needs_home
def export_stats(
    model: str,
    dataset: str,
    out: Path,
    epsilon: float | None,
    delta: float,
    windows_of_a_person: int,
    as_json: bool,
) -> None:
    """Write the sums of a data set over the feature map of MODEL, with counts, signed; no row of it."""
    from app.services.federation import sharing

    noise = None if epsilon is None else (epsilon, delta, windows_of_a_person)
    _say(sharing.export_sums(model, dataset, out, noise), out, as_json)


@federation.command("merge")
@_several("files")
@click.option("--model", required=True, help="The base whose feature map all sites have: name/version.")
@click.option("--name", required=True, help="Of the new model.")
@click.option("--test", default="", help="A data set to test it on, of people whose windows are in no sums.")
@json_option
@needs_home
def merge(files: tuple[Path, ...], model: str, name: str, test: str, as_json: bool) -> None:
    """Solve the joint head of the sums in FILES, and store it as a model.

    Of a round of masked sums, FILES are the round, the masked sums and the answers.
    """
    from app.services.federation import merging
    from app.services.models import model_versions

    version = merging.merge(files, model, name, test)
    if as_json:
        print_json(model_versions.as_dict(version))
        return
    facts = model_versions.info(version)["manifest"]["federation"]
    names = ", ".join(site["name"] for site in facts["sites"])
    people = f"{sum(facts['windows']):,} windows of {facts['n_people']:,} people"
    click.echo(f"Stored as model {version.label}: {names}; {people}.")
    click.echo(model_versions.accuracy_in_words(version))
    if facts["missing"]:
        click.echo(f"Not in it, because they dropped out: {', '.join(facts['missing'])}.")


@federation.command("keys", epilog=ROUND_HELP)
@click.argument("model")
@click.option("--dataset", required=True, help="Name of a data set: flask datasets list.")
@_out
@json_option
@needs_home
def make_keys(model: str, dataset: str, out: Path, as_json: bool) -> None:
    """Step 1, at each site: make keys for a round, and say how many windows and people there are."""
    from app.services.federation import masked

    _say(masked.make_keys(model, dataset, out), out, as_json)


@federation.command("open", epilog=ROUND_HELP)
@_several("keys")
@click.option(
    "--threshold", type=click.IntRange(2), help="How many sites must stay; default more than two thirds, of 3 sites 2."
)
@_out
@_noise
@needs_home
def open_round(
    keys: tuple[Path, ...],
    threshold: int | None,
    out: Path,
    epsilon: float | None,
    delta: float,
    windows_of_a_person: int,
) -> None:
    """Step 2, at one site: put the KEYS of all sites in one file, for all sites."""
    from app.services.federation import masked

    noise = None if epsilon is None else (epsilon, delta, windows_of_a_person)
    stay = masked.open_round(keys, out, threshold, noise)
    click.echo(f"{out.name}: a round of {len(keys)} sites, of which {stay} must stay to its end.")


@federation.command("share", epilog=ROUND_HELP)
@click.argument("round", type=EXISTING)
@_out
@needs_home
def share(round: Path, out: Path) -> None:
    """Step 3, at each site: share the seeds of the masks with the others in the ROUND."""
    from app.services.federation import masked

    masked.share(round, out)
    click.echo(f"Wrote {out.name}: for all other sites, each of which can read its own part.")


@federation.command("mask", epilog=ROUND_HELP)
@click.argument("round", type=EXISTING)
@_several("shares")
@_out
@json_option
@needs_home
def mask(round: Path, shares: tuple[Path, ...], out: Path, as_json: bool) -> None:
    """Step 4, at each site: write masked sums for the ROUND, with the SHARES of all sites."""
    from app.services.federation import masked

    _say(masked.mask(round, shares, out), out, as_json)


@federation.command("ask", epilog=ROUND_HELP)
@click.argument("round", type=EXISTING)
@_several("masked")
@_out
@needs_home
def ask(round: Path, masked: tuple[Path, ...], out: Path) -> None:
    """Step 5, at one site: write down whose MASKED sums there are, for all sites to answer."""
    from app.services.federation import masked as rounds

    missing = rounds.ask(round, masked, out)
    dropped = f", without {', '.join(missing)}" if missing else ""
    click.echo(f"Wrote {out.name}: sums of {counted(len(masked), 'site')}{dropped}.")


@federation.command("answer", epilog=ROUND_HELP)
@click.argument("round", type=EXISTING)
@_several("shares")
@click.option("--ask", "ask_", type=EXISTING, required=True, help="What step 5 wrote.")
@_out
@needs_home
def answer(round: Path, shares: tuple[Path, ...], ask_: Path, out: Path) -> None:
    """Step 6, at each site: tell what takes the masks off the sum of all; once."""
    from app.services.federation import masked

    masked.answer(round, shares, ask_, out)
    click.echo(f"Wrote {out.name}. The secrets of this round are deleted here.")


@federation.command("train-server")
@click.argument("model")
@click.option("--name", required=True, help="Of the new model.")
@click.option("--sites", type=click.IntRange(2, 1000), default=2, show_default=True, help="To wait for at the start.")
@click.option("--rounds", type=click.IntRange(1, 1000), default=8, show_default=True)
@click.option("--epochs", type=click.IntRange(1, 50), default=2, show_default=True, help="At each site in a round.")
@click.option("--wait", type=click.IntRange(1), default=600, show_default=True, help="Seconds to wait for sites.")
@click.option(
    "--timeout", type=click.IntRange(1), default=1800, show_default=True, help="Seconds that a round takes at most."
)
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True, help="On this machine alone.")
@json_option
@needs_home
def train_server(
    model: str, name: str, sites: int, rounds: int, epochs: int, wait: int, timeout: int, port: int, as_json: bool
) -> None:
    """Let sites train the network of MODEL anew, together, and store it as a model; needs Flower.

    The server listens on this machine alone: sites reach it by a tunnel, such as ssh -L.
    """
    from app.services.federation import network
    from app.services.models import model_versions

    def say(report: dict[str, Any]) -> None:
        names = ", ".join(f"{site} (loss {one['loss']:.3f})" for site, one in report["sites"].items()) or "nobody"
        click.echo(f"Round {report['round']} of {report['rounds']}: {names}", err=True)
        for reason in report["refused"]:
            click.echo(f"  Not counted: {reason}", err=True)

    choices = network.Choices(sites, rounds, epochs, wait, timeout)
    version = network.train(model, name, choices, port, say)
    print_json(model_versions.as_dict(version)) if as_json else click.echo(f"Stored as model {version.label}.")


@federation.command("train-site")
@click.argument("model")
@click.option("--dataset", required=True, help="Name of a data set: flask datasets list.")
@click.option(
    "--port", type=click.IntRange(1, 65535), default=8000, show_default=True,
    help="Where the server is reached on this machine, by a tunnel if it runs on another.",
)  # fmt: skip
@needs_home
def train_site(model: str, dataset: str, port: int) -> None:
    """Train the network of MODEL with a data set of this site, for the server that asks; needs Flower.

    The recordings stay here; the weights of the network as trained here are seen by the server.
    """
    from app.services.federation import network

    def say(report: dict[str, Any]) -> None:
        click.echo(f"Round {report['round']} of {report['rounds']}: loss {report['loss']:.3f}", err=True)

    network.take_part(model, dataset, ("127.0.0.1", port), say)
    click.echo("The network is trained. The server has it, and can give it to you as a model.")


def _say(given: Given, out: Path, as_json: bool) -> None:
    counts = given.counts
    if as_json:
        print_json(
            {
                "file": str(out),
                "windows": dict(zip(given.activities, counts.windows.tolist(), strict=True)),
                "people": dict(zip(given.activities, counts.people.tolist(), strict=True)),
                "n_people": counts.n_people,
                "left_out": dict(given.left_out),
            }
        )
        return
    click.echo(
        f"Wrote {out.name}: {counted(counts.n_windows, 'window')} of {counted(counts.n_people, 'person', 'people')}."
    )
    for activity, windows in given.left_out.items():
        click.echo(f"Left out, because too few people did it: {activity}, {counted(windows, 'window')}.")
