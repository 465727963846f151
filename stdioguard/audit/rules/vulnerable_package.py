"""A version with a published vulnerability, from the snapshot of advisories that ships with stdioguard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stdioguard.audit import advisories, packages
from stdioguard.audit.interface import Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import EntryView, Finding


def check(view: EntryView) -> Iterator[Finding]:
    """Yield a finding for each advisory of a package's version; of a package without a version, one that only informs."""
    for package in packages.of(view):
        known = [one for one in advisories.of(package.ecosystem, package.name) if one.kind == "vulnerable"]
        if not known or package.source not in ("registry", "installed"):
            continue
        version = packages.installed_version(view, package) or (package.version if package.is_pinned else None)
        if version is None:
            yield from _unpinned(view, package, known)
            continue
        for advisory in known:
            if advisory.affects(version):
                yield view.finding(
                    RULE,
                    f"{package.name} {version} has {advisory.id}: {advisory.summary}",
                    package.path,
                    severity=Level[advisory.severity.upper()],
                    advice=f"Use {advisory.fixed} or later."
                    if advisory.fixed
                    else "Use another server: there is no fixed version.",
                )


def _unpinned(view: EntryView, package: packages.Package, known: list[advisories.Advisory]) -> Iterator[Finding]:
    unfixed = [one for one in known if "*" in one.affected]
    if unfixed:
        yield view.finding(
            RULE,
            f"every version of {package.name} has {unfixed[0].id}: {unfixed[0].summary}",
            package.path,
            severity=Level[unfixed[0].severity.upper()],
            advice="Use another server.",
        )
    elif package.source == "registry" and package.version != "latest":  # which is asked for anew at each start
        names = ", ".join(one.id for one in known[:3]) + (f" and {len(known) - 3} more" if len(known) > 3 else "")
        message = f"older versions of {package.name} have {names}; without a version nobody can tell which one is started"
        yield view.finding(RULE, message, package.path, severity=Level.INFO, advice="Name an exact version that is not affected.")


RULE = Rule(
    slug="vulnerable-package",
    title="A server's version has a published vulnerability",
    severity=Level.HIGH,
    confidence=Level.HIGH,
    subject="entry",
    advice="Use a version without it.",
    cwe=1395,
    owasp="MCP04",
    check=check,
)
