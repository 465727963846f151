"""One attacker and the way to it: bare, or behind the guard. Runs on the host's side, standard library only."""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import subprocess
import termios
import time
import tty
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 0,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "escape", "version": "1"}},
}
READY = {"jsonrpc": "2.0", "method": "notifications/initialized"}


class EndedError(Exception):
    """The other side has closed its output."""


class Session:
    """A started command. `passed` are the numbers of descriptors that it inherits, as a careless client would leave them open."""

    def __init__(
        self,
        command: list[str],
        *,
        environment: dict[str, str],
        cwd: str,
        log: str,
        passed: list[int],
        before: Callable[[], None] | None = None,
    ) -> None:
        self.log = log
        self.passed = passed
        master, slave = os.openpty()
        tty.setraw(slave)
        for descriptor in (master, slave):
            os.set_blocking(descriptor, False)
        self.terminal = (master, slave)

        def become() -> None:
            # The client's terminal: the guard must keep it from the server.
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            if before is not None:
                before()

        with open(log, "wb") as errors:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, env=environment, cwd=cwd, bufsize=0,
                preexec_fn=become, pass_fds=[*passed],
            )  # fmt: skip
        assert self.process.stdin
        assert self.process.stdout
        self._in, self._out = self.process.stdin, self.process.stdout
        self._held = b""
        self._id = 0

    def open(self) -> None:
        """Shake hands. Raises `EndedError` where the launch was refused."""
        self._send(INITIALIZE)
        try:
            self._answer(0, 20.0)
        except RuntimeError:
            raise EndedError from None  # the launch was refused, which the guard has told the client too
        self._send(READY)

    def call(self, tool: str, arguments: dict[str, Any], timeout: float) -> dict[str, Any]:
        """Call a tool and return its structured result. Raises `EndedError`, `TimeoutError`."""
        self._id += 1
        params = {"name": tool, "arguments": arguments}
        self._send({"jsonrpc": "2.0", "id": self._id, "method": "tools/call", "params": params})
        message = self._answer(self._id, timeout)
        found: dict[str, Any] = message["result"]["structuredContent"]
        return found

    def _send(self, message: dict[str, Any]) -> None:
        try:
            self._in.write(json.dumps(message).encode() + b"\n")
        except OSError:
            raise EndedError from None

    def _answer(self, id_: int, timeout: float) -> dict[str, Any]:
        deadline = time.monotonic() + timeout
        while True:
            while b"\n" not in self._held:
                if not select.select([self._out], [], [], max(0.0, deadline - time.monotonic()))[0]:
                    raise TimeoutError
                chunk = os.read(self._out.fileno(), 1 << 20)
                if not chunk:
                    raise EndedError
                self._held += chunk
            line, _, self._held = self._held.partition(b"\n")
            message: dict[str, Any] = json.loads(line)
            if message.get("id") == id_ and "method" not in message:
                if "result" not in message:
                    raise RuntimeError(f"the guard answered {message}")
                return message

    def finish(self, patience: float = 10.0) -> int:
        """Close the input, wait for the end and return the exit code."""
        try:
            self._in.close()
        except OSError:
            pass
        try:
            code = self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self._out.close()
        for descriptor in self.terminal:
            os.close(descriptor)
        return code

    def errors(self) -> str:
        """Return what has been written to stderr."""
        with open(self.log, errors="replace") as file:
            return file.read()
