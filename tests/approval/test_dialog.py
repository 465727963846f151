"""What dialogs say, how each program is asked, and what its ending means. No window is opened here; `test_approver` opens them."""

from __future__ import annotations

import base64
import html
import json
import os
import re
import unicodedata
from typing import Any

import pytest

from stdioguard.approval import dialog, programs

HOSTILE = {
    "markup": "<b>bold</b> <span foreground='white'>gone</span> <img src=file:///etc/passwd>",
    "entity": "&lt;b&gt; &amp; & &#60;",
    "option": "--ok-label=Allow",
    "options": "-e do shell script",
    "newline": "x\nrisk: low\r\nserver: trusted",
    "bidi": "\u202eevil\u2066",
    "escape": "\\n\\u000a%n%s",
    "quote": '"); $(touch /tmp/x) `id` \'" ${HOME}',
    "nul": "a\x00b",
    "surrogate": "\ud800",
    "wide": "\u5b57" * 300,
    "long": "x" * 100_000,
    "spaces": " " * 90 + "risk: low" + " " * 90,
}
KEY = {"public": "00" * 32}
EVERYWHERE = ["zenity", "tkinter", "kdialog", "osascript", "powershell"]


def question(**changed: Any) -> dict[str, Any]:
    members: dict[str, Any] = {
        "id": "abcdefgh",
        "digest": "d" * 64,
        "server": "filesystem",
        "client": "claude-desktop",
        "tool": "write_file",
        "risk": "normal",
        "arguments": {"path": "/home/ana/plan.txt"},
        "remember": False,
    }
    return {**members, **changed}


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialog, "find", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(dialog, "interpreter", lambda: "/usr/bin/python3")


def steps(program: str, **changed: Any) -> list[programs.Step]:
    members = question(**changed)
    return programs.steps({"key": KEY, **members, "text": dialog.text(members, has_passphrase=True)}, program)


def meaning(
    members: dict[str, Any], program: str, status: int, output: bytes, version: int = 4, kind: str = programs.CHOICE
) -> str | None:
    found = programs.outcome({"risk": "normal", **members}, program, kind, status, output, version)
    return None if found is None else found.decision


def columns(line: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in line)


# --- the text -------------------------------------------------------------------------------------------------------------------


def test_the_text_says_who_asks_for_what_and_how_risky_it_is() -> None:
    assert dialog.text(question(), has_passphrase=True).split("\n") == [
        "stdioguard: allow this tool call once?",
        "server: filesystem",
        "client: claude-desktop",
        "tool: write_file",
        "risk: normal",
        "arguments (chosen by the model):",
        '  path: "/home/ana/plan.txt"',
    ]


def test_a_client_that_has_not_proved_itself_is_not_named() -> None:
    assert "client:" not in dialog.text(question(client=""), has_passphrase=True)


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("where", ["server", "client", "tool", "value", "argument"])
def test_no_text_of_others_begins_a_line_where_the_guards_words_stand(name: str, where: str) -> None:
    text = HOSTILE[name]
    changed: dict[str, Any] = {"arguments": {"path": text}} if where == "value" else {where: text}
    if where == "argument":
        changed = {"arguments": {text: 1}}
    lines = dialog.text(question(**changed), has_passphrase=True).split("\n")
    own = [line for line in lines if not line.startswith(" ")]
    assert [line.partition(":")[0] for line in own] == [
        "stdioguard", "server", "client", "tool", "risk", "arguments (chosen by the model)",
    ]  # fmt: skip
    assert own[4] == "risk: normal"
    assert sum(line.startswith("  ") and not line.startswith(dialog.MARK) for line in lines) == 1
    assert all(char.isprintable() for line in lines for char in line)


@pytest.mark.parametrize("name", HOSTILE)
def test_no_line_is_wider_than_the_window(name: str) -> None:
    lines = dialog.text(question(arguments={"a": HOSTILE[name]}, tool=HOSTILE[name]), has_passphrase=True).split("\n")
    assert max(map(columns, lines)) <= dialog.WIDTH


