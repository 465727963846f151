"""The process that shows dialogs: the guard, once confined, can start no program, and what a dialog answers must not pass through a file.

It is made before the guard confines itself, holds nothing of the guard's but two pipes, and ends with it. The lines on the pipes are JSON:

    guard -> approver    {"ask": {"id", "digest", "text", "risk", "remember", ...}} and {"withdraw": ID}
    approver -> guard    {"id", "digest", "approved", "scope"}, or {"id", "digest", "failed": WHY} where nobody could answer

The guard makes the text (`dialog.text`); an answer bears the digest of the question whose text was on the screen. On X11 every program of
the same desktop can press a dialog's buttons. So to allow high risk takes the person's passphrase, and the answer then bears `seen` and
`signature` as well (see `proof`). This is the guard's end; what the process does is in `desktop`.
"""

from __future__ import annotations

import os
import select
import sys
import time

from stdioguard.approval import dialog, proof, shown
from stdioguard.wire import strict_json
from stdioguard.wire.errors import MalformedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, NoReturn

MAX_OPEN = 16
"""Questions that wait at a time. Others are not taken."""
MAX_LINE = 1 << 20
_PIPE_SIZE = 1 << 20


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

    def ask(self, members: Mapping[str, Any], key: dict[str, Any] | None = None) -> bool:
        """Show a question, whose members are those of the queue and `id`, when those before it are done; return whether it was taken.

        `key` is what `proof.read` has found: without it high risk can only be denied.
        """
        id_ = members["id"]
        if not self.alive or (len(self._asked) >= MAX_OPEN and id_ not in self._asked):
            return False
        question = {
            "id": id_,
            "digest": members["digest"],
            "text": dialog.text(members, has_passphrase=key is not None),
            "risk": members["risk"],
            "remember": members.get("remember") is True,
            "server": members["server"][:200],
            "tool": members["tool"][:200],
        }
        if shown.risk(members) == "high":
            question |= {"key": key, "seen": proof.seen(dict(members))}
        self._asked[id_] = question
        self._send({"ask": question})
        return self.alive

    def withdraw(self, id: str) -> None:  # noqa: A002
        """Take a question back: its dialog goes, and an answer to it that is on its way counts no more."""
        if self._asked.pop(id, None) is not None:
            self._send({"withdraw": id})

    def answers(self) -> list[dict[str, Any]]:
        """Return the decisions that have come: `id`, `digest`, `approved`, `scope` (`once` or `session`), and what proves them.

        Whoever takes them verifies that.
        """
        self._flush()
        found = []
        for line in self._lines():
            question = self._asked.get(line.get("id", ""))
            if question is None or line.get("digest") != question["digest"]:
                continue  # withdrawn, or asked anew with other arguments, since
            del self._asked[question["id"]]
            scope = line.get("scope")
            if type(line.get("approved")) is bool and (scope == "once" or (scope == "session" and question["remember"])):
                members = ("id", "digest", "approved", "scope", "seen", "signature")
                found.append({key: line[key] for key in members if key in line})
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
                if not read(self.descriptor):
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
            data = read(self.descriptor)
            if data is None:
                break
            if not data or len(self._partial) > MAX_LINE:
                self.alive = False
                break
            self._partial += data
        *lines, self._partial = self._partial.split(b"\n")
        return [message for message in map(decoded, lines) if message is not None]


def _be_approver(program: str, environment: Mapping[str, str], questions: int, answers: int, guard: int) -> NoReturn:
    """Be the process. Never returns."""
    try:
        from stdioguard.approval import desktop  # noqa: PLC0415 - in this process alone

        desktop.main(program, environment, questions, answers, guard)
    except BaseException:  # noqa: BLE001, S110 - nothing may escape into a second copy of the guard; it sees that this one is gone
        pass
    finally:
        os._exit(0)


# --- what both ends do --------------------------------------------------------------------------------------------------------------


def decoded(line: bytes) -> dict[str, Any] | None:
    """Return the message on a line of the pipes, or `None`."""
    try:
        message = strict_json.decode(line)
    except MalformedError:
        return None
    return message if type(message) is dict else None


def read(descriptor: int) -> bytes | None:
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
    if sys.platform == "linux":
        try:
            fcntl.fcntl(ends[1], fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
        except OSError:
            pass
    return ends[0], ends[1]
