"""The terminal: a person at `watch`, the passphrase, and what no text of a model or a server can do to what is on the screen."""

from __future__ import annotations

import os
import re
import signal
import termios
import time
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from stdioguard.approval import cards, presence, proof, queue, terminal
from stdioguard.approval.cards import Look
from tests.approval import PASSPHRASE, Terminal, ask, decided, decision, set_passphrase

READ = 1.2
"""A little longer than a question has to be on the screen before a key approves it."""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STDIOGUARD_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("NO_COLOR", raising=False)
    return tmp_path / "home"


def watch(**options: Any) -> Terminal:
    return Terminal("approvals", "watch", **options)


# ---- high risk


def test_high_risk_is_approved_with_the_passphrase_which_is_not_shown() -> None:
    setting = set_passphrase()
    asked = ask(risk="high")
    with watch() as person:
        assert "HIGH RISK" in person.wait_for(asked)
        person.read(READ)
        person.type("a")
        person.wait_for("passphrase to approve")
        assert not person.echoes
        person.type(f"{PASSPHRASE}\n")
        person.wait_for(f"approved once: {asked}")
        assert PASSPHRASE not in person.raw
        assert PASSPHRASE[:7] not in person.raw
        person.type("q")
        assert person.ends() == 0
        assert person.is_as_before
    assert proof.is_signed(setting, decided(asked))


def test_high_risk_for_the_session_signs_what_is_granted() -> None:
    setting = set_passphrase()
    asked = ask(risk="high", arguments={"path": "/a"})
    with watch() as person:
        person.wait_for(asked)
        person.read(READ)
        person.type("s")
        person.wait_for("passphrase to approve")
        person.type(f"{PASSPHRASE}\n")
        person.wait_for(f"approved for the session: {asked}")
    found = decided(asked)
    assert proof.is_signed(setting, found)
    assert not proof.is_signed(setting, {**found, "constraints": {"path": {"any": True}}})


@pytest.mark.parametrize("typed", ["wrong horse battery\n", "\n", "\x04"])
def test_a_wrong_passphrase_approves_nothing(typed: str) -> None:
    set_passphrase()
    asked = ask(risk="high")
    with watch() as person:
        person.wait_for(asked)
        person.read(READ)
        person.type("a")
        person.wait_for("passphrase to approve")
        person.type(typed)
        person.wait_for("that is not the passphrase" if "wrong" in typed else "no passphrase was given")
        assert decision(asked) is None
        assert asked in person.screen
        person.type("d")
        person.wait_for(f"denied: {asked}")


def test_without_a_passphrase_high_risk_can_be_denied_only() -> None:
    asked = ask(risk="high")
    with watch(columns=220) as person:
        person.wait_for(asked)
        person.read(READ)
        person.type("a")
        person.wait_for("run stdioguard approvals passphrase")
        assert decision(asked) is None
        person.type("d")
        person.wait_for("denied")


@pytest.mark.parametrize("risk", ["HIGH", "none", "", None, 3, "normal "])
def test_a_risk_that_nobody_knows_counts_as_high(risk: Any) -> None:
    asked = ask(risk=risk)
    with watch(columns=220) as person:
        person.wait_for(f"HIGH RISK  {asked}")
        person.read(READ)
        person.type("a")
        person.wait_for("run stdioguard approvals passphrase")
        assert decision(asked) is None


def test_keys_for_the_passphrase_decide_nothing_when_the_question_goes_meanwhile() -> None:
    set_passphrase()
    first = ask(risk="high", created=time.time() - 60)
    second = ask()
    with watch() as person:
        person.wait_for(f"HIGH RISK  {first}")
        person.read(READ)
        person.type("a")
        person.wait_for("passphrase to approve")
        queue.remove(first)
        person.read(READ)
        person.type("aaaa")
        person.type(f"{PASSPHRASE[4:]}\n")
        person.wait_for("not the passphrase")
        person.read(0.5)
    assert decision(second) is None
    assert decision(first) is None


