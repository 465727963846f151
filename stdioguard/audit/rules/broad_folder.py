"""A file server for the whole file system or a home gives a model every key and every document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stdioguard.audit import words
from stdioguard.audit.interface import Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import EntryView, Finding

_SERVERS = {
    "@modelcontextprotocol/server-filesystem", "mcp-server-filesystem", "server-filesystem", "mcp-filesystem-server", "rust-mcp-filesystem",
}  # fmt: skip
"""Servers whose arguments are the folders that they open."""
_OPTIONS = {"mcp-server-git": ("--repository", "-r")}


def check(view: EntryView) -> Iterator[Finding]:
    """Yield a finding for the root or a home among the folders of a file server."""
    started = view.started
    options = _OPTIONS.get(started.name, ())
    if view.entry.kind != "stdio" or (started.name not in _SERVERS and not options):
        return
    first = len(view.argv) - len(started.arguments)
    for at, text in enumerate(started.arguments):
        if options and (not at or started.arguments[at - 1] not in options):
            continue
        reach = words.reach(text)
        if reach:
            what = "the whole file system" if reach == "all" else "a whole home directory, with its keys and settings"
            severity = Level.HIGH if reach == "all" else RULE.severity
            yield view.finding(
                RULE, f"{started.name} opens {what}", view.word(first + at) if first >= 0 else None, severity=severity
            )


RULE = Rule(
    slug="broad-folder",
    title="A file server opens the whole file system or a home",
    severity=Level.MEDIUM,
    confidence=Level.HIGH,
    subject="entry",
    advice="Name the folders that are worked in.",
    cwe=732,
    owasp="MCP02",
    check=check,
)
