"""The terminal's commands and real sessions: what a person does at one end is what happens at the other."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from stdioguard.approval import queue
from tests.approval import PASSPHRASE, STDIOGUARD, Terminal, set_passphrase
from tests.approval.screens import Person, Screen, skip_without, skip_without_screen
from tests.launch.test_consent import ERAS, Talk, waiting

READ = 1.2


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STDIOGUARD_HOME", str(tmp_path))
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def stdioguard(*arguments: str) -> tuple[int, str]:
    finished = subprocess.run(
        [*STDIOGUARD, *arguments], capture_output=True, text=True, input="", timeout=60, start_new_session=True
    )
    return finished.returncode, finished.stdout + finished.stderr


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("key", ["a", "d"])
def test_a_key_in_the_live_list_decides_the_call_that_waits(home: Path, era: str, key: str) -> None:
    with Terminal("approvals", "watch", columns=120) as person, Talk(home, era) as talk:
        person.wait_for("nothing waits")
        talk.call(path="/home/ana/x")
        screen = person.wait_for('path: "/home/ana/x"')
        assert waiting(path="/home/ana/x").id in screen
        person.read(READ)
        person.type(key)
        person.wait_for("approved once" if key == "a" else "denied")
        assert talk.ran(talk.answer()) is (key == "a")
        person.wait_for("nothing waits")
        talk.call(path="/home/ana/x")  # one yes is for one call
        person.wait_for("1 question waits")
        person.type("d")
        assert not talk.ran(talk.answer())


@pytest.mark.parametrize("era", ERAS)
def test_high_risk_runs_with_the_passphrase_and_for_the_session_only_with_the_same_arguments(home: Path, era: str) -> None:
    set_passphrase()
    with Terminal("approvals", "watch", columns=120) as person, Talk(home, era, risk="high") as talk:
        person.wait_for("nothing waits")
        talk.call(n=1)
        asked = waiting(n=1).id
        person.wait_for(asked)
        person.read(READ)
        person.type("s")
        person.wait_for("passphrase to approve")
        assert stdioguard("approvals", "approve", asked)[0] == 77
        person.type(f"{PASSPHRASE}\n")
        person.wait_for("approved for the session")
        assert talk.ran(talk.answer())
        talk.call(n=1)
        assert talk.ran(talk.answer())
        talk.call(n=1.0)
        person.wait_for("n: 1.0")
        person.type("d")
        assert not talk.ran(talk.answer())


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("arguments", [{}, {"path": "/a", "deep": {"list": [1, 1.5, "\u00e9\u202e", None, True]}}])
def test_a_call_that_was_refused_since_nobody_was_there_is_approved_by_its_id(
    home: Path, era: str, arguments: dict[str, object]
) -> None:
    with Talk(home, era) as talk:
        talk.call(**arguments)
        refused = json.dumps(talk.answer())
        asked = waiting(**arguments).id
        assert f"stdioguard approvals approve {asked}" in refused
        assert "was refused already" in " ".join(stdioguard("approvals", "show", asked)[1].split())
        code, said = stdioguard("approvals", "approve", asked)
        assert code == 0, said
        talk.call(**arguments)
        assert talk.ran(talk.answer())
        assert stdioguard("approvals", "approve", asked)[0] == 77


def test_a_grant_that_was_given_in_the_terminal_is_listed_holds_and_ends_when_it_is_revoked(home: Path) -> None:
    era = ERAS[0]
    with Terminal("approvals", "watch", columns=120) as person, Talk(home, era) as talk:
        person.wait_for("nothing waits")
        talk.call(path="/home/ana/notes/a")
        asked = waiting(path="/home/ana/notes/a").id
        code, said = stdioguard("approvals", "approve", asked, "--for", "1h", "--like", "path=inside:/home/ana/notes")
        assert (code, "approved for" in said) == (0, True)
        assert talk.ran(talk.answer())
        talk.call(path="/home/ana/notes/b")
        assert talk.ran(talk.answer())
        listed = stdioguard("grants", "list")[1]
        assert 'path: inside "/home/ana/notes"' in listed
        (row,) = json.loads(stdioguard("grants", "list", "--format", "json")[1])
        talk.call(path="/home/ana/other")
        person.wait_for("/home/ana/other")
        person.type("d")
        assert not talk.ran(talk.answer())
        assert stdioguard("grants", "revoke", row["id"])[0] == 0
        talk.call(path="/home/ana/notes/b")
        person.wait_for("/home/ana/notes/b")
        person.type("d")
        assert not talk.ran(talk.answer())


@pytest.mark.parametrize("command", [("approve", "--for", "always"), ("deny", "--always")])
@pytest.mark.parametrize("era", ERAS)
def test_what_is_decided_for_always_on_a_refused_call_is_kept_without_another_call(
    home: Path, era: str, command: tuple[str, ...]
) -> None:
    with Talk(home, era) as talk:
        talk.call(n=1)
        assert not talk.ran(talk.answer())
        assert stdioguard("approvals", command[0], waiting(n=1).id, *command[1:])[0] == 0
        (row,) = json.loads(stdioguard("grants", "list", "--format", "json")[1])
        assert row["approved"] == (command[0] == "approve")
    with Talk(home, era) as talk:
        talk.call(n=1)
        assert talk.ran(talk.answer()) == (command[0] == "approve")


@pytest.mark.parametrize("era", ERAS)
def test_where_no_question_can_wait_the_refusal_and_the_commands_say_what_to_do(home: Path, era: str) -> None:
    (home / "runtime").mkdir(mode=0o700)
    (home / "runtime").chmod(0o755)
    with Talk(home, era) as talk:
        talk.call(n=1)
        refused = talk.answer()
        assert not talk.ran(refused)
        assert f"chmod 700 {home}/runtime" in json.dumps(refused)
        assert "approvals approve" not in json.dumps(refused)
        for command in (("list",), ("show", "aaaaaaaa"), ("approve", "aaaaaaaa"), ("deny", "aaaaaaaa")):
            code, said = stdioguard("approvals", *command)
            assert (code, said) == (74, f"stdioguard: {home}/runtime is open to other users; run: chmod 700 {home}/runtime\n")
        assert "start the server anew" in json.dumps(refused)
    (home / "runtime").chmod(0o700)
    with Talk(home, era) as talk:
        talk.call(n=1)
        assert f"approvals approve {waiting(n=1).id}" in json.dumps(talk.answer())


def test_a_session_that_began_before_the_passphrase_does_not_take_it(home: Path) -> None:
    """Nor does it take one that a program has put in the place of the person's."""
    set_passphrase("what was set before")
    with Terminal("approvals", "watch", columns=200) as person, Talk(home, ERAS[0], risk="high") as talk:
        person.wait_for("nothing waits")
        set_passphrase()
        talk.call(n=1)
        person.wait_for(waiting(n=1).id)
        person.read(READ)
        person.type("a")
        person.wait_for("passphrase to approve")
        person.type(f"{PASSPHRASE}\n")
        person.wait_for("the session did not accept the decision")
        assert len(queue.waiting()) == 1
        person.type("d")
        assert not talk.ran(talk.answer())


