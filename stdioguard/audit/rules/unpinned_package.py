"""`npx`, `uvx` and their like fetch whatever the registry calls newest on the day that the client starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stdioguard.audit.interface import Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import EntryView, Finding

_REGISTRIES = ("npm", "pypi", "docker")


def check(view: EntryView) -> Iterator[Finding]:
    """Yield a finding for a package of a registry without an exact version."""
    started = view.started
    if view.entry.kind != "stdio" or started.ecosystem not in _REGISTRIES or started.source != "registry" or started.is_pinned:
        return
    said = (
        f"{started.ecosystem} package {started.name} has no version"
        if started.version is None
        else (f"{started.ecosystem} package {started.name} has the version {started.version}, which moves")
    )
    yield view.finding(RULE, f"{said}: each start may run other code", view.word(started.index))


RULE = Rule(
    slug="unpinned-package",
    title="A server's package is not pinned to a version",
    severity=Level.LOW,
    confidence=Level.HIGH,
    subject="entry",
    advice="Name an exact version that you have looked at, such as name@1.2.3.",
    cwe=1357,
    owasp="MCP04",
    check=check,
)
