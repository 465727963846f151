"""Calls that wait for a person on channels other than the client's, in real sessions of both eras."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stdioguard.approval import grants, presence, proof, queue
from stdioguard.approval.desk import MAX_PARKED
from tests.approval import cheaply
from tests.launch.guarded import INITIALIZE, READY, Guarded

PROFILE = (
    'schema = 1\nname = "probe"\ndescription = "d"\n[tools]\ndefault = "confirm"\n[tools.rules]\n'
    'echo = {{ action = "confirm", risk = "{risk}"{more} }}\n{rest}'
)
ERAS = ("2025-11-25", "2026-07-28")
PASSPHRASE = "correct horse battery"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STDIOGUARD_HOME", str(tmp_path))
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


class Talk:
    """A session with the probe, opened in one era, whose client cannot ask anybody."""

    def __init__(
        self, home: Path, era: str, *, risk: str = "normal", more: str = "", rest: str = "", listed: bool = True
    ) -> None:
        self.guarded = Guarded(home, profile=PROFILE.format(risk=risk, more=more, rest=rest))
        self.modern = era == "2026-07-28"
        self._id = 10
        if not self.modern:
            self.guarded.write({**INITIALIZE, "params": {**INITIALIZE["params"], "protocolVersion": era}})
            assert "result" in (self.guarded.read() or {})
            self.guarded.write(READY)
        if listed:
            self.request("tools/list")
            assert "result" in self.answer()

    def __enter__(self) -> Talk:
        return self

    def __exit__(self, *_: object) -> None:
        self.guarded.__exit__()

    def request(self, method: str, **params: Any) -> int:
        self._id += 1
        if self.modern:
            params["_meta"] = {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities": {},
            }
        self.guarded.write({"jsonrpc": "2.0", "id": self._id, "method": method, "params": params})
        return self._id

    def call(self, **arguments: Any) -> int:
        return self.request("tools/call", name="echo", arguments=arguments)

    def answer(self, timeout: float = 20.0) -> dict[str, Any]:
        found = self.guarded.read(timeout)
        assert found is not None
        return found

    def ran(self, answer: dict[str, Any]) -> bool:
        """Tell whether the server has answered; anything else must be a refusal of the guard's."""
        if answer.get("result", {}).get("structuredContent") is not None:
            return True
        assert "did not run" in json.dumps(answer), answer
        return False


