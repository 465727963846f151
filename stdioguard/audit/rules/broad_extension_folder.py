"""An extension that is given the whole home directory has the keys, the mails and the browser's cookies in it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from stdioguard.audit import manifests
from stdioguard.audit.interface import Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import ConfigView, Finding

_BROAD = re.compile(r"(\$\{HOME\}|\$HOME|~|/|[A-Za-z]:[\\/])[\\/]?")


def check(config: ConfigView) -> Iterator[Finding]:
    """Yield a finding for a home or a whole disk among the arguments, and as what a folder's setting is unless somebody changes it."""
    manifest = manifests.of(config)
    if manifest is None:
        return
    for view in config.entries:
        for index, word in enumerate(view.argv[1:], 1):
            if _BROAD.fullmatch(word.rpartition("=")[2]):
                yield view.finding(RULE, f"it is given {word} as an argument", view.word(index))
    settings = manifest.get("user_config")
    for name, said in settings.items() if isinstance(settings, dict) else ():
        if isinstance(said, dict) and said.get("type") == "directory":
            default: Any = said.get("default")
            for value in default if isinstance(default, list) else [default]:
                if isinstance(value, str) and _BROAD.fullmatch(value):
                    yield config.finding(
                        RULE, f"the folder {name} is {value} unless you change it", ("user_config", name, "default")
                    )


RULE = Rule(
    slug="broad-extension-folder",
    title="An extension is given a whole home directory or disk",
    severity=Level.LOW,
    confidence=Level.HIGH,
    subject="config",
    advice="Choose the one folder that it is for.",
    cwe=732,
    owasp="MCP10",
    check=check,
)
