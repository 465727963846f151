"""Asking a person: questions as a guard writes them, and a terminal that a person sits at.

    asked = ask(tool="write_file", arguments={"path": "/x"}, risk="high")
    with Terminal("approvals", "watch") as terminal:
        terminal.wait_for("write_file")
        terminal.type("a")

The terminal understands the few sequences that stdioguard writes and no other: what a model or a server wrote cannot be one of them.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
import unicodedata
from typing import Any
from unittest import mock

from stdioguard.approval import proof, queue
from stdioguard.guard.gates import rounds

STDIOGUARD = [sys.executable, "-P", "-m", "stdioguard"]
PASSPHRASE = "correct horse battery"
_SEQUENCE = re.compile(r"\x1b\[(\?|)([0-9;]*)([A-Za-z])")
_PRIVATE = {"1049", "25", "7"}


def ask(*, tool: str = "write_file", arguments: Any = None, risk: str = "normal", left: float = 600.0, **more: Any) -> str:
    """Write a question as a guard does, of this process; return its id."""
    asked = queue.new_id()
    arguments = {"path": "/home/ana/plan.txt", "content": "buy milk"} if arguments is None else arguments
    members = {
        "session": "s1",
        "created": time.time(),
        "deadline": queue.clock() + left,
        "client": "claude-desktop",
        "server": "filesystem",
        "server_pin": "ab" * 32,
        "tool": tool,
        "tool_pin": "cd" * 32,
        "risk": risk,
        "rule": 'tools.rules."write_*" in /home/ana/p.toml',
        "arguments": arguments,
        "digest": rounds.digest("tools/call", {"name": tool, "arguments": arguments}),
        "task": False,
        "parked": False,
        "remember": True,
        "times": 1,
        "cwd": "/home/ana/project",
    }
    queue.write(asked, {**members, **more})
    return asked


def digest_of(asked: str) -> str:
    return str(next(question.members["digest"] for question in queue.waiting() if question.id == asked))


def decision(asked: str) -> dict[str, Any] | None:
    """The decision on a question, without taking it."""
    path = os.path.join(queue.folder(), f"{asked}.decision.json")
    return queue._read(path)


def decided(asked: str, seconds: float = 10) -> dict[str, Any]:
    """The decision on a question, as soon as there is one."""
    until = time.monotonic() + seconds
    while (found := decision(asked)) is None:
        assert time.monotonic() < until, "nothing was decided"
        time.sleep(0.02)
    return found


def cheaply(passphrase: str = PASSPHRASE) -> dict[str, Any]:
    """Return what is kept of a passphrase, at a cost that tests can pay each time; `test_proof.py` pays the real one."""
    with mock.patch.dict(proof._COST, n=16):
        return proof.setting(passphrase)


def set_passphrase(passphrase: str = PASSPHRASE) -> dict[str, Any]:
    """Set the passphrase as the command does; return what a guard reads when its session begins."""
    from stdioguard.cli import approvals

    approvals._keep(cheaply(passphrase))
    setting = proof.read()
    assert setting is not None
    return setting


class Terminal:
    """A program on a terminal of its own. `screen` is what a person sees, `raw` all that was written."""

    def __init__(self, *arguments: str, rows: int = 30, columns: int = 100, limit: Any = None, **environment: str) -> None:
        self.command = [*STDIOGUARD, *arguments]
        self.limit = limit
        self.rows, self.columns = rows, columns
        self.environment = {**os.environ, "TERM": "xterm", "LC_ALL": "C.UTF-8", **environment}
        self.raw = ""
        self._cells: list[list[str]] = []
        self.styles: list[list[str]] = []
        """What each cell's text is painted with: the parameters of its last SGR sequence."""
        self._style = ""
        self._row = self._column = 0
        self._rest = b""

    def __enter__(self) -> Terminal:
        self.master, self.slave = pty.openpty()
        self._clear()
        self.resize(self.rows, self.columns)
        self.modes = termios.tcgetattr(self.slave)
        self.process = subprocess.Popen(
            self.command,
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            env=self.environment,
            start_new_session=True,
            preexec_fn=self._begin,
        )
        return self

    def _begin(self) -> None:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        if self.limit:
            self.limit()

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for descriptor in (self.master, self.slave):
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def resize(self, rows: int, columns: int) -> None:
        self.rows, self.columns = rows, columns
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self._clear()

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def read(self, seconds: float) -> None:
        """Take what is written within a time."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and select.select([self.master], [], [], left)[0]:
            try:
                self._rest += os.read(self.master, 65536)
            except OSError:
                return
            # What is not there yet of a sequence, or of a character, comes with the next bytes.
            ready = re.sub(rb"\x1b(\[[?0-9;]*)?\Z", b"", self._rest).decode("utf-8", "ignore")
            self._rest = self._rest[len(ready.encode()) :]
            self.raw += ready
            self._show(ready)

    def wait_for(self, text: str, seconds: float = 15.0) -> str:
        """Wait until a text is on the screen; return the screen."""
        until = time.monotonic() + seconds
        while text not in self.screen:
            assert time.monotonic() < until, f"no {text!r} on the screen:\n{self.screen}"
            self.read(0.1)
        return self.screen

    def wait_without(self, text: str, seconds: float = 15.0) -> str:
        until = time.monotonic() + seconds
        while text in self.screen:
            assert time.monotonic() < until, f"{text!r} is still on the screen:\n{self.screen}"
            self.read(0.1)
        return self.screen

    def ends(self, seconds: float = 15.0) -> int:
        """Wait for the program's end; return its exit code."""
        until = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < until, f"it goes on:\n{self.screen}"
            self.read(0.05)
        self.read(0.2)
        return int(self.process.returncode)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    @property
    def is_as_before(self) -> bool:
        """Tell whether the modes of the terminal are those that it had."""
        return termios.tcgetattr(self.slave) == self.modes

    @property
    def echoes(self) -> bool:
        return bool(termios.tcgetattr(self.slave)[3] & termios.ECHO)

    @property
    def screen(self) -> str:
        return "\n".join("".join(row).rstrip() for row in self._cells)

    @property
    def cells(self) -> list[list[tuple[str, str]]]:
        """What is in each cell, and how it is painted."""
        return [list(zip(row, styles, strict=True)) for row, styles in zip(self._cells, self.styles, strict=True)]

    @property
    def lines(self) -> list[str]:
        return self.screen.split("\n")

    def _clear(self) -> None:
        self._cells = [[" "] * self.columns for _ in range(self.rows)]
        self.styles = [[""] * self.columns for _ in range(self.rows)]

    def _show(self, text: str) -> None:
        place = 0
        while place < len(text):
            char = text[place]
            if char == "\x1b":
                match = _SEQUENCE.match(text, place)
                assert match, f"no sequence of ours: {text[place : place + 20]!r}"
                self._sequence(*match.groups())
                place = match.end()
                continue
            place += 1
            if char == "\r":
                self._column = 0
            elif char == "\n":
                self._down()
            elif char != "\a":
                assert char.isprintable(), f"{char!r} acts on the terminal"
                self._put(char)

    def _put(self, char: str) -> None:
        wide = 0 if unicodedata.category(char) in ("Mn", "Me") else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        if not wide:
            return
        if self._column + wide > self.columns:
            self._column = 0
            self._down()
        self._cells[self._row][self._column] = char
        self.styles[self._row][self._column] = self._style
        for column in range(self._column + 1, min(self._column + wide, self.columns)):
            self._cells[self._row][column] = ""
        self._column += wide

    def _down(self) -> None:
        self._row += 1
        if self._row >= self.rows:
            self._row = self.rows - 1
            self._cells = [*self._cells[1:], [" "] * self.columns]
            self.styles = [*self.styles[1:], [""] * self.columns]

    def _sequence(self, private: str, parameters: str, final: str) -> None:
        if private:
            assert parameters in _PRIVATE
            assert final in "hl"
        elif final == "H":
            row, column = ([int(part) for part in parameters.split(";")] if parameters else [1, 1])[:2]
            self._row, self._column = min(row, self.rows) - 1, min(column, self.columns) - 1
        elif final == "K":
            assert not parameters
            self._cells[self._row][self._column :] = [" "] * (self.columns - self._column)
            self.styles[self._row][self._column :] = [""] * (self.columns - self._column)
        elif final == "J":
            assert parameters == "2"
            self._clear()
        else:
            assert final == "m", f"{final!r} is no sequence of ours"
            self._style = "" if parameters == "0" else parameters
