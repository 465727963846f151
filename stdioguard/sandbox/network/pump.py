"""Bytes both ways between two sockets, with as much in hand as fits a small buffer and no more."""

from __future__ import annotations

import select
import socket
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Convert = Callable[[bytes], bytes]
    """What was read (nothing at the end) to what is to be written."""

_CHUNK = 64 * 1024
_FULL = 256 * 1024


class Way:
    """One direction. `wanted` tells whether more is to be read; `at_end` is set once nothing more will come."""

    __slots__ = ("at_end", "convert", "pending", "sink", "source", "wanted")

    def __init__(
        self, source: socket.socket, sink: socket.socket, convert: Convert, pending: bytes, wanted: Callable[[], bool]
    ) -> None:
        self.source = source
        self.sink = sink
        self.convert = convert
        self.pending = bytearray(pending)
        self.wanted = wanted
        self.at_end = False

    def read(self) -> bool:
        """Take in what there is. Return False where the source is gone without an end."""
        try:
            data = self.source.recv(_CHUNK)
        except (BlockingIOError, InterruptedError):
            return True
        except OSError:
            self.at_end = True
            return False
        if not data:
            self.at_end = True
        self.pending += self.convert(data)
        return True

    def write(self) -> bool:
        """Give away what can be. Return False where the sink is gone; nothing more is read for it then."""
        try:
            sent = self.sink.send(self.pending)
        except (BlockingIOError, InterruptedError):
            return True
        except OSError:
            self.pending.clear()
            self.at_end = True
            return False
        del self.pending[:sent]
        return True


def pump(out: Way, back: Way, finished: Callable[[], bool], idle: Callable[[], float]) -> bool:
    """Move bytes until `finished`, or nothing is left to be moved. Return False where nothing moved for `idle()` seconds.

    `out` leads from the client, `back` to it; a client that is gone ends it all, an upstream that takes no more may still answer.
    """
    for way in (out, back):
        way.source.setblocking(False)
    poller = select.poll()
    registered: dict[int, int] = {}
    while not finished():
        masks = {out.source.fileno(): 0, back.source.fileno(): 0}
        for way in (out, back):
            if not way.at_end and len(way.pending) < _FULL and way.wanted():
                masks[way.source.fileno()] |= select.POLLIN
            if way.pending:
                masks[way.sink.fileno()] |= select.POLLOUT
        if not any(masks.values()):
            return True
        for descriptor, mask in masks.items():
            _watch(poller, registered, descriptor, mask)
        ready = dict(poller.poll(1000 * idle()))
        if not ready:
            return False
        for way in (out, back):
            if way.pending and ready.get(way.sink.fileno()) and not way.write() and way is back:
                return True
            asked = masks[way.source.fileno()] & select.POLLIN
            if asked and not way.at_end and ready.get(way.source.fileno(), 0) & ~select.POLLOUT and not way.read() and way is out:
                return True
    return True


def _watch(poller: select.poll, registered: dict[int, int], descriptor: int, mask: int) -> None:
    """Watch a descriptor for `mask`; not at all for none, since a hang-up is told unasked and would be told for ever."""
    if registered.get(descriptor, 0) == mask:
        return
    registered[descriptor] = mask
    if mask:
        poller.register(descriptor, mask)
    else:
        poller.unregister(descriptor)


def tunnel(client: socket.socket, upstream: socket.socket, early: bytes, *, idle: float, idle_half: float) -> None:
    """Join two sockets until both have ended. `early` is what the client has sent already.

    Where only one side has ended, the other has `idle_half` seconds to say something, else `idle`.
    """
    out = Way(client, upstream, bytes, early, lambda: True)
    back = Way(upstream, client, bytes, b"", lambda: True)
    told: set[int] = set()

    def finished() -> bool:
        for way in (out, back):
            if way.at_end and not way.pending and way.sink.fileno() not in told:
                told.add(way.sink.fileno())
                _end(way.sink)
        return len(told) == 2

    pump(out, back, finished, lambda: idle_half if out.at_end or back.at_end else idle)


def _end(sink: socket.socket) -> None:
    try:
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        return  # it is gone already


def close_gently(client: socket.socket, patience: float = 2.0, most: int = 256 * 1024) -> None:
    """Close after an answer that the client must see.

    With unread bytes, closing would be a reset, which takes the answer back (RFC 9112, 9.6).
    """
    try:
        client.shutdown(socket.SHUT_WR)
        deadline = time.monotonic() + patience
        while most > 0 and (left := deadline - time.monotonic()) > 0:
            client.settimeout(left)
            data = client.recv(_CHUNK)
            if not data:
                break
            most -= len(data)
    except OSError:
        pass
    finally:
        client.close()
