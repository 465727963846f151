"""Write one session's record: a file of JSON lines in the state directory, mode 0600, written before the decision takes effect."""

from __future__ import annotations

import os
import time

from stdioguard.ledger import redact
from stdioguard.policy import places
from stdioguard.wire import strict_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


MAX_NOISE = 100
"""How often the same refusal of a message that is nobody's request is written in full."""

_STOPPED = frozenset({"refuse", "drop"})


class Record:
    """An open record. Every failure to write raises `OSError`: the caller then lets nothing through."""

    def __init__(self, server_name: str) -> None:
        state = places.private_directory(places.directory("state"))
        folder = places.private_directory(os.path.join(state, "records"))
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        safe = "".join(char if (char.isalnum() and char.isascii()) or char in "-_." else "_" for char in server_name)[:64]
        self.path = os.path.join(folder, f"{stamp}-{safe}-{os.getpid()}-{os.urandom(3).hex()}.jsonl")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        self._descriptor = os.open(self.path, flags, 0o600)
        self._size = 0
        self._sequence = 0
        self._second = -1
        self._stamp = ""
        self._noise: dict[tuple[str, str | None], int] = {}

    def write(self, entries: list[dict[str, Any]]) -> None:
        """Append `entries`, each with its number and the time (UTC), all of them or none.

        Raises `OSError` where the file system does not take them.
        """
        if not entries:
            return
        stamp = self._now()
        lines: list[str] = []
        for entry in entries:
            arguments: Any = None
            if entry.get("verdict") in _STOPPED:
                if entry["kind"] != "request" and self._is_noise(entry):
                    continue
                if "method" in entry:  # what was passed on has a method of the table
                    entry["method"] = redact.name(entry["method"])
            if "detail" in entry:
                entry["detail"] = redact.text(entry["detail"])
            if "tool" in entry:
                entry["tool"] = redact.name(entry["tool"])
                arguments = entry.pop("arguments", None)
            if type(entry.get("id")) is str:
                entry["id"] = redact.name(entry["id"])
            line = strict_json.encode(entry)
            if arguments is not None:
                line = f'{line[:-1]},"arguments":{redact.arguments(arguments)}}}'
            self._sequence += 1
            lines.append(f'{{"seq":{self._sequence},"time":"{stamp}",{line[1:]}')
        lines.append("")
        data = "\n".join(lines).encode("ascii")
        written = 0
        try:
            while written < len(data):
                written += os.write(self._descriptor, data[written:] if written else data)
        except OSError:
            if written:
                # Half a line would make the rest of the record unreadable.
                os.ftruncate(self._descriptor, self._size)
            raise
        self._size += written

    def _is_noise(self, entry: dict[str, Any]) -> bool:
        """Tell whether an entry says what a hundred before it have said; every thousandth of those is kept, with their number.

        Only for what had no effect and is nobody's request: a server that prints, or floods, must not fill the disk.
        """
        key = (entry["from"], entry.get("rule"))
        count = self._noise[key] = self._noise.get(key, 0) + 1
        if count <= MAX_NOISE:
            return False
        entry["times"] = count
        return count % 1000 != 0

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def _now(self) -> str:
        now = time.time()
        second = int(now)
        if second != self._second:
            self._second = second
            self._stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._stamp}.{int((now - second) * 1000):03d}Z"
