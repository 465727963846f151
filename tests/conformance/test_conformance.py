"""The protocol conformance suite sees no difference between a server and the same server behind the guard.

The suite speaks HTTP only, so both run behind `bridge.py`. With everything granted, every check of every
scenario must come out the same: its status, its error and the messages it quotes. How many checks must pass
is pinned as well, or two servers that fail alike would do.
"""

from __future__ import annotations

import difflib
import fcntl
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).resolve().parent
SERVER = [sys.executable, str(HERE / "server.py")]
PROFILE = HERE / "everything-granted.toml"
GUARDED = [sys.executable, "-m", "stdioguard", "run", "--profile", str(PROFILE), "--", *SERVER]

# Where package.json has a Node 22 for. The suite needs it, and many a machine's own Node is older.
PLATFORMS = {("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "x86_64"), ("darwin", "arm64")}

# How many checks the bare server passes. In 2026-07-28 it fails one: on a stdio connection the SDK answers
# `initialize` with "unsupported version", and the suite wants "method not found".
PASSED = {"2025-03-26": 3, "2025-06-18": 56, "2025-11-25": 80, "2026-07-28": 151}
PASSED_BY_EXTENSIONS = 47

# What differs from one run to the next, whatever stands in front of the server.
VOLATILE = (
    (re.compile(r"127\.0\.0\.1:\d+"), "HOST"),
    (re.compile(r"session-\d+-[0-9a-f]+"), "SESSION"),
    (re.compile(r'"date": "[^"]*"'), '"date": "DATE"'),
    (re.compile(r'"taskId": "[0-9a-f]{16}"'), '"taskId": "TASK"'),
    (re.compile(r"\b1[789]\d{11}\b"), "0"),  # the suite takes a request id from its clock
)


@dataclass(frozen=True)
class Suite:
    """The suite's command, once its packages are installed."""

    node: Path
    program: Path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(self.node), str(self.program), *arguments]
        return subprocess.run(command, check=False, capture_output=True, text=True, timeout=150)


@pytest.fixture(scope="session")
def suite() -> Suite:
    """Install the suite and the Node it needs beside this file, once, whichever worker comes first."""
    npm = shutil.which("npm")
    if npm is None:  # Node is optional, and the suite is a package of npm's
        pytest.skip("npm is not installed")
    if (sys.platform, platform.machine()) not in PLATFORMS:
        pytest.skip("npm has no Node 22 for this platform")
    modules = HERE / "node_modules"
    lockfile = HERE / "package-lock.json"
    with lockfile.open(encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = modules / ".package-lock.json"
        if not stamp.exists() or stamp.stat().st_mtime < lockfile.stat().st_mtime:
            subprocess.run([npm, "ci"], cwd=HERE, check=True, capture_output=True, text=True, timeout=300)
            stamp.touch()
    return Suite(modules / ".bin" / "node", modules / ".bin" / "conformance")


@contextmanager
def bridged(command: list[str], home: Path, revision: str | None = None) -> Iterator[str]:
    """The address of this stdio server over HTTP."""
    bridge = [sys.executable, str(HERE / "bridge.py"), "--frames", str(home / "frames.txt")]
    if revision is not None and revision != "2026-07-28":
        bridge += ["--revision", revision]
    environment = {**os.environ, "STDIOGUARD_HOME": str(home)}
    with (home / "stderr.txt").open("w", encoding="utf-8") as errors:
        process = subprocess.Popen([*bridge, "--", *command], stdout=subprocess.PIPE, stderr=errors, env=environment)
    assert process.stdout is not None
    try:
        port = process.stdout.readline().strip().decode()
        assert port, (home / "stderr.txt").read_text(encoding="utf-8")
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()


def quoted(value: Any) -> Any:
    """What a check quotes from the wire, without the words that are the guard's own to choose.

    It seals every round of input, with or without a state of the server's, and some errors come from it instead
    of the server. Whether an error was the right one is what the check's status says.
    """
    if isinstance(value, list):
        return [quoted(item) for item in value]
    if not isinstance(value, dict):
        return value
    if isinstance(value.get("code"), int) and "message" in value:
        return "an error"
    return {key: quoted(item) for key, item in value.items() if key != "requestState"}


def checks(results: Path) -> list[str]:
    """Every check of a run, one line each, without what always differs."""
    lines = []
    for file in sorted(results.glob("*/checks.json")):
        # A result's folder is named after its scenario and the time.
        scenario = re.sub(r"^server-|-\d{4}-\d\d-\d\dT.*$", "", file.parent.name)
        for check in json.loads(file.read_text(encoding="utf-8")):
            parts = [check["status"], check["id"], check["name"], check.get("errorMessage")]
            line = json.dumps([scenario, *parts, quoted(check.get("details"))], sort_keys=True)
            for pattern, name in VOLATILE:
                line = pattern.sub(name, line)
            if scenario.startswith("tasks-"):
                # A task is polled, and how often is a matter of time.
                line = re.sub(r'"messagesValidated": \d+', '"messagesValidated": "SOME"', line)
            lines.append(line)
    return lines


def passed(lines: list[str]) -> int:
    return Counter(json.loads(line)[1] for line in lines)["SUCCESS"]


def differences(bare: list[str], guarded: list[str]) -> list[str]:
    """Return what differs, but for the words by which the guard says whose a question is."""
    guarded = [re.sub(r"The server [\w.-]+ asks: ", "", line) for line in guarded]
    return list(difflib.unified_diff(bare, guarded, "bare", "guarded", lineterm="", n=0))


def both(home: Path, revision: str | None, run: Callable[[str, Path], None]) -> tuple[list[str], list[str]]:
    """The checks of the bare server and of the guarded one, from two runs side by side."""

    def one(name: str, command: list[str]) -> list[str]:
        place = home / name
        place.mkdir()
        with bridged(command, place, revision) as url:
            run(url, place / "results")
        return checks(place / "results")

    with ThreadPoolExecutor(2) as pool:
        bare = pool.submit(one, "bare", SERVER)
        guarded = pool.submit(one, "guarded", GUARDED)
        return bare.result(), guarded.result()


@pytest.mark.parametrize("revision", PASSED)
def test_every_check_of_a_revision_comes_out_the_same_bare_and_guarded(suite: Suite, revision: str, tmp_path: Path) -> None:
    def run(url: str, results: Path) -> None:
        suite.run("server", "--url", url, "--suite", "all", "--spec-version", revision, "-o", str(results))

    bare, guarded = both(tmp_path, revision, run)
    changed = differences(bare, guarded)
    assert not changed, "\n".join(changed)
    assert passed(guarded) >= PASSED[revision]


def test_every_check_of_the_extensions_comes_out_the_same_bare_and_guarded(suite: Suite, tmp_path: Path) -> None:
    listing = suite.run("list", "--server").stdout
    scenarios = re.findall(r"- (\S+) \[extension\]", listing)

    def run(url: str, results: Path) -> None:
        for scenario in scenarios:
            suite.run("server", "--url", url, "--scenario", scenario, "-o", str(results))

    bare, guarded = both(tmp_path, None, run)
    changed = differences(bare, guarded)
    assert not changed, "\n".join(changed)
    assert passed(guarded) >= PASSED_BY_EXTENSIONS


def test_the_suite_covers_the_revisions_that_are_tested_here_and_no_other(suite: Suite) -> None:
    refusal = suite.run("list", "--spec-version", "none").stderr
    assert set(re.findall(r"\d{4}-\d\d-\d\d", refusal)) == set(PASSED)
