"""The process that shows dialogs: the guard, once confined, can start no program, and what a dialog answers must not pass through a file.

It is made before the guard confines itself, holds nothing of the guard's but two pipes, and ends with it. The lines on the pipes are JSON:

    guard -> approver    {"ask": {"id", "digest", "text", "risk", "remember", ...}} and {"withdraw": ID}
    approver -> guard    {"id", "digest", "approved", "scope"}, or {"id", "digest", "failed": WHY} where nobody could answer

The guard makes the text (`dialog.text`); an answer bears the digest of the question whose text was on the screen. One dialog is shown at a
time. On X11 every program of the same desktop can press its buttons and read it: a dialog is proof against what has no way to that desktop,
such as the sandboxed server, not against an agent with a shell in it.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time

from stdioguard.approval import dialog
from stdioguard.wire import strict_json
from stdioguard.wire.errors import MalformedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping
    from typing import Any, NoReturn

MAX_OPEN = 16
"""Questions that wait at a time. Others are not taken."""
TOO_SOON = 1.5
"""Seconds from the start of a dialog in which nobody can have read it: what allows then was meant for another window."""
MAX_TRIES = 4
"""Times that one question is shown, after answers that came too soon."""
_MAX_LINE = 1 << 20
_MAX_OUTPUT = 4096
_PIPE_SIZE = 1 << 20
_LINUX = sys.platform == "linux"


class Approver:
    """The guard's end. Nothing here waits. `program` is one of `dialog.PROGRAMS`, `environment` that of the guard.

    `descriptor` is readable when there may be answers; `alive` tells whether the process is there.
    """

    def __init__(self, program: str, environment: Mapping[str, str]) -> None:
        questions, self._to = _pipe()
        self.descriptor, answers = _pipe()
        self.alive = True
        self._asked: dict[str, dict[str, Any]] = {}
        self._waiting = b""
        self._partial = b""
        self._failed: list[tuple[str, str]] = []
        guard = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            _be_approver(program, environment, questions, answers, guard)
        os.close(questions)
        os.close(answers)
        os.set_blocking(self._to, False)
        os.set_blocking(self.descriptor, False)

    def ask(self, members: Mapping[str, Any]) -> bool:
        """Show a question, whose members are those of the queue and `id`, when those before it are done; return whether it was taken."""
        id_ = members["id"]
        if not self.alive or (len(self._asked) >= MAX_OPEN and id_ not in self._asked):
            return False
        question = {
            "id": id_,
            "digest": members["digest"],
            "text": dialog.text(members),
            "risk": members["risk"],
            "remember": members.get("remember") is True,
            "server": members["server"][:200],
            "tool": members["tool"][:200],
        }
        self._asked[id_] = question
        self._send({"ask": question})
        return self.alive

    def withdraw(self, id: str) -> None:  # noqa: A002
        """Take a question back: its dialog goes, and an answer to it that is on its way counts no more."""
        if self._asked.pop(id, None) is not None:
            self._send({"withdraw": id})

    def answers(self) -> list[dict[str, Any]]:
        """Return the decisions that have come: `id`, `digest`, `approved` and `scope`, which is `once` or `session`."""
        self._flush()
        found = []
        for line in self._lines():
            question = self._asked.get(line.get("id", ""))
            if question is None or line.get("digest") != question["digest"]:
                continue  # withdrawn, or asked anew with other arguments, since
            del self._asked[question["id"]]
            scope = line.get("scope")
            if type(line.get("approved")) is bool and (scope == "once" or (scope == "session" and question["remember"])):
                found.append({key: line[key] for key in ("id", "digest", "approved", "scope")})
            else:
                self._failed.append((question["id"], str(line.get("failed", "an answer that cannot be read"))[:200]))
        return found

    def failed(self) -> list[tuple[str, str]]:
        """Return the questions that could not be shown or answered, each with the reason, since this was called last."""
        found, self._failed = self._failed, []
        return found

    def close(self) -> None:
        """Have the process end, and its dialog. It is waited for at most a second."""
        if self._to >= 0:
            os.close(self._to)
            self._to, self.alive = -1, False
            deadline = time.monotonic() + 1.0
            while select.select([self.descriptor], [], [], max(0.0, deadline - time.monotonic()))[0]:
                if not _read(self.descriptor):
                    break
            os.close(self.descriptor)
            try:
                os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:
                pass  # collected by the guard, with whatever else has ended

    def _send(self, message: dict[str, Any]) -> None:
        self._waiting += strict_json.encode(message).encode("ascii") + b"\n"
        self._flush()

    def _flush(self) -> None:
        try:
            while self._waiting and self._to >= 0:
                self._waiting = self._waiting[os.write(self._to, self._waiting) :]
        except BlockingIOError:
            pass  # goes with the next call
        except OSError:
            self.alive, self._waiting = False, b""

    def _lines(self) -> list[dict[str, Any]]:
        if self._to < 0:
            return []
        while True:
            data = _read(self.descriptor)
            if data is None:
                break
            if not data or len(self._partial) > _MAX_LINE:
                self.alive = False
                break
            self._partial += data
        *lines, self._partial = self._partial.split(b"\n")
        return [message for message in map(_decoded, lines) if message is not None]


# --- the process --------------------------------------------------------------------------------------------------------------------


def _be_approver(program: str, environment: Mapping[str, str], questions: int, answers: int, guard: int) -> NoReturn:
    """Be the process. Never returns."""
    try:
        wake = _become_own_process(questions, answers)
        if _LINUX:
            from stdioguard.sandbox.linux import desktop, kernel  # noqa: PLC0415 - Linux alone

            kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGTERM)
            desktop.confine()
        if os.getppid() == guard:
            _Desktop(program, environment, questions, answers, wake).run()
    except BaseException:  # noqa: BLE001, S110 - nothing may escape into a second copy of the guard; it sees that this one is gone
        pass
    finally:
        os._exit(0)


class _Desktop:
    """One dialog on the screen, and the questions that wait for it."""

    def __init__(self, program: str, environment: Mapping[str, str], questions: int, answers: int, wake: int) -> None:
        self._program = program
        self._environment = dialog.environment(environment)
        self._own = environment
        self._questions, self._answers, self._wake = questions, answers, wake
        self._queue: dict[str, dict[str, Any]] = {}
        self._asked: dict[str, Any] | None = None
        self._shown: dialog.Shown | None = None
        self._step = self._tries = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._output = b""
        self._output_open = False
        self._since = 0.0
        self._version: int | None = None

    def run(self) -> None:
        """Ask until the guard has gone."""
        os.set_blocking(self._questions, False)
        partial = b""
        try:
            while True:
                ready = select.select([self._questions, self._wake, *self._reading()], [], [])[0]
                if self._wake in ready and signal.SIGTERM in os.read(self._wake, 512):
                    return
                if self._questions in ready:
                    data = _read(self._questions)
                    if data == b"" or len(partial) > _MAX_LINE:
                        return
                    *lines, partial = (partial + (data or b"")).split(b"\n")
                    for line in lines:
                        self._take(_decoded(line) or {})
                self._look()
                while self._asked is None and self._queue:
                    self._asked = self._queue.pop(next(iter(self._queue)))
                    self._tries = 0
                    self._start()
        finally:
            self._end()

    def _reading(self) -> list[int]:
        return [self._process.stdout.fileno()] if self._process is not None and self._process.stdout and self._output_open else []

    def _take(self, message: dict[str, Any]) -> None:
        question = message.get("ask")
        if type(question) is dict:
            if self._asked is not None and self._asked["id"] == question["id"]:
                if self._asked["digest"] == question["digest"]:
                    return
                self._end()
            if question["id"] in self._queue or len(self._queue) < MAX_OPEN:
                self._queue[question["id"]] = question
        elif "withdraw" in message:
            self._queue.pop(message["withdraw"], None)
            if self._asked is not None and self._asked["id"] == message["withdraw"]:
                self._end()

    def _start(self) -> None:
        """Show the question that is to be asked."""
        assert self._asked is not None  # noqa: S101 - for the type checker
        try:
            self._shown = dialog.show(self._asked, self._program)
            if self._program == "zenity" and self._version is None:
                self._version = dialog.zenity_version(self._own)
            self._step = 0
            self._execute(self._shown)
        except OSError as error:
            self._fail(f"{self._program}: {error.strerror or error}")

    def _execute(self, shown: dialog.Shown) -> None:
        import subprocess  # noqa: PLC0415 - where a dialog is shown

        stdin = _file_with(shown.stdin)
        try:
            self._process = subprocess.Popen(  # noqa: S603 - a fixed command; see dialog.py
                shown.commands[self._step],
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=self._environment,
                cwd="/",
                start_new_session=True,
                preexec_fn=_die_with_parent if _LINUX else None,  # noqa: PLW1509 - this process has one thread
            )
        finally:
            os.close(stdin)
        if self._process.stdout is not None:
            os.set_blocking(self._process.stdout.fileno(), False)
        self._output, self._output_open = b"", True
        self._since = time.monotonic()

    def _look(self) -> None:
        """See whether the dialog has ended, and what that means."""
        process = self._process
        if process is None or process.stdout is None:
            return
        status = process.poll()  # before reading: what an ended process has said is there to be read
        while self._output_open and len(self._output) <= _MAX_OUTPUT:
            data = _read(process.stdout.fileno())
            if data is None:
                break
            self._output += data
            self._output_open = data != b""
        if len(self._output) > _MAX_OUTPUT:
            self._fail("the dialog said more than an answer")
        elif status is not None:
            self._ended(status)

    def _ended(self, status: int) -> None:
        assert self._asked is not None  # noqa: S101 - for the type checker
        assert self._shown is not None  # noqa: S101
        question, output = self._asked, self._output
        if self._step + 1 < len(self._shown.commands):
            self._forget_process()
            self._step += 1
            try:
                self._execute(self._shown)
            except OSError as error:
                self._fail(f"{self._program}: {error.strerror or error}")
            return
        decision = dialog.outcome(question, self._program, status, output, 4 if self._version is None else self._version)
        if decision is None:
            self._fail(f"{self._program} ended without an answer (status {status})")
        elif decision != dialog.DENY and time.monotonic() - self._since < TOO_SOON:
            self._forget_process()
            self._tries += 1
            if self._tries < MAX_TRIES:
                self._start()
            else:
                self._fail("allowed each time before it could be read")
        else:
            scope = "session" if decision == dialog.SESSION else "once"
            self._tell({"id": question["id"], "digest": question["digest"], "approved": decision != dialog.DENY, "scope": scope})
            self._end()

    def _fail(self, why: str) -> None:
        assert self._asked is not None  # noqa: S101 - for the type checker
        self._tell({"id": self._asked["id"], "digest": self._asked["digest"], "failed": why})
        self._end()

    def _end(self) -> None:
        """Take what is shown from the screen, with every process that it has started in its group."""
        process = self._process
        if process is not None and process.returncode is None:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except OSError:
                pass
            process.wait()
        self._forget_process()
        self._asked = self._shown = None

    def _forget_process(self) -> None:
        if self._process is not None and self._process.stdout is not None:
            self._process.stdout.close()
        self._process = None

    def _tell(self, message: dict[str, Any]) -> None:
        os.write(self._answers, strict_json.encode(message).encode("ascii") + b"\n")


def _become_own_process(*kept: int) -> int:
    """Let go of what is the guard's, its streams above all; return a descriptor that tells signals."""
    from stdioguard.sandbox.signals import default_signals  # noqa: PLC0415 - in this process alone

    os.setsid()  # what the terminal sends goes to the guard, with which this process ends
    default_signals()
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    lowest = 3
    for descriptor in sorted(kept):
        os.closerange(lowest, descriptor)
        lowest = descriptor + 1
    os.closerange(lowest, (1 << 31) - 1 if _LINUX else 4096)
    wake, woken = os.pipe()
    for descriptor in (wake, woken):
        os.set_blocking(descriptor, False)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    return wake