def test_a_line_that_was_broken_can_be_put_together_again() -> None:
    value = "".join(chr(ord("a") + at % 26) for at in range(390))
    whole = dialog.text(question(arguments={"a": value}), has_passphrase=True).replace(f"\n{dialog.MARK}", "")
    assert value in whole


def test_a_text_of_any_size_is_capped_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialog, "MAX_TEXT", 5000)
    long = dialog.text(question(arguments={f"a{at} " * 60: "\U000e0001" * 400 for at in range(60)}), has_passphrase=True)
    assert len(long) < dialog.MAX_TEXT + 100
    assert re.search(r"\n\[\.\.\. [\d,]+ more characters are not shown\]\Z", long)
    assert "not shown" not in dialog.text(question(), has_passphrase=True)


def test_arguments_that_are_not_in_the_question_are_not_called_none() -> None:
    text = dialog.text(question(arguments={}, arguments_size=300_000), has_passphrase=True)
    assert "300,000 bytes, too large to be shown" in text
    assert "none" not in text
    assert "arguments: none" in dialog.text(question(arguments={}), has_passphrase=True)


def test_a_call_that_was_refused_already_is_said_to_be_so() -> None:
    assert "runs the next time" in dialog.text(question(parked=True), has_passphrase=True)
    assert "runs the next time" not in dialog.text(question(), has_passphrase=True)


# --- the command lines ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("risk", ["normal", "high"])
@pytest.mark.parametrize("program", ["zenity", "tkinter", "osascript", "powershell"])
@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_of_the_question_is_on_the_command_line(program: str, name: str, risk: str) -> None:
    text = HOSTILE[name]
    hostile = steps(program, server=text, tool=text, client=text, arguments={text: text}, risk=risk)
    honest = steps(program, risk=risk)
    assert [step.command for step in hostile] == [step.command for step in honest]
    assert hostile[0].stdin != honest[0].stdin
    assert len(hostile[0].stdin) < 200_000


@pytest.mark.parametrize("name", HOSTILE)
def test_kdialog_has_the_arguments_on_its_standard_input_only(name: str) -> None:
    text = "secret-" + HOSTILE[name]
    found = steps("kdialog", arguments={"token": text}, risk="high")
    commands = [step.command for step in found]
    assert commands == [step.command for step in steps("kdialog", risk="high")]
    assert "secret-" not in str(commands)
    assert b"secret-" in found[0].stdin


@pytest.mark.parametrize("name", HOSTILE)
def test_qt_is_given_no_markup_but_ours(name: str) -> None:
    changed = {"server": HOSTILE[name], "tool": HOSTILE[name], "arguments": {"a": HOSTILE[name]}, "risk": "high"}
    reading, choosing, signing = steps("kdialog", **changed)
    for label in (choosing.command[4], signing.command[4]):
        assert set(re.findall("<[^>]*>", label)) == {"<qt>", "</qt>", "<br/>"}
        assert "\\" not in label
    assert choosing.command[4].startswith("<qt>stdioguard:")
    lines = reading.stdin.decode().splitlines()
    assert all(line.startswith("<qt><tt>") and line.endswith("</tt></qt>") for line in lines)
    assert all(len(re.findall("[<>]", line)) == 8 and "\\" not in line for line in lines)
    plain = [html.unescape(line[8:-10]).replace("\xa0", " ") for line in lines]
    asked = dialog.text(question(**changed), has_passphrase=True).replace("\xa0", " ").replace("\n\n", "\n \n")
    assert "\n".join(plain).startswith(asked)


@pytest.mark.parametrize("program", ["tkinter", "osascript", "powershell"])
def test_the_question_arrives_as_data(program: str) -> None:
    text = HOSTILE["quote"] + HOSTILE["newline"]
    (step,) = steps(program, arguments={"a": text})
    found = json.loads(step.stdin)
    assert found["heading"] == "Allow this tool call once?"
    assert found["choices"] == ["once"]
    shown = dialog.text(question(arguments={"a": text}), has_passphrase=True)
    assert f"{found['heading']}\n{found['text']}".lower().endswith(shown.lower()[12:])


