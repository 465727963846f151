"""Claude Code asks before it starts a project's servers, unless its settings say yes to all of them beforehand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stdioguard.audit.interface import Level, Rule
from stdioguard.installs.dialects import claude_code

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import ConfigView, Finding

_KEY = "enableAllProjectMcpServers"


def check(config: ConfigView) -> Iterator[Finding]:
    """Yield a finding where the setting is on, for everything or for one project."""
    value = config.value
    if not isinstance(value, dict):
        return
    if value.get(_KEY) is True:
        whose = "this project's servers" if config.is_shared else "every project's servers"
        yield config.finding(RULE, f"{_KEY} starts {whose} without a question", (_KEY,))
    for folder, project in claude_code.projects(value).items():
        if project.get(_KEY) is True:
            yield config.finding(RULE, f"{_KEY} starts every server of {folder} without a question", ("projects", folder, _KEY))


RULE = Rule(
    slug="preapproved-project-servers",
    title="Projects' servers start without a question",
    severity=Level.MEDIUM,
    confidence=Level.HIGH,
    subject="config",
    advice="Remove it, and name the servers that you have looked at in enabledMcpjsonServers.",
    cwe=829,
    owasp="MCP09",
    check=check,
)
