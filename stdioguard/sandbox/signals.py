"""Signals of a new process: none ignored, none blocked."""

from __future__ import annotations

import signal


def default_signals() -> None:
    """Undo what was ignored, by the guard or by whoever started it: an ignored signal stays ignored across exec."""
    signal.set_wakeup_fd(-1)
    for number in range(1, signal.NSIG):
        try:
            signal.signal(number, signal.SIG_DFL)
        except (OSError, ValueError):
            continue  # SIGKILL, SIGSTOP, and those that the C library keeps to itself
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
