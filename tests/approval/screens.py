"""A display of the tests' own, and a person at it who presses keys: what dialogs are driven by.

screen = Screen()
person = Person(screen, "zenity")
person.see()
person.choose("once")
person.sign("correct horse battery")
screen.close()
"""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
import os
import shutil
import struct
import subprocess
import time
import zlib
from collections.abc import Callable
from typing import Any, ClassVar

import psutil
import pytest

from stdioguard.approval import dialog

REAL = ["zenity", "tkinter", "kdialog"]
NEEDED = ["Xvfb", "xdotool"]


def until(what: Callable[[], Any], patience: float = 30.0) -> Any:
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        found = what()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"not in {patience} s: {what}")


def skip_without_screen(*more: str) -> None:
    missing = [name for name in [*NEEDED, *more] if shutil.which(name) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")  # programs of the system, which pip cannot bring


def skip_without(program: str) -> None:
    there = dialog.interpreter() is not None if program == "tkinter" else shutil.which(program, path=dialog.PATH) is not None
    if not there:
        pytest.skip(f"not installed: {program}")  # as above


class Screen:
    """An X server of its own, without a window manager unless one is asked for."""

    def __init__(self, manager: str | None = None, memory: str | None = None) -> None:
        reading, writing = os.pipe()
        self.memory = memory
        self.server = subprocess.Popen(
            [
                *("Xvfb", "-displayfd", str(writing), "-screen", "0", "1280x900x24", "-nolisten", "tcp", "-noreset"),
                *(["-fbdir", memory] if memory else []),
            ],
            pass_fds=[writing],
            stderr=subprocess.DEVNULL,
        )
        os.close(writing)
        with os.fdopen(reading) as numbers:  # to the end of the line: a server that cannot write all of it ends
            self.name = f":{numbers.readline().strip()}"
        self.environment = {"DISPLAY": self.name, "HOME": "/dev/null", "LANG": "C.UTF-8", "XDG_RUNTIME_DIR": ""}
        self.manager = None
        if manager:
            self.manager = subprocess.Popen([manager], env={**os.environ, **self.environment}, stderr=subprocess.DEVNULL)
            # A window that opens while a manager starts is managed by nobody, and never shown (EWMH, _NET_SUPPORTING_WM_CHECK).
            until(lambda: "window id" in self._root("_NET_SUPPORTING_WM_CHECK"))

    def _root(self, name: str) -> str:
        """Return a property of the root window."""
        asked = ["xprop", "-display", self.name, "-root", name]
        return subprocess.run(asked, capture_output=True, text=True, timeout=20).stdout

    def do(self, *arguments: str, given: str = "") -> str:
        return subprocess.run(
            ["xdotool", *arguments],
            env={**os.environ, "DISPLAY": self.name},
            input=given,
            capture_output=True,
            text=True,
            timeout=20,
        ).stdout.strip()

    def windows(self) -> list[str]:
        return self.do("search", "--onlyvisible", "--name", "^stdioguard").split()

    def pids(self) -> list[str]:
        """Return the processes that show a dialog here. (The numbers of windows are used again, and Tk's do not tell their process.)"""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if any(name in " ".join(process.cmdline()[:4]) for name in ("zenity", "window.py", "kdialog")):
                    found += [str(process.pid)] if process.environ().get("DISPLAY") == self.name else []
        return found

    def window(self) -> str:
        """Wait for a dialog and give it the keyboard, as a window manager would; then as long as a person needs to read."""
        found: str = until(self.windows)[-1]
        self.do("windowfocus", "--sync", found)
        return found

    def press(self, *keys: str) -> None:
        for key in keys:
            self.do("key", key)
            time.sleep(0.1)

    def type(self, text: str) -> None:
        self.do("type", "--delay", "15", "--file", "-", given=text)
        time.sleep(0.1)

    def close_window(self, window: str) -> None:
        """Ask a window to close as its frame's button does: a WM_DELETE_WINDOW message (ICCCM 4.2.8.1)."""
        library = ctypes.CDLL(ctypes.util.find_library("X11") or "libX11.so.6")
        library.XOpenDisplay.restype = ctypes.c_void_p
        library.XInternAtom.restype = ctypes.c_ulong
        display = ctypes.c_void_p(library.XOpenDisplay(self.name.encode()))
        protocols = library.XInternAtom(display, b"WM_PROTOCOLS", 0)
        delete = library.XInternAtom(display, b"WM_DELETE_WINDOW", 0)
        event = (ctypes.c_long * 24)(33, 0, 0, 0, int(window), protocols, 32, delete, 0)  # XClientMessageEvent
        library.XSendEvent(display, ctypes.c_ulong(int(window)), 0, 0, ctypes.byref(event))
        library.XCloseDisplay(display)

    def frame(self, window: str) -> tuple[int, int, int, int]:
        """Where a window is with its frame: left, top, width, height."""
        if self.manager is not None:
            window = self._said(window, "-children", "Parent window id")
        left, top, width, height = (
            int(self._said(window, "-stats", name))
            for name in ("Absolute upper-left X", "Absolute upper-left Y", "Width", "Height")
        )
        border = int(self._said(window, "-stats", "Border width"))
        return left - border, top - border, width + 2 * border, height + 2 * border

    def _said(self, window: str, option: str, name: str) -> str:
        said = subprocess.run(["xwininfo", "-display", self.name, "-id", window, option], capture_output=True, text=True).stdout
        return next(line.partition(":")[2].split()[0] for line in said.splitlines() if line.strip().startswith(f"{name}:"))

    def picture(self, path: str, left: int, top: int, width: int, height: int) -> int:
        """Write a part of the screen as a PNG; return how many colours it has. The server keeps the screen in a file (xwd(1))."""
        assert self.memory
        with open(os.path.join(self.memory, "Xvfb_screen0"), "rb") as file:
            data = file.read()
        header = struct.unpack(">25I", data[:100])
        start, line = header[0] + header[19] * 12, header[12]
        rows, colours = [], set()
        for row in range(top, top + height):
            at = start + row * line + left * 4
            pixels = data[at : at + width * 4]  # blue, green, red, nothing
            colours.update(pixels[n : n + 3] for n in range(0, len(pixels), 4))
            rgb = bytearray(width * 3)
            rgb[0::3], rgb[1::3], rgb[2::3] = pixels[2::4], pixels[1::4], pixels[0::4]
            rows.append(b"\0" + bytes(rgb))

        def chunk(kind: bytes, content: bytes) -> bytes:
            return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

        with open(path, "wb") as file:
            file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)))
            file.write(chunk(b"IDAT", zlib.compress(b"".join(rows), 9)) + chunk(b"IEND", b""))
        return len(colours)

    def close(self) -> None:
        if self.manager is not None:
            self.manager.terminate()
            self.manager.wait()
        self.server.terminate()  # and not killed: it removes its lock
        self.server.wait()


