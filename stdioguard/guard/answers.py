"""The forms of what the guard itself says, and what it takes out of what others say."""

from __future__ import annotations

from stdioguard.guard.verdicts import Refuse
from stdioguard.wire import eras, strict_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from stdioguard.wire.messages import Message, Response

_OWN = eras.OWN_META_PREFIX


def refusal(verdict: Refuse) -> dict[str, Any]:
    """Return the JSON-RPC error for a refused request."""
    if verdict.plain:
        return {"code": verdict.protocol_code, "message": verdict.text, **({"data": verdict.data} if verdict.data else {})}
    data = {"code": verdict.code, "rule": verdict.rule, **verdict.data}
    return {"code": verdict.protocol_code, "message": f"stdioguard: {verdict.text}", "data": data}


def error(code: int, rule: str, text: str) -> dict[str, Any]:
    """Return a JSON-RPC error of the guard's."""
    return refusal(Refuse(code, rule, text))


def refused_result(verdict: Refuse, era: str) -> dict[str, Any]:
    """Return the result of a refused tool call: a text that a model can act on."""
    result: dict[str, Any] = {
        "content": [{"type": "text", "text": f"stdioguard: {verdict.text}"}],
        "isError": True,
        "_meta": {_OWN + "refusal": {"code": verdict.code, "rule": verdict.rule}},
    }
    if era == eras.MODERN:
        result["resultType"] = "complete"
    return result


def line(message: Message, *, data: str = "", secret: str | None = None) -> str:
    """Return a message as one line, without any key of the guard's own name space.

    `data` names a member whose keys are not the protocol's: the arguments of a tool may be about anything. `secret` is what the guard
    proves itself with in a request of its own making: in `_meta`, and in `initialize` in `clientInfo` too.
    """
    envelope = message.envelope()
    text = strict_json.encode(envelope)
    if "stdioguard/" in text.lower():
        envelope = _without_own_keys(envelope, data)
        text = strict_json.encode(envelope)
    return strict_json.encode(_with_secret(envelope, secret)) if secret is not None else text


def _with_secret(envelope: dict[str, Any], secret: str) -> dict[str, Any]:
    params = dict(envelope.get("params", {}))
    params["_meta"] = {**params.get("_meta", {}), _OWN + "token": secret}
    if envelope["method"] == "initialize":
        params["clientInfo"] = {**params["clientInfo"], "secret": secret}
    return {**envelope, "params": params}


def _without_own_keys(value: Any, data: str) -> Any:
    if isinstance(value, dict):
        return {
            key: member if key == data else _without_own_keys(member, data)
            for key, member in value.items()
            if not key.casefold().startswith(_OWN)
        }
    if isinstance(value, list):
        return [_without_own_keys(member, data) for member in value]
    return value


def not_the_guards(error: dict[str, Any]) -> None:
    """Make sure that a server's error cannot be taken for one of the guard's: neither by code, nor by data, nor by its first word."""
    if -32000 < error["code"] <= -31000:
        error["code"] = -32603
    data = error.get("data")
    if type(data) is dict and "rule" in data and "code" in data:
        del error["data"]
    if error["message"].casefold().lstrip().startswith("stdioguard"):
        error["message"] = f"[server] {error['message']}"


def outcome(response: Response) -> str:
    """Return how a request ended, in a word for the record."""
    if response.error is not None:
        return "error"
    members = response.result or {}
    return "tool-error" if members.get("isError") is True else str(members.get("resultType", "complete"))[:40]


def answers_client(entry: dict[str, Any]) -> bool:
    """Tell whether the message of a record's entry is one that a client waits for an answer to, or the answer."""
    return (entry["from"], entry["kind"]) in (("client", "request"), ("server", "response")) and entry["verdict"] != "drop"
