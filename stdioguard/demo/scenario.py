"""Try the same things on a server twice, bare and behind the guard, and look at what came of them.

Every outcome is read off the disk or the answers: notes hold random text, so that none can be right by accident. All files are in
a temporary folder that is removed at the end; the guard's record is kept there too, by `STDIOGUARD_HOME`.
"""

from __future__ import annotations

import json
import secrets
import sys
import tempfile
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import anyio
import anyio.abc
from anyio.streams.buffered import BufferedByteReceiveStream
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.stdio import get_default_environment, stdio_client
from mcp.types import CallToolResult, ElicitRequestParams, ElicitResult, TextContent

from stdioguard.demo.server import SECRET

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from mcp.client import ClientRequestContext

PROFILE = Path(__file__).with_name("profile.toml")
_NOTES = ("plans", "letters", "recipes", "travel", "family")
_PATIENCE = 20.0
"""Seconds for one session, start of the server included: it is over in two."""
_SETTLE = 0.5
"""Seconds that a smuggled call is given to take effect once a later call has been answered."""
_MAX_ANSWER = 1 << 20


class DemoError(Exception):
    """A session could not be held at all, so there is nothing to compare."""


@dataclass(frozen=True)
class Row:
    """One line of the table: what was tried, and what came of it in words made from what was seen."""

    id: str
    tried: str
    bare: str
    guarded: str
    bare_expected: str
    guarded_expected: str

    @property
    def ok(self) -> bool:
        """Whether the bare run shows what can go wrong, and the guarded one that it does not."""
        return (self.bare, self.guarded) == (self.bare_expected, self.guarded_expected)


_ROWS = (
    ("allowed", "an allowed call (read_note)", "answered", "answered"),
    ("hidden", "a tool that is not granted (export_all)", "listed, hands out notes", "not listed, refused"),
    ("declined", "a deletion, the person says no", "nobody asked, deleted", "asked, note kept"),
    ("approved", "a deletion, the person says yes", "nobody asked, deleted", "asked, deleted"),
    ("smuggled", "a deletion smuggled in a notification", "deleted", "note kept"),
    ("doubled", 'a deletion under a second "name" key', "deleted", "note kept"),
    ("secret", "a secret in the client's environment", "server sends it back", "server does not have it"),
)
"""Every row: its id, what is tried, and what should come of it bare and guarded."""

REFUSALS = 4
"""How many refusals the record must show: one each for hidden, declined, smuggled and doubled."""


@dataclass
class Report:
    """The result of a demo."""

    rows: list[Row]
    decisions: int
    """How many decisions the guard wrote to its record."""
    refusals: int
    """How many of them were to refuse."""

    @property
    def ok(self) -> bool:
        """Whether every row is as it should be and the record tells of it."""
        return all(row.ok for row in self.rows) and self.refusals >= REFUSALS


def run(profile: Path = PROFILE) -> Report:
    """Hold the sessions, first bare and then guarded by `profile`. Raises `DemoError`."""
    with tempfile.TemporaryDirectory(prefix="stdioguard-demo-") as name:
        place = Path(name).resolve()
        bare = _seen(_Run(place / "bare", None))
        guarded = _seen(_Run(place / "guarded", profile))
        verdicts = _verdicts(place / "guarded" / "home")
    rows = [Row(id_, tried, bare[id_], guarded[id_], *expected) for id_, tried, *expected in _ROWS]
    return Report(rows, len(verdicts), verdicts.count("refuse"))


def _seen(run_: _Run) -> dict[str, str]:
    try:
        anyio.run(run_.hold)
    except Exception as error:
        said = run_.said()
        raise DemoError(
            f"the {run_.name} session failed: {_innermost(error)}" + (f"; on stderr: {said}" if said else "")
        ) from error
    return run_.seen


