"""One notification: which handler answers it, with what, and what is told of a refusal."""

from __future__ import annotations

import errno
import json
import os

from stdioguard.sandbox.linux import kernel, trapped
from stdioguard.sandbox.linux.broker import files, metadata, sockets
from stdioguard.sandbox.linux.broker.calls import Call, Gone
from stdioguard.sandbox.linux.broker.paths import Resolver
from stdioguard.sandbox.linux.broker.rules import Refused, Rules
from stdioguard.sandbox.linux.broker.waiting import Waiting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stdioguard.sandbox.patterns import Fence

_MACHINE = kernel.MACHINE
_MOST_REPORTS = 1000
"""Different refusals that are told; a server that tries more than that has been seen to try."""
_LONGEST = 1024
_PROBES = ("/.stdioguard-canary", "/.stdioguard-canary.sock")


def _handlers() -> dict[int, object]:
    found: dict[int, object] = {}
    for name, number in trapped.NUMBERS[_MACHINE].items():
        attribute = "open_" if name == "open" else name
        for module in (files, metadata, sockets):
            handler = getattr(module, attribute, None)
            if callable(handler):
                found[number] = handler
                break
    return found


_NAMES = {number: name for name, number in trapped.NUMBERS[_MACHINE].items()}
_HANDLERS = _handlers()


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

    def take_umask(self, call: Call) -> None:
        """Make files as the caller would: with its umask."""
        os.umask(call.status(b"Umask")[0])

    def handle(self, listener: int) -> None:
        """Answer the next notification. What goes wrong in here is refused to the caller, never let through."""
        self.waiting.sweep()
        try:
            call = Call(listener)
        except OSError:
            return  # its caller has gone
        try:
            self._answer(call)
        except Gone:
            pass
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

    def _answer(self, call: Call) -> None:
        handler = _HANDLERS.get(call.number)
        if handler is None or call.machine != trapped.AUDIT_ARCH[_MACHINE]:
            raise Refused("", "no such call is answered")
        result = handler(self, call)  # type: ignore[operator]  # a table of functions of two shapes
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
        line = {"event": "sandbox", "call": name, "path": refusal.path[:_LONGEST], "rule": refusal.rule[:_LONGEST]}
        data = json.dumps(line).encode("ascii", "replace") + b"\n"
        try:
            os.write(self._report, data[:4096] if data.endswith(b"\n") and len(data) <= 4096 else b"")
        except OSError:
            pass  # the guard has gone, or is slow: the refusal stands
