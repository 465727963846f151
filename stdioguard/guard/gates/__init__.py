"""The gates, and the order in which a message passes them.

A gate is a function of one exchange that returns a verdict, or `None` for no objection; it may narrow the message on its way. To add a
gate, write its file and name it in the lists below: this is the only place that knows what there is.
"""

from __future__ import annotations

from stdioguard.guard.gates import (
    arguments,
    capabilities,
    consent,
    lifecycle,
    limits,
    methods,
    ownership,
    rounds,
    shapes,
    tasks,
    tools,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from stdioguard.guard.state import Call, Exchange, State
    from stdioguard.guard.verdicts import Refuse, Verdict

    Gate = Callable[[Exchange], Verdict | None]
    ResultGate = Callable[[State, Call, dict[str, Any]], Refuse | None]

FROM_CLIENT: tuple[Gate, ...] = (
    lifecycle.from_client,
    methods.from_client,
    limits.from_client,
    capabilities.from_client,
    tools.from_client,
    arguments.from_client,
    tasks.from_client,
    ownership.from_client,
    rounds.from_client,
    consent.from_client,
)
"""For a client's requests and notifications."""

FROM_SERVER: tuple[Gate, ...] = (
    lifecycle.from_server,
    methods.from_server,
    limits.from_server,
    capabilities.from_server,
    tasks.from_server,
    ownership.from_server,
)
"""For a server's requests and notifications."""

RESULTS: tuple[ResultGate, ...] = (
    shapes.result,
    lifecycle.result,
    capabilities.result,
    tools.result,
    rounds.result,
    ownership.result,
    tasks.result,
)
"""For a server's results, by the request that they answer."""
