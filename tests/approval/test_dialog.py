"""What dialogs say, how each program is asked, and what its ending means. No window is opened here; `test_approver` opens them."""

from __future__ import annotations

import html
import json
import os
import re
import unicodedata
from typing import Any

import pytest

from stdioguard.approval import dialog

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
EVERYWHERE = ["zenity", "tkinter", "kdialog", "osascript", "powershell"]


def question(**changed: Any) -> dict[str, Any]:
    members: dict[str, Any] = {
        "id": "abcdefgh",
        "digest": "d" * 64,
        "server": "filesystem",
        "client": "claude-desktop",
        "tool": "write_file",
        "risk": "high",
        "arguments": {"path": "/home/ana/plan.txt"},
        "remember": False,
    }
    return {**members, **changed}


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialog, "_find", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(dialog, "interpreter", lambda: "/usr/bin/python3")


def columns(line: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in line)


# --- the text -------------------------------------------------------------------------------------------------------------------


def test_the_text_says_who_asks_for_what_and_how_risky_it_is() -> None:
    assert dialog.text(question()).split("\n") == [
        "stdioguard: allow this tool call once?",
        "server: filesystem",
        "client: claude-desktop",
        "tool: write_file",
        "risk: high",
        "arguments (chosen by the model):",
        '  path: "/home/ana/plan.txt"',
    ]


def test_a_client_that_has_not_proved_itself_is_not_named() -> None:
    assert "client:" not in dialog.text(question(client=""))


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("where", ["server", "client", "tool", "value", "argument"])
def test_no_text_of_others_begins_a_line_where_the_guards_words_stand(name: str, where: str) -> None:
    text = HOSTILE[name]
    changed: dict[str, Any] = {"arguments": {"path": text}} if where == "value" else {where: text}
    if where == "argument":
        changed = {"arguments": {text: 1}}
    lines = dialog.text(question(**changed)).split("\n")
    own = [line for line in lines if not line.startswith(" ")]
    assert [line.partition(":")[0] for line in own] == [
        "stdioguard", "server", "client", "tool", "risk", "arguments (chosen by the model)",
    ]  # fmt: skip
    assert own[4] == "risk: high"
    assert sum(line.startswith("  ") and not line.startswith(dialog.MARK) for line in lines) == 1
    assert all(char.isprintable() for line in lines for char in line)


@pytest.mark.parametrize("name", HOSTILE)
def test_no_line_is_wider_than_the_window(name: str) -> None:
    lines = dialog.text(question(arguments={"a": HOSTILE[name]}, tool=HOSTILE[name])).split("\n")
    assert max(map(columns, lines)) <= dialog.WIDTH


def test_a_line_that_was_broken_can_be_put_together_again() -> None:
    value = "".join(chr(ord("a") + at % 26) for at in range(390))
    whole = dialog.text(question(arguments={"a": value})).replace(f"\n{dialog.MARK}", "")
    assert value in whole


def test_a_text_of_any_size_is_capped_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialog, "MAX_TEXT", 5000)
    long = dialog.text(question(arguments={f"a{at} " * 60: "\U000e0001" * 400 for at in range(60)}))
    assert len(long) < dialog.MAX_TEXT + 100
    assert re.search(r"\n\[\.\.\. [\d,]+ more characters are not shown\]\Z", long)
    assert "not shown" not in dialog.text(question())


def test_arguments_that_are_not_in_the_question_are_not_called_none() -> None:
    text = dialog.text(question(arguments={}, arguments_size=300_000))
    assert "300,000 bytes, too large to be shown" in text
    assert "none" not in text
    assert "arguments: none" in dialog.text(question(arguments={}))


def test_a_call_that_was_refused_already_is_said_to_be_so() -> None:
    assert "runs the next time" in dialog.text(question(parked=True))
    assert "runs the next time" not in dialog.text(question())


# --- the command lines ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("program", ["zenity", "tkinter", "osascript", "powershell"])
@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_of_the_question_is_on_the_command_line(program: str, name: str) -> None:
    text = HOSTILE[name]
    hostile = dialog.show(question(server=text, tool=text, client=text, arguments={text: text}), program)
    honest = dialog.show(question(), program)
    assert hostile.commands == honest.commands
    assert hostile.stdin != honest.stdin
    assert len(hostile.stdin) < 200_000


