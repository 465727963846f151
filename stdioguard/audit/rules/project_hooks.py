"""A client's settings in a repository can name commands that the client runs by itself, without any server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stdioguard.audit.interface import Level, Rule
from stdioguard.installs.dialects.standard import at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import ConfigView, Finding
    from stdioguard.installs.formats.document import Path

_COMMANDS: tuple[Path, ...] = (
    ("apiKeyHelper",), ("awsAuthRefresh",), ("awsCredentialExport",), ("gcpAuthRefresh",), ("otelHeadersHelper",),
    ("statusLine", "command"),
)  # fmt: skip


def check(config: ConfigView) -> Iterator[Finding]:
    """Yield a finding for the hooks and for each other command in a project's settings."""
    value = config.value
    if not config.is_shared or not isinstance(value, dict):
        return
    hooks = value.get("hooks")
    events = [name for name, said in hooks.items() if _has_command(said)] if isinstance(hooks, dict) else []
    if events:
        message = f"who opens this folder in {config.client} runs the repository's commands at {', '.join(sorted(events)[:4])}"
        yield config.finding(RULE, message, ("hooks",), on_key=True)
    for path in _COMMANDS:
        if isinstance(at(value, path), str):
            yield config.finding(
                RULE, f"{'.'.join(map(str, path))} is a command of the repository that {config.client} runs", path
            )


def _has_command(said: Any) -> bool:
    """Tell whether a hook's table, at most a few levels deep, names a command."""
    todo = [(said, 0)]
    while todo:
        value, depth = todo.pop()
        if isinstance(value, dict) and isinstance(value.get("command"), str):
            return True
        if depth < 4 and isinstance(value, (dict, list)):
            todo += [(member, depth + 1) for member in list(value.values() if isinstance(value, dict) else value)[:200]]
    return False


RULE = Rule(
    slug="project-hooks",
    title="A project's settings run commands",
    severity=Level.LOW,
    confidence=Level.HIGH,
    subject="config",
    advice="Read the commands before you let a client trust the folder.",
    cwe=829,
    owasp="MCP05",
    check=check,
)
