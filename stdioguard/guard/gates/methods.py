"""The method table: what is not in it, in this revision and this direction, with these params, does not pass."""

from __future__ import annotations

from stdioguard.guard.verdicts import INVALID_PARAMS, MALFORMED, METHOD_NOT_FOUND, REFUSED, Refuse
from stdioguard.wire import eras
from stdioguard.wire.messages import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from stdioguard.guard.state import Exchange
    from stdioguard.guard.verdicts import Verdict

_ENVELOPE = frozenset({eras.META_CAPABILITIES, eras.META_CLIENT_INFO, eras.META_LOG_LEVEL})


def from_client(exchange: Exchange) -> Verdict | None:
    """Look a client's message up, and clean its `_meta`."""
    requests = type(exchange.message) is Request
    return _check(exchange, eras.CLIENT_REQUESTS if requests else eras.CLIENT_NOTIFICATIONS)


def from_server(exchange: Exchange) -> Verdict | None:
    """Look a server's message up, and clean its `_meta`."""
    requests = type(exchange.message) is Request
    return _check(exchange, eras.SERVER_REQUESTS if requests else eras.SERVER_NOTIFICATIONS)


def _check(exchange: Exchange, table: dict[str, eras.Method]) -> Verdict | None:
    message = exchange.message
    method = table.get(message.method)
    if method is None:
        return _absent("unknown", f"no message {message.method!a:.80} is sent in this direction")
    revision = exchange.revision
    # Before `initialize` is answered there is no revision; lifecycle lets only messages pass that all handshake revisions have.
    if revision is not None and revision not in method.revisions:
        return _absent(method.name, f"{method.name} does not exist in revision {revision}")
    if revision is None and eras.HANDSHAKE_REVISIONS[0] not in method.revisions:
        return _absent(method.name, f"{method.name} does not exist in a handshake session")
    params = message.params
    known = method.params_in[revision]
    if not params.keys() <= known:
        if "task" in method.params and "task" not in known:
            # Here the member means nothing and peers ignore it (SEP-2663): the call is a plain one, so let it look like one.
            params.pop("task", None)
        unknown = params.keys() - known
        if unknown:
            text = f"{method.name} has no parameter {min(unknown)!a:.80}"
            return Refuse(MALFORMED, "methods.params", text, protocol_code=INVALID_PARAMS)
    if "_meta" in params:
        return _check_meta(params, exchange.era)
    return None


def _absent(name: str, text: str) -> Refuse:
    return Refuse(REFUSED, f"methods.{name}", text, protocol_code=METHOD_NOT_FOUND)


def _check_meta(params: dict[str, Any], era: str) -> Verdict | None:
    meta = params["_meta"]
    if type(meta) is not dict:
        return Refuse(MALFORMED, "methods.meta", "_meta is an object")
    imitation = eras.imitation(meta)
    if imitation is not None:
        return Refuse(MALFORMED, "methods.meta", f"_meta key {imitation!a:.80} imitates one of the protocol's")
    for key in [key for key in meta if "/" in key]:
        # A client's token travels in this name space; neither side may see or forge what is in it.
        if key.casefold().startswith(eras.OWN_META_PREFIX):
            del meta[key]
        elif key in _ENVELOPE and era != eras.MODERN:
            del meta[key]  # means nothing in a handshake session, so nothing is what the other side gets
        elif _is_reserved(key) and key not in eras.RESERVED_META:
            return Refuse(
                MALFORMED, "methods.meta", f"_meta key {key!a:.80} is in the protocol's name space and not in the protocol"
            )
    token = meta.get("progressToken")
    if "progressToken" in meta and type(token) is not str and type(token) is not int:
        return Refuse(MALFORMED, "methods.meta", "progressToken is a string or an integer")
    if not meta:
        del params["_meta"]
    return None


def _is_reserved(key: str) -> bool:
    """Tell whether the second label of the key's prefix is one that the specification keeps to itself (basic#meta)."""
    labels = key.partition("/")[0].casefold().split(".")
    return len(labels) > 1 and labels[1] in ("modelcontextprotocol", "mcp")
