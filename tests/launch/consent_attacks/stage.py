"""What an attack is played on: real sessions of `stdioguard run`, in one era, and the people around them."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stdioguard.approval import presence, queue
from tests.launch.guarded import INITIALIZE, READY, Guarded

Json = dict[str, Any]
HANDSHAKE, MODERN = ERAS = ("2025-11-25", "2026-07-28")
SERVER = str(Path(__file__).parents[2] / "servers" / "hostile.py")
PROFILE = """schema = 1
name = "hostile"
description = "d"
[capabilities]
elicitation = true
{rest}[tools]
default = "confirm"
[tools.rules]
die = {{ action = "allow" }}
flip = {{ action = "allow" }}
look = {{ action = "allow" }}
write = {{ action = "allow" }}
ask = {{ action = "allow" }}
echo = {{ action = "confirm", risk = "{risk}"{more} }}
"""
HURRIED = """
import sys
from stdioguard.guard import holding, seal
from stdioguard.guard.gates import consent
holding.PATIENCE = holding.PATIENCE_WITH_PROGRESS = {0}
seal.LIFETIME = consent.PARKED = {0}
from stdioguard.__main__ import main
sys.exit(main())
"""
YES: Json = {"action": "accept", "content": {"decision": "allow once"}}
MOMENT = 0.7
"""Seconds in which a guard has looked at the queue, twice."""
META = "io.modelcontextprotocol/"


@dataclass(frozen=True)
class Attack:
    """A row of the table: `name` is what the attacker does, `must` what comes of it, `twin` the honest thing that works."""

    name: str
    must: str
    twin: str
    eras: tuple[str, ...]
    play: Callable[[Stage], None]


TABLE: list[Attack] = []


def attack(name: str, *, must: str, twin: str, eras: tuple[str, ...] = ERAS) -> Callable[[Callable[[Stage], None]], Any]:
    """Enter a function into the table."""

    def enter(play: Callable[[Stage], None]) -> Callable[[Stage], None]:
        TABLE.append(Attack(name, must, twin, eras, play))
        return play

    return enter


@dataclass
class Asked:
    """A question of the guard's that came through the client."""

    text: str
    id: Any
    call: int
    state: str | None = None
    schema: Json | None = None


