"""`stdioguard approvals` and `grants` as a user meets them, and as an agent with a shell does."""

from __future__ import annotations

import json
import os
import re
import resource
import shlex
import stat
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from stdioguard.approval import grants, proof, queue
from stdioguard.approval.grants import Grant
from tests.approval import PASSPHRASE, STDIOGUARD, Terminal, ask, decided, decision, digest_of, set_passphrase


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STDIOGUARD_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("NO_COLOR", raising=False)
    return tmp_path / "home"


def stdioguard(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command as an agent's shell does: no terminal, neither controlling nor as a descriptor."""
    given = {"capture_output": True, "text": True, "input": "", "timeout": 60, "start_new_session": True} | options
    return subprocess.run([*STDIOGUARD, *arguments], **given)


def done(*arguments: str, **options: Any) -> str:
    """What a command prints that must succeed, without a word on stderr."""
    finished = stdioguard(*arguments, **options)
    assert (finished.returncode, finished.stderr) == (0, "")
    return str(finished.stdout)


def refused(code: int, *arguments: str, **options: Any) -> str:
    """The one line of a command that must fail."""
    finished = stdioguard(*arguments, **options)
    assert finished.returncode == code, finished.stderr
    assert finished.stdout == ""
    assert finished.stderr.startswith("stdioguard: ")
    assert finished.stderr.endswith("\n")
    assert finished.stderr[:-1].isprintable()
    return str(finished.stderr)


# ---- list and show


def test_nothing_waits_at_first() -> None:
    assert done("approvals", "list") == "no question waits\n"
    assert json.loads(done("approvals", "list", "--format", "json")) == []


def test_list_shows_what_a_person_has_to_know_and_the_commands_that_decide() -> None:
    asked = ask(created=time.time() - 65, times=3)
    said = done("approvals", "list")
    for text in (
        f"NORMAL RISK  {asked}  filesystem: write_file\n",
        "claude-desktop",
        "1 min 5 s ago, 3 times; 9 min",
        'tools.rules."write_*" in /home/ana/p.toml',
        "/home/ana/project",
        "chosen by the model",
        '│ path: "/home/ana/plan.txt"\n',
        f"stdioguard approvals approve {asked}\n",
        f"stdioguard approvals deny {asked}\n",
    ):
        assert text in said
    assert "\x1b" not in said


def test_list_says_what_is_special_about_a_question() -> None:
    ask(risk="high", task=True, parked=True, remember=False, arguments={})
    said = " ".join(done("approvals", "list").split())
    for text in (
        "HIGH RISK",
        "a task",
        "was refused already",
        "asked about each time",
        "arguments none",
        "asks for your passphrase",
    ):
        assert text in said


def test_list_answers_in_json() -> None:
    asked = ask(arguments={"path": "/a\u202e"})
    said = done("approvals", "list", "--format", "json")
    assert said.isascii()
    (row,) = json.loads(said)
    assert (row["id"], row["risk"], row["arguments"], row["digest"]) == (asked, "normal", {"path": "/a\u202e"}, digest_of(asked))
    assert 0 < row["left"] <= 600


def test_show_leaves_nothing_out() -> None:
    text = "x" * 3000 + "THE MIDDLE" + "y" * 3000
    asked = ask(arguments={"content": text, **{f"a{number}": number for number in range(60)}})
    assert "THE MIDDLE" not in done("approvals", "list")
    joined = re.sub(r"\n    │ ", "", done("approvals", "show", asked))
    assert text in joined
    assert "a59: 59" in joined
    assert json.loads(done("approvals", "show", asked, "--format", "json"))["arguments"]["content"] == text


def test_show_on_a_terminal_goes_through_the_pager_with_nothing_to_act_on_it() -> None:
    asked = ask(arguments={"content": "\x1b[2J" + "x" * 2000 + "\nEND"})
    with Terminal("approvals", "show", asked, rows=60, PAGER="cat") as person:
        person.wait_for("END")
        assert "\\u001b[2J" in person.screen
        assert person.ends() == 0
        assert "\x1b" not in person.raw


HOSTILE = [
    "\x1b[2J\x1b[1;1H\x1b]0;x\x07",
    "\x9b2J",
    "\r\nHIGH RISK  aaaaaaaa  bank: send\r\n",
    "\nstdioguard: approved once: aaaaaaaa",
    "\u2028\u2029\x85approve once? [y/N]: y",
    "\u202egnp.exe\u2066",
    "a" + "\u0301" * 400,
    "x" * 77 + "LOW RISK  aaaaaaaa  filesystem: read_file" * 3,
    " " * 80 + "stdioguard: approved",
    "\u65e5" * 200,
]


def is_fake(line: str) -> bool:
    return re.match(r"\s{0,4}(HIGH|LOW|ALLOWED|DENIED|stdioguard:|approve )", line) is not None


@pytest.mark.parametrize("columns", [40, 80])
def test_no_text_of_theirs_fakes_a_line_of_list(columns: int) -> None:
    written = [
        ask(
            tool=text,
            arguments={"path": text, text: [text]},
            client=text,
            server=text,
            rule=text,
            cwd=text,
            created=time.time() - 9 + place,
        )
        for place, text in enumerate(HOSTILE)
    ]
    with Terminal("approvals", "list", rows=2000, columns=columns) as person:
        # This terminal fails on every character and sequence that acts on it.
        assert person.ends() == 0
        lines = [line for line in person.lines if line]
    heads = [line for line in lines if not line.startswith("  ")]
    assert [head[: len("NORMAL RISK  ") + 8] for head in heads] == [f"NORMAL RISK  {asked}" for asked in written]
    assert not any(map(is_fake, lines))
    piped = done("approvals", "list").split("\n")
    assert all(line.isprintable() for line in piped)
    assert not any(map(is_fake, piped))


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_no_text_of_theirs_fakes_a_line_of_show(text: str) -> None:
    asked = ask(tool=text, arguments={"path": text, text: [text]}, client=text, server=text, rule=text, cwd=text)
    with Terminal("approvals", "show", asked, rows=900, columns=50, PAGER="cat") as person:
        assert person.ends() == 0
        lines = [line for line in person.lines if line]
    assert lines[0].startswith(f"NORMAL RISK  {asked}")
    assert all(line.startswith("  ") for line in lines[1:])
    assert not any(map(is_fake, lines))


def test_an_encoding_without_the_characters_gets_escapes() -> None:
    ask(arguments={"path": "/\u65e5"})
    said = done("approvals", "list", env={**os.environ, "PYTHONUTF8": "0", "PYTHONIOENCODING": "latin-1"}, encoding="ascii")
    assert "\\u65e5" in said


def test_colour_is_for_terminals_only() -> None:
    ask(risk="high")
    with Terminal("approvals", "list") as person:
        person.ends()
        assert "\x1b[1;31mHIGH RISK" in person.raw
    for environment in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        with Terminal("approvals", "list", **environment) as person:
            person.ends()
            assert "HIGH RISK" in person.raw
            assert "\x1b" not in person.raw


# ---- approve and deny


def test_approve_decides_for_this_call_once() -> None:
    asked = ask()
    digest = digest_of(asked)
    assert done("approvals", "approve", asked) == f"approved once: {asked}  filesystem: write_file\n"
    written = queue.decision(asked)
    assert written is not None
    assert len(written.pop("seen")) == 64
    assert written == {"id": asked, "digest": digest, "approved": True, "channel": "terminal"}


def test_deny_decides_for_this_call_once() -> None:
    asked = ask(risk="high")
    digest = digest_of(asked)
    assert done("approvals", "deny", asked).startswith(f"denied: {asked}")
    assert queue.decision(asked) == {"id": asked, "digest": digest, "approved": False, "channel": "terminal"}


def test_approve_answers_in_json() -> None:
    asked = ask(arguments={"path": "/a"})
    said = json.loads(done("approvals", "approve", asked, "--for", "session", "--format", "json"))
    assert said == {"id": asked, "approved": True, "scope": "session", "constraints": {"path": {"equals": "/a"}}}


@pytest.mark.parametrize(("span", "scope"), [("session", "session"), ("always", "always"), ("90m", "until"), ("7d", "until")])
def test_an_approval_can_hold_longer(span: str, scope: str) -> None:
    asked = ask(arguments={"path": "/home/ana/x", "content": "y"})
    done("approvals", "approve", asked, "--for", span, "--like", "path=inside:/home/ana", "--like", "content=any")
    found = decided(asked)
    assert found["scope"] == scope
    assert found["constraints"] == {"path": {"inside": "/home/ana"}, "content": {"any": True}}
    assert ("until" in found) == (scope == "until")
    if scope == "until":
        assert found["until"] == pytest.approx(time.time() + {"90m": 5400, "7d": 604800}[span], abs=60)


def test_what_is_asked_for_is_what_the_guard_would_remember() -> None:
    from stdioguard.guard.asking import Question

    asked = ask(arguments={"path": "/home/ana/x", "content": "y"})
    done("approvals", "approve", asked, "--for", "2h", "--like", "path=inside:/home", "--like", "content=any")
    question = Question(asked, "write_file", {"path": "/home/ana/x", "content": "y"}, digest_of_file(asked), deadline=0.0)
    question.tool_pin = "cd" * 32
    grant = grants.make(question, decided(asked))
    assert grant is not None
    assert grants.meets(grant.constraints, {"path": "/home/bob", "content": "z"})
    assert not grants.meets(grant.constraints, {"path": "/etc", "content": "z"})


def digest_of_file(asked: str) -> str:
    return str(json.loads(Path(queue.folder(), f"{asked}.json").read_text())["digest"])


def test_a_denial_can_hold_for_good() -> None:
    asked = ask(risk="high", arguments={"path": "/a"})
    done("approvals", "deny", asked, "--always", "--like", "path=any")
    found = decided(asked)
    assert (found["approved"], found["scope"], found["constraints"]) == (False, "always", {"path": {"any": True}})


USAGE = [
    (["approve"], "Missing argument"),
    (["approve", "ID", "--for", "ever"], "--for is session, always"),
    (["approve", "ID", "--for", ""], "--for is session, always"),
    (["approve", "ID", "--for", "0s"], "not between"),
    (["approve", "ID", "--for", "999999d"], "not between"),
    (["approve", "ID", "--like", "path=any"], "--like is for an approval that lasts"),
    (["approve", "ID", "--for", "session", "--like", "nothing=any"], "names no argument"),
    (["approve", "ID", "--for", "session", "--like", "path=inside:/etc"], "no path inside"),
    (["approve", "ID", "--for", "session", "--like", "path=\x1b[2J"], "no pattern"),
    (["deny", "ID", "--like", "path=any"], "--like is for a denial that lasts"),
    (["deny", "ID", "--for", "session"], "No such option"),
    (["watch"], "watch needs a terminal"),
    (["serve", "--port", "70000"], "70000"),
    (["bogus"], "No such command"),
]


@pytest.mark.parametrize(("arguments", "said"), USAGE, ids=str)
def test_a_mistake_is_one_line_and_decides_nothing(arguments: list[str], said: str) -> None:
    asked = ask()
    assert said in refused(64, "approvals", *[asked if word == "ID" else word for word in arguments])
    assert decision(asked) is None


@pytest.mark.parametrize(
    "name", ["abcdefg1", "ABCDEFGH", "\u0430bcdefgh", "\u212aabcdefg", "abcdefg", "../../x", "", "abcdefgh\n", "\x1b[2J"]
)
def test_what_only_looks_like_an_id_is_refused(name: str) -> None:
    ask()
    for command in ("approve", "deny", "show"):
        assert "is no id of a question" in refused(77, "approvals", command, name)
    assert [entry for entry in os.listdir(queue.folder()) if "decision" in entry] == []


def test_an_id_that_nobody_knows_a_second_decision_and_one_that_comes_too_late_are_refused() -> None:
    assert "no question abcdefgh waits" in refused(77, "approvals", "approve", "abcdefgh")
    asked = ask()
    done("approvals", "deny", asked)
    assert "decided already" in refused(77, "approvals", "approve", asked)
    assert decided(asked)["approved"] is False
    late = ask(left=0.05)
    time.sleep(0.1)
    assert f"no question {late} waits" in refused(77, "approvals", "approve", late)
    assert os.listdir(queue.folder()).count(f"{late}.decision.json") == 0


def test_of_a_yes_and_a_no_at_once_one_wins_and_the_other_is_told() -> None:
    for _ in range(3):
        asked = ask()
        commands = [["approve", asked], ["deny", asked], ["approve", asked]]
        running = [
            subprocess.Popen([*STDIOGUARD, "approvals", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            for words in commands
        ]
        ended = [(process.communicate(timeout=60), process.returncode) for process in running]
        assert sorted(code for _, code in ended) == [0, 77, 77]
        winner = next(place for place, (_, code) in enumerate(ended) if code == 0)
        assert decided(asked)["approved"] == (commands[winner][0] == "approve")
        assert all("decided already" in said[1] for said, code in ended if code == 77)


def test_on_a_terminal_a_person_sees_the_question_before_it_is_approved() -> None:
    """The refusal that names the command comes by way of the model: whoever pastes it has not seen the call yet."""
    asked = ask()
    with Terminal("approvals", "approve", asked) as person:
        screen = person.wait_for("approve once? [y/N]")
        assert 'path: "/home/ana/plan.txt"' in screen
        assert decision(asked) is None
        person.type("\n")
        assert person.ends() == 77
    assert decision(asked) is None
    with Terminal("approvals", "approve", asked) as person:
        person.wait_for("approve once? [y/N]")
        person.type("y\n")
        assert person.ends() == 0
    assert decided(asked)["approved"] is True
    other = ask()
    with Terminal("approvals", "approve", other, "--yes") as person:
        assert person.ends() == 0
    assert decided(other)["approved"] is True


def test_what_was_typed_or_pasted_before_the_question_is_no_answer_to_it() -> None:
    asked = ask()
    with Terminal("approvals", "approve", asked) as person:
        person.type("y\n")
        person.wait_for("approve once? [y/N]")
        person.type("\n")
        assert person.ends() == 77
    assert decision(asked) is None


def test_what_is_never_remembered_is_decided_once() -> None:
    asked = ask(remember=False)
    for span in ("session", "always", "1h"):
        assert "remember = false" in refused(77, "approvals", "approve", asked, "--for", span)
    assert "remember = false" in refused(77, "approvals", "deny", asked, "--always")
    assert decision(asked) is None
    done("approvals", "approve", asked)


def test_arguments_that_are_too_large_to_be_shown_are_said_to_be() -> None:
    asked = ask(arguments={}, arguments_size=300_000)
    assert "too large to be shown (300000 bytes)" in done("approvals", "list")
    assert "too large" in refused(77, "approvals", "approve", asked, "--for", "session")
    done("approvals", "approve", asked)


def test_arguments_that_are_not_those_of_the_digest_are_not_approved() -> None:
    asked = ask(arguments={"path": "/harmful"})
    (question,) = queue.waiting()
    queue.write(asked, {**question.members, "arguments": {"path": "/harmless"}})
    assert "not those of the call" in refused(77, "approvals", "approve", asked)
    assert decision(asked) is None
    done("approvals", "deny", asked)


def test_a_full_disk_leaves_nothing_half(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")  # half a .pyc would break what runs next
    asked = ask()
    said = refused(74, "approvals", "approve", asked, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10)))
    assert "File too large" in said
    assert os.listdir(queue.folder()) == [f"{asked}.json"]
    done("approvals", "approve", asked)


def test_a_decision_is_a_file_of_the_users_alone() -> None:
    asked = ask()
    done("approvals", "approve", asked, preexec_fn=lambda: os.umask(0))
    assert stat.S_IMODE(Path(queue.folder(), f"{asked}.decision.json").stat().st_mode) == 0o600


# ---- high risk


def test_high_risk_is_approved_with_the_passphrase_on_the_terminal() -> None:
    setting = set_passphrase()
    asked = ask(risk="high")
    with Terminal("approvals", "approve", asked, "--for", "session") as person:
        screen = person.wait_for("passphrase to approve")
        assert f"HIGH RISK  {asked}" in screen
        assert 'path: "/home/ana/plan.txt"' in screen
        assert not person.echoes
        person.type(f"{PASSPHRASE}\n")
        assert person.ends() == 0
        assert PASSPHRASE not in person.raw
        assert person.is_as_before
    assert proof.is_signed(setting, decided(asked))
    assert decided(asked)["scope"] == "session"


def test_a_wrong_passphrase_is_one_line_and_nothing_is_written() -> None:
    set_passphrase()
    asked = ask(risk="high")
    with Terminal("approvals", "approve", asked) as person:
        person.wait_for("passphrase to approve")
        person.type("not the right one\n")
        assert person.ends() == 77
        assert "stdioguard: that is not the passphrase" in person.screen
        assert person.is_as_before
    assert decision(asked) is None


def test_without_a_passphrase_the_way_to_set_one_is_said() -> None:
    asked = ask(risk="high")
    assert "run stdioguard approvals passphrase" in refused(77, "approvals", "approve", asked)
    with Terminal("approvals", "approve", asked) as person:
        assert person.ends() == 77
        assert "passphrase to approve" not in person.screen
    assert decision(asked) is None
    done("approvals", "deny", asked)


@pytest.mark.parametrize("span", ["always", "90m"])
def test_high_risk_is_not_approved_for_longer_than_the_session(span: str) -> None:
    set_passphrase()
    asked = ask(risk="high")
    assert "not longer" in refused(77, "approvals", "approve", asked, "--for", span)
    assert decision(asked) is None


def test_the_passphrase_is_asked_on_the_terminal_whatever_stdin_and_stdout_are(tmp_path: Path) -> None:
    setting = set_passphrase()
    asked = ask(risk="high")
    program = shlex.join([*STDIOGUARD, "approvals", "approve", asked])
    person = Terminal()
    person.command = ["sh", "-c", f"echo wrong wrong wrong | {program} > {shlex.quote(str(tmp_path / 'out'))}"]
    with person:
        assert "HIGH RISK" in person.wait_for("passphrase to approve")
        person.type(f"{PASSPHRASE}\n")
        assert person.ends() == 0
    assert (tmp_path / "out").read_text().startswith("approved once")
    assert proof.is_signed(setting, decided(asked))


AGENT: list[tuple[int, list[str]]] = [
    (77, ["approve", "ID"]),
    (77, ["approve", "ID", "--yes"]),
    (77, ["approve", "ID", "--for", "session"]),
    (77, ["approve", "ID", "--format", "json"]),
    (64, ["watch"]),
    (77, ["passphrase"]),
]


@pytest.mark.parametrize(("code", "arguments"), AGENT, ids=str)
def test_an_agents_shell_approves_no_high_risk_by_any_command(code: int, arguments: list[str]) -> None:
    """It even knows the passphrase, by stdin and environment: it is not taken from there."""
    set_passphrase()
    asked, harmless = ask(risk="high"), ask(risk="normal")
    before = Path(proof.path()).read_bytes()
    environment = {**os.environ, "STDIOGUARD_PASSPHRASE": PASSPHRASE, "PASSPHRASE": PASSPHRASE}
    given = f"{PASSPHRASE}\n" * 3
    refused(code, "approvals", *[asked if word == "ID" else word for word in arguments], input=given, env=environment)
    assert decision(asked) is None
    assert Path(proof.path()).read_bytes() == before
    # The twin: what is of normal risk, the same shell approves. That is what the profile's risk is for.
    done("approvals", "approve", harmless)


def test_a_decision_that_an_agent_writes_itself_is_not_signed() -> None:
    setting = set_passphrase()
    asked = ask(risk="high")
    forged = {"id": asked, "digest": digest_of(asked), "approved": True, "channel": "terminal"}
    for signature in ({}, {"signature": ""}, {"signature": "00" * 64}, {"signature": setting["public"] * 2}):
        path = Path(queue.folder(), f"{asked}.decision.json")
        path.write_text(json.dumps(forged | signature))
        path.chmod(0o600)
        taken = queue.decision(asked)
        assert taken is not None
        assert not proof.is_signed(setting, taken)
    # The twin: what the person signs.
    assert proof.is_signed(setting, {**forged, "signature": proof.sign(PASSPHRASE, setting, forged)})


def test_a_signature_for_one_call_is_none_for_another() -> None:
    setting = set_passphrase()
    asked, other = ask(risk="high"), ask(risk="high", arguments={"path": "/etc"})
    with Terminal("approvals", "approve", asked) as person:
        person.wait_for("passphrase to approve")
        person.type(f"{PASSPHRASE}\n")
        assert person.ends() == 0
    signed = decided(asked)
    assert proof.is_signed(setting, signed)
    for change in ({"id": other}, {"digest": digest_of(other)}, {"scope": "session"}, {"id": other, "digest": digest_of(other)}):
        assert not proof.is_signed(setting, signed | change)


def test_an_approval_that_the_session_does_not_accept_is_said_to_be_none() -> None:
    """A session that began before the passphrase was changed takes the decision, and asks on."""
    set_passphrase()
    asked = ask(risk="high")
    over = threading.Event()

    def guard() -> None:
        while not over.is_set():
            queue.decision(asked)
            time.sleep(0.05)

    taking = threading.Thread(target=guard)
    taking.start()
    try:
        with Terminal("approvals", "approve", asked, columns=200) as person:
            person.wait_for("passphrase to approve")
            person.type(f"{PASSPHRASE}\n")
            assert person.ends() == 77
            assert "the session did not accept the decision" in person.screen
            assert "approved once" not in person.screen
    finally:
        over.set()
        taking.join()


# ---- the passphrase


def set_on_terminal(*typed: str, **options: Any) -> tuple[int, str]:
    with Terminal("approvals", "passphrase", columns=160, **options) as person:
        for number, line in enumerate(typed):
            until = time.monotonic() + 15
            while person.raw.count(": ") <= number or person.echoes:
                assert time.monotonic() < until, person.screen
                person.read(0.05)
            person.type(f"{line}\n")
            person.read(0.1)
        code = person.ends()
        assert person.is_as_before
        assert not any(line in person.raw for line in typed if len(line) > 3)
        return code, person.screen


def test_a_passphrase_is_set_by_typing_it_twice() -> None:
    code, screen = set_on_terminal(PASSPHRASE, PASSPHRASE)
    assert code == 0
    assert "the passphrase is set" in screen
    setting = proof.read()
    assert setting is not None
    assert proof.sign(PASSPHRASE, setting, {})
    path = Path(proof.path())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert os.listdir(path.parent) == ["approval-key.json"]
    assert PASSPHRASE not in path.read_text()


def test_a_passphrase_is_changed_by_who_knows_the_one_before() -> None:
    set_passphrase()
    new = "another battery staple"
    before = Path(proof.path()).read_bytes()
    code, screen = set_on_terminal("not the old one")
    assert (code, "not the passphrase" in screen) == (77, True)
    assert Path(proof.path()).read_bytes() == before
    code, screen = set_on_terminal(PASSPHRASE, new, new)
    assert (code, "is changed" in screen) == (0, True)
    setting = proof.read()
    assert setting is not None
    assert proof.sign(new, setting, {})
    with pytest.raises(proof.WrongPassphraseError):
        proof.sign(PASSPHRASE, setting, {})


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["tiny1"], "too short"),
        (["aaaaaaaaaaaa"], "too simple"),
        ([""], "no passphrase"),
        ([PASSPHRASE, "something else"], "not the same"),
    ],
)
def test_what_is_no_passphrase_changes_nothing(typed: list[str], said: str) -> None:
    code, screen = set_on_terminal(*typed)
    assert code == 77
    assert said in screen
    assert not Path(proof.path()).exists()


