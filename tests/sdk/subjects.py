"""The servers that answer only the guard, and a peer that speaks to them in plain JSON lines."""

from __future__ import annotations

import importlib.util
import json
import os
import select
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import MCPError

from ..real.servers import missing_node_servers

Json = dict[str, Any]

HANDSHAKE = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
MODERN = "2026-07-28"
SERVERS = Path(__file__).resolve().parents[1] / "servers"
RECIPE = SERVERS / "node" / "guarded-server.mjs"
TOKEN = "io.stdioguard/token"
VARIABLE = "MCP_SHARED_SECRET"
REFUSED = {"code": -31001, "rule": "handshake"}


@dataclass(frozen=True)
class Subject:
    """A server, and the revisions that its SDK speaks."""

    name: str
    command: tuple[str, ...]
    revisions: tuple[str, ...]

    def needed(self) -> Subject:
        """The same, or the test is skipped where the server cannot run."""
        if self.name == "fastmcp" and importlib.util.find_spec("fastmcp") is None:
            pytest.skip("fastmcp is not installed; it comes with the extra `bench`")
        if self.name == "node" and (missing := missing_node_servers()):
            pytest.skip(missing)
        return self


SUBJECTS = {
    subject.name: subject
    for subject in (
        Subject("python", (sys.executable, str(SERVERS / "guarded_server.py")), (*HANDSHAKE, MODERN)),
        Subject("fastmcp", (sys.executable, str(SERVERS / "guarded_fastmcp.py")), (*HANDSHAKE, MODERN)),
        Subject("node", ("node", str(RECIPE)), HANDSHAKE),
    )
}


def bare_environment(secret: str | None) -> dict[str, str]:
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    return environment if secret is None else environment | {VARIABLE: secret}


class Peer:
    """A server, started by hand, and its pipes."""

    def __init__(self, subject: Subject, secret: str | None, revision: str = HANDSHAKE[-1]) -> None:
        self.subject, self.revision = subject, revision
        self.process = subprocess.Popen(
            subject.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=bare_environment(secret),
            bufsize=0,
        )
        self._held = b""
        self._id = 0

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    @property
    def modern(self) -> bool:
        return self.revision == MODERN

    def send(self, message: Json) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")

    def notify(self, method: str, params: Json | None = None) -> None:
        self.send({"method": method} if params is None else {"method": method, "params": params})

    def request(self, method: str, params: Json | None = None, *, token: object = ..., envelope: bool | None = None) -> Json:
        """Send a request and return its answer, `{"error": ...}` or `{"result": ...}`."""
        self._id += 1
        params = dict(params or {})
        meta = dict(params.pop("_meta", {}))
        if self.modern if envelope is None else envelope:
            meta |= {"io.modelcontextprotocol/protocolVersion": MODERN, "io.modelcontextprotocol/clientCapabilities": {}}
        if token is not ...:
            meta[TOKEN] = token
        self.send({"id": self._id, "method": method, "params": params | ({"_meta": meta} if meta else {})})
        while True:
            message = self._read()
            if message.get("id") == self._id and "method" not in message:
                return {key: message[key] for key in ("error", "result") if key in message}

    def initialize(self, *, token: object = ..., secret: object = ...) -> Json:
        """Shake hands, showing what is given in `_meta` and in `clientInfo`."""
        info: Json = {"name": "by hand", "version": "1"}
        if secret is not ...:
            info["secret"] = secret
        params = {
            "protocolVersion": self.revision,
            "capabilities": {},
            "clientInfo": info,
            "_meta": {"example.org/kept": "kept"},
        }
        answer = self.request("initialize", params, token=token, envelope=False)
        if "result" in answer:
            self.notify("notifications/initialized")
        return answer

    def call(self, tool: str, *, token: object = ..., **arguments: Any) -> Json:
        params = {"name": tool, "arguments": arguments, "_meta": {"example.org/kept": "kept"}}
        return self.request("tools/call", params, token=token)

    def text(self, tool: str, *, token: object = ..., **arguments: Any) -> str:
        result = self.call(tool, token=token, **arguments)["result"]
        assert not result.get("isError"), result
        return result["content"][0]["text"]

    def _read(self) -> Json:
        assert self.process.stdout
        deadline = time.monotonic() + 20
        while b"\n" not in self._held:
            if not select.select([self.process.stdout], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise TimeoutError("nothing came from the server")
            chunk = os.read(self.process.stdout.fileno(), 1 << 16)
            assert chunk, "the server has ended"
            self._held += chunk
        line, _, self._held = self._held.partition(b"\n")
        return json.loads(line)


def is_refusal(answer: Json) -> bool:
    """Whether an answer is the refusal, with nothing else in it."""
    error = answer.get("error", {})
    return (
        answer.keys() == {"error"}
        and error.keys() == {"code", "message", "data"}
        and (error["code"], error["data"]) == (-31001, REFUSED)
    )


def failure(coroutine: Any, *arguments: Any) -> MCPError:
    """Run it, and return the protocol error that it fails with: the SDK's task groups wrap what a client cannot open with."""
    with pytest.raises((MCPError, ExceptionGroup)) as caught:
        anyio.run(coroutine, *arguments)
    error: BaseException = caught.value
    while isinstance(error, BaseExceptionGroup):
        (error,) = error.exceptions
    assert isinstance(error, MCPError), error
    return error
