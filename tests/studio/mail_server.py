"""A mail server on this machine that does what a test tells it: takes, refuses, hangs up."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message

OK = "250 2.0.0 Ok"
HANG_UP = "hang up"

# What is answered to a recipient's address, or to the content for that recipient.
Answer = Callable[[str], str]


@dataclass
class MailServer:
    """`on_*` take an address and give the answer's line, or HANG_UP."""

    host: str = ""
    port: int = 0
    greeting: str = "220 test ESMTP"
    on_sender: Answer = lambda address: OK
    on_recipient: Answer = lambda address: OK
    on_content: Answer = lambda address: OK
    connections: int = 0
    taken: list[Message] = field(default_factory=list)

    @property
    def recipients(self) -> list[str]:
        return [str(message["To"]) for message in self.taken]


@contextmanager
def serving(**behaviour: object) -> Iterator[MailServer]:
    """Serve on a free port of the loopback until the end of the block."""
    mail_server = MailServer(**behaviour)

    class Conversation(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            mail_server.connections += 1
            self.say(mail_server.greeting)
            recipient = ""
            while line := self.rfile.readline():
                words = line.decode().strip()
                verb = words[:4].upper()
                address = words[words.find("<") + 1 : words.find(">")] if "<" in words else ""
                if verb == "EHLO":
                    self.say("250-test\r\n250 SIZE 10000000")
                elif verb == "MAIL":
                    answer = mail_server.on_sender(address)
                elif verb == "RCPT":
                    recipient, answer = address, mail_server.on_recipient(address)
                elif verb == "DATA":
                    self.say("354 go on")
                    content = b"".join(iter(self.rfile.readline, b".\r\n"))
                    answer = mail_server.on_content(recipient)
                    if answer.startswith("2"):
                        mail_server.taken.append(message_from_bytes(content))
                else:
                    self.say("221 bye" if verb == "QUIT" else OK)
                    if verb == "QUIT":
                        return
                    continue
                if verb == "EHLO":
                    continue
                if answer == HANG_UP:
                    return
                self.say(answer)

        def say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Conversation) as listening:
        listening.daemon_threads = True
        mail_server.host, mail_server.port = listening.server_address
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield mail_server
        finally:
            listening.shutdown()
            thread.join()
