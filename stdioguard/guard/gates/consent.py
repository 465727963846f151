"""A person's consent for exactly this call.

Through the client: in a handshake session by the guard's own `elicitation/create`, in 2026-07-28 by an `InputRequiredResult`. A client
that has declared elicitation may still answer for its user, so the question has a required answer that nobody gives by
accident: an empty, defaulted or malformed one is a no. Or through the desk, which knows other channels: then the call is held in either
era. Where nobody can be asked the call does not run; a person may approve it afterwards, for the next time that it is made.
"""

from __future__ import annotations

from stdioguard.guard import asking, display
from stdioguard.guard.gates import limits, rounds
from stdioguard.guard.verdicts import LIMIT, MISSING_CLIENT_CAPABILITY, REFUSED, Ask, Refuse, Reply
from stdioguard.policy.policy import CONFIRM
from stdioguard.wire import eras, strict_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from stdioguard.guard.state import Exchange, Held, State
    from stdioguard.guard.verdicts import Verdict

TITLE = display.TITLE
"""The first line of every question of the guard's; no server's question may speak in its name (`elicitation.from_server`)."""
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
MAX_DENIALS = 10
"""Calls denied by a person one after the other after which nobody is asked for `PAUSE` seconds."""
PAUSE = 60.0
PARKED = 600.0
"""Seconds for which a call that nobody could be asked about can be approved for the next time."""
_CHANGED = "the server has changed this tool since a person was asked"
_WITH_ELICITATION = frozenset(eras.REVISIONS[2:])


def from_client(exchange: Exchange) -> Verdict | None:
    """Ask about a call whose rule is `confirm`, unless a person has approved this very call."""
    rule = exchange.rule
    if rule is None or rule.action != CONFIRM or exchange.approved:
        return None
    state = exchange.state
    asked = question(exchange)
    settled = state.desk.settled(asked) if state.desk is not None else None
    if settled is not None:
        exchange.decided_by = settled
        if settled.approved:
            exchange.approved = True
            return None
        return refused(exchange, "a person has decided so for calls like this")
    if state.now < state.no_questions_until:
        return refused(exchange, f"{MAX_DENIALS} calls in a row were denied, so nobody is asked for a minute")
    way = _way(exchange, asked)
    if way is None:
        return _nobody(exchange, asked)
    if way == asking.CLIENT and exchange.era == eras.MODERN:
        if state.sealer.outstanding(state.now) >= limits.MAX_HELD:
            return Refuse(LIMIT, "limits.held", f"more than {limits.MAX_HELD} calls wait for a person", as_result=True)
        return _round(exchange, asked)
    return Ask(rule.origin, prompt(exchange), asked, by_client=way == asking.CLIENT)


def question(exchange: Exchange) -> asking.Question:
    """Return the question that this call is."""
    state, params, rule = exchange.state, exchange.message.params, exchange.rule
    digest = exchange.digest or rounds.digest("tools/call", params)
    id_ = state.desk.new_id(digest) if state.desk is not None else ""
    made = asking.Question(id_, params["name"], params.get("arguments") or {}, digest, deadline=state.now + PARKED)
    made.client = exchange.caller.client if exchange.caller is not None else ""
    made.server = state.server_name
    made.tool_pin = pin(state, params["name"])
    made.task = "task" in params
    if rule is not None:
        made.risk, made.rule, made.remember = rule.risk, rule.origin, rule.remember
    return made


def pin(state: State, tool: str) -> str:
    """Return what stands for a tool as the server has described it last: the SHA-256 (hex) of that, empty where it was not listed."""
    definition = state.definitions.get(tool)
    if definition is None:
        return ""
    import hashlib  # noqa: PLC0415 - for confirmed calls only

    return hashlib.sha256(strict_json.canonical(definition).encode("ascii")).hexdigest()


def _way(exchange: Exchange, asked: asking.Question) -> str | None:
    client = _can_ask(exchange)
    if exchange.state.desk is None:
        return asking.CLIENT if client else None
    return exchange.state.desk.way(asked, client=client)