def _die_with_parent() -> None:
    from stdioguard.sandbox.linux import kernel  # noqa: PLC0415 - Linux alone, loaded already

    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)


def _file_with(data: bytes) -> int:
    """Return a descriptor that reads `data`: one that has it all, since a dialog that does not read must not hold up this process."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("question", os.MFD_CLOEXEC)
    else:
        import tempfile  # noqa: PLC0415 - where memory has no descriptors

        descriptor, path = tempfile.mkstemp()
        os.unlink(path)
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _decoded(line: bytes) -> dict[str, Any] | None:
    try:
        message = strict_json.decode(line)
    except MalformedError:
        return None
    return message if type(message) is dict else None


def _read(descriptor: int) -> bytes | None:
    """Read a chunk; `b""` is the end, `None` that there is nothing now."""
    try:
        return os.read(descriptor, 1 << 16)
    except (BlockingIOError, InterruptedError):
        return None
    except OSError:
        return b""


def _pipe() -> tuple[int, int]:
    """Make a pipe whose ends are above the standard descriptors, and which holds a question of any size where the system allows it."""
    import fcntl  # noqa: PLC0415 - with its only use

    ends = []
    for end in os.pipe():
        ends.append(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10))
        os.close(end)
    if _LINUX:
        try:
            fcntl.fcntl(ends[1], fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
        except OSError:
            pass
    return ends[0], ends[1]
