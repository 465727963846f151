"""Wrong credentials cost time, whoever presents them and however often the guard is started anew.

Failures are counted in one file for all sessions. After `FREE` of them within `WINDOW` seconds each further one waits `DELAY` seconds while
it holds the file's lock, so that guesses come one after the other, from however many processes. Good credentials never wait: nobody
can lock a client out by guessing.
"""

from __future__ import annotations

import fcntl
import os
import time

from stdioguard.policy import places

FREE = 5
WINDOW = 60.0
DELAY = 1.0
_KEPT = 64


def folder() -> str:
    """Return where what is remembered of failures and revocations is."""
    return os.path.join(places.directory("state"), "identity")


def failed() -> None:
    """Count a failure, and wait where there were too many. A count that cannot be kept is too many."""
    try:
        places.private_directory(places.directory("state"))
        places.private_directory(folder())
        path = os.path.join(folder(), "failures")
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError:
        time.sleep(DELAY)
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if _count(descriptor) > FREE:
            time.sleep(DELAY)
    except OSError:
        time.sleep(DELAY)
    finally:
        os.close(descriptor)


def _count(descriptor: int) -> int:
    """Add a failure to those in the file, drop old ones, and return how many there are."""
    now = time.time()
    moments = [now]
    for word in os.read(descriptor, 4096).split():
        try:
            moment = float(word)
        except ValueError:
            continue
        if now - WINDOW < moment <= now:
            moments.append(moment)
    text = " ".join(repr(moment) for moment in moments[:_KEPT])
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text.encode(), 0)
    return len(moments)
