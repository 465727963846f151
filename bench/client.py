"""The benchmark's MCP client: raw pipes and as little work as possible between the two clock readings.

No SDK, no thread, no parsing while the clock runs: a request is encoded before, an answer is decoded and
checked after. Every contestant is driven by this same code, so its cost is the same in each figure and drops
out of the differences.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import tempfile
import time
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import FrameType

PROTOCOL = "2025-11-25"
_CHUNK = 65536


class ContestantError(Exception):
    """A contestant did not start, hung, died or gave a wrong answer: its figures would mean nothing."""


@contextlib.contextmanager
def deadline(seconds: int) -> Iterator[None]:
    """Raise ContestantError in the main thread after `seconds`; costs nothing while the clock runs."""

    def ring(_signum: int, _frame: FrameType | None) -> None:
        raise ContestantError(f"no answer within {seconds} s")

    previous = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)


def encode(message: dict[str, Any]) -> bytes:
    """Return `message` as one line, compact as the TypeScript SDK writes it."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def initialize_line() -> bytes:
    """Return the `initialize` request, id 0, of a client that declares no capability."""
    params = {
        "protocolVersion": PROTOCOL,
        "capabilities": {},
        "clientInfo": {"name": "bench", "version": "1"},
    }
    return encode({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params})


def small_text(number: int) -> str:
    """Return what a small call carries: a path and a few words, about as much as a file or search tool is given."""
    return f"src/example/module_{number:05}.py what does this function return"


class Client:
    """One launched command and the two pipes to it.

    Raises ContestantError from every method when the process ends, hangs or answers with an error.
    """

    def __init__(self, command: Sequence[str], env: dict[str, str]) -> None:
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process; close() ends it
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._stderr, env=env, bufsize=0
        )
        if self._process.stdin is None or self._process.stdout is None:
            raise ContestantError("no pipes")
        self._in = self._process.stdin.fileno()
        self._out = self._process.stdout.fileno()
        self._rest = b""
        self._next_id = 1

    def exchange(self, line: bytes) -> bytes:
        """Write one request and return the next line that comes back."""
        os.write(self._in, line)
        return self._read_line()

    def _read_line(self) -> bytes:
        chunks = [self._rest]
        while b"\n" not in chunks[-1]:
            chunk = os.read(self._out, _CHUNK)
            if not chunk:
                raise ContestantError(f"ended early: {self._last_words()}")
            chunks.append(chunk)
        line, _, self._rest = b"".join(chunks).partition(b"\n")
        return line

    def answer_of(self, line: bytes, request_id: int) -> dict[str, Any]:
        """Return the result for `request_id` from `line`, or from a later one if `line` is a notification."""
        while True:
            message = json.loads(line)
            if "method" not in message:
                break
            line = self._read_line()
        result = message.get("result")
        if message.get("id") != request_id or not isinstance(result, dict) or result.get("isError"):
            raise ContestantError(f"not an answer to {request_id}: {line[:300].decode()}")
        return result

    def initialize(self) -> dict[str, Any]:
        """Do the handshake's first half; returns the result of `initialize`."""
        return self.answer_of(self.exchange(initialize_line()), 0)

    def initialized(self) -> None:
        """Do the handshake's second half."""
        os.write(self._in, encode({"jsonrpc": "2.0", "method": "notifications/initialized"}))

    def request(self, method: str, params: dict[str, Any]) -> tuple[int, bytes]:
        """Return a fresh id and the encoded request that carries it; nothing is sent."""
        request_id, self._next_id = self._next_id, self._next_id + 1
        message = {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}
        return request_id, encode(message)

    def list_tools(self) -> dict[str, Any]:
        """Ask `tools/list` and return its result."""
        request_id, line = self.request("tools/list", {})
        return self.answer_of(self.exchange(line), request_id)

    def time_call(self, tool: str, arguments: dict[str, Any], text: str) -> float:
        """Call `tool` once and check the text; returns seconds from before the write to the last byte."""
        request_id, line = self.request("tools/call", {"name": tool, "arguments": arguments})
        start = time.perf_counter()
        answer = self.exchange(line)
        seconds = time.perf_counter() - start
        self._check(self.answer_of(answer, request_id), text)
        return seconds

    def time_pipelined(self, count: int) -> float:
        """Send `count` calls of `echo` as fast as they are taken while reading; returns seconds for all."""
        texts: dict[int, str] = {}
        lines: list[bytes] = []
        for number in range(count):
            text = small_text(number)
            request_id, line = self.request("tools/call", {"name": "echo", "arguments": {"text": text}})
            texts[request_id] = text
            lines.append(line)
        start = time.perf_counter()
        output = self._pump(b"".join(lines), count)
        seconds = time.perf_counter() - start
        answers = output.splitlines()
        for line in answers:
            request_id = json.loads(line).get("id")
            if request_id not in texts:
                raise ContestantError(f"not one of the answers: {line[:300].decode()}")
            self._check(self.answer_of(line, request_id), texts.pop(request_id))
        return seconds

    def _pump(self, data: bytes, count: int) -> bytes:
        """Write `data` and read `count` lines, whichever is possible."""
        view = memoryview(data)
        poller = select.poll()
        poller.register(self._out, select.POLLIN)
        poller.register(self._in, select.POLLOUT)
        chunks: list[bytes] = []
        os.set_blocking(self._in, False)
        try:
            while count > 0:
                for descriptor, _event in poller.poll():
                    if descriptor == self._out:
                        chunk = os.read(self._out, _CHUNK)
                        if not chunk:
                            raise ContestantError(f"ended early: {self._last_words()}")
                        count -= chunk.count(b"\n")
                        chunks.append(chunk)
                    elif view:
                        view = view[os.write(self._in, view[:_CHUNK]) :]
                        if not view:
                            poller.unregister(self._in)
        finally:
            os.set_blocking(self._in, True)
        return b"".join(chunks)

    @staticmethod
    def _check(result: dict[str, Any], text: str) -> None:
        if result["content"][0]["text"] != text:
            raise ContestantError(f"wrong text: {result['content'][0]['text'][:80]!r}")

    def proxy_memory(self, server: Sequence[str]) -> int:
        """Return resident bytes of the launched process and its descendants, without the MCP server."""
        top = psutil.Process(self._process.pid)
        processes = [top, *top.children(recursive=True)]
        return sum(one.memory_info().rss for one in processes if one.cmdline() != list(server))

    def close(self) -> None:
        """Close stdin and wait for the end; a contestant that stays is killed."""
        if self._process.stdin and self._process.stdout:
            self._process.stdin.close()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process.stdout.close()
        self._stderr.close()

    def _last_words(self) -> str:
        self._process.wait(10)
        self._stderr.seek(0)
        lines = self._stderr.read().decode(errors="replace").strip().splitlines()
        return f"exit {self._process.returncode}: {lines[-1][:300] if lines else 'nothing on stderr'}"