def test_arguments_that_were_changed_over_the_same_digest_are_not_signed() -> None:
    """A program of the same user cannot sign, but could show a harmless call over the digest of another one."""
    set_passphrase()
    harmful = ask(risk="high", arguments={"path": "/home/ana/.bashrc"})
    (question,) = queue.waiting()
    queue.write(harmful, {**question.members, "arguments": {"path": "/tmp/harmless"}})
    with watch(columns=160) as person:
        person.wait_for("/tmp/harmless")
        person.read(READ)
        person.type("a")
        person.wait_for("are not those of the call")
        assert "passphrase to approve" not in person.raw
    assert decision(harmful) is None


@pytest.mark.parametrize("change", [{"task": True}, {"arguments": {}, "arguments_size": 300_000}])
def test_high_risk_that_cannot_be_compared_with_its_digest_is_not_approved_here(change: dict[str, Any]) -> None:
    set_passphrase()
    asked = ask(risk="high", **change)
    (question,) = queue.waiting()
    with pytest.raises(terminal.RefusedError, match="cannot be checked here"):
        terminal.answer(question, approved=True, passphrase=PASSPHRASE)
    assert decision(asked) is None
    terminal.answer(question, approved=False)
    assert decided(asked)["approved"] is False


# ---- the end of the program


@pytest.mark.parametrize("key", ["q", "\x04"])
def test_leaving_restores_the_terminal(key: str) -> None:
    with watch() as person:
        person.wait_for("nothing waits")
        assert not person.echoes
        person.type(key)
        assert person.ends() == 0
        assert person.is_as_before
        assert person.raw.rstrip().endswith("\x1b[?1049l")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_restores_the_terminal_and_says_which_it_was(number: signal.Signals) -> None:
    with watch() as person:
        person.wait_for("nothing waits")
        assert not person.is_as_before
        person.signal(number)
        assert person.ends() == 128 + number
        assert person.is_as_before
        assert person.raw.rstrip().endswith("\x1b[?1049l")
        assert "Traceback" not in person.raw


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_the_passphrase_is_asked_restores_echo(number: signal.Signals) -> None:
    set_passphrase()
    asked = ask(risk="high")
    with watch() as person:
        person.wait_for(asked)
        person.read(READ)
        person.type("a")
        person.wait_for("passphrase to approve")
        person.type("corr")
        person.signal(number)
        assert person.ends() == 128 + number
        assert person.is_as_before
    assert decision(asked) is None


def test_control_c_and_control_z_leave_no_broken_terminal() -> None:
    with watch() as person:
        person.wait_for("nothing waits")
        # A shell that has job control would have the screen and the modes of a program that is only stopped.
        assert termios.tcgetattr(person.slave)[6][termios.VSUSP] == b"\0"
        person.type("\x1a")
        ask()
        person.wait_for("1 question waits")
        person.type("\x03")
        assert person.ends() == 130
        assert person.is_as_before


def test_an_error_restores_the_terminal(home: Path) -> None:
    """The queue's folder is made public under it: the decision cannot be written, which is said; then its file is."""
    asked = ask()
    with watch() as person:
        person.wait_for(asked)
        person.signal(signal.SIGSTOP)
        (home / "runtime/approvals" / f"{asked}.json").write_text('{"version": 1, "guard": 1')
        person.signal(signal.SIGCONT)
        person.wait_for("nothing waits")
        os.close(person.master)
        person.process.wait(timeout=10)
        assert person.process.returncode != 0
        person.master = os.open(os.devnull, os.O_RDONLY)


def test_a_failure_inside_restores_the_modes() -> None:
    import pty

    master, slave = pty.openpty()
    before = termios.tcgetattr(slave)
    handler = signal.getsignal(signal.SIGTERM)
    with pytest.raises(ZeroDivisionError), terminal.restored(slave) as modes:
        modes[3] &= ~termios.ECHO
        termios.tcsetattr(slave, termios.TCSANOW, modes)
        assert termios.tcgetattr(slave) != before
        raise ZeroDivisionError
    assert termios.tcgetattr(slave) == before
    assert signal.getsignal(signal.SIGTERM) is handler
    os.close(master)
    os.close(slave)


def test_who_watches_is_present_until_the_end() -> None:
    assert presence.channels() == set()
    with watch() as person:
        person.wait_for("nothing waits")
        assert presence.channels() == {"terminal"}
        person.type("q")
        person.ends()
    assert presence.channels() == set()


