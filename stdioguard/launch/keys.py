"""The process that fetches other issuers' keys: the guard has no network once the server runs, and this one writes nothing but its cache.

It is made before the session, where the profile names an issuer with a URL. It fetches what is stale at once, every few minutes, and
when it is asked to because a token names a key that nobody has; how often at most is the key set's own rule.
"""

from __future__ import annotations

import os
import select
import sys
import time

from stdioguard.policy import places

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from stdioguard.identity.issuers import KeySet

_EVERY = 300.0
_FIRST_ROUND = 8.0
"""Seconds that a launch waits for keys: a little more than one fetch may take. Tokens that need others are refused meanwhile."""


class KeyKeeper:
    """The guard's end: asks, and takes the process along when it ends."""

    def __init__(self, issuers: dict[str, dict[str, Any]]) -> None:
        answered, done = os.pipe2(os.O_CLOEXEC) if hasattr(os, "pipe2") else os.pipe()
        held, self._leash = os.pipe2(os.O_CLOEXEC) if hasattr(os, "pipe2") else os.pipe()
        if os.fork() == 0:
            _keep(issuers, held, done)
        os.close(held)
        os.close(done)
        os.set_blocking(self._leash, False)
        select.select([answered], [], [], _FIRST_ROUND)
        os.close(answered)

    def ask(self) -> None:
        """Have keys that are not there fetched. Nothing is waited for."""
        try:
            os.write(self._leash, b"?")
        except OSError:
            pass  # asked often enough, or it is gone: tokens of new keys stay refused


def wanted(issuers: dict[str, dict[str, Any]]) -> bool:
    """Tell whether there is anything to fetch."""
    return any(settings["jwks_url"] is not None for settings in issuers.values())


def _keep(issuers: dict[str, dict[str, Any]], held: int, done: int) -> NoReturn:
    """Be the process. Never returns; ends with the guard, whose end of `held` is then closed."""
    try:
        from stdioguard.sandbox import forked  # noqa: PLC0415 - in this process alone

        forked.become_own_process(held, done, streams=(0, 1))
        from stdioguard.identity.issuers import KeySet  # noqa: PLC0415 - the network, in this process alone

        sets = [KeySet(name, settings) for name, settings in issuers.items() if settings["jwks_url"] is not None]
        folder = places.private_directory(os.path.join(places.private_directory(places.directory("cache")), "jwks"))
        if sys.platform == "linux":
            from stdioguard.sandbox.linux import guard  # noqa: PLC0415 - Linux alone

            guard.confine_fetcher([folder])
        _round(sets)
        os.write(done, b"1")
        os.close(done)
        while True:
            asked = bool(select.select([held], [], [], _EVERY)[0])
            if asked and not os.read(held, 512):
                break
            _round(sets, missed=asked)
    except BaseException as error:  # noqa: BLE001 - nothing may escape into a second copy of the guard
        os.write(2, f"stdioguard: the process that fetches keys ended: {error}\n".encode("ascii", "backslashreplace"))
    finally:
        os._exit(0)


def _round(sets: list[KeySet], *, missed: bool = False) -> None:
    for keys in sets:
        now = time.time()
        if not keys.is_stale(now, missed=missed):
            continue
        try:
            keys.fetch(now)
        except (OSError, ValueError) as error:
            text = f"stdioguard: keys of {keys.issuer} cannot be fetched: {error}\n"
            os.write(2, text.encode("ascii", "backslashreplace"))
