"""A question as a window on the person's desktop: which programs can show one, how each is asked, and what its answer means.

Every program reads the question from its standard input, so that no other user of the machine sees more of it than that stdioguard asks
something: a command line is for everybody to read. One has to be told the server, the tool and the risk on its command line: `kdialog`,
which is therefore the last that is taken; the arguments go to its standard input as well.

Text of the model's or the server's is never markup, never an option and never script: the command lines are the same for all questions
(kdialog's second one aside, where it is escaped), and lines too long for the window are broken here, with a mark, so that none of it
begins a line where the guard's own words stand.

An answer is one that only a person's decision leads to. A program that ends in any other way has not answered.
"""

from __future__ import annotations

import functools
import os
import sys
import unicodedata

from stdioguard.guard import display
from stdioguard.guard.gates import consent
from stdioguard.wire import strict_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

PROGRAMS = ("zenity", "tkinter", "kdialog", "osascript", "powershell")
DENY, ONCE, SESSION = "deny", "once", "session"
LABELS = {DENY: "Deny", ONCE: "Allow once", SESSION: "Allow for the session"}
TITLE = "stdioguard"

WIDTH = 78
"""Columns of the text; wide characters take two."""
MAX_TEXT = 20_000
"""Characters of the text."""
MARK = "    | "
"""What a line that goes on begins with. Nothing of the guard's begins so."""

