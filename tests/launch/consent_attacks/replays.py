"""A decision is for one call, in one session, of the tool as it was, while that call waits: once."""

from __future__ import annotations

import threading
import time

from stdioguard.approval import queue
from tests.launch.consent_attacks.stage import HANDSHAKE, MODERN, YES, Stage, attack, no, place, put, said, waiting, yes

A = {"a": 1}


@attack("a decision is written once more after it was used", must="the next call waits", twin="a decision of its own lets it run")
def _(stage: Stage) -> None:
    talk = stage.open(watched=True)
    call, used = talk.call(A), waiting(A)
    assert yes(used)
    stage.runs(talk.answer(call))
    put(place(used), said(used))
    call, asked = talk.call(A), waiting(A)
    put(place(asked), said(used))
    stage.held(talk, call)
    assert yes(asked)
    stage.runs(talk.answer(call))


@attack(
    "a decision is copied to the same call in a session beside it", must="that one waits", twin="each runs by its own decision"
)
def _(stage: Stage) -> None:
    one, two = stage.open(watched=True), stage.open()
    call = one.call(A)
    first = waiting(A)
    other = two.call(A)
    second = waiting(A, not_these=(first.id,))
    put(place(second), said(first))
    stage.held(two, other)
    assert yes(first)
    stage.runs(one.answer(call))
    stage.held(two, other)
    assert yes(second)
    stage.runs(two.answer(other))


@attack(
    "an approval that was not used is used after the guard was started anew",
    must="is asked about anew",
    twin="approved in the session that asks, it runs",
)
def _(stage: Stage) -> None:
    talk = stage.open()
    stage.refused(talk.answer(talk.call(A)))
    old = waiting(A)
    assert yes(old)
    talk.guarded.finish()
    talk = stage.open()
    stage.refused(talk.answer(talk.call(A)))
    put(place(waiting(A)), said(old))
    stage.refused(talk.answer(talk.call(A)))
    assert yes(waiting(A))
    stage.runs(talk.answer(talk.call(A)))


@attack(
    "a guard is killed, and what it asked is approved afterwards", must="its question is gone", twin="a new session asks and runs"
)
def _(stage: Stage) -> None:
    talk = stage.open(watched=True)
    talk.call(A)
    question = waiting(A)
    talk.guarded.process.kill()
    talk.guarded.process.wait()
    yes(question)
    stage.check(queue.waiting() == [] and not place(question).exists())
    talk = stage.open()
    call, asked = talk.call(A), waiting(A)
    stage.held(talk, call)
    assert yes(asked)
    stage.runs(talk.answer(call))


@attack("a call is approved after its server has died", must="nothing runs", twin="with a new server it is asked about and runs")
def _(stage: Stage) -> None:
    talk = stage.open(watched=True)
    call, question = talk.call(A), waiting(A)
    talk.call({}, "die")
    stage.refused(talk.answer(call))
    yes(question)
    talk.guarded.process.wait(15)
    stage.check("approve" not in stage.verdicts(), stage.verdicts())
    talk = stage.open()
    call, asked = talk.call(A), waiting(A)
    assert yes(asked)
    stage.runs(talk.answer(call))


@attack(
    "a call is approved after its time is over",
    must="it never runs, and the approval is for one call like it",
    twin="that one runs",
)
def _(stage: Stage) -> None:
    talk = stage.open(watched=True, hurry=2.0)
    call, question = talk.call(A), waiting(A)
    assert "nobody answered in time" in stage.refused(talk.answer(call))
    assert yes(question)
    stage.silent(talk)
    stage.runs(talk.answer(talk.call(A)))
    call, again = talk.call(A), waiting(A)
    assert again.id != question.id
    stage.held(talk, call)


@attack(
    "a call is approved after the time to approve it for later is over too", must="is asked about anew", twin="in time it runs"
)
def _(stage: Stage) -> None:
    talk = stage.open(hurry=2.0)
    stage.refused(talk.answer(talk.call(A)))
    question = waiting(A)
    time.sleep(2.2)
    put(place(question), said(question))
    stage.refused(talk.answer(talk.call(A)))
    assert yes(waiting(A))
    stage.runs(talk.answer(talk.call(A)))


