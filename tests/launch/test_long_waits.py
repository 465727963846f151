"""Ten real minutes: how long a person may take, with the official SDK's client at the other end. `make test-slow` runs these.

The SDK's client in Python has one budget of seconds for a request, which progress does not renew: it is set beyond the ten minutes here.
Other clients (the TypeScript SDK's, with `resetTimeoutOnProgress`) give up 60 seconds after the last progress. So the pauses
between two reports are measured as well.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from stdioguard.approval import presence, queue
from tests.launch.guarded import GUARD
from tests.launch.test_consent import PROFILE

SERVER = str(Path(__file__).parent.parent / "servers" / "echo.py")
ERAS = {"2025-11-25": "legacy", "2026-07-28": "2026-07-28"}
USUAL_TIMEOUT = 60.0
LONG = 592.0
"""Seconds that the person takes: the guard waits for 600."""

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("mode", ERAS.values(), ids=ERAS)]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STDIOGUARD_HOME", str(tmp_path))
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@asynccontextmanager
async def client(home: Path, mode: str, timeout: float) -> AsyncIterator[Client]:
    """The SDK's client of a guarded server; it has nobody to ask."""
    profile = home / "profile.toml"
    profile.write_text(PROFILE.format(risk="normal", more="", rest=""))
    command = [*GUARD, "--profile", str(profile), "--", sys.executable, SERVER]
    parameters = StdioServerParameters(command=command[0], args=command[1:], env=dict(os.environ))
    async with Client(stdio_client(parameters), mode=mode, read_timeout_seconds=timeout, cache=None) as opened:
        yield opened


async def waiting() -> queue.Waiting:
    with anyio.fail_after(20):
        while not (found := queue.waiting()):
            await anyio.sleep(0.1)
    return found[0]


async def approve(asked: str) -> None:
    done = await anyio.run_process(
        [sys.executable, "-P", "-m", "stdioguard", "approvals", "approve", asked], check=False, stderr=subprocess.STDOUT
    )
    assert done.returncode == 0, done.stdout


def text(result: Any) -> str:
    return " ".join(part.text for part in result.content)


def test_a_call_with_a_progress_token_waits_ten_minutes_for_a_person(
    home: Path, mode: str, record_property: Callable[[str, object], None]
) -> None:
    reports: list[float] = []
    answers: list[Any] = []

    async def progress(_done: float, _total: float | None, message: str | None) -> None:
        assert message == "waiting for a person to approve this call"
        reports.append(time.monotonic())

    async def session() -> None:
        async with client(home, mode, timeout=LONG + 30) as opened, anyio.create_task_group() as group:

            async def call() -> None:
                answers.append(await opened.call_tool("echo", {"a": 1}, progress_callback=progress))

            begun = time.monotonic()
            group.start_soon(call)
            question = await waiting()
            await anyio.sleep(begun + LONG - time.monotonic())
            assert not answers
            assert [other.id for other in queue.waiting()] == [question.id]
            await approve(question.id)
            with anyio.fail_after(10):
                while not answers:
                    await anyio.sleep(0.05)
            reports.insert(0, begun)
            reports.append(time.monotonic())

    with presence.present("terminal"):
        anyio.run(session)
    (answer,) = answers
    assert not answer.is_error, text(answer)
    assert answer.structured_content == {"a": 1}
    waited = reports[-1] - reports[0]
    pauses = [after - before for before, after in itertools.pairwise(reports)]
    record_property("seconds waited", round(waited, 1))
    print(f"{mode}: answered after {waited:.1f} s, {len(reports) - 2} reports, the longest pause {max(pauses):.1f} s")
    assert waited > 590
    assert max(pauses) < USUAL_TIMEOUT / 2


def test_without_one_a_call_is_refused_before_clients_give_up_and_the_next_one_like_it_runs(home: Path, mode: str) -> None:
    async def session() -> None:
        async with client(home, mode, timeout=USUAL_TIMEOUT) as opened:
            begun = time.monotonic()
            refused = await opened.call_tool("echo", {"a": 1})
            waited = time.monotonic() - begun
            question = await waiting()
            print(f"{mode}: refused after {waited:.1f} s: {text(refused)}")
            assert 54 < waited < USUAL_TIMEOUT
            assert refused.is_error
            assert question.members["parked"]
            assert "nobody answered in time" in text(refused)
            assert f"run stdioguard approvals approve {question.id} within ten minutes and make the same call again" in text(
                refused
            )
            await approve(question.id)
            answer = await opened.call_tool("echo", {"a": 1})
            assert not answer.is_error, text(answer)
            assert answer.structured_content == {"a": 1}
            again = await opened.call_tool("echo", {"a": 1})  # one approval, one call
            assert again.is_error

    with presence.present("terminal"):
        anyio.run(session)
