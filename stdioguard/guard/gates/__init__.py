"""The gates, and the order in which a message passes them.

A gate is a function of one exchange that returns a verdict, or `None` for no objection; it may narrow the message on its way. To add a
gate, write its file and name it in the lists below: this is the only place that knows what there is.
"""

from __future__ import annotations

from stdioguard.guard.gates import (
    arguments,
    capabilities,
    consent,
    identity,
    lifecycle,
    limits,
    methods,
    ownership,
    rounds,
    scopes,
    shapes,
    tasks,
    tools,
)
from stdioguard.wire import eras

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from stdioguard.guard.state import Call, Exchange, State
    from stdioguard.guard.verdicts import Refuse, Verdict

    Gate = Callable[[Exchange], Verdict | None]
    ResultGate = Callable[[State, Call, dict[str, Any]], Refuse | None]

_CALL = frozenset({"tools/call"})
_SCOPED = frozenset({"tools/call", "prompts/get", "completion/complete",
                     "resources/read", "resources/subscribe", "resources/unsubscribe", "subscriptions/listen"})  # fmt: skip
_LISTS = frozenset({"tools/list", "prompts/list", "resources/list", "resources/templates/list"})
_OPENING = frozenset({"initialize", "server/discover"})
_ROUNDS = eras.INPUT_REQUIRED_METHODS
_TASKS = frozenset({"tools/call", "tasks/get", "tasks/result", "tasks/list", "tasks/cancel", "tasks/update",
                    "notifications/tasks", "notifications/tasks/status", "sampling/createMessage", "elicitation/create"})  # fmt: skip
_OWNED = frozenset(
    {"subscriptions/listen", "resources/subscribe", "resources/unsubscribe"}
    | eras.CLIENT_NOTIFICATIONS.keys()
    | eras.SERVER_NOTIFICATIONS.keys()
)

# A row is a gate and the methods that it has something to say about; `None` is every method there is, and those there are not.

FROM_CLIENT: tuple[tuple[Gate, frozenset[str] | None], ...] = (
    (limits.from_client, None),
    (lifecycle.from_client, None),
    (identity.from_client, None),
    (methods.from_client, None),
    (capabilities.from_client, None),
    (scopes.from_client, _SCOPED),
    (tools.from_client, _CALL),
    (arguments.from_client, _CALL),
    (tasks.from_client, _TASKS),
    (ownership.from_client, _OWNED),
    (rounds.from_client, _ROUNDS | {"tasks/update"}),
    (consent.from_client, _CALL),
)
"""For a client's requests and notifications."""

FROM_SERVER: tuple[tuple[Gate, frozenset[str] | None], ...] = (
    (limits.from_server, None),
    (lifecycle.from_server, None),
    (identity.from_server, None),
    (methods.from_server, None),
    (capabilities.from_server, None),
    (scopes.from_server, frozenset({"notifications/resources/updated"})),
    (tasks.from_server, _TASKS),
    (rounds.from_server, frozenset({"notifications/tasks"})),
    (ownership.from_server, _OWNED),
)
"""For a server's requests and notifications."""

RESULTS: tuple[tuple[ResultGate, frozenset[str] | None], ...] = (
    (shapes.result, None),
    (identity.result, None),
    (capabilities.result, _OPENING),
    (scopes.result, _LISTS),
    (tools.result, frozenset({"tools/list"})),
    (rounds.result, None),
    (ownership.result, _OWNED),
    (tasks.result, frozenset({"tasks/list"})),
    (lifecycle.result, _OPENING),
)
"""For a server's results, by the request that they answer."""

_KNOWN = frozenset().union(
    eras.CLIENT_REQUESTS, eras.CLIENT_NOTIFICATIONS, eras.SERVER_REQUESTS, eras.SERVER_NOTIFICATIONS
)  # fmt: skip
_passages: dict[tuple[int, str], tuple[Any, ...]] = {}


def passage(rows: tuple[tuple[Any, frozenset[str] | None], ...], method: str) -> tuple[Any, ...]:
    """Return the gates among `rows` that a message of this method passes, in order."""
    key = (id(rows), method)
    found = _passages.get(key)
    if found is None:
        found = tuple(gate for gate, named in rows if named is None or method in named)
        if method in _KNOWN:
            _passages[key] = found
    return found
