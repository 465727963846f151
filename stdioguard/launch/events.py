"""What the sandbox and the network proxy tell the guard, on its way to the record: a line of JSON each, bounded in size and number."""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_LONGEST = 4096
"""Bytes of a line: what a pipe takes whole (pipe(7), PIPE_BUF)."""
_KINDS = ("sandbox", "network", "network-proxy")
MOST = 10_000
"""Events of one session that are recorded; what tells more than that has failed to bound itself."""


class EventReader:
    """Bytes of the pipe in, entries for the record out."""

    def __init__(self) -> None:
        self._held = b""
        self._count = 0

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """Return the entries that `data` completes. What is no event is recorded as such, not trusted and not lost."""
        *lines, self._held = (self._held + data).split(b"\n")
        if len(self._held) > _LONGEST:
            self._held = b""
        entries: list[dict[str, Any]] = []
        for line in lines:
            self._count += 1
            if self._count <= MOST:
                entries.append(_entry(line))
        return entries


def _entry(line: bytes) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except ValueError:
        entry = None
    if type(entry) is dict and entry.get("event") in _KINDS and not entry.keys() & {"seq", "time", "kind"}:
        return {key: value for key, value in entry.items() if type(value) in (str, int, bool)}
    return {"event": "sandbox", "detail": "an event that cannot be read"}
