"""The addresses that an entry talks to, its own or those that it gives to a program which connects for it; and what each is."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import EntryView
    from stdioguard.installs.formats.document import Path

BRIDGES = frozenset(
    {"mcp-remote", "supergateway", "mcp-proxy", "mcp-remote-client", "@pyroprompts/mcp-stdio-to-streamable-http-adapter"}
)
"""Packages that speak stdio to the client and HTTP to a server whose address they are given."""

LOOPBACK, PRIVATE, PUBLIC, METADATA, NAME = "loopback", "private", "public", "metadata", "name"
_THIS_MACHINE = (
    "localhost",
    "host.docker.internal",
    "host.containers.internal",
    "gateway.docker.internal",
    "kubernetes.docker.internal",
)
_LOCAL_ENDINGS = (".local", ".lan", ".internal", ".home.arpa", ".home", ".intranet", ".corp", ".svc", ".test", ".ts.net")
_METADATA = ("169.254.169.254", "metadata.google.internal", "metadata.goog", "100.100.100.200", "fd00:ec2::254", "169.254.170.2")


@dataclass(frozen=True, slots=True)
class Address:
    """One address, and where it is written."""

    scheme: str
    host: str
    kind: str
    """`loopback`, `private` (what only a private network has), `public` (a bare IP address), `metadata` (a cloud's own) or `name`."""
    path: Path


def of(view: EntryView) -> Iterator[Address]:
    """Yield the addresses of an entry that are written out; what a client fills in is not known here."""
    if view.entry.kind == "remote" and view.entry.url:
        yield from _one(view.entry.url, view.entry.fields.url_path or view.entry.path)
    if view.entry.kind == "stdio" and view.started.name in BRIDGES:
        for index, word in enumerate(view.argv):
            if word.startswith(("http://", "https://")):
                yield from _one(word, view.word(index))


def _one(url: str, path: Path) -> Iterator[Address]:
    try:
        parts = urlsplit(url.strip())
        host = parts.hostname or ""
    except ValueError:
        return
    if parts.scheme in ("http", "https", "ws", "wss") and re.fullmatch(r"[A-Za-z0-9.:\-_]+", host):
        yield Address(parts.scheme, host.rstrip(".").lower(), kind_of(host.rstrip(".").lower()), path)


def kind_of(host: str) -> str:
    """Return what kind of place a host is, in lower case and without a dot at its end."""
    if host in _METADATA:
        return METADATA
    if host in _THIS_MACHINE or host.endswith(".localhost"):
        return LOOPBACK
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return PRIVATE if "." not in host or host.endswith(_LOCAL_ENDINGS) else NAME
    if address.is_loopback or address.is_unspecified:
        return LOOPBACK
    return PUBLIC if address.is_global else PRIVATE
