"""A server with `RequireGuard`, or with the recipe, answers whoever shows the secret of its launch, and nobody else."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from mcp import Client, ClientSession, MCPError, StdioServerParameters
from mcp.client._memory import InMemoryTransport
from mcp.client.stdio import stdio_client
from mcp.server.context import ServerRequestContext
from mcp.server.mcpserver import MCPServer

from stdioguard.sdk.client import _presenting, guarded
from stdioguard.sdk.server import NotGuardedError, RequireGuard

from .subjects import HANDSHAKE, MODERN, RECIPE, SUBJECTS, TOKEN, VARIABLE, Peer, Subject, bare_environment, failure, is_refusal

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "aB3-0123456789abcdef0123456789abcdef0123456789abcdef0123456789ab"
WRONG: dict[str, Any] = {
    "empty": "",
    "another": "aB3-ffff456789abcdef0123456789abcdef0123456789abcdef0123456789ab",
    "cut": SECRET[:-1],
    "longer": SECRET + "a",
    "other case": SECRET.lower(),
    "space": " " + SECRET,
    "line": SECRET + "\n",
    "nul": SECRET + "\0",
    "null": None,
    "true": True,
    "number": 1,
    "list": [SECRET],
    "object": {"secret": SECRET},
}
ASKED: list[tuple[str, dict[str, Any]]] = [
    ("ping", {}),
    ("tools/list", {}),
    ("tools/call", {"name": "echo", "arguments": {"text": "hello"}}),
    ("tools/call", {"name": "echo", "arguments": {"wrong": 1}}),
    ("tools/call", {"name": "no-such-tool"}),
    ("resources/list", {}),
    ("resources/read", {"uri": "notes://one"}),
    ("resources/templates/list", {}),
    ("prompts/list", {}),
    ("prompts/get", {"name": "none"}),
    ("completion/complete", {"ref": {"type": "ref/prompt", "name": "none"}, "argument": {"name": "a", "value": "b"}}),
    ("logging/setLevel", {"level": "debug"}),
    ("server/discover", {}),
    ("subscriptions/listen", {"notifications": {"toolsListChanged": True}}),
    ("tasks/list", {}),
    ("example/of-its-own", {"key": "value"}),
]


def cases(*, modern: bool | None = None) -> Any:
    """Every server in every revision that it speaks."""
    return pytest.mark.parametrize(
        ("subject", "revision"),
        [
            pytest.param(subject, revision, id=f"{subject.name}-{revision}")
            for subject in SUBJECTS.values()
            for revision in subject.revisions
            if modern is None or modern == (revision == MODERN)
        ],
    )


every_server = pytest.mark.parametrize("subject", SUBJECTS.values(), ids=SUBJECTS)


# --- who may speak --------------------------------------------------------------------------------------------------------------------


@cases(modern=False)
def test_without_the_secret_nothing_is_answered(subject: Subject, revision: str) -> None:
    with Peer(subject.needed(), SECRET, revision) as peer:
        for method, params in ASKED:
            assert is_refusal(peer.request(method, params)), method
        assert is_refusal(peer.initialize())
        peer.notify("notifications/initialized")
        for method, params in ASKED:
            assert is_refusal(peer.request(method, params)), method
        # The control: the same server, the same pipe.
        assert peer.initialize(token=SECRET)["result"]["protocolVersion"] == revision
        assert peer.text("echo", text="hello") == "hello"


@cases(modern=True)
def test_without_the_secret_no_request_that_stands_for_itself_is_answered(subject: Subject, revision: str) -> None:
    with Peer(subject.needed(), SECRET, revision) as peer:
        for method, params in ASKED:
            assert is_refusal(peer.request(method, params)), method
        assert "result" in peer.request("server/discover", token=SECRET)
        assert peer.text("echo", text="hello", token=SECRET) == "hello"
        # What one request has shown is not shown for the next one.
        for method, params in ASKED:
            assert is_refusal(peer.request(method, params)), method
        assert "result" not in peer.initialize(token=SECRET)
        assert is_refusal(peer.request("tools/list"))


@cases(modern=False)
@pytest.mark.parametrize(
    "shown", [{"token": SECRET}, {"secret": SECRET}, {"token": SECRET, "secret": SECRET}], ids=["meta", "clientInfo", "both"]
)
def test_the_secret_counts_in_either_place(subject: Subject, revision: str, shown: dict[str, Any]) -> None:
    with Peer(subject.needed(), SECRET, revision) as peer:
        assert peer.initialize(**shown)["result"]["protocolVersion"] == revision
        assert "echo" in {tool["name"] for tool in peer.request("tools/list")["result"]["tools"]}
        assert peer.text("echo", text="hello") == "hello"


@every_server
def test_a_wrong_secret_is_refused_and_not_repeated(subject: Subject) -> None:
    with Peer(subject.needed(), SECRET) as peer:
        for name, wrong in WRONG.items():
            shown: list[dict[str, Any]] = [{"token": wrong}, {"secret": wrong}]
            shown += [{"token": wrong, "secret": SECRET}, {"token": SECRET, "secret": wrong}]
            for attempt in shown:
                answer = peer.initialize(**attempt)
                assert is_refusal(answer), (name, attempt)
                assert SECRET[:20] not in json.dumps(answer)
        assert is_refusal(peer.request("tools/list"))
        assert "result" in peer.initialize(token=SECRET, secret=SECRET)
        for wrong in WRONG.values():
            assert is_refusal(peer.request("tools/list", token=wrong))
        assert "result" in peer.request("tools/list")


@cases(modern=True)
def test_a_wrong_secret_is_refused_in_a_request_that_stands_for_itself(subject: Subject, revision: str) -> None:
    with Peer(subject.needed(), SECRET, revision) as peer:
        for name, wrong in WRONG.items():
            for method in ("server/discover", "tools/list"):
                assert is_refusal(peer.request(method, token=wrong)), name
        assert "result" in peer.request("tools/list", token=SECRET)


@every_server
def test_a_second_initialize_shows_the_secret_too(subject: Subject) -> None:
    with Peer(subject.needed(), SECRET) as peer:
        assert "result" in peer.initialize(token=SECRET)
        assert is_refusal(peer.initialize())
        assert is_refusal(peer.initialize(token="wrong"))


def test_a_request_of_the_other_era_is_no_way_around_the_recipe() -> None:
    # The TypeScript SDK 1.x does not know the envelope and serves such a request like any other.
    with Peer(SUBJECTS["node"].needed(), SECRET) as peer:
        assert is_refusal(peer.request("tools/list", envelope=True))
        assert "result" in peer.request("tools/list", envelope=True, token=SECRET)
        assert is_refusal(peer.request("tools/list"))
        assert "result" in peer.initialize(token=SECRET)
        assert "result" in peer.request("tools/list")
        assert is_refusal(peer.request("tools/list", envelope=True))


@pytest.mark.parametrize("revision", [HANDSHAKE[-1], MODERN])
def test_a_notification_of_nobody_is_not_heard(revision: str) -> None:
    with Peer(SUBJECTS["python"], SECRET, revision) as peer:
        token = SECRET if peer.modern else ...
        peer.notify("notifications/example/noticed")
        if not peer.modern:
            peer.initialize(token=SECRET)
        assert peer.text("heard", token=token) == "[]"
        peer.notify("notifications/example/noticed", {"_meta": {"io.stdioguard/token": "wrong"}})
        assert peer.text("heard", token=token) == "[]"
        peer.notify("notifications/example/noticed", {"_meta": {"io.stdioguard/token": SECRET}})
        assert peer.text("heard", token=token) == '["notifications/example/noticed"]'


def test_what_fastmcp_does_within_a_call_needs_no_second_proof() -> None:
    subject = SUBJECTS["fastmcp"].needed()
    for revision in (HANDSHAKE[-1], MODERN):
        with Peer(subject, SECRET, revision) as peer:
            token = SECRET if peer.modern else ...
            if not peer.modern:
                peer.initialize(token=SECRET)
            assert peer.text("nested", token=token) == "nested"
            assert peer.text("inside", token=token) == "from within"
            assert "result" in peer.request("resources/read", {"uri": "notes://one"}, token=token)


def test_what_one_connection_has_shown_counts_for_no_other() -> None:
    app = MCPServer("two", middleware=[RequireGuard(SECRET)])

    async def talk() -> None:
        async with Client(_presenting(InMemoryTransport(app), SECRET), mode="legacy") as proved:
            await proved.list_tools()
            async with InMemoryTransport(app) as (read, write), ClientSession(read, write) as other:
                for request in (other.send_ping, other.list_tools, other.initialize, other.send_ping):
                    with pytest.raises(MCPError, match="not authenticated"):
                        await request()
            await proved.list_tools()

    anyio.run(talk)


def test_a_connection_that_seems_initialized_has_still_to_show_the_secret() -> None:
    # As if a later SDK had the parameters of `initialize` from elsewhere: what has not come past the middleware proves nothing.
    session: Any = SimpleNamespace(client_params=object())

    def message(method: str, params: dict[str, Any]) -> ServerRequestContext[Any, Any]:
        return ServerRequestContext(
            session=session, lifespan_context={}, protocol_version="2025-11-25", method=method, params=params, request_id=1
        )

    async def handled(_request: Any) -> dict[str, Any]:
        return {"handled": True}

    async def talk() -> None:
        guard = RequireGuard(SECRET)
        with pytest.raises(MCPError, match="not authenticated"):
            await guard(message("tools/list", {}), handled)
        assert await guard(message("initialize", {"_meta": {TOKEN: SECRET}}), handled) == {"handled": True}
        assert await guard(message("tools/list", {}), handled) == {"handled": True}

    anyio.run(talk)


# --- who sees the secret ----------------------------------------------------------------------------------------------------------------


@cases()
def test_a_tool_does_not_see_the_secret(subject: Subject, revision: str) -> None:
    with Peer(subject.needed(), SECRET, revision) as peer:
        if not peer.modern:
            peer.initialize(token=SECRET, secret=SECRET)
        seen = peer.text("seen", token=SECRET)
        assert SECRET not in seen
        # The control: what stood beside it is there.
        found = json.loads(seen)
        assert "PATH" in found["environment"]
        assert VARIABLE not in found["environment"]
        assert found["meta"]["example.org/kept"] == "kept"
        if not peer.modern:
            assert "by hand" in json.dumps(found["client"])


@every_server
@pytest.mark.parametrize("secret", [None, ""], ids=["none", "empty"])
def test_a_server_that_was_given_no_secret_ends_with_one_line(subject: Subject, secret: str | None) -> None:
    done = subprocess.run(
        subject.needed().command, env=bare_environment(secret), input=b"", capture_output=True, timeout=30, check=False
    )
    assert (done.returncode, done.stdout) == (1, b"")
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("MCP_SHARED_SECRET is not set")
    assert "server = true" in line


def test_the_secret_leaves_the_environment_when_the_middleware_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, SECRET)
    made = RequireGuard()
    assert VARIABLE not in os.environ
    assert SECRET not in repr(vars(made))
    with pytest.raises(NotGuardedError, match="stdioguard run"):
        RequireGuard()
    monkeypatch.setenv("ANOTHER", SECRET)
    RequireGuard(variable="ANOTHER")
    assert "ANOTHER" not in os.environ


def test_a_server_without_a_secret_can_be_told_from_one_that_failed() -> None:
    # To an importer it is an error like any other; to the interpreter it is the end, without a traceback.
    with pytest.raises(RuntimeError):
        RequireGuard("")
    with pytest.raises(SystemExit):
        RequireGuard(None, variable="NOT_THERE")


# --- with the SDK's client --------------------------------------------------------------------------------------------------------------


def launched(subject: Subject, mode: str, log: Path, *, secret: str | None) -> Client:
    parameters = StdioServerParameters(command=subject.command[0], args=[*subject.command[1:]], env={VARIABLE: SECRET})
    transport = stdio_client(parameters, errlog=log.open("w"))
    return Client(transport if secret is None else _presenting(transport, secret), mode=mode, read_timeout_seconds=20)


@every_server
@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_the_sdks_client_gets_in_with_the_secret_only(subject: Subject, mode: str, tmp_path: Path) -> None:
    subject.needed()
    log = tmp_path / "stderr"

    async def talk(secret: str | None) -> str:
        async with launched(subject, mode, log, secret=secret) as client:
            return (await client.call_tool("echo", {"text": "hello"})).content[0].text  # type: ignore[union-attr]

    for wrong in (None, "wrong"):
        # A client that probes the 2026-07-28 way tries the handshake next, which the SDK's server takes on this pipe no more.
        assert failure(talk, wrong).code in ({-31001, -32022} if mode == "auto" else {-31001})
    assert anyio.run(talk, SECRET) == "hello"


# --- behind the guard ---------------------------------------------------------------------------------------------------------------------


PROFILE = """\
schema = 1
name = "guarded"
description = "A server that answers only the guard."
[handshake]
server = {server}
[tools]
default = "allow"
"""


@asynccontextmanager
async def behind(subject: Subject, place: Path, mode: str, *, server: bool = True) -> Any:
    profile = place / "guarded.toml"
    profile.write_text(PROFILE.format(server=str(server).lower()))
    with (place / "stderr").open("w") as log:
        async with guarded(
            subject.command[0],
            subject.command[1:],
            profile=profile,
            env={"STDIOGUARD_HOME": str(place / "home")},
            errlog=log,
            mode=mode,
            read_timeout_seconds=20,
        ) as client:
            yield client


@every_server
@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_behind_the_guard_it_works_as_ever(subject: Subject, mode: str, tmp_path: Path) -> None:
    subject.needed()

    async def talk() -> None:
        async with behind(subject, tmp_path, mode) as client:
            assert client.protocol_version == (MODERN if mode == "auto" and MODERN in subject.revisions else HANDSHAKE[-1])
            assert "echo" in {tool.name for tool in (await client.list_tools()).tools}
            assert (await client.call_tool("echo", {"text": "hello"})).content[0].text == "hello"
            seen = (await client.call_tool("seen", {})).content[0].text
            assert VARIABLE not in json.loads(seen)["environment"]
            assert "io.stdioguard" not in seen
            assert not re.search(r"[0-9a-f]{64}", seen)  # what the guard makes

    anyio.run(talk)


@every_server
def test_behind_a_guard_that_proves_nothing_it_does_not_run(subject: Subject, tmp_path: Path) -> None:
    subject.needed()

    async def talk() -> None:
        async with behind(subject, tmp_path, "legacy", server=False):
            pytest.fail("the server answered")

    failure(talk)
    assert "MCP_SHARED_SECRET is not set" in (tmp_path / "stderr").read_text()


# --- the documentation ----------------------------------------------------------------------------------------------------------------------


def test_the_recipe_in_the_documentation_is_the_server_that_is_tested() -> None:
    parts = re.findall(r"^// recipe: begin\n(.*?)^// recipe: end\n", RECIPE.read_text(), re.DOTALL | re.MULTILINE)
    assert len(parts) == 2
    page = (RECIPE.parents[3] / "docs" / "sdk.md").read_text()
    blocks = re.findall(r"^```js\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    assert "\n".join(parts) in blocks


def test_importing_the_package_imports_no_sdk() -> None:
    code = "import sys, stdioguard.sdk; print(sorted({name.partition('.')[0] for name in sys.modules} & {'mcp', 'pydantic', 'anyio'}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == "[]\n"
    done = subprocess.run(
        [sys.executable, "-c", code.replace("stdioguard.sdk;", "stdioguard.sdk.server;")],
        capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    assert "mcp" in done.stdout