@pytest.fixture(params=ERAS)
def era(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def watched(home: Path) -> Iterator[None]:
    """Somebody sits before a terminal."""
    with presence.present("terminal"):
        yield


def waiting(**arguments: Any) -> queue.Waiting:
    """Return the question about a call of `echo` with these arguments, once it is there."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        for question in queue.waiting():
            if json.dumps(question.members["arguments"], sort_keys=True) == json.dumps(arguments, sort_keys=True):
                return question
        time.sleep(0.02)
    raise AssertionError(f"nobody is asked about {arguments}: {[question.members for question in queue.waiting()]}")


def decide(question: queue.Waiting, *, approved: bool, **more: Any) -> bool:
    return queue.decide(question.id, question.members["digest"], approved=approved, channel="terminal", **more)


@pytest.mark.usefixtures("watched")
@pytest.mark.parametrize("approved", [True, False])
def test_a_call_is_held_until_somebody_at_a_terminal_decides(home: Path, era: str, approved: bool) -> None:
    with Talk(home, era) as talk:
        talk.call(a=1)
        question = waiting(a=1)
        assert question.members["tool"] == "echo"
        assert not question.members["parked"]
        with pytest.raises(TimeoutError):
            talk.answer(0.5)
        assert decide(question, approved=approved)
        assert talk.ran(talk.answer()) is approved
        assert queue.waiting() == []
        talk.guarded.finish()
        verdicts = [(entry["verdict"], entry.get("channel")) for entry in talk.guarded.records() if entry.get("tool") == "echo"]
    assert verdicts[:2] == [("ask", None), ("approve" if approved else "refuse", "terminal")]


def test_where_nobody_can_be_asked_the_call_may_be_approved_for_the_next_time_once(home: Path, era: str) -> None:
    with Talk(home, era) as talk:
        talk.call(a=1)
        refused = talk.answer()
        assert not talk.ran(refused)
        question = waiting(a=1)
        assert question.members["parked"]
        assert f"stdioguard approvals approve {question.id}" in json.dumps(refused)
        talk.call(a=1)
        assert f"stdioguard approvals approve {question.id}" in json.dumps(talk.answer())  # the same question, not another
        assert decide(question, approved=True)
        for arguments, runs in (({"a": 2}, False), ({"a": 1}, True), ({"a": 1}, False)):
            talk.call(**arguments)
            assert talk.ran(talk.answer()) is runs, arguments


def test_a_flood_of_calls_that_nobody_can_be_asked_about_leaves_the_last_few_to_approve(home: Path) -> None:
    with Talk(home, ERAS[0]) as talk:
        for number in range(MAX_PARKED + 10):
            talk.call(a=number)
            assert not talk.ran(talk.answer())
        assert [question.members["arguments"]["a"] for question in queue.waiting()] == list(range(10, MAX_PARKED + 10))
        assert len(list(Path(queue.folder()).glob("*.json"))) == MAX_PARKED
        assert decide(waiting(a=MAX_PARKED), approved=True)
        talk.call(a=MAX_PARKED)
        assert talk.ran(talk.answer())


OTHERS = {
    "a float for an integer": '{"a": 1.0}',
    "a text for a number": '{"a": "1"}',
    "true for one": '{"a": true}',
    "another value": '{"a": 2}',
    "one key more": '{"a": 1, "b": null}',
    "no keys": "{}",
    "a key in another case": '{"A": 1}',
    "a list around it": '{"a": [1]}',
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_an_approval_is_for_these_very_arguments(home: Path, other: str) -> None:
    with Talk(home, ERAS[0]) as talk:
        talk.call(a=1)
        talk.answer()
        assert decide(waiting(a=1), approved=True)
        talk.call(**json.loads(other))
        assert not talk.ran(talk.answer())
        talk.call(a=1)
        assert talk.ran(talk.answer())


def test_equal_arguments_in_another_order_are_the_same_and_normal_forms_of_a_letter_are_not(home: Path) -> None:
    with Talk(home, ERAS[0]) as talk:
        talk.call(a=1, b="\u00e9")
        talk.answer()
        assert decide(waiting(a=1, b="\u00e9"), approved=True)
        talk.call(a=1, b="e\u0301")
        assert not talk.ran(talk.answer())
        talk.call(b="\u00e9", a=1)
        assert talk.ran(talk.answer())


@pytest.mark.usefixtures("watched")
def test_of_two_channels_the_first_counts(home: Path, era: str) -> None:
    with Talk(home, era) as talk:
        talk.call(a=1)
        question = waiting(a=1)
        assert decide(question, approved=False)
        assert not queue.decide(question.id, question.members["digest"], approved=True, channel="page")
        assert not talk.ran(talk.answer())


@pytest.mark.usefixtures("watched")
def test_what_was_cancelled_cannot_be_approved(home: Path) -> None:
    with Talk(home, ERAS[0]) as talk:
        number = talk.call(a=1)
        question = waiting(a=1)
        talk.guarded.write({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": number}})
        talk.request("tools/list")
        talk.answer()
        decide(question, approved=True)
        with pytest.raises(TimeoutError):
            talk.answer(1.0)
        talk.call(a=1)
        waiting(a=1)  # asked anew


FORGED = {
    "of another digest": {"digest": "0" * 64},
    "of another question": {"id": "abcdefgh"},
    "by a channel that there is not": {"channel": "dialog"},
    "of the client's": {"channel": "client"},
    "that is no yes": {"approved": 1},
    "that is a text": {"approved": "true"},
}


@pytest.mark.usefixtures("watched")
@pytest.mark.parametrize("members", FORGED.values(), ids=FORGED)
def test_a_decision_that_does_not_fit_is_no_decision(home: Path, members: dict[str, Any]) -> None:
    with Talk(home, ERAS[0]) as talk:
        talk.call(a=1)
        question = waiting(a=1)
        said = {"id": question.id, "digest": question.members["digest"], "approved": True, "channel": "terminal", **members}
        path = Path(queue.folder()) / f"{question.id}.decision.json"
        path.touch(0o600)
        path.write_text(json.dumps(said))
        with pytest.raises(TimeoutError):
            talk.answer(1.0)
        assert decide(question, approved=True)
        assert talk.ran(talk.answer())


@pytest.mark.usefixtures("watched")
def test_the_same_call_made_again_is_not_asked_about_twice_and_one_yes_is_for_one_call(home: Path) -> None:
    with Talk(home, ERAS[0]) as talk:
        ids = [talk.call(a=1) for _ in range(3)]
        deadline = time.monotonic() + 5
        while (question := waiting(a=1)).members["times"] < 3:
            assert time.monotonic() < deadline
        assert len(queue.waiting()) == 1
        assert decide(question, approved=True)
        answers = {answer["id"]: answer for answer in (talk.answer(), talk.answer(), talk.answer())}
        assert [talk.ran(answers[number]) for number in ids] == [True, False, False]


def test_a_question_goes_with_its_guard(home: Path) -> None:
    with presence.present("terminal"), Talk(home, ERAS[0]) as talk:
        talk.call(a=1)
        question = waiting(a=1)
        talk.guarded.process.kill()
        talk.guarded.process.wait()
        assert queue.waiting() == []
        assert not (Path(queue.folder()) / f"{question.id}.json").exists()


# --- high risk -----------------------------------------------------------------------------------------------------------------


def signed(question: queue.Waiting, passphrase: str = PASSPHRASE, **more: Any) -> bool:
    key = proof.read()
    assert key is not None
    more = {"seen": proof.seen(question.members), **more}
    said = {"id": question.id, "digest": question.members["digest"], "approved": True, "channel": "terminal", **more}
    return decide(question, approved=True, **more, signature=proof.sign(passphrase, key, said))


def set_passphrase(home: Path, passphrase: str = PASSPHRASE) -> None:
    (home / "config").mkdir(0o700, exist_ok=True)
    path = Path(proof.path())
    path.unlink(missing_ok=True)
    path.touch(0o600)
    path.write_text(json.dumps(cheaply(passphrase)))


def test_high_risk_is_approved_by_whoever_knows_the_passphrase_and_by_no_file_alone(home: Path, era: str) -> None:
    set_passphrase(home)
    with presence.present("terminal"), Talk(home, era, risk="high") as talk:
        talk.call(a=1)
        question = waiting(a=1)
        assert decide(question, approved=True)  # what an agent with a shell can write
        with pytest.raises(TimeoutError):
            talk.answer(1.0)
        set_passphrase(home, "another passphrase")  # or this: it counts for sessions that begin after it
        assert signed(waiting(a=1), "another passphrase")
        with pytest.raises(TimeoutError):
            talk.answer(1.0)
        set_passphrase(home)
        question = waiting(a=1)
        key = proof.read()
        assert key is not None
        assert not proof.is_signed(key, {"signature": "00"})
        assert decide(question, approved=False)  # a no needs no proof
        assert not talk.ran(talk.answer())


def test_a_signature_is_for_one_question(home: Path) -> None:
    set_passphrase(home)
    with presence.present("terminal"), Talk(home, ERAS[0], risk="high") as talk:
        setting = json.loads(Path(proof.path()).read_text())
        for number in (1, 2):
            talk.call(a=number)
            question = waiting(a=number)
            seen = proof.seen(question.members)
            said = {
                "id": question.id,
                "digest": question.members["digest"],
                "approved": True,
                "channel": "terminal",
                "seen": seen,
            }
            if number == 1:
                old = proof.sign(PASSPHRASE, setting, said)
                assert decide(question, approved=True, seen=seen, signature=old)
                assert talk.ran(talk.answer())
            else:
                assert decide(question, approved=True, seen=seen, signature=old)
                with pytest.raises(TimeoutError):
                    talk.answer(1.0)


@pytest.mark.parametrize("name", ["server", "client", "rule", "cwd", "tool"])
def test_a_signature_is_for_what_the_guard_has_written_and_not_for_what_another_wrote_over_it(home: Path, name: str) -> None:
    set_passphrase(home)
    with presence.present("terminal"), Talk(home, ERAS[0], risk="high") as talk:
        talk.call(a=1)
        question = waiting(a=1)
        path = Path(queue.folder()) / f"{question.id}.json"
        written = path.read_text()
        path.write_text(json.dumps({**json.loads(written), name: "something harmless"}))
        assert signed(waiting(a=1))
        with pytest.raises(TimeoutError):
            talk.answer(1.0)
        path.write_text(written)
        assert signed(waiting(a=1))
        assert talk.ran(talk.answer())


def test_high_risk_is_remembered_for_a_session_at_most(home: Path) -> None:
    set_passphrase(home)
    with presence.present("terminal"), Talk(home, ERAS[0], risk="high") as talk:
        talk.call(a=1)
        assert signed(waiting(a=1), scope="always", constraints={"a": {"any": True}})
        assert talk.ran(talk.answer())
        assert grants.listed() == []
        talk.call(a=2)
        assert signed(waiting(a=2), scope="session", constraints={"a": {"any": True}})
        assert talk.ran(talk.answer())
        talk.call(a=3)
        assert talk.ran(talk.answer())


# --- grants --------------------------------------------------------------------------------------------------------------------


CONSTRAINTS = {
    "equal": ({"a": {"equals": 1}}, {"a": 1}, [({"a": 1}, True), ({"a": 1.0}, False), ({"a": 1, "b": 2}, False)]),
    "any": ({"a": {"any": True}}, {"a": 1}, [({"a": "x"}, True), ({}, False), ({"a": 1, "b": 2}, False)]),
    "inside": (
        {"a": {"inside": "/tmp"}},
        {"a": "/tmp/x"},
        [({"a": "/tmp/y/z"}, True), ({"a": "/etc/passwd"}, False), ({"a": "/tmp/../etc/passwd"}, False), ({"a": ["/tmp/x"]}, False),
         ({"a": "~/x"}, False), ({"a": "file:///tmp/x"}, False), ({"a": "/tmpx"}, False)],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("constraints", "first", "later"), CONSTRAINTS.values(), ids=CONSTRAINTS)
def test_a_grant_decides_for_calls_like_the_first_and_for_no_other(
    home: Path, constraints: dict[str, Any], first: dict[str, Any], later: list[tuple[dict[str, Any], bool]]
) -> None:
    with Talk(home, ERAS[0]) as talk:
        talk.call(**first)
        talk.answer()
        assert decide(waiting(**first), approved=True, scope="always", constraints=constraints)
        for arguments, runs in later:
            talk.call(**arguments)
            assert talk.ran(talk.answer()) is runs, arguments
    (grant,) = grants.listed()
    with Talk(home, ERAS[1]) as talk:  # it outlives the session, and holds in the other era
        talk.call(**later[0][0])
        assert talk.ran(talk.answer())
        assert grants.revoke(grant.id)
        talk.call(**later[0][0])
        assert not talk.ran(talk.answer())


def test_a_denial_is_remembered_too(home: Path) -> None:
    with Talk(home, ERAS[0]) as talk:
        talk.call(a=1)
        talk.answer()
        assert decide(waiting(a=1), approved=False, scope="always", constraints={"a": {"any": True}})
        talk.call(a=5)
        answer = talk.answer()
        assert not talk.ran(answer)
        assert "a person has decided so" in json.dumps(answer)
        assert queue.waiting() == []


def test_a_grant_runs_out(home: Path) -> None:
    with Talk(home, ERAS[0]) as talk:
        talk.call(a=1)
        talk.answer()
        until = time.time() + 2
        assert decide(waiting(a=1), approved=True, scope="until", until=until, constraints={"a": {"any": True}})
        talk.call(a=2)
        assert talk.ran(talk.answer())
        time.sleep(max(0.0, until - time.time()) + 0.1)
        talk.call(a=2)
        assert not talk.ran(talk.answer())


UNFIT = {
    "constraints that the call itself does not meet": {"a": {"equals": 2}},
    "an argument without a constraint": {},
    "a constraint for nothing": {"a": {"any": True}, "b": {"any": True}},
    "a constraint of two kinds": {"a": {"any": True, "equals": 1}},
    "any that is false": {"a": {"any": False}},
    "no constraint at all": {"a": {}},
    "a list": [],
}


@pytest.mark.parametrize("constraints", UNFIT.values(), ids=UNFIT)
def test_what_is_no_grant_is_a_yes_for_this_call_at_most(home: Path, constraints: Any) -> None:
    with presence.present("terminal"), Talk(home, ERAS[0]) as talk:
        talk.call(a=1)
        assert decide(waiting(a=1), approved=True, scope="always", constraints=constraints)
        assert talk.ran(talk.answer())
        assert grants.listed() == []
        talk.call(a=1)
        assert decide(waiting(a=1), approved=False)
        assert not talk.ran(talk.answer())


def test_what_the_profile_does_not_let_be_remembered_is_not(home: Path) -> None:
    with presence.present("terminal"), Talk(home, ERAS[0], more=", remember = false") as talk:
        talk.call(a=1)
        question = waiting(a=1)
        assert question.members["remember"] is False
        assert decide(question, approved=True, scope="always", constraints={"a": {"any": True}})
        assert talk.ran(talk.answer())
    assert grants.listed() == []


def test_a_tool_that_was_never_listed_is_approved_once_and_not_remembered(home: Path) -> None:
    with presence.present("terminal"), Talk(home, ERAS[0], listed=False) as talk:
        talk.call(a=1)
        assert decide(waiting(a=1), approved=True, scope="always", constraints={"a": {"any": True}})
        assert talk.ran(talk.answer())
    assert grants.listed() == []


def test_a_grant_is_for_the_server_as_it_was(home: Path) -> None:
    with Talk(home, ERAS[0]) as talk:
        talk.call(a=1)
        talk.answer()
        assert decide(waiting(a=1), approved=True, scope="always", constraints={"a": {"any": True}})
        talk.call(a=1)
        assert talk.ran(talk.answer())
    with Talk(home, ERAS[0], rest="[sandbox]\nprocesses = 65\n") as talk:  # another profile is another server
        talk.call(a=1)
        assert not talk.ran(talk.answer())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can write as another user")
def test_a_grant_or_a_decision_of_another_user_is_none(home: Path) -> None:
    with Talk(home, ERAS[0]) as talk:
        talk.call(a=1)
        talk.answer()
        question = waiting(a=1)
        assert decide(question, approved=True, scope="always", constraints={"a": {"any": True}})
        os.chown(Path(queue.folder()) / f"{question.id}.decision.json", 65534, 65534)
        talk.call(a=1)
        assert not talk.ran(talk.answer())
    assert grants.listed() == []


def test_the_server_sees_nothing_of_the_queue_and_the_grants(home: Path) -> None:
    script = (
        "import os,sys,json\n"
        f"found=[p for p in {[str(home / 'runtime'), str(home / 'config')]!r} if os.access(p, os.R_OK) and os.listdir(p)]\n"
        "print(json.dumps(found), file=sys.stderr)\n"
    )
    with presence.present("terminal"):
        queue.folder()
        guarded = Guarded(home, sys.executable, "-c", script, profile=PROFILE.format(risk="normal", more="", rest=""))
        with guarded:
            guarded.write(INITIALIZE)
            guarded.read()
            _, errors = guarded.finish()
    assert "[]" in errors.split()[-1], errors
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "runtime" in done.stderr  # without the guard it is seen
