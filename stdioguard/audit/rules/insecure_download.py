"""Code that comes over an unencrypted connection is whatever somebody on the way makes of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from stdioguard.audit import packages
from stdioguard.audit.interface import Level, Rule
from stdioguard.audit.shown import host_of, is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import EntryView, Finding

_PLAIN = re.compile(r"(?:git\+)?(http|git|ftp)://[^\s\"']+", re.IGNORECASE)


def check(view: EntryView) -> Iterator[Finding]:
    """Yield a finding for a package that is fetched over plain HTTP or git's own protocol."""
    for package in packages.of(view):
        match = _PLAIN.search(package.spec)
        if match is not None and package.source in ("git", "url") and not is_loopback(host_of(match.group())):
            message = f"{package.name} comes from {host_of(match.group())} over {match.group(1).lower()}: anybody on the way can replace it"
            yield view.finding(RULE, message, package.path)
    started = view.started
    if started.ecosystem not in ("command", "deno") or started.source != "url" or is_loopback(host_of(started.spec)):
        return
    if started.spec.lower().startswith("http://"):
        message = f"the code comes from {host_of(started.spec)} over http: anybody on the way can replace it"
        yield view.finding(RULE, message, view.word(started.index))


RULE = Rule(
    slug="insecure-download",
    title="A server's code comes over an unencrypted connection",
    severity=Level.HIGH,
    confidence=Level.HIGH,
    subject="entry",
    advice="Use https.",
    cwe=319,
    owasp="MCP04",
    check=check,
)
