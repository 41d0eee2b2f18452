"""``flask train`` and ``flask evaluate``."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import IO, Any, cast

import click

from app.cli.output import json_option, print_json, reports_errors
from app.har.classifiers.catalogue import CATALOGUE
from app.har.evaluation.types import Protocol
from app.har.progress import Event, Stage
from app.har.training.config import TrainConfig

MODELS_HELP = "Comma-separated; the models are listed below."
MODELS_LIST = "\b\nModels:\n" + "\n".join(f"  {name:<22}{info.about}" for name, info in CATALOGUE.items())


def _names(context: click.Context, parameter: click.Parameter, value: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in value.split(",") if name.strip())


def _signal_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add what decides the windows that are learnt from; the command gets it by the names of TrainConfig."""
    for option in (
        click.option("--rotation-augmentation", is_flag=True, help="Also learn from copies of turned devices."),
        click.option("--separate-gravity", is_flag=True, help="Train without gravity on data that have it."),
        click.option("--gap", "gap_s", default=TrainConfig.gap_s, help="Longest hole to bridge in a recording, s."),
        click.option("--low-pass", "low_pass_hz", type=float, help="Cut-off in Hz of a noise filter; default none."),
        click.option("--overlap", default=TrainConfig.overlap, help="Of windows, 0 to 0.9."),
        click.option(
            "--window-length", "window_length_s", default=TrainConfig.window_length_s, show_default=True,
            help="Seconds that get one answer.",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


def _show(event: Event) -> None:
    parts = [str(event.get("model", "")), event["stage"]]
    if "fold" in event:
        parts.insert(0, f"fold {event['fold']}")
    if "epoch" in event:
        parts.append(f"epoch {event['epoch']}/{event['epochs']}")
        parts += [f"{key} {event[key]:.3f}" for key in ("loss", "accuracy", "val_loss", "val_accuracy") if key in event]
    elif event["stage"] in (Stage.SCORED, Stage.FOLD_SCORED):
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
@_signal_options
@click.option("--promote", is_flag=True, help="Make the trained ELM-GRU-AM the default model.")
@json_option
@reports_errors
def train(
    dataset: str,
    protocol: str,
    models: tuple[str, ...],
    seed: int,
    epochs: int | None,
    promote: bool,
    as_json: bool,
    **signal: Any,
) -> None:
    """Train and compare models on a data set."""
    from app.har.training.results import METRIC_NAMES, flat_metrics
    from app.services.models import model_versions, training

    config = TrainConfig(models, cast(Protocol, protocol), seed, epochs, **signal)
    run = training.train(dataset, config, on_event=_show)
    _end_unless_finished(run)
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


def _end_unless_finished(run: Any) -> None:
    if run.status.value != "finished":
        click.echo(f"Training run {run.id} {run.status.value}: {run.reason}", err=True)
        sys.exit(1)


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
@_signal_options
@click.option("--json", "file", type=click.File("w", encoding="utf-8"), help="Write all of it here; - is stdout.")
@reports_errors
def evaluate(
    dataset: str,
    models: tuple[str, ...],
    protocol: str,
    folds: int,
    seed: int,
    epochs: int | None,
    file: IO[str] | None,
    **signal: Any,
) -> None:
    """Cross-validate models on a data set, the first against the others.

    Nothing is stored as a model.
    """
    from app.har.training.results import over_folds
    from app.services.models import training

    config = TrainConfig(models, cast(Protocol, protocol), seed, epochs, folds=folds, **signal)
    run = training.train(dataset, config, on_event=_show)
    _end_unless_finished(run)
    scores = over_folds(run.result)
    shared = ("comparisons", "folds", "activities", "config", "data", "environment")
    document = {"run": run.id, "models": scores, **{key: run.result[key] for key in shared}}
    if file:
        json.dump(document, file, indent=2)
        file.write("\n")
        if file.name in ("-", "<stdout>"):
            return
    _print_table(scores)
    for pair in run.result["comparisons"]:
        difference = pair["f1"]
        click.echo(
            f"{pair['model']} − {pair['against']}: macro F1 {difference['value']:+.4f} "
            f"({difference['low']:+.4f} to {difference['high']:+.4f})"
        )
