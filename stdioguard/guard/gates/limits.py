"""How much one side may have in flight."""

from __future__ import annotations

from stdioguard.guard.verdicts import LIMIT, MALFORMED, Refuse
from stdioguard.wire.messages import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stdioguard.guard.state import Exchange
    from stdioguard.guard.verdicts import Verdict

MAX_CALLS = 4096
MAX_SERVER_CALLS = 256
MAX_HELD = 64


def from_client(exchange: Exchange) -> Verdict | None:
    """Refuse a request that is one too many, or whose id is in use."""
    message, state = exchange.message, exchange.state
    if type(message) is not Request:
        return None
    if message.id in state.by_client_id or (
        state.held and any(held.exchange.message.id == message.id for held in state.held.values())
    ):
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
