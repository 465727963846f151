"""What the process of the dialogs does (see `approver`): one dialog on the screen at a time, the questions that wait for it, the answers.

The passphrase comes from the dialog by a socket that only these two hold, makes the signature here, and is forgotten. Other programs of
this user can look up what a process has open (proc(5)): a pipe could be read there, and a question in memory be rewritten. So the one is a
socket, which cannot be opened twice, and the other is sealed.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import time

from stdioguard.approval import dialog, programs, proof
from stdioguard.approval.approver import MAX_LINE, MAX_OPEN, decoded, read
from stdioguard.sandbox.forked import become_own_process
from stdioguard.wire import strict_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

TOO_SOON = 1.5
"""Seconds from the start of a dialog in which nobody can have read it: what allows then was meant for another window."""
MAX_SHOWN = 4
"""Times that one question is shown, after answers that came too soon."""
MAX_WRONG = 3
"""Wrong passphrases for one question. The last one denies it: so who guesses is slowed down like whoever is denied time and again."""
_MAX_OUTPUT = 8192
_LINUX = sys.platform == "linux"


def main(program: str, environment: Mapping[str, str], questions: int, answers: int, guard: int) -> None:
    """Ask until the guard has gone; `guard` is its process id."""
    os.setsid()  # what the terminal sends goes to the guard, with which this process ends
    become_own_process(questions, answers, streams=(0, 1, 2))
    wake, woken = os.pipe()
    for descriptor in (wake, woken):
        os.set_blocking(descriptor, False)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    _leave_no_core()
    if _LINUX:
        from stdioguard.sandbox.linux import desktop, kernel  # noqa: PLC0415 - Linux alone

        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGTERM)
        desktop.confine()
    if os.getppid() == guard:
        Desktop(program, environment, questions, answers, wake).run()


class Desktop:
    """One dialog on the screen, and the questions that wait for it."""

    def __init__(self, program: str, environment: Mapping[str, str], questions: int, answers: int, wake: int) -> None:
        self._program = program
        self._environment = dialog.environment(environment)
        self._own = environment
        self._questions, self._answers, self._wake = questions, answers, wake
        self._queue: dict[str, dict[str, Any]] = {}
        self._asked: dict[str, Any] | None = None
        self._steps: list[programs.Step] = []
        self._step = self._times = self._wrong = 0
        self._chosen = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._said: socket.socket | None = None
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
                reading = [self._said.fileno()] if self._said is not None and self._output_open else []
                ready = select.select([self._questions, self._wake, *reading], [], [])[0]
                if self._wake in ready and signal.SIGTERM in os.read(self._wake, 512):
                    return
                if self._questions in ready:
                    data = read(self._questions)
                    if data == b"" or len(partial) > MAX_LINE:
                        return
                    *lines, partial = (partial + (data or b"")).split(b"\n")
                    for line in lines:
                        self._take(decoded(line) or {})
                self._look()
                while self._asked is None and self._queue:
                    self._asked = self._queue.pop(next(iter(self._queue)))
                    self._times = self._wrong = 0
                    self._show()
        finally:
            self._end()

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

    # --- showing ----------------------------------------------------------------------------------------------------------------

    def _show(self, step: int = 0) -> None:
        """Show the question that is to be asked, or go on with one of its steps."""
        assert self._asked is not None  # noqa: S101 - for the type checker
        self._forget_process()
        try:
            left = MAX_WRONG - self._wrong if self._wrong else None
            self._steps, self._step = programs.steps(self._asked, self._program, left), step
            if self._program == "zenity" and self._version is None:
                self._version = dialog.zenity_version(self._own)
            self._execute(self._steps[step])
        except OSError as error:
            self._fail(f"{self._program}: {error.strerror or error}")

    def _execute(self, step: programs.Step) -> None:
        stdin = _file_with(step.stdin)
        self._said, theirs = socket.socketpair()
        try:
            self._process = subprocess.Popen(  # noqa: S603 - a fixed command; see programs.py
                step.command,
                stdin=stdin,
                stdout=theirs.fileno(),
                stderr=subprocess.DEVNULL,
                env=self._environment,
                cwd="/",
                start_new_session=True,
                preexec_fn=_die_with_parent if _LINUX else None,  # noqa: PLW1509 - this process has one thread
            )
        finally:
            os.close(stdin)
            theirs.close()
        self._said.setblocking(False)
        self._output, self._output_open = b"", True
        self._since = time.monotonic()

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
        self._asked = None

    def _forget_process(self) -> None:
        if self._said is not None:
            self._said.close()
        self._process = self._said = None
        self._output = b""

    # --- what comes back --------------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """See whether the dialog has ended, and what that means."""
        process = self._process
        if process is None or self._said is None:
            return
        status = process.poll()  # before reading: what an ended process has said is there to be read
        while self._output_open and len(self._output) <= _MAX_OUTPUT:
            data = read(self._said.fileno())
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
        question, step = self._asked, self._steps[self._step]
        if step.kind == programs.READ:
            self._show(self._step + 1)
            return
        version = 4 if self._version is None else self._version
        answer = programs.outcome(question, self._program, step.kind, status, self._output, version)
        if answer is None:
            self._fail(f"{self._program} ended without an answer (status {status})")
        elif answer.decision == programs.DENY:
            self._decide(programs.DENY)
        elif answer.decision == programs.AGAIN:
            self._show()
        elif step.kind == programs.CHOICE and time.monotonic() - self._since < TOO_SOON:
            self._times += 1
            if self._times < MAX_SHOWN:
                self._show(self._step)
            else:
                self._fail("allowed each time before it could be read")
        else:
            self._chosen = answer.decision or self._chosen
            if answer.passphrase is not None:
                self._sign(question, answer.passphrase)
            elif programs.is_signed(question):
                self._show(self._step + 1)
            else:
                self._decide(self._chosen)

    def _sign(self, question: dict[str, Any], passphrase: str) -> None:
        decision = {**_decision(question, self._chosen), "channel": "dialog", "seen": question["seen"]}
        try:
            signature = proof.sign(passphrase, question["key"], decision)
        except proof.WrongPassphraseError:
            self._wrong += 1
            if self._wrong < MAX_WRONG:
                self._show(self._step)
            else:
                self._decide(programs.DENY)
        else:
            self._decide(self._chosen, {"seen": question["seen"], "signature": signature})

    def _decide(self, decision: str, proved: dict[str, Any] | None = None) -> None:
        assert self._asked is not None  # noqa: S101 - for the type checker
        self._tell({**_decision(self._asked, decision), **(proved or {})})
        self._end()

    def _fail(self, why: str) -> None:
        assert self._asked is not None  # noqa: S101 - for the type checker
        self._tell({"id": self._asked["id"], "digest": self._asked["digest"], "failed": why})
        self._end()

    def _tell(self, message: dict[str, Any]) -> None:
        os.write(self._answers, strict_json.encode(message).encode("ascii") + b"\n")


def _decision(question: dict[str, Any], decision: str) -> dict[str, Any]:
    scope = "session" if decision == programs.SESSION else "once"
    return {"id": question["id"], "digest": question["digest"], "approved": decision != programs.DENY, "scope": scope}


def _leave_no_core() -> None:
    """Have neither this process nor a dialog, in whose memory a passphrase may be, end in a file."""
    try:
        import resource  # noqa: PLC0415 - Windows has none
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _die_with_parent() -> None:
    from stdioguard.sandbox.linux import kernel  # noqa: PLC0415 - Linux alone, loaded already

    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)


def _file_with(data: bytes) -> int:
    """Return a descriptor that reads `data`: one that has it all, since a dialog that does not read must not hold up this process."""
    is_memory = hasattr(os, "memfd_create")
    if is_memory:
        descriptor = os.memfd_create("question", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    else:
        import tempfile  # noqa: PLC0415 - where memory has no descriptors

        descriptor, path = tempfile.mkstemp()
        os.unlink(path)
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]
    os.lseek(descriptor, 0, os.SEEK_SET)
    if is_memory:
        import fcntl  # noqa: PLC0415 - with its only use

        fcntl.fcntl(
            descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
        )
    return descriptor
