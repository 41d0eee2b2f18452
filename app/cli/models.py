"""``flask models list|info|promote|history|limit|prior|explain|export|forget|delete|restore``."""

from __future__ import annotations

import shutil
from pathlib import Path

import click
from flask.cli import AppGroup

from app.cli.output import json_option, needs_home, print_json
from app.har.classifiers.catalogue import PRIORS
from app.har.exports.formats import EXACT, FORMATS
from app.services.formatting import beyond_rounding

WEIGHTS = list(dict.fromkeys(kind for kinds in FORMATS.values() for kind in kinds))

models = AppGroup(
    "models",
    help="List, promote, limit, export, delete models; forget a person.",
)


@models.command("list")
@json_option
@needs_home
def list_models(as_json: bool) -> None:
    """List every model version, the newest first."""
    from app.services.models import model_versions

    versions = [
        {**model_versions.as_dict(v), **_scores(v.metrics)} for v in model_versions.list_versions(with_metrics=True)
    ]
    if as_json:
        print_json(versions)
        return
    for version in versions:
        mark = "  (promoted)" if version["promoted"] else ""
        scores = "  ".join(f"{k} {version[k]:.3f}" for k in ("accuracy", "f1") if version[k] is not None)
        click.echo(f"{version['label']:<24} {version['created']}  {scores}{mark}")
    if not versions:
        click.echo("No model yet: train one with `flask train --dataset NAME`.")


@models.command("info")
@click.argument("name")
@json_option
@needs_home
def show_model(name: str, as_json: bool) -> None:
    """Show one model: NAME is name/version, or a name alone for its newest version."""
    from app.services.models import model_versions

    document = model_versions.info(model_versions.get(name))
    if as_json:
        print_json(document)
        return
    for key, value in document.items():
        if not isinstance(value, dict):
            click.echo(f"{key:<22} {value}")
    for key, value in document["manifest"].items():
        if isinstance(value, str | int | float) or (isinstance(value, list) and len(value) <= 30):
            click.echo(f"{key:<22} {', '.join(map(str, value)) if isinstance(value, list) else value}")
    for key, score in _scores(document["metrics"]).items():
        click.echo(f"{key:<22} {'unknown' if score is None else f'{score:.3f}'}")


@models.command("promote")
@click.argument("name")
@json_option
@needs_home
def promote_model(name: str, as_json: bool) -> None:
    """Make a model the default model."""
    from app.services.models import model_versions

    version = model_versions.promote(name)
    if as_json:
        print_json(model_versions.as_dict(version))
        return
    click.echo(f"{version.label} is now the default model.")


@models.command("history")
@json_option
@needs_home
def show_history(as_json: bool) -> None:
    """List which models became the default, the newest first."""
    from app.services.models import model_versions

    rows = [
        {
            "label": row.label,
            "replaced": row.replaced,
            "since": row.created.isoformat(timespec="seconds"),
            "by": row.made_by.username if row.made_by else None,
        }
        for row in model_versions.promotions()
    ]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        instead = f"  in place of {row['replaced']}" if row["replaced"] else ""
        click.echo(f"{row['since']}  {row['label']}{instead}" + (f", by {row['by']}" if row["by"] else ""))
    if not rows:
        click.echo("No model became the default since this is kept.")


@models.command("restore")
@click.argument("name")
@json_option
@needs_home
def restore_model(name: str, as_json: bool) -> None:
    """Bring back a reference model that was deleted; NAME is without a version."""
    from app.services.models import model_versions, reference_models

    version = reference_models.restore(name)
    if as_json:
        print_json(model_versions.as_dict(version))
        return
    click.echo(f"{version.label} is here again.")


@models.command("limit")
@click.argument("name")
@click.argument("limit", type=float, required=False)
@click.option("--reset", is_flag=True, help="Go back to the limit that the model recommends.")
@json_option
@needs_home
def limit_model(name: str, limit: float | None, reset: bool, as_json: bool) -> None:
    """Show or set how probable an answer of a model must be, 0.5 to 0.99.

    Where no activity is so probable, the answer is a group of them, or "Uncertain". Results keep the limit that they
    were made with.
    """
    from app.services.models import model_versions

    if reset and limit is not None:
        raise click.UsageError("Give either LIMIT or --reset.")
    version = model_versions.get(name) if limit is None and not reset else model_versions.set_limit(name, limit)
    if as_json:
        print_json(model_versions.as_dict(version))
        return
    click.echo(f"{version.label} answers with what is at least {model_versions.limit_of(version):g} probable.")


@models.command("prior")
@click.argument("name")
@click.argument("how", type=click.Choice(PRIORS), required=False)
@json_option
@needs_home
def prior_model(name: str, how: str | None, as_json: bool) -> None:
    """Show or set how often an everyday model expects activities: "balanced", all alike, or as in "daily life".

    Results keep what they were made with.
    """
    from app.services.models import model_versions

    version = model_versions.set_prior(name, how) if how else model_versions.get(name)
    if as_json:
        print_json(model_versions.as_dict(version))
        return
    shares = ", ".join(f"{node.lower()} {share:.1%}" for node, share in version.prior.items())
    click.echo(f"{version.label} expects activities " + (f"as in daily life: {shares}." if shares else "all alike."))


