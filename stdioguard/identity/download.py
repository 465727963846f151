"""One file from a URL, in a bounded time and size, and from nowhere else than that URL."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import urllib.error
import urllib.request


def download(url: str, timeout: float, most: int) -> bytes:
    """Return what is at a URL, and no more of it than tells that it is too large. Raises `OSError`, after `timeout` seconds in all.

    The library's own limit is for each read: a peer that sends a byte now and then is never done. So the work is in a thread, whose
    socket is shut when the time is up.
    """
    sockets: list[socket.socket] = []
    outcome: list[bytes | str] = []

    def work() -> None:
        try:
            outcome.append(_answer(url, timeout, most, sockets))
        except urllib.error.HTTPError as error:
            error.close()
            outcome.append(f"HTTP status {error.code}")
        except (OSError, http.client.HTTPException, ValueError) as error:
            outcome.append(ascii(str(getattr(error, "reason", error)) or type(error).__name__)[1:-1][:200])

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    worker.join(timeout)
    done = outcome[:1]
    for opened in sockets:
        try:
            socket.socket.shutdown(opened, socket.SHUT_RDWR)
        except OSError:
            pass  # closed already
    if not done:
        raise TimeoutError(f"{url}: no whole answer within {timeout:g} seconds")
    if isinstance(done[0], str):
        raise OSError(f"{url}: {done[0]}")
    return done[0]


def _answer(url: str, timeout: float, most: int, sockets: list[socket.socket]) -> bytes:
    """Ask one server once: whatever is not among these handlers, redirections above all, is an error."""
    opener = urllib.request.OpenerDirector()
    # Plain HTTP is for this machine alone (the profile's check), and a proxy would carry it elsewhere.
    proxies: dict[str, str] | None = None if url.startswith("https:") else {}
    for handler in (
        urllib.request.ProxyHandler(proxies),
        _Handler(sockets),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    request = urllib.request.Request(url, headers={"Accept": "application/json", "User-Agent": "stdioguard"})  # noqa: S310 - see above
    with opener.open(request, timeout=timeout) as response:
        if response.status != 200:
            raise OSError(f"HTTP status {response.status}")
        data: bytes = response.read(most + 1)
    return data


class _Handler(urllib.request.AbstractHTTPHandler):
    """Opens http and https URLs, and notes the sockets."""

    http_request = https_request = urllib.request.AbstractHTTPHandler.do_request_

    def __init__(self, sockets: list[socket.socket]) -> None:
        super().__init__()

        class Plain(http.client.HTTPConnection):
            def connect(self) -> None:
                super().connect()
                sockets.append(self.sock)

        class Secure(http.client.HTTPSConnection):
            def connect(self) -> None:
                super().connect()
                sockets.append(self.sock)

        self._plain, self._secure = Plain, Secure

    def http_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._plain, request)

    def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._secure, request, context=ssl.create_default_context())
