"""Notifications that belong to something: a request in flight, a subscription, a log level. Nobody may speak of another's.

Cancels and progress name a request; the ids on the two sides of the guard differ, so each is looked up and translated, and what finds
nothing is dropped.
"""

from __future__ import annotations

from stdioguard.guard.verdicts import LIMIT, MALFORMED, REFUSED, Refuse
from stdioguard.wire import eras
from stdioguard.wire.messages import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from stdioguard.guard.state import Call, Exchange, ServerCall, State, Task
    from stdioguard.guard.verdicts import Verdict

MAX_SUBSCRIPTIONS = 1024
_LISTEN = {
    "toolsListChanged": "tools",
    "promptsListChanged": "prompts",
    "resourcesListChanged": "resources",
    "resourceSubscriptions": "resources",
    "taskIds": "tasks",
}

_WISHES = {
    "notifications/tools/list_changed": "toolsListChanged",
    "notifications/prompts/list_changed": "promptsListChanged",
    "notifications/resources/list_changed": "resourcesListChanged",
    "notifications/resources/updated": "resourceSubscriptions",
}


def from_client(exchange: Exchange) -> Verdict | None:
    """Check what a client says about requests, and note what it subscribes to."""
    message, state = exchange.message, exchange.state
    params = message.params
    if type(message) is Request:
        if message.method == "subscriptions/listen":
            return _listen(exchange)
        if message.method in ("resources/subscribe", "resources/unsubscribe"):
            return _subscribe(state, message.method, params.get("uri"))
        return None
    if message.method == "notifications/cancelled":
        return _cancelled_by_client(exchange)
    if message.method == "notifications/progress" and not _is_token(
        params.get("progressToken"), state.server_calls.values(), state.server_tasks.values()
    ):
        return Refuse(REFUSED, "ids.progress", "no request of the server's has this progress token")
    return None


def _cancelled_by_client(exchange: Exchange) -> Verdict | None:
    # Only what is in flight on the wire comes here: the session has looked for a held call first.
    params, state = exchange.message.params, exchange.state
    target = params.get("requestId")
    call = state.by_client_id.get(target) if type(target) in (str, int) else None
    if call is None:
        return Refuse(REFUSED, "ids.cancelled", "there is no such request in flight")
    if call.method == "initialize":
        return Refuse(REFUSED, "ids.cancelled", "initialize cannot be cancelled")
    params["requestId"] = call.wire_id
    state.forget(call)
    return None


def _subscribe(state: State, method: str, uri: Any) -> Verdict | None:
    if type(uri) is not str:
        return Refuse(MALFORMED, "resources.uri", "a resource is named by its uri")
    if method == "resources/unsubscribe":
        state.subscriptions.discard(uri)
    elif len(state.subscriptions) >= MAX_SUBSCRIPTIONS:
        return Refuse(LIMIT, "limits.subscriptions", f"more than {MAX_SUBSCRIPTIONS} subscriptions")
    else:
        state.subscriptions.add(uri)
    return None


def _listen(exchange: Exchange) -> Verdict | None:
    wanted = exchange.message.params.get("notifications")
    if type(wanted) is not dict:
        return Refuse(MALFORMED, "subscriptions.notifications", "subscriptions/listen names what it wants to hear")
    for key in list(wanted):
        capability = _LISTEN.get(key)
        if capability is None:
            return Refuse(MALFORMED, "subscriptions.notifications", f"there is no subscription {key!a:.80}")
        # Left out, not refused: the acknowledgement tells the client what it got.
        if not exchange.state.policy.grants(capability):
            del wanted[key]
    return None


def from_server(exchange: Exchange) -> Verdict | None:
    """Check what a server says about requests and subscriptions, and translate ids."""
    message, state = exchange.message, exchange.state
    if type(message) is Request:
        return None
    method, params = message.method, message.params
    if method == "notifications/progress":
        return _progress(state, params)
    if method == "notifications/cancelled":
        return _cancelled_by_server(state, params)
    if exchange.era == eras.MODERN:
        return _modern(exchange)
    if method == "notifications/resources/updated" and not state.subscriptions:
        return Refuse(REFUSED, "resources.subscriptions", "the client is subscribed to nothing")
    if method == "notifications/elicitation/complete":
        elicitation = params.get("elicitationId")
        if type(elicitation) is not str or elicitation not in state.elicitations:
            return Refuse(REFUSED, "ids.elicitation", "no question of the server's has this id")
        state.elicitations.discard(params["elicitationId"])
    return None


def _progress(state: State, params: dict[str, Any]) -> Verdict | None:
    token: Any = params.get("progressToken")
    if not _is_token(token, state.calls.values(), state.client_tasks.values()):
        return Refuse(REFUSED, "ids.progress", "no request of the client's has this progress token")
    progress = params.get("progress")
    reported = state.reported.get(token)
    if reported is not None and isinstance(progress, int | float) and progress <= reported:
        return Refuse(REFUSED, "progress.order", "progress only goes up, and the guard has reported more")
    return None


def _is_token(token: Any, *owners: Iterable[Call | ServerCall | Task]) -> bool:
    kind = type(token)
    return kind in (str, int) and any(
        owner.token == token and type(owner.token) is kind for group in owners for owner in group
    )  # fmt: skip


def _cancelled_by_server(state: State, params: dict[str, Any]) -> Verdict | None:
    target: Any = params.get("requestId")
    if type(target) in (str, int):
        own = state.by_server_id.get(target)
        if own is not None:
            state.forget_server_call(own.guard_id)
            params["requestId"] = own.guard_id
            return None
        listen = state.calls.get(target) if type(target) is int else None
        if listen is not None and listen.method == "subscriptions/listen":
            params["requestId"] = listen.id
            state.forget(listen)
            return None
    return Refuse(REFUSED, "ids.cancelled", "a side cancels its own requests only")


def _modern(exchange: Exchange) -> Verdict | None:
    message, state = exchange.message, exchange.state
    if message.method == "notifications/message":
        # A client opts in for each request (2026-07-28, server/utilities/logging).
        if not any(call.log_level for call in state.calls.values()):
            return Refuse(REFUSED, "logging.level", "no request in flight asks for log messages")
        return None
    meta = message.params.get("_meta", {})
    listen = _subscription(state, meta)
    if listen is None:
        return Refuse(REFUSED, "ids.subscription", "the notification belongs to no subscription in flight")
    wish = _WISHES.get(message.method)
    if wish is not None and not (type(listen.wants) is dict and listen.wants.get(wish)):
        return Refuse(REFUSED, "ids.subscription", "the subscription did not ask for this")
    meta[eras.META_SUBSCRIPTION] = listen.id
    return None


def _subscription(state: State, meta: dict[str, Any]) -> Call | None:
    target = meta.get(eras.META_SUBSCRIPTION)
    # The SDKs disagree on whether the id keeps its type here.
    if type(target) is str and target.isascii() and target.isdigit() and len(target) < 16:
        target = int(target)
    call = state.calls.get(target) if type(target) is int else None
    return call if call is not None and call.method == "subscriptions/listen" else None


def result(state: State, call: Call, members: dict[str, Any]) -> Refuse | None:
    """Translate the subscription id in the result that ends a `subscriptions/listen`."""
    meta = members.get("_meta")
    if call.method == "subscriptions/listen" and type(meta) is dict and eras.META_SUBSCRIPTION in meta:
        meta[eras.META_SUBSCRIPTION] = call.id
    return None