@models.command("explain")
@click.argument("name")
@json_option
@needs_home
def explain_model(name: str, as_json: bool) -> None:
    """Test whether explanations of a stored model are true.

    A training does that itself. This is for models that were trained by an earlier build: it takes the people held out
    of the training, from the data set, which must still be on this server. What passes is explained from then on.
    """
    from app.services.models import explained

    found = explained.measure(name)
    if as_json:
        print_json(found.measured)
        return
    click.echo(found.why_not or "Explanations are shown.")
    click.echo(found.tested)
    if found.unexplained and not found.why_not:
        click.echo(f"Not of: {', '.join(found.unexplained)}.")


@models.command("export")
@click.argument("name")
@click.option("--to", "format_", required=True, type=click.Choice(list(FORMATS)), help="What to make.")
@click.option(
    "--weights",
    default=EXACT,
    show_default=True,
    type=click.Choice(WEIGHTS),
    help="How weights are stored; small: another model, of 64 KB at most.",
)
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="The archive to write [default: NAME.zip]."
)
@json_option
@needs_home
def export_model(name: str, format_: str, weights: str, out: Path | None, as_json: bool) -> None:
    """Make a model for a phone or a microcontroller, with all it computes.

    What is made is run here, on the windows of people whom the model did not learn from, and is handed out only if it
    answers as the model does. The archive holds a description for whoever builds the device. With --weights small, C is
    another model, taught by this one, in at most 64 KB: the description says what it loses.
    """
    from app.services.models import exports, model_versions

    document = exports.make(name, format_, weights, lambda event: click.echo(event["stage"], err=True))
    version = model_versions.get(name)
    made = exports.artefact(version, format_, weights)
    target = out or Path(f"{version.name}-{version.version}-{format_}-{weights}.zip")
    shutil.copyfile(made, target)
    if as_json:
        print_json(document)
        return
    check, cost = document["check"], document["cost"]
    click.echo(
        f"{target}: {version.label} as {format_}, {weights}, {cost.get('flash_bytes', cost['bytes']):,} bytes on the "
        f"device; {cost['ms']:.2f} ms a window here."
    )
    click.echo(
        f"Tried on {check['windows']:,} windows: answers equal in {check['same_answers']:.2%}, probabilities within "
        f"{check['largest_difference']:.1g}."
    )
    if "scores" in check:
        f1, of_model = check["scores"]["f1"], check["scores_of_model"]["f1"]
        click.echo(
            f"Of {check['whose']}: answers equal in {check['same_answers_held_out']:.2%}, F1 {f1:.4f}, of the model "
            f"itself {of_model:.4f}."
        )
    else:
        click.echo("The people held out are not on this machine: only made-up windows were tried, and F1 is not known.")


@models.command("forget")
@click.argument("name")
@click.option("--subject", required=True, help="Whom to forget, as the data set names them.")
@json_option
@needs_home
def forget_person(name: str, subject: str, as_json: bool) -> None:
    """Make a new version of a model whose head was solved without a person; the version before stays.

    The model must have been trained with --keep-sums. Prints a certificate: what was forgotten, how far the
    head is from one that is solved from scratch, and what is not forgotten.
    """
    from app.services.models import forgetting

    version, certificate = forgetting.forget(name, subject)
    if as_json:
        print_json({"label": version.label, **certificate})
        return
    click.echo(f"{version.label} is {certificate['model']} without subject {subject}: {certificate['rows']:,} rows.")
    off = certificate["difference_to_solving_from_scratch"]
    click.echo(f"Compared with a head that is solved from scratch without them: {beyond_rounding(off)}.")
    click.echo("Not forgotten:")
    for line in certificate["not_forgotten"]:
        click.echo(f"  {line}")
    click.echo(f"To train everything anew without them: flask train --leave-out {subject}")


@models.command("people")
@click.argument("name")
@json_option
@needs_home
def people(name: str, as_json: bool) -> None:
    """Show whom a model learnt from, and how well its head would do on each of them, had it not.

    The model must have been trained with --keep-sums. Each person is taken out of the solved head, which is exact and
    needs no training. The network, which answers with the head, is not asked: it has seen everybody.
    """
    from app.services.models import forgetting

    found = forgetting.left_out(name)
    if as_json:
        print_json([{"subject": who, "windows": n, "right": right} for who, (n, right) in found.items()])
        return
    click.echo(f"{'subject':<24}{'windows':>10}{'right, when left out':>24}")
    for who, (n, right) in sorted(found.items(), key=lambda entry: entry[1][1] / entry[1][0]):
        click.echo(f"{who:<24}{n:>10,}{right / n:>24.1%}")


@models.command("delete")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@needs_home
def delete_model(name: str, yes: bool) -> None:
    """Delete a model and its files; results made with it stay."""
    from app.services.models import model_versions

    label = model_versions.get(name).label
    if not yes:
        click.confirm(f"Delete the model {label}?", abort=True)
    model_versions.delete(label)
    click.echo(f"Deleted {label}.")


def _scores(metrics: dict[str, object]) -> dict[str, float | None]:
    """Return the two headline figures without their intervals."""
    scores: dict[str, float | None] = {}
    for key in ("accuracy", "f1"):
        interval = metrics.get(key)
        scores[key] = float(interval["value"]) if isinstance(interval, dict) else None
    return scores
