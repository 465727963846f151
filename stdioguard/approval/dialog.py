"""A question as a window on the person's desktop: which program can show one here, with which environment, and the words that it shows.

How each program is asked is in `programs`. Text of the model's or the server's is never markup, never an option and never script; lines
too long for the window are broken here, with a mark, so that none of it begins a line where the guard's own words stand.
"""

from __future__ import annotations

import functools
import os
import sys
import unicodedata

from stdioguard.approval import shown
from stdioguard.guard import display

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

PROGRAMS = ("zenity", "tkinter", "kdialog", "osascript", "powershell")
WIDTH = 78
"""Columns of the text; wide characters take two."""
MAX_TEXT = 20_000
"""Characters of the text."""
MARK = "    | "
"""What a line that goes on begins with. Nothing of the guard's begins so."""
NOT_SET = (
    "High risk needs your passphrase, and none is set, so this can only be denied. Run",
    "    stdioguard approvals passphrase",
    "in a terminal, once. It counts for sessions that begin after that.",
)

PATH = "/usr/bin:/bin:/run/current-system/sw/bin"
"""The folders that only the administrator writes to; the user's own PATH could name another zenity."""
_PASSED = ("DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "LANG")
_WORD = 24
"""Characters within which a word that does not fit goes to the next line whole."""
_NOWHERE = "/dev/null"

# What zenity is to exit with: its own defaults are 0 and 1, and 1 is also what it has where the display breaks. Up to version 3 an extra
# button's code is that of Escape, and its label on the standard output tells them apart.
OK, CANCEL, ESCAPE, EXTRA, ERROR = 81, 82, 83, 84, 85
_ZENITY = {"OK": OK, "CANCEL": CANCEL, "ESC": ESCAPE, "EXTRA": EXTRA, "ERROR": ERROR, "TIMEOUT": ERROR}


def available(environment: Mapping[str, str], platform: str = sys.platform) -> str | None:
    """Return the program that can ask on this desktop, or `None`.

    On Linux there must be a display of this machine: the process that asks has no network, so that a forwarded one (`host:10`) is out of
    its reach. Looking for tkinter starts an interpreter, and is done only where there is no zenity.
    """
    if platform == "darwin":
        return "osascript" if os.access("/usr/bin/osascript", os.X_OK) else None
    if platform == "win32":
        return "powershell" if os.path.exists(powershell(environment)) else None
    x11, wayland = _has_x11(environment), _has_wayland(environment)
    if not (x11 or wayland):
        return None
    if find("zenity") is not None:
        return "zenity"
    if x11 and interpreter() is not None:
        return "tkinter"
    return "kdialog" if find("kdialog") is not None else None


def environment(own: Mapping[str, str]) -> dict[str, str]:
    """Return the whole environment of a dialog program: the display, the language, and no path that the user could have changed.

    Nor a home: whoever writes a file there could have the toolkit load a module, or draw one letter for another.
    """
    passed = {name: value for name, value in own.items() if name in _PASSED or name.startswith("LC_")}
    if own.get("DISPLAY") and own.get("HOME"):
        passed.setdefault("XAUTHORITY", os.path.join(own["HOME"], ".Xauthority"))  # where it is unless the environment says so
    passed.setdefault("DBUS_SESSION_BUS_ADDRESS", "disabled:")  # or a bus would be started, and outlive the dialog
    fixed = {f"ZENITY_{name}": str(code) for name, code in _ZENITY.items()}
    # A page of text needs no graphics driver, and a bar that shows that there is more to read.
    toolkit = {"GSK_RENDERER": "cairo", "GTK_OVERLAY_SCROLLING": "0"}
    return {**passed, **fixed, **toolkit, "HOME": _NOWHERE, "PATH": PATH}


def text(members: Mapping[str, Any], *, has_passphrase: bool) -> str:
    """Return what a person reads, in lines of at most `WIDTH` columns: the words of every other channel, and who the client is."""
    asked = display.question(
        members["server"], members["tool"], members["arguments"], risk=members["risk"], is_task=bool(members.get("task"))
    )
    title, server, *rest = asked.split("\n")
    lines = [title, server]
    if members.get("client"):
        lines.append(f"client: {display.shortened(members['client'], 80)}")
    lines += rest
    if members.get("arguments_size"):
        lines[-1] = f"arguments (chosen by the model): {members['arguments_size']:,} bytes, too large to be shown"
    notes: list[str] = []
    if shown.risk(members) == "high":
        # The passphrase may be asked in a window of its own, which names the question by its id.
        notes += [f"High risk: to allow the question {members['id']} takes your passphrase."] if has_passphrase else NOT_SET
    if members.get("remember") is True and (has_passphrase or shown.risk(members) != "high"):
        notes.append("For the session: the same tool with the same arguments runs without asking.")
    if members.get("parked"):
        notes.append("It was refused, since nobody could be asked. If allowed, it runs the next time.")
    end = "\n".join(["", "", *notes]) if notes else ""
    whole = "\n".join(part for line in lines for part in _broken(line))
    if len(whole) <= MAX_TEXT:
        return whole + end
    kept = whole[:MAX_TEXT].rpartition("\n")[0]
    return f"{kept}\n[... {len(whole) - len(kept):,} more characters are not shown]{end}"


def zenity_version(own: Mapping[str, str]) -> int:
    """Return the first number of zenity's version, 4 where it does not tell."""
    import subprocess  # noqa: PLC0415 - where a dialog is shown

    try:
        command = [find("zenity") or "zenity", "--version"]
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


def find(name: str) -> str | None:
    """Return where a program is, or `None`."""
    paths = (os.path.join(folder, name) for folder in PATH.split(":"))
    return next((path for path in paths if os.access(path, os.X_OK)), None)


def powershell(own: Mapping[str, str]) -> str:
    """Return where Windows has its PowerShell."""
    return os.path.join(own.get("SystemRoot", r"C:\Windows"), "System32", "WindowsPowerShell", "v1.0", "powershell.exe")


def _has_x11(own: Mapping[str, str]) -> bool:
    host, colon, rest = own.get("DISPLAY", "").rpartition(":")
    number = rest.partition(".")[0]
    return bool(colon) and host in ("", "unix") and number.isdigit() and os.path.exists(f"/tmp/.X11-unix/X{number}")  # noqa: S108


def _has_wayland(own: Mapping[str, str]) -> bool:
    name = own.get("WAYLAND_DISPLAY", "")
    return bool(name) and os.path.exists(os.path.join(own.get("XDG_RUNTIME_DIR", "/nowhere"), name))


def _broken(line: str) -> list[str]:
    """Return a line in pieces of at most `WIDTH` columns; nothing is left out, and all but the first begin with `MARK`."""
    parts, part, columns = [], "", 0
    for char in line:
        wide = _columns(char)
        if columns + wide > WIDTH:
            kept = part.rfind(" ", -_WORD, -1) + 1 or len(part)  # after a word where one ends soon enough
            parts.append(part[:kept])
            part = MARK + part[kept:]
            columns = sum(map(_columns, part))
        part += char
        columns += wide
    return [*parts, part]


def _columns(char: str) -> int:
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
