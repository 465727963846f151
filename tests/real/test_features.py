"""Resources, prompts and the other features of server-everything: granted they work, not granted they do not.

Each feature is one conversation. It is held three times: without the guard (the control), with the shipped
profile, which grants everything, and with the same rules for tools and no other feature.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
import mcp_types as types
import pytest
from mcp import Client, MCPError

from .servers import PROFILES, SERVERS
from .sessions import (
    ELICITATION,
    EVERY_FEATURE,
    LINKS,
    ROOTS,
    SAMPLING,
    Json,
    Person,
    RawSession,
    plain,
    raw_session,
    sdk_client,
)
from .settle import settle

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from .calls import Stage

# Roots, logging and subscriptions are dropped by the next revision; servers and clients of today have them.
pytestmark = pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")

EVERYTHING = SERVERS["everything"]
NOT_GRANTED = -31002
A_MOMENT = 0.6  # seconds in which nothing may arrive; what is granted arrives within milliseconds
LONGEST = 30.0


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    """The shipped profile without any feature beyond tools."""
    shipped = (PROFILES / "everything.toml").read_text()
    head, capabilities, rest = re.split(r"^(\[capabilities\]$.*?)(?=^\[tools\]$)", shipped, flags=re.MULTILINE | re.DOTALL)
    path = tmp_path / "closed.toml"
    path.write_text(f'{head}{capabilities.replace("= true", "= false")}{rest}\n[consent]\nhigh = ["client"]\n')
    return path


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that is on its way."""
    with anyio.fail_after(10):
        while not condition():
            await anyio.sleep(0.01)


def said(person: Person, method: str) -> list[Json]:
    """The notifications of one method, in order."""
    return [note for note in person.notes if note["method"] == method]


@dataclass(frozen=True)
class Feature:
    """One conversation, and what becomes of it when the feature is not granted."""

    talk: Callable[[Client, Person], Awaitable[Any]]
    tool: str = ""
    """For what the server asks of the client: the tool that makes it ask."""
    declares: frozenset[str] = frozenset({ELICITATION})
    """What the client says that it can do; the server lives on until all that it asks for is answered."""


async def list_resources(client: Client, _: Person) -> Any:
    return plain(await client.list_resources())


async def list_templates(client: Client, _: Person) -> Any:
    return plain(await client.list_resource_templates())


async def read_document(client: Client, _: Person) -> Any:
    return plain(await client.read_resource("demo://resource/static/document/features.md"))


async def read_from_template(client: Client, _: Person) -> Any:
    return plain(await client.read_resource("demo://resource/dynamic/blob/7"))


async def read_made_by_a_tool(client: Client, _: Person) -> Any:
    arguments = {"name": "made.gz", "data": "data:text/plain,made"}
    link = await client.call_tool("gzip-file-as-resource", arguments)
    return plain(await client.read_resource(link.content[0].uri))


async def subscribe(client: Client, person: Person) -> Any:
    uri = "demo://resource/dynamic/text/1"
    updated = "notifications/resources/updated"
    await client.subscribe_resource(uri)
    await client.call_tool("toggle-subscriber-updates")
    await until(lambda: bool(said(person, updated)))
    await client.unsubscribe_resource(uri)
    await client.call_tool("toggle-subscriber-updates")  # its timer would keep the server alive
    return said(person, updated)[0]


async def list_prompts(client: Client, _: Person) -> Any:
    return plain(await client.list_prompts())


async def get_prompts(client: Client, _: Person) -> Any:
    return [
        plain(await client.get_prompt("simple-prompt")),
        plain(await client.get_prompt("args-prompt", {"city": "Gdańsk", "state": "Pomorze"})),
        plain(await client.get_prompt("resource-prompt", {"resourceType": "Text", "resourceId": "2"})),
    ]


async def complete_prompt(client: Client, _: Person) -> Any:
    reference = types.PromptReference(type="ref/prompt", name="completable-prompt")
    return [
        plain(await client.complete(reference, {"name": "department", "value": "S"})),
        plain(await client.complete(reference, {"name": "name", "value": ""}, {"department": "Sales"})),
    ]


