"""The train page's form (the paper's Fig. 6.2) and the small forms of the models page."""

from __future__ import annotations

from wtforms import (
    BooleanField,
    IntegerField,
    RadioField,
    SelectField,
    SelectMultipleField,
    SubmitField,
    TextAreaField,
    widgets,
)
from wtforms.validators import DataRequired, InputRequired, Length, NumberRange, Optional

from app.har.classifiers.catalogue import BALANCED, CATALOGUE, DAILY
from app.har.training.config import TrainConfig, help_on, limits
from app.services.models import model_versions
from app.web.forms import NumberField, PageForm

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
        choices=[
            ("", "One part: train on 80 %, test on the rest and keep the model"),
            ("5", "All data, in 5 folds: train 5 times and keep no model"),
            ("10", "All data, in 10 folds: train 10 times and keep no model"),
        ],
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
    epochs = IntegerField(
        "Epochs",
        validators=[Optional(), NumberRange(*limits("epochs"))],
        description=help_on("epochs"),
    )
    window_length_s = NumberField(
        "Window length (s)",
        places=None,
        default=TrainConfig.window_length_s,
        validators=[InputRequired(), NumberRange(*limits("window_length_s"))],
        description=help_on("window_length_s"),
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
    submit = SubmitField("Start training")

    def config(self) -> TrainConfig:
        """Return the answers as the core takes them."""
        return TrainConfig(
            models=tuple(name for name in CATALOGUE if name in (self.models.data or [])),
            protocol=self.protocol.data,
            seed=int(self.seed.data or 0),
            epochs=self.epochs.data,
            window_length_s=float(self.window_length_s.data or 0),
            overlap=float(self.overlap.data or 0),
            folds=int(self.folds.data) if self.folds.data and self.protocol.data != "dataset" else None,
            low_pass_hz=float(self.low_pass_hz.data) if self.low_pass_hz.data else None,
            separate_gravity=bool(self.separate_gravity.data),
            gap_s=float(self.gap_s.data or TrainConfig.gap_s),
            rotation_augmentation=bool(self.rotation_augmentation.data),
        )


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


class NotesForm(PageForm):
    """Notes on a model version."""

    notes = TextAreaField("Notes", validators=[Length(max=model_versions.MAX_NOTES)])
    submit = SubmitField("Save notes")
