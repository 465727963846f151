"""A person's consent for exactly one call.

Through the client: in a handshake session by the guard's own `elicitation/create`, in 2026-07-28 by an `InputRequiredResult`. A client
that has declared elicitation may still answer for its user, so the question has a required answer that nobody gives by
accident: an empty, defaulted or malformed one is a no. Where the client cannot ask, the call does not run.
"""

from __future__ import annotations

from stdioguard.guard import display
from stdioguard.guard.gates import rounds
from stdioguard.guard.verdicts import MISSING_CLIENT_CAPABILITY, REFUSED, Ask, Refuse, Reply
from stdioguard.policy.policy import CONFIRM
from stdioguard.wire import eras

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from stdioguard.guard.state import Exchange
    from stdioguard.guard.verdicts import Verdict

TITLE = "stdioguard: allow this tool call once?"
"""The first line of every question of the guard's; no server's question may speak in its name (`capabilities.restrained`)."""
ALLOW_ONCE = "allow once"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "decision": {
            "type": "string",
            "title": "Decision",
            "description": "This call only.",
            "enum": [ALLOW_ONCE, "deny"],
            "default": "deny",
        }
    },
    "required": ["decision"],
}
_WITH_ELICITATION = frozenset(eras.REVISIONS[2:])


def from_client(exchange: Exchange) -> Verdict | None:
    """Ask about a call whose rule is `confirm`, unless a person has approved this very call."""
    rule = exchange.rule
    if rule is None or rule.action != CONFIRM or exchange.approved:
        return None
    if not _can_ask(exchange):
        if exchange.era == eras.MODERN:
            needed: dict[str, Any] = {"requiredCapabilities": {"elicitation": {"form": {}}}}
            text = _how(exchange, "this client cannot ask")
            return Refuse(REFUSED, rule.origin, text, protocol_code=MISSING_CLIENT_CAPABILITY, data=needed)
        return refused(exchange, "this client cannot ask")
    message = prompt(exchange)
    if exchange.era != eras.MODERN:
        return Ask(rule.origin, message)
    state = exchange.state
    kept = {"asked": "person", "digest": rounds.digest("tools/call", exchange.message.params)}
    question = {"method": "elicitation/create", "params": {"mode": "form", "message": message, "requestedSchema": SCHEMA}}
    return Reply(
        rule.origin,
        {
            "resultType": "input_required",
            "inputRequests": {rounds.CONSENT_KEY: question},
            "requestState": state.sealer.seal(kept, state.now),
        },
    )


def _can_ask(exchange: Exchange) -> bool:
    support = exchange.capabilities.get("elicitation")
    has_form = type(support) is dict and ("form" in support or "url" not in support)
    return has_form and exchange.revision in _WITH_ELICITATION


def approves(answer: Any) -> bool:
    """Tell whether an elicitation result is a clear yes."""
    return (
        type(answer) is dict
        and answer.get("action") == "accept"
        and type(answer.get("content")) is dict
        and answer["content"].get("decision") == ALLOW_ONCE
    )


def refused(exchange: Exchange, reason: str) -> Refuse:
    """Return the refusal of a call that nobody approved, with the ways to have it approved."""
    rule = exchange.rule.origin if exchange.rule else "consent"
    return Refuse(REFUSED, rule, _how(exchange, reason), as_result=True)


def _how(exchange: Exchange, reason: str) -> str:
    name = exchange.message.params["name"]
    origin = exchange.rule.origin if exchange.rule else ""
    return (
        f'the tool "{name}" did not run: {reason}. A person has to approve it ({origin} in {exchange.state.policy.source}): '
        "use a client that supports elicitation (MCP 2025-06-18 or later) and answer its question, or put "
        f'"{name}" = {{ action = "allow" }} under [tools.rules] to run it without asking'
    )


def prompt(exchange: Exchange) -> str:
    """Return what a person reads before deciding. Everything in it that is not the guard's own is escaped and in its place."""
    rule, params, state = exchange.rule, exchange.message.params, exchange.state
    arguments = display.arguments(params.get("arguments") or {})
    lines = [
        TITLE,
        f"server: {display.shortened(state.server_name, 80)}",
        f"tool: {display.shortened(params['name'], 128)}" + (" (as a task)" if "task" in params else ""),
        f"risk: {rule.risk if rule else 'normal'}",
        "arguments (chosen by the model):" if arguments else "arguments: none",
        *arguments,
    ]
    return "\n".join(lines)
