"""One guarded session: frames in, lines out, and a record of every decision.

`from_client` and `from_server` take one frame and return an `Output`; the caller writes its records first and sends its lines only
after that. Ids are rewritten in both directions, so that neither side can answer, cancel or report on what is not its own: a
response is accepted once, from the side that was asked, for a request that is pending.

Calls that wait for a person are kept in `holding`; what an input leads to is collected in `output`.
"""

from __future__ import annotations

import re

from stdioguard.guard import answers, gates, holding
from stdioguard.guard.callers import NOBODY
from stdioguard.guard.gates import consent, identity, lifecycle, limits, roots, rounds, shapes, tasks
from stdioguard.guard.output import CLIENT, SERVER, Output
from stdioguard.guard.seal import Sealer
from stdioguard.guard.state import INITIALIZING, READY, Call, Exchange, ServerCall, State
from stdioguard.guard.verdicts import (
    INTERNAL_ERROR,
    LIMIT,
    MALFORMED,
    REFUSED,
    Ask,
    Refuse,
)
from stdioguard.wire import eras
from stdioguard.wire.errors import MalformedError
from stdioguard.wire.framing import Oversized
from stdioguard.wire.messages import Notification, Request, Response, parse, salvage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from stdioguard.guard.asking import Decision, Desk
    from stdioguard.guard.callers import Authenticator, Caller
    from stdioguard.policy.policy import Policy
    from stdioguard.wire.messages import Message, RequestId

MAX_WAITING = 256
MAX_WAITING_BYTES = 16 << 20
"""Messages kept while `initialize` is being answered, and their size."""

_NOT_WAITING = frozenset({"initialize", "ping", "notifications/cancelled"})
"""What a client may send before `initialize` is answered (2025-11-25, basic/lifecycle#initialization)."""

KEPT = 64 << 10
"""Characters of a request that are kept until its answer; of a longer one a digest is."""

_BEGINS_AS_ANSWER = re.compile(rb'\s*\{\s*(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*|"id"\s*:\s*\d{1,15}\s*,\s*)*"(?:result|error)"')
_NUMERIC_ID = re.compile(rb'"id"\s*:\s*(\d{1,15})\s*[,}]')


