"""A secret in a project's file goes wherever the repository goes, and stays in its history."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stdioguard.audit import secrets
from stdioguard.audit.git import is_ignored, repository_of
from stdioguard.audit.interface import Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import ConfigView, Finding


def check(config: ConfigView) -> Iterator[Finding]:
    """Yield a finding for a project's file with secrets that git does not ignore. Whether it is committed only git could tell."""
    if config.listing.found.level not in ("project", "given"):
        return
    if not any(found.confidence >= Level.MEDIUM and not found.is_minor for view in config.entries for found in secrets.of(view)):
        return
    root = repository_of(config.file)
    if root and not is_ignored(config.file, root):
        yield config.finding(RULE, "the file is in a git repository, is not ignored, and holds secrets")


RULE = Rule(
    slug="committed-secret",
    title="A file of a repository holds secrets",
    severity=Level.HIGH,
    confidence=Level.MEDIUM,
    subject="config",
    advice="Replace the secrets by ${NAME} or ${input:...}, change them at their services, and remove them from the history.",
    cwe=540,
    owasp="MCP01",
    check=check,
)