def _nobody(exchange: Exchange, asked: asking.Question) -> Refuse:
    """Refuse a call that nobody can be asked about."""
    desk = exchange.state.desk
    by_client = _may_client_ask(exchange, asked)
    refusal = refused(exchange, "this client cannot ask" if by_client else "nobody is there to ask", asked)
    if by_client and exchange.era == eras.MODERN and not _can_ask(exchange):
        refusal.as_result = False
        refusal.protocol_code = MISSING_CLIENT_CAPABILITY
        refusal.data = {"requiredCapabilities": {"elicitation": {"form": {}}}}
    if desk is not None:
        asked.parked = True
        refusal.question = asked
    return refusal


def _round(exchange: Exchange, asked: asking.Question) -> Reply:
    """Answer a 2026-07-28 call with the question; the client makes the call again with the answer."""
    state = exchange.state
    digest = rounds.digest("tools/call", exchange.message.params)
    kept = {"asked": "person", "digest": digest, "client": asked.client, "tool_pin": asked.tool_pin}
    question = {
        "method": "elicitation/create",
        "params": {"mode": "form", "message": prompt(exchange), "requestedSchema": SCHEMA},
    }
    return Reply(
        exchange.rule.origin if exchange.rule else "consent",
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


def decided(exchange: Exchange, kept: dict[str, Any], answer: Any) -> Refuse | None:
    """Take the answer that a 2026-07-28 call brings to the question of its first round, which `kept` tells of."""
    state, name = exchange.state, exchange.message.params.get("name")
    if not approves(answer):
        denied(state)
        return refused(exchange, "a person did not approve this call")
    state.denials = 0
    if kept["client"] != (exchange.caller.client if exchange.caller is not None else ""):
        return refused(exchange, "another client was asked about it")
    if not _is_still(state, name, kept["tool_pin"]):
        return refused(exchange, _CHANGED)
    exchange.approved = True
    return None


def denied(state: State) -> None:
    """Take note of a denial. Of many in a row the last has nobody asked for a while."""
    state.denials += 1
    if state.denials >= MAX_DENIALS:
        state.denials, state.no_questions_until = 0, state.now + PAUSE


def approves(answer: Any) -> bool:
    """Tell whether an elicitation result is a clear yes: the one answer that was asked for, and nothing beside it."""
    return type(answer) is dict and answer.get("action") == "accept" and answer.get("content") == {"decision": ALLOW_ONCE}


def still_is(held: Held) -> Refuse | None:
    """Refuse a call whose tool is not the one any more that the person was asked about."""
    if _is_still(held.exchange.state, held.question.tool, held.question.tool_pin):
        return None
    return refused(held.exchange, _CHANGED)


def _is_still(state: State, tool: str, asked: str) -> bool:
    """Tell whether a tool is as it was when a person was asked. One that had not been listed by then is not changed by being listed."""
    return asked in ("", pin(state, tool))


def refused(exchange: Exchange, reason: str, asked: asking.Question | None = None) -> Refuse:
    """Return the refusal of a call that nobody approved, with the ways to have it approved; `asked` can be approved for the next time."""
    rule = exchange.rule.origin if exchange.rule else "consent"
    return Refuse(REFUSED, rule, _how(exchange, reason, asked), as_result=True)


def _how(exchange: Exchange, reason: str, asked: asking.Question | None) -> str:
    name, policy, desk = exchange.message.params["name"], exchange.state.policy, exchange.state.desk
    origin = exchange.rule.origin if exchange.rule else ""
    ways = [desk.afterwards(asked)] if desk is not None and asked is not None else []
    if asked is not None and _may_client_ask(exchange, asked):
        ways.append("use a client that supports elicitation (MCP 2025-06-18 or later) and answer its question")
    ways.append(f'put "{name}" = {{ action = "allow" }} under [tools.rules] to run it without asking')
    return (
        f'the tool "{name}" did not run: {reason}. A person has to approve it ({origin} in {policy.source}): {", or ".join(ways)}'
    )


def _may_client_ask(exchange: Exchange, asked: asking.Question) -> bool:
    desk = exchange.state.desk
    return desk is None or desk.may_client_ask(asked)


def prompt(exchange: Exchange) -> str:
    """Return what a person reads before deciding."""
    rule, params = exchange.rule, exchange.message.params
    risk, is_task = rule.risk if rule else "normal", "task" in params
    return display.question(exchange.state.server_name, params["name"], params.get("arguments") or {}, risk=risk, is_task=is_task)
