"""Servers on the loopback address for the proxy to reach: one that keeps every byte it was sent, one that echoes."""

from __future__ import annotations

import select
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Upstream:
    """The server's port, and what each connection has sent, in the order in which they came."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.received: list[bytes] = []

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.port}"


@contextmanager
def listening(handle: Callable[[socket.socket, Upstream], None]) -> Iterator[Upstream]:
    """Serve each connection with `handle`, in a thread, until the block is left."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    found = Upstream(listener.getsockname()[1])

    def one(connection: socket.socket) -> None:
        with connection:
            try:
                handle(connection, found)
            except OSError:
                return

    def accept() -> None:
        while True:
            try:
                connection = listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=one, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield found
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def recording(answer: bytes = OK, quiet: float = 0.3) -> Callable[[socket.socket, Upstream], None]:
    """Keep all that comes until nothing does for `quiet` seconds, then answer and close."""

    def handle(connection: socket.socket, upstream: Upstream) -> None:
        place = len(upstream.received)
        upstream.received.append(b"")
        while select.select([connection], [], [], quiet)[0]:
            data = connection.recv(65536)
            if not data:
                break
            upstream.received[place] += data
        connection.sendall(answer)

    return handle


def echo(connection: socket.socket, upstream: Upstream) -> None:
    """Send back all that comes, and end when the other side has."""
    upstream.received.append(b"")
    while data := connection.recv(65536):
        connection.sendall(data)
    connection.shutdown(socket.SHUT_WR)
