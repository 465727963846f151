"""A server that is started as another user, mostly root, needs only one mistake to own the machine."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from stdioguard.audit import words
from stdioguard.audit.interface import Level, Rule
from stdioguard.installs.launchers.started import plain_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import EntryView, Finding

_ELEVATE = ("sudo", "doas", "su", "pkexec", "runas", "gsudo", "run0")


def check(view: EntryView) -> Iterator[Finding]:
    """Yield a finding where the program itself, or a command of a shell's line, is started with another user's rights."""
    if view.entry.kind != "stdio":
        return
    used = {*view.started.wrappers, plain_name(view.started.program)}
    for line in words.shell_lines(view):
        parts = words.split(line.text)
        used |= {plain_name(part) for at, part in enumerate(parts) if not at or re.fullmatch(r"[;&|()]+", parts[at - 1])}
    for word in words.every(view):
        if plain_name(word.text) in _ELEVATE and plain_name(word.text) in used:
            yield view.finding(
                RULE, f"the server is started through {plain_name(word.text)}, with another user's rights", word.path
            )
            return


RULE = Rule(
    slug="elevated-command",
    title="A server is started with another user's rights",
    severity=Level.MEDIUM,
    confidence=Level.HIGH,
    subject="entry",
    advice="Start it as yourself, and give your user the one right that it needs.",
    cwe=250,
    owasp="MCP02",
    check=check,
)
