"""`npx`, `uvx` and their like fetch whatever the registry calls newest on the day that the client starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stdioguard.audit import packages
from stdioguard.audit.interface import Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import EntryView, Finding

_MOVES = ("npm", "pypi", "nuget", "deno", "oci")


def check(view: EntryView) -> Iterator[Finding]:
    """Yield a finding for the first package of a registry that has no version at all; other versions are `mutable-version`'s."""
    for package in packages.of(view):
        if package.source != "registry" or package.ecosystem not in _MOVES or package.version is not None:
            continue
        if package.ecosystem == "oci" and "/" not in package.name:
            continue  # built on this machine, or one of Docker's own
        yield view.finding(
            RULE, f"{package.ecosystem} package {package.name} has no version: each start may run other code", package.path
        )
        return


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
