"""Calls that wait for a person: asked about, decided, withdrawn, given up.

What may be asked and what an answer means is the consent gate's; this file keeps the calls meanwhile. The client is told so that it goes on
waiting (basic/utilities/progress), and a call that nobody answered is parked: a person may still approve it for the next time.
"""

from __future__ import annotations

from stdioguard.guard.gates import arguments, consent, identity, limits, scopes
from stdioguard.guard.output import CLIENT
from stdioguard.guard.state import Held
from stdioguard.guard.verdicts import LIMIT, Refuse
from stdioguard.wire import strict_json
from stdioguard.wire.messages import Notification, Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stdioguard.guard.session import Session
    from stdioguard.guard.state import Exchange
    from stdioguard.guard.verdicts import Ask

PATIENCE = 55.0
"""Seconds a call waits for a person when the client is told nothing meanwhile: clients give up after 60."""

PATIENCE_WITH_PROGRESS = 600.0
"""Seconds it waits when progress notifications keep the client waiting."""

PROGRESS_INTERVAL = 10.0


def ask(session: Session, exchange: Exchange, verdict: Ask) -> None:
    """Hold a call until a person has decided; the same call that waits already is not asked about twice."""
    state, message = session.state, exchange.message
    question = verdict.question
    if len(state.held) >= limits.MAX_HELD:
        session.refuse(
            exchange, Refuse(LIMIT, "limits.held", f"more than {limits.MAX_HELD} calls wait for a person", as_result=True)
        )
        return
    same = next((held for held in state.held.values() if held.question.digest == question.digest), None)
    if same is not None and len(same.followers) < limits.MAX_HELD:
        same.followers.append(exchange)
        same.question.times += 1
        session.out.asked.append(same.question)
        session.out.note_message(CLIENT, "ask", message, rule=verdict.rule, detail="the same call waits for a person already")
        return
    token = message.params.get("_meta", {}).get("progressToken")
    patience = PATIENCE if token is None else PATIENCE_WITH_PROGRESS
    first = state.now + (PROGRESS_INTERVAL if token is not None else patience)
    question.deadline = state.now + patience
    question.by_client = verdict.by_client
    held = Held(state.next_guard_id(), exchange, question, question.deadline, token, first, by_client=verdict.by_client)
    state.held[held.ask_id] = held
    session.out.note_message(CLIENT, "ask", message, rule=verdict.rule)
    session.out.asked.append(question)
    if verdict.by_client:
        params = {"message": verdict.message, "requestedSchema": consent.SCHEMA}
        session.out.to_client.append(strict_json.encode(Request(held.ask_id, "elicitation/create", params).envelope()))


def decided(session: Session, held: Held, *, approved: bool) -> None:
    """Let a held call through, or refuse it, as a person has decided."""
    state = session.state
    state.held.pop(held.ask_id, None)
    session.out.speaker = held.exchange.caller
    if not approved or state.now > held.deadline:
        consent.denied(state)
        undecided(session, held, "a person did not approve this call")
        return
    state.denials = 0
    decision = held.exchange.decided_by
    for exchange in (held.exchange, *held.followers):
        client = exchange.caller.client if exchange.caller is not None else ""
        is_granted = decision is not None and decision.grant is not None and client == held.question.client
        if exchange is not held.exchange and not is_granted:
            session.refuse(exchange, consent.refused(exchange, "the same call was approved once, for the first time it was made"))
            continue
        exchange.approved, exchange.decided_by = True, decision
        objection = _objection(held, exchange)
        if objection is None:
            session.forward(exchange)
        else:
            session.refuse(exchange, objection)


def _objection(held: Held, exchange: Exchange) -> Refuse | None:
    """Look again: the caller may be nobody any more, the tool another one, and paths may lead elsewhere than they did."""
    for gate in (identity.still_may, scopes.from_client, arguments.from_client):
        found = gate(exchange)
        if isinstance(found, Refuse):
            return found
    return consent.still_is(held)


def undecided(session: Session, held: Held, reason: str) -> None:
    """Refuse a held call, and those that wait with it."""
    session.state.held.pop(held.ask_id, None)
    session.out.speaker = held.exchange.caller
    for exchange in (held.exchange, *held.followers):
        session.refuse(exchange, consent.refused(exchange, reason))


def unanswered(session: Session, held: Held) -> None:
    """Refuse a call that nobody has answered in time; a person may still approve it for the next time."""
    if session.state.desk is None:
        undecided(session, held, "nobody answered in time")
        return
    question = held.question
    question.parked, question.deadline = True, session.state.now + consent.PARKED
    session.out.withdrawn.remove(question.id)
    session.out.asked.append(question)
    for exchange in (held.exchange, *held.followers):
        session.refuse(exchange, consent.refused(exchange, "nobody answered in time", question))


def withdraw(session: Session, held: Held) -> None:
    """Take the question back from every channel: an answer that still comes finds nothing."""
    session.state.held.pop(held.ask_id, None)
    session.out.withdrawn.append(held.question.id)
    if held.by_client:
        params = {"requestId": held.ask_id, "reason": "no longer needed"}
        session.out.to_client.append(strict_json.encode(Notification("notifications/cancelled", params).envelope()))


def cancelled(session: Session, message: Notification) -> bool:
    """Drop a held call, or one that waits for `initialize`, that the client has cancelled. Tell whether there was one."""
    target = message.params.get("requestId")
    for held in list(session.state.held.values()):
        if type(held.exchange.message.id) is type(target) and held.exchange.message.id == target:
            withdraw(session, held)
            session.out.note_message(
                CLIENT, "drop", held.exchange.message, rule="ids.cancelled", detail="cancelled by the client"
            )
            for follower in held.followers:
                session.refuse(follower, consent.refused(follower, "the first of these calls was cancelled"))
            return True
        for follower in held.followers:
            if type(follower.message.id) is type(target) and follower.message.id == target:
                held.followers.remove(follower)
                session.out.note_message(CLIENT, "drop", follower.message, rule="ids.cancelled", detail="cancelled by the client")
                return True
    for waiting in session.state.waiting:
        if isinstance(waiting, Request) and type(waiting.id) is type(target) and waiting.id == target:
            session.state.waiting.remove(waiting)
            session.out.note_message(CLIENT, "drop", waiting, rule="ids.cancelled", detail="cancelled by the client")
            return True
    return False


def report_progress(session: Session, held: Held) -> None:
    """Tell the client that the call still waits: clients give up on one that they hear nothing of."""
    held.next_progress = session.state.now + PROGRESS_INTERVAL
    held.reports += 1
    # Progress must increase (basic/utilities/progress): a hair above zero leaves the server its own scale.
    progress = held.reports * 1e-6
    session.state.reported[held.token if held.token is not None else ""] = progress
    params = {"progressToken": held.token, "progress": progress, "message": "waiting for a person to approve this call"}
    session.out.to_client.append(strict_json.encode(Notification("notifications/progress", params).envelope()))
