"""``flask train`` and ``flask evaluate``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, cast

import click

from app.cli.output import json_option, print_json, reports_errors
from app.har.catalogue import CATALOGUE
from app.har.types import Event, Protocol, TrainConfig

MODELS_HELP = "Comma-separated; the models are listed below."
MODELS_LIST = "\b\nModels:\n" + "\n".join(f"  {name:<22}{info.about}" for name, info in CATALOGUE.items())


def _names(context: click.Context, parameter: click.Parameter, value: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in value.split(",") if name.strip())


def _show(event: Event) -> None:
    parts = [str(event.get("model", "")), event["stage"]]
    if "fold" in event:
        parts.insert(0, f"fold {event['fold']}")
    if "epoch" in event:
        parts.append(f"epoch {event['epoch']}/{event['epochs']}")
        parts += [f"{key} {event[key]:.3f}" for key in ("loss", "accuracy", "val_loss", "val_accuracy") if key in event]
    elif event["stage"] == "scored":
        parts.append(f"accuracy {event['accuracy']:.4f} macro F1 {event['f1']:.4f}")
    click.echo(" · ".join(part for part in parts if part), err=True)


@click.command(epilog=MODELS_LIST)
@click.option("--dataset", required=True, help="Name of a data set (flask datasets list).")
@click.option(
    "--protocol",
    type=click.Choice(["random", "subject"]),
    default="subject",
    show_default=True,
    help="random: the paper's stratified 80/20; subject: tested on people never seen in training.",
)
@click.option("--models", default=",".join(TrainConfig.models), show_default=True, callback=_names, help=MODELS_HELP)
@click.option("--seed", default=0, show_default=True)
@click.option("--epochs", type=int, help="Training passes of each network (default: its own).")
@click.option("--promote", is_flag=True, help="Make the trained ELM-GRU-AM the model that users get.")
@json_option
@reports_errors
def train(
    dataset: str, protocol: str, models: tuple[str, ...], seed: int, epochs: int | None, promote: bool, as_json: bool
) -> None:
    """Train and compare models on a data set."""
    from app.har.experiment import METRIC_NAMES, flat_metrics
    from app.services import model_versions, training

    config = TrainConfig(models=models, protocol=cast(Protocol, protocol), seed=seed, epochs=epochs)
    run = training.train(dataset, config, on_event=_show)
    if run.status.value != "finished":
        click.echo(f"Training run {run.id} {run.status.value}: {run.reason}", err=True)
        sys.exit(1)
    version = run.result.get("model_version")
    if promote and version:
        model_versions.promote(model_versions.get(version).id)
    scores = {name: flat_metrics(metrics) for name, metrics in run.result["models"].items()}
    document: dict[str, Any] = {
        "run": run.id,
        "models": scores,
        "intervals": {
            name: {m: [metrics[m]["low"], metrics[m]["high"]] for m in METRIC_NAMES}
            for name, metrics in run.result["models"].items()
        },
        "model_version": version,
        "promoted": promote and version is not None,
        "split": run.result["split"],
    }
    if as_json:
        print_json(document)
        return
    _print_table(scores)
    if version:
        click.echo(f"Stored as model {version}" + (", promoted." if document["promoted"] else "."))


def _print_table(scores: dict[str, Any]) -> None:
    click.echo(f"{'model':<22}{'accuracy':>10}{'precision':>10}{'recall':>10}{'macro F1':>10}{'fit s':>8}")
    for name, score in scores.items():
        figures = "".join(f"{score[metric]:>10.4f}" for metric in ("accuracy", "precision", "recall", "f1"))
        click.echo(f"{name:<22}{figures}{score.get('fit_seconds', 0):>8.1f}")


@click.command(epilog=MODELS_LIST)
@click.option("--dataset", required=True, help="Name of a data set.")
@click.option("--models", default="elm-gru-am,random-forest", show_default=True, callback=_names, help=MODELS_HELP)
@click.option("--protocol", type=click.Choice(["random", "subject"]), default="subject", show_default=True)
@click.option("--folds", default=5, show_default=True, type=click.IntRange(2, 20))
@click.option("--seed", default=0, show_default=True)
@click.option("--epochs", type=int, help="Training passes of each network.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Also write the JSON to this file.")
@reports_errors
def evaluate(
    dataset: str,
    models: tuple[str, ...],
    protocol: str,
    folds: int,
    seed: int,
    epochs: int | None,
    as_json: bool,
    output: Path | None,
) -> None:
    """Cross-validate models on a data set; nothing is stored as a model."""
    from app.services import training

    config = TrainConfig(models=models, protocol=cast(Protocol, protocol), seed=seed, epochs=epochs)
    document = training.evaluate(dataset, config, folds, on_event=_show)
    if output:
        output.write_text(json.dumps(document, indent=2), encoding="utf-8")
    if as_json:
        print_json(document)
    else:
        _print_table(document["models"])
