"""A name that is nearly a well-known server's, or a reference server's name on the wrong registry, is likely somebody else's package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stdioguard.audit import names, packages
from stdioguard.audit.advisories import known
from stdioguard.audit.interface import Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import EntryView, Finding


def check(view: EntryView) -> Iterator[Finding]:
    """Yield a finding for each package that a person may take for another."""
    tables = known()
    for package in packages.of(view):
        if package.source != "registry" or package.ecosystem not in ("npm", "pypi", "oci"):
            continue
        if not package.name.isascii():
            yield view.finding(
                RULE,
                f"the name of the package {package.name} has letters that only look like others",
                package.path,
                confidence=Level.HIGH,
            )
        elif package.name in tables.elsewhere.get(package.ecosystem, ()):
            yield view.finding(
                RULE,
                f"{package.name} is a reference server's name, but that server is not on this registry: this is somebody else's package",
                package.path,
                severity=Level.MEDIUM,
                advice=f"The reference server is on PyPI: uvx {package.name}.",
            )
        else:
            like = names.imitated(package.name, tables.names[package.ecosystem])
            if like:
                yield view.finding(RULE, f"the package {package.name} is nearly called {like}, a well-known server", package.path)


RULE = Rule(
    slug="lookalike-package",
    title="A package's name imitates that of a well-known server",
    severity=Level.HIGH,
    confidence=Level.MEDIUM,
    subject="entry",
    advice="Compare the name with the server's own documentation, letter by letter.",
    cwe=1357,
    owasp="MCP04",
    check=check,
)
