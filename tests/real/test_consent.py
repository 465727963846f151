"""A call that waits for a person runs when the person says so, and in no other case."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import anyio
import pytest

from .calls import CALLS, Call, Stage, World
from .servers import SERVERS, Server
from .sessions import MODES, Json, Mode, Person, open_session

REFUSAL = "io.stdioguard/refusal"
LONGEST = 60.0


def combinations() -> list[Any]:
    """Every server with a call that leaves a trace, in both ways of asking."""
    names = ["legacy", "modern", "raw-2025-06-18"]
    return [
        pytest.param(server, MODES[name], id=f"{server.name}-{name}")
        for server in SERVERS.values()
        for name in names
        if any(call.trace for call in CALLS[server.name]) and (server.dual or name != "modern")
    ]


@dataclass(frozen=True)
class Session:
    """One session to hold: which server, how, and who sits at the client."""

    server: Server
    mode: Mode
    stage: Stage
    person: Person = field(default_factory=Person)


def play(held: Session, calls: list[Call], *, guarded: bool, decisions: list[str] | None = None) -> list[tuple[str, bool, Json]]:
    """Make the calls; for each its tool, whether it left its trace, and its answer."""
    person = held.person
    world = World(held.stage, person)
    launch = held.stage.start(held.server, guarded=guarded)
    seen: list[tuple[str, bool, Json]] = []

    async def session() -> None:
        with anyio.fail_after(LONGEST):
            async with open_session(launch, held.mode, person) as opened:
                for number, call in enumerate(calls):
                    assert call.trace is not None
                    world.said = {}
                    before = call.trace(world)
                    if decisions:
                        person.decision = decisions[number]
                    world.said = await opened.call(call.tool, call.filled(world))
                    seen.append((call.tool, call.trace(world) != before, world.said))

    anyio.run(session)
    return seen


def assert_refused(answer: Json) -> None:
    """A refused call is a result that a model can read, marked by the guard."""
    assert answer.get("isError") is True, answer
    refusal = answer["_meta"][REFUSAL]
    assert refusal["code"], answer
    assert refusal["rule"], answer
    assert answer["content"][0]["text"], answer


@pytest.mark.parametrize(("server", "mode"), combinations())
def test_a_declined_call_does_not_run(server: Server, mode: Mode, stage: Stage) -> None:
    calls = [call for call in CALLS[server.name] if call.trace and call.needs <= mode.features]
    bare = play(Session(server, mode, stage), calls, guarded=False)
    assert [tool for tool, ran, _ in bare if not ran] == [], "the traces show nothing, so they prove nothing"

    person = Person(decision="decline")
    guarded = play(Session(server, mode, stage, person), calls, guarded=True)
    assert [tool for tool, ran, _ in guarded if ran] == []
    for _, _, answer in guarded:
        assert_refused(answer)
    assert len(person.prompts) == len(calls)


WRITE = [call for call in CALLS["filesystem"] if call.tool == "write_file"][-1]
BRANCH = next(call for call in CALLS["git"] if call.tool == "git_create_branch")
BOTH_ERAS = [
    pytest.param(SERVERS["filesystem"], MODES["legacy"], WRITE, id="handshake"),
    pytest.param(SERVERS["git"], MODES["modern"], BRANCH, id="2026-07-28"),
]


@pytest.mark.parametrize(("server", "mode", "call"), BOTH_ERAS)
def test_nothing_but_the_exact_answer_is_a_yes(server: Server, mode: Mode, call: Call, stage: Stage) -> None:
    decisions = ["deny", "decline", "cancel", "allow", "ALLOW ONCE", "allow once "]
    person = Person()
    held = Session(server, mode, stage, person)
    seen = play(held, [call] * len(decisions), guarded=True, decisions=decisions)
    assert [ran for _, ran, _ in seen] == [False] * len(decisions)
    for _, _, answer in seen:
        assert_refused(answer)
    assert len(person.prompts) == len(decisions)


@pytest.mark.parametrize(("server", "mode", "call"), BOTH_ERAS)
def test_a_yes_is_for_one_call(server: Server, mode: Mode, call: Call, stage: Stage) -> None:
    person = Person()
    again = replace(call, arguments={**call.arguments, **SECOND[call.tool]})
    decisions = ["allow once", "decline", "allow once"]
    held = Session(server, mode, stage, person)
    seen = play(held, [call, again, again], guarded=True, decisions=decisions)
    assert [ran for _, ran, _ in seen] == [True, False, True]
    assert len(person.prompts) == 3


SECOND = {"write_file": {"content": "another\n"}, "git_create_branch": {"branch_name": "other"}}


@pytest.mark.parametrize(("server", "mode", "call"), BOTH_ERAS)
def test_a_client_that_cannot_ask_gets_a_refusal(server: Server, mode: Mode, call: Call, stage: Stage) -> None:
    mute = replace(mode, features=frozenset())
    [(_, ran, answer)] = play(Session(server, mute, stage), [call], guarded=True)
    assert not ran
    if mode.modern:
        assert answer["error"]["code"] == -32021, answer
        assert "elicitation" in answer["error"]["data"]["requiredCapabilities"], answer
    else:
        assert_refused(answer)


@pytest.mark.parametrize("name", ["raw-2024-11-05", "raw-2025-03-26"])
def test_a_revision_without_elicitation_gets_a_refusal(name: str, stage: Stage) -> None:
    held = Session(SERVERS["filesystem"], MODES[name], stage)
    [(_, ran, _)] = play(held, [WRITE], guarded=False)
    assert ran
    [(_, ran, answer)] = play(held, [WRITE], guarded=True)
    assert not ran
    assert_refused(answer)
