"""What the proxy tells the guard: one line of JSON for each decision, and a bound on how many there can be."""

from __future__ import annotations

import json
import os
import threading

DISTINCT = 1000
"""Different decisions that are told one by one; the others are counted together."""
LONGEST = 256


class Reports:
    """Writes decisions to a pipe, from any thread.

    A line is `{"event": "network", "host", "port", "verdict": "allow" | "deny", "rule", "reason", "times"}`. `rule` is the rule that
    allowed it or the one that would; `reason` is there where it was denied. A decision that repeats is told again at 2, 4, 8... times.
    Beyond `DISTINCT` different ones, a line has `"others"`, their number, in place of host and port.

    A line is written before the decision is acted on, and writing waits for a guard that is slow: nothing goes out unrecorded.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()
        self._times: dict[tuple[str, int, str, str, str], int] = {}
        self._others = 0

    def allow(self, host: str, port: int, rule: str) -> None:
        """Report that a rule lets the server reach a host."""
        self._decision(host, port, "allow", rule, "")

    def deny(self, host: str, port: int, reason: str, rule: str = "") -> None:
        """Report a refusal. `host` may be any text."""
        self._decision(host, port, "deny", rule, reason)

    def state(self, state: str) -> None:
        """Report what the proxy itself is about, `ready` being the first."""
        with self._lock:
            self._write({"event": "network-proxy", "state": state})

    def _decision(self, host: str, port: int, verdict: str, rule: str, reason: str) -> None:
        key = (host[:LONGEST], port, verdict, rule[: LONGEST + 16], reason[:LONGEST])
        with self._lock:
            if key in self._times or len(self._times) < DISTINCT:
                times = self._times[key] = self._times.get(key, 0) + 1
                line: dict[str, object] = {"event": "network", "host": key[0], "port": port, "verdict": verdict, "rule": key[3]}
                if reason:
                    line["reason"] = key[4]
                if times > 1:
                    line["times"] = times
            else:
                times = self._others = self._others + 1
                line = {"event": "network", "verdict": verdict, "others": times}
            if times & (times - 1) == 0:
                self._write(line)

    def _write(self, line: dict[str, object]) -> None:
        """Write a line whole: it is ASCII without control characters, and shorter than PIPE_BUF (pipe(7)) on every system."""
        data = json.dumps(line).encode("ascii") + b"\n"
        while data:
            data = data[os.write(self._descriptor, data) :]
