"""The train page's form (the paper's Fig. 6.2) and the small forms of the models page."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms import (
    BooleanField,
    DecimalField,
    IntegerField,
    RadioField,
    SelectField,
    SelectMultipleField,
    SubmitField,
    TextAreaField,
    widgets,
)
from wtforms.validators import DataRequired, InputRequired, Length, NumberRange, Optional

from app.har.classifiers.catalogue import CATALOGUE
from app.har.signals.clocks import MAX_GAP_S
from app.har.training.config import TrainConfig
from app.services.models import model_versions

PROTOCOLS = {
    "subject": (
        "By subject",
        "Trains on some people and tests on others: what to expect for a person the model has never seen.",
    ),
    "random": (
        "Random",
        "The paper's protocol, 80/20: both parts hold windows of the same recordings, so every model looks too good.",
    ),
}


class TrainForm(FlaskForm):
    """What decides a training run."""

    dataset = SelectField("Data set", validators=[DataRequired()])
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
        validators=[Optional(), NumberRange(1, 1000)],
        description="Training passes over the data. Leave empty to use each network's default.",
    )
    window_length_s = DecimalField(
        "Window length (s)",
        places=None,
        default=TrainConfig.window_length_s,
        validators=[InputRequired(), NumberRange(0.5, 60)],
        description="The length of signal that gets one answer.",
    )
    overlap = DecimalField(
        "Overlap of windows (0 to 0.9)",
        places=None,
        default=TrainConfig.overlap,
        validators=[InputRequired(), NumberRange(0, 0.9)],
        description="More than 0 gives more windows to train on. Only for the protocol by subject.",
    )
    seed = IntegerField(
        "Seed",
        default=TrainConfig.seed,
        validators=[InputRequired(), NumberRange(0, 2**31 - 1)],
        description="The same seed on the same data gives the same split and starting weights.",
    )
    low_pass_hz = DecimalField(
        "Low-pass filter (Hz)",
        places=None,
        validators=[Optional(), NumberRange(0.1, 500)],
        description="Removes faster movement as noise, also from recordings to be recognised. "
        "Leave empty for no filter.",
    )
    gap_s = DecimalField(
        "Longest gap to fill (s)",
        places=None,
        default=TrainConfig.gap_s,
        validators=[Optional(), NumberRange(0.1, MAX_GAP_S)],
        description="A recording to be recognised is split at longer gaps, so that no window crosses them.",
    )
    separate_gravity = BooleanField(
        "Train without gravity",
        description="If the data include gravity, it is estimated by a low-pass filter at 0.3 Hz and subtracted.",
    )
    rotation_augmentation = BooleanField(
        "Any device orientation",
        description="ELM-GRU-AM also learns from rotated copies: slightly less accurate if all devices are worn the "
        "same way, far more accurate if not.",
    )
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
            folds=int(self.folds.data) if self.folds.data else None,
            low_pass_hz=float(self.low_pass_hz.data) if self.low_pass_hz.data else None,
            separate_gravity=bool(self.separate_gravity.data),
            gap_s=float(self.gap_s.data or TrainConfig.gap_s),
            rotation_augmentation=bool(self.rotation_augmentation.data),
        )


class NotesForm(FlaskForm):
    """Notes on a model version."""

    notes = TextAreaField("Notes", validators=[Length(max=model_versions.MAX_NOTES)])
    submit = SubmitField("Save notes")
