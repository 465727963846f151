"""The process that shows dialogs: real programs on a display of the tests' own, driven by keys; and programs that misbehave."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest

from stdioguard.approval import approver, desktop, programs
from stdioguard.approval.approver import Approver
from tests.approval.screens import REAL, Person, Screen, skip_without, skip_without_screen, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the displays here are X11's")

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def question(id_: str = "abcdefgh", **changed: Any) -> dict[str, Any]:
    members: dict[str, Any] = {
        "id": id_,
        "digest": id_[0] * 64,
        "server": "filesystem",
        "client": "claude-desktop",
        "tool": "write_file",
        "risk": "normal",
        "arguments": {"path": "/home/ana/plan.txt", "content": "buy milk"},
        "remember": False,
    }
    return {**members, **changed}


def settle(asked: Approver, patience: float = 20.0) -> tuple[list[dict[str, Any]], list[tuple[str, str]]]:
    """Wait for an answer or a failure; return both."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        select.select([asked.descriptor], [], [], 0.1)
        answers, failed = asked.answers(), asked.failed()
        if answers or failed or not asked.alive:
            return answers, failed
    raise AssertionError("nothing came")


# --- a display, and a person at it --------------------------------------------------------------------------------------------------


@pytest.fixture
def screen() -> Iterator[Screen]:
    skip_without_screen()
    made = Screen()
    yield made
    made.close()


