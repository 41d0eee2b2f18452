"""What a username, a password and the other details of an account may be, and the form in which they are stored."""

from __future__ import annotations

import re
import unicodedata
from threading import Lock
from typing import Any

from app.services.errors import Invalid

PASSWORD_MIN = 10
PASSWORD_MAX = 128
PASSWORD_RULE = (
    f"{PASSWORD_MIN} to {PASSWORD_MAX} characters of any kind, including spaces. A few unrelated words are easy to "
    "remember. Nothing with your name, and nothing that many people use."
)
USERNAME_RULE = (
    "3 to 64 letters of one alphabet, digits 0 to 9, dots, hyphens or underscores. Upper and lower case are the same."
)
# Of zxcvbn's 0 to 4: below it, a hundred million guesses suffice, which a stolen hash does not withstand
_STRENGTH_MIN = 3
_ESTIMATED = 72  # characters that zxcvbn looks at
_OWN_WORDS = ("kinelab", "activity", "recognition")
# Scripts that one language writes together, by the first word of their letters' names in Unicode
_WRITTEN_TOGETHER = ({"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA"}, {"CJK", "HANGUL"}, {"CJK", "BOPOMOFO"})
_one_estimate = Lock()  # zxcvbn keeps the words of the person whose password it looks at in a variable of its module


def canonical_username(username: str) -> str:
    """Return the form in which usernames are compared: upper and lower case, and widths of letters, are the same."""
    return unicodedata.normalize("NFKC", username).strip().casefold()


def clean_username(username: str) -> str:
    """Return the form in which a username is stored."""
    name = canonical_username(username)
    if not re.fullmatch(r"[\w.-]{3,64}", name):
        raise Invalid(f"This username cannot be used: {USERNAME_RULE}", "username")
    # Or somebody calls themselves аdam, with a Cyrillic а
    scripts = {unicodedata.name(letter, "?").split()[0] for letter in name if letter.isalpha()}
    digits = {character for character in name if character.isdigit() and not character.isascii()}
    if digits or (len(scripts) > 1 and not any(scripts <= together for together in _WRITTEN_TOGETHER)):
        raise Invalid(f"This username mixes alphabets: {USERNAME_RULE}", "username")
    return name


def clean_email(email: str) -> str:
    """Return the form in which an e-mail address is stored; nothing is looked up on the network."""
    from email_validator import EmailNotValidError, validate_email  # a twentieth of the start's time

    try:
        # A clinic's own domain (ward.local) is as good as a public one.
        address = validate_email(email.strip(), check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError as error:
        raise Invalid(f"This e-mail address is not valid: {error}", "email") from error
    if "." not in address.domain:
        raise Invalid("This e-mail address is not valid: the part after the @ has no dot.", "email")
    return address.normalized.casefold()


def clean_contact_number(number: str) -> str:
    """Return a telephone number with single spaces; it may be empty."""
    number = " ".join(number.split())
    if number and not re.fullmatch(r"(?=(\D*\d){5})\+?[0-9 ()./-]{5,31}", number):
        raise Invalid("Enter a number with at least 5 digits, for example +44 20 7946 0000.", "contact_number")
    return number


def clean_address(address: str) -> str:
    """Return a postal address; it may be empty."""
    address = address.strip()
    if len(address) > 500:
        raise Invalid(f"The address has {len(address)} characters; at most 500 are allowed.", "address")
    return address


def canonical_password(password: str) -> str:
    """Return the same characters for the same keys, whatever keyboard or phone composed them."""
    return unicodedata.normalize("NFKC", password)


def check_new_password(password: str, username: str, email: str) -> None:
    """Refuse a password that is easily guessed (NIST SP 800-63B: no rules of composition, but a look into lists).

    How many guesses it withstands is estimated by zxcvbn (Wheeler, USENIX Security 2016), which knows the 30,000
    passwords that most people use, frequent words and names, keyboards and dates; here also the person's own words.
    """
    secret = canonical_password(password)
    if len(secret) < PASSWORD_MIN:
        raise Invalid(f"The password has {len(secret)} characters; it needs at least {PASSWORD_MIN}.", "password")
    if len(secret) > PASSWORD_MAX:
        raise Invalid(f"The password has {len(secret)} characters; at most {PASSWORD_MAX} are allowed.", "password")
    if secret.casefold() in {username.casefold(), email.casefold(), email.casefold().partition("@")[0]}:
        raise Invalid("The password may not be your username or e-mail address.", "password")
    estimate = _estimate(secret, [*_OWN_WORDS, username, email, *re.findall(r"[^\W\d_]{3,}", f"{username} {email}")])
    if estimate["score"] < _STRENGTH_MIN:
        reason = estimate["feedback"]["warning"]
        hints = [reason] if reason else []
        raise Invalid(" ".join(["This password is too easy to guess.", *hints, "Choose another."]), "password")


def _estimate(secret: str, words: list[str]) -> dict[str, Any]:
    from zxcvbn import zxcvbn  # its lists take as long to load as a page

    with _one_estimate:
        return dict(zxcvbn(secret[:_ESTIMATED], user_inputs=words))