@attack("an approval in time is kept until its time is over", must="is worth nothing then", twin="used in time it runs")
def _(stage: Stage) -> None:
    talk = stage.open(hurry=2.0)
    stage.refused(talk.answer(talk.call(A)))
    assert yes(waiting(A))
    time.sleep(2.2)
    stage.refused(talk.answer(talk.call(A)))
    assert yes(waiting(A))
    stage.runs(talk.answer(talk.call(A)))


@attack(
    "a call is approved after the client has cancelled it", must="it never runs", twin="made again it is asked about and runs"
)
def _(stage: Stage) -> None:
    talk = stage.open(watched=True)
    call, question = talk.call(A), waiting(A)
    talk.cancel(call)
    talk.list()
    yes(question)
    stage.silent(talk)
    put(place(question), said(question, scope="always", constraints={"a": {"any": True}}))
    call, asked = talk.call(A), waiting(A)
    assert asked.id != question.id
    stage.held(talk, call)
    assert yes(asked)
    stage.runs(talk.answer(call))


@attack(
    "the first of two equal calls is cancelled, and the question about both approved",
    must="neither runs",
    twin="a third is asked about and runs",
)
def _(stage: Stage) -> None:
    talk = stage.open(watched=True)
    first, second = talk.call(A), talk.call(A)
    question = waiting(A)
    talk.cancel(first)
    yes(question)
    stage.refused(talk.answer(second))
    stage.silent(talk)
    call, asked = talk.call(A), waiting(A, not_these=(question.id,))
    assert yes(asked)
    stage.runs(talk.answer(call))


@attack("a call is approved after the client has gone", must="it never runs", twin="in a new session it is asked about and runs")
def _(stage: Stage) -> None:
    talk = stage.open(watched=True)
    call, question = talk.call(A), waiting(A)
    talk.guarded.stdin.close()
    stage.refused(talk.answer(call))
    yes(question)
    talk.guarded.process.wait(15)
    stage.check("approve" not in stage.verdicts(), stage.verdicts())
    talk = stage.open()
    call, asked = talk.call(A), waiting(A)
    assert yes(asked)
    stage.runs(talk.answer(call))


@attack(
    "what a person allows for the session meets the same call made three times at once, one of another tool beside them",
    must="the other tool's waits on",
    twin="all three run",
)
def _(stage: Stage) -> None:
    talk = stage.open(watched=True)
    calls = [talk.call(A) for _ in range(3)]
    question = waiting(A)
    other = talk.call(A, "other")
    waiting(A, not_these=(question.id,))
    assert yes(question, scope="session", constraints={"a": {"equals": 1}})
    for call in calls:
        stage.runs(talk.answer(call))
    stage.held(talk, other)


@attack("one approval is used for the same call made three times at once", must="two are refused", twin="the first runs")
def _(stage: Stage) -> None:
    talk = stage.open(watched=True)
    calls = [talk.call(A) for _ in range(3)]
    question = waiting(A)
    deadline = time.monotonic() + 5
    while (question := waiting(A)).members["times"] < 3:
        assert time.monotonic() < deadline
    assert yes(question)
    stage.runs(talk.answer(calls[0]))
    for call in calls[1:]:
        stage.refused(talk.answer(call))


@attack(
    "two channels say yes and no at the same moment",
    must="one of them is told that it came second",
    twin="what the first said is done",
)
def _(stage: Stage) -> None:
    talk = stage.open(watched=True)
    for number in range(4):
        call, question = talk.call({"a": number}), waiting({"a": number})
        start, first = threading.Barrier(4), list[bool]()

        people = [
            threading.Thread(target=_decide, args=(start, question, at % 2 == 0, channel, first))
            for at, channel in enumerate(("page", "terminal", "page", "terminal"))
        ]
        for person in people:
            person.start()
        for person in people:
            person.join()
        answer = talk.answer(call)
        # A second one may come when the guard has the first already; then it finds nothing to decide.
        if first[0]:
            stage.runs(answer)
        else:
            stage.refused(answer)
        stage.check(talk.list() != [])
    stage.fine(len(first) >= 1)


def _decide(start: threading.Barrier, question: queue.Waiting, approved: bool, channel: str, first: list[bool]) -> None:
    start.wait()
    if queue.decide(question.id, question.members["digest"], approved=approved, channel=channel):
        first.append(approved)


