"""A server for launch tests: speaks just enough MCP, and tells what it sees of the process that it runs in.

It is our own because the tests need one that misbehaves on command: floods, hangs, forks, dies. What a tool does is in its name.
"""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from typing import Any

DAEMON = """
import os, signal, sys, time
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
for name in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT): signal.signal(name, signal.SIG_IGN)
open(sys.argv[1], "w").write(str(os.getpid()))
time.sleep(300)
"""


def send(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def status() -> dict[str, Any]:
    with open("/proc/self/status") as file:
        lines = {name: value.strip() for name, _, value in (line.partition(":") for line in file)}
    return {
        "environment": dict(os.environ),
        "argv": sys.argv,
        "descriptors": sorted(int(name) for name in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{name}")),
        "no_new_privs": lines["NoNewPrivs"],
        "core": resource.getrlimit(resource.RLIMIT_CORE),
        "data": resource.getrlimit(resource.RLIMIT_DATA),
        "nproc": resource.getrlimit(resource.RLIMIT_NPROC),
        "session_leader": os.getsid(0) == os.getpid(),
        "group_leader": os.getpgid(0) == os.getpid(),
        "umask": os.umask(0o022),
        "ignored_signals": lines["SigIgn"],
        "blocked_signals": lines["SigBlk"],
        "cwd": os.getcwd(),
        "pid": os.getpid(),
    }


def tool(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    if name == "status":
        return status()
    if name == "echo":
        return arguments
    if name == "big":
        return {"text": "x" * arguments["size"]}
    if name == "sleep":
        time.sleep(arguments["seconds"])
        return {}
    if name == "exit":
        os._exit(arguments["code"])
    if name == "die":
        os.kill(os.getpid(), arguments["signal"])
    if name == "big_and_exit":
        send(
            {
                "jsonrpc": "2.0",
                "id": arguments["id"],
                "result": {"content": [], "structuredContent": {"text": "x" * arguments["size"]}},
            }
        )
        os._exit(0)
    if name == "close_stdin":
        os.close(0)
        os.write(2, b"stdin is closed\n")
        time.sleep(300)
    if name == "deaf":
        time.sleep(300)
    if name == "log":
        send({"level": "info", "id": arguments["id"], "msg": "working"})
        return {}
    if name == "close_stdout":
        os.close(1)
        time.sleep(300)
    if name == "stderr":
        os.write(2, arguments["text"].encode("utf-8", "surrogateescape") * arguments.get("times", 1))
        return {}
    if name == "daemon":
        subprocess.run([sys.executable, "-c", DAEMON, arguments["pid_file"]], check=True)
        while not os.path.exists(arguments["pid_file"]) or not open(arguments["pid_file"]).read():
            time.sleep(0.01)
        return {}
    if name == "child":
        process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"], stdout=subprocess.DEVNULL)
        return {"pid": process.pid}
    if name == "stubborn":
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        return {}
    if name == "noise":
        for _ in range(arguments["lines"]):
            print("Loading, please wait...")
        return {}
    if name == "flood":
        for _ in range(arguments["times"]):
            send({"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "x" * 1000}})
        return {}
    if name == "connect":
        with socket.socket(socket.AF_UNIX) as asked:
            asked.settimeout(5)
            try:
                asked.connect(arguments["path"])
            except OSError as error:
                return {"error": errno.errorcode[error.errno or 0]}
            return {"read": asked.recv(64).decode()}
    if name == "allocate":
        return {"bytes": len(bytearray(arguments["bytes"]))}
    raise ValueError(name)


def main() -> None:
    if "--start-file" in sys.argv:
        with open(sys.argv[sys.argv.index("--start-file") + 1], "w") as file:
            file.write(str(os.getpid()))
    if "--launcher" in sys.argv and os.fork():
        os._exit(0)
    stubborn = False
    for line in sys.stdin:
        message = json.loads(line)
        if "id" not in message or "method" not in message:
            continue
        if message["method"] == "initialize":
            capabilities: dict[str, Any] = {"tools": {}, "logging": {}}
            result: dict[str, Any] = {
                "protocolVersion": message["params"]["protocolVersion"],
                "capabilities": capabilities,
                "serverInfo": {"name": "probe", "version": "1"},
            }
        elif message["method"] == "tools/list":
            result = {"tools": [{"name": "echo", "inputSchema": {"type": "object"}}]}
        elif message["method"] == "tools/call":
            name = message["params"]["name"]
            stubborn |= name == "stubborn"
            try:
                arguments = message["params"].get("arguments", {})
                if name in ("big_and_exit", "log"):
                    arguments["id"] = message["id"]
                found = tool(name, arguments)
                result = {"content": [], "structuredContent": found}
            except Exception as error:
                result = {"content": [{"type": "text", "text": repr(error)}], "isError": True}
        else:
            result = {}
        send({"jsonrpc": "2.0", "id": message["id"], "result": result})
    if stubborn:
        while True:
            time.sleep(1)


if __name__ == "__main__":
    main()
