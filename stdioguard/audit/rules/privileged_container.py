"""Options that take a container's walls away."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from stdioguard.audit import words
from stdioguard.audit.interface import Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import EntryView, Finding

_CAPABILITIES = re.compile(
    r"(?:CAP_)?(ALL|SYS_ADMIN|SYS_PTRACE|SYS_MODULE|SYS_RAWIO|DAC_READ_SEARCH|DAC_OVERRIDE|NET_ADMIN|BPF|SYS_BOOT)", re.IGNORECASE
)
_OPEN = re.compile(
    r"(?:seccomp|apparmor|label|systempaths|proc-opts)[=:](?:unconfined|disable)|no-new-privileges[=:]false", re.IGNORECASE
)


def check(view: EntryView) -> Iterator[Finding]:
    """Yield a finding for each such option."""
    for name, value, path in words.container_options(view):
        if name == "--privileged" and value.lower() != "false":
            yield view.finding(RULE, "the container is privileged: root in it is root on this machine", path, severity=Level.HIGH)
        elif name == "--cap-add" and _CAPABILITIES.fullmatch(value):
            capability = value.upper().removeprefix("CAP_")
            severity = Level.HIGH if capability in ("ALL", "SYS_ADMIN", "SYS_MODULE", "SYS_PTRACE") else RULE.severity
            yield view.finding(RULE, f"the container has the capability {capability}", path, severity=severity)
        elif name == "--security-opt" and _OPEN.fullmatch(value):
            yield view.finding(RULE, f"the container runs with {value}, without that protection", path)
        elif name == "--device" and re.match(r"/dev/(?:mem|kmem|sd|nvme|disk|mapper)", value):
            yield view.finding(RULE, f"the container has the device {value.partition(':')[0]}", path, severity=Level.HIGH)
        elif name == "--userns" and value == "host":
            yield view.finding(RULE, "the container's root is this machine's", path)


RULE = Rule(
    slug="privileged-container",
    title="A container runs with more rights than containers have",
    severity=Level.MEDIUM,
    confidence=Level.HIGH,
    subject="entry",
    advice="Leave the option out; grant the one file or device that the server needs.",
    cwe=250,
    owasp="MCP02",
    check=check,
)
