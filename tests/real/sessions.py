"""The clients: the SDK's in each of its modes, and plain JSON lines for older revisions."""

from __future__ import annotations

import json
import subprocess
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import anyio
import mcp_types as types
from mcp import Client, MCPError
from mcp.client.stdio import StdioServerParameters, get_default_environment, stdio_client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from .servers import Launch

Json = dict[str, Any]

ELICITATION, LINKS, SAMPLING, ROOTS = "elicitation", "links", "sampling", "roots"
EVERY_FEATURE = frozenset({ELICITATION, LINKS, SAMPLING, ROOTS})
ANSWER_IN = 40.0  # seconds: far beyond what any of these calls takes, so that only a lost answer gets there
STOP_IN = 2.0  # seconds between closing the pipe and a signal, as in the SDK's client


@dataclass(frozen=True)
class Mode:
    """One way to open a session."""

    name: str
    sdk: str = ""
    revision: str = ""
    features: frozenset[str] = EVERY_FEATURE

    @property
    def modern(self) -> bool:
        return self.sdk == "2026-07-28"

    @property
    def can_ask(self) -> bool:
        """Whether a person can be asked through this client."""
        return ELICITATION in self.features


MODES = {
    mode.name: mode
    for mode in (
        Mode("auto", sdk="auto"),
        Mode("legacy", sdk="legacy"),
        Mode("modern", sdk="2026-07-28"),
        Mode("raw-2024-11-05", revision="2024-11-05", features=frozenset()),
        Mode("raw-2025-03-26", revision="2025-03-26", features=frozenset()),
        Mode("raw-2025-06-18", revision="2025-06-18", features=frozenset({ELICITATION})),
    )
}


@dataclass
class Person:
    """Whoever sits at the client: answers what is put in front of them, and remembers it."""

    decision: str = "allow once"
    roots: list[str] = field(default_factory=list)
    prompts: list[str] = field(default_factory=list)
    """Questions of the guard."""
    forms: list[str] = field(default_factory=list)
    """Forms of the server."""
    links: list[str] = field(default_factory=list)
    samples: list[Json] = field(default_factory=list)
    roots_asked: int = 0
    notes: list[Json] = field(default_factory=list)
    """Notifications, as method and params."""

    def elicit(self, params: Json) -> Json:
        if params.get("mode") == "url":
            self.links.append(params["url"])
            return {"action": "accept"}
        properties = params["requestedSchema"]["properties"]
        if "decision" not in properties:
            self.forms.append(params["message"])
            return {"action": "accept", "content": {"name": "Ada", "check": True}}
        self.prompts.append(params["message"])
        if self.decision in {"decline", "cancel"}:
            return {"action": self.decision}
        return {"action": "accept", "content": {"decision": self.decision}}

    def sample(self, params: Json) -> Json:
        self.samples.append(params)
        return {
            "role": "assistant",
            "content": {"type": "text", "text": "Paris"},
            "model": "test-model",
            "stopReason": "endTurn",
        }

    def list_roots(self) -> Json:
        self.roots_asked += 1
        return {"roots": [{"uri": f"file://{root}", "name": root.rsplit("/", 1)[-1]} for root in self.roots]}


class Session(Protocol):
    """What a test does with a session, whichever client opened it."""

    async def hello(self) -> Json: ...

    async def list_tools(self) -> list[Json]: ...

    async def call(self, tool: str, arguments: Json) -> Json:
        """The result as it came, or `{"error": ...}`."""
        ...


def plain(model: Any) -> Json:
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


@dataclass
class SdkSession:
    """A session of the SDK's client."""

    client: Client

    async def hello(self) -> Json:
        return {
            "protocolVersion": self.client.protocol_version,
            "capabilities": plain(self.client.server_capabilities),
            "serverInfo": plain(self.client.server_info) if self.client.server_info else None,
            "instructions": self.client.instructions,
        }

    async def list_tools(self) -> list[Json]:
        tools: list[Json] = []
        cursor: str | None = None
        while True:
            page = await self.client.list_tools(cursor=cursor)
            tools += [plain(tool) for tool in page.tools]
            cursor = page.next_cursor
            if cursor is None:
                return tools

    async def call(self, tool: str, arguments: Json) -> Json:
        try:
            return plain(await self.client.call_tool(tool, arguments))
        except MCPError as refused:
            return {"error": plain(refused.error)}


@asynccontextmanager
async def sdk_client(
    launch: Launch, mode: str, person: Person, features: frozenset[str] = EVERY_FEATURE
) -> AsyncIterator[Client]:
    """The SDK's client, declaring the features named."""

    async def elicit(_context: Any, params: types.ElicitRequestParams) -> types.ElicitResult:
        return types.ElicitResult.model_validate(person.elicit(plain(params)))

    async def sample(_context: Any, params: types.CreateMessageRequestParams) -> types.CreateMessageResult:
        return types.CreateMessageResult.model_validate(person.sample(plain(params)))

    async def list_roots(_context: Any) -> types.ListRootsResult:
        return types.ListRootsResult.model_validate(person.list_roots())

    async def note(message: Any) -> None:
        if not isinstance(message, Exception):
            person.notes.append(plain(message))

    parameters = StdioServerParameters(
        command=launch.command[0],
        args=launch.command[1:],
        env=launch.environment,
        cwd=launch.directory,
    )
    with launch.log.open("w") as log:
        async with Client(
            stdio_client(parameters, errlog=log),
            mode=mode,
            read_timeout_seconds=ANSWER_IN,
            elicitation_callback=elicit if ELICITATION in features else None,
            sampling_callback=sample if SAMPLING in features else None,
            list_roots_callback=list_roots if ROOTS in features else None,
            message_handler=note,
            cache=None,
        ) as client:
            yield client


