"""JSON-RPC envelopes: which of the four kinds of message a decoded value is, or why it is none.

Source: JSON-RPC 2.0, as narrowed by MCP (basic#messages): objects only, string or integer ids, no batches. An envelope may have
no member that JSON-RPC does not name, so that no peer reads a hybrid (`method` beside `result`) in its own way.
"""

from __future__ import annotations

from stdioguard.wire.errors import MalformedError
from stdioguard.wire.strict_json import decode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MAX_ID = 256
"""Bytes in the longest request id, as UTF-8 or as decimal digits."""

MAX_METHOD = 256

_MEMBERS = frozenset({"jsonrpc", "id", "method", "params", "result", "error"})

RequestId = int | str


class Request:
    """A request: it has a method, and an id that its one response must carry."""

    __slots__ = ("id", "method", "params")

    def __init__(self, id: RequestId, method: str, params: dict[str, Any]) -> None:  # noqa: A002 - JSON-RPC's name
        self.id = id
        self.method = method
        self.params = params

    def envelope(self) -> dict[str, Any]:
        """Return the message as it goes over the wire."""
        body: dict[str, Any] = {"jsonrpc": "2.0", "id": self.id, "method": self.method}
        if self.params:
            body["params"] = self.params
        return body


class Notification:
    """A notification: a method, and nobody waits for an answer."""

    __slots__ = ("method", "params")

    def __init__(self, method: str, params: dict[str, Any]) -> None:
        self.method = method
        self.params = params

    def envelope(self) -> dict[str, Any]:
        """Return the message as it goes over the wire."""
        body: dict[str, Any] = {"jsonrpc": "2.0", "method": self.method}
        if self.params:
            body["params"] = self.params
        return body


class Response:
    """A response: either `result` (an object) or `error` (`code`, `message`, perhaps `data`) is set, never both."""

    __slots__ = ("error", "id", "result")

    def __init__(
        self,
        id: RequestId | None,  # noqa: A002 - JSON-RPC's name
        *,
        result: dict[str, Any] | None = None,
        error: dict[str, Any] | None = None,
    ) -> None:
        self.id = id
        self.result = result
        self.error = error

    def envelope(self) -> dict[str, Any]:
        """Return the message as it goes over the wire."""
        if self.error is not None:
            return {"jsonrpc": "2.0", "id": self.id, "error": self.error}
        return {"jsonrpc": "2.0", "id": self.id, "result": self.result}


Message = Request | Notification | Response


def parse(frame: bytes) -> Message:
    """Decode one frame and tell what kind of message it is.

    Raises `MalformedError`, with the id of the request where the frame names exactly one.
    """
    try:
        value = decode(frame)
    except MalformedError as error:
        error.id, error.is_answer = salvage(frame)
        raise
    if isinstance(value, list):
        raise MalformedError("batch", "batches are not accepted; send one message a line")
    if not isinstance(value, dict):
        raise MalformedError("not-an-object", "a message is a JSON object")
    try:
        return _classify(value)
    except MalformedError as error:
        error.id, error.is_answer = _named(list(value.items()))
        raise


def _classify(value: dict[str, Any]) -> Message:
    if not value.keys() <= _MEMBERS:
        unknown = value.keys() - _MEMBERS
        raise MalformedError("unknown-member", f"the envelope has a member that JSON-RPC does not name: {min(unknown)!a:.80}")
    if value.get("jsonrpc") != "2.0" or type(value["jsonrpc"]) is not str:
        raise MalformedError("jsonrpc-version", 'jsonrpc must be "2.0"')
    if "id" in value and not _is_id(value["id"]) and not (value["id"] is None and "error" in value):
        raise MalformedError("bad-id", f"an id is a string or an integer of at most {MAX_ID} bytes")
    if "method" in value:
        return _call(value)
    if "params" in value:
        raise MalformedError("hybrid", "a response has no params")
    if "id" not in value:
        raise MalformedError("no-id", "neither a method nor an id")
    if ("result" in value) == ("error" in value):
        raise MalformedError("hybrid", "a response has either a result or an error")
    if "error" in value:
        return Response(value["id"], error=_error(value["error"]))
    if type(value["result"]) is not dict:
        raise MalformedError("bad-result", "a result is an object")
    return Response(value["id"], result=value["result"])


def _call(value: dict[str, Any]) -> Message:
    if "result" in value or "error" in value:
        raise MalformedError("hybrid", "a message has a method or a result, not both")
    method = value["method"]
    if type(method) is not str or not 0 < len(method) <= MAX_METHOD:
        raise MalformedError("bad-method", f"a method is a string of 1 to {MAX_METHOD} characters")
    params = value.get("params", {})
    if type(params) is not dict:
        raise MalformedError("bad-params", "params is an object")
    if "id" in value:
        return Request(value["id"], method, params)
    return Notification(method, params)


def _error(error: Any) -> dict[str, Any]:
    if type(error) is not dict or type(error.get("code")) is not int or type(error.get("message")) is not str:
        raise MalformedError("bad-error", "an error is an object with an integer code and a message")
    if error.keys() - {"code", "message", "data"}:
        raise MalformedError("bad-error", "an error has code, message and data only")
    return error


def _is_id(value: Any) -> bool:
    if type(value) is str:
        return len(value) * 4 <= MAX_ID or len(value.encode("utf-8", "replace")) <= MAX_ID
    if type(value) is int:
        # More than three bits a digit: the comparison keeps a huge integer from being printed at all.
        bits = value.bit_length()
        return bits <= MAX_ID or (bits <= MAX_ID * 4 and len(str(value)) <= MAX_ID)
    return False


def salvage(frame: bytes) -> tuple[RequestId | None, bool]:
    """Find what a frame that is not strict JSON names at its top level, so that its sender does not wait for ever."""
    import json  # noqa: PLC0415 - already loaded by strict_json; only refused frames come here

    try:
        value = json.loads(frame.decode("utf-8", "replace"), object_pairs_hook=list)
    except (ValueError, RecursionError):
        return None, False
    if type(value) is not list or not all(type(member) is tuple for member in value):
        return None, False
    return _named(value)


def _named(members: list[tuple[str, Any]]) -> tuple[RequestId | None, bool]:
    """Return the one id among `members`, if it is beyond doubt, and whether they are those of a response."""
    keys = {key.casefold() for key, _ in members}
    is_answer = "method" not in keys and not keys.isdisjoint(("result", "error"))
    ids = [member for key, member in members if key.casefold() == "id"]
    if len(ids) != 1 or not _is_id(ids[0]) or _is_damaged(ids[0]):
        return None, is_answer
    found: RequestId = ids[0]
    return found, is_answer


def _is_damaged(value: RequestId) -> bool:
    return type(value) is str and any(char == "\ufffd" or "\ud800" <= char <= "\udfff" for char in value)