@pytest.fixture(params=REAL)
def program(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    skip_without(name)
    return name


@pytest.fixture
def asked(program: str, screen: Screen, monkeypatch: pytest.MonkeyPatch) -> Iterator[Approver]:
    monkeypatch.setattr(desktop, "TOO_SOON", 0.3)  # these tests read fast; the process is forked and takes it with it
    made = Approver(program, screen.environment)
    yield made
    made.close()
    until(lambda: not psutil.pid_exists(made.pid) or psutil.Process(made.pid).status() == psutil.STATUS_ZOMBIE)
    assert screen.server.poll() is not None or not screen.windows()


@pytest.fixture
def person(screen: Screen, program: str) -> Person:
    return Person(screen, program)


def test_a_person_allows_once(asked: Approver, person: Person) -> None:
    assert asked.ask(question())
    person.see()
    person.choose("once")
    assert settle(asked) == ([{"id": "abcdefgh", "digest": "a" * 64, "approved": True, "scope": "once"}], [])


def test_a_person_allows_for_the_session_where_that_is_offered(asked: Approver, person: Person) -> None:
    assert asked.ask(question(remember=True))
    person.see()
    person.choose("session")
    assert settle(asked) == ([{"id": "abcdefgh", "digest": "a" * 64, "approved": True, "scope": "session"}], [])


@pytest.mark.parametrize("way", ["deny", "Escape", "close"])
def test_a_person_denies(asked: Approver, person: Person, way: str) -> None:
    asked.ask(question(remember=True))
    person.see()
    if way == "close":
        person.screen.close_window(person.screen.windows()[-1])
    elif way == "Escape":
        person.screen.press("Escape")
    else:
        person.choose("deny")
    assert settle(asked) == ([{"id": "abcdefgh", "digest": "a" * 64, "approved": False, "scope": "once"}], [])


@pytest.mark.parametrize("keys", [["Return"], ["Tab", "Return", "alt+a", "space"]])
def test_keys_that_were_meant_for_another_window_allow_nothing(asked: Approver, person: Person, keys: list[str]) -> None:
    asked.ask(question(remember=True))
    window = until(person.screen.windows)[-1]
    person.screen.do("windowfocus", window)
    for _ in range(3):
        person.screen.do("key", *keys)
    if person.screen.windows():
        person.screen.press("Escape", "Escape")
    if person.program == "kdialog":
        time.sleep(0.5)
        person.screen.press("Escape")
    answers, failed = settle(asked)
    assert [answer["approved"] for answer in answers] == [False]
    assert not failed


def test_a_dialog_that_is_shown_goes_when_its_question_is_withdrawn(asked: Approver, person: Person) -> None:
    asked.ask(question())
    person.screen.window()
    asked.withdraw("abcdefgh")
    until(lambda: not person.screen.windows(), 3.0)
    asked.ask(question("bcdefghj"))  # the next one is asked nevertheless
    person.see()
    person.choose("once")
    assert settle(asked)[0] == [{"id": "bcdefghj", "digest": "b" * 64, "approved": True, "scope": "once"}]


def test_questions_are_shown_one_after_the_other(asked: Approver, person: Person) -> None:
    for id_ in ("abcdefgh", "bcdefghj", "cdefghjk"):
        asked.ask(question(id_))
    asked.withdraw("bcdefghj")
    person.see()
    assert len(person.screen.windows()) == 1
    person.choose("once")
    first = settle(asked)[0]
    person.see()
    person.choose("deny")
    assert [(answer["id"], answer["approved"]) for answer in first + settle(asked)[0]] == [
        ("abcdefgh", True),
        ("cdefghjk", False),
    ]


HOSTILE = {
    "<b>bold</b>": "<span size='1'>&amp; gone</span> & <qt><h1>risk: low</h1></qt>",
    "--ok-label=Allow": "--extra-button=Allow once",
    "-e": "--",
    "lines": "x\n\n\r\nrisk: low\x00\x1b[2J\ud800",
    "bidi": "\u202e\u2066\u200f abc \u05d0\u05d1",
    "size": "x" * 100_000,
    **{f"n{at}": "\u5b57" * 500 for at in range(60)},
}


@pytest.mark.parametrize("hostile", ["<b>bold</b>&amp;<", "--ok-label=Allow"])
def test_hostile_text_is_shown_and_decided_as_any_other(asked: Approver, person: Person, hostile: str) -> None:
    asked.ask(question(arguments=HOSTILE, tool=hostile, server=hostile, client=hostile))
    person.see()
    person.choose("once")
    assert [answer["approved"] for answer in settle(asked)[0]] == [True]


def test_a_display_that_goes_away_is_no_answer(asked: Approver, person: Person) -> None:
    asked.ask(question())
    person.see()
    person.screen.close()
    answers, failed = settle(asked)
    if person.program == "kdialog":  # which does not tell it from Cancel
        assert [answer["approved"] for answer in answers] == [False]
    else:
        assert answers == []
        assert [id_ for id_, _ in failed] == ["abcdefgh"]
    assert asked.alive


def test_a_display_that_was_never_there_is_no_answer(program: str) -> None:
    made = Approver(program, {"DISPLAY": ":4095", "HOME": "/nonexistent"})
    made.ask(question())
    answers, failed = settle(made)
    made.close()
    assert answers == []
    assert len(failed) == 1


GUARD = """
import os, sys, time
from stdioguard.approval.approver import Approver
asked = Approver(sys.argv[1], {**os.environ})
asked.ask({"id": "abcdefgh", "digest": "d", "server": "s", "client": "", "tool": "t", "risk": "low", "arguments": {}})
print(asked.pid, flush=True)
if sys.argv[2] == "close":
    sys.stdin.readline()
    asked.close()
    time.sleep(60)
time.sleep(60)
"""


@pytest.mark.parametrize(
    ("program", "how"),
    [
        ("zenity", "kill"),
        ("tkinter", "kill"),
        ("kdialog", "kill"),
        ("zenity", "term"),
        ("tkinter", "close"),
        ("zenity", "approver"),
    ],
    indirect=["program"],
)
def test_no_dialog_outlives_its_guard(program: str, screen: Screen, how: str) -> None:
    guard = subprocess.Popen(
        [sys.executable, "-c", GUARD, program, how],
        env={**os.environ, **screen.environment, "PYTHONPATH": ROOT},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert guard.stdout is not None
    assert guard.stdin is not None
    pid = int(guard.stdout.readline())
    screen.window()
    below = psutil.Process(guard.pid).children(recursive=True)
    assert len(below) >= 2
    if how == "close":
        guard.stdin.write("\n")
        guard.stdin.flush()
    else:
        os.kill(pid if how == "approver" else guard.pid, signal.SIGTERM if how == "term" else signal.SIGKILL)
    until(lambda: not screen.windows(), 5.0)
    until(lambda: all(not process.is_running() or process.status() == psutil.STATUS_ZOMBIE for process in below), 5.0)
    guard.kill()
    guard.communicate()


# --- programs that misbehave --------------------------------------------------------------------------------------------------------


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Approver]]:
    """An approver whose dialogs are scripts: the process is forked from this one, and takes the replacement with it."""
    made = []

    def make(*scripts: str, too_soon: float = 0.0) -> Approver:
        monkeypatch.setattr(desktop, "TOO_SOON", too_soon)
        kinds = [programs.READ] * (len(scripts) - 1) + [programs.CHOICE]

        def steps(question: dict[str, Any], _program: str, _left: int | None) -> list[programs.Step]:
            text = question["text"].encode()
            return [programs.Step(kind, ["/bin/sh", "-c", script], text) for kind, script in zip(kinds, scripts, strict=True)]

        monkeypatch.setattr(programs, "steps", steps)
        made.append(Approver("tkinter", dict(os.environ)))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_a_script_that_answers_is_believed(stub: Callable[..., Approver]) -> None:
    for word, approved in (("once", True), ("deny", False)):
        asked = stub(f"printf {word}")
        asked.ask(question())
        assert [answer["approved"] for answer in settle(asked)[0]] == [approved]


