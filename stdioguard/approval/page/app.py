"""The page's routes: three files, what waits, what was decided, what runs, what is remembered, and the few requests that change something.

What waits is fetched and the fetch is held until something changes, `HOLD` seconds at most. The queue is a folder and has to be looked at
again and again in any case; an event stream could not carry the session's key in a header, and a timer in a tab that is not seen is
slowed down to once a minute, which is longer than many a client waits.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router

from stdioguard.approval import proof, queue, shown
from stdioguard.approval.page import decisions, records, views
from stdioguard.approval.page.security import Gate, Sessions

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

HOLD = 10.0
STEP = 0.4
"""Seconds between two looks at the queue."""
MAX_SHOWN = 50
_GONE_AFTER = 8.0
"""Seconds without a request after which nobody is taken to look at the page."""
_FILES = {
    "/": ("page.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
    **{f"/{name}.js": (f"{name}.js", "text/javascript") for name in ("page", "cards", "dialogs", "dom", "lists", "shown")},
}
"""What is served by its path; nothing else is, whatever is in the folder."""


class Page:
    """One server's state: who is logged in, when a browser was last there, and the views that were made already."""

    def __init__(self, port: int) -> None:
        self.sessions = Sessions()
        self.passphrases = asyncio.Lock()
        self.stopping = False
        self.log_in_hook: Callable[[], None] = lambda: None
        self._seen: float | None = None
        self._held = 0
        self._views: dict[str, tuple[dict[str, Any], bool, float, dict[str, Any]]] = {}
        self._changed = True
        routes = [Route(path, self._file, methods=["GET"]) for path in _FILES]
        routes += [
            Route("/api/login", self._log_in, methods=["POST"]),
            Route("/api/waiting", self._waiting, methods=["GET"]),
            Route("/api/decide", self._decide, methods=["POST"]),
            Route("/api/deny", self._deny, methods=["POST"]),
            Route("/api/decisions", self._decisions, methods=["GET"]),
            Route("/api/sessions", self._sessions, methods=["GET"]),
            Route("/api/grants", self._grants, methods=["GET"]),
            Route("/api/revoke", self._revoke, methods=["POST"]),
        ]
        self.gate = Gate(Router(routes, redirect_slashes=False), self.sessions, port)

    def is_watched(self) -> bool:
        """Tell whether a browser that is logged in is there."""
        return self._held > 0 or self.idle() < _GONE_AFTER

    def idle(self) -> float:
        """Return seconds since a browser that is logged in was last there."""
        if self._held:
            return 0.0
        return time.monotonic() - self._seen if self._seen is not None else float("inf")

    async def _file(self, request: Request) -> Response:
        name, kind = _FILES[request.url.path]
        with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), name), "rb") as file:
            return Response(file.read(), media_type=kind)

    async def _log_in(self, request: Request) -> Response:
        body = _body(await request.body())
        halves = self.sessions.log_in(body["token"]) if type(body.get("token")) is str else None
        if halves is None:
            return _error(
                401, "This login link has been used, or is older than two minutes. For a new one: stdioguard approvals serve"
            )
        self._seen = time.monotonic()
        self.log_in_hook()
        answer = JSONResponse({"key": halves[1]})
        answer.set_cookie(self.gate.cookie, halves[0], httponly=True, samesite="strict", path="/api/")
        return answer

    async def _waiting(self, request: Request) -> Response:
        known, until = request.query_params.get("known", ""), time.monotonic() + HOLD
        self._held += 1
        try:
            while True:
                found = await asyncio.to_thread(self._current)
                if found["version"] != known or time.monotonic() >= until or self.stopping or await request.is_disconnected():
                    kept = ("version", "clock", "now")
                    return JSONResponse(found if found["version"] != known else {name: found[name] for name in kept})
                await asyncio.sleep(STEP)
        finally:
            self._held -= 1
            self._seen = time.monotonic()

    def _current(self) -> dict[str, Any]:
        """Return the questions that wait, each as it is shown."""
        waiting = queue.waiting()
        has_passphrase = proof.read() is not None
        now = time.monotonic()
        kept: dict[str, tuple[dict[str, Any], bool, float, dict[str, Any]]] = {}
        listed = []
        for question in waiting[:MAX_SHOWN]:
            before = self._views.get(question.id)
            # A view is made again now and then: the file that a write is compared with may have changed.
            if before is not None and before[0] == question.members and before[1] == has_passphrase and now - before[2] < 2:
                kept[question.id] = before
            else:
                kept[question.id] = (question.members, has_passphrase, now, views.view(question, passphrase=has_passphrase))
            listed.append(kept[question.id][3])
        self._views = kept
        found = {"questions": listed, "more": len(waiting) - len(listed), "passphrase": has_passphrase}
        return {**found, "version": views.tag(found), "clock": queue.clock(), "now": time.time()}

    async def _decide(self, request: Request) -> Response:
        body = _body(await request.body())
        self._seen = time.monotonic()
        try:
            question = await asyncio.to_thread(decisions.question, body)
            decision = await asyncio.to_thread(decisions.decision, question, body, time.time())
        except decisions.RefusedError as error:
            return _error(error.status, str(error))
        if decision["approved"] and shown.risk(question.members) == "high":
            setting, passphrase = proof.read(), body.get("passphrase")
            if setting is None or type(passphrase) is not str or not passphrase:
                return _error(403, "High risk needs your passphrase.")
            async with self.passphrases:  # one at a time, and slower when wrong: who has the browser has no passphrase yet
                try:
                    decision["signature"] = await asyncio.to_thread(proof.sign, passphrase, setting, decision)
                except proof.WrongPassphraseError:
                    await asyncio.sleep(1)
                    return _error(403, "That is not the passphrase. Nothing was decided.")
                except (KeyError, TypeError, ValueError):
                    return _error(
                        403, "What the passphrase is checked with cannot be used; set it anew: stdioguard approvals passphrase"
                    )
        try:
            decisions.write(decision)
        except decisions.RefusedError as error:
            return _error(error.status, str(error))
        return JSONResponse({"decided": True})

    async def _deny(self, request: Request) -> Response:
        """Deny every question that is named: what came after the person last looked stays."""
        body = _body(await request.body())
        self._seen = time.monotonic()
        named = body.get("questions")
        if type(named) is not list:
            return _error(400, "questions is a list of ids and digests")
        denied = 0
        for one in named[:MAX_SHOWN]:
            try:
                question = await asyncio.to_thread(decisions.question, one if type(one) is dict else {})
            except decisions.RefusedError:
                continue
            denied += queue.decide(question.id, question.members["digest"], approved=False, channel="page")
        return JSONResponse({"denied": denied})

    async def _decisions(self, _: Request) -> Response:
        return JSONResponse({"decisions": await asyncio.to_thread(records.decisions)})

    async def _sessions(self, _: Request) -> Response:
        return JSONResponse({"sessions": await asyncio.to_thread(records.sessions)})

    async def _grants(self, _: Request) -> Response:
        return JSONResponse({"grants": await asyncio.to_thread(decisions.grants)})

    async def _revoke(self, request: Request) -> Response:
        body = _body(await request.body())
        self._seen = time.monotonic()
        if type(body.get("id")) is not str:
            return _error(400, "id is the id of a grant")
        if not await asyncio.to_thread(decisions.revoke, body["id"]):
            return _error(404, "There is no such grant any more.")
        return JSONResponse({"revoked": True})


def _body(data: bytes) -> dict[str, Any]:
    """Return the members of a request's body; none where it is no object."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return found if type(found) is dict else {}


def _error(status: int, reason: str) -> Response:
    return JSONResponse({"error": reason}, status)
