"""A setting of an extension that is not called sensitive is kept in a plain file, and shown as it is typed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from stdioguard.audit import manifests
from stdioguard.audit.interface import Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import ConfigView, Finding

_SECRET = re.compile(
    r"(api|access|auth|bearer|client|private|secret|service|signing|encryption)[-_ ]?(key|token|secret)\b|\b(password|passwd|passphrase)\b|"
    r"\b(secret|token)$|^(secret|token)\b(?![-_ ](limit|count|budget|max|size|type|url|path|file))",
    re.IGNORECASE,
)


def check(config: ConfigView) -> Iterator[Finding]:
    """Yield a finding for each text setting that is a secret by its name and is not marked so."""
    manifest = manifests.of(config)
    settings = manifest.get("user_config") if manifest is not None else None
    for name, said in settings.items() if isinstance(settings, dict) else ():
        if isinstance(said, dict) and said.get("type", "string") == "string" and said.get("sensitive") is not True:
            words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", str(name)).replace("_", " ").replace("-", " ")
            if _SECRET.search(words):
                yield config.finding(RULE, f"the setting {name} is not marked as sensitive", ("user_config", name))


RULE = Rule(
    slug="unprotected-extension-setting",
    title="An extension keeps a secret like any other setting",
    severity=Level.LOW,
    confidence=Level.MEDIUM,
    subject="config",
    advice='Ask its author for "sensitive": true, which keeps it in the system\'s keychain.',
    cwe=312,
    owasp="MCP01",
    check=check,
)
