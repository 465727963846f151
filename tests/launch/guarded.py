"""Run a server behind `stdioguard run` and talk to it over raw pipes."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

PROBE = str(Path(__file__).parent.parent / "servers" / "probe.py")
GUARD = [sys.executable, "-P", "-m", "stdioguard", "run"]
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}},
}
READY = {"jsonrpc": "2.0", "method": "notifications/initialized"}
ALLOW_ALL = 'schema = 1\nname = "probe"\ndescription = "All tools."\n[capabilities]\nlogging = true\n[tools]\ndefault = "allow"\n'


def shared(home: Path) -> Path:
    """Return the folder that both the probe and its tests can write: what `${STATE}` is to the probe."""
    return home / "state" / "servers" / "probe" / "state"


class Guarded:
    """One `stdioguard run` process and its pipes."""

    def __init__(
        self,
        home: Path,
        *server: str,
        profile: str = ALLOW_ALL,
        guard: list[str] | None = None,
        options: tuple[str, ...] = (),
        **popen: Any,
    ) -> None:
        self.home = home
        self.shared = shared(home)
        self.profile = home / "profile.toml"
        self.profile.write_text(profile)
        command = server or (sys.executable, PROBE)
        environment = {**os.environ, "STDIOGUARD_HOME": str(home), **popen.pop("extra_env", {})}
        self.process = subprocess.Popen(
            [*(guard or GUARD), "--profile", str(self.profile), *options, "--", *command],
            stdin=subprocess.PIPE,
            stdout=popen.pop("stdout", subprocess.PIPE),
            stderr=subprocess.PIPE,
            env=environment,
            bufsize=0,
            **popen,
        )
        assert self.process.stdin
        assert self.process.stderr
        self.stdin, self.stderr = self.process.stdin, self.process.stderr
        self.stdout: Any = self.process.stdout or self.process.stderr
        self._held = b""
        self._id = 100

    def __enter__(self) -> Guarded:
        return self

    def __exit__(self, *_: object) -> None:
        for stream in (self.stdin, self.stdout, self.stderr):
            stream.close()
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(10)

    def write(self, *messages: dict[str, Any] | bytes) -> None:
        """Send messages, each on its line."""
        data = b"".join(m if isinstance(m, bytes) else json.dumps(m).encode() + b"\n" for m in messages)
        view = memoryview(data)
        while view:
            view = view[self.stdin.write(view) :]

    def read(self, timeout: float = 20.0) -> dict[str, Any] | None:
        """Return the next message, or `None` at the end of the stream. Raises `TimeoutError`."""
        deadline = time.monotonic() + timeout
        while b"\n" not in self._held:
            if not select.select([self.stdout], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise TimeoutError("nothing came from the guard")
            chunk = os.read(self.stdout.fileno(), 1 << 20)
            if not chunk:
                return None
            self._held += chunk
        line, _, self._held = self._held.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message

    def open(self) -> Guarded:
        """Shake hands."""
        self.write(INITIALIZE)
        answer = self.read()
        assert answer is not None
        assert "result" in answer, answer
        self.write(READY)
        return self

    def start_call(self, tool: str, **arguments: Any) -> int:
        """Send a call and return its id."""
        self._id += 1
        self.write({"jsonrpc": "2.0", "id": self._id, "method": "tools/call", "params": {"name": tool, "arguments": arguments}})
        return self._id

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool and return the answer, passing over notifications."""
        id_ = self.start_call(tool, **arguments)
        while True:
            message = self.read()
            assert message is not None
            if message.get("id") == id_:
                return message

    def status(self) -> dict[str, Any]:
        """Return what the server sees of its own process."""
        seen: dict[str, Any] = self.call("status")["result"]["structuredContent"]
        return seen | {"pid": self.host_pid(seen["pid"])}

    def host_pid(self, pid: int) -> int:
        """Return the machine's number for a process that the server knows as `pid`, in its own pid namespace perhaps."""
        for status in Path("/proc").glob("[0-9]*/status"):
            try:
                text = status.read_text()
            except OSError:
                continue
            numbers = next((line.split()[1:] for line in text.splitlines() if line.startswith("NSpid:")), [])
            if len(numbers) > 1 and numbers[-1] == str(pid) and self._started(int(numbers[0])):
                return int(numbers[0])
        return pid

    def _started(self, pid: int) -> bool:
        while pid > 1:
            if pid == self.process.pid:
                return True
            try:
                pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                return False
        return False

    def finish(self, timeout: float = 15.0) -> tuple[int, str]:
        """Close the input, wait, and return exit code and stderr."""
        self.stdin.close()
        errors = self.stderr.read()
        return self.process.wait(timeout), (errors or b"").decode()

    def records(self) -> list[dict[str, Any]]:
        """Return the record's lines."""
        (path,) = (self.home / "state" / "records").glob("*.jsonl")
        return [json.loads(line) for line in path.read_text().splitlines()]


def gone(pid: int, within: float = 5.0) -> bool:
    """Tell whether a process ends within some seconds (a zombie has ended)."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            with open(f"/proc/{pid}/stat") as file:
                if file.read().rpartition(")")[2].split()[0] == "Z":
                    return True
        except OSError:
            return True
        time.sleep(0.02)
    return False
