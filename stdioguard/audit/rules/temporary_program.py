"""What lies in a temporary or download folder is put there by anything, and may be gone or another file tomorrow."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from stdioguard.audit.interface import Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import EntryView, Finding

_TEMPORARY = re.compile(
    r"(/private)?/(tmp|var/tmp|dev/shm)/|/private/var/folders/|/var/folders/|[A-Za-z]:[\\/]Windows[\\/]Temp[\\/]"
    r"|.*[\\/]AppData[\\/]Local[\\/]Temp[\\/]",
    re.IGNORECASE,
)
_DOWNLOADS = re.compile(
    r"(/home/[^/]+|/Users/[^/]+|/root|~|\$\{?HOME\}?|[A-Za-z]:[\\/]Users[\\/][^\\/]+)[\\/]Downloads[\\/]", re.IGNORECASE
)


def check(view: EntryView) -> Iterator[Finding]:
    """Yield a finding for the first program or script in such a folder, as the words say it: the file need not be there."""
    if view.entry.kind != "stdio":
        return
    started = view.started
    words = dict.fromkeys([*view.argv[:1], started.program, *([started.spec] if started.source in ("path", "installed") else [])])
    for word in words:
        place = next(
            (name for form, name in ((_TEMPORARY, "a temporary folder"), (_DOWNLOADS, "a download folder")) if form.match(word)),
            "",
        )
        if place:
            index = view.argv.index(word) if word in view.argv else None
            yield view.finding(RULE, f"{word} is in {place}", view.word(index if index is not None else started.index))
            return


RULE = Rule(
    slug="temporary-program",
    title="A server's program is in a temporary or download folder",
    severity=Level.MEDIUM,
    confidence=Level.HIGH,
    subject="entry",
    advice="Install it in a folder of your own that nothing else writes to.",
    cwe=379,
    owasp="MCP04",
    check=check,
)
