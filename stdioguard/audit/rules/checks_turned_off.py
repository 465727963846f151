"""Options by which a tool says of itself that it will not ask, check or confine any more."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from stdioguard.audit.interface import Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import EntryView, Finding

_FLAGS = {
    "--dangerously-skip-permissions": "it asks for nothing",
    "--dangerously-bypass-approvals-and-sandbox": "it asks for nothing and runs without its sandbox",
    "--allow-dangerously-skip-permissions": "it asks for nothing",
    "--dangerously-disable-sandbox": "it runs without its sandbox",
    "--yolo": "it asks for nothing",
    "--dangerously-allow-all": "it allows everything",
    "--dangerously-omit-auth": "anybody may use it",
    "--disable-auth": "anybody may use it",
    "--no-auth": "anybody may use it",
    "--allow-unsafe-commands": "it runs any command",
    "--disable-security": "its own checks are off",
}
_VARIABLES = {
    "DANGEROUSLY_OMIT_AUTH": "anybody may use it", "ALLOW_DANGEROUS": "it allows everything",
    "CLAUDE_DANGEROUSLY_SKIP_PERMISSIONS": "it asks for nothing", "GEMINI_YOLO": "it asks for nothing",
}  # fmt: skip
_ON = re.compile(r"1|true|yes|on", re.IGNORECASE)


def check(view: EntryView) -> Iterator[Finding]:
    """Yield a finding for each such option or variable."""
    if view.entry.kind != "stdio":
        return
    for at, word in enumerate(view.argv):
        name, equals, value = word.partition("=")
        if name in _FLAGS and (not equals or _ON.fullmatch(value)):
            yield view.finding(RULE, f"{name}: {_FLAGS[name]}", view.word(at))
    for name, value in view.entry.env.items():
        if name.upper() in _VARIABLES and _ON.fullmatch(value.strip()):
            yield view.finding(RULE, f"{name}: {_VARIABLES[name.upper()]}", view.variable(name))


RULE = Rule(
    slug="checks-turned-off",
    title="A server is told not to ask or check",
    severity=Level.MEDIUM,
    confidence=Level.HIGH,
    subject="entry",
    advice="Leave the option out.",
    cwe=1188,
    owasp="MCP02",
    check=check,
)