async def complete_template(client: Client, _: Person) -> Any:
    reference = types.ResourceTemplateReference(type="ref/resource", uri="demo://resource/dynamic/text/{resourceId}")
    return plain(await client.complete(reference, {"name": "resourceId", "value": "12"}))


async def set_level(client: Client, person: Person) -> Any:
    await client.set_logging_level("debug")
    await client.call_tool("toggle-simulated-logging")
    await until(lambda: bool(said(person, "notifications/message")))
    await client.call_tool("toggle-simulated-logging")  # its timer would keep the server alive
    # The level is drawn by lot, and the text follows it: compare the shape.
    return sorted(said(person, "notifications/message")[0]["params"])


async def sample(client: Client, person: Person) -> Any:
    answer = await client.call_tool("trigger-sampling-request", {"prompt": "Capital?", "maxTokens": 7})
    return [plain(answer), person.samples]


async def elicit(client: Client, person: Person) -> Any:
    return [plain(await client.call_tool("trigger-elicitation-request")), person.forms]


async def elicit_link(client: Client, person: Person) -> Any:
    arguments = {"url": "https://example.org/sign-in", "elicitationId": "one", "message": "Sign in"}
    return [plain(await client.call_tool("trigger-url-elicitation", arguments)), person.links]


async def list_roots(client: Client, person: Person) -> Any:
    first = plain(await client.call_tool("get-roots-list"))
    if first["isError"]:
        return [first]
    person.roots.append(f"{person.roots[0]}/docs")
    await client.send_roots_list_changed()
    seen = person.roots_asked
    await until(lambda: person.roots_asked > seen)
    await anyio.sleep(0.1)  # the server stores the answer after it has been sent
    return [first, plain(await client.call_tool("get-roots-list"))]


FEATURES = {
    "resources": Feature(list_resources),
    "resource templates": Feature(list_templates),
    "reading a document": Feature(read_document),
    "reading from a template": Feature(read_from_template),
    "reading what a tool made": Feature(read_made_by_a_tool),
    "subscribing": Feature(subscribe),
    "prompts": Feature(list_prompts),
    "getting prompts": Feature(get_prompts),
    "completing a prompt": Feature(complete_prompt),
    "completing a template": Feature(complete_template),
    "logging": Feature(set_level),
    "sampling": Feature(sample, "trigger-sampling-request", frozenset({ELICITATION, SAMPLING})),
    "elicitation": Feature(elicit, "trigger-elicitation-request"),
    "elicitation of a link": Feature(elicit_link, "trigger-url-elicitation", frozenset({ELICITATION, LINKS})),
    "roots": Feature(list_roots, "get-roots-list", frozenset({ROOTS})),
}


def hold(feature: Feature, stage: Stage, *, guarded: bool, profile: Path | None = None) -> tuple[Any, Person]:
    """The conversation's outcome: a value, or `{"error": ...}`."""
    features = EVERY_FEATURE if profile else feature.declares
    launch = stage.start(EVERYTHING, guarded=guarded, profile=profile)
    person = Person(roots=[str(stage.place.files)])

    async def session() -> Any:
        with anyio.fail_after(LONGEST):
            async with sdk_client(launch, "legacy", person, features) as client:
                try:
                    return settle(await feature.talk(client, person))
                except MCPError as error:
                    return {"error": plain(error.error)}

    return anyio.run(session), person


@pytest.mark.parametrize("name", FEATURES)
def test_a_granted_feature_works_as_without_the_guard(name: str, stage: Stage) -> None:
    bare, _ = hold(FEATURES[name], stage, guarded=False)
    assert "error" not in bare, bare
    guarded, _ = hold(FEATURES[name], stage, guarded=True)
    assert json.loads(json.dumps(guarded).replace("The server everything asks: ", "")) == json.loads(json.dumps(bare))
    assert ("The server everything asks: " in json.dumps(guarded)) == (name == "elicitation"), "a question says whose it is"


