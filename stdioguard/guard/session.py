"""One guarded session: frames in, lines out, and a record of every decision.

`from_client` and `from_server` take one frame and return an `Output`; the caller writes its records first and sends its lines only
after that. Ids are rewritten in both directions, so that neither side can answer, cancel or report on what is not its own: a
response is accepted once, from the side that was asked, for a request that is pending.

A request that `decide` is called for by another channel than the client's own (a dialog, a page) takes the same way as one that
the client answered: that is the seam for channels to come.
"""

from __future__ import annotations

import re

from stdioguard.guard import gates
from stdioguard.guard.gates import arguments, consent, lifecycle, roots, shapes, tasks
from stdioguard.guard.seal import Sealer
from stdioguard.guard.state import INITIALIZING, Call, Exchange, Held, ServerCall, State
from stdioguard.guard.verdicts import (
    INTERNAL_ERROR,
    LIMIT,
    MALFORMED,
    REFUSED,
    Ask,
    Refuse,
)
from stdioguard.wire import eras, strict_json
from stdioguard.wire.errors import MalformedError
from stdioguard.wire.framing import Oversized
from stdioguard.wire.messages import Notification, Request, Response, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from stdioguard.policy.policy import Policy
    from stdioguard.wire.messages import Message, RequestId

PATIENCE = 55.0
"""Seconds a call waits for a person when the client is told nothing meanwhile: clients give up after 60."""

PATIENCE_WITH_PROGRESS = 600.0
"""Seconds it waits when progress notifications keep the client waiting."""

PROGRESS_INTERVAL = 10.0
MAX_WAITING = 256
"""Messages kept while `initialize` is being answered."""

_NOT_WAITING = frozenset({"initialize", "ping", "notifications/cancelled"})
"""What a client may send before `initialize` is answered (2025-11-25, basic/lifecycle#initialization)."""

_CLIENT = "client"
_SERVER = "server"
_OWN_KEY = '"' + eras.OWN_META_PREFIX
_NUMERIC_ID = re.compile(rb'"id"\s*:\s*(\d{1,15})\s*[,}]')


class Output:
    """What one input leads to: records to write first, then lines for each side; `close` is a reason to end the session."""

    __slots__ = ("close", "records", "to_client", "to_server")

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []
        self.to_client: list[str] = []
        self.to_server: list[str] = []
        self.close: str | None = None


