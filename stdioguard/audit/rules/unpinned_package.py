"""`npx`, `uvx` and their like fetch whatever the registry calls newest on the day that the client starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stdioguard.audit import packages
from stdioguard.audit.interface import Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import EntryView, Finding
    from stdioguard.audit.packages import Package

_MOVES = ("npm", "pypi", "nuget", "deno", "oci")


def check(view: EntryView) -> Iterator[Finding]:
    """Yield one finding for the packages of registries that have no version at all; other versions are `mutable-version`'s."""
    found = [package for package in packages.of(view) if _is_unpinned(package)]
    if found:
        first, *others = found
        named = dict.fromkeys(other.name for other in others if other.name != first.name)
        nor = f", nor has {' or '.join(named)}" if named else ""
        yield view.finding(
            RULE, f"{first.ecosystem} package {first.name} has no version{nor}: each start may run other code", first.path
        )


def _is_unpinned(package: Package) -> bool:
    if package.source != "registry" or package.ecosystem not in _MOVES or package.version is not None:
        return False
    return package.ecosystem != "oci" or "/" in package.name  # else built on this machine, or one of Docker's own


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
