from __future__ import annotations

from flask_wtf import FlaskForm
from flask_wtf.file import FileField, FileRequired
from wtforms import SelectField
from wtforms.validators import InputRequired


class UploadForm(FlaskForm):
    file = FileField(
        "Recording",
        validators=[FileRequired("Choose a file first.")],
        description="A CSV file, or a zip of the CSV files of one recording.",
    )


class AgainForm(FlaskForm):
    """Another model for a recording; the view fills in the choices."""

    version = SelectField("Recognise again with", coerce=int, validators=[InputRequired()])