class Session:
    """The state machine of one client, one server and the guard between them.

    `nonce` (a few random characters) makes the guard's ids unguessable in advance, `key` (32 random bytes) seals request states,
    `resolve` turns a path as a server would see it into the real one. Times are monotonic seconds.
    """

    def __init__(self, policy: Policy, *, server_name: str, nonce: str, key: bytes, resolve: Callable[[str], str]) -> None:
        self.state = State(policy, server_name=server_name, nonce=nonce, resolve=resolve, sealer=lambda: Sealer(key))
        self._out = Output()
        self._waiting: list[Message] = []

    # --- inputs ---------------------------------------------------------------------------------------------------------------

    def from_client(self, frame: bytes | Oversized, now: float) -> Output:
        """Take one frame of the client's."""
        self._begin(now)
        message = self._parsed(frame, _CLIENT)
        if message is None:
            return self._out
        if self.state.phase == INITIALIZING and not isinstance(message, Response) and message.method not in _NOT_WAITING:
            # A client that pipelines its first messages means them for the session that is about to open.
            self._wait(message)
        else:
            self._client_message(message)
        return self._out

    def from_server(self, frame: bytes | Oversized, now: float) -> Output:
        """Take one frame of the server's."""
        self._begin(now)
        message = self._parsed(frame, _SERVER)
        if isinstance(message, Response):
            self._server_response(message)
        elif message is not None:
            self._server_message(message)
        if self._waiting and self.state.phase != INITIALIZING:
            waiting, self._waiting = self._waiting, []
            for held_back in waiting:
                self._client_message(held_back)
        return self._out

    def tick(self, now: float) -> Output:
        """Let time pass: deadlines of questions, and progress for clients that wait."""
        self._begin(now)
        for held in list(self.state.held.values()):
            if now >= held.deadline:
                self._withdraw(held)
                self._undecided(held, "nobody answered in time")
            elif now >= held.next_progress:
                self._report_progress(held)
        return self._out

    def next_deadline(self) -> float | None:
        """Return when `tick` has something to do, or `None`."""
        if not self.state.held:
            return None
        return min(min(held.deadline, held.next_progress) for held in self.state.held.values())

    def decide(self, ask_id: str, approved: bool, now: float) -> Output:
        """Take the decision on a held call from another channel than the client's."""
        self._begin(now)
        held = self.state.held.get(ask_id)
        if held is not None:
            self._withdraw(held)
            self._decided(held, approved=approved)
        return self._out

    @property
    def is_busy(self) -> bool:
        """Whether a request of the client's is still to be answered by the server."""
        # A subscription is answered when the server feels like it; nobody waits for that.
        return bool(self._waiting) or any(call.method != "subscriptions/listen" for call in self.state.calls.values())

    def input_closed(self, now: float) -> Output:
        """Take note that the client will send nothing more: nobody can approve a held call."""
        self._begin(now)
        for held in list(self.state.held.values()):
            self._withdraw(held)
            self._undecided(held, "the client closed its input before anybody answered")
        return self._out

    def end(self, reason: str, now: float) -> Output:
        """End the session: every request that is still open is answered with an error that gives `reason`."""
        self._begin(now)
        state = self.state
        for message in self._waiting:
            if isinstance(message, Request):
                self._answer(Response(message.id, error=_error(INTERNAL_ERROR, "session.ended", reason)))
        self._waiting = []
        for held in list(state.held.values()):
            self._withdraw(held)
            self._undecided(held, reason)
        for call in list(state.calls.values()):
            state.forget(call)
            self._note(_SERVER, "response", "refuse", call.method, call.id, rule="session.ended", detail=reason)
            self._answer(Response(call.id, error=_error(INTERNAL_ERROR, "session.ended", reason)))
        return self._out

    def unrecorded(self, records: list[dict[str, Any]], reason: str, now: float) -> Output:
        """End the session because `records` could not be written: what they let through is not sent, and who waits for it is told."""
        open_ids = set(self.state.by_client_id)
        self.end(reason, now)
        lost = {entry["id"]: None for entry in records if entry.get("id") is not None and _answers_client(entry)}
        for id_ in lost:
            if id_ not in open_ids:
                self._answer(Response(id_, error=_error(INTERNAL_ERROR, "session.ended", reason)))
        return self._out

    # --- the client's messages ------------------------------------------------------------------------------------------------

    def _client_message(self, message: Message) -> None:
        if isinstance(message, Response):
            self._client_response(message)
            return
        exchange = Exchange(self.state, message)
        if isinstance(message, Notification) and message.method == "notifications/cancelled" and self._cancel_held(message):
            return
        for gate in gates.passage(gates.FROM_CLIENT, message.method):
            verdict = gate(exchange)
            if verdict is None:
                continue
            if isinstance(verdict, Ask):
                self._ask(exchange, verdict)
            elif isinstance(verdict, Refuse):
                self._refuse_client(exchange, verdict)
            elif isinstance(message, Request):
                self._note_message(_CLIENT, "ask", message, rule=verdict.rule)
                self._answer(Response(message.id, result=verdict.result))
            return
        self._forward_to_server(exchange)

    def _forward_to_server(self, exchange: Exchange) -> None:
        message, state = exchange.message, self.state
        lifecycle.forwarded(exchange)
        rule = exchange.rule.origin if exchange.rule else None
        self._note_message(_CLIENT, "approve" if exchange.approved else "forward", message, rule=rule)
        if isinstance(message, Request):
            call = Call(message.id, state.next_wire_id(), message.method, exchange.era)
            call.params = message.params
            call.token = message.params.get("_meta", {}).get("progressToken")
            call.capabilities = exchange.capabilities
            call.approved, call.digest = exchange.approved, exchange.digest
            call.task = "task" in message.params
            state.calls[call.wire_id] = state.by_client_id[call.id] = call
            message.id = call.wire_id
        self._out.to_server.append(strict_json.encode(message.envelope()))

    def _refuse_client(self, exchange: Exchange, verdict: Refuse) -> None:
        message = exchange.message
        self._note_message(_CLIENT, "refuse", message, rule=verdict.rule, detail=verdict.text)
        if not isinstance(message, Request):
            return
        if verdict.as_result:
            self._answer(Response(message.id, result=_refused_result(verdict, exchange.era)))
        else:
            # An id that is in use cannot be answered: its one answer belongs to the other request.
            answer_to = None if verdict.rule == "ids.in-use" else message.id
            self._answer(Response(answer_to, error=_refusal(verdict)))

    def _client_response(self, response: Response) -> None:
        state = self.state
        answer_to = response.id if type(response.id) is str else ""
        held = state.held.pop(answer_to, None)
        if held is not None:
            self._decided(held, approved=consent.approves(response.result))
            return
        pending = state.server_calls.pop(answer_to, None)
        if pending is None:
            self._note(_CLIENT, "response", "drop", None, response.id, rule="ids.unknown", detail="nothing of this id is pending")
            return
        state.by_server_id.pop(pending.id, None)
        if response.result is not None:
            refusal = self._check_client_result(pending, response.result)
            if refusal is not None:
                self._note(_CLIENT, "response", "refuse", pending.method, response.id, rule=refusal.rule, detail=refusal.text)
                self._tell_server(Response(pending.id, error=_refusal(refusal)))
                return
        self._note(_CLIENT, "response", "forward", pending.method, response.id)
        self._tell_server(Response(pending.id, result=response.result, error=response.error))

    def _check_client_result(self, pending: ServerCall, members: dict[str, Any]) -> Refuse | None:
        imitation = eras.imitation(members)
        if imitation is not None:
            return Refuse(MALFORMED, "wire.imitation", f"result key {imitation!a:.80} imitates one of the protocol's")
        if pending.task and "task" in members:
            return (
                None
                if tasks.started(self.state.server_tasks, members, pending.token)
                else Refuse(MALFORMED, "results.shape", "a task without a usable id")
            )
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
            self._note_message(_SERVER, "refuse", message, rule=refusal.rule, detail=refusal.text)
            if isinstance(message, Request) and exchange.era != eras.MODERN and refusal.rule != "ids.in-use":
                self._tell_server(Response(message.id, error=_refusal(refusal)))
            return
        self._note_message(_SERVER, "forward", message)
        if isinstance(message, Request):
            self._forward_request_to_client(message)
        self._tell_client(message)

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
            self._note(_SERVER, "response", "drop", None, response.id, rule="ids.unknown", detail="nothing of this id is pending")
            return
        state.forget(call)
        refusal: Refuse | None = None
        if response.result is not None:
            for gate in gates.passage(gates.RESULTS, call.method):
                refusal = gate(state, call, response.result)
                if refusal is not None:
                    break
        elif response.error is not None:
            refusal = self._check_error(response.error)
        if refusal is not None or response.error is not None:
            lifecycle.failed(state, call)
        if refusal is not None:
            self._refuse_result(call, refusal)
            return
        self._note(_SERVER, "response", "forward", call.method, call.id, outcome=_outcome(response))
        response.id = call.id
        self._tell_client(response)

    def _check_error(self, error: dict[str, Any]) -> Refuse | None:
        if -32000 < error["code"] <= -31000:
            # The guard's own range: nobody else speaks in it.
            error["code"] = INTERNAL_ERROR
        if error["code"] == -32042:
            if not self.state.policy.grants("elicitation"):
                return Refuse(
                    REFUSED, "capabilities.elicitation = false", "the server wants a person to open a link, which is not granted"
                )
            data = error.get("data")
            for question in data.get("elicitations", ()) if type(data) is dict and type(data.get("elicitations")) is list else ():
                elicitation = question.get("elicitationId") if type(question) is dict else None
                if type(elicitation) is str and len(self.state.elicitations) < tasks.MAX_TASKS:
                    self.state.elicitations.add(elicitation)
        return None

    def _refuse_result(self, call: Call, refusal: Refuse) -> None:
        self._note(_SERVER, "response", "refuse", call.method, call.id, rule=refusal.rule, detail=refusal.text)
        self._answer(
            Response(call.id, error=_error(refusal.code, refusal.rule, f"the server's answer was refused: {refusal.text}"))
        )

    # --- consent --------------------------------------------------------------------------------------------------------------

    def _ask(self, exchange: Exchange, verdict: Ask) -> None:
        from stdioguard.guard.gates.limits import MAX_HELD  # noqa: PLC0415 - beside its use

        state, message = self.state, exchange.message
        if len(state.held) >= MAX_HELD:
            self._refuse_client(
                exchange, Refuse(LIMIT, "limits.held", f"more than {MAX_HELD} calls wait for a person", as_result=True)
            )
            return
        token = message.params.get("_meta", {}).get("progressToken")
        patience = PATIENCE if token is None else PATIENCE_WITH_PROGRESS
        first = state.now + (PROGRESS_INTERVAL if token is not None else patience)
        held = Held(state.next_guard_id(), exchange, state.now + patience, token, first)
        state.held[held.ask_id] = held
        self._note_message(_CLIENT, "ask", message, rule=verdict.rule)
        params = {"message": verdict.message, "requestedSchema": consent.SCHEMA}
        self._out.to_client.append(strict_json.encode(Request(held.ask_id, "elicitation/create", params).envelope()))

    def _decided(self, held: Held, *, approved: bool) -> None:
        self.state.held.pop(held.ask_id, None)
        if approved and self.state.now <= held.deadline:
            held.exchange.approved = True
            # Paths may lead elsewhere than when the person was asked.
            objection = arguments.from_client(held.exchange)
            if objection is None:
                self._forward_to_server(held.exchange)
            elif isinstance(objection, Refuse):
                self._refuse_client(held.exchange, objection)
        else:
            self._undecided(held, "a person did not approve this call")

    def _undecided(self, held: Held, reason: str) -> None:
        self.state.held.pop(held.ask_id, None)
        self._refuse_client(held.exchange, consent.refused(held.exchange, reason))

    def _withdraw(self, held: Held) -> None:
        """Take the question back from the client: an answer that still comes finds nothing."""
        self.state.held.pop(held.ask_id, None)
        params = {"requestId": held.ask_id, "reason": "no longer needed"}
        self._out.to_client.append(strict_json.encode(Notification("notifications/cancelled", params).envelope()))

    def _cancel_held(self, message: Notification) -> bool:
        target = message.params.get("requestId")
        for held in list(self.state.held.values()):
            if type(held.exchange.message.id) is type(target) and held.exchange.message.id == target:
                self._withdraw(held)
                self._note_message(_CLIENT, "drop", held.exchange.message, rule="ids.cancelled", detail="cancelled by the client")
                return True
        for waiting in self._waiting:
            if isinstance(waiting, Request) and type(waiting.id) is type(target) and waiting.id == target:
                self._waiting.remove(waiting)
                self._note_message(_CLIENT, "drop", waiting, rule="ids.cancelled", detail="cancelled by the client")
                return True
        return False

    def _report_progress(self, held: Held) -> None:
        held.next_progress = self.state.now + PROGRESS_INTERVAL
        held.reports += 1
        # Progress must increase (basic/utilities/progress): a hair above zero leaves the server its own scale.
        progress = held.reports * 1e-6
        self.state.reported[held.token if held.token is not None else ""] = progress
        params = {"progressToken": held.token, "progress": progress, "message": "waiting for a person to approve this call"}
        self._out.to_client.append(strict_json.encode(Notification("notifications/progress", params).envelope()))

    # --- plumbing -------------------------------------------------------------------------------------------------------------

    def _begin(self, now: float) -> None:
        self.state.now = now
        self._out = Output()

    def _wait(self, message: Message) -> None:
        if len(self._waiting) < MAX_WAITING:
            self._waiting.append(message)
            return
        exchange = Exchange(self.state, message)
        self._refuse_client(exchange, Refuse(LIMIT, "limits.waiting", "too many messages before initialize is answered"))

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
        self._note(side, "frame", "refuse", None, error.request_id, rule=rule, detail=error.detail)
        if side == _CLIENT:
            in_use = error.request_id in self.state.by_client_id
            self._answer(Response(None if in_use else error.request_id, error=_error(MALFORMED, rule, error.detail)))
        elif type(error.request_id) is int and error.request_id in self.state.calls:
            call = self.state.calls[error.request_id]
            self._fail(call, Refuse(MALFORMED, rule, error.detail))

    def _too_long(self, frame: Oversized, side: str) -> None:
        detail = f"a message of {frame.size} bytes"
        self._note(side, "frame", "refuse", None, None, rule="limits.message", detail=detail)
        if side == _CLIENT:
            self._answer(Response(None, error=_error(LIMIT, "limits.message", detail + " is too long")))
            return
        # Which request it answers is told by its ends, where SDKs put the id; with one request pending there is no doubt.
        named = {int(found) for found in _NUMERIC_ID.findall(frame.head) + _NUMERIC_ID.findall(frame.tail)}
        candidates = [call for wire_id, call in self.state.calls.items() if wire_id in named] or list(self.state.calls.values())
        if len(candidates) == 1:
            self._fail(candidates[0], Refuse(LIMIT, "limits.message", detail + " is too long"))

    def _fail(self, call: Call, refusal: Refuse) -> None:
        self.state.forget(call)
        lifecycle.failed(self.state, call)
        self._refuse_result(call, refusal)

    def _answer(self, response: Response) -> None:
        """Send a client the guard's own answer."""
        self._out.to_client.append(strict_json.encode(response.envelope()))

    def _tell_client(self, message: Message) -> None:
        """Send a client what the server said, without any key of the guard's own name space."""
        envelope = message.envelope()
        line = strict_json.encode(envelope)
        if _OWN_KEY in line:
            line = strict_json.encode(_without_own_keys(envelope))
        self._out.to_client.append(line)

    def _tell_server(self, response: Response) -> None:
        self._out.to_server.append(strict_json.encode(response.envelope()))

    def _note_message(
        self, side: str, verdict: str, message: Request | Notification, *, rule: str | None = None, detail: str | None = None
    ) -> None:
        entry: dict[str, Any] = {"from": side, "kind": "notification", "verdict": verdict, "method": message.method}
        if isinstance(message, Request):
            entry["kind"] = "request"
            entry["id"] = message.id
        if rule is not None:
            entry["rule"] = rule
        if detail is not None:
            entry["detail"] = detail
        if message.method == "tools/call":
            name = message.params.get("name")
            entry["tool"] = name if type(name) is str else None
            given = message.params.get("arguments")
            if given is not None:
                entry["arguments"] = given
        self._out.records.append(entry)

    def _note(self, side: str, kind: str, verdict: str, method: str | None, id_: RequestId | None, **more: str) -> None:
        entry: dict[str, Any] = {"from": side, "kind": kind, "verdict": verdict}
        if method is not None:
            entry["method"] = method
        if id_ is not None:
            entry["id"] = id_
        if more:
            entry |= more
        self._out.records.append(entry)


