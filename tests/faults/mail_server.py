"""A small mail server on this machine that takes e-mails, or fails in one of the ways in which mail servers fail."""

import re
import select
import socket
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto


class Does(Enum):
    """What it does to whoever comes."""

    TAKE = auto()
    REFUSE_CONNECTIONS = auto()
    HANG_BEFORE_BANNER = auto()
    HANG_BEFORE_DATA = auto()
    """Asked for DATA it says nothing: the e-mail stays with the sender."""
    HANG_AFTER_DATA = auto()
    """It has the e-mail, and does not say so."""
    DIE_IN_DATA = auto()
    DIE_AFTER_DATA = auto()
    """It has the e-mail, and the line breaks before it can say so."""
    REFUSE_RECIPIENTS = auto()
    REFUSE_SENDER = auto()
    REFUSE_CONTENT = auto()
    PUT_OFF_RECIPIENTS = auto()
    PUT_OFF_CONTENT = auto()
    SHUT_DOWN = auto()


ANSWERS = {
    Does.SHUT_DOWN: b"421 4.3.2 shutting down",
    Does.REFUSE_RECIPIENTS: b"550 5.1.1 no such mailbox: secret of the server",
    Does.PUT_OFF_RECIPIENTS: b"451 4.7.1 greylisted, come again",
    Does.REFUSE_SENDER: b"550 5.7.1 sender refused",
    Does.REFUSE_CONTENT: b"554 5.7.1 this looks like spam",
    Does.PUT_OFF_CONTENT: b"452 4.3.1 the disk is full",
}


@dataclass(frozen=True, slots=True)
class Taken:
    """An e-mail that arrived whole; ``mail`` is the number of its row in the outbox."""

    mail: int
    to: str


class _Gone(Exception):
    """The line is, or shall be, broken."""


class MailServer:
    """Listens from the start; ``does`` may change at any moment. ``refused_addresses`` are refused for good."""

    def __init__(self) -> None:
        self._does = Does.TAKE
        self.taken: list[Taken] = []
        self.conversations = 0
        self.broken = 0
        """How many e-mails it has got without saying so."""
        self._changes_after: tuple[int, Does] | None = None
        self.refused_addresses: frozenset[str] = frozenset()
        self._hanging: set[int] = set()
        self._let_go = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept, args=(self._socket,), daemon=True)
        self._accepting.start()

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    @property
    def does(self) -> Does:
        return self._does

    @does.setter
    def does(self, what: Does) -> None:
        """What hangs already goes on hanging, until ``let_go``."""
        if Does.REFUSE_CONNECTIONS in (what, self._does) and what is not self._does:
            self._reopen(listening=what is not Does.REFUSE_CONNECTIONS)
        self._does = what

    def does_after(self, count: int, what: Does) -> None:
        """Take so many more, and then do that."""
        self._changes_after = (len(self.taken) + count, what)

    @property
    def hanging(self) -> int:
        """How many wait for an answer at this moment."""
        return len(self._hanging)

    def let_go(self) -> None:
        """Whoever hangs gets the answer at last."""
        self._let_go.set()

    def times_taken(self) -> Counter[int]:
        return Counter(each.mail for each in self.taken)

    def take(self, mail: Taken) -> None:
        self.taken.append(mail)
        self.broken += self.does in (Does.HANG_AFTER_DATA, Does.DIE_AFTER_DATA)
        if self._changes_after and len(self.taken) >= self._changes_after[0]:
            self.does, self._changes_after = self._changes_after[1], None

    def close(self) -> None:
        self._let_go.set()
        self._stop_listening()

    # -- its lines -------------------------------------------------------------------------

    def _reopen(self, *, listening: bool) -> None:
        """The port stays ours, so that nobody else answers there while this one refuses."""
        self._stop_listening()
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", self.port))
        if listening:
            self._socket.listen(64)
            self._accepting = threading.Thread(target=self._accept, args=(self._socket,), daemon=True)
            self._accepting.start()

    def _stop_listening(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._accepting.join(timeout=10)

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                line, _peer = listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(line,), daemon=True).start()

    def _serve(self, line: socket.socket) -> None:
        self.conversations += 1
        line.settimeout(120)
        with line, suppress(OSError):
            with suppress(_Gone):
                if self.does is Does.HANG_BEFORE_BANNER:
                    self._hang(line)
                _Conversation(self, line).go_on()
            line.shutdown(socket.SHUT_RDWR)

    def _hang(self, line: socket.socket) -> None:
        """Say nothing until let go, or until the other side has gone."""
        number = id(line)
        self._hanging.add(number)
        try:
            while not self._let_go.is_set():
                readable, _writable, _broken = select.select([line], [], [], 0.02)
                if readable and not line.recv(1, socket.MSG_PEEK):
                    raise _Gone
        finally:
            self._hanging.discard(number)


class _Conversation:
    """SMTP as far as smtplib speaks it (RFC 5321)."""

    def __init__(self, server: MailServer, line: socket.socket) -> None:
        self.server = server
        self.line = line
        self.file = line.makefile("rb")
        self.to = ""

    def go_on(self) -> None:
        if self.server.does is Does.SHUT_DOWN:
            self._say(ANSWERS[Does.SHUT_DOWN])
            raise _Gone
        self._say(b"220 faults.test ESMTP")
        while command := self.file.readline():
            word = command[:4].upper()
            if word in (b"EHLO", b"HELO"):
                self._say(b"250 faults.test")
            elif word == b"MAIL":
                self._answer_unless(Does.REFUSE_SENDER)
            elif word == b"RCPT":
                self._recipient(command)
            elif word == b"DATA":
                self._data()
            elif word == b"QUIT":
                self._say(b"221 bye")
                return
            else:
                self._say(b"250 ok")

    def _recipient(self, command: bytes) -> None:
        found = re.search(rb"<([^>]*)>", command)
        self.to = found[1].decode() if found else ""
        if self.to in self.server.refused_addresses:
            self._say(ANSWERS[Does.REFUSE_RECIPIENTS])
        else:
            self._answer_unless(Does.REFUSE_RECIPIENTS, Does.PUT_OFF_RECIPIENTS)

    def _data(self) -> None:
        if self.server.does is Does.HANG_BEFORE_DATA:
            self.server._hang(self.line)
        self._say(b"354 go on")
        text = b""
        while not text.endswith(b"\r\n.\r\n"):
            if self.server.does is Does.DIE_IN_DATA and text:
                raise _Gone
            piece = self.file.readline()
            if not piece:
                raise _Gone
            text += piece
        refusal = {Does.REFUSE_CONTENT, Does.PUT_OFF_CONTENT} & {self.server.does}
        if not refusal:
            number = re.search(rb"^X-Atelier-Mail: (\d+)", text, re.MULTILINE)
            self.server.take(Taken(int(number[1]) if number else 0, self.to))
        if self.server.does is Does.HANG_AFTER_DATA:
            self.server._hang(self.line)
        if self.server.does is Does.DIE_AFTER_DATA:
            raise _Gone
        self._answer_unless(Does.REFUSE_CONTENT, Does.PUT_OFF_CONTENT)

    def _answer_unless(self, *refusals: Does) -> None:
        does = self.server.does
        self._say(ANSWERS[does] if does in refusals else b"250 ok")

    def _say(self, text: bytes) -> None:
        self.line.sendall(text + b"\r\n")