def offered(program: str, **changed: Any) -> set[str]:
    """What a person can choose."""
    (step,) = [step for step in steps(program, **changed) if step.kind == programs.CHOICE]
    if program not in ("zenity", "kdialog"):
        return {"deny", *json.loads(step.stdin)["choices"]}
    return {key for key in ("deny", "once", "session") if any(part.endswith(programs.LABELS[key]) for part in step.command)}


@pytest.mark.parametrize("program", EVERYWHERE)
@pytest.mark.parametrize("risk", ["normal", "high"])
def test_the_session_is_offered_only_where_it_may_be_remembered(program: str, risk: str) -> None:
    assert offered(program, remember=True, risk=risk) == {"deny", "once", "session"}
    assert offered(program, remember=False, risk=risk) == {"deny", "once"}


@pytest.mark.parametrize("program", EVERYWHERE)
@pytest.mark.parametrize("risk", ["high", "nothing known"])
def test_without_a_passphrase_high_risk_can_only_be_denied(program: str, risk: str) -> None:
    assert offered(program, remember=True, risk=risk, key=None) == {"deny"}
    assert offered(program, remember=True, risk=risk) == {"deny", "once", "session"}
    assert offered(program, remember=True, risk="normal", key=None) == {"deny", "once", "session"}
    assert all(step.kind != programs.PASSPHRASE for step in steps(program, risk=risk, key=None))


def test_without_a_passphrase_the_text_says_how_to_set_one() -> None:
    assert "stdioguard approvals passphrase" in dialog.text(question(risk="high"), has_passphrase=False)
    assert "stdioguard approvals passphrase" not in dialog.text(question(risk="high"), has_passphrase=True)
    assert "passphrase" not in dialog.text(question(), has_passphrase=False)


@pytest.mark.parametrize("program", EVERYWHERE)
def test_a_wrong_passphrase_is_said_to_be_wrong(program: str) -> None:
    members = question(risk="high", key=KEY, text="stdioguard: x\ny")
    words = b"That is not the passphrase. 2 tries are left."
    first, second = programs.steps(members, program)[-1], programs.steps(members, program, 2)[-1]
    assert words not in first.stdin + " ".join(first.command).encode()
    assert words in second.stdin + " ".join(second.command).encode().replace(b"&nbsp;", b" ")


@pytest.mark.parametrize("program", ["zenity", "kdialog"])
def test_a_window_for_the_passphrase_alone_names_the_question(program: str) -> None:
    *_, shown, asking = steps(program, risk="high")
    assert asking.kind == programs.PASSPHRASE
    assert "the&nbsp;question&nbsp;abcdefgh" in asking.command[-1] or "question abcdefgh" in asking.command[-1]
    assert b"question" in steps(program, risk="high")[0].stdin
    assert b"abcdefgh" in steps(program, risk="high")[0].stdin


def test_scripts_take_the_question_from_their_standard_input() -> None:
    command = steps("osascript")[0].command
    assert command[:3] == ["/usr/bin/osascript", "-l", "JavaScript"]
    with open(command[3]) as file:
        assert 'defaultButton: "Deny", cancelButton: "Deny"' in file.read()
    command = steps("powershell")[0].command
    assert "-EncodedCommand" in command
    script = base64.b64decode(command[-1]).decode("utf-16-le")
    assert "$form.AcceptButton = $deny" in script
    assert len(" ".join(command)) < 32_000  # the longest command line of Windows (CreateProcessW)


# --- what an ending means ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "output", "version", "meant"),
    [
        (81, b"", 3, "deny"),
        (82, b"", 4, "deny"),
        (83, b"", 3, "deny"),
        (83, b"", 4, "deny"),
        (83, b"Allow once\n", 3, "once"),
        (84, b"Allow once\n", 4, "once"),
        (83, b"Allow for the session\n", 3, "session"),
        (83, b"Allow once\n", 4, None),  # the first of version 4 printed a label for a plain OK
        (81, b"Allow once\n", 3, None),
        (0, b"Allow once\n", 3, None),
        (84, b"", 3, None),
        (0, b"", 3, None),
        (1, b"", 3, None),
        (85, b"", 3, None),
        (-9, b"", 3, None),
        (-11, b"Allow once\n", 3, None),
        (83, b"Allow once\nAllow once\n", 3, None),
        (83, b"allow once", 3, None),
        (83, b"\xff\xfe", 3, None),
    ],
)
def test_zenity_has_answered_only_with_a_code_of_ours(status: int, output: bytes, version: int, meant: str | None) -> None:
    assert meaning({"remember": True}, "zenity", status, output, version) == meant