@dataclass
class RawSession:
    """A session of JSON lines, of one handshake revision."""

    process: Any
    person: Person
    revision: str
    welcome: Json = field(default_factory=dict)
    frames: list[Json] = field(default_factory=list)
    """Every message from the other side, in order."""
    _next: int = 0
    _answers: dict[int, Json] = field(default_factory=dict)
    _arrived: dict[int, anyio.Event] = field(default_factory=dict)
    _sending: anyio.Lock = field(default_factory=anyio.Lock)

    async def send(self, message: Json) -> None:
        line = json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n"
        async with self._sending:
            await self.process.stdin.send(line)

    async def begin(self, method: str, params: Json | None = None) -> int:
        """Send a request and do not wait; its id."""
        self._next += 1
        self._arrived[self._next] = anyio.Event()
        message: Json = {"id": self._next, "method": method}
        await self.send(message if params is None else {**message, "params": params})
        return self._next

    def answered(self, request: int) -> bool:
        return request in self._answers

    async def answer(self, request: int) -> Json:
        """The answer to a request that was begun, as a result or as `{"error": ...}`."""
        with anyio.fail_after(ANSWER_IN):
            await self._arrived[request].wait()
        frame = self._answers[request]
        return {"error": frame["error"]} if "error" in frame else frame["result"]

    async def request(self, method: str, params: Json | None = None) -> Json:
        return await self.answer(await self.begin(method, params))

    async def notify(self, method: str, params: Json | None = None) -> None:
        message: Json = {"method": method}
        await self.send(message if params is None else {**message, "params": params})

    async def hello(self) -> Json:
        return self.welcome

    async def list_tools(self) -> list[Json]:
        tools: list[Json] = []
        params: Json = {}
        while True:
            page = await self.request("tools/list", params)
            tools += page["tools"]
            if "nextCursor" not in page:
                return tools
            params = {"cursor": page["nextCursor"]}

    async def call(self, tool: str, arguments: Json) -> Json:
        return await self.request("tools/call", {"name": tool, "arguments": arguments})

    async def listen(self) -> None:
        """Read until the other side closes: sort answers, answer requests, keep notifications."""
        buffer = b""
        while True:
            try:
                buffer += await self.process.stdout.receive()
            except (anyio.EndOfStream, anyio.ClosedResourceError):
                return
            *lines, buffer = buffer.split(b"\n")
            for line in lines:
                await self._take(json.loads(line))

    async def _take(self, frame: Json) -> None:
        self.frames.append(frame)
        if "method" not in frame:
            assert frame["id"] in self._arrived, f"an answer to nothing that was asked: {frame}"
            assert frame["id"] not in self._answers, f"a second answer: {frame}"
            self._answers[frame["id"]] = frame
            self._arrived[frame["id"]].set()
        elif "id" not in frame:
            self.person.notes.append({"method": frame["method"], "params": frame.get("params")})
        else:
            await self.send({"id": frame["id"], **self._reply(frame["method"], frame.get("params", {}))})

    def _reply(self, method: str, params: Json) -> Json:
        if method == "ping":
            return {"result": {}}
        if method == "elicitation/create":
            return {"result": self.person.elicit(params)}
        if method == "sampling/createMessage":
            return {"result": self.person.sample(params)}
        if method == "roots/list":
            return {"result": self.person.list_roots()}
        return {"error": {"code": -32601, "message": f"Method not found: {method}"}}


@asynccontextmanager
async def raw_session(launch: Launch, revision: str, person: Person, features: frozenset[str]) -> AsyncIterator[RawSession]:
    """A handshake in plain JSON, then the session."""
    capabilities: Json = {}
    if ELICITATION in features:
        capabilities["elicitation"] = {"form": {}, "url": {}} if LINKS in features else {}
    if SAMPLING in features:
        capabilities["sampling"] = {}
    if ROOTS in features:
        capabilities["roots"] = {"listChanged": True}
    with launch.log.open("w") as log:
        process = await anyio.open_process(
            launch.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=get_default_environment() | launch.environment,
            cwd=launch.directory,
        )
        try:
            async with anyio.create_task_group() as tasks:
                session = RawSession(process, person, revision)
                tasks.start_soon(session.listen)
                session.welcome = await session.request(
                    "initialize",
                    {
                        "protocolVersion": revision,
                        "capabilities": capabilities,
                        "clientInfo": {"name": "raw", "version": "1"},
                    },
                )
                assert session.welcome.get("protocolVersion") == revision, session.welcome
                await session.notify("notifications/initialized")
                yield session
                await process.stdin.aclose()
                # Timers keep some servers alive after that; a client then ends them, and they must end.
                with anyio.move_on_after(STOP_IN):
                    await process.wait()
                if process.returncode is None:
                    process.terminate()
                with anyio.fail_after(10):
                    await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


@asynccontextmanager
async def open_session(launch: Launch, mode: Mode, person: Person) -> AsyncIterator[Session]:
    """A session of any mode; what failed carries what the other side printed."""
    try:
        async with _open(launch, mode, person) as session:
            yield session
    except Exception as error:
        error.add_note(launch.log.read_text()[-2000:])
        raise


@asynccontextmanager
async def _open(launch: Launch, mode: Mode, person: Person) -> AsyncIterator[Session]:
    if mode.sdk:
        async with sdk_client(launch, mode.sdk, person, mode.features) as client:
            yield SdkSession(client)
    else:
        async with raw_session(launch, mode.revision, person, mode.features) as session:
            yield session
