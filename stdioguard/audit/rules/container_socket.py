"""Whoever has the container engine's socket can start a privileged container, and so is root."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from stdioguard.audit import words
from stdioguard.audit.interface import Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import EntryView, Finding

_SOCKET = re.compile(r"(?:docker|podman|containerd|crio|buildkitd)\.sock\b|/docker_engine\b", re.IGNORECASE)


def check(view: EntryView) -> Iterator[Finding]:
    """Yield a finding for a mount of the engine's socket."""
    for name, value, path in words.container_options(view):
        if name == "--use-api-socket" or (name in ("-v", "--volume", "--mount") and _SOCKET.search(value)):
            yield view.finding(RULE, "the container gets the engine's socket, and with it root's power on this machine", path)


RULE = Rule(
    slug="container-socket",
    title="A container can start others",
    severity=Level.HIGH,
    confidence=Level.HIGH,
    subject="entry",
    advice="Do not mount the socket; where a server must have it, put a proxy with an allow-list before it.",
    cwe=250,
    owasp="MCP02",
    check=check,
)
