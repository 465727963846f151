"""Tokens that were revoked before they ran out: a file for each, so that a running session finds out with one system call.

    state/identity/revoked/<BLAKE2b of issuer, NUL and jti>    holds when the token runs out, in seconds since the epoch, or `never`

A file is forgotten a day after its token has run out: a clock that is set back by less does not bring the token back.
"""

from __future__ import annotations

import os
import re
import time
from _blake2 import blake2b  # hashlib's own, which costs a launch milliseconds to import

from stdioguard.policy import places, private

MARGIN = 86400.0

_NEVER = "never"
_ENTRY = re.compile(r"[0-9a-f]{64}\Z")


def folder() -> str:
    """Return where the revocations are; it need not exist."""
    return os.path.join(places.directory("state"), "identity", "revoked")


def revoke(issuer: str, jti: str, expires: float | None, now: float | None = None) -> None:
    """Revoke a token, in running sessions too, and forget those that have run out. Raises `OSError`.

    `expires` is when the token runs out, `None` where that is not known: it is never forgotten then.
    """
    for path in (places.directory("state"), os.path.dirname(folder()), folder()):
        places.private_directory(path)
    # Of two times given for one token, the later one counts.
    kept = _expiry(_path(issuer, jti), missing=0.0)
    until = None if expires is None or kept is None else max(expires, kept)
    private.replace(_path(issuer, jti), (_NEVER if until is None else repr(until)).encode("ascii"))
    forget(time.time() if now is None else now)


def is_revoked(issuer: str, jti: str) -> bool:
    """Tell whether a token was revoked. Raises `OSError` where that cannot be told; nothing is let through then."""
    try:
        os.stat(_path(issuer, jti), follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def forget(now: float) -> None:
    """Remove what is about tokens that ran out more than a day ago. What cannot be understood stays. Raises `OSError`."""
    for entry in os.listdir(folder()):
        path = os.path.join(folder(), entry)
        if not _ENTRY.match(entry):
            continue
        until = _expiry(path, missing=None)
        if until is not None and until + MARGIN < now:
            try:
                os.unlink(path)
            except FileNotFoundError:
                pass  # by another process that forgets


def _path(issuer: str, jti: str) -> str:
    name = blake2b(f"{issuer}\0{jti}".encode("utf-8", "surrogatepass"), digest_size=32).hexdigest()
    return os.path.join(folder(), name)


def _expiry(path: str, *, missing: float | None) -> float | None:
    """Return the time in a file, `None` for one that is to stay."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return missing
    except OSError:
        return None
    try:
        return float(os.read(descriptor, 64))
    except (OSError, ValueError):
        return None
    finally:
        os.close(descriptor)
