"""What forms say of wrong answers, in words for people: the library's own say what a program would look up."""

from __future__ import annotations

from collections.abc import Mapping

_CHOOSE, _NUMBER = "Choose from the list.", "Write a number, for example 2.5."
_AGAIN = "This page is too old. Load it again, and send it again."
WORDS: Mapping[str, str] = {  # by what WTForms says; see its documentation on messages
    "Not a valid choice.": _CHOOSE,
    "Invalid Choice: could not coerce.": _CHOOSE,
    "Invalid choice(s): one or more data inputs could not be coerced.": _CHOOSE,
    "'%(value)s' is not a valid choice for this field.": "“%(value)s” is not in the list. Choose from it.",
    "'%(value)s' are not valid choices for this field.": "“%(value)s” are not in the list. Choose from it.",
    "Invalid value, must be one of: %(values)s.": "Choose one of %(values)s.",
    "Invalid value, can't be any of: %(values)s.": "Choose something else than %(values)s.",
    "Not a valid integer value.": "Write a whole number, for example 20.",
    "Not a valid decimal value.": _NUMBER,
    "Not a valid float value.": _NUMBER,
    "Not a valid date value.": "Write a date, for example 2026-11-28.",
    "Not a valid datetime value.": "Write a date and a time, for example 2026-11-28 16:30.",
    "Not a valid time value.": "Write a time, for example 16:30.",
    "Not a valid week value.": "Write a week, for example 2026-W48.",
    "Number must be at least %(min)s.": "Write a number of at least %(min)s.",
    "Number must be at most %(max)s.": "Write a number of at most %(max)s.",
    "Number must be between %(min)s and %(max)s.": "Write a number from %(min)s to %(max)s.",
    "This field is required.": "This is needed.",
    "Field must be at least %(min)d character long.": "Write at least %(min)d character.",
    "Field must be at least %(min)d characters long.": "Write at least %(min)d characters.",
    "Field cannot be longer than %(max)d character.": "Write at most %(max)d character.",
    "Field cannot be longer than %(max)d characters.": "Write at most %(max)d characters.",
    "Field must be exactly %(max)d character long.": "Write exactly %(max)d character.",
    "Field must be exactly %(max)d characters long.": "Write exactly %(max)d characters.",
    "Field must be between %(min)d and %(max)d characters long.": "Write %(min)d to %(max)d characters.",
    "Field must be equal to %(other_name)s.": "This must be the same as “%(other_label)s”.",
    "Invalid input.": "This is written in another way than expected.",
    "Invalid email address.": "This is no e-mail address.",
    "Invalid IP address.": "This is no IP address.",
    "Invalid Mac address.": "This is no MAC address.",
    "Invalid URL.": "This is no web address.",
    "Invalid UUID.": "This is no UUID.",
    "This field cannot be edited.": "This cannot be changed.",
    "This field is disabled and cannot have a value.": "This cannot be chosen here.",
    "CSRF token missing.": _AGAIN,
    "CSRF token expired.": _AGAIN,
    "CSRF failed.": _AGAIN,
    "Invalid CSRF Token.": _AGAIN,
}


class PlainWords:
    """The translation into plain words, as WTForms asks for one."""

    def gettext(self, message: str) -> str:
        """Return a message in plain words."""
        return WORDS.get(message, message)

    def ngettext(self, singular: str, plural: str, n: int) -> str:
        """Return a message on a number of things in plain words."""
        return self.gettext(singular if n == 1 else plural)