# ---- what a model or a server writes


HOSTILE = [
    "\x1b[2J\x1b[1;1H",
    "\x1b]52;c;aGVsbG8=\x07",
    "\x9b2J\x9d0;title\x9c",
    "\r\nHIGH RISK  aaaaaaaa  bank: send",
    "\nstdioguard: approved once: aaaaaaaa",
    "\u2028approve once? [y/N]: y",
    "\u202egnp.exe\u2066\u2069\u200f",
    "a" + "\u0301" * 500,
    "\u200b\u2060\ufeff\u00ad\u2800\u3164",
    "\U000e0041\U000e0042\ufe0f",
    "\x00\x08\x08\x08\x7f",
    "\u65e5\u672c" * 60 + "\uff21" * 60,
    "\U0001f469\u200d\U0001f469\u200d\U0001f467" * 30,
    " " * 94 + "LOW RISK  aaaaaaaa  filesystem: read_file",
    "x" * 5000,
    '", path: "/tmp/harmless',
    "\u05d0\u05d1\u05d2 \u0627\u0644\u0639",
]


def is_tame(text: str) -> bool:
    run = 0
    for char in text:
        run = run + 1 if unicodedata.category(char) in ("Mn", "Me") else 0
        if run > cards.MARKS:
            return False
    return True


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("whole", [False, True])
def test_no_text_of_theirs_leaves_its_place(text: str, whole: bool) -> None:
    asked = ask(
        tool=text,
        arguments={"path": text, text: "x", "list": [text, {text: 1}], "many": f"{text}\n{text}"},
        client=text,
        server=text,
        rule=text,
        cwd=text,
    )
    (question,) = queue.waiting()
    for width in (40, 60, 100):
        lines = cards.card(question, Look(width), whole=whole)
        assert all(line.isprintable() and is_tame(line) for line in lines)
        assert all(cards.width(line) <= width for line in lines[1:])
        # Whatever they wrote, a card begins with the guard's own words, and every other line with its margin.
        assert lines[0].startswith(f"NORMAL RISK  {asked}  ")
        assert all(line.startswith("  ") for line in lines[1:])
        assert [line for line in lines if re.match(r" {0,3}\S*(HIGH|LOW|stdioguard|approve)", line)] == []


def test_no_text_of_theirs_acts_on_the_live_list() -> None:
    with watch(rows=40) as person:
        person.wait_for("nothing waits")
        for text in HOSTILE:
            asked = ask(tool=text, arguments={"path": text, text: text}, client=text, server=text, rule=text, cwd=text)
            person.wait_for(f"NORMAL RISK  {asked}")
            person.wait_for("1 question waits")
            lines = person.lines
            assert lines[0].startswith("stdioguard approvals  1 question waits")
            assert sum(line.startswith("NORMAL RISK") for line in lines) == 1
            assert not any(line.startswith(("LOW RISK", "HIGH RISK", "stdioguard:", "approve")) for line in lines)
            queue.remove(asked)
        person.wait_for("nothing waits")
        person.wait_for("waits no more")


def test_an_argument_of_nearly_a_megabyte_is_cut_with_its_length_and_hash() -> None:
    asked = ask(arguments={"content": "A" + "x" * 900_000 + "Z"})
    with watch() as person:
        screen = person.wait_for("900002 characters")
        assert "sha256" in screen
        person.read(READ)
        assert len(person.raw) < 20_000
        person.type("a")
        person.wait_for(f"approved once: {asked}")


def test_two_arguments_that_differ_in_the_part_that_is_cut_are_told_apart() -> None:
    shown = []
    for middle in ("b", "c"):
        asked = ask(arguments={"content": "a" * 500 + middle + "a" * 500})
        (question,) = queue.waiting()
        shown.append("".join(line.strip(" │") for line in cards.card(question, Look(200))[4:]))
        queue.remove(asked)
    assert shown[0] != shown[1]


def test_all_of_a_text_with_lines_is_shown_line_by_line_with_their_ends() -> None:
    ask(arguments={"content": 'one\n"two"\n\\n\n'})
    (question,) = queue.waiting()
    lines = cards.card(question, Look(80), whole=True)[-4:]
    assert [line.removeprefix("    │ ") for line in lines] == ['content: "one\\n', '  \\"two\\"\\n', "  \\\\n\\n", '  "']