@pytest.mark.parametrize("name", HOSTILE)
def test_kdialog_has_the_arguments_on_its_standard_input_only(name: str) -> None:
    text = "secret-" + HOSTILE[name]
    reading, deciding = dialog.show(question(arguments={"token": text}), "kdialog").commands
    assert [reading, deciding] == dialog.show(question(), "kdialog").commands
    assert "secret-" not in " ".join(reading + deciding)
    assert b"secret-" in dialog.show(question(arguments={"token": text}), "kdialog").stdin


@pytest.mark.parametrize("name", HOSTILE)
def test_qt_is_given_no_markup_but_ours(name: str) -> None:
    shown = dialog.show(question(server=HOSTILE[name], tool=HOSTILE[name], arguments={"a": HOSTILE[name]}), "kdialog")
    label = shown.commands[1][4]
    assert label.startswith("<qt>stdioguard:")
    assert set(re.findall("<[^>]*>", label)) == {"<qt>", "</qt>", "<br/>"}
    assert "\\" not in label
    lines = shown.stdin.decode().splitlines()
    assert all(line.startswith("<qt><tt>") and line.endswith("</tt></qt>") for line in lines)
    assert all(len(re.findall("[<>]", line)) == 8 and "\\" not in line for line in lines)
    plain = [html.unescape(line[8:-10]).replace("\xa0", " ") for line in lines]
    asked = dialog.text(question(server=HOSTILE[name], tool=HOSTILE[name], arguments={"a": HOSTILE[name]})).replace("\xa0", " ")
    assert "\n".join(plain).startswith(asked)


@pytest.mark.parametrize("program", ["tkinter", "osascript", "powershell"])
def test_the_question_arrives_as_data(program: str) -> None:
    text = HOSTILE["quote"] + HOSTILE["newline"]
    found = json.loads(dialog.show(question(arguments={"a": text}), program).stdin)
    assert found["heading"] == "Allow this tool call once?"
    assert found["remember"] is False
    assert f"{found['heading']}\n{found['text']}".lower().endswith(dialog.text(question(arguments={"a": text})).lower()[12:])


@pytest.mark.parametrize("program", EVERYWHERE)
def test_the_session_is_offered_only_where_it_may_be_remembered(program: str) -> None:
    def offers(remember: bool) -> bool:
        shown = dialog.show(question(remember=remember), program)
        if program in ("zenity", "kdialog"):
            return any("session" in part for part in shown.commands[-1])
        return json.loads(shown.stdin)["remember"] is True

    assert offers(remember=True)
    assert not offers(remember=False)


def test_scripts_take_the_question_from_their_standard_input() -> None:
    assert dialog.show(question(), "osascript").commands[0][:4] == ["/usr/bin/osascript", "-l", "JavaScript", "-e"]
    assert 'defaultButton: "Deny", cancelButton: "Deny"' in dialog.show(question(), "osascript").commands[0][4]
    command = dialog.show(question(), "powershell").commands[0]
    assert "-EncodedCommand" in command
    assert re.fullmatch(r"[A-Za-z0-9+/=]+", command[-1])


# --- what an ending means ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "output", "version", "meaning"),
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
def test_zenity_has_answered_only_with_a_code_of_ours(status: int, output: bytes, version: int, meaning: str | None) -> None:
    assert dialog.outcome({"remember": True}, "zenity", status, output, version) == meaning


@pytest.mark.parametrize("program", ["tkinter", "osascript", "powershell", "kdialog"])
@pytest.mark.parametrize(
    ("status", "output", "meaning"),
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
def test_the_others_have_answered_only_with_a_word_of_ours(program: str, status: int, output: bytes, meaning: str | None) -> None:
    assert dialog.outcome({"remember": True}, program, status, output) == meaning


def test_kdialog_denies_where_it_cannot_tell_cancel_from_a_broken_display() -> None:
    assert dialog.outcome({}, "kdialog", 1, b"") == "deny"
    assert dialog.outcome({}, "tkinter", 1, b"") is None


@pytest.mark.parametrize(
    ("program", "status", "output"), [("zenity", 84, b"Allow for the session\n"), ("tkinter", 0, b"session")]
)
def test_a_session_that_was_not_offered_is_no_answer(program: str, status: int, output: bytes) -> None:
    assert dialog.outcome({"remember": False}, program, status, output) is None
    assert dialog.outcome({"remember": True}, program, status, output) == "session"


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
    monkeypatch.setattr(dialog, "_find", only("kdialog"))
    assert dialog.available(display, "linux") == "tkinter"
    monkeypatch.setattr(dialog, "interpreter", lambda: None)
    assert dialog.available(display, "linux") == "kdialog"
    monkeypatch.setattr(dialog, "_find", only())
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
    monkeypatch.setattr(dialog, "_find", only())
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