@pytest.mark.parametrize(
    "script",
    [
        "exit 0",
        "exit 1",
        "printf yes",
        "printf 'once\\nonce'",
        "printf once; exit 3",
        "printf once; kill -SEGV $$",
        "printf session",
        "printf '{\"approved\": true}'",
        "head -c 100000 /dev/zero",
        "printf once; head -c 10000 /dev/zero",
        "exec /nonexistent",
    ],
)
def test_what_is_not_an_answer_leaves_the_question_open(stub: Callable[..., Approver], script: str) -> None:
    asked = stub(script)
    asked.ask(question())
    answers, failed = settle(asked)
    assert answers == []
    assert [id_ for id_, _ in failed] == ["abcdefgh"]
    assert asked.alive
    assert asked.ask(question("bcdefghj"))


def test_only_the_last_program_answers(stub: Callable[..., Approver]) -> None:
    asked = stub("printf once", "printf deny")
    asked.ask(question())
    assert [answer["approved"] for answer in settle(asked)[0]] == [False]


def test_who_allows_before_it_can_be_read_is_asked_again(stub: Callable[..., Approver], tmp_path: Any) -> None:
    hasty = stub("printf once", too_soon=0.5)
    hasty.ask(question())
    answers, failed = settle(hasty)
    assert answers == []
    assert "before it could be read" in failed[0][1]
    patient = stub("sleep 0.7; printf once", too_soon=0.5)
    patient.ask(question())
    assert [answer["approved"] for answer in settle(patient)[0]] == [True]
    quick_no = stub("printf deny", too_soon=0.5)
    quick_no.ask(question())
    assert [answer["approved"] for answer in settle(quick_no)[0]] == [False]


def test_an_answer_bears_the_digest_of_what_was_shown(stub: Callable[..., Approver]) -> None:
    asked = stub("sleep 0.5; grep -q new && printf once || printf deny")
    asked.ask(question(digest="1" * 64, arguments={"a": "old"}))
    asked.ask(question(digest="2" * 64, arguments={"a": "new"}))
    assert settle(asked)[0] == [{"id": "abcdefgh", "digest": "2" * 64, "approved": True, "scope": "once"}]
    assert asked.answers() == []


def test_the_same_question_again_is_shown_once(stub: Callable[..., Approver]) -> None:
    asked = stub("sleep 0.3; printf once")
    for times in range(5):
        asked.ask(question(times=times))
    assert len(settle(asked)[0]) == 1
    time.sleep(0.6)
    assert asked.answers() == []


def test_an_answer_to_a_question_that_was_withdrawn_counts_no_more(stub: Callable[..., Approver]) -> None:
    asked = stub("printf once")
    asked.ask(question())
    select.select([asked.descriptor], [], [], 5.0)
    asked.withdraw("abcdefgh")
    assert asked.answers() == []
    asked.withdraw("abcdefgh")  # twice is nothing worse
    asked.ask(question("bcdefghj"))
    assert [answer["id"] for answer in settle(asked)[0]] == ["bcdefghj"]


