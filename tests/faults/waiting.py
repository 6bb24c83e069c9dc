"""Waiting for what other processes do: ask again and again until it is so, with an end."""

import os
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import Error, connection

# Seconds until a test gives up. All is well within a few; a machine that is busy with something else needs more.
PATIENCE = float(os.environ.get("FAULT_PATIENCE", "90"))
PAUSE = 0.03

Answer = TypeVar("Answer")


def eventually(question: Callable[[], Answer], what: str, *, within: float = PATIENCE) -> Answer:
    """Ask until the answer is true, and return it. A database that is away is asked again, too."""
    deadline = time.monotonic() + within
    while True:
        try:
            answer = question()
        except Error as away:
            connection.close()
            answer, told = None, f" ({away})"
        else:
            told = f" (last answer: {answer!r})"
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"After {within:.0f} s still not: {what}{told}")
        time.sleep(PAUSE)
