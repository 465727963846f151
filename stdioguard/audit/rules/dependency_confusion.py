"""Where two registries are asked for one name, whoever owns the name on the public one may win."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stdioguard.audit import packages, registries
from stdioguard.audit.interface import Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import EntryView, Finding


def check(view: EntryView) -> Iterator[Finding]:
    """Yield a finding where a private registry is asked beside the public one, in a way that lets the public one win."""
    added = [found for found in registries.of(view) if not found.is_usual and found.is_added]
    if not added:
        return
    package = next((one for one in packages.of(view) if one.source == "registry" and one.ecosystem == "pypi"), None)
    if package is not None:
        message = f"{package.name} is looked for at {added[0].host} and on PyPI: who owns that name on PyPI can answer"
        yield view.finding(RULE, message, added[0].path)


RULE = Rule(
    slug="dependency-confusion",
    title="A private package may be answered by the public registry",
    severity=Level.MEDIUM,
    confidence=Level.MEDIUM,
    subject="entry",
    advice="Use --default-index (uv) or --index-url with one registry that has everything.",
    cwe=427,
    owasp="MCP04",
    check=check,
)
