"""High risk: what nobody has signed, or what was signed for something else, lets nothing run."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stdioguard.approval import proof, queue
from tests.approval import cheaply
from tests.launch.consent_attacks.stage import Json, Stage, attack, no, place, put, said, waiting

PASSPHRASE = "correct horse battery"
A = {"a": 1}


def set_passphrase(stage: Stage, passphrase: str = PASSPHRASE) -> Json:
    """Set a passphrase; return what the guard reads."""
    folder = stage.home / "config"
    folder.mkdir(0o700, exist_ok=True)
    setting = cheaply(passphrase)
    put(Path(proof.path()), setting)
    return setting


def signed(question: queue.Waiting, setting: Json, passphrase: str = PASSPHRASE, **more: Any) -> Json:
    """Return a decision as a person signs it."""
    made = said(question, seen=proof.seen(question.members), **more)
    return {**made, "signature": proof.sign(passphrase, setting, made)}


def _by_another(question: queue.Waiting, _: Json) -> Json:
    return signed(question, cheaply("another passphrase"), "another passphrase")


def _over_another_question(question: queue.Waiting, setting: Json) -> Json:
    other = queue.Waiting("aaaaaaaa", {**question.members, "id": "aaaaaaaa"})
    return {**signed(other, setting), "id": question.id, "seen": proof.seen(question.members)}


def _over_another_call(question: queue.Waiting, setting: Json) -> Json:
    other = queue.Waiting(question.id, {**question.members, "digest": "0" * 64})
    return {**signed(other, setting), "digest": question.members["digest"]}


def _over_another_look(question: queue.Waiting, setting: Json) -> Json:
    made = said(question, seen=proof.seen({**question.members, "server": "harmless"}))
    return {**made, "signature": proof.sign(PASSPHRASE, setting, made)}


def _changed(**members: Any) -> Callable[[queue.Waiting, Json], Json]:
    return lambda question, setting: {**signed(question, setting), **members}


FORGED: dict[str, Callable[[queue.Waiting, Json], Any]] = {
    "without a signature": lambda question, _: said(question, seen=proof.seen(question.members)),
    "without a signature, and without what was seen": lambda question, _: said(question),
    "with a signature by another passphrase": _by_another,
    "with a signature over another question": _over_another_question,
    "with a signature over another call": _over_another_call,
    "with a signature over something else that was shown": _over_another_look,
    "that was signed as a no": lambda question, setting: {**signed(question, setting, approved=False), "approved": True},
    "that was signed for once, for the session": _changed(scope="session", constraints={"a": {"any": True}}),
    "that was signed for another channel": _changed(channel="page"),
    "with an empty signature": _changed(signature=""),
    "with a signature that is a list": _changed(signature=[1, 2]),
    "with a signature of zeros": _changed(signature="00" * 64),
    "with the public key as the signature": lambda question, setting: {**said(question), "signature": setting["public"] * 2},
}


def _enter(name: str, forge: Callable[[queue.Waiting, Json], Any]) -> None:
    @attack(f"a yes to high risk is written {name}", must="the call waits on", twin="what the person signs counts")
    def play(stage: Stage) -> None:
        setting = set_passphrase(stage)
        talk = stage.open(watched=True, risk="high")
        call, question = talk.call(A), waiting(A)
        put(place(question), forge(question, setting))
        stage.check([other.id for other in queue.waiting()] == [question.id])
        stage.held(talk, call)
        put(place(question), forge(question, setting))
        good = signed(question, setting)
        assert queue.decide(**good)
        stage.runs(talk.answer(call))


for _name, _forge in FORGED.items():
    _enter(_name, _forge)


@attack("the signature that let a call run is used for the next one like it", must="that one waits", twin="signed itself it runs")
def _(stage: Stage) -> None:
    setting = set_passphrase(stage)
    talk = stage.open(watched=True, risk="high")
    call, question = talk.call(A), waiting(A)
    used = signed(question, setting)
    assert queue.decide(**used)
    stage.runs(talk.answer(call))
    call, asked = talk.call(A), waiting(A)
    put(place(question), used)
    put(place(asked), used)
    stage.held(talk, call)
    put(place(asked), {**used, "id": asked.id, "seen": proof.seen(asked.members)})
    stage.held(talk, call)
    assert queue.decide(**signed(asked, setting))
    stage.runs(talk.answer(call))


@attack("a signature of one session is used in another with the same call", must="that one waits", twin="signed itself it runs")
def _(stage: Stage) -> None:
    setting = set_passphrase(stage)
    talk = stage.open(watched=True, risk="high")
    talk.call(A)
    first = waiting(A)
    other = stage.open(risk="high")
    call = other.call(A)
    asked = waiting(A, not_these=(first.id,))
    put(place(asked), {**signed(first, setting), "id": asked.id})
    stage.held(other, call)
    assert queue.decide(**signed(asked, setting))
    stage.runs(other.answer(call))


@attack(
    "the key on the disk is replaced while a session runs", must="what it signs does not count", twin="what the person signs does"
)
def _(stage: Stage) -> None:
    setting = set_passphrase(stage)
    talk = stage.open(watched=True, risk="high")
    call, question = talk.call(A), waiting(A)
    own = set_passphrase(stage, "what the agent knows")
    put(place(question), signed(question, own, "what the agent knows"))
    stage.held(talk, call)
    put(Path(proof.path()), setting)
    assert queue.decide(**signed(question, setting))
    stage.runs(talk.answer(call))


def _no_key(name: str, plant: Callable[[Path], None]) -> None:
    @attack(f"a key is planted {name}", must="it is no key: high risk can only be denied", twin="the person's own key is one")
    def play(stage: Stage) -> None:
        setting = set_passphrase(stage, "what the agent knows")
        plant(Path(proof.path()))
        talk = stage.open(watched=True, risk="high")
        stage.refused(talk.answer(talk.call(A)))
        question = waiting(A)
        put(place(question), signed(question, setting, "what the agent knows"))
        stage.refused(talk.answer(talk.call(A)))
        Path(proof.path()).unlink()
        setting = set_passphrase(stage)
        talk = stage.open(risk="high")
        call, asked = talk.call(A), waiting(A, not_these=(question.id,))
        assert queue.decide(**signed(asked, setting))
        stage.runs(talk.answer(call))


def _behind_a_link(path: Path) -> None:
    path.rename(path.with_name("mine"))
    path.symlink_to("mine")


_no_key("that others can read", lambda path: path.chmod(0o644))
_no_key("behind a link", _behind_a_link)
if os.geteuid() == 0:
    _no_key("by another user", lambda path: os.chown(path, 65534, 65534))


@attack(
    "the risk of a question is lowered in the queue",
    must="a yes without a signature does not count",
    twin="a signed one to what is asked does",
)
def _(stage: Stage) -> None:
    setting = set_passphrase(stage)
    talk = stage.open(watched=True, risk="high")
    call, question = talk.call(A), waiting(A)
    put(Path(queue.folder()) / f"{question.id}.json", {**question.members, "risk": "low"})
    lowered = waiting(A)
    put(place(question), said(lowered, seen=proof.seen(lowered.members)))
    stage.held(talk, call)
    put(Path(queue.folder()) / f"{question.id}.json", question.members)
    assert queue.decide(**signed(question, setting))
    stage.runs(talk.answer(call))


@attack(
    "a no to high risk, which needs no signature, is turned into a yes", must="the call waits on", twin="the no itself counts"
)
def _(stage: Stage) -> None:
    set_passphrase(stage)
    talk = stage.open(watched=True, risk="high")
    call, question = talk.call(A), waiting(A)
    assert no(question)
    stage.refused(talk.answer(call))
    call, question = talk.call(A), waiting(A)
    put(place(question), said(question))
    stage.held(talk, call)
    assert no(question)
    stage.fine("did not run" in stage.refused(talk.answer(call)))