def test_withdrawing_ends_a_dialog_that_will_not_go_and_all_that_it_has_started(stub: Callable[..., Approver]) -> None:
    asked = stub("trap '' TERM INT HUP; sleep 61 & sleep 62; printf once")
    asked.ask(question())
    below = until(lambda: [p for p in psutil.Process(asked.pid).children(recursive=True) if p.name() == "sleep"])
    until(lambda: len(psutil.Process(asked.pid).children(recursive=True)) == 3)
    below = psutil.Process(asked.pid).children(recursive=True)
    asked.withdraw("abcdefgh")
    until(lambda: all(not process.is_running() or process.status() == psutil.STATUS_ZOMBIE for process in below), 3.0)


def test_more_questions_than_a_person_could_answer_are_not_taken(stub: Callable[..., Approver]) -> None:
    asked = stub("sleep 60")
    taken = [asked.ask(question(f"{letter}bcdefgh")) for letter in "abcdefghjkmnpqrstuvwxyz"]
    assert taken.count(True) == approver.MAX_OPEN
    asked.withdraw("abcdefgh")
    assert asked.ask(question("zbcdefgh"))


def test_asking_never_waits_for_an_approver_that_does_not_read(stub: Callable[..., Approver]) -> None:
    asked = stub("sleep 60")
    os.kill(asked.pid, signal.SIGSTOP)
    began = time.monotonic()
    for round_ in range(200):
        asked.ask(question(arguments={"a": "x" * 400, "b": round_}))
        asked.withdraw("abcdefgh")
    assert time.monotonic() - began < 5.0
    os.kill(asked.pid, signal.SIGCONT)
    asked.ask(question("bcdefghj"))
    assert asked.alive


def test_an_approver_that_is_gone_takes_no_questions(stub: Callable[..., Approver]) -> None:
    asked = stub("printf once")
    assert asked.alive
    os.kill(asked.pid, signal.SIGKILL)
    os.waitpid(asked.pid, 0)
    asked.answers()
    assert not asked.alive
    assert not asked.ask(question())


def test_the_guards_streams_are_not_held_open() -> None:
    code = textwrap.dedent("""
        import os, sys
        from stdioguard.approval.approver import Approver
        asked = Approver("tkinter", {})
        os.write(1, str(asked.pid).encode())
        os.close(1), os.close(2)
        sys.stdin.read()
    """)
    guard = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": ROOT},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert guard.stdout is not None
    assert guard.stderr is not None
    pid = int(guard.stdout.read())  # to its end, although the guard and the approver are there
    assert guard.stderr.read() == b""
    assert psutil.pid_exists(pid)
    guard.communicate(b"")
    until(lambda: not psutil.pid_exists(pid))


CONFINED = """
import os, socket, sys
def refused(attempt):
    try:
        attempt()
    except OSError:
        return True
    return False
attempts = [
    lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
    lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM),
    lambda: open(sys.argv[1], "w"),
    lambda: os.kill(int(sys.argv[2]), 0),
]
results = [refused(attempt) for attempt in attempts]
socket.socket(socket.AF_UNIX).close()
os.close(os.open("/dev/null", os.O_WRONLY))
print("deny" if all(results) else "once" if not any(results) else results)
"""


def test_a_dialog_has_no_network_and_changes_no_file(stub: Callable[..., Approver], tmp_path: Any) -> None:
    from stdioguard.sandbox.linux import landlock

    if landlock.ability() < 6:
        pytest.skip("the kernel's Landlock does not handle signals")  # before ABI 6, Linux 6.12
    attempt = [sys.executable, "-c", CONFINED, str(tmp_path / "file"), str(os.getpid())]
    free = subprocess.run(attempt, capture_output=True, text=True).stdout.strip()
    assert free == "once"
    script = " ".join("'" + part.replace("'", "'\\''") + "'" for part in attempt)
    asked = stub(script)
    asked.ask(question())
    assert [answer["approved"] for answer in settle(asked)[0]] == [False]


def test_a_dialog_inherits_three_descriptors_and_the_environment_of_a_dialog(stub: Callable[..., Approver]) -> None:
    asked = stub("test \"$(ls /proc/self/fd | tr '\\n' ' ')\" = '0 1 2 3 ' && test -z \"$STDIOGUARD_HOME\" && printf once")
    asked.ask(question())
    assert [answer["approved"] for answer in settle(asked)[0]] == [True]
