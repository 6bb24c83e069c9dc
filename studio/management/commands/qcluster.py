"""`manage.py qcluster`: django-q2's worker, which ends when one of its children is killed, to be started anew.

The children share queues, and whoever waits at a queue holds its lock: killed by the kernel for want of memory, a child
takes the lock along. django-q2 puts another one in its place, which waits for that lock for ever, and the worker lives
on without doing anything. So all of it ends, and whoever looks after it (systemd, compose, the demo) starts it again:
what was under way is taken up as after any kill.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
from typing import Any

from django.core.management.base import CommandError
from django_q import cluster
from django_q.management.commands import qcluster

logger = logging.getLogger("studio.worker")


class Command(qcluster.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        cluster.Sentinel = WatchfulSentinel  # where `Cluster.start` looks for it
        super().handle(*args, **options)
        for guard in multiprocessing.active_children():
            guard.join()
            if guard.exitcode:
                raise CommandError("The worker has ended, since one of its processes was killed: start it again.")


class WatchfulSentinel(cluster.Sentinel):
    """Guards the children; does not replace one that was killed."""

    def reincarnate(self, process: Any) -> None:
        if not _was_killed(process):
            super().reincarnate(process)
            return
        logger.critical("The worker ends: its process %s was killed by signal %s.", process.pid, -process.exitcode)
        for child in (*self.pool, self.monitor, self.pusher):
            child.kill()
        # Without the usual farewell, which would wait for the queues.
        os._exit(1)


def _was_killed(process: Any) -> bool:
    """Whether a signal ended it that was not ours: django-q2 itself ends a child whose task has taken too long."""
    timer = getattr(process, "timer", None)
    timed_out = timer is not None and timer.value == 0
    return process.exitcode is not None and process.exitcode < 0 and not timed_out
