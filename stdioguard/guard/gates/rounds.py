"""Rounds of a 2026-07-28 call: the server answers `input_required`, the client asks its user and calls again (SEP-2322).

What the client carries between two calls is sealed by the guard: the server's own `requestState`, the questions that were asked, and
whether a person has approved the call. So an answer counts only for the question, the method and the arguments that it was
asked for, once. The questions themselves are requests to the client and pass under the same switches as in a handshake session.
"""

from __future__ import annotations

from stdioguard.guard.gates import capabilities, roots
from stdioguard.guard.verdicts import INVALID_PARAMS, MALFORMED, REFUSED, Refuse
from stdioguard.wire import eras, strict_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from stdioguard.guard.state import Call, Exchange, State
    from stdioguard.guard.verdicts import Verdict

CONSENT_KEY = "stdioguard.confirm"
"""The key of the guard's own question among `inputRequests`."""

OWN_PREFIX = "stdioguard"
_VOLATILE = frozenset({"_meta", "inputResponses", "requestState"})


def digest(method: str, params: dict[str, Any]) -> str:
    """Return the SHA-256 (hex) of what a request asks for: its method and canonical parameters, without the envelope."""
    import hashlib  # noqa: PLC0415 - for confirmed calls and rounds only

    asked = {key: value for key, value in params.items() if key not in _VOLATILE}
    return hashlib.sha256(strict_json.canonical([method, asked]).encode("ascii")).hexdigest()


def from_client(exchange: Exchange) -> Verdict | None:
    """Open the state that a retried request brings, and put back what is the server's."""
    message, state = exchange.message, exchange.state
    params = message.params
    sealed = params.pop("requestState", None)
    responses = params.pop("inputResponses", None)
    if responses is not None and (type(responses) is not dict or not all(type(answer) is dict for answer in responses.values())):
        return Refuse(MALFORMED, "rounds.responses", "inputResponses is an object of objects", protocol_code=INVALID_PARAMS)
    if sealed is None:
        # Answers that come unasked, or to a task's questions: a client may know what a server will want.
        _answers(state, params, responses or {})
        return None
    if type(sealed) is not str:
        return Refuse(MALFORMED, "rounds.state", "requestState is a string")
    try:
        kept = state.sealer.redeem(sealed, state.now)
    except ValueError as error:
        return Refuse(REFUSED, "rounds.state", f"this requestState cannot be used: {error}; call again without it")
    exchange.digest = digest(message.method, params)
    if kept["digest"] != exchange.digest:
        return Refuse(REFUSED, "rounds.state", "this requestState was given for another call")
    responses = responses or {}
    if kept["asked"] == "person":
        from stdioguard.guard.gates import consent  # noqa: PLC0415 - consent asks through this gate

        return consent.decided(exchange, kept, responses.get(CONSENT_KEY))
    exchange.approved = kept["approved"]
    _answers(state, params, {key: responses[key] for key in kept["keys"] if key in responses})
    if kept["inner"] is not None:
        params["requestState"] = kept["inner"]
    return None


def _answers(state: State, params: dict[str, Any], responses: dict[str, Any]) -> None:
    """Put back the answers that the server may have: of a kind that the profile grants, roots cut, none under the guard's key."""
    kept = {}
    for key, answer in responses.items():
        kind = "roots" if "roots" in answer else "elicitation" if "action" in answer else "sampling"
        if key.casefold().startswith(OWN_PREFIX) or not state.policy.grants(kind) or eras.imitation(answer) is not None:
            continue
        if "roots" in answer:
            answer["roots"] = roots.cut(state, answer["roots"]) if type(answer["roots"]) is list else []
        kept[key] = answer
    if kept:
        params["inputResponses"] = kept


def result(state: State, call: Call, members: dict[str, Any]) -> Refuse | None:
    """Check the questions that a result brings, and seal the state of an `InputRequiredResult` into the guard's."""
    if call.era != eras.MODERN:
        return None
    objection = questions(state, members, call.capabilities)
    if objection is not None or members.get("resultType") != "input_required":
        return objection
    inner = members.get("requestState")
    asked = members.get("inputRequests", {})
    if (inner is not None and type(inner) is not str) or (not asked and inner is None):
        return Refuse(MALFORMED, "rounds.shape", "an input_required result has inputRequests or requestState")
    kept = {
        "asked": "server",
        "digest": call.digest or digest(call.method, call.params or {}),
        "approved": call.approved,
        "keys": list(asked),
        "inner": inner,
    }
    members["requestState"] = state.sealer.seal(kept, state.now)
    return None


def from_server(exchange: Exchange) -> Verdict | None:
    """Check the questions that a report on a task brings."""
    params, state = exchange.message.params, exchange.state
    task = state.client_tasks.get(params["taskId"])
    return questions(state, params, task.capabilities if task is not None else {})


def questions(state: State, members: dict[str, Any], declared: dict[str, Any]) -> Refuse | None:
    """Check every question among `members`: `inputRequests`, there or in the task that they describe."""
    for place in (members, members.get("task")):
        asked = place.get("inputRequests", {}) if type(place) is dict else {}
        if type(asked) is not dict:
            return Refuse(MALFORMED, "rounds.shape", "inputRequests is an object")
        for key, question in asked.items():
            objection = _question(state, key, question, declared)
            if objection is not None:
                return objection
    return None


def _question(state: State, key: str, question: Any, declared: dict[str, Any]) -> Refuse | None:
    if key.casefold().startswith(OWN_PREFIX):
        return Refuse(REFUSED, "rounds.imitation", "a server's question may not use the guard's key")
    name = question.get("method") if type(question) is dict else None
    method = eras.SERVER_REQUESTS.get(name) if type(name) is str else None
    if method is None or not method.capability or method.capability == "tasks":
        return Refuse(MALFORMED, "rounds.question", "an input request is for elicitation, sampling or roots")
    params = question.get("params", {})
    if type(params) is not dict or params.keys() - method.params or question.keys() - {"method", "params"}:
        return Refuse(MALFORMED, "rounds.question", f"an input request for {method.name} has parameters that it does not have")
    if not state.policy.grants(method.capability):
        return capabilities.refusal(method.capability, method.name, state.policy.source)
    return capabilities.undeclared(method.name, params, declared) or capabilities.restrained(
        method.name, params, state.server_name
    )