@pytest.mark.parametrize("name", FEATURES)
def test_a_feature_that_is_not_granted_is_refused(name: str, stage: Stage, closed: Path) -> None:
    feature = FEATURES[name]
    outcome, person = hold(feature, stage, guarded=True, profile=closed)
    if feature.tool:
        # The client's ability is not shown to the server, so the tool that needs it does not exist.
        assert f"{feature.tool} not found" in outcome[0]["content"][0]["text"], outcome
    else:
        assert outcome["error"]["code"] == NOT_GRANTED, outcome
        assert outcome["error"]["data"]["code"], outcome
        assert outcome["error"]["data"]["rule"], outcome
    assert (person.samples, person.forms, person.links, person.roots_asked) == ([], [], [], 0)


def test_only_granted_features_are_announced(stage: Stage, closed: Path) -> None:

    def announced(*, guarded: bool, profile: Path | None = None) -> tuple[Json, set[str], set[str]]:
        """Capabilities, tools, and the methods of all that the server sends by itself."""
        launch = stage.start(EVERYTHING, guarded=guarded, profile=profile)

        async def session() -> tuple[Json, set[str], set[str]]:
            with anyio.fail_after(LONGEST):
                async with raw_session(launch, "2025-11-25", Person(), EVERY_FEATURE) as raw:
                    tools = {tool["name"] for tool in await raw.list_tools()}
                    await anyio.sleep(A_MOMENT)  # its first roots/list comes on a timer
                    sent = {frame["method"] for frame in raw.frames if "method" in frame}
                    return raw.welcome["capabilities"], tools, sent

        return anyio.run(session)

    bare, bare_tools, bare_sent = announced(guarded=False)
    granted, granted_tools, granted_sent = announced(guarded=True)
    assert (granted, granted_tools, granted_sent) == (bare, bare_tools, bare_sent)
    assert {"resources", "prompts", "completions", "logging", "tasks", "tools"} <= set(bare)
    assert bare_sent == {"roots/list", "notifications/message", "notifications/tools/list_changed"}

    refused, refused_tools, refused_sent = announced(guarded=True, profile=closed)
    assert set(refused) == {"tools"}
    assert refused_sent == {"notifications/tools/list_changed"}
    assert bare_tools - refused_tools == {
        "get-roots-list",
        "trigger-elicitation-request",
        "trigger-sampling-request",
        "trigger-url-elicitation",
    }


def test_log_messages_reach_the_client_only_when_granted(stage: Stage, closed: Path) -> None:

    def messages(*, guarded: bool, profile: Path | None = None) -> int:
        person = Person()
        launch = stage.start(EVERYTHING, guarded=guarded, profile=profile)

        async def session() -> None:
            with anyio.fail_after(LONGEST):
                async with sdk_client(launch, "legacy", person, frozenset()) as client:
                    await client.call_tool("toggle-simulated-logging")
                    await anyio.sleep(A_MOMENT)
                    await client.call_tool("toggle-simulated-logging")

        anyio.run(session)
        return len(said(person, "notifications/message"))

    assert messages(guarded=False) == 1
    assert messages(guarded=True) == 1
    assert messages(guarded=True, profile=closed) == 0


@pytest.mark.parametrize("profile", ["shipped", "closed"])
def test_progress_is_part_of_a_call(profile: str, stage: Stage, closed: Path) -> None:

    def steps(*, guarded: bool) -> list[tuple[float, float | None]]:
        seen: list[tuple[float, float | None]] = []
        launch = stage.start(EVERYTHING, guarded=guarded, profile=closed if profile == "closed" else None)

        async def progress(done: float, total: float | None, _message: str | None) -> None:
            seen.append((done, total))

        async def session() -> None:
            with anyio.fail_after(LONGEST):
                async with sdk_client(launch, "legacy", Person(), frozenset()) as client:
                    arguments = {"duration": 0.3, "steps": 3}
                    await client.call_tool("trigger-long-running-operation", arguments, progress_callback=progress)
                    # The last step and the answer leave the server together.
                    await until(lambda: len(seen) == 3)

        anyio.run(session)
        return seen

    assert steps(guarded=False) == [(1, 3), (2, 3), (3, 3)]
    assert steps(guarded=True) == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("revision", ["2024-11-05", "2025-06-18", "2025-11-25"])