def test_colour_is_for_terminals_that_have_it() -> None:
    ask(risk="high")
    with watch() as person:
        person.wait_for("HIGH RISK")
        assert "\x1b[1;31mHIGH RISK\x1b[0m" in person.raw
    with watch(NO_COLOR="1") as person:
        person.wait_for("HIGH RISK")
        assert "m" not in {match[-1] for match in re.findall(r"\x1b\[[0-9;]*[A-Za-z]", person.raw)}


# ---- what is decided


def test_a_decision_after_the_question_has_gone_leaves_nothing_behind() -> None:
    asked = ask()
    (question,) = queue.waiting()
    queue.remove(asked)
    with pytest.raises(terminal.RefusedError, match="no question"):
        terminal.answer(question, approved=True)
    assert os.listdir(queue.folder()) == []


def test_a_decision_that_crosses_the_end_of_its_question_is_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ask()
    (question,) = queue.waiting()
    decide = queue.decide

    def late(*arguments: Any, **more: Any) -> bool:
        queue.remove(asked)
        return decide(*arguments, **more)

    monkeypatch.setattr(queue, "decide", late)
    with pytest.raises(terminal.RefusedError, match="too late"):
        terminal.answer(question, approved=True)
    assert os.listdir(queue.folder()) == []


def test_a_question_that_is_another_by_now_is_not_decided() -> None:
    asked = ask(arguments={"path": "/a"})
    (question,) = queue.waiting()
    queue.write(asked, {**question.members, "server": "another"})
    with pytest.raises(terminal.RefusedError, match="has changed"):
        terminal.answer(question, approved=True)
    assert decision(asked) is None


PATTERNS: list[tuple[list[str], dict[str, Any]]] = [
    ([], {"path": {"equals": "/home/ana/plan.txt"}, "a=b": {"equals": [1]}}),
    (["path=any"], {"path": {"any": True}, "a=b": {"equals": [1]}}),
    (["path=inside:/home/ana"], {"path": {"inside": "/home/ana"}, "a=b": {"equals": [1]}}),
    (["path=inside:/home/ana/"], {"path": {"inside": "/home/ana"}, "a=b": {"equals": [1]}}),
    (["path=inside://home/./ana"], {"path": {"inside": "/home/ana"}, "a=b": {"equals": [1]}}),
    (["path=inside:/"], {"path": {"inside": "/"}, "a=b": {"equals": [1]}}),
    (["a=b=any", "path=equals"], {"path": {"equals": "/home/ana/plan.txt"}, "a=b": {"any": True}}),
]


@pytest.mark.parametrize(("patterns", "constraints"), PATTERNS, ids=str)
def test_a_pattern_says_which_later_arguments_count(patterns: list[str], constraints: dict[str, Any]) -> None:
    ask(arguments={"path": "/home/ana/plan.txt", "a=b": [1]})
    (question,) = queue.waiting()
    assert terminal.lasting(question, "session", None, patterns) == {"scope": "session", "constraints": constraints}


@pytest.mark.parametrize(
    "pattern",
    [
        "nothing=any", "path", "path=", "path=ANY", "path=inside:", "path=inside:relative", "path=inside:/home/an", "path=inside:/etc",
        "path=inside:/home/ana/../bob", "n=inside:/", "path =any", "Path=any",
    ],
)  # fmt: skip
def test_a_pattern_that_does_not_fit_this_call_is_refused(pattern: str) -> None:
    ask(arguments={"path": "/home/ana/plan.txt", "n": 1})
    (question,) = queue.waiting()
    with pytest.raises(terminal.NotPossibleError):
        terminal.lasting(question, "session", None, [pattern])


def test_a_path_that_leaves_its_folder_by_dots_is_not_inside() -> None:
    ask(arguments={"path": "/home/ana/../bob/x"})
    (question,) = queue.waiting()
    with pytest.raises(terminal.NotPossibleError):
        terminal.lasting(question, "session", None, ["path=inside:/home/ana"])
    assert terminal.lasting(question, "session", None, ["path=inside:/home/bob"])["constraints"] == {
        "path": {"inside": "/home/bob"}
    }
