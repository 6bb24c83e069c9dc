"""Why an e-mail could not be sent: whose fault it is, and how that is kept and told.

A fault is kept as a word and codes, "recipient 550 5.1.1", never as what a server answered: that may quote what was
sent to it. It is told in the reader's language.
"""

from __future__ import annotations

import re
import smtplib
from dataclasses import dataclass
from enum import Enum
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy


class Whose(Enum):
    """Whose fault it is decides what happens next."""

    MAIL = "mail"
    """It will never be taken: given up at once."""
    MAIL_NOW = "mail now"
    """Perhaps it is taken later: tried again, each time after a longer wait."""
    CONNECTION = "connection"
    """The conversation broke off. Once may be this e-mail's fault, twice in a row is the server's."""
    SERVER = "server"
    """No e-mail would be taken: the round ends, and none of them is to blame."""


@dataclass(frozen=True, slots=True)
class Fault:
    word: str
    whose: Whose
    codes: str = ""

    def __str__(self) -> str:
        return f"{self.word} {self.codes}".strip()[:300]

    @property
    def of_the_server(self) -> Fault:
        """The same, once it has turned out that it meets every e-mail."""
        if self.whose is Whose.SERVER:
            return self
        return Fault("unreachable" if self.whose is Whose.CONNECTION else "refusing", Whose.SERVER, self.codes)


WORDS = {
    "unreachable": gettext_lazy("The mail server could not be reached."),
    "refusing": gettext_lazy("The mail server takes no e-mails at the moment."),
    "sign_in": gettext_lazy("The mail server does not let us sign in: check the user and the password."),
    "sender": gettext_lazy("The mail server does not take our sender's address."),
    "address": gettext_lazy("This is not an address to which an e-mail can be sent."),
    "recipient": gettext_lazy("The mail server says that there is no such recipient, or that they take no e-mails."),
    "content": gettext_lazy("The mail server does not take this e-mail: too large, or thought to be unwanted."),
    "later": gettext_lazy("The mail server wants the e-mail later."),
    "broken": gettext_lazy("The conversation with the mail server broke off."),
    "program": gettext_lazy("The e-mail could not be written: that is an error of the program."),
    "worker": gettext_lazy("The worker ended each time while it was sending this e-mail."),
}
# Faults of the server: while the last round ended with one of them, nobody else need try.
OF_THE_SERVER = ("unreachable", "refusing", "sign_in", "sender")

INVALID_ADDRESS = Fault("address", Whose.MAIL)
WORKER_DIED = Fault("worker", Whose.MAIL)

_ENHANCED = re.compile(rb"\s*([245]\.\d{1,3}\.\d{1,3})\b")
_SAYS_GOODBYE = 421
_TOO_LARGE = 552
_SIGN_IN_FIRST = (530, 534, 535, 538)


def on_opening(error: BaseException) -> Fault:
    """The connection could not even be made: refused, no such host, timeout, certificate, wrong password."""
    word = "sign_in" if isinstance(error, smtplib.SMTPAuthenticationError) else "unreachable"
    return Fault(word, Whose.SERVER, _codes(error))


def on_sending(error: BaseException) -> Fault:
    """The server, or the way to it, did not take this one."""
    match error:
        case smtplib.SMTPConnectError() | smtplib.SMTPHeloError() | smtplib.SMTPAuthenticationError():
            return on_opening(error)
        case smtplib.SMTPNotSupportedError():
            return Fault("address", Whose.MAIL, _codes(error))
        case smtplib.SMTPRecipientsRefused():
            code, answer = next(iter(error.recipients.values()), (0, b""))
            return _refused("recipient", code, answer)
        case smtplib.SMTPSenderRefused() if 500 <= error.smtp_code < 600:
            word = {_TOO_LARGE: "content", **dict.fromkeys(_SIGN_IN_FIRST, "sign_in")}.get(error.smtp_code, "sender")
            return Fault(word, Whose.MAIL if word == "content" else Whose.SERVER, _codes(error))
        case smtplib.SMTPResponseException():
            return _refused("content", error.smtp_code, error.smtp_error)
    if isinstance(error, OSError):
        return Fault("broken", Whose.CONNECTION, _codes(error))
    return in_the_program(error)


def in_the_program(error: BaseException) -> Fault:
    """Ours: a later version may be able to write this e-mail."""
    return Fault("program", Whose.MAIL_NOW, type(error).__name__)


def in_words(last_error: str) -> str:
    """What a kept fault says to a person, with its codes."""
    if not last_error:
        return ""
    word, _space, codes = last_error.partition(" ")
    sentence = WORDS.get(word)
    if sentence is None:
        return _("It could not be sent (%(codes)s).") % {"codes": last_error}
    return f"{sentence} ({codes})" if codes else str(sentence)


def _refused(word: str, code: int, answer: Any) -> Fault:
    codes = _with_enhanced(code, answer)
    if code == _SAYS_GOODBYE:
        return Fault("broken", Whose.CONNECTION, codes)
    if code in _SIGN_IN_FIRST:
        return Fault("sign_in", Whose.SERVER, codes)
    if 500 <= code < 600:
        return Fault(word, Whose.MAIL, codes)
    return Fault("later", Whose.MAIL_NOW, codes)


def _with_enhanced(code: int, answer: Any) -> str:
    """The code, and the finer one with which most servers begin their answer (RFC 3463)."""
    found = _ENHANCED.match(answer if isinstance(answer, bytes) else str(answer or "").encode())
    return f"{code} {found[1].decode()}" if found else str(code)


def _codes(error: BaseException) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        return _with_enhanced(error.smtp_code, error.smtp_error)
    words = [type(error).__name__]
    if isinstance(number := getattr(error, "errno", None), int):
        words.append(str(number))
    return " ".join(words)