def test_a_cancelled_call_is_not_answered(revision: str, stage: Stage) -> None:

    def answered(*, guarded: bool) -> tuple[bool, bool, Json]:
        launch = stage.start(EVERYTHING, guarded=guarded)

        async def session() -> tuple[bool, bool, Json]:
            with anyio.fail_after(LONGEST):
                async with raw_session(launch, revision, Person(), frozenset()) as raw:
                    arguments = {"duration": 0.4, "steps": 1}
                    call = {"name": "trigger-long-running-operation", "arguments": arguments}
                    kept = await raw.begin("tools/call", call)
                    dropped = await raw.begin("tools/call", call)
                    reason = {"requestId": dropped, "reason": "changed my mind"}
                    await raw.notify("notifications/cancelled", reason)
                    await raw.answer(kept)
                    await anyio.sleep(A_MOMENT)
                    echo = await raw.call("echo", {"message": "still here"})
                    return raw.answered(kept), raw.answered(dropped), echo

        return anyio.run(session)

    bare = answered(guarded=False)
    assert bare[:2] == (True, False)
    assert answered(guarded=True) == bare


def test_the_default_profile_asks_about_every_tool_and_grants_nothing_else(stage: Stage) -> None:
    launch = stage.start(SERVERS["everything"], guarded=True, profile="default")
    person = Person(roots=[str(stage.place.outside)])
    message = {"message": "hello there"}

    async def session() -> None:
        with anyio.fail_after(LONGEST):
            async with sdk_client(launch, "legacy", person) as client:
                assert set(plain(client.server_capabilities)) == {"tools"}
                assert len((await client.list_tools()).tools) > 10
                assert "hello there" in str(await client.call_tool("echo", message))
                person.decision = "deny"
                assert "hello there" not in str(await client.call_tool("echo", message))
                assert len(person.prompts) == 2
                assert person.roots_asked == 0
                with pytest.raises(MCPError) as refused:
                    await client.list_resources()
                assert refused.value.error.code == NOT_GRANTED

    anyio.run(session)


def test_the_memory_graph_can_be_watched_as_a_resource(stage: Stage) -> None:
    def watch(*, guarded: bool) -> list[Json]:
        launch = stage.start(SERVERS["memory"], guarded=guarded)
        person = Person()
        uri = "memory://knowledge-graph"
        updated = "notifications/resources/updated"

        async def session() -> list[Json]:
            with anyio.fail_after(LONGEST):
                async with sdk_client(launch, "legacy", person) as client:
                    listed = plain(await client.list_resources())
                    await client.subscribe_resource(uri)
                    await client.call_tool("delete_entities", {"entityNames": ["Engine"]})
                    await until(lambda: bool(said(person, updated)))
                    return [listed, plain(await client.read_resource(uri)), *said(person, updated)]

        return anyio.run(session)

    bare = watch(guarded=False)
    assert "Engine" not in str(bare[1])
    assert watch(guarded=True) == bare


async def run_task(raw: RawSession) -> list[Json]:
    """Start a task, look at it, cancel it, list it."""
    started = await raw.request(
        "tools/call",
        {"name": "simulate-research-query", "arguments": {"topic": "tides"}, "task": {"ttl": 60_000}},
    )
    if "error" in started:
        return [started]
    name = {"taskId": started["task"]["taskId"]}
    return [
        started,
        await raw.request("tasks/get", name),
        await raw.request("tasks/cancel", name),
        await raw.request("tasks/list", {}),
    ]


def test_tasks_work_when_granted_and_are_refused_when_not(stage: Stage, closed: Path) -> None:

    def task(*, guarded: bool, profile: Path | None = None) -> Any:
        launch = stage.start(EVERYTHING, guarded=guarded, profile=profile)

        async def session() -> list[Json]:
            with anyio.fail_after(LONGEST):
                async with raw_session(launch, "2025-11-25", Person(), frozenset()) as raw:
                    return await run_task(raw)

        return settle(anyio.run(session))

    bare = task(guarded=False)
    assert [answer.get("status") for answer in bare[1:3]] == ["working", "cancelled"]
    assert task(guarded=True) == bare
    [refused] = task(guarded=True, profile=closed)
    assert refused.get("isError") or refused["error"]["code"] == NOT_GRANTED, refused
