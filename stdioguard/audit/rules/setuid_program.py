"""A setuid program as a server has another user's rights, and does what the client's user tells it."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from stdioguard.audit.interface import Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import EntryView, Finding


def check(view: EntryView) -> Iterator[Finding]:
    """Yield a finding for each program and interpreter that is setuid or setgid."""
    for file in view.files:
        status = view.machine.target(file.path)
        if status is None or file.what not in ("program", "interpreter") or not stat.S_ISREG(status.st_mode):
            continue
        bits = [name for bit, name in ((stat.S_ISUID, "setuid"), (stat.S_ISGID, "setgid")) if status.st_mode & bit]
        if bits and status.st_mode & 0o111:
            message = f"{file.path} is {' and '.join(bits)}: whoever steers the server has rights that are not the user's"
            yield view.finding(RULE, message, view.word(file.index))


RULE = Rule(
    slug="setuid-program",
    title="A server's program is setuid or setgid",
    severity=Level.HIGH,
    confidence=Level.HIGH,
    subject="entry",
    advice="Name another program; or, if nothing else needs these rights, take them with chmod ug-s.",
    cwe=250,
    owasp="MCP02",
    check=check,
)