@attack("a yes is written after a no", must="the no counts", twin="the next call is asked about and runs")
def _(stage: Stage) -> None:
    talk = stage.open(watched=True)
    call, question = talk.call(A), waiting(A)
    assert no(question)
    assert not yes(question)
    stage.refused(talk.answer(call))
    call, asked = talk.call(A), waiting(A)
    assert yes(asked)
    stage.runs(talk.answer(call))


@attack(
    "the server changes a tool between a question at a terminal and the yes",
    must="it does not run",
    twin="the tool as it is now is asked about and runs",
)
def _(stage: Stage) -> None:
    talk = stage.open(watched=True)
    call, question = talk.call(A), waiting(A)
    talk.answer(talk.call({}, "flip"))
    talk.list()
    assert yes(question)
    assert "changed this tool" in stage.refused(talk.answer(call))
    call, asked = talk.call(A), waiting(A)
    assert yes(asked)
    stage.runs(talk.answer(call))


@attack(
    "the server changes a tool that was approved for the next call", must="is asked about anew", twin="the tool as it is now runs"
)
def _(stage: Stage) -> None:
    talk = stage.open()
    stage.refused(talk.answer(talk.call(A)))
    assert yes(waiting(A))
    talk.answer(talk.call({}, "flip"))
    talk.list()
    stage.refused(talk.answer(talk.call(A)))
    assert yes(waiting(A))
    stage.runs(talk.answer(talk.call(A)))


@attack(
    "the server changes a tool while the client asks about it",
    must="it does not run",
    twin="the tool as it is now is asked about and runs",
)
def _(stage: Stage) -> None:
    talk = stage.open(asks=True)
    asked = talk.asked(talk.call(A))
    talk.answer(talk.call({}, "flip"))
    talk.list()
    assert "changed this tool" in stage.refused(talk.answer(talk.reply(asked, YES, A)))
    stage.runs(talk.answer(talk.reply(talk.asked(talk.call(A)), YES, A)))


@attack("a state is used twice", must="the second time it is worth nothing", twin="the first time it runs", eras=(MODERN,))
def _(stage: Stage) -> None:
    talk = stage.open(asks=True)
    asked = talk.asked(talk.call(A))
    stage.runs(talk.answer(talk.reply(asked, YES, A)))
    stage.refused(talk.answer(talk.reply(asked, YES, A)))


@attack("a state is used after a no", must="is worth nothing", twin="a new question can be answered with yes", eras=(MODERN,))
def _(stage: Stage) -> None:
    talk = stage.open(asks=True)
    asked = talk.asked(talk.call(A))
    stage.refused(talk.answer(talk.reply(asked, {"action": "decline"}, A)))
    stage.refused(talk.answer(talk.reply(asked, YES, A)))
    stage.runs(talk.answer(talk.reply(talk.asked(talk.call(A)), YES, A)))


@attack("a state of another session is brought", must="is worth nothing", twin="in its own it runs", eras=(MODERN,))
def _(stage: Stage) -> None:
    one, two = stage.open(asks=True), stage.open(asks=True)
    asked = one.asked(one.call(A))
    stage.refused(two.answer(two.reply(asked, YES, A)))
    stage.runs(one.answer(one.reply(asked, YES, A)))


@attack("a state is brought after its time is over", must="is worth nothing", twin="in time it runs", eras=(MODERN,))
def _(stage: Stage) -> None:
    talk = stage.open(asks=True, hurry=2.0)
    asked = talk.asked(talk.call(A))
    time.sleep(2.2)
    assert "expired" in stage.refused(talk.answer(talk.reply(asked, YES, A)))
    stage.runs(talk.answer(talk.reply(talk.asked(talk.call(A)), YES, A)))


@attack("the client answers after its time is over", must="nothing runs", twin="in time it runs", eras=(HANDSHAKE,))
def _(stage: Stage) -> None:
    talk = stage.open(asks=True, hurry=2.0)
    call = talk.call(A)
    asked = talk.asked(call)
    stage.refused(talk.answer(call))
    talk.next(lambda message: message.get("method") == "notifications/cancelled")
    talk.reply(asked, YES)
    stage.silent(talk)
    call = talk.call(A)
    stage.runs(talk.answer(talk.reply(talk.asked(call), YES)))
