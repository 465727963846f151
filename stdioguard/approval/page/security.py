"""Who may speak to the page: one browser that was handed the login link, from the page itself, by the page's exact address.

A server on loopback is reached by every program and every user of the machine, and by every site that the person's browser shows. So:

- `Host` is the exact address, or a name that an attacker has rebound to 127.0.0.1 would be the page's own origin.
- Cookies know no ports: another user's server on 127.0.0.1 is sent ours. A session therefore has two halves, both needed for every
  request that shows or does something: a cookie that no script reads, and a key that only the page's own origin, port included,
  keeps. The key in a header is also what another site cannot send without asking first, and nobody answers that (no CORS).
- `Origin`, where there is one, and `Sec-Fetch-Site`, where the browser sends it, are the page's own; what changes something needs an
  `Origin`.

The login link holds a token of 256 bits in its fragment, which no browser sends: the page's script posts it, once.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import secrets
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LINK_LIFE = 120.0
"""Seconds for which a login link is good."""
MAX_BODY = 16 << 10
"""Bytes of a request's body. A decision names arguments and folders; it never carries their values."""
PATIENCE = 5.0
"""Seconds within which a request has come, all of it: it comes from this machine."""
KEY_HEADER = "x-stdioguard-key"
LOGIN = "/api/login"

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
_HEADERS = [
    (b"content-security-policy", CSP.encode()),
    (b"x-frame-options", b"DENY"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-embedder-policy", b"require-corp"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=(), clipboard-read=()"),
]


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


class Sessions:
    """Links that wait for their browser, and the browsers that came. Only hashes are kept of what lets somebody in."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._links: dict[bytes, float] = {}
        self._browsers: list[tuple[bytes, bytes]] = []

    def link(self) -> str:
        """Return a new token for a login link: for one browser, and for `LINK_LIFE` seconds."""
        token = secrets.token_urlsafe(32)
        self._links[_hash(token)] = self._clock() + LINK_LIFE
        return token

    def log_in(self, token: str) -> tuple[str, str] | None:
        """Use a link up and return the two halves of a session, cookie and key; `None` if the link is used, too old, or none of ours."""
        until = self._links.pop(_hash(token), 0.0)
        if until <= self._clock():
            return None
        cookie, key = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        self._browsers.append((_hash(cookie), _hash(key)))
        return cookie, key

    def admits(self, cookies: list[str], key: str) -> bool:
        """Tell whether one of the cookies and the key are of one session."""
        offered, given = [_hash(cookie) for cookie in cookies], _hash(key)
        return any(
            hmac.compare_digest(given, known_key) and any(hmac.compare_digest(one, known) for one in offered)
            for known, known_key in self._browsers
        )


class Gate:
    """The outermost layer: nothing reaches a route that did not pass it, and every answer bears its headers."""

    def __init__(self, app: ASGIApp, sessions: Sessions, port: int) -> None:
        self._app = app
        self._sessions = sessions
        self.host = f"127.0.0.1:{port}"
        self.origin = f"http://{self.host}"
        self.cookie = f"stdioguard-{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        if scope["type"] != "http":
            raise RuntimeError("the page speaks HTTP only")
        begun = False

        async def send_with_headers(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                names = {name for name, _ in _HEADERS}
                message["headers"] = [pair for pair in message["headers"] if pair[0].lower() not in names] + _HEADERS
            await send(message)

        refusal = self._refusal(scope)
        if refusal is not None:
            await _answer(send_with_headers, *refusal)
            return
        try:
            async with asyncio.timeout(PATIENCE):
                body = await _body(scope, receive)
        except TimeoutError:
            await _answer(send_with_headers, 408, "the request takes too long")
            return
        if body is None:
            await _answer(send_with_headers, 413, "the request is too long")
            return
        try:
            await self._app(scope, _replay(body, receive), send_with_headers)
        except Exception as error:  # noqa: BLE001 - what went wrong may hold a question's text: only its kind is said
            print(f"stdioguard: the approvals page failed on a request: {type(error).__name__}", file=sys.stderr)  # noqa: T201
            if not begun:
                await _answer(send_with_headers, 500, "the page failed on this request")

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Return status and reason where a request may not pass."""
        headers: dict[str, list[str]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
        if headers.get("host") != [self.host]:
            return 421, f"this is {self.host} and answers to no other name"
        if headers.get("origin", [self.origin]) != [self.origin]:
            return 403, "the request comes from another site"
        path, method = scope["path"], scope["method"]
        is_api = path.startswith("/api/")
        site = headers.get("sec-fetch-site", [])
        if is_api:
            if site not in ([], ["same-origin"]):
                return 403, "the request comes from another site"
        elif headers.get("sec-fetch-dest", ["document"])[0] in ("iframe", "frame", "embed", "object"):
            return 403, "the page is shown in no frame"
        elif path != "/" and site not in ([], ["same-origin"], ["none"]):
            return 403, "the request comes from another site"
        if method not in ("GET", "HEAD"):
            if not is_api or method != "POST":
                return 405, "this method is not known here"
            if "origin" not in headers:
                return 403, "the request does not say where it comes from"
            if headers.get("content-type") != ["application/json"]:
                return 415, "the body is application/json"
        if is_api and path != LOGIN and not self._sessions.admits(self._cookies(headers), ",".join(headers.get(KEY_HEADER, []))):
            return 401, "this browser has not used a login link; run: stdioguard approvals serve"
        return None

    def _cookies(self, headers: dict[str, list[str]]) -> list[str]:
        pairs = (pair.strip().partition("=") for line in headers.get("cookie", []) for pair in line.split(";"))
        return [value for name, _, value in pairs if name == self.cookie]


async def _body(scope: Scope, receive: Receive) -> bytes | None:
    """Return the whole body, or `None` where it is longer than `MAX_BODY`, whatever its length claims to be."""
    for name, value in scope["headers"]:
        if name.lower() == b"content-length" and not (value.isdigit() and len(value) < 9 and int(value) <= MAX_BODY):
            return None
    body = b""
    while True:
        message = await receive()
        part: bytes = message.get("body", b"")
        body += part
        if len(body) > MAX_BODY:
            return None
        if message["type"] != "http.request" or not message.get("more_body"):
            return body


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return what gives the body that was read, and then what else comes: that the browser has gone."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


async def _answer(send: Send, status: int, reason: str) -> None:
    body = json.dumps({"error": reason}).encode("ascii")
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    if status in (408, 413):
        headers.append((b"connection", b"close"))
    start: dict[str, Any] = {"type": "http.response.start", "status": status, "headers": headers}
    await send(start)
    await send({"type": "http.response.body", "body": body})
