"""A process that was forked from the guard for a task of its own: what it undoes and lets go of, before it does anything."""

from __future__ import annotations

import os
import signal
import sys

from stdioguard.sandbox.signals import default_signals


def become_own_process(*kept: int, streams: tuple[int, ...]) -> None:
    """Let go of what is the guard's: its signals, and all descriptors but `kept` and the standard ones, of which `streams` lead nowhere.

    The client and the guard wait for the ends of stdin and stdout, so no other process may hold them open.
    """
    default_signals()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; this process ends with the guard
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in streams:
        os.dup2(nothing, number)
    lowest = 3
    for descriptor in sorted(kept):
        os.closerange(lowest, descriptor)
        lowest = descriptor + 1
    os.closerange(lowest, (1 << 31) - 1 if sys.platform == "linux" else 4096)  # on Linux one system call, close_range(2)
