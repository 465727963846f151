"""A person is worn out: there is an end to what they are asked, and no decision is about more than they have seen."""

from __future__ import annotations

import subprocess
import sys
import time

from stdioguard.approval import grants, queue
from stdioguard.approval.desk import MAX_PARKED
from stdioguard.guard.gates.consent import MAX_DENIALS
from stdioguard.guard.gates.limits import MAX_HELD
from tests.launch.consent_attacks.signatures import set_passphrase
from tests.launch.consent_attacks.stage import YES, Stage, attack, no, waiting, yes

NO = {"action": "decline"}


def approve(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `stdioguard approvals approve` as a program does: on no terminal."""
    command = [sys.executable, "-P", "-m", "stdioguard", "approvals", "approve", *arguments]
    return subprocess.run(command, capture_output=True, text=True, input="", timeout=60, start_new_session=True)


@attack(
    "a hundred different calls are made at once",
    must=f"at most {MAX_HELD} wait, the others are refused",
    twin="one that waits is approved and runs",
)
def _(stage: Stage) -> None:
    talk = stage.open(watched=True)
    calls = [talk.call({"n": number}) for number in range(MAX_HELD + 10)]
    for call in calls[MAX_HELD:]:
        assert f"more than {MAX_HELD} calls wait" in stage.refused(talk.answer(call))
    question = waiting({"n": 0})
    stage.check(len(queue.waiting()) == MAX_HELD)
    assert yes(question)
    stage.runs(talk.answer(calls[0]))


@attack(
    "a hundred different calls are put to the client at once",
    must=f"it is asked about at most {MAX_HELD}",
    twin="one of them is approved and runs",
)
def _(stage: Stage) -> None:
    talk = stage.open(asks=True)
    calls = [talk.call({"n": number}) for number in range(MAX_HELD + 10)]
    questions = [talk.asked(call) for call in calls[:MAX_HELD]]
    for call in calls[MAX_HELD:]:
        assert f"more than {MAX_HELD} calls wait" in stage.refused(talk.answer(call))
    stage.runs(talk.answer(talk.reply(questions[0], YES, {"n": 0})))
    talk.asked(talk.call({"n": MAX_HELD}))


@attack("the same call is made fifty times at once", must="it is one question", twin="its yes lets one run")
def _(stage: Stage) -> None:
    talk = stage.open(watched=True)
    calls = [talk.call({"a": 1}) for _ in range(50)]
    deadline = time.monotonic() + 10
    while waiting({"a": 1}).members["times"] < 50:
        assert time.monotonic() < deadline
    stage.check(len(queue.waiting()) == 1)
    assert yes(waiting({"a": 1}))
    stage.runs(talk.answer(calls[0]))
    for call in calls[1:]:
        stage.refused(talk.answer(call))


@attack(
    "calls are made until somebody says yes, through the client",
    must=f"after {MAX_DENIALS} denials in a row nobody is asked",
    twin="a yes before that runs, and begins the count anew",
)
def _(stage: Stage) -> None:
    talk = stage.open(asks=True)

    def denied(times: int) -> None:
        for number in range(times):
            stage.refused(talk.answer(talk.reply(talk.asked(talk.call({"n": number})), NO, {"n": number})))

    denied(MAX_DENIALS - 1)
    stage.runs(talk.answer(talk.reply(talk.asked(talk.call({"a": 1})), YES, {"a": 1})))
    denied(MAX_DENIALS)
    assert "nobody is asked for a minute" in stage.refused(talk.answer(talk.call({"a": 1})))


@attack(
    "calls are made until somebody says yes, at a terminal",
    must=f"after {MAX_DENIALS} denials in a row nobody is asked",
    twin="a yes before that runs, and begins the count anew",
)
def _(stage: Stage) -> None:
    talk = stage.open(watched=True)

    def denied(times: int) -> None:
        for number in range(times):
            call = talk.call({"n": number})
            assert no(waiting({"n": number}))
            stage.refused(talk.answer(call))

    denied(MAX_DENIALS - 1)
    call = talk.call({"a": 1})
    assert yes(waiting({"a": 1}))
    stage.runs(talk.answer(call))
    denied(MAX_DENIALS)
    assert "nobody is asked for a minute" in stage.refused(talk.answer(talk.call({"a": 1})))
    stage.check(queue.waiting() == [])


@attack(
    "hundreds of calls are made while nobody is there",
    must=f"the last {MAX_PARKED} can be approved, the disk is not filled",
    twin="one of them is approved and runs",
)
def _(stage: Stage) -> None:
    talk = stage.open()
    for number in range(MAX_PARKED + 20):
        stage.refused(talk.answer(talk.call({"n": number})))
    stage.check(len(queue.waiting()) == MAX_PARKED)
    assert yes(waiting({"n": MAX_PARKED}))
    stage.runs(talk.answer(talk.call({"n": MAX_PARKED})))


@attack(
    "many questions, high risk among them, are approved by one command",
    must="a command decides one question",
    twin="that one runs",
)
def _(stage: Stage) -> None:
    set_passphrase(stage)
    talk = stage.open(risk="high")
    for tool in ("echo", "other"):
        stage.refused(talk.answer(talk.call({"t": tool}, tool)))
    high, normal = waiting({"t": "echo"}), waiting({"t": "other"})
    for attempt in (
        (high.id, normal.id),
        ("--all",),
        ("all",),
        ("*",),
        ("--yes", high.id, normal.id),
        (f"{high.id},{normal.id}",),
    ):
        stage.check(approve(*attempt).returncode != 0, attempt)
    stage.refused(talk.answer(talk.call({"t": "other"}, "other")))
    assert approve("--yes", normal.id).returncode == 0
    stage.refused(talk.answer(talk.call({"t": "echo"})))
    stage.runs(talk.answer(talk.call({"t": "other"}, "other")))


@attack("arguments that are too large to be shown are to be remembered", must="nothing is remembered", twin="the call runs, once")
def _(stage: Stage) -> None:
    talk = stage.open(watched=True)
    large = {"a": "x" * 300_000}
    call = talk.call(large)
    question = waiting({})
    assert question.members["remember"] is False
    assert yes(question, scope="always", constraints={"a": {"any": True}})
    stage.runs(talk.answer(call))
    stage.check(grants.listed() == [])
    call = talk.call({"a": "small"})
    stage.held(talk, call)


@attack(
    "a session's flood keeps the questions of another from a person",
    must="both are asked about",
    twin="the other's is approved and runs",
)
def _(stage: Stage) -> None:
    flood, talk = stage.open(watched=True), stage.open()
    calls = [flood.call({"n": number}) for number in range(MAX_HELD + 1)]
    stage.refused(flood.answer(calls[-1]))
    call = talk.call({"a": 1})
    assert yes(waiting({"a": 1}))
    stage.runs(talk.answer(call))
    stage.held(flood, calls[0])