class Talk:
    """A session, opened. `asks`: the client declares elicitation. `hurry`: seconds that stand for the guard's minutes."""

    def __init__(
        self,
        stage: Stage,
        *,
        risk: str = "normal",
        more: str = "",
        rest: str = "",
        asks: bool = False,
        name: str | None = None,
        hurry: float | None = None,
    ) -> None:
        guard = [sys.executable, "-P", "-c", HURRIED.format(hurry), "run"] if hurry else None
        profile = PROFILE.format(risk=risk, more=more, rest=rest)
        options = ("--server", name) if name else ()
        self.modern = stage.era == MODERN
        self.capabilities: Json = {"elicitation": {}} if asks else {}
        self.guarded = Guarded(stage.home, sys.executable, SERVER, profile=profile, guard=guard, options=options)
        self._id = 10
        self._inbox: list[Json] = []
        if not self.modern:
            params = {**INITIALIZE["params"], "protocolVersion": stage.era, "capabilities": self.capabilities}
            self.guarded.write({**INITIALIZE, "params": params})
            assert "result" in self.answer(1)
            self.guarded.write(READY)
        self.list()

    def list(self) -> list[Json]:
        listed: list[Json] = self.answer(self.request("tools/list"))["result"]["tools"]
        return listed

    def request(self, method: str, **params: Any) -> int:
        self._id += 1
        self.guarded.write({"jsonrpc": "2.0", "id": self._id, "method": method, "params": self.params(params)})
        return self._id

    def params(self, params: Json) -> Json:
        if not self.modern:
            return params
        meta = {f"{META}protocolVersion": MODERN, f"{META}clientCapabilities": self.capabilities}
        return {**params, "_meta": {**meta, **params.get("_meta", {})}}

    def call(self, arguments: Any = None, tool: str = "echo", **more: Any) -> int:
        given = {} if arguments is None else {"arguments": arguments}
        return self.request("tools/call", name=tool, **given, **more)

    def raw(self, arguments: str, tool: str = "echo") -> int:
        """Make a call whose arguments are this very text."""
        self._id += 1
        params = json.dumps(self.params({"name": tool, "arguments": 0})).replace('"arguments": 0', f'"arguments": {arguments}')
        self.guarded.write(
            b'{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":%s}\n' % (self._id, params.encode("utf-8", "surrogatepass"))
        )
        return self._id

    def cancel(self, call: int) -> None:
        self.guarded.write({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": self.params({"requestId": call})})

    def next(self, fits: Callable[[Json], bool], timeout: float = 20.0) -> Json:
        """Return the next message that fits; others are kept for later."""
        for place, message in enumerate(self._inbox):
            if fits(message):
                return self._inbox.pop(place)
        deadline = time.monotonic() + timeout
        while True:
            found = self.guarded.read(max(0.0, deadline - time.monotonic()))
            assert found is not None, "the session has ended"
            if fits(found):
                return found
            self._inbox.append(found)

    def answer(self, call: int | None, timeout: float = 20.0) -> Json:
        return self.next(lambda message: "method" not in message and message.get("id") == call, timeout)

    def asked(self, call: int) -> Asked:
        """Return the question about a call that comes through the client."""
        if self.modern:
            result = self.answer(call)["result"]
            assert result.get("resultType") == "input_required", result
            (params,) = [question["params"] for question in result["inputRequests"].values()]
            return Asked(params["message"], None, call, result["requestState"], params["requestedSchema"])
        found = self.next(lambda message: message.get("method") == "elicitation/create")
        return Asked(found["params"]["message"], found["id"], call, None, found["params"]["requestedSchema"])

    def reply(self, asked: Asked, answer: Json, arguments: Any = None, tool: str = "echo") -> int:
        """Answer as the client of this era does; return the id of the call that this decides."""
        if self.modern:
            return self.call(arguments, tool, inputResponses={"stdioguard.confirm": answer}, requestState=asked.state)
        self.guarded.write({"jsonrpc": "2.0", "id": asked.id, "result": answer})
        return asked.call


class Stage:
    """One attack's stage. `refused`, `held` and `check` are what the attacker gets, `runs` and `fine` what an honest one does."""

    def __init__(self, home: Path, era: str) -> None:
        self.home = home
        self.era = era
        self.attacks = self.twins = 0
        self._open = contextlib.ExitStack()

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def open(self, *, watched: bool = False, **how: Any) -> Talk:
        """Open a session; `watched`: somebody sits before a live list, so that calls are held."""
        if watched:
            self._open.enter_context(presence.present("terminal"))
        talk = Talk(self, **how)
        self._open.callback(talk.guarded.__exit__)
        return talk

    def refused(self, answer: Json) -> str:
        """The attack was answered, and nothing ran. Returns what was said."""
        self.attacks += 1
        assert answer.get("result", {}).get("structuredContent") is None, answer
        assert "error" in answer or answer["result"].get("isError"), answer
        return json.dumps(answer)

    def held(self, talk: Talk, call: int) -> None:
        """The call goes on waiting."""
        self.attacks += 1
        try:
            found = talk.answer(call, MOMENT)
        except TimeoutError:
            return
        raise AssertionError(f"the call was answered: {found}")

    def check(self, is_so: bool, otherwise: object = "") -> None:
        self.attacks += 1
        assert is_so, otherwise

    def runs(self, answer: Json) -> None:
        self.twins += 1
        assert answer.get("result", {}).get("structuredContent") is not None, answer

    def fine(self, is_so: bool, otherwise: object = "") -> None:
        self.twins += 1
        assert is_so, otherwise

    def silent(self, talk: Talk) -> None:
        """Nothing at all comes from the guard."""
        self.attacks += 1
        try:
            found = talk.next(lambda _: True, MOMENT)
        except TimeoutError:
            return
        raise AssertionError(f"something came: {found}")

    def verdicts(self) -> list[str]:
        """Return the verdicts on calls of `echo` in all the records."""
        lines = [line for path in (self.home / "state" / "records").glob("*.jsonl") for line in path.read_text().splitlines()]
        return [entry["verdict"] for entry in map(json.loads, lines) if entry.get("tool") == "echo"]


def waiting(arguments: Any = None, *, not_these: tuple[str, ...] = ()) -> queue.Waiting:
    """Return the question about a call with these arguments, once it is there."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        for question in queue.waiting():
            given = {} if arguments is None else arguments
            same = json.dumps(question.members["arguments"], sort_keys=True) == json.dumps(given, sort_keys=True)
            if same and question.id not in not_these:
                return question
        time.sleep(0.02)
    raise AssertionError(f"nobody is asked about {arguments}: {[question.members for question in queue.waiting()]}")


def yes(question: queue.Waiting, **more: Any) -> bool:
    """A person says yes in a terminal."""
    return queue.decide(question.id, question.members["digest"], approved=True, channel="terminal", **more)


def no(question: queue.Waiting, **more: Any) -> bool:
    return queue.decide(question.id, question.members["digest"], approved=False, channel="terminal", **more)


def place(question: queue.Waiting) -> Path:
    """Return where the decision on a question goes."""
    return Path(queue.folder()) / f"{question.id}.decision.json"


def said(question: queue.Waiting, **more: Any) -> Json:
    """Return a decision on a question as it is written."""
    return {"id": question.id, "digest": question.members["digest"], "approved": True, "channel": "terminal", **more}


def put(path: Path, data: Json | list[Any] | str | bytes, mode: int = 0o600) -> None:
    """Write a file at once, as a program of this user can."""
    scratch = path.with_name(f"scratch-{path.name}")
    raw = data if isinstance(data, bytes) else data.encode() if isinstance(data, str) else json.dumps(data).encode()
    scratch.write_bytes(raw)
    scratch.chmod(mode)
    os.replace(scratch, path)