@pytest.mark.parametrize("program", ["tkinter", "osascript", "powershell", "kdialog"])
@pytest.mark.parametrize(
    ("status", "output", "meant"),
    [
        (0, b"once\n", "once"),
        (0, b"deny", "deny"),
        (0, b"session", "session"),
        (0, b"", None),
        (0, b"yes", None),
        (0, b"once once", None),
        (2, b"once", None),
        (-6, b"once", None),
        (134, b"", None),
    ],
)
def test_the_others_have_answered_only_with_a_word_of_ours(program: str, status: int, output: bytes, meant: str | None) -> None:
    assert meaning({"remember": True}, program, status, output) == meant


def test_kdialog_denies_where_it_cannot_tell_cancel_from_a_broken_display() -> None:
    assert meaning({}, "kdialog", 1, b"") == "deny"
    assert meaning({}, "tkinter", 1, b"") is None


@pytest.mark.parametrize(
    ("program", "status", "output"), [("zenity", 84, b"Allow for the session\n"), ("tkinter", 0, b"session")]
)
def test_a_session_that_was_not_offered_is_no_answer(program: str, status: int, output: bytes) -> None:
    assert meaning({"remember": False}, program, status, output) is None
    assert meaning({"remember": True}, program, status, output) == "session"


HIGH = {"risk": "high", "key": KEY, "remember": True}


@pytest.mark.parametrize(
    ("program", "status", "output", "decision", "passphrase"),
    [
        ("zenity", 81, b"correct horse\n", "", "correct horse"),
        ("zenity", 81, b" spaces \n", "", " spaces "),
        ("zenity", 81, b"Show it again\n", "", "Show it again"),
        ("zenity", 83, b"Show it again\n", "again", None),
        ("zenity", 82, b"", "deny", None),
        ("zenity", 83, b"", "deny", None),
        ("kdialog", 0, "pässwörd\n".encode(), "", "pässwörd"),
        ("kdialog", 1, b"", "deny", None),
    ],
)
def test_a_window_for_the_passphrase_gives_it_or_denies(
    program: str, status: int, output: bytes, decision: str, passphrase: str | None
) -> None:
    found = programs.outcome(HIGH, program, programs.PASSPHRASE, status, output, 3)
    assert found is not None
    assert (found.decision, found.passphrase) == (decision, passphrase)


@pytest.mark.parametrize(
    ("program", "status", "output"),
    [
        ("zenity", 0, b"correct horse\n"),
        ("zenity", 1, b"correct horse\n"),
        ("zenity", 83, b"correct horse\n"),
        ("zenity", 85, b""),
        ("zenity", -9, b"correct horse\n"),
        ("kdialog", 134, b"correct horse\n"),
        ("kdialog", -9, b""),
    ],
)
def test_a_window_for_the_passphrase_that_ended_in_another_way_has_not_answered(program: str, status: int, output: bytes) -> None:
    assert programs.outcome(HIGH, program, programs.PASSPHRASE, status, output, 3) is None


@pytest.mark.parametrize("program", ["tkinter", "osascript", "powershell"])
def test_a_window_for_both_gives_the_decision_and_the_passphrase(program: str) -> None:
    def answer(output: bytes, **changed: Any) -> tuple[str, str | None] | None:
        found = programs.outcome({**HIGH, **changed}, program, programs.CHOICE, 0, output)
        return None if found is None else (found.decision, found.passphrase)

    assert answer(b"once\ncorrect horse") == ("once", "correct horse")
    assert answer(b"session\na\nb\r\n") == ("session", "a\nb")
    assert answer(b"deny") == ("deny", None)
    assert answer(b"once") is None
    assert answer(b"session\nx", remember=False) is None
    assert answer(b"once\nx", risk="normal") is None
    assert answer(b"once", risk="normal") == ("once", None)


