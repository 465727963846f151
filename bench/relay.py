"""The yardstick proxy: parse each line, encode it again, pass it on. No checks at all.

Usage: `python relay.py COMMAND [ARG]...`. This is what the simplest honest Python proxy costs: two threads,
and in each `readline`, `json.loads`, `json.dumps`, `write`, `flush`. The guard's figures are given as
multiples of it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from typing import IO


def relay(source: IO[bytes], target: IO[bytes]) -> None:
    """Copy messages from `source` to `target` until `source` ends, then close `target`."""
    while line := source.readline():
        target.write(json.dumps(json.loads(line)).encode() + b"\n")
        target.flush()
    target.close()


def main() -> int:
    """Relay both directions; the exit code is the server's."""
    server = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    if server.stdin is None or server.stdout is None:
        return 70
    threading.Thread(target=relay, args=(sys.stdin.buffer, server.stdin), daemon=True).start()
    relay(server.stdout, sys.stdout.buffer)
    return server.wait()


if __name__ == "__main__":
    sys.exit(main())