PATH = "/usr/bin:/bin:/run/current-system/sw/bin"
"""The folders that only the administrator writes to; the user's own PATH could name another zenity."""
_PASSED = ("DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "HOME", "LANG")

# What zenity is to exit with: its own defaults are 0 and 1, and 1 is also what it has where the display breaks. Up to version 3 an extra
# button's code is that of Escape, and its label on the standard output tells them apart.
_OK, _CANCEL, _ESCAPE, _EXTRA, _ERROR = 81, 82, 83, 84, 85
_ZENITY = {"OK": _OK, "CANCEL": _CANCEL, "ESC": _ESCAPE, "EXTRA": _EXTRA, "ERROR": _ERROR, "TIMEOUT": _ERROR}


class Shown:
    """What is executed to ask one question: `commands` one after the other, each with `stdin` as its standard input.

    The answer is the last one's; what was before is for reading.
    """

    __slots__ = ("commands", "stdin")

    def __init__(self, commands: list[list[str]], stdin: bytes) -> None:
        self.commands = commands
        self.stdin = stdin


def available(environment: Mapping[str, str], platform: str = sys.platform) -> str | None:
    """Return the program that can ask on this desktop, or `None`.

    On Linux there must be a display of this machine: the process that asks has no network, so that a forwarded one (`host:10`) is out of
    its reach. Looking for tkinter starts an interpreter, and is done only where there is no zenity.
    """
    if platform == "darwin":
        return "osascript" if os.access("/usr/bin/osascript", os.X_OK) else None
    if platform == "win32":
        return "powershell" if os.path.exists(_powershell(environment)) else None
    x11, wayland = _has_x11(environment), _has_wayland(environment)
    if not (x11 or wayland):
        return None
    if _find("zenity") is not None:
        return "zenity"
    if x11 and interpreter() is not None:
        return "tkinter"
    return "kdialog" if _find("kdialog") is not None else None


def environment(own: Mapping[str, str]) -> dict[str, str]:
    """Return the whole environment of a dialog program: the display, the language, and no path that the user could have changed."""
    passed = {name: value for name, value in own.items() if name in _PASSED or name.startswith("LC_")}
    passed.setdefault("DBUS_SESSION_BUS_ADDRESS", "disabled:")  # or a bus would be started, and outlive the dialog
    fixed = {f"ZENITY_{name}": str(code) for name, code in _ZENITY.items()}
    # A page of text needs no graphics driver, and a bar that shows that there is more to read.
    toolkit = {"GSK_RENDERER": "cairo", "GTK_OVERLAY_SCROLLING": "0"}
    return {**passed, **fixed, **toolkit, "PATH": PATH}


def text(members: Mapping[str, Any]) -> str:
    """Return what a person reads, in lines of at most `WIDTH` columns: the words of every other channel, and who the client is."""
    title, server, *rest = _prompt(members).split("\n")
    lines = [title, server]
    if members.get("client"):
        lines.append(f"client: {display.shortened(members['client'], 80)}")
    lines += rest
    if members.get("arguments_size"):
        lines[-1] = f"arguments (chosen by the model): {members['arguments_size']:,} bytes, too large to be shown"
    notes = []
    if members.get("remember") is True:
        notes.append("For the session: the same tool with the same arguments runs without asking.")
    if members.get("parked"):
        notes.append("It was refused, since nobody could be asked. If allowed, it runs the next time.")
    lines += ["", *notes] if notes else []
    whole = "\n".join(part for line in lines for part in _broken(line))
    if len(whole) <= MAX_TEXT:
        return whole
    kept = whole[:MAX_TEXT].rpartition("\n")[0]
    return f"{kept}\n[... {len(whole) - len(kept):,} more characters are not shown]"


def show(question: Mapping[str, Any], program: str) -> Shown:
    """Return how `program` shows a question.

    Its members are those of the queue, or `text`, `risk`, `remember`, `server` and `tool`. Raises `FileNotFoundError` where the program
    is gone.
    """
    members = question if "text" in question else {**question, "text": text(question)}
    return {"zenity": _zenity, "tkinter": _tkinter, "kdialog": _kdialog, "osascript": _osascript, "powershell": _windows}[
        program
    ](members)


def outcome(question: Mapping[str, Any], program: str, status: int, output: bytes, version: int = 4) -> str | None:
    """Return `deny`, `once` or `session`, or `None` where nobody has answered. `status` is the exit code, negative for a signal.

    `version` is zenity's: up to 3 an extra button has the code of Escape, which in the first of 4 is that of a plain OK with any label.
    """
    word = output.decode("ascii", "replace").strip()
    if program == "zenity":
        decision = next((key for key, label in LABELS.items() if label == word), None)
        if decision is None:
            decision = DENY if not word and status in (_OK, _CANCEL, _ESCAPE) else None
        elif status != (_ESCAPE if version < 4 else _EXTRA):
            decision = None
    elif program == "kdialog" and status == 1:
        decision = DENY  # Cancel, Escape, closed; also a display that broke, which it does not tell apart
    else:
        decision = word if status == 0 and word in LABELS else None
    return None if decision == SESSION and question.get("remember") is not True else decision


def zenity_version(own: Mapping[str, str]) -> int:
    """Return the first number of zenity's version, 4 where it does not tell."""
    import subprocess  # noqa: PLC0415 - where a dialog is shown

    try:
        command = [_find("zenity") or "zenity", "--version"]
        said = subprocess.run(command, capture_output=True, env=environment(own), timeout=10, check=False).stdout  # noqa: S603
        return int(said.split(b".")[0])
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return 4


@functools.lru_cache(maxsize=1)
def interpreter() -> str | None:
    """Return an interpreter that has tkinter: the system's, or that of this process."""
    import subprocess  # noqa: PLC0415 - where there is no other program

    for path in ("/usr/bin/python3", sys.executable):
        try:
            command = [path, "-I", "-S", "-c", "import tkinter, tkinter.ttk"]
            ended = subprocess.run(  # noqa: S603
                command, capture_output=True, stdin=subprocess.DEVNULL, env={"PATH": PATH}, timeout=10, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            continue
        if ended.returncode == 0:
            return path
    return None


# --- the text -----------------------------------------------------------------------------------------------------------------------


def _prompt(members: Mapping[str, Any]) -> str:
    from types import SimpleNamespace  # noqa: PLC0415 - for questions only

    params = {"name": members["tool"], "arguments": members["arguments"]} | ({"task": {}} if members.get("task") else {})
    asked: Any = SimpleNamespace(
        rule=SimpleNamespace(risk=members["risk"]),
        message=SimpleNamespace(params=params),
        state=SimpleNamespace(server_name=members["server"]),
    )
    return consent.prompt(asked)


def _broken(line: str) -> list[str]:
    """Return a line in pieces of at most `WIDTH` columns; nothing is left out, and all but the first begin with `MARK`."""
    parts, part, columns = [], "", 0
    for char in line:
        wide = 2 if unicodedata.east_asian_width(char) in "WF" else 1
        if columns + wide > WIDTH:
            parts.append(part)
            part, columns = MARK, len(MARK)
        part += char
        columns += wide
    return [*parts, part]


def _utf8(content: str) -> bytes:
    return content.encode("utf-8", "backslashreplace")


def _choices(question: Mapping[str, Any]) -> list[str]:
    return [DENY, ONCE, SESSION] if question.get("remember") is True else [DENY, ONCE]


# --- the programs -------------------------------------------------------------------------------------------------------------------


def _zenity(question: Mapping[str, Any]) -> Shown:
    """Show a page of plain text (GtkTextView). Enter is its OK button, so that one denies; Cancel is what Escape is, and closing."""
    command = [
        _program("zenity"), "--text-info", f"--title={TITLE}", "--width=720", "--height=460", "--font=Monospace 10",
        f"--ok-label={LABELS[DENY]}", "--cancel-label=Close",
        *(f"--extra-button={LABELS[choice]}" for choice in _choices(question)[1:]),
    ]  # fmt: skip
    return Shown([command], _utf8(f"{question['text']}\n\nEnter, Escape and Close deny the call.\n"))


def _tkinter(question: Mapping[str, Any]) -> Shown:
    python = interpreter()
    if python is None:
        raise FileNotFoundError(2, "no interpreter has tkinter", "tkinter")
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "window.py")
    return Shown([[python, "-I", "-S", script]], _request(question))


def _kdialog(question: Mapping[str, Any]) -> Shown:
    """Show two windows: all of the question to read, from the standard input, then the choice, whose first line denies.

    Qt takes a text for HTML if it looks like that, so all of it is made HTML and escaped, backslashes too: kdialog acts on them.
    """
    kdialog = [_program("kdialog"), "--title", TITLE]
    lines = [*question["text"].split("\n"), "", "OK goes on to the decision."]
    shown = "\n".join(f"<qt><tt>{_html(line)}</tt></qt>" for line in lines)
    short = [f"server: {display.shortened(question['server'], 80)}", f"tool: {display.shortened(question['tool'], 80)}"]
    label = "<br/>".join(map(_html, [lines[0], *short, f"risk: {question['risk']}"]))
    choices = [part for choice in _choices(question) for part in (choice, LABELS[choice], "on" if choice == DENY else "off")]
    return Shown(
        [[*kdialog, "--textbox", "-", "720", "460"], [*kdialog, "--radiolist", f"<qt>{label}</qt>", *choices]],
        _utf8(f"{shown}\n"),
    )


def _html(line: str) -> str:
    replaced = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\\": "&#92;", " ": "&nbsp;", "%": "&#37;"}
    return "".join(replaced.get(char, char) for char in line) or "&nbsp;"


def _request(question: Mapping[str, Any]) -> bytes:
    heading, _, rest = question["text"].partition("\n")
    return strict_json.encode(
        {
            "title": TITLE,
            "heading": heading.removeprefix("stdioguard: ").capitalize(),
            "text": rest,
            "risk": question["risk"],
            "remember": question.get("remember") is True,
        }
    ).encode("ascii")


_OSASCRIPT = """
ObjC.import("Foundation");
var data = $.NSFileHandle.fileHandleWithStandardInput.readDataToEndOfFile;
var asked = JSON.parse($.NSString.alloc.initWithDataEncoding(data, $.NSUTF8StringEncoding).js);
var app = Application.currentApplication();
app.includeStandardAdditions = true;
var words = {"Deny": "deny", "Allow once": "once", "Allow for the session": "session"};
var buttons = ["Deny", "Allow once"].concat(asked.remember ? ["Allow for the session"] : []);
var said;
try {
    said = app.displayDialog(asked.heading + "\\n\\n" + asked.text,
        {withTitle: asked.title, buttons: buttons, defaultButton: "Deny", cancelButton: "Deny", withIcon: "caution"}).buttonReturned;
} catch (error) {
    if (error.errorNumber !== -128) throw error;
    said = "Deny";
}
words[said];
"""


def _osascript(question: Mapping[str, Any]) -> Shown:
    """Use AppleScript's `display dialog` through JavaScript for Automation. *Not verified on macOS*.

    The script is the same for every question, which is data on its standard input. -128 is what Cancel and Escape raise.
    """
    return Shown([["/usr/bin/osascript", "-l", "JavaScript", "-e", _OSASCRIPT]], _request(question))


_POWERSHELL = """
$ErrorActionPreference = 'Stop'
Add-Type -AssemblyName System.Windows.Forms
Add-Type -AssemblyName System.Drawing
$reader = New-Object System.IO.StreamReader([Console]::OpenStandardInput(), [System.Text.Encoding]::UTF8)
$asked = $reader.ReadToEnd() | ConvertFrom-Json
$form = New-Object System.Windows.Forms.Form
$form.Text = $asked.title
$form.ClientSize = New-Object System.Drawing.Size(700, 440)
$form.StartPosition = 'CenterScreen'
$form.TopMost = $true
$heading = New-Object System.Windows.Forms.Label
$heading.UseMnemonic = $false
$heading.Text = $asked.heading
$heading.SetBounds(16, 12, 668, 24)
$box = New-Object System.Windows.Forms.TextBox
$box.Multiline = $true
$box.ReadOnly = $true
$box.ScrollBars = 'Vertical'
$box.TabStop = $false
$box.Font = New-Object System.Drawing.Font('Consolas', 10)
$box.Text = $asked.text -replace "`n", "`r`n"
$box.SetBounds(16, 40, 668, 336)
$script:said = 'deny'
$deny = New-Object System.Windows.Forms.Button
$deny.Text = 'Deny'
$deny.SetBounds(234, 392, 130, 32)
$deny.Add_Click({ $script:said = 'deny'; $form.Close() })
$once = New-Object System.Windows.Forms.Button
$once.Text = 'Allow once'
$once.Enabled = $false
$once.SetBounds(374, 392, 140, 32)
$once.Add_Click({ $script:said = 'once'; $form.Close() })
$session = New-Object System.Windows.Forms.Button
$session.Text = 'Allow for the session'
$session.Enabled = $false
$session.Visible = $asked.remember
$session.SetBounds(524, 392, 160, 32)
$session.Add_Click({ $script:said = 'session'; $form.Close() })
$timer = New-Object System.Windows.Forms.Timer
$timer.Interval = 1000
$timer.Add_Tick({ $timer.Stop(); $once.Enabled = $true; $session.Enabled = $true })
$form.Controls.AddRange(@($deny, $once, $session, $heading, $box))
$form.AcceptButton = $deny
$form.CancelButton = $deny
$form.ActiveControl = $deny
$form.Add_Shown({ $form.Activate(); $timer.Start() })
[void]$form.ShowDialog()
[Console]::Out.Write($script:said)
"""


def _windows(question: Mapping[str, Any]) -> Shown:
    """Use Windows Forms. *Not verified on Windows*. The script is the same for every question, which is on its standard input."""
    from base64 import b64encode  # noqa: PLC0415 - Windows alone

    script = b64encode(_POWERSHELL.encode("utf-16-le")).decode("ascii")
    command = [_powershell(os.environ), "-NoLogo", "-NoProfile", "-NonInteractive", "-STA", "-EncodedCommand", script]
    return Shown([command], _request(question))


# --- where things are ---------------------------------------------------------------------------------------------------------------


def _powershell(own: Mapping[str, str]) -> str:
    return os.path.join(own.get("SystemRoot", r"C:\Windows"), "System32", "WindowsPowerShell", "v1.0", "powershell.exe")


def _find(name: str) -> str | None:
    paths = (os.path.join(folder, name) for folder in PATH.split(":"))
    return next((path for path in paths if os.access(path, os.X_OK)), None)


def _program(name: str) -> str:
    path = _find(name)
    if path is None:
        raise FileNotFoundError(2, "not installed", name)
    return path


def _has_x11(own: Mapping[str, str]) -> bool:
    host, colon, rest = own.get("DISPLAY", "").rpartition(":")
    number = rest.partition(".")[0]
    return bool(colon) and host in ("", "unix") and number.isdigit() and os.path.exists(f"/tmp/.X11-unix/X{number}")  # noqa: S108


def _has_wayland(own: Mapping[str, str]) -> bool:
    name = own.get("WAYLAND_DISPLAY", "")
    return bool(name) and os.path.exists(os.path.join(own.get("XDG_RUNTIME_DIR", "/nowhere"), name))
