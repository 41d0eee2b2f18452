"""E-mail, by the mail server that the installation names (the settings SMTP_…)."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Mapping
from contextlib import closing, suppress
from email.message import EmailMessage
from email.utils import formatdate
from typing import Any

from flask import current_app

from app.services.alarms.messages import Message, plain
from app.services.alarms.outgoing import CONNECT_S, NotSent, within

WHOLE_S = 60.0  # of one letter, however slow the mail server
NOT_SET_UP = "No mail server is set up: an administrator sets SMTP_HOST and SMTP_FROM."


def is_set_up() -> bool:
    """Tell whether the installation can send e-mail."""
    return bool(current_app.config["SMTP_HOST"])


def letter(to: str, message: Message) -> EmailMessage:
    """Write a message as an e-mail. Its number makes its identifier: one that comes twice can be told."""
    sender: str = current_app.config["SMTP_FROM"]
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = message.title, sender, to
    mail["Date"] = formatdate(message.at_s)
    domain = sender.rpartition("@")[2].strip(" >") or "kinelab"
    mail["Message-ID"] = f"<kinelab-notice-{message.notice_id}-{message.at_s:.0f}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no answer by a machine, please
    mail.set_content(plain(message))
    return mail


def send(address: Mapping[str, Any], message: Message) -> None:
    """Hand a message to the mail server.

    Raises
    ------
    NotSent : it does not take it.
    """
    if not is_set_up():
        raise NotSent(NOT_SET_UP)
    config = current_app.config
    try:
        mail = letter(str(address["to"]), message)
        server = _server(config["SMTP_HOST"], config["SMTP_PORT"], config["SMTP_SECURITY"])
        with closing(server), within(WHOLE_S, lambda: server.sock):
            if config["SMTP_SECURITY"] == "starttls":
                server.starttls(context=ssl.create_default_context())
            if config["SMTP_USER"]:
                server.login(config["SMTP_USER"], config["SMTP_PASSWORD"])
            server.send_message(mail)
            with suppress(smtplib.SMTPException, OSError):  # it has the letter, whatever it says to a good-bye
                server.quit()
    except smtplib.SMTPRecipientsRefused as error:
        code, _ = next(iter(error.recipients.values()))
        raise NotSent(f"The mail server refuses this address ({code}).", for_good=code >= 500) from error
    except smtplib.SMTPResponseException as error:
        raise NotSent(f"The mail server refuses the message ({error.smtp_code}).") from error
    except (smtplib.SMTPException, OSError, ValueError) as error:
        raise NotSent(f"The mail server cannot be reached ({type(error).__name__}).") from error


def _server(host: str, port: int, security: str) -> smtplib.SMTP:
    if security == "tls":
        return smtplib.SMTP_SSL(host, port, timeout=CONNECT_S, context=ssl.create_default_context())
    return smtplib.SMTP(host, port, timeout=CONNECT_S)
