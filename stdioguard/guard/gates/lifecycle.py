"""Which era a message belongs to, and whether the session has come far enough for it.

A pipe shows one era. Python SDK 2.3 locks it on the first request, TypeScript servers run `tools/call` with no handshake at all, and a
guard that enforces in one era only can be walked around in the other. So every frame is classified, and a frame of the other era
is refused. `server/discover` alone commits to nothing: a client may probe with it and fall back to `initialize`
(2026-07-28, basic/transports/stdio, "dual-era clients").
"""

from __future__ import annotations

from stdioguard.guard.state import ANSWERED, INITIALIZING, NEW, READY
from stdioguard.guard.verdicts import (
    INVALID_PARAMS,
    MALFORMED,
    REFUSED,
    UNSUPPORTED_VERSION,
    Refuse,
)
from stdioguard.wire import eras
from stdioguard.wire.messages import Notification, Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from stdioguard.guard.state import Call, Exchange, State
    from stdioguard.guard.verdicts import Verdict


def from_client(exchange: Exchange) -> Verdict | None:
    """Classify a client's frame, and hold it against the state of the session."""
    message, state = exchange.message, exchange.state
    revision = eras.revision_in(message.params)
    if type(message) is Request and revision is not None:
        return _modern_request(exchange, revision)
    if state.era == eras.MODERN:
        if type(message) is Notification:
            return None
        if message.method == "initialize":
            # The code that tells a dual-era client to go on in this era instead of giving up.
            return _unsupported(message.params.get("protocolVersion"))
        return Refuse(
            MALFORMED,
            "era.envelope",
            f"a {eras.MODERN_REVISION} request names its revision in _meta",
            protocol_code=INVALID_PARAMS,
        )
    if revision is not None:
        return Refuse(MALFORMED, "era.mixed", f"only {eras.MODERN_REVISION} requests name a revision in _meta")
    return _handshake(exchange)


def _modern_request(exchange: Exchange, revision: str) -> Verdict | None:
    message, state = exchange.message, exchange.state
    if state.era == eras.HANDSHAKE or state.phase != NEW:
        return Refuse(REFUSED, "era.mixed", f"the session began with initialize; it takes no {eras.MODERN_REVISION} requests")
    if revision != eras.MODERN_REVISION or message.method == "initialize":
        return _unsupported(revision)
    capabilities = message.params["_meta"].get(eras.META_CAPABILITIES)
    if type(capabilities) is not dict:
        text = f"_meta lacks {eras.META_CAPABILITIES}, an object"
        return Refuse(MALFORMED, "era.envelope", text, protocol_code=INVALID_PARAMS)
    exchange.era, exchange.revision = eras.MODERN, revision
    exchange.capabilities = dict(capabilities)
    if message.method != "server/discover":
        state.era, state.revision = eras.MODERN, revision
    return None


def _unsupported(requested: Any) -> Refuse:
    data = {"supported": [eras.MODERN_REVISION], "requested": requested if type(requested) is str else ""}
    text = f"the session speaks {eras.MODERN_REVISION} only"
    return Refuse(REFUSED, "era.revision", text, protocol_code=UNSUPPORTED_VERSION, data=data)


def _handshake(exchange: Exchange) -> Verdict | None:
    message, state = exchange.message, exchange.state
    method = message.method
    if method == "initialize":
        return _initialize(exchange)
    if method == "notifications/initialized" and type(message) is Notification:
        if state.phase != ANSWERED:
            return Refuse(REFUSED, "lifecycle.initialized", "there is no answered initialize to confirm")
        return None
    if method in ("ping", "notifications/cancelled") and type(message) is (Request if method == "ping" else Notification):
        return None
    if state.phase != READY:
        return Refuse(REFUSED, "lifecycle.not-initialized", f"{method} comes after initialize and notifications/initialized")
    return None


def _initialize(exchange: Exchange) -> Verdict | None:
    message, state = exchange.message, exchange.state
    if type(message) is not Request:
        return Refuse(MALFORMED, "lifecycle.initialize", "initialize is a request")
    if state.phase != NEW:
        return Refuse(REFUSED, "lifecycle.initialized-twice", "the session is initialized already")
    params = message.params
    if (
        type(params.get("protocolVersion")) is not str
        or type(params.get("capabilities")) is not dict
        or type(params.get("clientInfo")) is not dict
    ):
        return Refuse(MALFORMED, "lifecycle.initialize", "initialize needs protocolVersion, capabilities and clientInfo")
    if params["protocolVersion"] not in eras.HANDSHAKE_REVISIONS:
        # What every server does with a revision it does not know: offer its newest and let the client decide.
        params["protocolVersion"] = eras.HANDSHAKE_REVISIONS[-1]
    exchange.capabilities = dict(params["capabilities"])
    return None


def forwarded(exchange: Exchange) -> None:
    """Take the session forward once a client's message has passed every gate."""
    method, state = exchange.message.method, exchange.state
    if method == "initialize":
        state.phase = INITIALIZING
        state.client_capabilities = exchange.capabilities
    elif method == "notifications/initialized":
        state.phase = READY


def from_server(exchange: Exchange) -> Verdict | None:
    """Hold a server's request or notification against the state of the session."""
    message, state = exchange.message, exchange.state
    if state.era == eras.MODERN:
        if type(message) is Request:
            return Refuse(REFUSED, "era.server-request", f"a {eras.MODERN_REVISION} server sends no requests")
        exchange.revision = eras.MODERN_REVISION
        return None
    early = state.phase != READY if type(message) is Request else state.phase in (NEW, INITIALIZING)
    if early and message.method not in ("ping", "notifications/message"):
        return Refuse(REFUSED, "lifecycle.not-initialized", "before the session is initialized a server may only ping and log")
    return None


def result(state: State, call: Call, members: dict[str, Any]) -> Refuse | None:
    """Take the session forward when the server has accepted `initialize` or `server/discover`."""
    if call.method == "initialize":
        if state.era == eras.MODERN:
            return Refuse(REFUSED, "era.mixed", "the server has shown the other era before")
        if members["protocolVersion"] not in eras.HANDSHAKE_REVISIONS:
            return Refuse(
                REFUSED,
                "era.revision",
                f"the server chose a revision that stdioguard does not know: {members['protocolVersion']!a:.40}",
            )
        state.era, state.phase, state.revision = eras.HANDSHAKE, ANSWERED, members["protocolVersion"]
    elif call.method == "server/discover":
        known = [revision for revision in members["supportedVersions"] if revision in eras.REVISIONS]
        if eras.MODERN_REVISION in known:
            if state.era == eras.HANDSHAKE:
                return Refuse(REFUSED, "era.mixed", "the session was initialized in the meantime")
            if state.phase == NEW:  # else the client has given this answer up, and the one to initialize decides
                state.era, state.revision = eras.MODERN, eras.MODERN_REVISION
        members["supportedVersions"] = known
    return None


def failed(state: State, call: Call) -> None:
    """Go back to the start when `initialize` was refused, so that the client can try again."""
    if call.method == "initialize" and state.phase == INITIALIZING:
        state.phase = NEW
        state.client_capabilities = {}