# --- dialogs --------------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> Iterator[Person]:
    """Who sits at a desktop with zenity."""
    if sys.platform != "linux":
        pytest.skip("the displays here are X11's")  # Xvfb and xdotool, which other systems do not have
    skip_without_screen()
    skip_without("zenity")
    screen = Screen()
    monkeypatch.setenv("DISPLAY", screen.name)
    yield Person(screen, "zenity")
    screen.close()


def read_and_choose(person: Person, pid: str, choice: str) -> str:
    """Choose after as long as a person needs to read; return the process of the window that was read."""
    pid = person.next(pid)
    time.sleep(1.6)
    person.choose(choice)
    return pid


@pytest.mark.parametrize("era", ERAS)
def test_a_button_in_a_dialog_decides_the_call_that_waits(home: Path, person: Person, era: str) -> None:
    with Talk(home, era) as talk:
        talk.call(path="/home/ana/x")
        pid = read_and_choose(person, "", "once")
        assert talk.ran(talk.answer())
        talk.call(path="/home/ana/x")  # one yes is for one call
        read_and_choose(person, pid, "deny")
        assert not talk.ran(talk.answer())


@pytest.mark.parametrize("era", ERAS)
def test_high_risk_in_a_dialog_runs_with_the_passphrase_and_not_by_the_same_clicks(home: Path, person: Person, era: str) -> None:
    set_passphrase()
    with Talk(home, era, risk="high") as talk:
        talk.call(n=1)
        pid = person.next(read_and_choose(person, "", "once"))
        for guess in ("", "password", "correct horse"):
            person.screen.type(guess)
            person.screen.press("Return")
            pid = person.next(pid) if guess != "correct horse" else pid
        assert not talk.ran(talk.answer())
        talk.call(n=2)
        person.next(read_and_choose(person, pid, "once"))
        person.screen.type(PASSPHRASE)
        person.screen.press("Return")
        assert talk.ran(talk.answer())
        talk.guarded.finish()
        channels = [
            (entry["verdict"], entry.get("channel"))
            for entry in talk.guarded.records()
            if entry.get("verdict") in ("approve", "refuse")
        ]
    assert channels == [("refuse", "dialog"), ("approve", "dialog")]


def test_high_risk_for_the_session_in_a_dialog_holds_for_the_same_arguments(home: Path, person: Person) -> None:
    set_passphrase()
    with Talk(home, ERAS[0], risk="high") as talk:
        talk.call(n=1)
        pid = person.next(read_and_choose(person, "", "session"))
        person.screen.type(PASSPHRASE)
        person.screen.press("Return")
        assert talk.ran(talk.answer())
        talk.call(n=1)
        assert talk.ran(talk.answer())
        talk.call(n=1.0)
        read_and_choose(person, pid, "deny")
        assert not talk.ran(talk.answer())


@pytest.mark.parametrize("set_too_late", [False, True])
def test_a_dialog_of_a_session_without_a_passphrase_can_only_deny_high_risk(
    home: Path, person: Person, set_too_late: bool
) -> None:
    """Nor does one count that was set, by whomever, when the session had begun."""
    with Talk(home, ERAS[0], risk="high") as talk:
        if set_too_late:
            set_passphrase()
        talk.call(n=1)
        read_and_choose(person, "", "once")  # the keys that would allow, were there a button for it
        if person.screen.windows():
            person.screen.press("Escape")
        assert not talk.ran(talk.answer())
