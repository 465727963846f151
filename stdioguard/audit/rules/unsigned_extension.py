"""Nobody answers for an extension without a signature: it may have been changed since its author made it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from stdioguard.audit import manifests
from stdioguard.audit.interface import Level, Rule
from stdioguard.installs import bundles, files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import ConfigView, Finding

_LIST = "extensions-installations.json"


def check(config: ConfigView) -> Iterator[Finding]:
    """Yield a finding for each extension that Claude Desktop's own list calls unsigned, and for a bundle that ends with no signature."""
    if manifests.is_bundle(config) and manifests.of(config) is not None:
        try:
            signed = bundles.read(config.file).is_signed
        except files.FileProblem:
            return
        if not signed:
            yield config.finding(RULE, "it has no signature")
        return
    value = config.value
    if os.path.basename(config.file) != _LIST or not isinstance(value, dict) or not isinstance(value.get("extensions"), dict):
        return
    for name, said in value["extensions"].items():
        signature = said.get("signatureInfo") if isinstance(said, dict) else None
        status = signature.get("status") if isinstance(signature, dict) else None
        if isinstance(status, str) and status != "signed":
            path = ("extensions", name, "signatureInfo", "status")
            yield config.finding(RULE, f"the extension {name} is installed and {status}", path, entry=str(name))


RULE = Rule(
    slug="unsigned-extension",
    title="An extension is not signed",
    severity=Level.INFO,
    confidence=Level.HIGH,
    subject="config",
    advice="Install it from its author's own page, and compare its digest.",
    cwe=347,
    owasp="MCP04",
    check=check,
)
