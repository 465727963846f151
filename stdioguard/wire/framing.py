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
    """A frame that was longer than the limit: its first and last bytes, and how many there were."""

    __slots__ = ("head", "size", "tail")

    def __init__(self, head: bytes, tail: bytes, size: int) -> None:
        self.head = head
        self.tail = tail
        self.size = size


class FrameReader:
    """Feed it chunks, get back the frames that they complete.

    The work is linear in the bytes fed, however they are cut: a chunk is searched for LF once and never again.
    """

    __slots__ = ("_chunks", "_head", "_limit", "_size", "_tail")

    def __init__(self, limit: int = MAX_FRAME) -> None:
        self._limit = limit
        self._chunks: list[bytes] = []
        self._size = 0
        self._head: bytes | None = None
        self._tail = b""

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
            self._hold(part)
            frames.append(self._take())
        self._hold(parts[-1])
        return frames

    def abandon(self) -> None:
        """Give up the frame that has begun: its bytes are dropped, and its end yields an `Oversized`."""
        if self._head is None and self._size:
            held = b"".join(self._chunks)
            self._head, self._tail = held[:EXCERPT], held[-EXCERPT:]
            self._chunks.clear()

    def _hold(self, part: bytes) -> None:
        if not part:
            return
        self._size += len(part)
        if self._head is not None:
            self._tail = (self._tail + part[-EXCERPT:])[-EXCERPT:]
            return
        self._chunks.append(part)
        if self._size > self._limit:
            self.abandon()

    def _take(self) -> bytes | Oversized:
        frame: bytes | Oversized
        if self._head is not None:
            frame = Oversized(self._head, self._tail, self._size)
        else:
            frame = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        self._head, self._tail, self._size = None, b"", 0
        return frame