@pytest.mark.parametrize("program", EVERYWHERE)
def test_without_a_passphrase_no_ending_allows_high_risk(program: str) -> None:
    said = {"zenity": b"Allow once", "kdialog": b"once"}.get(program, b"once\nx")
    status = 84 if program == "zenity" else 0
    assert meaning({**HIGH, "key": None}, program, status, said) is None
    assert meaning(HIGH, program, status, said) == "once"


# --- which program, and its environment -------------------------------------------------------------------------------------------


@pytest.fixture
def display(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    real = os.path.exists
    monkeypatch.setattr(os.path, "exists", lambda path: path in ("/tmp/.X11-unix/X9", "/run/user/1/wayland-0") or real(path))
    return {"DISPLAY": ":9"}


def only(*names: str) -> Any:
    return lambda name: f"/usr/bin/{name}" if name in names else None


def test_the_first_program_that_is_there_is_taken(display: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert dialog.available(display, "linux") == "zenity"
    monkeypatch.setattr(dialog, "find", only("kdialog"))
    assert dialog.available(display, "linux") == "tkinter"
    monkeypatch.setattr(dialog, "interpreter", lambda: None)
    assert dialog.available(display, "linux") == "kdialog"
    monkeypatch.setattr(dialog, "find", only())
    assert dialog.available(display, "linux") is None


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"DISPLAY": ""},
        {"DISPLAY": ":8"},
        {"DISPLAY": "localhost:9"},
        {"DISPLAY": "evil.example:9.0"},
        {"DISPLAY": "9"},
        {"DISPLAY": ":../../x"},
        {"WAYLAND_DISPLAY": "wayland-0"},
        {"WAYLAND_DISPLAY": "wayland-1", "XDG_RUNTIME_DIR": "/run/user/1"},
    ],
)
def test_without_a_display_of_this_machine_there_is_no_dialog(environment: dict[str, str], display: dict[str, str]) -> None:
    assert dialog.available(environment, "linux") is None
    assert dialog.available({**environment, **display}, "linux") == "zenity"


def test_tkinter_needs_x11(display: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialog, "find", only())
    wayland = {"WAYLAND_DISPLAY": "wayland-0", "XDG_RUNTIME_DIR": "/run/user/1"}
    assert dialog.available(wayland, "linux") is None
    assert dialog.available({**wayland, **display}, "linux") == "tkinter"


def test_a_dialog_is_told_the_display_and_no_path_of_the_users() -> None:
    own = {
        "DISPLAY": ":0", "XAUTHORITY": "/x", "HOME": "/home/ana", "LANG": "de_DE.UTF-8", "LC_TIME": "C", "PATH": "/home/ana/bin",
        "LD_PRELOAD": "/home/ana/x.so", "GTK_MODULES": "x", "GTK_PATH": "/x", "QT_PLUGIN_PATH": "/x", "PYTHONPATH": "/x",
        "TCLLIBPATH": "/x", "STDIOGUARD_TOKEN": "t", "MCP_SHARED_SECRET": "s", "ZENITY_OK": "83", "ZENITY_ESC": "84",
    }  # fmt: skip
    found = dialog.environment(own)
    assert {name for name in found if not name.startswith("ZENITY_")} == {
        "DISPLAY", "XAUTHORITY", "HOME", "LANG", "LC_TIME", "PATH", "DBUS_SESSION_BUS_ADDRESS", "GSK_RENDERER", "GTK_OVERLAY_SCROLLING",
    }  # fmt: skip
    assert found["PATH"] == dialog.PATH
    assert found["ZENITY_OK"] == "81"
    assert found["ZENITY_ESC"] == "83"


def test_a_dialog_looks_into_no_home() -> None:
    """Where a program of this user could have left a style, a font or a module for it."""
    found = dialog.environment({"DISPLAY": ":0", "HOME": "/home/ana", "XDG_CONFIG_HOME": "/home/ana/.config"})
    assert found["HOME"] == "/dev/null"
    assert found["XAUTHORITY"] == "/home/ana/.Xauthority"
    assert "XDG_CONFIG_HOME" not in found
    assert dialog.environment({"DISPLAY": ":0", "HOME": "/home/ana", "XAUTHORITY": "/x"})["XAUTHORITY"] == "/x"
