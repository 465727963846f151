"""`stdioguard approvals serve`: the page on a port of loopback, opened in the person's browser, for as long as somebody looks at it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import socket
import stat
import sys
import time
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from stdioguard.approval import presence, queue
from stdioguard.approval.page.app import Page
from stdioguard.approval.page.security import PATIENCE
from stdioguard.policy import places

if TYPE_CHECKING:
    from collections.abc import Iterator

REFUSED, CONFIGURATION = 77, 78
IDLE = 600.0
"""Seconds without a browser after which the server ends."""


class _Hurried(H11Protocol):
    """HTTP/1.1 that a connection has to begin with soon: every user of the machine can open one, and there are few."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Give a new connection as long as a request may take."""
        super().connection_made(transport)
        self.loop.call_later(PATIENCE, self._give_up)

    def _give_up(self) -> None:
        if getattr(self, "cycle", None) is None and not self.transport.is_closing():
            self.transport.close()


def main(port: int = 0, open_browser: bool = True) -> int:
    """Serve until nobody looks, or Ctrl-C; return the exit code."""
    can_open = open_browser and _has_desktop()
    can_print = sys.stdout.isatty() or not can_open
    if can_print and _is_open_to_others():
        _say("others can read the file that stdout goes to, and the login link with it; run it in a terminal, or after umask 077")
        return REFUSED
    try:
        queue.folder()
        listener = _listener(port)
    except OSError as error:
        taken = "" if error.filename else f"port {port}: "
        _say(f"{taken}{error.strerror or error}{f': {error.filename}' if error.filename else ''}")
        return CONFIGURATION
    _keep_to_itself()
    try:
        asyncio.run(serve(listener, Page(listener.getsockname()[1]), open_browser=can_open, print_link=can_print))
    except KeyboardInterrupt:
        pass
    return 0


async def serve(listener: socket.socket, page: Page, *, open_browser: bool, print_link: bool) -> None:
    """Serve `page` on `listener` until nobody has looked at it for `IDLE` seconds, it is stopped, or a signal ends it."""
    config = uvicorn.Config(
        page.gate, loop="asyncio", http=_Hurried, ws="none", lifespan="off", interface="asgi3", log_config=None, log_level="critical",
        access_log=False, proxy_headers=False, server_header=False, limit_concurrency=256, h11_max_incomplete_event_size=16 << 10,
        timeout_keep_alive=15, timeout_graceful_shutdown=1,
    )  # fmt: skip
    server = uvicorn.Server(config)
    link = f"{page.gate.origin}/#login={page.sessions.link()}"
    with contextlib.ExitStack() as stack:
        if open_browser:
            hidden = stack.enter_context(_handed_over(link))
            page.log_in_hook = hidden.remove
            asyncio.get_running_loop().run_in_executor(None, _open, hidden.path)
        if print_link:
            print(f"Approvals page, for one browser, within two minutes:\n\n  {link}\n\nCtrl-C ends it.", flush=True)  # noqa: T201
        watcher = asyncio.create_task(_watch(page, server))
        try:
            await server.serve(sockets=[listener])
        finally:
            page.stopping = True
            watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watcher


async def _watch(page: Page, server: uvicorn.Server) -> None:
    """Say to the guards whether somebody would see a question, and end the server when nobody has for long."""
    begun = time.monotonic()
    with contextlib.ExitStack() as stack:
        present = False
        while not server.should_exit:
            watched = page.is_watched()
            if watched and not present:
                # If it cannot be said, the page works as well as before; guards take it that nobody looks.
                with contextlib.suppress(OSError):
                    stack.enter_context(presence.present("page"))
                    present = True
            elif present and not watched:
                stack.close()
                present = False
            server.should_exit |= page.stopping or min(page.idle(), time.monotonic() - begun) > IDLE
            await asyncio.sleep(0.25)
        page.stopping = True  # before the server waits for what is held


def _listener(port: int) -> socket.socket:
    """Return a socket on loopback and nothing else. Raises `OSError`."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        # Not SO_REUSEADDR for a random port, nor SO_REUSEPORT ever: no other program gets to share it.
        if port and sys.platform != "win32":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(64)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


class _Hidden:
    """A file that leads a browser to the login link, and is gone once the link was used."""

    def __init__(self, path: str) -> None:
        self.path = path

    def remove(self) -> None:
        with contextlib.suppress(OSError):
            os.unlink(self.path)


@contextlib.contextmanager
def _handed_over(link: str) -> Iterator[_Hidden]:
    """Put the link into a file of this user's for as long as it may be used.

    A browser is opened with what it is to show on its command line, and command lines are every user's to read.
    """
    hidden = _Hidden(os.path.join(places.private_directory(places.directory("runtime")), f"approvals-{os.urandom(8).hex()}.html"))
    text = (
        '<!doctype html><meta charset="utf-8"><meta name="referrer" content="no-referrer"><title>stdioguard</title>'
        f'<meta http-equiv="refresh" content="0;url={link}"><p><a href="{link}">Open the approvals page</a></p>\n'
    )
    descriptor = os.open(hidden.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "w", encoding="ascii") as file:
            file.write(text)
        yield hidden
    finally:
        hidden.remove()


def _open(path: str) -> None:
    import webbrowser  # noqa: PLC0415 - not where the link is printed only

    if not webbrowser.open(f"file://{path}"):
        _say("no browser could be opened; run it in a terminal for the link")


def _is_open_to_others() -> bool:
    """Tell whether what is printed goes to a file that other users may read."""
    try:
        mode = os.fstat(sys.stdout.fileno()).st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISREG(mode) and bool(mode & 0o077)


def _has_desktop() -> bool:
    """Tell whether a browser could be opened that is not one of the terminal's."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _keep_to_itself() -> None:
    """Leave no image of this process: a passphrase passes through it."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        from stdioguard.sandbox.linux import kernel  # noqa: PLC0415 - Linux only

        with contextlib.suppress(OSError):
            kernel.prctl(kernel.PR_SET_DUMPABLE, 0)  # nor may another process of this user read it (ptrace(2))


def _say(text: str) -> None:
    print(f"stdioguard: {text}", file=sys.stderr)  # noqa: T201
