"""What a session remembers between messages, and the message that is being decided about."""

from __future__ import annotations

from stdioguard.wire import eras

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from stdioguard.guard.asking import Decision, Desk, Question
    from stdioguard.guard.callers import Authenticator, Caller
    from stdioguard.guard.seal import Sealer
    from stdioguard.policy.policy import Policy, Rule
    from stdioguard.wire.messages import Message, Notification, Request, RequestId

# The phases of a handshake session, in order. A 2026-07-28 pipe stays in NEW: it has no session.
NEW = "new"
INITIALIZING = "initializing"
ANSWERED = "answered"
READY = "ready"


class Call:
    """A client's request that the server has been sent and has not answered: what its answer will be held against."""

    __slots__ = ("approved", "caller", "capabilities", "cursor", "digest", "era", "id", "log_level", "method", "params", "task",
                 "token", "wants", "wire_id")  # fmt: skip

    def __init__(self, message: Request, wire_id: int, exchange: Exchange) -> None:
        params = message.params
        meta = params.get("_meta", {})
        self.id = message.id
        self.wire_id = wire_id
        self.method = message.method
        self.era = exchange.era
        self.capabilities = exchange.capabilities
        self.approved = exchange.approved
        self.caller = exchange.caller
        self.digest = exchange.digest
        self.token: RequestId | None = meta.get("progressToken")
        self.log_level: bool = eras.META_LOG_LEVEL in meta
        self.cursor = params.get("cursor")
        self.wants = params.get("notifications")
        self.task = "task" in params
        self.params: dict[str, Any] | None = None
        """What was asked for, where a round may have to be bound to it."""
        if self.era == eras.MODERN and self.digest is None and self.method in eras.INPUT_REQUIRED_METHODS:
            self.params = params


class ServerCall:
    """A server's request that the client has been sent and has not answered."""

    __slots__ = ("guard_id", "id", "method", "task", "token")

    def __init__(self, id: RequestId, guard_id: str, method: str, token: RequestId | None) -> None:  # noqa: A002
        self.id = id
        self.guard_id = guard_id
        self.method = method
        self.token = token
        self.task = False


class Task:
    """A task that one side runs for the other: the progress token and the capabilities of the request that made it."""

    __slots__ = ("capabilities", "token")

    def __init__(self, token: RequestId | None, capabilities: dict[str, Any]) -> None:
        self.token = token
        self.capabilities = capabilities


class Held:
    """A tool call that waits for a person: the message, until when (monotonic seconds), and when the client was last told."""

    __slots__ = ("ask_id", "by_client", "deadline", "exchange", "followers", "next_progress", "question", "reports", "token")

    def __init__(
        self,
        ask_id: str,
        exchange: Exchange,
        question: Question,
        deadline: float,
        token: RequestId | None,
        next_progress: float,
        *,
        by_client: bool,
    ) -> None:
        self.ask_id = ask_id
        self.exchange = exchange
        self.question = question
        self.by_client = by_client
        self.followers: list[Exchange] = []
        """The same call, made again while this one waits: nobody is asked twice."""
        self.deadline = deadline
        self.token = token
        self.next_progress = next_progress
        self.reports = 0


