"""One notification: which handler answers it, with what, and what is told of a refusal."""

from __future__ import annotations

import errno
import json
import os
import signal

from stdioguard.sandbox.linux import kernel, trapped
from stdioguard.sandbox.linux.broker import files, looks, metadata, signals, sockets
from stdioguard.sandbox.linux.broker.calls import Call, Gone
from stdioguard.sandbox.linux.broker.paths import Resolver
from stdioguard.sandbox.linux.broker.rules import Refused, Rules
from stdioguard.sandbox.linux.broker.waiting import Waiting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from stdioguard.sandbox.patterns import Fence

_MACHINE = kernel.MACHINE
_MOST_REPORTS = 1000
"""Different refusals that are told; a server that tries more than that has been seen to try."""
_LONGEST = (1024, 200)
"""Characters of a path that are told, if its line is below PIPE_BUF then: such a line is written as a whole or not at all (pipe(7))."""
_PIPE_BUF = 4096
_PROBES = ("/.stdioguard-canary", "/.stdioguard-canary.sock", "/.stdioguard-probe")

_NAMES = {number: name for name, number in trapped.NUMBERS[_MACHINE].items()}
_BY_NAME: dict[str, Callable[[Broker, Call], int | None]] = {
    **files.HANDLERS,
    **metadata.HANDLERS,
    **looks.HANDLERS,
    **sockets.HANDLERS,
    **signals.HANDLERS,
}
_HANDLERS = {number: _BY_NAME[name] for number, name in _NAMES.items()}


class Broker:
    """Answers the trapped calls of one server.

    `readable` and `writable` are the granted folders, `private` the server's own, `sockets` the granted UNIX sockets; `inet` is `any`
    in a network namespace of its own, else the one address that may be connected to, or `None`. Refusals are told on the descriptor
    `report`.
    """

    def __init__(
        self,
        fence: Fence,
        *,
        readable: list[str],
        writable: list[str],
        private: list[str],
        sockets: list[str],
        inet: tuple[str, int] | str | None,
        report: int,
    ) -> None:
        self.rules = Rules(fence, readable=readable, writable=writable, private=private, sockets=sockets, inet=inet)
        self.resolver = Resolver()
        self.waiting = Waiting()
        self._report = report
        self._told: set[tuple[str, str]] = set()
        self._prepared = False

    def take_umask(self, call: Call) -> None:
        """Make files as the caller would: with its umask."""
        os.umask(call.status(b"Umask")[0])

    def handle(self, listener: int) -> None:
        """Answer the next notification. What goes wrong in here is refused to the caller, never let through. For the main thread."""
        if not self._prepared:
            self._prepare()
        self.waiting.sweep()
        try:
            call = Call(listener)
        except OSError:
            return  # its caller has gone
        try:
            self._answer(call)
        except Gone:
            call.answered = True
        except Refused as refusal:
            call.answer(0, errno.EACCES)
            self._tell(call, refusal)
        except OSError as error:
            call.answer(0, error.errno or errno.EIO)
        except Exception:  # noqa: BLE001 - a mistake of ours must not become a way through, nor end the broker
            call.answer(0, errno.EPERM)
        finally:
            if not call.answered:
                call.answer(0, errno.EPERM)
            call.close()

    def _prepare(self) -> None:
        """Get ready in the process that answers, which is not always the one that made this object."""
        self._prepared = True
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a truncation above the limit is the caller's failure, not our end
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        os.set_blocking(self._report, False)

    def _answer(self, call: Call) -> None:
        handler = _HANDLERS.get(call.number)
        if handler is None or call.machine != trapped.AUDIT_ARCH[_MACHINE]:
            raise Refused("", "no such call is answered")
        result = handler(self, call)
        if not call.answered:
            call.answer(result or 0)

    def _tell(self, call: Call, refusal: Refused) -> None:
        """Tell the guard, each refusal once, and never wait for it."""
        name = _NAMES.get(call.number, str(call.number))
        key = (name, refusal.path)
        if refusal.path.endswith(_PROBES):
            return  # tried by the launch itself
        if key in self._told or len(self._told) >= _MOST_REPORTS:
            return
        self._told.add(key)
        for longest in _LONGEST:
            line = {"event": "sandbox", "call": name, "path": refusal.path[:longest], "rule": refusal.rule[:100]}
            data = json.dumps(line).encode("ascii") + b"\n"
            if len(data) <= _PIPE_BUF:
                break
        try:
            os.write(self._report, data)
        except OSError:
            pass  # the guard has gone, or is slow: the refusal stands
