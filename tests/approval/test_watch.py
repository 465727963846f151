"""`stdioguard approvals watch` as a person has it on the screen: what a key decides, and what it does not."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from stdioguard.approval import queue
from tests.approval import Terminal, ask, decided, decision, digest_of, set_passphrase

READ = 1.2
"""A little longer than a question has to be on the screen before a key approves it."""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STDIOGUARD_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("NO_COLOR", raising=False)
    return tmp_path / "home"


def watch(**options: Any) -> Terminal:
    return Terminal("approvals", "watch", **options)


# ---- the live list


def test_a_question_appears_and_is_approved_with_a_key() -> None:
    with watch() as person:
        person.wait_for("nothing waits")
        asked = ask()
        screen = person.wait_for(asked)
        assert "1 question waits" in screen
        for text in (
            "NORMAL RISK",
            "filesystem: write_file",
            "claude-desktop",
            'tools.rules."write_*"',
            'path: "/home/ana/plan.txt"',
        ):
            assert text in screen
        person.read(READ)
        person.type("a")
        person.wait_for(f"approved once: {asked}")
        person.wait_for("nothing waits")
        assert decided(asked)["approved"] is True
        assert set(decided(asked)) == {"id", "digest", "approved", "channel", "seen"}
        person.type("q")
        assert person.ends() == 0
        assert person.is_as_before


def test_a_key_denies_at_once() -> None:
    asked = ask(risk="high")
    with watch() as person:
        person.wait_for(asked)
        person.type("d")
        person.wait_for(f"denied: {asked}")
        assert decided(asked)["approved"] is False


def test_s_approves_for_the_session_with_the_arguments_as_they_are() -> None:
    asked = ask(arguments={"path": "/a", "n": 1.0})
    with watch() as person:
        person.wait_for(asked)
        person.read(READ)
        person.type("s")
        person.wait_for(f"approved for the session: {asked}")
    found = decided(asked)
    assert found["scope"] == "session"
    assert found["constraints"] == {"path": {"equals": "/a"}, "n": {"equals": 1.0}}


def test_what_is_never_remembered_cannot_be_approved_for_the_session() -> None:
    asked = ask(remember=False)
    with watch() as person:
        assert "asked about each time" in person.wait_for(asked)
        person.read(READ)
        person.type("s")
        person.wait_for("remember = false")
        assert decision(asked) is None
        person.type("a")
        person.wait_for("approved once")
        assert decided(asked)["approved"] is True


def test_a_question_that_has_just_appeared_is_not_approved_by_a_key_that_was_meant_for_another() -> None:
    first, second = ask(created=time.time() - 60), ask()
    with watch() as person:
        person.wait_for(first)
        person.read(READ)
        person.type("a")
        person.wait_for(f"approved once: {first}")
        person.type("a")
        person.wait_for("not that fast")
        assert decision(second) is None
        person.read(READ)
        person.type("a")
        person.wait_for(f"approved once: {second}")


def test_a_key_that_was_typed_ahead_or_pasted_decides_nothing() -> None:
    asked = ask()
    with watch() as person:
        person.type("aaaa")
        person.wait_for(asked)
        person.read(READ)
        person.type("aaaa\n")
        person.wait_for("several keys at once")
        assert decision(asked) is None
        person.type("a")
        person.wait_for("approved once")


def test_a_question_is_approved_after_its_end_was_on_the_screen_only() -> None:
    asked = ask(arguments={f"a{number}": "x" * 300 for number in range(30)})
    with watch(rows=20) as person:
        person.wait_for("more lines: space")
        person.read(READ)
        person.type("a")
        person.wait_for("there is more of it below")
        assert decision(asked) is None
        for _ in range(40):
            if "more lines: space" not in person.screen:
                break
            person.type(" ")
            person.read(0.15)
        assert "a29:" in person.screen
        person.type("a")
        person.wait_for(f"approved once: {asked}")


def test_questions_are_chosen_by_arrows_and_numbers() -> None:
    written = [ask(tool=f"tool_{number}", created=time.time() - 60 + number) for number in range(3)]
    with watch() as person:
        person.wait_for(f"NORMAL RISK  {written[0]}")
        person.type("\x1b[B")
        person.wait_for(f"NORMAL RISK  {written[1]}")
        person.type("3")
        person.wait_for(f"NORMAL RISK  {written[2]}")
        person.type("9")
        person.read(0.3)
        person.type("\x1b[B\x1b[B\x1bOA")
        person.wait_for(f"NORMAL RISK  {written[1]}")
        person.type("d")
        person.wait_for(f"denied: {written[1]}")
    assert decision(written[0]) is None
    assert decision(written[2]) is None


def test_a_question_that_was_answered_elsewhere_goes_and_its_key_hits_no_other() -> None:
    first, second = ask(created=time.time() - 60), ask()
    with watch() as person:
        person.wait_for(f"NORMAL RISK  {first}")
        person.read(READ)
        assert queue.decide(first, digest_of(first), approved=False, channel="page")
        person.wait_for(f"{first} waits no more")
        person.type("a")
        person.wait_for("not that fast")
        assert decision(second) is None
        assert decided(first)["channel"] == "page"


def test_a_question_whose_content_changes_has_to_be_read_again() -> None:
    asked = ask(arguments={"path": "/a"})
    with watch() as person:
        person.wait_for('"/a"')
        person.read(READ)
        members = queue.waiting()[0].members
        queue.write(asked, {**members, "times": 7})
        person.wait_for("7 times")
        assert "has changed" not in person.screen
        queue.write(asked, {**members, "arguments": {"path": "/b"}})
        person.wait_for("has changed")
        person.type("a")
        person.wait_for("not that fast")
        person.read(READ)
        person.type("a")
        person.wait_for("are not those of the call")
        assert decision(asked) is None


def test_a_question_whose_time_is_over_goes() -> None:
    asked = ask(left=3)
    with watch() as person:
        person.wait_for(asked)
        person.wait_for(f"{asked} waits no more")
        assert "nothing waits" in person.screen


def test_only_keys_that_do_something_are_offered() -> None:
    with watch(columns=110) as person:
        person.wait_for("nothing waits")
        assert person.lines[-1] == "q quit"
        ask(remember=False, created=time.time() - 60)
        person.wait_for("1 question waits")
        assert person.wait_for("d deny").split("\n")[-1] == "a approve once   d deny   v all of it   q quit"
        ask(risk="high")
        person.wait_for("2 questions wait")
        person.type("2")
        person.wait_for("HIGH RISK")
        expected = "a approve once (passphrase)   s for the session   d deny   v all of it   up/down choose   q quit"
        assert person.lines[-1] == expected


def test_all_of_a_question_is_shown_on_demand() -> None:
    ask(arguments={"content": "x" * 500 + "THE MIDDLE" + "y" * 500})
    with watch() as person:
        assert "THE MIDDLE" not in person.wait_for("1010 characters")
        person.type("v")
        person.wait_for("THE MIDDLE")


def test_the_screen_follows_the_size_of_the_window() -> None:
    asked = ask(arguments={"path": "/" + "p" * 90})
    with watch(rows=30, columns=120) as person:
        person.wait_for("p" * 90)
        person.resize(24, 60)
        person.wait_for("a approve  s session  d deny  v all  q quit")
        assert "p" * 90 not in person.screen
        assert "p" * 40 in person.screen
        assert all(len(line) <= 60 for line in person.lines)
        person.resize(6, 30)
        person.wait_for("make this window")
        person.read(READ)
        person.type("a")
        person.read(0.5)
        assert decision(asked) is None
        person.resize(40, 160)
        person.wait_for("p" * 90)
        person.read(READ)
        person.type("a")
        person.wait_for(f"approved once: {asked}")


# ---- line by line


@pytest.mark.parametrize("term", ["dumb", ""])
def test_on_a_dumb_terminal_there_are_lines_and_no_sequences(term: str) -> None:
    set_passphrase()
    with watch(TERM=term, rows=60) as person:
        person.wait_for("questions appear here")
        asked, other = ask(), ask(risk="high")
        person.wait_for(asked)
        person.wait_for(f"HIGH RISK  {other}")
        person.type("a\n")
        person.wait_for("write a ID")
        person.type("a zzzzzzzz\n")
        person.wait_for("waits here")
        person.type(f"a {asked}\n")
        person.wait_for(f"{asked} approved")
        person.type(f"a {other}\n")
        person.wait_for("passphrase to approve")
        person.type("not the one\n")
        person.wait_for("that is not the passphrase")
        assert decision(other) is None
        person.type(f"d {other}\n")
        person.wait_for(f"{other} denied")
        person.type("q\n")
        assert person.ends() == 0
        assert person.is_as_before
        assert "\x1b" not in person.raw
    assert decided(asked)["approved"] is True
    assert decided(other)["approved"] is False
