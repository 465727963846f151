"""The system's keyring (macOS Keychain, Windows Credential Manager, the Secret Service of Linux desktops), asked by a process of its own.

A keyring that is locked shows a prompt and waits: a process can be given up. The libraries, their connection and their copies of the value
end with it too. The back ends are named here, and no configuration, entry point or variable of the `keyring` library is looked at: those
could name a back end that keeps plain text, or somebody's module.

    python -m stdioguard.identity.keychain put|get|forget NAME     # the item on stdin, or on stdout; exit 0 if it was done
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

SERVICE = "stdioguard"
PATIENCE = {"put": 15.0, "get": 60.0, "forget": 15.0}
"""Seconds: a person has time to unlock the keyring for a session, and a script is not held up for long."""


def ask(act: str, name: str, item: bytes = b"") -> bytes | None:
    """Do one thing with the item of a name, and return the item for `get`; `None` where it cannot be done, or not in time."""
    import subprocess  # noqa: PLC0415 - for secrets in the keyring only

    isolation = ["-I"] if sys.flags.isolated else ["-P"]
    command = [sys.executable, *isolation, "-m", "stdioguard.identity.keychain", act, name]
    try:
        done = subprocess.run(command, input=item, capture_output=True, timeout=PATIENCE[act], check=False)  # noqa: S603 - ourselves
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def backend() -> Any:
    """Return the system's keyring, which works. Raises whatever its library does where there is none."""
    if sys.platform == "darwin":
        from keyring.backends.macOS import Keyring  # noqa: PLC0415 - one of three
    elif sys.platform == "win32":
        from keyring.backends.Windows import WinVaultKeyring as Keyring  # noqa: PLC0415
    else:
        from keyring.backends.SecretService import Keyring  # noqa: PLC0415
    if Keyring.priority <= 0:  # raises where there is no service
        raise RuntimeError
    return Keyring()  # type: ignore[no-untyped-call]  # keyring's back ends have no annotations


def put(keyring: Any, name: str, item: str) -> bool:
    """Keep an item, if the keyring shows with another one that it keeps, gives back and removes what it is given."""
    trial, value = f"{SERVICE}-trial-{os.getpid()}", os.urandom(16).hex()
    keyring.set_password(SERVICE, trial, value)
    try:
        if keyring.get_password(SERVICE, trial) != value:
            return False
    finally:
        keyring.delete_password(SERVICE, trial)
    if keyring.get_password(SERVICE, trial) is not None:
        return False
    keyring.set_password(SERVICE, name, item)
    return bool(keyring.get_password(SERVICE, name) == item)


def main(act: str, name: str) -> int:
    """Do what `ask` asks for, in the process that it has started."""
    try:
        keyring = backend()
        if act == "put":
            return 0 if put(keyring, name, sys.stdin.buffer.read().decode("ascii")) else 1
        item = keyring.get_password(SERVICE, name)
        if act == "forget":
            if item is not None:
                keyring.delete_password(SERVICE, name)
            return 0
        if item is None:
            return 1
        sys.stdout.buffer.write(item.encode("ascii"))
        sys.stdout.buffer.flush()
    except Exception:  # noqa: BLE001 - a keyring that fails in any way is one that is not there
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
