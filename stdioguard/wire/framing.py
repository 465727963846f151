"""Cut a byte stream into lines, and never hold more of one line than the limit.

MCP's stdio transport delimits messages by newline (2025-11-25, basic/transports#stdio). Only LF ends a frame: the line
splitting that text layers do (lone CR, U+2028, form feed) is what lets one peer see two messages where another sees one.
What is inside a frame is for `strict_json`.
"""

from __future__ import annotations

MAX_FRAME = 16 * 1024 * 1024
"""Bytes in the longest frame that is accepted, without its LF."""

EXCERPT = 4096
"""Bytes kept from each end of a frame that is too long, to tell which request it answers."""


class Oversized:
    """A frame that was given up: its first and last bytes, how many there were, and whether time or size was the reason."""

    __slots__ = ("head", "size", "slow", "tail")

    def __init__(self, head: bytes, tail: bytes, size: int, *, slow: bool = False) -> None:
        self.head = head
        self.tail = tail
        self.size = size
        self.slow = slow


class FrameReader:
    """Feed it chunks, get back the frames that they complete.

    The work is linear in the bytes fed, however they are cut: a chunk is searched for LF once and never again.
    """

    __slots__ = ("_held", "_limit", "_lost", "_size")

    def __init__(self, limit: int = MAX_FRAME) -> None:
        self._limit = limit
        self._held = bytearray()
        self._size = 0
        self._lost: Oversized | None = None

    @property
    def pending(self) -> int:
        """Bytes of the frame that has begun and not ended (counted, not necessarily held)."""
        return self._size

    def feed(self, data: bytes) -> list[bytes | Oversized]:
        """Return the frames that `data` completes, in order."""
        if b"\n" not in data:
            self._hold(data)
            return []
        parts = data.split(b"\n")
        frames: list[bytes | Oversized] = []
        for part in parts[:-1]:
            if not self._size and len(part) <= self._limit:
                frames.append(part)
            else:
                self._hold(part)
                frames.append(self._take())
        self._hold(parts[-1])
        return frames

    def abandon(self, *, slow: bool = False) -> None:
        """Give up the frame that has begun: its bytes are dropped, and its end yields an `Oversized`."""
        if self._lost is None and self._size:
            self._lost = Oversized(bytes(self._held[:EXCERPT]), bytes(self._held[-EXCERPT:]), 0, slow=slow)
            self._held.clear()

    def rest(self) -> bytes:
        """Return what is held of a frame that will have no end."""
        return bytes(self._held)

    def _hold(self, part: bytes) -> None:
        if not part:
            return
        self._size += len(part)
        if self._lost is not None:
            self._lost.tail = (self._lost.tail + part[-EXCERPT:])[-EXCERPT:]
            return
        self._held += part
        if self._size > self._limit:
            self.abandon()

    def _take(self) -> bytes | Oversized:
        frame: bytes | Oversized
        if self._lost is not None:
            self._lost.size = self._size
            frame = self._lost
        else:
            frame = bytes(self._held)
        self._held = bytearray()
        self._lost, self._size = None, 0
        return frame
