"""Every harmless tool of every real server gives the same answer through the guard as without it."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, replace
from typing import Any

import anyio
import pytest

from .calls import CALLS, Call, Stage, World
from .servers import PROFILES, SERVERS, Server
from .sessions import MODES, Json, Mode, Person, open_session
from .settle import settle

LONGEST = 60.0  # seconds for one whole session


def combinations() -> list[Any]:
    """Every server in every mode that it speaks."""
    made = []
    for server in SERVERS.values():
        for mode in MODES.values():
            if mode.modern and not server.dual:
                continue
            if server.name == "fetch-public-only" and mode.name != "auto":
                continue  # the same server as `fetch`: only its own refusal is new
            made.append(pytest.param(server, mode, id=f"{server.name}-{mode.name}"))
    return made


def actions(server: Server) -> dict[str, str]:
    """What the shipped profile says about each tool; a table of exact names."""
    profile = tomllib.loads((PROFILES / f"{server.profile}.toml").read_text())
    return {tool: rule["action"] for tool, rule in profile["tools"]["rules"].items()}


@dataclass
class Transcript:
    """One session, as far as it can be compared."""

    hello: Json = field(default_factory=dict)
    tools: list[Json] = field(default_factory=list)
    answers: list[tuple[str, Json]] = field(default_factory=list)
    prompts: list[str] = field(default_factory=list)


def talk(server: Server, mode: Mode, calls: list[Call], stage: Stage, *, guarded: bool) -> Transcript:
    """Open a session, list the tools, make the calls, close it."""
    person = Person(roots=[str(stage.place.files)])
    world = World(stage, person)
    launch = stage.start(server, guarded=guarded)
    transcript = Transcript(prompts=person.prompts)

    async def session() -> None:
        with anyio.fail_after(LONGEST):
            async with open_session(launch, mode, person) as opened:
                transcript.hello = await opened.hello()
                transcript.tools = await opened.list_tools()
                for call in calls:
                    answer = await opened.call(call.tool, call.filled(world))
                    transcript.answers.append((call.tool, settle(answer)))

    anyio.run(session)
    return transcript


def compare(server: Server, mode: Mode, stage: Stage) -> None:
    """Assert that a guarded session equals a bare one."""
    rules = actions(server)
    offered = [call for call in CALLS[server.name] if call.needs <= mode.features]
    # Node's own fetch knows a proxy from version 22.21 on only, and in the sandbox there is no other way out.
    if server.npm:
        offered = [call for call in offered if "{web}" not in str(call.arguments)]
    # Without a way to ask, a call that needs consent can't run: the test below looks at those.
    calls = offered if mode.can_ask else [call for call in offered if rules[call.tool] == "allow"]
    bare = talk(server, mode, calls, stage, guarded=False)
    guarded = talk(server, mode, calls, stage, guarded=True)

    assert {tool["name"] for tool in bare.tools} == {call.tool for call in offered}, "the table is not complete"
    assert guarded.tools == bare.tools
    for (tool, through), (_, direct) in zip(guarded.answers, bare.answers, strict=True):
        assert through == direct, tool
    for key in ("protocolVersion", "serverInfo", "instructions"):
        assert guarded.hello.get(key) == bare.hello.get(key), key
    assert bare.prompts == []
    asked = [call.tool for call in calls if rules[call.tool] == "confirm"]
    assert len(guarded.prompts) == len(asked), guarded.prompts
    for tool, prompt in zip(asked, guarded.prompts, strict=True):
        assert tool in prompt


@pytest.mark.parametrize(("server", "mode"), combinations())
def test_every_tool_answers_the_same_through_the_guard(server: Server, mode: Mode, stage: Stage) -> None:
    compare(server, mode, stage)


@pytest.mark.parametrize("server", SERVERS.values(), ids=SERVERS)
def test_a_shipped_profile_names_exactly_the_tools_of_the_real_server(server: Server) -> None:
    # That the table has exactly the tools that the server lists, `compare` asserts.
    called = {call.tool for call in CALLS[server.name]}
    # Offered to clients that run tasks themselves, which the SDK's client does not.
    for_task_clients = {"trigger-sampling-request-async", "trigger-elicitation-request-async"}
    assert set(actions(server)) - for_task_clients == called


def test_the_environment_of_a_client_stays_out_of_a_server(stage: Stage) -> None:
    planted = {"PLANTED_API_KEY": "planted-a1b2c3", "NODE_OPTIONS": "--title=planted-d4e5f6"}
    server = replace(SERVERS["everything"], environment=lambda _: planted)
    calls = [call for call in CALLS["everything"] if call.tool == "get-env"]
    assert len(calls) == 1
    bare = talk(server, MODES["legacy"], calls, stage, guarded=False)
    guarded = talk(server, MODES["legacy"], calls, stage, guarded=True)
    for present in ("planted-a1b2c3", "planted-d4e5f6"):
        assert present in str(bare.answers)
    assert "PATH" in str(guarded.answers)
    for absent in ("planted-", "PLANTED", "NODE_OPTIONS", "STDIOGUARD"):
        assert absent not in str(guarded.answers)