class State:
    """Everything that lasts longer than one message. Times are monotonic seconds."""

    def __init__(
        self,
        policy: Policy,
        *,
        server_name: str,
        nonce: str,
        resolve: Callable[[str], str],
        sealer: Callable[[], Sealer],
        authenticator: Authenticator | None = None,
        desk: Desk | None = None,
    ) -> None:
        self.policy = policy
        self.server_name = server_name
        self.nonce = nonce
        self.resolve = resolve
        self._make_sealer = sealer
        self._sealer: Sealer | None = None
        self.now = 0.0
        self.authenticator = authenticator
        """What checks credentials; `None` where identity is off."""
        self.desk = desk
        """What asks a person on other channels than the client's, and remembers; `None` where there is none."""
        self.denials = 0
        self.no_questions_until = 0.0
        self.definitions: dict[str, Any] = {}
        """Tools that may have to be asked about, as the server has listed them last."""
        self.caller: Caller | None = None
        """The client of this pipe, once it has proved itself, by its last good credential."""
        launched = authenticator.launched() if authenticator is not None else None
        self.owner: str | None = launched.client_id if launched is not None else None
        """The id of the client that this pipe belongs to, from its first proof on."""
        self.newly_proved: list[Caller] = []
        """Callers that the record does not tell of yet."""
        self.lists_changed = False
        self.was_refused = False
        self.failures = 0
        """Wrong or missing credentials so far."""

        self.era: str | None = None
        self.phase = NEW
        self.revision: str | None = None
        self.client_capabilities: dict[str, Any] = {}

        self.calls: dict[int, Call] = {}
        self.by_client_id: dict[RequestId, Call] = {}
        self.last_wire_id = 0
        self.server_calls: dict[str, ServerCall] = {}
        self.by_server_id: dict[RequestId, ServerCall] = {}
        self.last_guard_id = 0
        self.held: dict[str, Held] = {}

        self.waiting: list[Request | Notification] = []
        self.waiting_bytes = 0

        self.listed: dict[str, Any] = {}
        self.subscriptions: set[str] = set()
        self.client_tasks: dict[str, Task] = {}
        self.server_tasks: dict[str, Task] = {}
        self.elicitations: set[str] = set()
        self.reported: dict[RequestId, float] = {}

    @property
    def sealer(self) -> Sealer:
        """The sealer of request states; made at the first use, since it loads a cryptography library."""
        if self._sealer is None:
            self._sealer = self._make_sealer()
        return self._sealer

    def proved(self, caller: Caller) -> None:
        """Take note of whose session this is, and of what has changed about that."""
        before = self.caller
        if before is caller:
            return
        self.caller = caller
        if self.owner is None and caller.client_id:
            self.owner = caller.client_id
        if before is None or (before.token, before.expires, before.grants) != (caller.token, caller.expires, caller.grants):
            self.newly_proved.append(caller)
        if before is not None and before.grants != caller.grants:
            # Each 2026-07-28 request is listed for by its own token; what changed there is the register.
            self.lists_changed = self.lists_changed or self.era != eras.MODERN or before.token == caller.token

    def next_guard_id(self) -> str:
        """Return a new id for a request that the client gets. TypeScript servers count theirs from 0, so ours are strings."""
        self.last_guard_id += 1
        return f"stdioguard-{self.nonce}-{self.last_guard_id}"

    def next_wire_id(self) -> int:
        """Return a new id for a request that the server gets."""
        self.last_wire_id += 1
        return self.last_wire_id

    def forget_server_call(self, guard_id: str) -> ServerCall | None:
        """Take a server's request off the table and return it, if there is one."""
        pending = self.server_calls.pop(guard_id, None)
        if pending is not None:
            self.by_server_id.pop(pending.id, None)
        return pending

    def forget(self, call: Call) -> None:
        """Take a call off the table: whatever still comes for it is nobody's."""
        self.calls.pop(call.wire_id, None)
        self.by_client_id.pop(call.id, None)
        if call.token is not None:
            self.reported.pop(call.token, None)


class Exchange:
    """One message on its way through the gates, with what earlier gates have found out about it."""

    __slots__ = ("approved", "caller", "capabilities", "decided_by", "digest", "era", "message", "revision", "rule", "state")

    def __init__(self, state: State, message: Message) -> None:
        self.state = state
        self.message: Any = message
        self.era: str = state.era or eras.HANDSHAKE
        self.revision: str | None = state.revision
        self.capabilities: dict[str, Any] = state.client_capabilities
        self.rule: Rule | None = None
        self.digest: str | None = None
        self.caller: Caller | None = None
        """Whose message it is, once that is known; `None` where identity is off."""
        self.approved = False
        self.decided_by: Decision | None = None
        """The decision that was taken on it, where that was not by the client's own answer."""