class Person:
    """What keys do what, in each program."""

    KEYS: ClassVar[dict[str, dict[str, list[str]]]] = {
        "zenity": {"deny": ["Return"], "once": ["Tab", "Tab", "Tab", "space"], "session": ["Tab", "Tab", "Tab", "Tab", "space"]},
        "tkinter": {"deny": ["space"], "once": ["Tab", "Return"], "session": ["Tab", "Tab", "space"]},
        "kdialog": {"deny": ["Return"], "once": ["Down", "Return"], "session": ["Down", "Down", "Return"]},
    }

    def __init__(self, screen: Screen, program: str) -> None:
        self.screen, self.program = screen, program

    def see(self) -> str:
        """Go to where the choice is, and wait until it can be made; kdialog shows the text in a window of its own first.

        Return the process that shows it.
        """
        pid = self.next("")
        if self.program == "kdialog":
            self.screen.press("Return")
            pid = self.next(pid)
        return pid

    def next(self, pid: str) -> str:
        """Wait for the window after that of a process, and until it can be used; return the process that shows it."""
        found = until(lambda: [one for one in self.screen.pids() if one != pid])[0]
        self.screen.window()
        time.sleep(1.3 if self.program == "tkinter" else 0.5)
        return str(found)

    def choose(self, choice: str) -> None:
        self.screen.press(*self.KEYS[self.program][choice])

    def allow(self, pid: str, passphrase: str, choice: str = "once") -> str:
        """Allow a question of high risk, from the window with the choice; return the process that the passphrase was given to."""
        if self.program == "tkinter":
            self.screen.type(passphrase)
            self.screen.press(*{"once": ["Return"], "session": ["Tab", "Tab", "Tab", "space"]}[choice])
            return pid
        self.choose(choice)
        pid = self.next(pid)
        self.screen.type(passphrase)
        self.screen.press("Return")
        return pid
