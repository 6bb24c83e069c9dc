"""Programs that ours start: how they end when ours does."""

from __future__ import annotations

import ctypes
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


def die_with_owner() -> Callable[[], None] | None:
    """For `preexec_fn`: after a kill -9 of the owner nobody is left to stop the children; the kernel does it."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    set_parent_death_signal = 1

    def ask_kernel() -> None:
        libc.prctl(set_parent_death_signal, signal.SIGTERM)

    return ask_kernel


@contextmanager
def leaving_tidily() -> Iterator[None]:
    """While it lasts, Ctrl-C, SIGTERM and a closed terminal unwind the program: what `finally` cleans is cleaned.

    Then it exits with 128 and the signal's number, as a shell would say it. In the main thread only.
    """
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    asked: list[int] = []

    def leave(number: int, _frame: object) -> None:
        asked.append(number)
        for each in numbers:  # a second time would interrupt the cleaning
            signal.signal(each, signal.SIG_IGN)
        # psycopg cancels a running statement at this one only.
        raise KeyboardInterrupt

    before = {number: signal.signal(number, leave) for number in numbers}
    try:
        yield
    except KeyboardInterrupt:
        raise SystemExit(128 + asked[0] if asked else 1) from None
    finally:
        for number, former in before.items():
            signal.signal(number, former)
