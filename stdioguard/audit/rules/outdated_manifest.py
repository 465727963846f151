"""The first forms of the manifest have no place for what later clients check."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from stdioguard.audit import manifests
from stdioguard.audit.interface import Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import ConfigView, Finding


def check(config: ConfigView) -> Iterator[Finding]:
    """Yield a finding for a manifest of the time when bundles were called DXT, or without a version that can be read."""
    manifest = manifests.of(config)
    if manifest is None:
        return
    key = "manifest_version" if "manifest_version" in manifest else "dxt_version"
    version = manifest[key]
    match = re.match(r"([0-9]+)\.([0-9]+)", version) if isinstance(version, str) else None
    if match is None:
        yield config.finding(RULE, f"its {key} is not a version", (key,))
    elif key == "dxt_version" or (int(match[1]), int(match[2])) < (0, 2):
        yield config.finding(RULE, f"its manifest has the form {version}, which is outdated", (key,))


RULE = Rule(
    slug="outdated-manifest",
    title="An extension's manifest has an outdated form",
    severity=Level.INFO,
    confidence=Level.HIGH,
    subject="config",
    advice="Look for a newer release of the extension.",
    cwe=1104,
    owasp="MCP04",
    check=check,
)
