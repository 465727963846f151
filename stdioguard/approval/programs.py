"""How each dialog program is asked, and what its ending means.

Every program reads the question from its standard input, so that no other user of the machine sees more of it than that stdioguard asks
something: a command line is for everybody to read. One has to be told the server, the tool and the risk on its command line: `kdialog`,
which is therefore the last that is taken; the arguments go to its standard input as well. The command lines are else the same for all
questions, but for the id of one of high risk.

High risk takes the person's passphrase. Where a program has no window for both, it is asked in a second one, which names the question by
its id. The passphrase comes back on the standard output alone.

An answer is one that only a person's decision leads to. A program that ends in any other way has not answered.
"""

from __future__ import annotations

import os

from stdioguard.approval import dialog, shown
from stdioguard.guard import display
from stdioguard.wire import strict_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

DENY, ONCE, SESSION, AGAIN = "deny", "once", "session", "again"
LABELS = {DENY: "Deny", ONCE: "Allow once", SESSION: "Allow for the session", AGAIN: "Show it again"}
TITLE = "stdioguard"
READ, CHOICE, PASSPHRASE = "read", "choice", "passphrase"
"""What a step is for: to read, where any ending goes on; to choose; to give the passphrase for what was chosen."""


class Step:
    """One program that is executed for a question, with `stdin` as its standard input."""

    __slots__ = ("command", "kind", "stdin")

    def __init__(self, kind: str, command: list[str], stdin: bytes = b"") -> None:
        self.kind = kind
        self.command = command
        self.stdin = stdin


class Answer:
    """What a step has led to: `decision` is `deny`, `once`, `session` or `again`, and empty from a window for the passphrase alone."""

    __slots__ = ("decision", "passphrase")

    def __init__(self, decision: str, passphrase: str | None = None) -> None:
        self.decision = decision
        self.passphrase = passphrase


def is_signed(question: Mapping[str, Any]) -> bool:
    """Tell whether allowing takes the passphrase."""
    return shown.risk(question) == "high"


def choices(question: Mapping[str, Any]) -> list[str]:
    """Return what can be chosen. Without a passphrase high risk can only be denied."""
    if is_signed(question) and question.get("key") is None:
        return [DENY]
    return [DENY, ONCE, SESSION] if question.get("remember") is True else [DENY, ONCE]


def steps(question: Mapping[str, Any], program: str, left: int | None = None) -> list[Step]:
    """Return how `program` asks a question, one step after the other.

    Its members are `id`, `text`, `risk`, `remember`, `server`, `tool` and, where a passphrase is set, `key`; `left` is how many tries are
    left after a wrong passphrase. Raises `FileNotFoundError` where the program is gone.
    """
    wrong = "" if left is None else f"That is not the passphrase. {left} {'try is' if left == 1 else 'tries are'} left."
    return {"zenity": _zenity, "tkinter": _tkinter, "kdialog": _kdialog, "osascript": _osascript, "powershell": _windows}[
        program
    ](question, wrong)


def outcome(question: Mapping[str, Any], program: str, kind: str, status: int, output: bytes, version: int = 4) -> Answer | None:
    """Return what a person has answered, or `None` where nobody has. `status` is the exit code, negative for a signal.

    `version` is zenity's: up to 3 an extra button has the code of Escape, which in the first of 4 is that of a plain OK with any label.
    """
    if kind == PASSPHRASE:
        return _passphrase(program, status, output, version)
    first, line, rest = output.partition(b"\n")
    asks_both = program not in ("zenity", "kdialog") and is_signed(question)
    word = (first if asks_both else output).decode("ascii", "replace").strip()
    decision: str | None
    if program == "zenity":
        decision = next((key for key in (DENY, ONCE, SESSION) if LABELS[key] == word), None)
        if decision is None:
            decision = DENY if not word and status in (dialog.OK, dialog.CANCEL, dialog.ESCAPE) else None
        elif status != _extra(version):
            decision = None
    elif program == "kdialog" and status == 1:
        decision = DENY  # Cancel, Escape, closed; also a display that broke, which it does not tell apart
    else:
        decision = word if status == 0 and word in (DENY, ONCE, SESSION) else None
    if decision is None or decision not in choices(question):
        return None
    if asks_both and decision != DENY:
        return Answer(decision, _decoded(rest)) if line else None
    return Answer(decision)


def _passphrase(program: str, status: int, output: bytes, version: int) -> Answer | None:
    if program == "zenity":
        if status == dialog.OK:
            return Answer("", _decoded(output))
        if output.decode("ascii", "replace").strip() == LABELS[AGAIN]:
            return Answer(AGAIN) if status == _extra(version) else None
        return Answer(DENY) if not output.strip() and status in (dialog.CANCEL, dialog.ESCAPE) else None
    if status == 0:
        return Answer("", _decoded(output))
    return Answer(DENY) if status == 1 else None


def _extra(version: int) -> int:
    return dialog.ESCAPE if version < 4 else dialog.EXTRA


def _decoded(output: bytes) -> str:
    # The toolkits end the line; macOS' and Windows' may do so with both characters. What is no UTF-8 is no passphrase either.
    return output.decode("utf-8", "replace").removesuffix("\n").removesuffix("\r")


# --- the programs -------------------------------------------------------------------------------------------------------------------


