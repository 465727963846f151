"""High risk in dialogs: any program of the desktop can press a button, so to allow takes what the person knows. Each attack has its twin."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from stdioguard.approval import desktop, dialog, programs, proof
from stdioguard.approval.approver import Approver
from stdioguard.approval.desk import Desk
from stdioguard.guard.asking import Question
from stdioguard.guard.gates import rounds
from tests.approval import PASSPHRASE, cheaply
from tests.approval.screens import REAL, Person, Screen, skip_without, skip_without_screen, until
from tests.approval.test_approver import question, settle

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the displays here are X11's")

KEY = cheaply(PASSPHRASE)
DENIED = [{"id": "abcdefgh", "digest": "a" * 64, "approved": False, "scope": "once"}]


def high(**changed: Any) -> dict[str, Any]:
    return question(risk="high", **changed)


def allowed(answers: list[dict[str, Any]], scope: str = "once", asked: dict[str, Any] | None = None) -> bool:
    """Tell whether these are one approval that the passphrase has signed, for what was asked."""
    (answer,) = answers
    assert answer["approved"] is True
    assert answer["scope"] == scope
    assert answer["seen"] == proof.seen(asked or high())
    return proof.is_signed(KEY, {**answer, "channel": "dialog"})


@pytest.fixture
def screen() -> Iterator[Screen]:
    skip_without_screen()
    made = Screen()
    yield made
    made.close()


@pytest.fixture(params=REAL)
def program(request: pytest.FixtureRequest) -> str:
    skip_without(request.param)
    return str(request.param)


@pytest.fixture
def person(screen: Screen, program: str) -> Person:
    return Person(screen, program)


@pytest.fixture
def asked(program: str, screen: Screen, monkeypatch: pytest.MonkeyPatch) -> Iterator[Approver]:
    monkeypatch.setattr(desktop, "TOO_SOON", 0.3)  # these tests read fast; the process is forked and takes it with it
    made = Approver(program, screen.environment)
    yield made
    made.close()


def test_a_person_allows_with_the_passphrase(asked: Approver, person: Person) -> None:
    asked.ask(high(), KEY)
    person.allow(person.see(), PASSPHRASE)
    answers, failed = settle(asked)
    assert not failed
    assert allowed(answers)


def test_a_person_allows_for_the_session_with_the_passphrase(asked: Approver, person: Person) -> None:
    asked.ask(high(remember=True), KEY)
    person.allow(person.see(), PASSPHRASE, "session")
    assert allowed(settle(asked)[0], "session", high(remember=True))


def test_an_agent_that_presses_the_same_buttons_without_the_passphrase_allows_nothing(asked: Approver, person: Person) -> None:
    asked.ask(high(), KEY)
    pid = person.allow(person.see(), "password")
    for guess in ("hunter2!", PASSPHRASE.upper()):
        pid = person.next(pid)
        person.screen.type(guess)
        person.screen.press("Return")
    assert settle(asked) == (DENIED, [])  # the third wrong one denies


def test_an_agent_that_types_nothing_allows_nothing(asked: Approver, person: Person) -> None:
    asked.ask(high(), KEY)
    pid = person.see()
    if person.program == "tkinter":
        person.screen.press("Return", "Tab", "Tab", "Return", "space")  # nothing typed: these buttons say so
        assert person.screen.pids() == [pid]
        person.screen.press("Escape")
    else:
        person.choose("once")
        for _ in range(3):
            pid = person.next(pid)
            person.screen.press("Return")
    assert settle(asked) == (DENIED, [])


def test_who_mistypes_is_asked_again(asked: Approver, person: Person) -> None:
    asked.ask(high(), KEY)
    pid = person.allow(person.see(), "correct horse batter")
    person.next(pid)
    person.screen.type(PASSPHRASE)
    person.screen.press("Return")
    assert allowed(settle(asked)[0])


@pytest.mark.parametrize("way", ["Escape", "close"])
def test_a_person_denies_where_the_passphrase_is_asked(asked: Approver, person: Person, way: str) -> None:
    asked.ask(high(), KEY)
    pid = person.see()
    if person.program != "tkinter":
        person.choose("once")
        pid = person.next(pid)
    person.screen.type(PASSPHRASE)
    if way == "close":
        person.screen.close_window(person.screen.windows()[-1])
    else:
        person.screen.press("Escape")
    assert settle(asked) == (DENIED, [])


@pytest.mark.parametrize("keys", [["Return"], ["Tab", "space"], ["Tab", "Tab", "Tab", "space"], ["Down", "Return"]])
def test_without_a_passphrase_no_key_allows(asked: Approver, person: Person, keys: list[str]) -> None:
    asked.ask(high(), None)
    person.see()
    person.screen.press(*keys)
    if person.screen.windows():
        person.screen.press("Escape")
    answers, failed = settle(asked)
    assert [answer["approved"] for answer in answers] == [False]
    assert not failed


def test_a_question_that_is_withdrawn_takes_the_window_for_the_passphrase_along(asked: Approver, person: Person) -> None:
    asked.ask(high(), KEY)
    pid = person.see()
    if person.program != "tkinter":
        person.choose("once")
        person.next(pid)
    person.screen.type(PASSPHRASE)
    asked.withdraw("abcdefgh")
    until(lambda: not person.screen.windows(), 3.0)
    assert asked.answers() == []
    asked.ask(high(tool="other"), KEY)  # the same id again: nothing of what was typed or chosen is left
    person.allow(person.see(), PASSPHRASE)
    assert allowed(settle(asked)[0], asked=high(tool="other"))


@pytest.mark.parametrize("program", ["zenity"], indirect=True)
def test_who_finds_the_window_for_the_passphrase_can_see_the_question_first(asked: Approver, person: Person) -> None:
    asked.ask(high(), KEY)
    first = person.see()
    person.choose("once")  # whoever that was
    second = person.next(first)
    person.screen.press("Tab", "Tab", "Tab", "space")
    third = person.next(second)
    assert first != third
    person.allow(third, PASSPHRASE)
    assert allowed(settle(asked)[0])


# --- what the guard takes from the process of the dialogs ----------------------------------------------------------------------------------


class Claims:
    """A process of the dialogs that has been taken over: it says what the test has it say."""

    alive = True

    def __init__(self) -> None:
        self.asked: dict[str, Any] = {}
        self.says: list[dict[str, Any]] = []

    def ask(self, members: dict[str, Any], key: dict[str, Any] | None) -> bool:
        self.asked = {**members, "key": key}
        return True

    def answers(self) -> list[dict[str, Any]]:
        said, self.says = self.says, []
        return said

    def failed(self) -> list[tuple[str, str]]:
        return []

    def withdraw(self, id: str) -> None:  # noqa: A002
        pass

    def close(self) -> None:
        pass


OTHER = cheaply("another passphrase")
CLAIMS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "no signature": ("", {}, {}),
    "the signature of another passphrase": ("another passphrase", {}, {}),
    "a signature for another question": (PASSPHRASE, {"id": "bcdefghj"}, {}),
    "a signature for other arguments": (PASSPHRASE, {"digest": "0" * 64}, {}),
    "a signature for what was shown otherwise": (PASSPHRASE, {"seen": "0" * 64}, {}),
    "a signature for what is claimed to have been shown": (PASSPHRASE, {"seen": "0" * 64}, {"seen": "0" * 64}),
    "a signature for once": (PASSPHRASE, {}, {"scope": "session"}),
    "a signature from another channel": (PASSPHRASE, {"channel": "page"}, {}),
    "a signature for a denial": (PASSPHRASE, {"approved": False}, {}),
    "a signature that is no text": (PASSPHRASE, {}, {"signature": [1]}),
}


@pytest.mark.parametrize("name", CLAIMS)
def test_the_guard_takes_no_high_risk_without_the_signature_for_this_very_decision(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STDIOGUARD_HOME", str(tmp_path))
    claims, channels = Claims(), {"channels": ["dialog"], "high": ["dialog"]}
    guard = Desk(server_pin="p", session="s", channels=channels, approver=claims, key=KEY)  # type: ignore[arg-type]  # claims stands in for an approver that was taken over
    call = {"path": "/home/ana/x"}
    waits = Question(
        "abcdefgh", "write_file", call, rounds.digest("tools/call", {"arguments": call}), deadline=time.monotonic() + 60
    )
    waits.risk, waits.tool_pin = "high", "t"
    guard.ask(waits)
    assert claims.asked["key"] == KEY
    said = {"id": waits.id, "digest": waits.digest, "approved": True, "scope": "once", "seen": proof.seen(claims.asked)}
    passphrase, signed, changed = CLAIMS[name]
    setting = KEY if passphrase == PASSPHRASE else OTHER
    signature = proof.sign(passphrase, setting, {**said, "channel": "dialog", **signed}) if passphrase else ""
    claims.says = [{**said, "signature": signature, **changed}]
    assert guard.poll() == []
    claims.says = [{**said, "signature": proof.sign(PASSPHRASE, KEY, {**said, "channel": "dialog"})}]
    (found,) = guard.poll()
    assert found[1] is not None
    assert found[1].approved
    guard.close()


# --- what a plain shell of the same user can reach --------------------------------------------------------------------------------------


def dialog_of(asked: Approver) -> psutil.Process:
    found: psutil.Process = until(lambda: [one for one in psutil.Process(asked.pid).children() if one.name() == "sleep"])[0]
    return found


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Iterator[Approver]:
    """A dialog that stays."""

    def steps(_question: dict[str, Any], _program: str, _left: int | None) -> list[programs.Step]:
        return [programs.Step(programs.CHOICE, ["/bin/sleep", "60"], b"what is asked")]

    monkeypatch.setattr(programs, "steps", steps)
    made = Approver("tkinter", {})
    made.ask(high(), KEY)
    yield made
    made.close()


def test_what_a_dialog_says_cannot_be_read_by_another_program(shown: Approver) -> None:
    with pytest.raises(OSError, match=os.strerror(errno.ENXIO)):
        os.open(f"/proc/{dialog_of(shown).pid}/fd/1", os.O_RDONLY | os.O_NONBLOCK)
    with subprocess.Popen(
        ["/bin/sleep", "60"], stdout=subprocess.PIPE
    ) as control:  # a pipe is readable there by whoever is this user
        os.close(os.open(f"/proc/{control.pid}/fd/1", os.O_RDONLY | os.O_NONBLOCK))
        control.kill()


def test_the_question_that_a_dialog_reads_cannot_be_rewritten(shown: Approver) -> None:
    path = f"/proc/{dialog_of(shown).pid}/fd/0"
    with open(path, "rb") as file:
        assert file.read() == b"what is asked"
    descriptor = os.open(path, os.O_RDWR)
    try:
        with pytest.raises(PermissionError):
            os.write(descriptor, b"WHAT")
        with pytest.raises(PermissionError):
            os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)
    control = os.memfd_create("control")
    assert os.write(control, b"WHAT") == 4
    os.close(control)


def test_a_dialog_that_dies_leaves_no_core_with_a_passphrase(shown: Approver) -> None:
    process = dialog_of(shown)
    assert process.rlimit(psutil.RLIMIT_CORE) == (0, 0)
    os.kill(process.pid, signal.SIGSEGV)
    answers, failed = settle(shown)
    assert not answers
    assert len(failed) == 1


@pytest.mark.parametrize("program", REAL, indirect=True)
def test_the_passphrase_is_on_no_command_line_and_in_no_environment(asked: Approver, person: Person) -> None:
    asked.ask(high(), KEY)
    pid = person.see()
    if person.program != "tkinter":
        person.choose("once")
        pid = person.next(pid)
    person.screen.type(PASSPHRASE)
    below = psutil.Process(asked.pid).children(recursive=True)
    assert below
    said = [Path(f"/proc/{one.pid}/{name}").read_bytes() for one in below for name in ("cmdline", "environ")]
    assert any(person.screen.name.encode() in one for one in said)
    assert not any(word.encode() in one for one in said for word in PASSPHRASE.split())


@pytest.mark.parametrize("program", ["tkinter"], indirect=True)
def test_no_program_of_the_desktop_can_send_the_window_its_commands(asked: Approver, person: Person) -> None:
    python = dialog.interpreter()
    assert python is not None
    send = "import tkinter, sys; root = tkinter.Tk(className='other'); print(root.tk.call('send', sys.argv[1], 'expr 6*7'))"
    stay = "import tkinter; root = tkinter.Tk(className='control'); root.mainloop()"
    control = subprocess.Popen([python, "-c", stay], env={**os.environ, **person.screen.environment})

    def sent(name: str) -> bool:
        tried = subprocess.run(
            [python, "-c", send, name],
            env={**os.environ, **person.screen.environment},
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert "42" in tried.stdout or "no application named" in tried.stderr or "insecure" in tried.stderr, tried.stderr
        return "42" in tried.stdout

    asked.ask(high(), KEY)
    person.see()
    try:
        until(lambda: person.screen.do("search", "--onlyvisible", "--class", "control"))
        if not sent("control"):
            pytest.skip("send(n) is refused here for every window")  # the control: Tk refuses it where xhost lets hosts in
        assert not sent("stdioguard")
    finally:
        control.kill()
        control.wait()
