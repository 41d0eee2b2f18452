"""What forms take: the fields of a page, as a browser sends them, whatever a program sends instead."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from flask import request
from flask_wtf import FlaskForm
from flask_wtf.form import _Auto
from werkzeug.datastructures import CombinedMultiDict, MultiDict
from wtforms import DecimalField, FieldList, FileField, FloatField, Form
from wtforms.widgets import TextInput

from app.web.plain_words import PlainWords

CHANGES = {"POST", "PUT", "PATCH", "DELETE"}


class PartForm(Form):
    """A part of a form, for a FormField."""

    class Meta:
        """What is wrong is said in plain words."""

        def get_translations(self, form: Form) -> PlainWords:
            """Return what turns messages into others."""
            return PlainWords()


class PageForm(FlaskForm):
    """A form of a page: text comes in fields of text, files in fields of files; a body of JSON is no form."""

    class Meta(FlaskForm.Meta):
        """Where the answers come from, and in which words wrong ones are refused."""

        def get_translations(self, form: Form) -> PlainWords:
            """Return what turns messages into others."""
            return PlainWords()

        def wrap_formdata(self, form: Form, formdata: Any) -> Any:
            """Return the answers of the request, unless others, or none, are given."""
            if formdata is not _Auto:
                return super().wrap_formdata(form, formdata)
            if request.method not in CHANGES:
                return None
            fields = form._fields
            files = [(name, file) for name, file in request.files.items(multi=True) if _is_of_files(fields, name)]
            return CombinedMultiDict([MultiDict(files), request.form])


def _is_of_files(fields: Mapping[str, Any], name: str) -> bool:
    return isinstance(fields.get(name), FileField)


def with_point(text: str) -> str:
    """Return a number with its decimal point, where a comma may stand for it: 0,5 is 0.5.

    Raises
    ------
    ValueError : the comma may be one of thousands: 1,500.
    """
    if re.fullmatch(r"\s*[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?\s*", text):
        raise ValueError(f"Write {text.strip().replace(',', '')}, without a comma for thousands.")
    return text.replace(",", ".") if text.count(",") == 1 and "." not in text else text


class NumberField(DecimalField):
    """A number with a point or a comma; what Python takes for a number besides, such as NaN and Infinity, is none."""

    data: Decimal | None
    widget = TextInput()  # a field of numbers would take one of the two marks, by the browser's language

    def __init__(self, *args: Any, **options: Any) -> None:
        options["render_kw"] = {"inputmode": "decimal", "autocomplete": "off"} | (options.get("render_kw") or {})
        super().__init__(*args, **options)

    def process_formdata(self, valuelist: list[str]) -> None:
        super().process_formdata([with_point(text) for text in valuelist])
        if valuelist and self.data is not None and not self.data.is_finite():
            self.data = None
            raise ValueError(self.gettext("Not a valid decimal value."))


class FactorField(FloatField):
    """A number of any kind, with a point or a comma."""

    def process_formdata(self, valuelist: list[str]) -> None:
        super().process_formdata([with_point(text) for text in valuelist])


class EntryList(FieldList):
    """Fields of one kind, whose names end in their numbers; what is written otherwise is none of them."""

    def _extract_indices(self, prefix: str, formdata: Mapping[str, Any]) -> Iterator[int]:
        # wtforms takes all digits for numbers that int() reads, which "²" is not, nor one of thousands of digits
        for name in formdata:
            if found := re.match(rf"{re.escape(prefix)}-([0-9]{{1,6}})(?:-|\Z)", name or ""):
                yield int(found[1])
