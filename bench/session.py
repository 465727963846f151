"""The session benchmark: what a guarded session costs, side by side with other ways to reach the same server.

    python -m bench.session [--quick] [--only relay,guard] [--write]

Contestants, all in front of `bench/server.py` (a small server on the standard library):

bare        The client talks to the server directly.
relay       `bench/relay.py`, a naive Python proxy that parses, encodes and forwards each line: the yardstick.
guard       `stdioguard run --profile bench/bench.toml`, with everything that `run` does switched on; no call
            waits for a person.
fastmcp     `bench/fastmcp_proxy.py`, FastMCP's stdio proxy as its documentation sets it up.
bwrap       bubblewrap with namespaces of every kind, the system and the runtimes to read, and nothing else.
srt         `@anthropic-ai/sandbox-runtime` with no host and no writable folder. These two look at no message, so
            they are compared by their start-up alone.

How the machine's noise is kept out. Only ratios and differences within one run mean anything. Contestants
take turns in short rounds (A B C D, then B C D A, ...), so that a slow second of the machine hits them all. A
comparison is made inside each round; the median over the rounds is reported with the range of its middle
half. Calls that wait for each other are made with client, proxy and server held on one core (where the system
can: Linux). That counts work, repeats within a few percent, and is the strictest view of a proxy, since
waking another core takes as long for each of them, and longer than what is compared. Start-up and pipelined
calls run on all cores.

The client (`bench/client.py`) is raw pipes: requests are encoded before the clock starts, answers are parsed
and checked after it stops, and its garbage collector is off. A wrong, refused or missing answer is an error,
never a fast result. Everything is started or called once, unmeasured, before it is measured: all is warm.

How each figure is measured:

start-up    From before the spawn until the answer of `initialize` is read and, as a second row, until the
            answer of the first `tools/list` is: a proxy may answer `initialize` while its server is not there
            yet. A fresh process each time. The yardstick, spawn to exit of `python3 -I -c pass`, is measured
            in the same rounds. *Added* is the contestant's time less bare's in the same round. The budget is
            judged on the fastest runs: other work on the machine only ever adds to a start, and on a busy one
            it adds most to the yardstick, which flatters the ratio of the medians (printed beside it).
sandbox     From the guard's record of a start: the time between the client's first message and the proof that
            every guarantee holds, in whole milliseconds.
small call  One `tools/call` of `echo` with about 60 characters at a time, from before the write until the
            newline of the answer is read. p50 and p99 over all calls; *added p50* is the difference to bare's
            p50 in the same round. Shown once more on all cores, as a user runs it, for its order of magnitude;
            no budget is judged on that: even bare's p50 there is 15 or 90 microseconds, by where the kernel
            puts the server.
pipelined   All calls of a round are written as fast as the pipe takes them while answers are read (one thread
            and `poll`).
100 KB,     One `tools/call` whose result holds that much text (1 KB = 1,000 bytes; source-like, with line
10 MB       ends, quotes and a few non-ASCII characters). *Linear* compares the time for a byte at the two
            sizes: work that is linear gives about 1, quadratic about 100; up to 2 passes, since caches end in
            between.
memory      Resident size (RSS) of the proxy and its helper processes, without the server: after the
            handshake, `tools/list` and 1,000 calls, and again after 100,000 more. *No growth* allows 1 MB,
            ten bytes a call: less than the smallest Python object, so one object kept for each call fails.

Each row of calls is measured in several sessions of its own, opened and closed in between: where a process's
memory happens to lie moves a small call by microseconds for as long as that process lives. FastMCP's proxy does
a tenth of the calls in each round, since it would take most of the time otherwise.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.client import Client, ContestantError, deadline, small_text
from bench.contestants import BENCH_SERVER, HERE, NAMES, contestants, real_servers
from bench.report import HUGE, LARGE, MEMORY, PIPELINED, SIZES, SMALL, SMALL_ALL_CORES, Results, render
from bench.server import text_of
from stdioguard.identity import clients, credentials

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bench.contestants import Contestant, Server

    Block = Callable[[Client, int], list[float]]
    """Does that many calls; returns seconds, one number a call (pipelined: the average of all)."""


@dataclass(frozen=True)
class Plan:
    """How often each thing is measured: (sessions, rounds in each, calls in a round) where there are three numbers."""

    startup: int = 21
    startup_real: int = 5
    small: tuple[int, int, int] = (6, 8, 100)
    pipelined: tuple[int, int, int] = (3, 4, 5_000)
    large: tuple[int, int, int] = (3, 5, 20)
    huge: tuple[int, int, int] = (3, 3, 2)
    memory: int = 100_000


FULL = Plan()
QUICK = Plan(
    startup=5,
    startup_real=2,
    small=(3, 4, 50),
    pipelined=(2, 3, 2_000),
    large=(2, 3, 10),
    huge=(2, 2, 1),
    memory=20_000,
)


@dataclass
class Bench:
    """One run: the contestants, their environment, and what was measured so far."""

    contestants: list[Contestant]
    env: dict[str, str]
    results: Results

    def turns(self, row: str, rounds: int) -> Iterator[tuple[int, Contestant]]:
        """Yield `rounds` x contestants, rotated each round, without who failed in `row`."""
        for number in range(rounds):
            start = number % len(self.contestants)
            for contestant in self.contestants[start:] + self.contestants[:start]:
                takes_part = contestant.looks or row.startswith("initialize")
                if takes_part and not contestant.missing and (row, contestant.name) not in self.results.failures:
                    yield number, contestant

    @contextlib.contextmanager
    def attempt(self, row: str, contestant: Contestant, seconds: int) -> Iterator[None]:
        """Run a step within `seconds`; on failure the contestant is out of this row."""
        try:
            with deadline(seconds):
                yield
        except (ContestantError, OSError) as error:
            self.results.failures[row, contestant.name] = str(error)
            print(f"{contestant.name}: {row}: {error}", file=sys.stderr)

    def measure_startup(self, server: Server, rounds: int) -> None:
        """Measure spawn to `initialize` and to `tools/list`; the first round is thrown away."""
        row = f"initialize, {server.title}"
        for number, contestant in self.turns(row, rounds + 1):
            with self.attempt(row, contestant, 60):
                first, second = _startup(contestant.command(server), self.env)
                if number:
                    self.results.yardstick.append(_yardstick(self.env))
                    self.results.add(row, contestant.name, [first])
                    self.results.add(f"first tools/list, {server.title}", contestant.name, [second])

    def measure_calls(self, row: str, sessions: int, rounds: int, calls: int, block: Block) -> None:
        """Measure `rounds` of `block` in each of `sessions` live sessions of every contestant."""
        for _ in range(sessions):
            with contextlib.ExitStack() as stack:
                clients: dict[str, Client] = {}
                for _, contestant in self.turns(row, 1):
                    with self.attempt(row, contestant, 60):
                        client = stack.enter_context(self.session(contestant))
                        block(client, contestant.share(min(calls, 200)))
                        clients[contestant.name] = client
                for _, contestant in self.turns(row, rounds):
                    with self.attempt(row, contestant, 120):
                        samples = block(clients[contestant.name], contestant.share(calls))
                        self.results.add(row, contestant.name, samples)

    def measure_memory(self, calls: int) -> None:
        """Measure the proxies' resident memory before and after many small calls."""
        for _, contestant in self.turns(MEMORY, 1):
            if contestant.name == "bare":
                continue
            with self.attempt(MEMORY, contestant, 120), self.session(contestant) as client:
                client.time_pipelined(1_000)
                before = client.proxy_memory(BENCH_SERVER.command)
                share = contestant.share(calls)
                for _ in range(share // 1_000):
                    client.time_pipelined(1_000)
                after = client.proxy_memory(BENCH_SERVER.command)
                self.results.memory[contestant.name] = (before, after, share)

    def read_setup(self, home: str) -> None:
        """Take from the guard's own record how long each sandbox took: from the first message to the proof that it holds."""
        for record in sorted(Path(home, "state", "records").glob("*.jsonl")):
            events = [json.loads(line) for line in record.read_text().splitlines()]
            begun = next((event["time"] for event in events if event.get("method") == "initialize"), None)
            proved = next((event["time"] for event in events if event.get("event") == "sandbox" and "guarantees" in event), None)
            if begun and proved:
                self.results.setup.append((_moment(proved) - _moment(begun)).total_seconds())

    @contextlib.contextmanager
    def session(self, contestant: Contestant) -> Iterator[Client]:
        """Give a session with the bench server that has shaken hands and listed its tools."""
        with contextlib.closing(Client(contestant.command(BENCH_SERVER), self.env)) as client:
            client.initialize()
            client.initialized()
            client.list_tools()
            yield client


def _moment(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


def _yardstick(env: dict[str, str]) -> float:
    """Return seconds from spawn to exit of an interpreter that does nothing."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-I", "-c", "pass"], check=True, env=env)
    return time.perf_counter() - start


def _startup(command: Sequence[str], env: dict[str, str]) -> tuple[float, float]:
    """Return seconds from the spawn to the answers of `initialize` and of the first `tools/list`."""
    start = time.perf_counter()
    with contextlib.closing(Client(command, env)) as client:
        client.initialize()
        first = time.perf_counter() - start
        client.initialized()
        client.list_tools()
        return first, time.perf_counter() - start


def _small_block(client: Client, count: int) -> list[float]:
    texts = [small_text(number) for number in range(count)]
    return [client.time_call("echo", {"text": text}, text) for text in texts]


def _pipelined_block(client: Client, count: int) -> list[float]:
    return [client.time_pipelined(count) / count]


def _large_block(client: Client, count: int) -> list[float]:
    return _sized_block(client, count, SIZES[LARGE])


def _huge_block(client: Client, count: int) -> list[float]:
    return _sized_block(client, count, SIZES[HUGE])


def _sized_block(client: Client, count: int, size: int) -> list[float]:
    text = text_of(size)
    return [client.time_call("big", {"bytes": size}, text) for _ in range(count)]


@contextlib.contextmanager
def one_core() -> Iterator[None]:
    """Hold this process, and so what it starts, on one core, where the system can."""
    if sys.platform != "linux":
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _environment(home: str) -> dict[str, str]:
    """Return our environment without what changes how Python starts; the guard gets a private home."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "STDIOGUARD_"))}
    return kept | {"STDIOGUARD_HOME": home, "STDIOGUARD_TOKEN": _client(home), "FASTMCP_CHECK_FOR_UPDATES": "off"}


def _client(home: str) -> str:
    """Register a client with the scopes of `bench.toml`, for everything is to be on, and return its secret."""
    os.environ["STDIOGUARD_HOME"] = home
    client = clients.Client("bench")
    client.scopes = ["bench:small", "bench:large"]
    secret = credentials.mint(client.name)
    client.secrets = [credentials.hashed(secret)]
    clients.write(client)
    return secret


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.session", description="Compare a guarded session with its peers.")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: half a minute instead of three")
    parser.add_argument(
        "--only",
        metavar="NAMES",
        default=",".join(NAMES),
        help=f"some of {','.join(NAMES)}; bare is always in",
    )
    parser.add_argument("--write", action="store_true", help="put the result in bench/RESULTS.md as well")
    parser.add_argument("--fastmcp-python", metavar="PYTHON", default=sys.executable, help="an interpreter that has fastmcp")
    arguments = parser.parse_args(argv)
    arguments.only = set(arguments.only.split(",")) | {"bare"}
    if unknown := arguments.only - set(NAMES):
        parser.error(f"--only: unknown {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    return arguments


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark and print its tables; 1 if a contestant failed, 0 otherwise, met budgets or not."""
    arguments = _arguments(argv)
    plan = QUICK if arguments.quick else FULL
    chosen = [one for one in contestants(arguments.fastmcp_python) if one.name in arguments.only]
    results = Results(names=[one.name for one in chosen])
    results.missing = {one.name: one.missing for one in chosen if one.missing}
    results.versions = [one.version for one in chosen if one.version]
    results.load_before = os.getloadavg()[0]
    gc.disable()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="stdioguard-bench-") as home:
        bench = Bench(chosen, _environment(home), results)
        bench.measure_startup(BENCH_SERVER, plan.startup)
        bench.read_setup(home)
        for server in real_servers():
            bench.measure_startup(server, plan.startup_real)
        with one_core():
            bench.measure_calls(SMALL, *plan.small, _small_block)
            bench.measure_calls(LARGE, *plan.large, _large_block)
            bench.measure_calls(HUGE, *plan.huge, _huge_block)
        bench.measure_calls(SMALL_ALL_CORES, *plan.small, _small_block)
        bench.measure_calls(PIPELINED, *plan.pipelined, _pipelined_block)
        bench.measure_memory(plan.memory)
    text = render(results, quick=arguments.quick, took=time.monotonic() - started)
    print(text, end="")
    if arguments.write:
        (HERE / "RESULTS.md").write_text(text)
    return int(bool(results.failures))


if __name__ == "__main__":
    sys.exit(main())
