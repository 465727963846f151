"""A file that says yes, and that nobody has decided: the call waits on, and the person's own decision goes through at once."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from stdioguard.approval import proof, queue
from tests.launch.consent_attacks.stage import Stage, attack, place, put, said, waiting, yes

Forger = Callable[[Path, queue.Waiting], None]
A = {"a": 1}


def _without(member: str) -> Forger:
    def forge(path: Path, question: queue.Waiting) -> None:
        put(path, {key: value for key, value in said(question).items() if key != member})

    return forge


def _with(**members: object) -> Forger:
    return lambda path, question: put(path, said(question, **members))


def _as(mode: int) -> Forger:
    return lambda path, question: put(path, said(question), mode)


def _linked(path: Path, question: queue.Waiting) -> None:
    real = path.with_name("elsewhere")
    put(real, said(question))
    path.symlink_to(real)


def _hard_linked(path: Path, question: queue.Waiting) -> None:
    other = path.with_name("aaaaaaaa.decision.json")
    put(other, said(question, id="aaaaaaaa"))
    path.hardlink_to(other)


def _folder(path: Path, question: queue.Waiting) -> None:
    path.mkdir()
    put(path / path.name, said(question))


def _of_another_user(path: Path, question: queue.Waiting) -> None:
    put(path, said(question))
    os.chown(path, 65534, 65534)


def _twice(path: Path, question: queue.Waiting) -> None:
    put(
        path,
        f'{{"id":"{question.id}","digest":"{question.members["digest"]}","channel":"page","approved":false,"approved":true}}',
    )


FORGED: dict[str, Forger] = {
    "for another digest": _with(digest="0" * 64),
    "for no digest": _without("digest"),
    "for a digest in capitals": lambda path, question: put(path, said(question, digest=question.members["digest"].upper())),
    "for another question": _with(id="aaaaaaaa"),
    "for no question": _without("id"),
    "by no channel": _without("channel"),
    "by the client": _with(channel="client"),
    "by the dialog": _with(channel="dialog"),
    "without a word about approval": _without("approved"),
    "with 1 for true": _with(approved=1),
    'with "true" for true': _with(approved="true"),
    "with null for true": _with(approved=None),
    "about something else that was shown": _with(seen="0" * 64),
    "in a list": lambda path, question: put(path, [said(question)]),
    "with a key twice": _twice,
    "that is cut off": lambda path, question: put(path, '{"id":"' + question.id),
    "that is empty": lambda path, _: put(path, b""),
    "of two megabytes": lambda path, question: put(path, said(question, more="x" * (2 << 20))),
    "in UTF-16": lambda path, question: put(path, str(said(question)).encode("utf-16")),
    "nested ten thousand deep": lambda path, _: put(path, "[" * 10000),
    "which everybody can read": _as(0o644),
    "which a group can write": _as(0o620),
    "with the set-user-id bit": _as(0o4600),
    "behind a symbolic link": _linked,
    "which is a hard link to another's": _hard_linked,
    "which is a folder": _folder,
    "which is a pipe": lambda path, _: os.mkfifo(path, 0o600),
    "which is a socket": lambda path, _: os.mknod(path, stat.S_IFSOCK | 0o600),
}
if os.geteuid() == 0:
    FORGED["which belongs to another user"] = _of_another_user


def _enter(name: str, forge: Forger) -> None:
    @attack(
        f"a yes is written {name}",
        must="the call waits on, and the question is still there to be answered",
        twin="the person's decision counts, though it came second",
    )
    def play(stage: Stage) -> None:
        talk = stage.open(watched=True)
        call, question = talk.call(A), waiting(A)
        forge(place(question), question)
        stage.check([other.id for other in queue.waiting()] == [question.id])
        stage.held(talk, call)
        if not os.path.lexists(place(question)):
            forge(place(question), question)  # the guard has taken the first one away
        assert yes(question)
        stage.runs(talk.answer(call))


for _name, _forge in FORGED.items():
    _enter(_name, _forge)


@attack(
    "a yes is written for a question that nobody has asked", must="the next call is asked about", twin="its own decision counts"
)
def _(stage: Stage) -> None:
    talk = stage.open(watched=True)
    call, first = talk.call(A), waiting(A)
    assert yes(first)
    stage.runs(talk.answer(call))
    for number in range(200):
        guess = queue.new_id()
        put(place(first).with_name(f"{guess}.decision.json"), said(first, id=guess, a=number))
    call, asked = talk.call(A), waiting(A)
    stage.held(talk, call)
    assert yes(asked)
    stage.runs(talk.answer(call))


@attack(
    "the question's file is rewritten to show another tool",
    must="a yes to what is shown does not count",
    twin="a yes to what is asked does",
)
def _(stage: Stage) -> None:
    talk = stage.open(watched=True)
    call, question = talk.call(A), waiting(A)
    path = Path(queue.folder()) / f"{question.id}.json"
    whole = {**question.members}
    put(path, {**whole, "tool": "read_only_status", "rule": "nothing to see"})
    shown = waiting(A)
    assert yes(shown, seen=proof.seen(shown.members))
    stage.held(talk, call)
    put(path, whole)
    assert yes(question, seen=proof.seen(question.members))
    stage.runs(talk.answer(call))
