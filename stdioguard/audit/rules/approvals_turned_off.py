"""A setting that approves everything approves what a poisoned text makes the model do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stdioguard.audit import likeness
from stdioguard.audit.interface import Level, Rule
from stdioguard.installs.dialects.standard import at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import ConfigView, Finding
    from stdioguard.installs.formats.document import Path

_SETTINGS: tuple[tuple[Path, object], ...] = (
    (("permissions", "defaultMode"), "bypassPermissions"),  # Claude Code
    (("approval_policy",), "never"),  # Codex
    (("chat.tools.autoApprove",), True), (("chat.tools.global.autoApprove",), True),  # VS Code
    (("settings", "chat.tools.autoApprove"), True), (("settings", "chat.tools.global.autoApprove"), True),
    (("agent", "always_allow_tool_actions"), True), (("agent", "tool_permissions", "default"), "allow"),  # Zed
    (("amp.dangerouslyAllowAll",), True),
    (("tools", "approvalMode"), "yolo"), (("approvalMode",), "yolo"),  # Qwen Code
)  # fmt: skip
"""Ways to settings with the value that approves everything."""


def check(config: ConfigView) -> Iterator[Finding]:
    """Yield a finding for each setting that takes the questions away, and for lists that allow a server's every tool."""
    value = config.value
    for path, wanted in _SETTINGS:
        if at(value, path) == wanted and type(at(value, path)) is type(wanted):
            yield config.finding(RULE, f"{'.'.join(map(str, path))} is {_shown(wanted)}: no call is asked about", path)
    profiles = at(value, ("profiles",))
    for name, said in profiles.items() if isinstance(profiles, dict) else ():
        if isinstance(said, dict) and said.get("approval_policy") == "never":
            path = ("profiles", name, "approval_policy")
            yield config.finding(RULE, f'the profile {name} has the approval policy "never": no call is asked about', path)
    for path in (("permissions", "allow"), ("allowedTools",)):
        listed = at(value, path)
        for index, rule in enumerate(listed if isinstance(listed, list) else ()):
            if isinstance(rule, str):
                yield from _of_rule(config, rule, (*path, index))


def _of_rule(config: ConfigView, rule: str, path: Path) -> Iterator[Finding]:
    """Read a rule of Claude Code (`mcp__server__tool`) or of Amazon Q and Kiro (`@server/tool`)."""
    if rule in ("*", "mcp__*", "@*", "mcp__*__*"):
        yield config.finding(RULE, f"{rule} allows every tool of every server without a question", path)
        return
    if rule.startswith("mcp__"):
        server, _, tool = rule.removeprefix("mcp__").partition("__")
    elif rule.startswith("@"):
        server, _, tool = rule[1:].partition("/")
        if server == "builtin":
            return
    else:
        return
    if tool in ("", "*"):
        message = f"{rule} allows every tool of {server} without a question"
        yield config.finding(RULE, message, path, severity=Level.LOW, entry=server)
    elif likeness.destroys(tool):
        yield config.finding(
            RULE, f"{rule} allows a tool that changes things without a question", path, severity=Level.LOW, entry=server
        )


def _shown(value: Any) -> str:
    return "true" if value is True else f'"{value}"'


RULE = Rule(
    slug="approvals-turned-off",
    title="A client is told not to ask about tools",
    severity=Level.MEDIUM,
    confidence=Level.HIGH,
    subject="config",
    advice="Let the client ask, and allow single tools that only read.",
    cwe=862,
    owasp="MCP02",
    check=check,
)
