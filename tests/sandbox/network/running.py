"""A running proxy for tests: a process as the guard would fork it, with a resolver whose answers the test writes.

As a program it is that process: `python -m tests.sandbox.network.running JSON`, with the descriptors named in the JSON.
"""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).resolve().parents[3]


class RunningProxy:
    """The proxy's address, its reports so far, and the names it looked up."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, reports: int, queries: int, parent: int) -> None:
        self.process = process
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.guard_end = parent
        self._reports = reports
        self._queries = queries
        self._buffer = b""
        self._lines: list[dict[str, Any]] = []

    def reports(self, at_least: int = 0, within: float = 10.0) -> list[dict[str, Any]]:
        """Return all reports so far, waiting for as many as are asked for."""
        deadline = time.monotonic() + within
        while True:
            wait = max(0.0, deadline - time.monotonic()) if len(self._lines) < at_least else 0.0
            if not select.select([self._reports], [], [], wait)[0]:
                assert len(self._lines) >= at_least, self._lines
                return self._lines
            data = os.read(self._reports, 65536)
            if not data:
                assert len(self._lines) >= at_least, self._lines
                return self._lines
            *whole, self._buffer = (self._buffer + data).split(b"\n")
            self._lines += [json.loads(line) for line in whole]

    def decisions(self, at_least: int = 0) -> list[tuple[str, int, str]]:
        """Return `(host, port, verdict)` of each report of a decision, waiting for as many as are asked for."""
        self.reports(at_least + 1)
        return [(line["host"], line["port"], line["verdict"]) for line in self._lines if "host" in line]

    def queries(self) -> list[str]:
        """Return the names that the resolver was asked for."""
        found = b""
        while select.select([self._queries], [], [], 0)[0]:
            data = os.read(self._queries, 65536)
            if not data:
                break
            found += data
        return found.decode().split()

    def connect(self) -> socket.socket:
        """Return a new connection to the proxy, with a timeout that ends a test and not the session."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def say(self, data: bytes) -> bytes:
        """Send `data` on a new connection and return all that comes back until the proxy closes it."""
        with self.connect() as connection:
            connection.sendall(data)
            return everything(connection)


def everything(connection: socket.socket) -> bytes:
    """Return what comes until the end."""
    found = b""
    try:
        while data := connection.recv(65536):
            found += data
    except ConnectionResetError:
        pass
    return found


def exactly(connection: socket.socket, count: int) -> bytes:
    """Return the next `count` bytes, fewer where the end comes first."""
    found = b""
    while len(found) < count and (data := connection.recv(count - len(found))):
        found += data
    return found


@contextmanager
def running(
    rules: list[str],
    *,
    secret: str | None = None,
    names: dict[str, list[list[str]]] | None = None,
    limits: dict[str, float] | None = None,
    landlock: bool = False,
) -> Iterator[RunningProxy]:
    """Run a proxy. `names` gives for each name its addresses at the first look-up, the second, and so on, the last ones staying.

    With `landlock` the process sees no files but the resolver's.
    """
    with tempfile.TemporaryDirectory() as folder:
        fifo = os.path.join(folder, "queries")
        os.mkfifo(fifo)
        queries = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
        listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        reports, report = os.pipe()
        parent, alive = os.pipe()
        options = {
            "listener": listener.fileno(), "report": report, "parent": parent, "queries": fifo, "rules": rules, "secret": secret,
            "names": names, "limits": limits or {}, "landlock": landlock,
        }  # fmt: skip
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.sandbox.network.running", json.dumps(options)],
            cwd=REPOSITORY,
            pass_fds=(listener.fileno(), report, parent),
        )
        for descriptor in (report, parent):
            os.close(descriptor)
        proxy = RunningProxy(process, listener.getsockname()[1], reports, queries, alive)
        listener.close()
        try:
            assert proxy.reports(1)[0] == {"event": "network-proxy", "state": "ready"}
            yield proxy
        finally:
            os.close(alive)
            try:
                assert process.wait(20) == 0
            finally:
                process.kill()
                os.close(reports)
                os.close(queries)


def be_the_proxy(options: dict[str, Any]) -> None:
    """Be the process that `running` starts."""
    from stdioguard.sandbox.linux import landlock
    from stdioguard.sandbox.network import dial, proxy

    names: dict[str, list[list[str]]] | None = options["names"]
    log = -1

    def resolver(name: str) -> list[str]:
        assert names is not None
        os.write(log, f"{name}\n".encode())
        answers = names.get(name)
        if answers is None:
            raise OSError(-2, "Name or service not known")
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def confine() -> None:
        nonlocal log
        log = os.open(options["queries"], os.O_WRONLY)  # here, since the proxy closes what it was not told of
        if options["landlock"]:
            everything = landlock.READ | landlock.EXECUTE | landlock.CHANGES
            ruleset = landlock.Ruleset(
                landlock.ability(), files=everything, scopes=landlock.SCOPE_ABSTRACT_UNIX | landlock.SCOPE_SIGNAL
            )
            for path in proxy.resolver_files():
                ruleset.allow(path, landlock.READ)
            ruleset.enforce()
            try:
                os.listdir("/")
            except PermissionError:
                return
            raise AssertionError("the proxy sees files")

    limits = proxy.Limits()
    for name, value in options["limits"].items():
        setattr(limits, name, value)
    proxy.serve(
        options["listener"],
        options["rules"],
        secret=options["secret"],
        report=options["report"],
        parent=options["parent"],
        confine=confine,
        resolver=dial.resolve if names is None else resolver,
        limits=limits,
    )


if __name__ == "__main__":
    be_the_proxy(json.loads(sys.argv[1]))
