"""The train page's form (the paper's Fig. 6.2) and the small forms of the models page."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from wtforms import (
    BooleanField,
    IntegerField,
    RadioField,
    SelectField,
    SelectMultipleField,
    StringField,
    SubmitField,
    TextAreaField,
    widgets,
)
from wtforms.validators import DataRequired, InputRequired, Length, NumberRange, Optional, StopValidation

from app.har.classifiers.catalogue import BALANCED, CATALOGUE, DAILY
from app.har.training.config import TrainConfig, help_on, limits
from app.services.models import model_versions, runs
from app.web.forms import NumberField, PageForm

if TYPE_CHECKING:
    from app.tables import TrainingRun

PROTOCOLS = {
    "subject": (
        "By subject",
        "Trains on some people and tests on others: what to expect for a person the model has never seen.",
    ),
    "dataset": (
        "By data set",
        "Leaves each of several data sets out in turn: what to expect of a device and of people that no set contained. "
        "Keeps no model but the everyday one.",
    ),
    "random": (
        "Random",
        "The paper's protocol, 80/20: both parts hold windows of the same recordings, so every model looks too good.",
    ),
}


FOLDS = [
    ("", "One part: train on 80 %, test on the rest and keep the model"),
    ("5", "All data, in 5 folds: train 5 times and keep no model"),
    ("10", "All data, in 10 folds: train 10 times and keep no model"),
]


class _Required(InputRequired):
    """Says that a field is to be filled in, where no base brings its value."""

    def __call__(self, form: Any, field: Any) -> None:
        """Let an empty field of a training on a base pass."""
        if form.base.data and not any(field.raw_data or ()):
            field.errors = []
            field.data = None
            raise StopValidation
        super().__call__(form, field)


class TrainForm(PageForm):
    """What decides a training run."""

    dataset = SelectMultipleField(
        "Data sets",
        option_widget=widgets.CheckboxInput(),
        widget=widgets.ListWidget(prefix_label=False),
        validators=[DataRequired("Choose at least one data set.")],
    )
    protocol = RadioField(
        "How to test", choices=[(name, title) for name, (title, _) in PROTOCOLS.items()], default="subject"
    )
    folds = SelectField(
        "How much to test",
        choices=FOLDS,
        default="",
        description="Folds test every window once, so the results are more reliable and every person gets a score.",
    )
    models = SelectMultipleField(
        "Models to compare",
        choices=[(name, info.title) for name, info in CATALOGUE.items()],
        default=list(TrainConfig.models),
        option_widget=widgets.CheckboxInput(),
        widget=widgets.ListWidget(prefix_label=False),
        validators=[DataRequired("Choose at least one model.")],
    )
    base = SelectField("Start from", default="", description=help_on("base"))
    fine_tune = BooleanField("Fine-tune its network", description=help_on("fine_tune"))
    epochs = IntegerField(
        "Epochs",
        validators=[Optional(), NumberRange(*limits("epochs"))],
        description=help_on("epochs"),
    )
    window_length_s = NumberField(
        "Window length (s)",
        places=None,
        default=TrainConfig.window_length_s,
        validators=[_Required(), NumberRange(*limits("window_length_s"))],
        description=f"{help_on('window_length_s')} Preset to less where an activity of the data set mostly lasts less.",
    )
    overlap = NumberField(
        "Overlap of windows ({} to {})".format(*limits("overlap")),
        places=None,
        default=TrainConfig.overlap,
        validators=[InputRequired(), NumberRange(*limits("overlap"))],
        description=help_on("overlap"),
    )
    seed = IntegerField(
        "Seed",
        default=TrainConfig.seed,
        validators=[InputRequired(), NumberRange(*limits("seed"))],
        description=help_on("seed"),
    )
    low_pass_hz = NumberField(
        "Low-pass filter (Hz)",
        places=None,
        validators=[Optional(), NumberRange(*limits("low_pass_hz"))],
        description=help_on("low_pass_hz"),
    )
    gap_s = NumberField(
        "Longest gap to fill (s)",
        places=None,
        default=TrainConfig.gap_s,
        validators=[Optional(), NumberRange(*limits("gap_s"))],
        description=help_on("gap_s"),
    )
    separate_gravity = BooleanField("Train without gravity", description=help_on("separate_gravity"))
    rotation_augmentation = BooleanField("Any device orientation", description=help_on("rotation_augmentation"))
    keep_sums = BooleanField("Keep features by person", description=help_on("keep_sums"))
    unlabelled = SelectField("Learn from recordings without labels", default="", description=help_on("unlabelled"))
    leave_out = StringField("People to leave out", validators=[Length(max=500)], description=help_on("leave_out"))
    name = StringField(
        "Name of the run",
        validators=[Length(max=runs.MAX_NAME)],
        description="You may leave it empty; you can change it later.",
    )
    submit = SubmitField("Start training")

    def config(self) -> TrainConfig:
        """Return the answers as the core takes them."""
        return TrainConfig(
            models=tuple(name for name in CATALOGUE if name in (self.models.data or [])),
            protocol=self.protocol.data,
            seed=int(self.seed.data or 0),
            epochs=self.epochs.data,
            window_length_s=float(self.window_length_s.data or TrainConfig.window_length_s),
            overlap=float(self.overlap.data or 0),
            folds=int(self.folds.data) if self.folds.data and self.protocol.data != "dataset" else None,
            low_pass_hz=float(self.low_pass_hz.data) if self.low_pass_hz.data else None,
            separate_gravity=bool(self.separate_gravity.data),
            gap_s=float(self.gap_s.data or TrainConfig.gap_s),
            rotation_augmentation=bool(self.rotation_augmentation.data),
            keep_sums=bool(self.keep_sums.data),
            leave_out=tuple(filter(None, map(str.strip, (self.leave_out.data or "").split(",")))),
            unlabelled=self.unlabelled.data or "",
            base=self.base.data or "",
            fine_tune=bool(self.fine_tune.data),
        )


def answers_of(run: TrainingRun, choices: Collection[str], stored: Collection[str]) -> tuple[dict[str, Any], list[str]]:
    """Return the answers that ask for a run once more, and what can't be asked for any longer, in words.

    Parameters
    ----------
    choices : the data sets that there are, each as it is chosen.
    stored : the models that can be built on, by their labels.
    """
    config = run.config
    names = [
        each["dataset"] + (f":{each['device']}" if each.get("device") else "") for each in config.get("datasets", [])
    ]
    if not names:
        device = run.dataset_name.partition(":")[2]
        known = run.dataset.name if run.dataset else run.dataset_name.partition(":")[0]  # it may have another name now
        names = [f"{known}:{device}" if device else known]
    lost = [f"The data set {name} is not here any longer." for name in names if name not in choices]
    if (base := config.get("base", "")) and base not in stored:
        lost.append(f"The model {base} that it was built on is not here any longer; it starts from scratch.")
        base, config = "", {**config, "fine_tune": False}
    if (more := config.get("unlabelled", "")) and more not in choices:
        lost.append(f"The data set {more}, learnt from without labels, is not here any longer.")
        more = ""
    models = [name for name in config["models"] if name in CATALOGUE]
    if len(models) < len(config["models"]):
        lost.append("Some of its models do not exist any longer.")
    folds = str(config.get("folds") or "")
    if folds not in dict(FOLDS):
        lost.append(f"{folds} folds can only be asked for on the command line; 5 are chosen here.")
        folds = "5"
    settings = ("protocol", "epochs", "window_length_s", "overlap", "seed", "low_pass_hz", "gap_s", "separate_gravity")
    switches = ("rotation_augmentation", "keep_sums", "fine_tune")
    answers = {name: config[name] for name in (*settings, *switches) if config.get(name) is not None}
    answers["leave_out"] = ", ".join(config.get("leave_out", []))
    again = {"dataset": [name for name in names if name in choices], "models": models, "folds": folds, "name": run.name}
    return answers | again | {"base": base, "unlabelled": more}, lost


class ForgetForm(PageForm):
    """Whom a model version is to forget."""

    subject = SelectField("Subject", validators=[DataRequired("Choose a subject.")])
    submit = SubmitField("Forget")


class LimitForm(PageForm):
    """How sure an answer of a model version must be; empty is the limit that the model recommends."""

    answer_limit = NumberField("An answer must be at least this probable (%)", places=None, validators=[Optional()])
    submit = SubmitField("Save limit")


class PriorForm(PageForm):
    """How often a model version expects activities."""

    prior = RadioField(
        "How often are activities met?",
        choices=[(BALANCED, "All alike"), (DAILY, "As in daily life")],
    )
    submit = SubmitField("Save")


class RunForm(PageForm):
    """Name and notes of a training run."""

    name = StringField("Name", validators=[Length(max=runs.MAX_NAME)])
    notes = TextAreaField("Notes", validators=[Length(max=runs.MAX_NOTES)])
    submit = SubmitField("Save name and notes")


class NotesForm(PageForm):
    """Notes on a model version."""

    notes = TextAreaField("Notes", validators=[Length(max=model_versions.MAX_NOTES)])
    submit = SubmitField("Save notes")
