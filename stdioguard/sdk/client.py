"""Start a server behind the guard from Python, prove who is calling, and answer the guard's questions.

    from stdioguard.sdk.client import Question, guarded

    async def approve(question: Question) -> bool:
        return question.tool == "write_file" and await ask_somebody(question.message)

    async with guarded("npx", ["-y", "some-server"], profile="some", token=token, approve=approve) as client:
        await client.call_tool("write_file", {"path": "a.txt", "content": "b"})

A token travels in the messages themselves, over the pipe: it is in no file, no environment and no command line that was not there before.
"""

from __future__ import annotations

import inspect
import logging
import os
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import anyio.to_thread
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.types import ElicitRequestFormParams, ElicitResult, JSONRPCRequest

from stdioguard.guard.gates.consent import ALLOW_ONCE, SCHEMA, TITLE
from stdioguard.guard.gates.identity import TOKEN_KEY
from stdioguard.wire import eras

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType
    from typing import Self, TextIO

    from mcp.client import ClientRequestContext
    from mcp.client._transport import Transport, TransportStreams, WriteStream
    from mcp.client.session import ElicitationFnT
    from mcp.shared.message import SessionMessage
    from mcp.types import ElicitRequestParams

_LOG = logging.getLogger(__name__)

_VOICE = "stdioguard:"
_ARGUMENTS = "arguments (chosen by the model):"
_NO_ARGUMENTS = "arguments: none"
_PLACES = ("STDIOGUARD_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")
"""What decides where the guard's own folders are. The SDK passes none of it on, and the guard would not find what this user set up."""


@dataclass(frozen=True)
class Question:
    """The guard's question about one call. Every text is as the guard shows it to a person: escaped, and cut where it is long."""

    server: str
    """The server's name, from the profile or `server=`; not what the server calls itself."""
    tool: str
    """The tool; ` (as a task)` follows the name of one that is called as a task."""
    risk: str
    """The risk that the profile gives the tool."""
    arguments: str
    """One line for each argument, or nothing."""
    message: str
    """The whole question, to put in front of a person."""


def guarded(
    command: str,
    args: Sequence[str] = (),
    *,
    profile: str | Path | None = None,
    server: str | None = None,
    token: str | Callable[[], str] | None = None,
    token_file: str | Path | None = None,
    approve: Callable[[Question], bool | Awaitable[bool]] | None = None,
    elicitation_callback: ElicitationFnT | None = None,
    env: Mapping[str, str] | None = None,
    cwd: str | Path | None = None,
    errlog: TextIO | None = None,
    mode: str = "auto",
    **client_options: Any,
) -> Client:
    """Return a client, to be entered with `async with`, of the server that `command` starts behind `stdioguard run`.

    `profile` is a profile's name or file, `server` the server's name in records and questions. `token` is a client's secret or token, or
    a function that returns the one of now, so that a session can outlive a token; `token_file` is a 0600 file that the guard reads, also
    again when it changes. Not both.

    `approve` is asked about each call that a person has to approve: `True` allows it, and everything else, an exception too, is a no. It
    may be a coroutine function; a plain function runs in a worker thread and may block. Questions of the server's own go to
    `elicitation_callback`, and are declined without one. Without either, the client says that it cannot ask.

    `env` is added to the environment of the guard; the server gets of it what its profile names. `errlog` takes the guard's and the
    server's stderr. `mode` and `client_options` are those of `mcp.Client`. Entering raises `mcp.MCPError`: with the code -31001 where the
    guard does not accept the token, and for a closed connection where it refuses the launch; its line on stderr says why.
    """
    if token is not None and token_file is not None:
        raise ValueError("token and token_file are two ways to give the same thing; use one")
    if token == "":
        raise ValueError("token is empty")
    options = {"--profile": profile, "--server": server, "--token-file": token_file}
    # Safe path: the guard takes no module from the folder that it is started in.
    words = ["-P", "-m", "stdioguard", "run"]
    words += [word for name, value in options.items() if value is not None for word in (name, str(value))]
    environment = {name: os.environ[name] for name in _PLACES if name in os.environ} | dict(env or {})
    parameters = StdioServerParameters(
        command=sys.executable, args=[*words, "--", command, *args], env=environment, cwd=None if cwd is None else str(cwd)
    )
    transport: Transport = stdio_client(parameters) if errlog is None else stdio_client(parameters, errlog=errlog)
    if token is not None:
        transport = _presenting(transport, token)
    answers = None
    if approve is not None or elicitation_callback is not None:
        answers = _Answers(approve, elicitation_callback)
    return Client(transport, mode=mode, elicitation_callback=answers, **client_options)