def _zenity(question: Mapping[str, Any], wrong: str) -> list[Step]:
    """Show a page of plain text (GtkTextView). Enter is its OK button, so that one denies; Cancel is what Escape is, and closing."""
    zenity = [_program("zenity"), f"--title={TITLE}"]
    offered = choices(question)[1:]
    command = [
        *zenity, "--text-info", "--width=720", "--height=460", "--font=Monospace 10", f"--ok-label={LABELS[DENY]}", "--cancel-label=Close",
        *(f"--extra-button={LABELS[choice]}" for choice in offered),
    ]  # fmt: skip
    found = [Step(CHOICE, command, _utf8(f"{question['text']}\n\nEnter, Escape and Close deny the call.\n"))]
    if offered and is_signed(question):
        command = [
            *zenity, "--entry", "--hide-text", "--width=560", "--ok-label=Sign and allow", f"--cancel-label={LABELS[DENY]}",
            f"--extra-button={LABELS[AGAIN]}", "--text=" + "\\n".join(_about_passphrase(question, wrong, f"press {LABELS[AGAIN]}.")),
        ]  # fmt: skip
        found.append(Step(PASSPHRASE, command))
    return found


def _about_passphrase(question: Mapping[str, Any], wrong: str, what_then: str) -> list[str]:
    """Return the lines of a window that asks for the passphrase alone. Somebody else may have gone through the one before."""
    return [
        *([wrong, ""] if wrong else []),
        f"Your passphrase, to allow the question {question['id']}.",
        "It signs the call that the window before this one has shown.",
        f"If you have not read it, {what_then}",
    ]


def _tkinter(question: Mapping[str, Any], wrong: str) -> list[Step]:
    python = dialog.interpreter()
    if python is None:
        raise FileNotFoundError(2, "no interpreter has tkinter", "tkinter")
    return [Step(CHOICE, [python, "-I", "-S", _beside("window.py")], _request(question, wrong))]


def _kdialog(question: Mapping[str, Any], wrong: str) -> list[Step]:
    """Show two windows: all of the question to read, from the standard input, then the choice, whose first line denies; then a third.

    Qt takes a text for HTML if it looks like that, so all of it is made HTML and escaped, backslashes too: kdialog acts on them.
    """
    kdialog = [_program("kdialog"), "--title", TITLE]
    lines = [*question["text"].split("\n"), "", "OK goes on to the decision."]
    page = "\n".join(f"<qt><tt>{_html(line)}</tt></qt>" for line in lines)
    names = [f"server: {display.shortened(question['server'], 80)}", f"tool: {display.shortened(question['tool'], 80)}"]
    label = "<br/>".join(map(_html, [lines[0], *names, f"risk: {question['risk']}"]))
    listed = [part for choice in choices(question) for part in (choice, LABELS[choice], "on" if choice == DENY else "off")]
    found = [
        Step(READ, [*kdialog, "--textbox", "-", "720", "460"], _utf8(f"{page}\n")),
        Step(CHOICE, [*kdialog, "--radiolist", f"<qt>{label}</qt>", *listed]),
    ]
    if len(choices(question)) > 1 and is_signed(question):
        about = "<br/>".join(map(_html, _about_passphrase(question, wrong, "press Cancel: that denies it.")))
        found.append(Step(PASSPHRASE, [*kdialog, "--password", f"<qt>{about}</qt>"]))
    return found


def _html(line: str) -> str:
    replaced = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\\": "&#92;", " ": "&nbsp;", "%": "&#37;"}
    return "".join(replaced.get(char, char) for char in line) or "&nbsp;"


def _osascript(question: Mapping[str, Any], wrong: str) -> list[Step]:
    """Use AppleScript's `display dialog` through JavaScript for Automation. *Not verified on macOS*."""
    return [Step(CHOICE, ["/usr/bin/osascript", "-l", "JavaScript", _beside("window.js")], _request(question, wrong))]


def _windows(question: Mapping[str, Any], wrong: str) -> list[Step]:
    """Use Windows Forms. *Not verified on Windows*. The script is on the command line, where no execution policy forbids it."""
    from base64 import b64encode  # noqa: PLC0415 - Windows alone

    with open(_beside("window.ps1"), encoding="utf-8") as file:
        script = b64encode(file.read().encode("utf-16-le")).decode("ascii")
    command = [dialog.powershell(os.environ), "-NoLogo", "-NoProfile", "-NonInteractive", "-STA", "-EncodedCommand", script]
    return [Step(CHOICE, command, _request(question, wrong))]


def _request(question: Mapping[str, Any], wrong: str) -> bytes:
    """Return what the windows that are scripts read: the script is the same for every question."""
    heading, _, rest = question["text"].partition("\n")
    offered = choices(question)[1:]
    members = {
        "title": TITLE,
        "heading": heading.removeprefix("stdioguard: ").capitalize(),
        "text": rest,
        "risk": question["risk"],
        "choices": offered,
        "passphrase": bool(offered) and is_signed(question),
        "wrong": wrong,
    }
    return strict_json.encode(members).encode("ascii")


def _utf8(content: str) -> bytes:
    return content.encode("utf-8", "backslashreplace")


def _beside(name: str) -> str:
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), name)


def _program(name: str) -> str:
    path = dialog.find(name)
    if path is None:
        raise FileNotFoundError(2, "not installed", name)
    return path
