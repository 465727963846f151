"""How much one side may have in flight."""

from __future__ import annotations

from stdioguard.guard.verdicts import LIMIT, MALFORMED, Refuse
from stdioguard.wire.messages import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stdioguard.guard.state import Exchange, State
    from stdioguard.guard.verdicts import Verdict
    from stdioguard.wire.messages import RequestId

MAX_CALLS = 16384
MAX_SERVER_CALLS = 256
MAX_HELD = 64


def is_in_use(state: State, id_: RequestId) -> bool:
    """Tell whether a request of the client's with this id is in flight, waits for a person, or waits for `initialize`."""
    return (
        id_ in state.by_client_id
        or (
            bool(state.held)
            and any(exchange.message.id == id_ for held in state.held.values() for exchange in (held.exchange, *held.followers))
        )
        or (bool(state.waiting) and any(isinstance(message, Request) and message.id == id_ for message in state.waiting))
    )


def from_client(exchange: Exchange) -> Verdict | None:
    """Refuse a request that is one too many, or whose id is in use."""
    message, state = exchange.message, exchange.state
    if type(message) is not Request:
        return None
    if message.id in state.by_client_id or ((state.held or state.waiting) and is_in_use(state, message.id)):
        # The id tells nothing then: its one answer belongs to the request that had it first.
        return Refuse(MALFORMED, "ids.in-use", f"a request with the id {message.id!a:.80} is in flight")
    if len(state.calls) >= MAX_CALLS:
        return Refuse(LIMIT, "limits.calls", f"more than {MAX_CALLS} requests in flight")
    return None


def from_server(exchange: Exchange) -> Verdict | None:
    """Refuse a server's request that is one too many, or whose id is in use."""
    message, state = exchange.message, exchange.state
    if type(message) is not Request:
        return None
    if message.id in state.by_server_id:
        return Refuse(MALFORMED, "ids.in-use", "a request with this id is in flight")
    if len(state.server_calls) >= MAX_SERVER_CALLS:
        return Refuse(LIMIT, "limits.calls", f"more than {MAX_SERVER_CALLS} requests in flight")
    return None
