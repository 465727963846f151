"""Names for servers and clients in stdioguard's own world, made from those in clients' configurations."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_LENGTH = 48


def slug(text: str) -> str:
    """Return `text` in letters, digits and `-_.`, beginning with a letter or digit, at most `MAX_LENGTH` long; never empty."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    words = re.sub(r"[^A-Za-z0-9_.]+", "-", plain).strip("-._")[:MAX_LENGTH].rstrip("-._")
    return words or f"server-{_digest(text)}"


def server_name(name: str, started: str, taken: Mapping[str, str]) -> str:
    """Return the name under which a server is guarded.

    `started` says what its command starts, `taken` what each name is in use for. One name is one server: it has private folders, a
    record and grants, which another program of the same name in another client's configuration must not inherit.
    """
    wanted = slug(name)
    if wanted != name and wanted in taken and taken[wanted] != started:
        wanted = f"{wanted}-{_digest(name)}"
    return wanted if taken.get(wanted, started) == started else f"{wanted}-{_digest(started)}"


def client_name(client: str) -> str:
    """Return the name under which a client of the table is registered: `Claude Desktop` is `claude-desktop`."""
    return slug(client).lower()


def secret_name(server: str, key: str) -> str:
    """Return a name for a secret of a server, at most 64 characters."""
    name = f"{server}.{slug(key)}"
    return name if len(name) <= 56 else f"{name[:47]}-{_digest(name)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:6]
