"""A page that serves, in this process, and questions for it."""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
import time
from contextlib import contextmanager
from typing import Any

from stdioguard.approval import proof, queue
from stdioguard.approval.page import server
from stdioguard.approval.page.app import Page
from stdioguard.guard.gates import rounds
from stdioguard.policy import places
from stdioguard.wire import strict_json
from tests.approval import cheaply

PASSPHRASE = "correct horse battery"


def ask(tool: str = "write_file", arguments: dict[str, Any] | None = None, *, left: float = 120, **more: Any) -> dict[str, Any]:
    """Put a question of this process's into the queue; return its members."""
    arguments = {"path": "/home/ana/notes/plan.txt"} if arguments is None else arguments
    members = {
        "session": "s1", "created": time.time(), "deadline": queue.clock() + left, "client": "claude-desktop", "server": "filesystem",
        "server_pin": "p1", "tool": tool, "tool_pin": "t1", "risk": "normal", "rule": f'tools.rules."{tool}"', "arguments": arguments,
        "digest": rounds.digest("tools/call", {"name": tool, "arguments": arguments}), "task": False, "parked": False, "remember": True,
        "times": 1, "cwd": "/home/ana",
    } | more  # fmt: skip
    members["id"] = more.get("id") or queue.new_id()
    queue.write(members["id"], {key: value for key, value in members.items() if key != "id"})
    return members


def decided(members: dict[str, Any], seconds: float = 5) -> dict[str, Any] | None:
    """Take the decision on a question as a guard does, and its question with it; `None` if there is none in time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = queue.decision(members["id"])
        if found is not None:
            queue.remove(members["id"])
            return found
        time.sleep(0.02)
    return None


def set_passphrase() -> dict[str, Any]:
    setting = cheaply(PASSPHRASE)
    places.private_directory(places.directory("config"))
    with open(proof.path(), "w", opener=lambda path, flags: __import__("os").open(path, flags, 0o600)) as file:
        file.write(strict_json.encode(setting))
    return setting


class Served:
    """A page on its port, and one logged-in client without a browser."""

    def __init__(self, page: Page, port: int) -> None:
        self.page, self.port = page, port
        self.origin = f"http://127.0.0.1:{port}"
        self.cookie = self.key = ""

    def link(self) -> str:
        return f"{self.origin}/#login={self.page.sessions.link()}"

    def raw(
        self, method: str, path: str, body: Any = None, headers: dict[str, str | None] | None = None
    ) -> tuple[int, Any, http.client.HTTPMessage]:
        """Send what an honest page would, but for `headers`, where `None` leaves one out."""
        sent: dict[str, str | None] = {
            "Host": f"127.0.0.1:{self.port}",
            "Sec-Fetch-Site": "same-origin",
            "Sec-Fetch-Mode": "cors",
            "Sec-Fetch-Dest": "empty",
        }
        if self.cookie:
            sent |= {"Cookie": self.cookie, "X-Stdioguard-Key": self.key}
        data = None
        if method != "GET":
            data = body if isinstance(body, bytes) else json.dumps(body if body is not None else {}).encode()
            sent |= {"Origin": self.origin, "Content-Type": "application/json", "Content-Length": str(len(data))}
        sent |= headers or {}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in sent.items():
                for one in value if isinstance(value, list) else [value]:
                    if one is not None:
                        connection.putheader(name, one)
            connection.endheaders(data)
            answer = connection.getresponse()
            text = answer.read()
            is_json = (answer.getheader("content-type") or "").startswith("application/json")
            return answer.status, json.loads(text) if is_json else text.decode(), answer.headers
        finally:
            connection.close()

    def log_in(self) -> Served:
        other = Served(self.page, self.port)
        status, found, headers = other.raw("POST", "/api/login", {"token": self.page.sessions.link()})
        assert status == 200, found
        other.cookie, other.key = headers["set-cookie"].split(";")[0], found["key"]
        return other

    def shown(self) -> list[dict[str, Any]]:
        return self.raw("GET", "/api/waiting?known=")[1]["questions"]

    def decide(self, members: dict[str, Any], **body: Any) -> tuple[int, Any]:
        version = next((one["version"] for one in self.shown() if one["id"] == members["id"]), "")
        status, found, _ = self.raw(
            "POST",
            "/api/decide",
            {"id": members["id"], "digest": members["digest"], "version": version, "approved": True, **body},
        )
        return status, found


@contextmanager
def serving() -> Any:
    listener = server._listener(0)
    page = Page(listener.getsockname()[1])
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(listener, page, open_browser=False, print_link=False)))
    thread.start()
    try:
        yield Served(page, listener.getsockname()[1])
    finally:
        page.stopping = True
        thread.join(10)
        assert not thread.is_alive()
