"""The handshake: which client this is, before anything that it says counts.

A credential is in `_meta["io.stdioguard/token"]`, of any request, or in `initialize` in `clientInfo.secret`, as simple clients do
it. It is taken out here, whatever becomes of the message. In a handshake session `initialize` proves the client for all that
follows, and a later credential renews that; a 2026-07-28 request stands for itself. One pipe is one client's.
"""

from __future__ import annotations

from stdioguard.guard.callers import NOBODY
from stdioguard.guard.verdicts import NOT_AUTHENTICATED, Refuse
from stdioguard.wire import eras
from stdioguard.wire.messages import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from stdioguard.guard.callers import Caller
    from stdioguard.guard.state import Call, Exchange, State
    from stdioguard.guard.verdicts import Verdict

MAX_FAILURES = 5
"""Wrong or missing credentials after which the session is closed."""

TOKEN_KEY = eras.OWN_META_PREFIX + "token"
RULE = "identity"


def from_client(exchange: Exchange) -> Verdict | None:
    """Find out whose message this is, and refuse it where that is nobody's."""
    state, message = exchange.state, exchange.message
    presented = _take(message)
    authenticator = state.authenticator
    if authenticator is None:
        return None
    if state.failures >= MAX_FAILURES:
        return _refusal("after the end of the session")  # what came in the same breath
    if type(message) is not Request:
        exchange.caller = _standing(state)
        return None if exchange.caller is not None else _refusal("no client has proved itself")
    if len(presented) > 1 and any(other != presented[0] for other in presented):
        return _failed(state, "two credentials that differ")
    modern = exchange.era == eras.MODERN
    caller: Caller | None
    why = "no credential"
    if presented:
        caller, why = authenticator.authenticate(presented[0])
        if caller is None:
            return _failed(state, why, counts=authenticator.is_attack)
        if state.owner not in (None, caller.client_id):
            return _failed(state, "a credential of another client than the session's")
    elif modern:
        caller = authenticator.launched()
    else:
        caller = _standing(state)
    if caller is None and not authenticator.required and (modern or state.caller is None):
        caller = NOBODY
    if caller is None:
        # A client whose credential has run out is no attacker.
        return _refusal("the credential is worth nothing any more") if state.caller is not None else _failed(state, why)
    if caller is not NOBODY or state.caller is None:
        state.proved(caller)
    exchange.caller = caller
    return None


def from_server(exchange: Exchange) -> Verdict | None:
    """Tell a client that is nobody any more nothing."""
    state = exchange.state
    if state.authenticator is not None and _standing(state) is None:
        return _refusal("no client that has proved itself is there")
    return None


def result(state: State, call: Call, members: dict[str, Any]) -> Refuse | None:
    """Keep the answer from a client that was revoked in the meantime. One whose credential ran out had asked in time."""
    caller = call.caller
    if state.authenticator is not None and caller not in (None, NOBODY) and state.authenticator.is_revoked(caller):
        return _refusal("the client was revoked")
    return None


def still_may(exchange: Exchange) -> Refuse | None:
    """Ask again, for a call that has waited for a person: the caller must still be who it was."""
    authenticator, caller = exchange.state.authenticator, exchange.caller
    if authenticator is None or caller is None or caller is NOBODY:
        return None
    exchange.caller = authenticator.review(caller)
    return None if exchange.caller is not None else _refusal("the credential ran out while the call waited")


def of_answer(state: State) -> Refuse | None:
    """Refuse an answer to a server's question from a client that is nobody any more."""
    if state.authenticator is not None and _standing(state) is None:
        return _refusal("the credential is worth nothing any more")
    return None


def review(state: State) -> None:
    """Look whether what the session's caller is granted has changed."""
    if state.caller is not None:
        _standing(state)


def _standing(state: State) -> Caller | None:
    """Return the session's caller as of now, the launch's own if that has been renewed."""
    authenticator, caller = state.authenticator, state.caller
    if authenticator is None or caller is NOBODY:
        return caller
    # What the launch has proved is what the launch proves now: its token file may hold another token.
    current = authenticator.review(caller) if caller is not None and caller.via != "launch" else None
    if current is None:
        current = authenticator.launched()  # proved by the launch, or renewed there
        if current is not None and caller is not None and not current.is_same(caller):
            return None
    if current is not None and current is not caller:
        state.proved(current)
    return current


def _take(message: Any) -> list[object]:
    """Take every credential out of a message."""
    params = message.params
    found: list[object] = []
    meta = params.get("_meta")
    if type(meta) is dict:
        for key in [key for key in meta if type(key) is str and key.casefold() == TOKEN_KEY]:
            value = meta.pop(key)
            found.append(value if key == TOKEN_KEY else None)
        if not meta:
            del params["_meta"]
    info = params.get("clientInfo") if message.method == "initialize" else None
    if type(info) is dict and "secret" in info:
        found.append(info.pop("secret"))
    return found


def _failed(state: State, why: str, *, counts: bool = True) -> Refuse:
    state.was_refused = True
    state.failures += counts
    refusal = _refusal(why)
    refusal.closes = state.failures >= MAX_FAILURES
    return refusal


def _refusal(why: str) -> Refuse:
    return Refuse(NOT_AUTHENTICATED, RULE, "not authenticated", note=why)
