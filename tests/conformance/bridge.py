"""Streamable HTTP in front of stdio servers, so that an HTTP-only suite can test what speaks stdio.

    python bridge.py [--revision REVISION] [--frames FILE] -- COMMAND [ARG]...

Binds a free loopback port and prints it. The child processes get the messages as the client wrote them,
except for ids and progress tokens: independent HTTP requests reuse those, and one pipe cannot. What only HTTP
has (headers, status codes, sessions) is judged here, with the SDK's own functions, and what MCP has is left
to the child.

Handshake era: a session is a number; sessions with the same handshake share one child, which was initialized
once. The suite's client always asks for the newest revision that it knows, so `--revision` says which one the
child is asked for. 2026-07-28: one child, opened by the bridge's own `server/discover`, because a server on
stdio takes its era from the first request and the suite's first one is malformed. Not here: resumable
streams, and the standalone GET stream.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import socket
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TextIO

import uvicorn
from mcp.server.transport_security import TransportSecurityMiddleware, TransportSecuritySettings
from mcp.shared.inbound import (
    ERROR_CODE_HTTP_STATUS,
    InboundLadderRejection,
    classify_inbound_request,
    validate_mcp_param_headers,
)
from mcp_types import HEADER_MISMATCH, PARSE_ERROR
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

Message = dict[str, Any]

VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES_KEY = "io.modelcontextprotocol/clientCapabilities"
SUBSCRIPTION_KEY = "io.modelcontextprotocol/subscriptionId"
TASK_METHODS = ("tasks/get", "tasks/update", "tasks/cancel")
DISCOVER = {
    "method": "server/discover",
    "params": {"_meta": {VERSION_KEY: "2026-07-28", CAPABILITIES_KEY: {}}},
}
GONE = {"code": -32000, "message": "The server's process ended."}
LOCAL = TransportSecuritySettings(
    enable_dns_rebinding_protection=True,
    allowed_hosts=["127.0.0.1:*", "localhost:*"],
    allowed_origins=["http://127.0.0.1:*", "http://localhost:*"],
)


def meta_of(message: Message) -> Message:
    """The `_meta` of a request or notification; empty if there is none."""
    params = message.get("params")
    meta = params.get("_meta") if isinstance(params, dict) else None
    return meta if isinstance(meta, dict) else {}


@dataclass
class Exchange:
    """One request of an HTTP client, and what the child has said about it."""

    id: Any
    method: str
    token: Any
    messages: asyncio.Queue[Message] = field(default_factory=asyncio.Queue)


class Child:
    """One process that speaks MCP on its pipes."""

    def __init__(self, command: list[str], frames: TextIO | None) -> None:
        self.command = command
        self.frames = frames
        self.exchanges: dict[Any, Exchange] = {}
        self.schemas: dict[str, Any] = {}
        self.opening: Message = {}
        self.initialized = False
        self._ids = itertools.count(1)

    async def start(self, opening: Message) -> None:
        """Spawn the process and ask its first question; the answer is kept in `opening`."""
        pipe = asyncio.subprocess.PIPE
        self.process = await asyncio.create_subprocess_exec(*self.command, stdin=pipe, stdout=pipe, limit=1 << 26)
        self.reader = asyncio.create_task(self._read())
        _, exchange = await self.ask({"jsonrpc": "2.0", "id": None, **opening})
        self.opening = await exchange.messages.get()

    async def stop(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            await asyncio.wait_for(self.process.wait(), 5)
        except TimeoutError:
            self.process.kill()
        await self.reader

    async def send(self, message: Message) -> None:
        assert self.process.stdin is not None
        self._log(">", message)
        with contextlib.suppress(ConnectionError):
            self.process.stdin.write(json.dumps(message, separators=(",", ":")).encode() + b"\n")
            await self.process.stdin.drain()

    async def ask(self, message: Message) -> tuple[int, Exchange]:
        """Send a request under an id (and progress token) of our own."""
        number = next(self._ids)
        meta = meta_of(message)
        exchange = Exchange(message["id"], message["method"], meta.get("progressToken"))
        if exchange.token is not None:
            params = {**message["params"], "_meta": {**meta, "progressToken": number}}
            message = {**message, "params": params}
        self.exchanges[number] = exchange
        await self.send({**message, "id": number})
        return number, exchange

    async def cancel(self, number: int) -> None:
        if self.exchanges.pop(number, None) is not None:
            params = {"requestId": number, "reason": "The client closed the stream."}
            await self.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params})

    async def _read(self) -> None:
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            try:
                message = json.loads(line)
            except ValueError:
                print(f"not JSON: {line!r}", file=sys.stderr)
                continue
            self._log("<", message)
            self._route(message)
        for exchange in self.exchanges.values():
            exchange.messages.put_nowait({"jsonrpc": "2.0", "id": exchange.id, "error": GONE})
        self.exchanges.clear()

    def _route(self, message: Message) -> None:
        if "method" not in message:
            exchange = self.exchanges.pop(message.get("id"), None)
            if exchange is None:
                return
            message = {**message, "id": exchange.id}
            result = message.get("result") or {}
            if SUBSCRIPTION_KEY in result.get("_meta", {}):
                message["result"] = {**result, "_meta": {**result["_meta"], SUBSCRIPTION_KEY: exchange.id}}
            if exchange.method == "tools/list":
                for tool in result.get("tools", ()):
                    self.schemas[tool["name"]] = tool.get("inputSchema")
            exchange.messages.put_nowait(message)
            return
        meta = meta_of(message)
        params = message.get("params") or {}
        if message["method"] == "notifications/progress":
            exchange = self.exchanges.get(params.get("progressToken"))
            if exchange is not None:
                message = {**message, "params": {**params, "progressToken": exchange.token}}
        elif SUBSCRIPTION_KEY in meta:
            exchange = self.exchanges.get(meta[SUBSCRIPTION_KEY])
            if exchange is not None:
                message = {**message, "params": {**params, "_meta": {**meta, SUBSCRIPTION_KEY: exchange.id}}}
        else:
            # Nothing on a pipe says which call a request or a log message belongs to: the newest has the
            # best claim.
            exchange = self.exchanges[max(self.exchanges)] if self.exchanges else None
        if exchange is not None:
            exchange.messages.put_nowait(message)

    def _log(self, direction: str, message: Message) -> None:
        if self.frames is not None:
            print(self.process.pid, direction, json.dumps(message), file=self.frames, flush=True)


class Bridge:
    def __init__(self, command: list[str], revision: str | None, frames: TextIO | None) -> None:
        self.command = command
        self.revision = revision
        self.frames = frames
        self.children: dict[str, Child] = {}
        self.sessions: dict[str, Child] = {}
        self._starting = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()
        self._security = TransportSecurityMiddleware(LOCAL)

    @contextlib.asynccontextmanager
    async def lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        yield
        await asyncio.gather(*(child.stop() for child in self.children.values()))

    async def child(self, opening: Message) -> Child:
        """The child that was opened by this request, started if it is the first one."""
        key = json.dumps(opening.get("params"), sort_keys=True)
        async with self._starting:
            if key not in self.children:
                child = Child(self.command, self.frames)
                await child.start({"method": opening["method"], "params": opening.get("params")})
                self.children[key] = child
            return self.children[key]

    async def endpoint(self, request: Request) -> Response:
        refusal = await self._security.validate_request(request, is_post=request.method == "POST")
        if refusal is not None:
            return refusal
        session = request.headers.get("mcp-session-id")
        if request.method == "DELETE":
            return Response(status_code=404 if self.sessions.pop(session or "", None) is None else 200)
        if request.method != "POST":
            return Response(status_code=405, headers={"Allow": "POST, DELETE"})
        try:
            message = json.loads(await request.body())
        except ValueError:
            error = {"code": PARSE_ERROR, "message": "Parse error"}
            return JSONResponse({"jsonrpc": "2.0", "id": None, "error": error}, 400)
        if message.get("method") == "initialize" and VERSION_KEY not in meta_of(message):
            return await self._initialize(message)
        if session is not None:
            return await self._handshake(session, message)
        return await self._stateless(request, message)

    async def _initialize(self, message: Message) -> Response:
        if self.revision is not None:
            message = {**message, "params": {**message["params"], "protocolVersion": self.revision}}
        child = await self.child(message)
        answer = {**child.opening, "id": message["id"]}
        if "error" in answer:
            return JSONResponse(answer)
        session = f"session-{len(self.sessions) + 1}-{id(message):x}"
        self.sessions[session] = child
        return JSONResponse(answer, headers={"mcp-session-id": session})

    async def _handshake(self, session: str, message: Message) -> Response:
        child = self.sessions.get(session)
        if child is None:
            return Response(status_code=404)
        if "id" in message and "method" in message:
            return await self._answer(child, message, modern=False)
        if message.get("method") != "notifications/initialized" or not child.initialized:
            child.initialized |= message.get("method") == "notifications/initialized"
            await child.send(message)
        return Response(status_code=202)

    async def _stateless(self, request: Request, message: Message) -> Response:
        if "id" not in message:
            return Response(status_code=202)
        child = await self.child(DISCOVER)
        verdict: Any = classify_inbound_request(message, headers=request.headers)
        if message.get("method") in TASK_METHODS and not isinstance(verdict, InboundLadderRejection):
            verdict = self._task_header(request, message)
        if message.get("method") == "tools/call" and not isinstance(verdict, InboundLadderRejection):
            params = message["params"]
            schema = child.schemas.get(params.get("name"))
            verdict = validate_mcp_param_headers(schema, params.get("arguments") or {}, request.headers)
        # Only a disagreement with the headers is HTTP's business; the child answers for everything else.
        if isinstance(verdict, InboundLadderRejection) and verdict.code == HEADER_MISMATCH:
            error = {"code": verdict.code, "message": verdict.message}
            return JSONResponse({"jsonrpc": "2.0", "id": message["id"], "error": error}, 400)
        return await self._answer(child, message, modern=True)

    @staticmethod
    def _task_header(request: Request, message: Message) -> InboundLadderRejection | None:
        """The tasks extension mirrors its task id in `Mcp-Name`, which the SDK's table does not know."""
        task = message["params"].get("taskId")
        if task is None or request.headers.get("mcp-name") == task:
            return None
        return InboundLadderRejection(HEADER_MISMATCH, "mcp-name header does not match the task id")

    async def _answer(self, child: Child, message: Message, *, modern: bool) -> Response:
        """One JSON body if the answer comes first, else a stream of events that ends with it."""
        number, exchange = await child.ask(message)
        first = await exchange.messages.get()
        if "method" not in first:
            code = first.get("error", {}).get("code")
            return JSONResponse(first, ERROR_CODE_HTTP_STATUS.get(code, 200) if modern else 200)

        async def events() -> AsyncIterator[str]:
            current = first
            try:
                while True:
                    yield f"event: message\r\ndata: {json.dumps(current)}\r\n\r\n"
                    if "method" not in current:
                        return
                    current = await exchange.messages.get()
            finally:
                # The generator may be closed from a cancelled task, where nothing can be awaited. In the
                # handshake era, closing a stream cancels nothing.
                if modern and number in child.exchanges:
                    task = asyncio.create_task(child.cancel(number))
                    self._closing.add(task)
                    task.add_done_callback(self._closing.discard)

        return StreamingResponse(events(), media_type="text/event-stream")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--revision", help="the handshake revision to ask the server for")
    parser.add_argument("--frames", help="log what crosses the pipes to this file")
    parser.add_argument("command", nargs="+")
    arguments = parser.parse_args()
    listener = socket.create_server(("127.0.0.1", 0))
    with contextlib.ExitStack() as stack:
        frames = None
        if arguments.frames:
            frames = stack.enter_context(open(arguments.frames, "a", encoding="utf-8"))
        bridge = Bridge(arguments.command, arguments.revision, frames)
        route = Route("/mcp", bridge.endpoint, methods=["GET", "POST", "DELETE"])
        app = Starlette(routes=[route], lifespan=bridge.lifespan)
        config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1)
        print(listener.getsockname()[1], flush=True)
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
