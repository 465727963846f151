"""The server's environment: built from nothing, never copied and cleaned."""

from __future__ import annotations

import os

from stdioguard.launch.errors import CONFIGURATION, LaunchError
from stdioguard.policy import environment as names
from stdioguard.policy import places

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from stdioguard.policy.policy import Policy

MAX_SECRET = 64 * 1024


def for_server(policy: Policy, own: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the server: the base names, those that the profile passes, and its secrets.

    `own` is the guard's environment. Raises `LaunchError` where a secret cannot be read.
    """
    wanted = [*names.BASE, *policy.sandbox["environment"]]
    kept = {name: own[name] for name in wanted if name in own and not names.is_forbidden(name)}
    kept["PATH"] = search_path(own)
    for name, reference in policy.sandbox["secrets"].items():
        kept[name] = _secret(reference.removeprefix("secret:"), policy.source)
    return kept


def search_path(own: Mapping[str, str]) -> str:
    """Return PATH without its relative and empty entries: they would find programs in whatever folder the client started in."""
    absolute = ":".join(entry for entry in own.get("PATH", "").split(":") if entry.startswith("/"))
    return absolute or os.defpath  # an empty PATH would mean the working directory to some


def _secret(name: str, source: str) -> str:
    folder = os.path.join(places.directory("config"), "secrets")
    path = os.path.join(folder, name)
    hint = f"write the secret to {path} and run: chmod 700 {folder}; chmod 600 {path}"
    try:
        if os.path.isdir(folder):
            places.private_directory(folder)
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise LaunchError(CONFIGURATION, f"secret:{name} ({source}) cannot be read: {error.strerror or error}; {hint}") from None
    try:
        status = os.fstat(descriptor)
        if status.st_uid != os.geteuid() or status.st_mode & 0o177077 != 0o100000:
            raise LaunchError(CONFIGURATION, f"secret:{name} ({source}) is not a file that only you can read; {hint}")
        value = os.read(descriptor, MAX_SECRET + 1)
    finally:
        os.close(descriptor)
    text = value.decode("utf-8", "surrogateescape").rstrip("\r\n")
    if not text or "\0" in text or len(value) > MAX_SECRET:
        raise LaunchError(CONFIGURATION, f"secret:{name} ({source}) is empty, too long or holds a NUL; {hint}")
    return text
