"""A hostile MCP server: it tries what it is told to, one forked child an attempt, and tells exactly how that went.

Standard library only. It is started by file name, bare or behind the guard, and finds the attempts in the folder it lies in.
"""

from __future__ import annotations

import errno
import importlib.util
import json
import os
import select
import signal
import sys
import time
from typing import Any

_DETAIL = 16384


def _text(value: Any) -> str:
    if isinstance(value, bytes | bytearray):
        return bytes(value).decode("latin-1")
    return value if isinstance(value, str) else json.dumps(value, default=repr)


def _run(function: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"ok": True, "errno": None, "detail": _text(function(**arguments))[:_DETAIL]}
    except OSError as error:
        name = errno.errorcode.get(error.errno or 0, type(error).__name__)
        return {"ok": False, "errno": name, "detail": str(error)[:_DETAIL]}
    except Exception as error:
        import traceback

        return {"ok": False, "errno": type(error).__name__, "detail": traceback.format_exc()[-_DETAIL:], "bug": str(error)}


def attempt(function: Any, arguments: dict[str, Any], timeout: float) -> dict[str, Any]:
    """Run the function in a forked child and return its outcome, also where the child dies or never ends."""
    sys.stdout.flush()
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setpgid(0, 0)
            os.close(reading)
            null = os.open(os.devnull, os.O_RDWR)
            for number in (0, 1):
                os.dup2(null, number)
            os.close(null)
            outcome = json.dumps(_run(function, arguments)).encode()
            while outcome:
                outcome = outcome[os.write(writing, outcome) :]
        finally:
            os._exit(0)
    os.close(writing)
    deadline = time.monotonic() + timeout
    data = b""
    late = False
    while True:
        ready, _, _ = select.select([reading], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            late = True
            break
        chunk = os.read(reading, 1 << 16)
        if not chunk:
            break
        data += chunk
        try:
            json.loads(data)
            break  # whole; a daemon that the attempt left behind may hold the pipe open for ever
        except ValueError:
            continue
    os.close(reading)
    status = 0
    if late or not data:
        # The end of the pipe comes a moment before the end of the process.
        for _ in range(100 if not late else 1):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                break
            time.sleep(0.01)
        else:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return {"ok": False, "errno": "timeout", "detail": ""}
    else:
        _, status = os.waitpid(pid, 0)
    if data:
        answer: dict[str, Any] = json.loads(data)
        return answer
    code = os.waitstatus_to_exitcode(status)
    name = signal.Signals(-code).name if code < 0 else f"status-{code}"
    return {"ok": False, "errno": name, "detail": "the child died"}


def answer(catalogue: dict[str, Any], cases: dict[str, Any], name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    if name == "attempt":
        made = catalogue[arguments["name"]]
        return attempt(made.function, {**made.bound, **arguments["words"]}, made.timeout)
    if name == "case":
        made = cases[arguments["name"]]
        return attempt(made.function, arguments["words"], made.timeout)
    raise ValueError(name)


def main() -> None:
    here = os.path.dirname(os.path.realpath(__file__))
    sys.dont_write_bytecode = True
    package = os.path.basename(here)
    # Of what is above this folder nothing is granted, so the package cannot be found there.
    spec = importlib.util.spec_from_file_location(package, f"{here}/__init__.py", submodule_search_locations=[here])
    assert spec is not None
    sys.modules[package] = importlib.util.module_from_spec(spec)
    catalogue = __import__(f"{package}.catalogue", fromlist=["load"]).load()
    cases = __import__(f"{package}.compatibility", fromlist=["CASES"]).CASES
    for line in sys.stdin:
        message = json.loads(line)
        if "id" not in message or "method" not in message:
            continue
        if message["method"] == "initialize":
            result: dict[str, Any] = {
                "protocolVersion": message["params"]["protocolVersion"],
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "attacker", "version": "1"},
            }
        elif message["method"] == "tools/call":
            found = answer(catalogue, cases, message["params"]["name"], message["params"].get("arguments", {}))
            result = {"content": [], "structuredContent": found}
        else:
            result = {}
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
