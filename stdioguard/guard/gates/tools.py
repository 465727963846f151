"""The tool allowlist: which tools a client sees, and which it may call. One rule decides both, so that hiding is never all there is."""

from __future__ import annotations

import re

from stdioguard.guard.verdicts import MALFORMED, REFUSED, Refuse
from stdioguard.policy.policy import CONFIRM, DENY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from stdioguard.guard.state import Call, Exchange, State
    from stdioguard.guard.verdicts import Verdict

MAX_LISTED = 65536
_NAME = re.compile(r"[A-Za-z0-9_.\-/:]{1,128}\Z")
"""SEP-986, and the two separators that servers in the field use. A name outside it is not shown and not called."""


def from_client(exchange: Exchange) -> Verdict | None:
    """Refuse a call of a tool that the profile denies; plain and task-augmented calls are the same to it."""
    message = exchange.message
    name = message.params.get("name")
    if type(name) is not str:
        return Refuse(MALFORMED, "tools.name", "tools/call needs the name of a tool")
    if message.params.get("arguments", {}) is None:
        del message.params["arguments"]
    if type(message.params.get("arguments", {})) is not dict:
        return Refuse(MALFORMED, "tools.arguments", "the arguments of a tool are an object")
    if not _NAME.match(name):
        return Refuse(REFUSED, "tools.name", f"{name!a:.80} is not a tool name", as_result=True)
    policy = exchange.state.policy
    rule = exchange.rule = policy.rule_for(name)
    if rule.action == DENY:
        return Refuse(
            REFUSED, rule.origin,
            f'the tool "{name}" is denied by {rule.origin} in {policy.source}; '
            f'to allow it, put "{name}" = {{ action = "allow" }} (or "confirm") under [tools.rules] there',
            as_result=True,
        )  # fmt: skip
    return None


def result(state: State, call: Call, members: dict[str, Any]) -> Refuse | None:
    """Take out of a page of `tools/list` what may not be called, and names that an earlier entry or page has taken."""
    if call.cursor is None:
        state.listed.clear()
    shown = []
    on_page: set[str] = set()
    for tool in members["tools"]:
        name = tool.get("name") if type(tool) is dict else None
        if type(name) is not str or not _NAME.match(name) or name in on_page:
            continue
        if state.listed.get(name, call.cursor) != call.cursor:
            continue  # another page has this name
        rule = state.policy.rule_for(name)
        if rule.action != DENY:
            on_page.add(name)
            if rule.action == CONFIRM and len(state.definitions) < MAX_LISTED:
                state.definitions[name] = tool
            if len(state.listed) < MAX_LISTED:
                state.listed[name] = call.cursor
            shown.append(tool)
    members["tools"] = shown
    return None
