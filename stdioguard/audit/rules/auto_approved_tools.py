"""A tool that needs no question is called whenever a text makes the model call it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stdioguard.audit import likeness
from stdioguard.audit.interface import Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import EntryView, Finding

_LISTS = ("alwaysAllow", "autoApprove", "autoApproved", "always_allow", "auto_approve", "trustedTools")
_ALL = frozenset({"*", "all", ".*", "mcp_*", "mcp__*"})


def check(view: EntryView) -> Iterator[Finding]:
    """Yield a finding where all tools, or tools that by their names change things, need no question. Lists of readers are silent."""
    extra, path = view.entry.extra, view.entry.path
    if view.entry.kind == "broken":
        return
    for key in _LISTS:
        value = extra.get(key)
        if value is True or (isinstance(value, str) and value in _ALL):
            yield view.finding(RULE, f"{key} lets every tool of it run without a question", (*path, key))
        elif isinstance(value, list):
            yield from _of_list(view, key, value)
    if extra.get("trust") is True:
        yield view.finding(RULE, "trust lets every tool of it run without a question", (*path, "trust"))
    if extra.get("default_tools_approval_mode") == "approve":
        message = "default_tools_approval_mode lets every tool of it run without a question"
        yield view.finding(RULE, message, (*path, "default_tools_approval_mode"))
    tools = extra.get("tools")
    approved = [
        name
        for name, said in (tools.items() if isinstance(tools, dict) else ())
        if isinstance(said, dict) and said.get("approval_mode") == "approve"
    ]
    if changing := [name for name in approved if likeness.destroys(name)]:
        yield view.finding(RULE, _said(changing), (*path, "tools", changing[0]), severity=Level.LOW)


def _of_list(view: EntryView, key: str, value: list[Any]) -> Iterator[Finding]:
    tools = [tool for tool in value if isinstance(tool, str)]
    path = (*view.entry.path, key)
    every = next((index for index, tool in enumerate(value) if isinstance(tool, str) and tool in _ALL), None)
    if every is not None:
        yield view.finding(RULE, f"{key} lets every tool of it run without a question", (*path, every))
    elif changing := [tool for tool in tools if likeness.destroys(tool)]:
        yield view.finding(RULE, _said(changing), (*path, value.index(changing[0])), severity=Level.LOW)


def _said(tools: list[str]) -> str:
    more = f" and {len(tools) - 3} more" if len(tools) > 3 else ""
    return f"tools that change things run without a question: {', '.join(tools[:3])}{more}"


RULE = Rule(
    slug="auto-approved-tools",
    title="A server's tools run without a question",
    severity=Level.MEDIUM,
    confidence=Level.HIGH,
    subject="entry",
    advice="Name only tools that read, and let the client ask about the others.",
    cwe=862,
    owasp="MCP02",
    check=check,
)
