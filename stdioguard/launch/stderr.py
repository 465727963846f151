"""The server's stderr: always drained, so that it never blocks the server; escaped, prefixed and capped on its way to the user."""

from __future__ import annotations

import os
import select

from stdioguard.guard.display import visible

MAX_LINE = 2000
MAX_TOTAL = 4 << 20
"""Bytes of a server's stderr that are shown in one session; what comes after is read and thrown away."""

_ATOMIC = 4096


class StderrForwarder:
    """Feed it what the server wrote; whole lines go to the guard's own stderr, or nowhere if that does not take them at once."""

    def __init__(self, server_name: str, descriptor: int = 2) -> None:
        self._prefix = f"[{visible(server_name)}] "
        self._descriptor = descriptor
        self._partial = b""
        self._shown = 0
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)

    def feed(self, data: bytes) -> None:
        """Take a chunk."""
        if self._shown > MAX_TOTAL:
            return
        lines = (self._partial + data).split(b"\n")
        self._partial = lines.pop()[: MAX_LINE * 4]
        for line in lines:
            self._show(line)

    def close(self) -> None:
        """Show the last line, if it had no end."""
        if self._partial:
            self._show(self._partial)
            self._partial = b""

    def _show(self, line: bytes) -> None:
        text = visible(line[: MAX_LINE * 4].rstrip(b"\r").decode("utf-8", "backslashreplace"))
        if len(text) > MAX_LINE:
            text = f"{text[:MAX_LINE]}[...]"
        self._shown += len(line) + 1
        if self._shown > MAX_TOTAL:
            text = "[no more of the server's stderr is shown in the session]"
        # One write of at most PIPE_BUF bytes after POLLOUT never blocks (pipe(7)); a client that does not read stderr loses lines only.
        data = f"{self._prefix}{text}\n".encode("utf-8", "backslashreplace")[:_ATOMIC]
        try:
            if any(event & select.POLLOUT for _, event in self._poll.poll(0)):
                os.write(self._descriptor, data)
        except OSError:
            self._shown = MAX_TOTAL + 1