def test_a_passphrase_is_set_on_a_terminal_only() -> None:
    assert "run it in a terminal of your own" in refused(77, "approvals", "passphrase", input=f"{PASSPHRASE}\n{PASSPHRASE}\n")
    assert not Path(proof.path()).exists()


def test_a_key_that_cannot_be_used_is_said_to_be_none() -> None:
    set_passphrase()
    Path(proof.path()).write_text("{")
    assert "remove it" in refused(78, "approvals", "passphrase")
    assert Path(proof.path()).read_text() == "{"


def test_a_full_disk_keeps_the_key_that_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")  # half a .pyc would break what runs next
    set_passphrase()
    before = Path(proof.path()).read_bytes()
    new = "another battery staple"
    code, screen = set_on_terminal(PASSPHRASE, new, new, limit=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (40, 40)))
    assert code == 74
    assert "File too large" in screen
    assert Path(proof.path()).read_bytes() == before
    assert os.listdir(Path(proof.path()).parent) == ["approval-key.json"]


# ---- grants


def kept(**more: Any) -> str:
    members = {
        "id": queue.new_id(),
        "approved": True,
        "client": "claude-desktop",
        "server": "filesystem",
        "server_pin": "ab" * 32,
        "tool": "write_file",
        "tool_pin": "cd" * 32,
        "risk": "normal",
        "constraints": {"path": {"inside": "/home/ana/notes"}, "content": {"any": True}, "mode": {"equals": "w"}},
        "scope": "until",
        "until": time.time() + 5405,
        "created": time.time(),
        "channel": "terminal",
        **more,
    }
    grants.keep(Grant(members))
    return str(members["id"])