def _answers_client(entry: dict[str, Any]) -> bool:
    return (entry["from"], entry["kind"]) in ((_CLIENT, "request"), (_SERVER, "response")) and entry["verdict"] != "drop"


def _outcome(response: Response) -> str:
    if response.error is not None:
        return "error"
    members = response.result or {}
    return "tool-error" if members.get("isError") is True else str(members.get("resultType", "complete"))[:40]


def _refusal(verdict: Refuse) -> dict[str, Any]:
    data = {"code": verdict.code, "rule": verdict.rule, **verdict.data}
    return {"code": verdict.protocol_code, "message": f"stdioguard: {verdict.text}", "data": data}


def _error(code: int, rule: str, text: str) -> dict[str, Any]:
    return _refusal(Refuse(code, rule, text))


def _refused_result(verdict: Refuse, era: str) -> dict[str, Any]:
    result: dict[str, Any] = {
        "content": [{"type": "text", "text": f"stdioguard: {verdict.text}"}],
        "isError": True,
        "_meta": {eras.OWN_META_PREFIX + "refusal": {"code": verdict.code, "rule": verdict.rule}},
    }
    if era == eras.MODERN:
        result["resultType"] = "complete"
    return result


def _without_own_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_own_keys(member) for key, member in value.items() if not key.startswith(eras.OWN_META_PREFIX)}
    if isinstance(value, list):
        return [_without_own_keys(member) for member in value]
    return value