# --- questions ------------------------------------------------------------------------------------------------------------------------


class _Answers:
    """The client's elicitation callback: the guard's questions to `approve`, the server's to the other."""

    def __init__(self, approve: Callable[[Question], bool | Awaitable[bool]] | None, others: ElicitationFnT | None) -> None:
        self._approve = approve
        self._others = others

    async def __call__(self, context: ClientRequestContext, params: ElicitRequestParams) -> Any:
        # The guard lets no question of a server's pass that has its name in it, however spelled (`elicitation.imitation`), so whose
        # question it is can be told by how it begins. What begins so and is not understood is a no, not a question of the server's.
        if not params.message.startswith(_VOICE):
            return ElicitResult(action="decline") if self._others is None else await self._others(context, params)
        question = parse(params)
        if question is not None and self._approve is not None and await _is_yes(self._approve, question):
            return ElicitResult(action="accept", content={"decision": ALLOW_ONCE})
        return ElicitResult(action="decline")


async def _is_yes(approve: Callable[[Question], bool | Awaitable[bool]], question: Question) -> bool:
    try:
        if inspect.iscoroutinefunction(approve) or inspect.iscoroutinefunction(getattr(approve, "__call__", None)):  # noqa: B004
            answer = approve(question)
        else:
            answer = await anyio.to_thread.run_sync(approve, question, abandon_on_cancel=True)
        if inspect.isawaitable(answer):
            answer = await answer
    except Exception:  # noqa: BLE001 - whatever goes wrong in it, nobody said yes
        _LOG.exception("approve failed, which is a no to %s of %s", question.tool, question.server)
        return False
    return answer is True


def parse(params: ElicitRequestParams) -> Question | None:
    """Return the guard's question that an elicitation is, or `None` where it is none or has not exactly the guard's form."""
    if not isinstance(params, ElicitRequestFormParams) or params.requested_schema != SCHEMA:
        return None
    first, *lines = params.message.split("\n")
    if first != TITLE or len(lines) < 4:
        return None
    named = dict(zip(("server", "tool", "risk"), lines, strict=False))
    if not all(line.startswith(f"{name}: ") for name, line in named.items()):
        return None
    header, arguments = lines[3], lines[4:]
    if header != (_ARGUMENTS if arguments else _NO_ARGUMENTS) or not all(line.startswith("  ") for line in arguments):
        return None
    values = {name: line.removeprefix(f"{name}: ") for name, line in named.items()}
    return Question(**values, arguments="\n".join(line[2:] for line in arguments), message=params.message)


# --- the token ------------------------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def _presenting(transport: Transport, token: str | Callable[[], str]) -> AsyncIterator[TransportStreams]:
    async with transport as (read, write):
        yield read, _Presenting(write, token)


class _Presenting:
    """A write stream that puts the token into the requests that prove the client.

    These are `initialize` and every 2026-07-28 request; in a handshake session, also the first request after the token has changed.
    """

    def __init__(self, stream: WriteStream[SessionMessage], token: str | Callable[[], str]) -> None:
        self._stream = stream
        self._token = token
        self._shown = ""

    async def send(self, item: SessionMessage, /) -> None:
        await self._stream.send(self._with_token(item))

    def _with_token(self, item: SessionMessage) -> SessionMessage:
        message = item.message
        if not isinstance(message, JSONRPCRequest):
            return item
        params = message.params or {}
        token = self._token if isinstance(self._token, str) else self._token()
        if message.method != "initialize" and eras.revision_in(params) is None and token == self._shown:
            return item
        self._shown = token
        stamped = {**params, "_meta": {**(params.get("_meta") or {}), TOKEN_KEY: token}}
        return replace(item, message=message.model_copy(update={"params": stamped}))

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def __aenter__(self) -> Self:
        await self._stream.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        return await self._stream.__aexit__(kind, error, traceback)
