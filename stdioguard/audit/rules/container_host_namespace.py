"""Without a network or processes of its own a container reaches what only this machine should."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stdioguard.audit import words
from stdioguard.audit.interface import Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import EntryView, Finding

_WHAT = {
    "--network": "every port on this machine, also those that only it should reach",
    "--net": "every port on this machine, also those that only it should reach",
    "--pid": "every process of this machine",
    "--ipc": "the shared memory of this machine's programs",
}


def check(view: EntryView) -> Iterator[Finding]:
    """Yield a finding for each namespace of the host's."""
    for name, value, path in words.container_options(view):
        if name in _WHAT and value == "host":
            yield view.finding(RULE, f"the container shares {_WHAT[name]} ({name} host)", path)


RULE = Rule(
    slug="container-host-namespace",
    title="A container shares the machine's network, processes or memory",
    severity=Level.MEDIUM,
    confidence=Level.HIGH,
    subject="entry",
    advice="Leave the option out; publish the ports that are needed to 127.0.0.1.",
    cwe=668,
    owasp="MCP02",
    check=check,
)