def test_nothing_is_remembered_at_first() -> None:
    assert "nothing is remembered" in done("grants", "list")
    assert json.loads(done("grants", "list", "--format", "json")) == []


def test_grants_say_what_they_let_through_and_until_when() -> None:
    name = kept()
    denied = kept(approved=False, scope="always", until=None, risk="high", constraints={})
    said = done("grants", "list")
    for text in (
        f"ALLOWED  {name}  filesystem: write_file",
        "1 h 30 min left",
        'path: inside "/home/ana/notes"',
        "content: anything",
        'mode: equal to "w"',
        f"DENIED   {denied}",
        "until it is revoked",
    ):
        assert text in said
    rows = json.loads(done("grants", "list", "--format", "json"))
    assert [row["id"] for row in rows] == [name, denied]
    assert rows[0]["constraints"]["path"] == {"inside": "/home/ana/notes"}
    assert rows[1]["until"] is None


def test_a_grant_that_has_ended_is_not_listed_and_not_kept() -> None:
    kept(until=time.time() - 1)
    going_on = kept(client="")
    rows = json.loads(done("grants", "list", "--format", "json"))
    assert [row["id"] for row in rows] == [going_on]
    assert os.listdir(grants.folder()) == [f"{going_on}.json"]
    assert "client     not identified" in done("grants", "list")