class Session:
    """The state machine of one client, one server and the guard between them.

    `nonce` (a few random characters) makes the guard's ids unguessable in advance, `key` (32 random bytes) seals request states,
    `resolve` turns a path as a server would see it into the real one. `authenticator` tells clients' credentials from others; without it
    every client is served. `server_secret` is what the guard proves itself with to the server. `desk` asks people where the client cannot.
    Times are monotonic seconds.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        server_name: str,
        nonce: str,
        key: bytes,
        resolve: Callable[[str], str],
        authenticator: Authenticator | None = None,
        server_secret: str | None = None,
        desk: Desk | None = None,
    ) -> None:
        self.state = State(
            policy,
            server_name=server_name,
            nonce=nonce,
            resolve=resolve,
            sealer=lambda: Sealer(key),
            authenticator=authenticator,
            desk=desk,
        )
        self._server_secret = server_secret
        self.out = Output(self.state)
        self.pulse = authenticator.interval if authenticator is not None else None
        """Seconds after which `tick` is due however quiet it is, or `None`."""

    # --- inputs ---------------------------------------------------------------------------------------------------------------

    def from_client(self, frame: bytes | Oversized, now: float) -> Output:
        """Take one frame of the client's."""
        self._begin(now)
        message = self._parsed(frame, CLIENT)
        if message is None:
            return self.out
        id_ = message.id if isinstance(message, Request) else None
        try:
            if self.state.phase == INITIALIZING and not isinstance(message, Response) and message.method not in _NOT_WAITING:
                # A client that pipelines its first messages means them for the session that is about to open.
                self._wait(message, len(frame) if isinstance(frame, bytes) else 0)
            else:
                self._client_message(message)
        except Exception as fault:  # noqa: BLE001 - a mistake of the guard's must cost a message, not open or end the session
            self._fault(CLIENT, fault, None if id_ in self.state.by_client_id else id_, answer=isinstance(message, Request))
        if self.state.newly_proved or self.state.lists_changed:
            self._tell_of_identity()
        return self.out

    def from_server(self, frame: bytes | Oversized, now: float) -> Output:
        """Take one frame of the server's."""
        self._begin(now)
        message = self._parsed(frame, SERVER)
        call = self.state.calls.get(message.id) if isinstance(message, Response) and type(message.id) is int else None
        try:
            if isinstance(message, Response):
                self._server_response(message)
            elif message is not None:
                self._server_message(message)
            if self.state.waiting and self.state.phase != INITIALIZING:
                waiting, self.state.waiting, self.state.waiting_bytes = self.state.waiting, [], 0
                for held_back in waiting:
                    self._client_message(held_back)
        except Exception as fault:  # noqa: BLE001 - as above
            if call is not None:
                self.state.forget(call)
            self._fault(SERVER, fault, call.id if call is not None else None, answer=call is not None)
        if self.state.newly_proved or self.state.lists_changed:
            self._tell_of_identity()
        return self.out

    def tick(self, now: float) -> Output:
        """Let time pass: deadlines of questions, and progress for clients that wait."""
        self._begin(now)
        for held in list(self.state.held.values()):
            if now >= held.deadline:
                holding.withdraw(self, held)
                holding.unanswered(self, held)
            elif now >= held.next_progress:
                holding.report_progress(self, held)
        if self.state.authenticator is not None:
            identity.review(self.state)
            self._tell_of_identity()
        return self.out

    def next_deadline(self) -> float | None:
        """Return when `tick` has something to do, or `None`."""
        if not self.state.held:
            return None
        return min(min(held.deadline, held.next_progress) for held in self.state.held.values())

    def decide(self, question_id: str, decision: Decision, now: float) -> Output:
        """Take the decision on a held call from another channel than the client's."""
        self._begin(now)
        held = next((held for held in self.state.held.values() if held.question.id == question_id), None)
        if held is not None:
            holding.withdraw(self, held)
            held.exchange.decided_by = decision
            holding.decided(self, held, approved=decision.approved)
        return self.out

    def give_up(self, question_id: str, now: float) -> Output:
        """Take note that nobody can answer a question any more."""
        self._begin(now)
        held = next((held for held in self.state.held.values() if held.question.id == question_id), None)
        if held is not None:
            holding.withdraw(self, held)
            holding.unanswered(self, held)
        return self.out

    @property
    def is_busy(self) -> bool:
        """Whether a request of the client's is still to be answered by the server."""
        # A subscription is answered when the server feels like it; nobody waits for that.
        return bool(self.state.waiting) or any(call.method != "subscriptions/listen" for call in self.state.calls.values())

    @property
    def in_flight(self) -> int:
        """How many requests of the client's the server has not answered."""
        return len(self.state.calls)

    def unfinished(self, frame: bytes, now: float) -> Output:
        """Take what the client had sent of a message when it closed its input."""
        self._begin(now)
        error = MalformedError("unterminated", "the last line has no line feed")
        error.id, error.is_answer = salvage(frame)
        self._malformed(error, CLIENT)
        return self.out

    def input_closed(self, now: float) -> Output:
        """Take note that the client will send nothing more: nobody can approve a held call."""
        self._begin(now)
        for held in list(self.state.held.values()):
            holding.withdraw(self, held)
            holding.undecided(self, held, "the client closed its input before anybody answered")
        return self.out

    def end(self, reason: str, now: float) -> Output:
        """End the session: every request that is still open is answered with an error that gives `reason`."""
        self._begin(now)
        state = self.state
        for message in state.waiting:
            self.out.note_message(CLIENT, "refuse", message, rule="session.ended", detail=reason)
            if isinstance(message, Request):
                self.out.answer(Response(message.id, error=answers.error(INTERNAL_ERROR, "session.ended", reason)))
        state.waiting, state.waiting_bytes = [], 0
        for held in list(state.held.values()):
            holding.withdraw(self, held)
            holding.undecided(self, held, reason)
        for call in list(state.calls.values()):
            state.forget(call)
            self.out.note(SERVER, "response", "refuse", call.method, call.id, rule="session.ended", detail=reason)
            self.out.answer(Response(call.id, error=answers.error(INTERNAL_ERROR, "session.ended", reason)))
        return self.out

    def unrecorded(self, records: list[dict[str, Any]], reason: str, now: float) -> Output:
        """End the session because `records` could not be written: what they let through is not sent, and who waits for it is told."""
        open_ids = set(self.state.by_client_id)
        self.end(reason, now)
        lost = {entry["id"]: None for entry in records if entry.get("id") is not None and answers.answers_client(entry)}
        for id_ in lost:
            if id_ not in open_ids:
                self.out.answer(Response(id_, error=answers.error(INTERNAL_ERROR, "session.ended", reason)))
        return self.out

    # --- the client's messages ------------------------------------------------------------------------------------------------

    def _client_message(self, message: Message) -> None:
        if isinstance(message, Response):
            self._client_response(message)
            return
        if isinstance(message, Notification) and message.method == "notifications/cancelled" and holding.cancelled(self, message):
            return
        exchange = Exchange(self.state, message)
        self.out.speaker = None
        for gate in gates.passage(gates.FROM_CLIENT, message.method):
            verdict = gate(exchange)
            self.out.speaker = exchange.caller
            if verdict is None:
                continue
            if isinstance(verdict, Ask):
                holding.ask(self, exchange, verdict)
            elif isinstance(verdict, Refuse):
                self.refuse(exchange, verdict)
            elif isinstance(message, Request):
                self.out.note_message(CLIENT, "ask", message, rule=verdict.rule)
                self.out.answer(Response(message.id, result=verdict.result))
            return
        self.forward(exchange)

    def forward(self, exchange: Exchange) -> None:
        """Send a message that every gate has let pass on to the server."""
        message, state = exchange.message, self.state
        lifecycle.forwarded(exchange)
        rule = exchange.rule.origin if exchange.rule else None
        self.out.note_message(CLIENT, "approve" if exchange.approved else "forward", message, rule=rule, by=exchange.decided_by)
        call: Call | None = None
        if isinstance(message, Request):
            call = Call(message, state.next_wire_id(), exchange)
            state.calls[call.wire_id] = state.by_client_id[call.id] = call
            message.id = call.wire_id
        secret = self._server_secret
        if secret is not None and (
            not isinstance(message, Request) or not (exchange.era == eras.MODERN or message.method == "initialize")
        ):
            secret = None
        line = answers.line(message, data="arguments", secret=secret)
        if call is not None and call.params is not None and len(line) > KEPT:
            call.digest, call.params = rounds.digest(call.method, call.params), None
        self.out.to_server.append(line)

    def refuse(self, exchange: Exchange, verdict: Refuse) -> None:
        """Refuse a message of the client's, and answer it if it is a request."""
        message = exchange.message
        self.out.note_message(CLIENT, "refuse", message, rule=verdict.rule, detail=verdict.note, by=exchange.decided_by)
        if verdict.closes:
            self.out.closes = "too many wrong or missing credentials"
        if verdict.question is not None:
            self.out.asked.append(verdict.question)
        if not isinstance(message, Request):
            return
        if verdict.as_result:
            self.out.answer(Response(message.id, result=answers.refused_result(verdict, exchange.era)))
        else:
            # An id that is in use cannot be answered: its one answer belongs to the other request.
            answer_to = None if verdict.rule == "ids.in-use" else message.id
            self.out.answer(Response(answer_to, error=answers.refusal(verdict)))

    def _client_response(self, response: Response) -> None:
        state = self.state
        answer_to = response.id if type(response.id) is str else ""
        held = state.held.get(answer_to)
        if held is not None and held.by_client:
            self.out.withdrawn.append(held.question.id)
            holding.decided(self, held, approved=consent.approves(response.result))
            return
        pending = state.forget_server_call(answer_to)
        if pending is None:
            self.out.note(
                CLIENT, "response", "drop", None, response.id, rule="ids.unknown", detail="nothing of this id is pending"
            )
            return
        refusal = identity.of_answer(state)
        if refusal is None and response.result is not None:
            refusal = self._check_client_result(pending, response.result)
        if refusal is not None:
            self.out.note(CLIENT, "response", "refuse", pending.method, response.id, rule=refusal.rule, detail=refusal.note)
            self.out.tell_server(Response(pending.id, error=answers.refusal(refusal)))
            return
        self.out.note(CLIENT, "response", "forward", pending.method, response.id)
        self.out.tell_server(Response(pending.id, result=response.result, error=response.error))

    def _check_client_result(self, pending: ServerCall, members: dict[str, Any]) -> Refuse | None:
        imitation = eras.imitation(members)
        if imitation is not None:
            return Refuse(MALFORMED, "wire.imitation", f"result key {imitation!a:.80} imitates one of the protocol's")
        if pending.task and "task" in members:
            started = tasks.started(self.state.server_tasks, members, pending.token, {})
            return None if started else Refuse(MALFORMED, "results.shape", "a task without a usable id")
        refusal = shapes.check_members(pending.method, members)
        if refusal is None and pending.method == "roots/list":
            members["roots"] = roots.cut(self.state, members["roots"])
        return refusal

    # --- the server's messages ------------------------------------------------------------------------------------------------

    def _server_message(self, message: Request | Notification) -> None:
        exchange = Exchange(self.state, message)
        for gate in gates.passage(gates.FROM_SERVER, message.method):
            verdict = gate(exchange)
            if verdict is None:
                continue
            refusal = verdict if isinstance(verdict, Refuse) else Refuse(REFUSED, "gate", "refused")
            self.out.note_message(SERVER, "refuse", message, rule=refusal.rule, detail=refusal.note)
            if isinstance(message, Request) and exchange.era != eras.MODERN and refusal.rule != "ids.in-use":
                self.out.tell_server(Response(message.id, error=answers.refusal(refusal)))
            return
        self.out.note_message(SERVER, "forward", message)
        if isinstance(message, Request):
            self._forward_request_to_client(message)
        self.out.tell_client(message)

    def _forward_request_to_client(self, message: Request) -> None:
        state = self.state
        pending = ServerCall(
            message.id, state.next_guard_id(), message.method, message.params.get("_meta", {}).get("progressToken")
        )
        pending.task = "task" in message.params
        state.server_calls[pending.guard_id] = state.by_server_id[pending.id] = pending
        elicitation = message.params.get("elicitationId")
        if type(elicitation) is str and len(state.elicitations) < tasks.MAX_TASKS:
            state.elicitations.add(elicitation)
        message.id = pending.guard_id

    def _server_response(self, response: Response) -> None:
        state = self.state
        call = state.calls.get(response.id) if type(response.id) is int else None
        if call is None:
            self.out.note(
                SERVER, "response", "drop", None, response.id, rule="ids.unknown", detail="nothing of this id is pending"
            )
            return
        state.forget(call)
        refusal: Refuse | None = None
        if response.result is not None:
            for gate in gates.passage(gates.RESULTS, call.method):
                refusal = gate(state, call, response.result)
                if refusal is not None:
                    break
        elif response.error is not None:
            refusal = identity.result(state, call, {}) or self._check_error(response.error)
            answers.not_the_guards(response.error)
        if refusal is not None or response.error is not None:
            lifecycle.failed(state, call)
        if refusal is not None:
            self._refuse_result(call, refusal)
            return
        self.out.note(SERVER, "response", "forward", call.method, call.id, outcome=answers.outcome(response))
        response.id = call.id
        self.out.tell_client(response)

    def _check_error(self, error: dict[str, Any]) -> Refuse | None:
        if error["code"] == -32042:
            if not self.state.policy.grants("elicitation"):
                return Refuse(
                    REFUSED, "capabilities.elicitation = false", "the server wants a person to open a link, which is not granted"
                )
            from stdioguard.guard.gates import elicitation  # noqa: PLC0415 - where a server asks

            data = error.get("data")
            for question in data.get("elicitations", ()) if type(data) is dict and type(data.get("elicitations")) is list else ():
                if type(question) is not dict:
                    continue
                objection = elicitation.from_server(question, self.state.server_name)
                if objection is not None:
                    return objection
                named = question.get("elicitationId")
                if type(named) is str and len(self.state.elicitations) < tasks.MAX_TASKS:
                    self.state.elicitations.add(named)
        return None

    def _refuse_result(self, call: Call, refusal: Refuse) -> None:
        self.out.note(SERVER, "response", "refuse", call.method, call.id, rule=refusal.rule, detail=refusal.note)
        text = refusal.text if refusal.rule == identity.RULE else f"the server's answer was refused: {refusal.text}"
        self.out.answer(Response(call.id, error=answers.error(refusal.code, refusal.rule, text)))

    def _tell_of_identity(self) -> None:
        """Record who has proved itself, and tell the client where what it may see has changed."""
        state = self.state
        for caller in state.newly_proved:
            if caller is not NOBODY:
                self.out.records.insert(0, _introduction(caller))
        state.newly_proved = []
        if not state.lists_changed:
            return
        state.lists_changed = False
        for kind in ("tools", "prompts", "resources"):
            if state.phase != READY and state.era != eras.MODERN:
                break
            if not state.policy.grants(kind):
                continue
            method = f"notifications/{kind}/list_changed"
            if state.era != eras.MODERN:
                self.out.tell_client(Notification(method, {}))
                continue
            for call in state.calls.values():
                if call.method == "subscriptions/listen" and type(call.wants) is dict and call.wants.get(f"{kind}ListChanged"):
                    self.out.tell_client(Notification(method, {"_meta": {eras.META_SUBSCRIPTION: call.id}}))

    # --- plumbing -------------------------------------------------------------------------------------------------------------

    def _begin(self, now: float) -> None:
        self.state.now = now
        self.out = Output(self.state)

    def _wait(self, message: Request | Notification, size: int) -> None:
        state = self.state
        exchange = Exchange(state, message)
        refusal = limits.from_client(exchange)
        if refusal is None and (len(state.waiting) >= MAX_WAITING or state.waiting_bytes + size > MAX_WAITING_BYTES):
            refusal = Refuse(LIMIT, "limits.waiting", "too many messages before initialize is answered")
        if isinstance(refusal, Refuse):
            self.refuse(exchange, refusal)
            return
        state.waiting.append(message)
        state.waiting_bytes += size

    def _fault(self, side: str, fault: Exception, id_: RequestId | None, *, answer: bool) -> None:
        """Let nothing of a message through that the guard could not deal with, and say so."""
        self.out = Output(self.state)
        detail = f"{type(fault).__name__} in the guard"
        self.out.note(side, "frame", "refuse", None, id_, rule="guard.fault", detail=detail)
        if answer:
            text = f"{detail}; please report it"
            self.out.answer(Response(id_, error=answers.error(INTERNAL_ERROR, "guard.fault", text)))

    def _parsed(self, frame: bytes | Oversized, side: str) -> Message | None:
        if isinstance(frame, Oversized):
            self._too_long(frame, side)
            return None
        if frame in (b"", b"\r"):
            return None
        try:
            return parse(frame)
        except MalformedError as error:
            self._malformed(error, side)
            return None

    def _malformed(self, error: MalformedError, side: str) -> None:
        rule = f"wire.{error.rule}"
        self.out.note(side, "frame", "refuse", None, error.id, rule=rule, detail=error.detail)
        refusal = Refuse(MALFORMED, rule, error.detail)
        if side == CLIENT and error.is_answer:
            self._answered_badly(error.id, refusal)
        elif side == CLIENT:
            in_use = error.id is not None and limits.is_in_use(self.state, error.id)
            self.out.answer(Response(None if in_use else error.id, error=answers.refusal(refusal)))
        elif error.is_answer and type(error.id) is int and error.id in self.state.calls:
            self._fail(self.state.calls[error.id], refusal)

    def _answered_badly(self, id_: RequestId | None, refusal: Refuse) -> None:
        """Deal with a client's answer that cannot be read: no yes for a question of the guard's, an error for one of the server's."""
        held = self.state.held.get(id_) if type(id_) is str else None
        if held is not None:
            holding.undecided(self, held, "the client's answer could not be read")
            return
        pending = self.state.forget_server_call(id_) if type(id_) is str else None
        if pending is not None:
            self.out.tell_server(Response(pending.id, error=answers.refusal(refusal)))

    def _too_long(self, frame: Oversized, side: str) -> None:
        rule = "limits.slow" if frame.slow else "limits.message"
        detail = (
            f"a message of {frame.size} bytes that took too long"
            if frame.slow
            else f"a message of {frame.size} bytes is too long"
        )
        self.out.note(side, "frame", "refuse", None, None, rule=rule, detail=detail)
        refusal = Refuse(LIMIT, rule, detail)
        if side == CLIENT:
            self.out.answer(Response(None, error=answers.refusal(refusal)))
            return
        if not _BEGINS_AS_ANSWER.match(frame.head):
            return
        # Which request it answers is told by its ends, where SDKs put the id; with one request pending there is no doubt.
        named = {int(found) for found in _NUMERIC_ID.findall(frame.head) + _NUMERIC_ID.findall(frame.tail)}
        candidates = [call for wire_id, call in self.state.calls.items() if wire_id in named] or list(self.state.calls.values())
        if len(candidates) == 1:
            self._fail(candidates[0], refusal)

    def _fail(self, call: Call, refusal: Refuse) -> None:
        self.state.forget(call)
        lifecycle.failed(self.state, call)
        self._refuse_result(call, refusal)


def _introduction(caller: Caller) -> dict[str, Any]:
    """Return the record's entry for a caller that has proved itself."""
    return {
        "event": "identity",
        "client": caller.client,
        "client_id": caller.client_id,
        "token": caller.token,
        "via": caller.via,
        "scopes": [sorted(granted) for granted in caller.grants],
        "expires": caller.expires,
    }
