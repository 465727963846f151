"""`--probe`: start each server inside the sandbox without a network and without grants, ask what it offers, and end it.

Nothing is ever started any other way: each server runs behind `stdioguard run` with a profile that grants nothing, no variable of its
entry, and folders of its own that are thrown away after. Its tools are listed and never called. What does not answer in time, or cannot
without what its entry would give it, is told as not listed.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stdioguard.audit import starts
from stdioguard.launch.errors import REFUSED
from stdioguard.policy.environment import BASE
from stdioguard.wire import eras, framing, strict_json
from stdioguard.wire.errors import MalformedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from stdioguard.audit.interface import EntryView

TIME_LIMIT = 20.0
"""Seconds for one server, from its start to the last page."""
MAX_PAGES = 64
MAX_LISTED = 4096
MAX_BYTES = 32 << 20

_PROFILE = """\
schema = 1
name = "probe"
description = "Nothing is granted; what is offered is listed, and nothing of it is called."
[sandbox]
processes = 256
[capabilities]
resources = true
prompts = true
[tools]
# A tool that is denied is not listed either. The probe sends no call, and nobody else can.
default = "allow"
"""
_LISTS = (("tools", "tools/list"), ("prompts", "prompts/list"), ("resources", "resources/list"))


class ProbeRefused(Exception):  # noqa: N818 - a decision, shown to the user
    """Servers cannot be started safely here; `str()` is one line."""


class _Failed(Exception):  # noqa: N818 - why, not what went wrong with us
    """Why one server could not be listed, in a few words."""


@dataclass
class Surface:
    """What a server says it offers, as it says it."""

    view: EntryView
    tools: list[dict[str, Any]] = field(default_factory=list)
    prompts: list[dict[str, Any]] = field(default_factory=list)
    resources: list[dict[str, Any]] = field(default_factory=list)
    instructions: str = ""
    problem: str = ""
    """Why nothing, or not everything, could be listed."""


def is_for(view: EntryView) -> bool:
    """Tell whether there is something to start."""
    return view.entry.kind == "stdio" and not view.entry.disabled


def probe(views: Iterable[EntryView], tick: Callable[[str], None] = lambda _: None) -> list[Surface]:
    """Return the surface of each local server. Raises `ProbeRefused` where this machine has no sandbox to start them in."""
    wanted = [view for view in views if is_for(view)]
    if not wanted:
        return []
    with _scratch() as scratch:
        _check(scratch)
        found = []
        for number, view in enumerate(wanted):
            tick(view.entry.name)
            found.append(_surface(view, os.path.join(scratch, str(number))))
        return found


@contextlib.contextmanager
def _scratch() -> Iterator[str]:
    folder = os.path.realpath(tempfile.mkdtemp(prefix="stdioguard-probe-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _check(scratch: str) -> None:
    """Start a program that does nothing, just as a server is started. Raises `ProbeRefused`."""
    home = os.path.join(scratch, "check")
    os.mkdir(home, 0o700)
    # The guard starts its server with the first message of the client's.
    with _started([sys.executable, "-I", "-S", "-c", "pass"], home, home) as running:
        with contextlib.suppress(_Failed):  # it may have refused already
            running.tell(_initialize())
        running.end()
        if running.process.returncode == REFUSED:
            raise ProbeRefused(f"--probe starts nothing outside of a sandbox, and there is none here: {running.said()}")


def _surface(view: EntryView, home: str) -> Surface:
    surface = Surface(view)
    if any(starts.is_open(word) and "$" in word for word in view.argv):
        surface.problem = "its command line has variables that only its client fills in"
        return surface
    os.mkdir(home, 0o700)
    cwd = starts.folder(view)
    with _started(view.argv, home, cwd if os.path.isdir(cwd) else home) as running:
        try:
            _list(running, surface)
        except _Failed as failure:
            running.end()
            surface.problem = running.said() or str(failure)
    return surface


def _list(running: _Running, surface: Surface) -> None:
    opened, meta = _open(running)
    text = opened.get("instructions")
    surface.instructions = text if isinstance(text, str) else ""
    capabilities = opened.get("capabilities")
    for name, method in _LISTS:
        if not isinstance(capabilities, dict) or name not in capabilities:
            continue
        into: list[dict[str, Any]] = getattr(surface, name)
        cursor: str | None = None
        for _ in range(MAX_PAGES):
            params = {**({"cursor": cursor} if cursor is not None else {}), **meta}
            page = running.ask(method, params)
            listed = page.get(name)
            into += [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
            cursor = page.get("nextCursor") if isinstance(page.get("nextCursor"), str) else None
            if cursor is None or len(into) > MAX_LISTED:
                break


def _open(running: _Running) -> tuple[dict[str, Any], dict[str, Any]]:
    """Open a session in the older way, and in the newer where a server has only that; return its answer and what each request carries."""
    try:
        opened = running.ask("initialize", _initialize()["params"])
    except _Answered:
        meta = {
            "_meta": {
                eras.META_VERSION: eras.MODERN_REVISION,
                eras.META_CAPABILITIES: {},
                eras.META_CLIENT_INFO: {"name": "stdioguard-audit", "version": "1"},
            }
        }
        return running.ask("server/discover", meta), meta
    running.tell({"jsonrpc": "2.0", "method": "notifications/initialized"})
    return opened, {}


def _initialize() -> dict[str, Any]:
    client = {"name": "stdioguard-audit", "version": "1"}
    params = {"protocolVersion": eras.HANDSHAKE_REVISIONS[-1], "capabilities": {}, "clientInfo": client}
    return {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}


class _Answered(_Failed):
    """The server has answered with an error."""


class _Running:
    """One guarded server and its pipes."""

    def __init__(self, process: subprocess.Popen[bytes], errors: str) -> None:
        self.process = process
        self._errors = errors
        self._ends = time.monotonic() + TIME_LIMIT
        self._reader = framing.FrameReader()
        self._frames: list[bytes | framing.Oversized] = []
        self._number = 0
        self._bytes = 0
        assert process.stdin is not None  # noqa: S101 - both are pipes
        assert process.stdout is not None  # noqa: S101
        self._stdin, self._stdout = process.stdin, process.stdout
        os.set_blocking(self._stdout.fileno(), False)

    def tell(self, message: dict[str, Any]) -> None:
        """Send a message. What we send fits into a pipe, so this never waits."""
        try:
            self._stdin.write(strict_json.encode(message).encode() + b"\n")
            self._stdin.flush()
        except OSError:
            raise _Failed("it has ended") from None

    def ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Send a request and return the result of its answer. Raises `_Failed`; `_Answered` for an error."""
        self._number += 1
        self.tell({"jsonrpc": "2.0", "id": self._number, "method": method, "params": params})
        while True:
            frame = self._frame()
            if isinstance(frame, framing.Oversized):
                raise _Failed(f"its answer to {method} is too long")
            try:
                message = strict_json.decode(frame)
            except MalformedError:
                continue
            # Notifications and requests of the server's are not answered: nothing was offered to it.
            if isinstance(message, dict) and message.get("id") == self._number and "method" not in message:
                result = message.get("result")
                if not isinstance(result, dict):
                    raise _Answered(f"it answers {method} with an error")
                return result

    def _frame(self) -> bytes | framing.Oversized:
        with selectors.DefaultSelector() as selector:
            selector.register(self._stdout, selectors.EVENT_READ)
            while not self._frames:
                left = self._ends - time.monotonic()
                if left <= 0:
                    raise _Failed(f"it does not answer within {TIME_LIMIT:.0f} seconds without a network")
                if not selector.select(left):
                    continue
                data = os.read(self._stdout.fileno(), 1 << 16)
                self._bytes += len(data)
                if not data:
                    raise _Failed("it has ended without an answer")
                if self._bytes > MAX_BYTES:
                    raise _Failed("it sends more than a list can hold")
                self._frames += self._reader.feed(data)
        return self._frames.pop(0)

    def end(self) -> None:
        """End the guard, and with it the server. Only the group of processes that was started here is signalled."""
        with contextlib.suppress(OSError):
            self._stdin.close()
        for number in (None, signal.SIGTERM, signal.SIGKILL):
            if number is not None:
                with contextlib.suppress(OSError):
                    os.killpg(self.process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(2)
                return

    def said(self) -> str:
        """Return the guard's own last words, without its name."""
        try:
            with open(self._errors, "rb") as file:
                text = file.read(1 << 16).decode("utf-8", "replace")
        except OSError:
            return ""
        lines = [
            line for line in text.splitlines() if line.startswith("stdioguard: ") and not line.startswith("stdioguard: sandbox:")
        ]
        return lines[-1].removeprefix("stdioguard: ")[:400] if lines else ""


@contextlib.contextmanager
def _started(command: list[str], home: str, cwd: str) -> Iterator[_Running]:
    profile = os.path.join(home, "probe.toml")
    with open(os.open(profile, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(_PROFILE)
    errors = os.path.join(home, "errors")
    environment = {name: os.environ[name] for name in BASE if name in os.environ} | {"STDIOGUARD_HOME": home}
    words = [sys.executable, "-I", "-m", "stdioguard", "run", "--profile", profile, "--server", "probe", "--", *command]
    with open(os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as sink:
        process = subprocess.Popen(  # noqa: S603 - the guard, with the server behind it
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=sink, cwd=cwd, env=environment, start_new_session=True
        )
    running = _Running(process, errors)
    try:
        yield running
    finally:
        running.end()
        with contextlib.suppress(OSError):
            running._stdout.close()