def test_a_group_without_a_command_shows_which_there_are() -> None:
    finished = stdioguard("grants")
    said = finished.stdout + finished.stderr  # which of them, and the exit code, is click's
    assert said.startswith("Usage: ")
    assert said.rstrip().endswith("what it decided is asked again.")


def test_a_grant_is_revoked_once() -> None:
    first, second, third = kept(), kept(), kept()
    assert done("grants", "revoke", first, second) == f"{first} is revoked\n{second} is revoked\n"
    assert [grant.id for grant in grants.listed()] == [third]
    assert f"no grant '{first}'" in refused(77, "grants", "revoke", first)
    for name in ("../../x", "\x1b[2J", "ABCDEFGH", "\u0430bcdefgh"):
        assert "no grant" in refused(77, "grants", "revoke", name)
    assert json.loads(done("grants", "revoke", third, "--format", "json")) == [{"id": third, "revoked": True}]
    assert refused(64, "grants", "revoke")


def test_what_cannot_be_revoked_does_not_keep_the_others() -> None:
    name = kept()
    finished = stdioguard("grants", "revoke", "abcdefgh", name)
    assert finished.returncode == 77
    assert "no grant 'abcdefgh'" in finished.stderr
    assert grants.listed() == []


def test_no_text_of_theirs_fakes_a_grant() -> None:
    for text in HOSTILE:
        kept(tool=text, server=text, client=text, constraints={text: {"equals": text}, "b": {"inside": text}, "c": {text: 1}})
    with Terminal("grants", "list", rows=2000, columns=60) as person:
        assert person.ends() == 0
        lines = [line for line in person.lines if line]
    assert sum(line.startswith("ALLOWED  ") for line in lines) == len(HOSTILE)
    assert not any(is_fake(line) for line in lines if not line.startswith("ALLOWED  "))
    assert [line for line in lines if not line.startswith(("  ", "ALLOWED  "))] == ["stdioguard grants revoke ID ends one"]
