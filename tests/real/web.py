"""A few pages on the loopback address, and a list of who asked for them."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGES = {
    "/robots.txt": ("text/plain", "User-agent: *\nDisallow: /private\n"),
    "/page": (
        "text/html; charset=utf-8",
        (
            "<!doctype html><html><head><title>A page</title></head><body><h1>Grüße</h1>"
            "<p>Some <b>bold</b> text with a <a href='/plain'>link</a>.</p><ul><li>one<li>two</ul>"
            "</body></html>"
        ),
    ),
    "/plain": ("text/plain; charset=utf-8", "0123456789 plain text: grüße, 日本, \U0001f600\n"),
    "/private/page": ("text/html", "<html><body>for people only</body></html>"),
}


@dataclass
class Web:
    """The pages' address, and the paths asked for so far."""

    address: str
    hits: list[str] = field(default_factory=list)


@contextmanager
def serve() -> Iterator[Web]:
    """Serve the pages until the block is left."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            web.hits.append(self.path)
            kind, text = PAGES.get(self.path, ("text/plain", "not here"))
            body = text.encode()
            self.send_response(200 if self.path in PAGES else 404)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing: the hits are kept."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    web = Web(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
