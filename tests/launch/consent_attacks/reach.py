"""Who else is on this machine: an agent with a shell, the sandboxed server, another user. None of them is the person."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from stdioguard.approval import presence, proof, queue
from tests.approval import STDIOGUARD, Terminal
from tests.launch.consent_attacks.signatures import PASSPHRASE, set_passphrase
from tests.launch.consent_attacks.stage import Stage, attack, place, said, waiting, yes

A = {"a": 1}


def command(*arguments: str, typed: str = "", **environment: str) -> int:
    """Run a command of stdioguard's as an agent's shell does, without a terminal; return its exit code."""
    return subprocess.run(
        [*STDIOGUARD, *arguments],
        capture_output=True,
        text=True,
        input=typed,
        timeout=60,
        env={**os.environ, **environment},
        start_new_session=True,
    ).returncode


def _shell(name: str, *more: str, typed: str = "", **environment: str) -> None:
    @attack(
        f"an agent's shell approves high risk {name}",
        must="the command decides nothing",
        twin="the person at a terminal, with the passphrase, does",
    )
    def play(stage: Stage) -> None:
        set_passphrase(stage)
        talk = stage.open(watched=True, risk="high")
        call, question = talk.call(A), waiting(A)
        stage.check(command("approvals", "approve", question.id, *more, typed=typed, **environment) != 0)
        stage.held(talk, call)
        with Terminal("approvals", "approve", question.id) as person:
            person.wait_for("passphrase to approve")
            person.type(f"{PASSPHRASE}\n")
            assert person.ends() == 0, person.screen
        stage.runs(talk.answer(call))


_shell("by the command alone")
_shell("with --yes", "--yes")
_shell("with --format json", "--format", "json")
_shell("for always", "--for", "always")
_shell("with the passphrase piped in", typed=f"{PASSPHRASE}\n")
_shell("with y piped in", typed="y\n" * 20)
_shell("with the passphrase in the environment", STDIOGUARD_PASSPHRASE=PASSPHRASE)
_shell("with the passphrase as an argument", "--passphrase", PASSPHRASE)


@attack(
    "an agent makes itself a terminal and approves high risk there",
    must="without the passphrase nothing is decided",
    twin="with it the call runs",
)
def _(stage: Stage) -> None:
    set_passphrase(stage)
    talk = stage.open(watched=True, risk="high")
    call, question = talk.call(A), waiting(A)
    for typed in ("\n", "y\n", "yes please\n", "\x04", "\x03", f"{PASSPHRASE} \n", f"{PASSPHRASE.upper()}\n"):
        with Terminal("approvals", "approve", question.id, "--yes") as shell:
            shell.wait_for("passphrase to approve")
            shell.type(typed)
            stage.check(shell.ends() != 0, shell.screen)
    stage.held(talk, call)
    with Terminal("approvals", "approve", question.id) as person:
        person.wait_for("passphrase to approve")
        person.type(f"{PASSPHRASE}\n")
        assert person.ends() == 0, person.screen
    stage.runs(talk.answer(call))


@attack(
    "an agent approves high risk where no passphrase was set",
    must="it can only be denied",
    twin="once one is set, in a new session, it runs",
)
def _(stage: Stage) -> None:
    talk = stage.open(risk="high")
    stage.refused(talk.answer(talk.call(A)))
    question = waiting(A)
    stage.check(command("approvals", "approve", question.id, "--yes") == 77)
    with Terminal("approvals", "approve", question.id, "--yes") as shell:
        stage.check(shell.ends() == 77, shell.screen)
    stage.refused(talk.answer(talk.call(A)))
    set_passphrase(stage)
    talk = stage.open(risk="high", watched=True)
    call, question = talk.call(A), waiting(A, not_these=(question.id,))
    with Terminal("approvals", "approve", question.id) as person:
        person.wait_for("passphrase to approve")
        person.type(f"{PASSPHRASE}\n")
        assert person.ends() == 0, person.screen
    stage.runs(talk.answer(call))


@attack(
    "an agent sets another passphrase by the command", must="without the old one it is not changed", twin="the person changes it"
)
def _(stage: Stage) -> None:
    before = set_passphrase(stage)
    stage.check(command("approvals", "passphrase", typed="an agent's own words\n" * 3) == 77)
    with Terminal("approvals", "passphrase") as shell:
        shell.wait_for("the passphrase until now")
        shell.type("an agent's own words\n")
        stage.check(shell.ends() == 77, shell.screen)
    stage.check(proof.read() == before)
    with Terminal("approvals", "passphrase") as person:
        person.wait_for("the passphrase until now")
        person.type(f"{PASSPHRASE}\n")
        person.wait_for("new passphrase")
        person.type("another horse, another battery\n")
        person.wait_for("the same again")
        person.type("another horse, another battery\n")
        assert person.ends() == 0, person.screen
    stage.fine(proof.read() not in (None, before))


@attack(
    "a program says that a terminal is watched",
    must="calls wait, and nothing is approved by that",
    twin="a person's decision counts",
)
def _(stage: Stage) -> None:
    talk = stage.open()
    with presence.present("terminal"), presence.present("page"):
        call, question = talk.call(A), waiting(A)
        stage.held(talk, call)
    assert yes(question)
    stage.runs(talk.answer(call))


@attack(
    "the sandboxed server looks into the queue, the grants and the keys",
    must="it sees none of it",
    twin="the person's own programs do",
)
def _(stage: Stage) -> None:
    set_passphrase(stage)
    talk = stage.open(watched=True)
    call, question = talk.call(A), waiting(A)
    paths = [queue.folder(), presence.folder(), str(stage.home / "config"), str(stage.home / "runtime"), proof.path()]
    paths += [os.path.join(queue.folder(), f"{question.id}.json")]
    for path in (
        *paths,
        *(f"/proc/self/root{path}" for path in paths),
        *(f"/proc/{talk.guarded.process.pid}/root{path}" for path in paths),
    ):
        seen = talk.answer(talk.call({"path": path}, "look"))["result"]["structuredContent"]
        stage.check("text" not in seen and not seen.get("names"), f"{path}: {seen}")
    stage.fine(all(os.path.exists(path) for path in paths) and bool(os.listdir(queue.folder())))
    assert yes(question)
    stage.runs(talk.answer(call))


@attack("the sandboxed server writes a decision", must="it cannot", twin="the person's own programs can")
def _(stage: Stage) -> None:
    talk = stage.open(watched=True)
    call, question = talk.call(A), waiting(A)
    decision = json.dumps(said(question))
    for path in (
        str(place(question)),
        f"/proc/self/root{place(question)}",
        str(stage.home / "config" / "grants" / "aaaaaaaa.json"),
    ):
        wrote = talk.answer(talk.call({"path": path, "text": decision}, "write"))["result"]["structuredContent"]
        # In a namespace of its own it may have a folder of that name, which is not this one.
        stage.check(not os.path.exists(path.removeprefix("/proc/self/root")), wrote)
    stage.held(talk, call)
    assert yes(question)
    stage.runs(talk.answer(call))


@attack(
    "the queue's folder is opened to others while a session runs",
    must="nothing in it is believed",
    twin="closed again, the person's decision counts",
)
def _(stage: Stage) -> None:
    talk = stage.open(watched=True)
    call, question = talk.call(A), waiting(A)
    Path(queue_folder := queue.folder()).chmod(0o777)
    with contextlib.suppress(OSError):
        yes(question)
    stage.held(talk, call)
    Path(queue_folder).chmod(0o700)
    assert yes(question)
    stage.runs(talk.answer(call))


@contextlib.contextmanager
def reachable(stage: Stage) -> Iterator[None]:
    """Have the session's home where anybody can go: only its own modes keep others out."""
    parent = Path(tempfile.mkdtemp(dir="/tmp"))
    parent.chmod(0o755)
    stage.home = parent / "home"
    stage.home.mkdir(0o700)
    stage.home.chmod(0o755)
    try:
        with mock.patch.dict(os.environ, STDIOGUARD_HOME=str(stage.home)):
            yield
    finally:
        shutil.rmtree(parent)


def other_user(*arguments: str) -> int:
    return subprocess.run(
        ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", *arguments], capture_output=True, timeout=60
    ).returncode


if os.geteuid() == 0 and shutil.which("setpriv"):

    @attack("another user reads the queue and answers", must="that user can do neither", twin="this one can do both")
    def _(stage: Stage) -> None:
        with reachable(stage):
            talk = stage.open(watched=True)
            call, question = talk.call(A), waiting(A)
            path = str(place(question))
            asked = path.replace(".decision.", ".")
            tries = (
                ("ls", queue.folder()),
                ("cat", asked),
                ("touch", path),
                ("rm", asked),
                ("ln", asked, path),
                ("ls", presence.folder()),
            )
            for attempt in tries:
                stage.check(other_user(*attempt) != 0, attempt)
            copy = f"import os; os.chdir({str(stage.home)!r}); os.listdir('runtime')"
            stage.check(other_user("/usr/bin/env", "python3", "-c", copy) != 0)
            stage.held(talk, call)
            assert yes(question)
            stage.runs(talk.answer(call))
            talk.guarded.finish()