def _innermost(error: BaseException) -> str:
    """Return the first real error of a group: task groups wrap what goes wrong in their tasks."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return " ".join(f"{type(error).__name__} {error}".split())


class _Run:
    """The sessions of one run, on notes of its own."""

    def __init__(self, place: Path, profile: Path | None) -> None:
        self.seen: dict[str, str] = {}
        self.name = place.name
        self._home = place / "home"
        self._notes = place / "notes"
        self._stderr = place / "stderr"
        self._key = secrets.token_hex(16)
        self._text = {name: secrets.token_hex(16) for name in _NOTES}
        self._answers: list[str] = []
        self._questions = 0
        place.mkdir(mode=0o700)
        self._home.mkdir(mode=0o700)
        self._notes.mkdir()
        for name, text in self._text.items():
            self._file(name).write_text(text, encoding="utf-8")
        # Safe path: neither the guard nor the server takes a module from the folder that the demo was started in.
        python = [sys.executable, "-P", "-m"]
        guard = [] if profile is None else [*python, "stdioguard", "run", "--profile", str(profile), "--server", "demo", "--"]
        self._command = [*guard, *python, "stdioguard.demo.server", str(self._notes)]
        # What a client's config would say under "env".
        self._environment = {SECRET: self._key, "STDIOGUARD_HOME": str(self._home)}

    async def hold(self) -> None:
        """Hold a session with the SDK's client, and one with raw lines for what no SDK would send."""
        with self._stderr.open("w", encoding="utf-8") as errors:
            with anyio.fail_after(_PATIENCE):
                await self._with_client(errors)
            with anyio.fail_after(_PATIENCE):
                await self._with_raw_lines(errors)

    def said(self) -> str:
        """Return the last line of stderr, the guard's or the server's, or nothing."""
        text = self._stderr.read_text(encoding="utf-8", errors="replace") if self._stderr.exists() else ""
        return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")

    # --- the SDK's client -----------------------------------------------------------------------------------------------------

    async def _with_client(self, errors: TextIO) -> None:
        parameters = StdioServerParameters(command=self._command[0], args=self._command[1:], env=self._environment)
        async with Client(stdio_client(parameters, errlog=errors), elicitation_callback=self._person) as client:
            answer = await self._call(client, "read_note", name="plans")
            self.seen["allowed"] = "answered" if self._text["plans"] in answer else "not answered"
            self.seen["secret"] = "server sends it back" if self._key in answer else "server does not have it"
            listed = "export_all" in {tool.name for tool in (await client.list_tools()).tools}
            answer = await self._call(client, "export_all")
            exported = any(text in answer for text in self._text.values())
            self.seen["hidden"] = f"{'listed' if listed else 'not listed'}, {'hands out notes' if exported else 'refused'}"
            self.seen["declined"] = await self._delete(client, "letters", "decline")
            self.seen["approved"] = await self._delete(client, "recipes", "accept")

    async def _delete(self, client: Client, note: str, person: str) -> str:
        """Call the destructive tool with a person at hand who gives one answer."""
        self._answers, self._questions = [person], 0
        await self._call(client, "delete_note", name=note)
        asked = {0: "nobody asked", 1: "asked"}.get(self._questions, f"asked {self._questions} times")
        return f"{asked}, {self._fate(note)}"

    async def _call(self, client: Client, tool: str, **arguments: str) -> str:
        try:
            result = await client.call_tool(tool, arguments)
        except MCPError as error:
            return str(error)
        return _text(result)

    async def _person(self, context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        self._questions += 1
        if self._answers and self._answers.pop() == "accept":
            return ElicitResult(action="accept", content={"decision": "allow once"})
        return ElicitResult(action="decline")

    # --- raw lines ------------------------------------------------------------------------------------------------------------

    async def _with_raw_lines(self, errors: TextIO) -> None:
        async with self._pipe(errors) as pipe:
            hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "demo", "version": "1"}}
            await pipe.send(_line(id=1, method="initialize", params=hello))
            await pipe.answer(1)
            await pipe.send(_line(method="notifications/initialized"))
            await pipe.send(smuggled("travel"))
            self.seen["smuggled"] = await self._settled("travel", pipe, 3)
            await pipe.send(doubled("family"))
            self.seen["doubled"] = await self._settled("family", pipe, 5)

    async def _settled(self, note: str, pipe: _Pipe, id_: int) -> str:
        """Call something allowed, which shows that the session goes on, and see whether the note is still there."""
        await pipe.send(_line(id=id_, method="tools/call", params={"name": "read_note", "arguments": {"name": "plans"}}))
        if self._text["plans"] not in json.dumps(await pipe.answer(id_)):
            raise DemoError(f"an allowed call was not answered after the deletion of {note!r} was tried")
        with anyio.move_on_after(_SETTLE):
            while self._file(note).exists():
                await anyio.sleep(0.02)
        return self._fate(note)

    @asynccontextmanager
    async def _pipe(self, errors: TextIO) -> AsyncIterator[_Pipe]:
        environment = get_default_environment() | self._environment
        process = await anyio.open_process(self._command, stderr=errors, env=environment, start_new_session=True)
        try:
            yield _Pipe(process)
        finally:
            with anyio.CancelScope(shield=True):
                if process.stdin is not None:
                    await process.stdin.aclose()
                # A session that went well ends when its stdin does.
                with anyio.move_on_after(5):
                    await process.wait()
                if process.returncode is None:
                    process.kill()
                await process.aclose()

    def _fate(self, note: str) -> str:
        return "note kept" if self._file(note).exists() else "deleted"

    def _file(self, note: str) -> Path:
        return self._notes / f"{note}.txt"


class _Pipe:
    """Lines to a process and answers from it."""

    def __init__(self, process: anyio.abc.Process) -> None:
        if process.stdin is None or process.stdout is None:
            raise DemoError("the server has no pipes")
        self._stdin = process.stdin
        self._stdout = BufferedByteReceiveStream(process.stdout)

    async def send(self, line: str) -> None:
        await self._stdin.send(line.encode() + b"\n")

    async def answer(self, id_: int) -> dict[str, Any]:
        """Wait for the answer to request `id_`; what else comes in between is passed over."""
        while True:
            message: dict[str, Any] = json.loads(await self._stdout.receive_until(b"\n", _MAX_ANSWER))
            if message.get("id") == id_ and "method" not in message:
                return message


def smuggled(note: str) -> str:
    """Return a notification that holds the deletion of `note` between two carriage returns.

    To JSON they are white space, so this is one notification. The SDK's server ends a line there, and reads three.
    """
    call = _line(id=2, method="tools/call", params={"name": "delete_note", "arguments": {"name": note}})
    return _line(method="notifications/roots/list_changed", params={"_meta": {"x": None}}).replace("null", f"\r{call}\r")


def doubled(note: str) -> str:
    """Return a call that names two tools. The SDK's server takes the last; a guard may have read the first."""
    call = _line(id=4, method="tools/call", params={"name": "read_note", "arguments": {"name": note}})
    return call.replace('"read_note"', '"read_note","name":"delete_note"')


def _line(**members: Any) -> str:
    return json.dumps({"jsonrpc": "2.0", **members}, separators=(",", ":"))


def _text(result: CallToolResult) -> str:
    return "\n".join(block.text for block in result.content if isinstance(block, TextContent))


def _verdicts(home: Path) -> list[str]:
    """Return the verdict of every decision in the guard's records below `home`."""
    verdicts: list[str] = []
    for file in sorted(home.glob("state/records/*.jsonl")):
        entries = (json.loads(line) for line in file.read_text(encoding="utf-8").splitlines())
        verdicts += [entry["verdict"] for entry in entries if "verdict" in entry]
    return verdicts
