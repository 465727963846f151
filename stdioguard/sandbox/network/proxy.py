"""The proxy's process: it takes the server's connections on one socket, HTTP and SOCKS alike, and ends when the guard does.

A thread for each connection, written straight down: what waits is one connection and nothing else, and the longest function still reads
like the protocol that it speaks. Nothing here is imported by the guard before it forks.
"""

from __future__ import annotations

import base64
import ctypes
import gc
import os
import resource
import select
import socket
import sys
import threading
import time

from stdioguard.sandbox.forked import become_own_process
from stdioguard.sandbox.network import dial, http, socks
from stdioguard.sandbox.network.reports import Reports
from stdioguard.sandbox.network.rules import Rules

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import NoReturn

    from stdioguard.sandbox.network.dial import Resolver

USER = b"stdioguard"

_RESOLVER_FILES = (
    "/etc/gai.conf",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/resolv.conf",
    "/run/NetworkManager",
    "/run/nscd",
    "/run/resolvconf",
    "/run/systemd/resolve",
)


class Limits:
    """Seconds, and how many connections at once."""

    connections = 256
    head = 30.0
    """For a first request to be there, and for a SOCKS greeting: whoever has no secret holds a place no longer."""
    between = 60.0
    """For the next request on a connection that is kept."""
    exchange = 600.0
    """Without a byte, in an HTTP exchange or a tunnel of which one side has ended."""
    tunnel = 7440.0
    """Without a byte, in a tunnel: what a translator of addresses must at least allow (RFC 5382, REQ-5)."""


class Proxy:
    """What every connection needs to know."""

    def __init__(
        self,
        rules: Rules,
        reports: Reports,
        *,
        secret: str | None,
        resolver: Resolver = dial.resolve,
        limits: Limits | None = None,
    ) -> None:
        if secret == "":
            raise ValueError("an empty secret would be everybody's")
        self.rules = rules
        self.reports = reports
        self.resolver = resolver
        self.limits = limits or Limits()
        self.secret = None if secret is None else USER + b":" + secret.encode()
        if secret is not None:
            import hmac  # noqa: PLC0415 - brings OpenSSL; and here, since nothing can be imported once the process is confined

            self._equal = hmac.compare_digest

    def is_secret(self, given: bytes) -> bool:
        """Compare `user:password`, in a time that does not tell how much of it was right; a wrong one is reported."""
        right = self.secret is not None and self._equal(given, self.secret)
        if not right:
            self.reports.deny("", 0, "wrong user or password for the proxy")
        return right

    def is_encoded_secret(self, given: bytes) -> bool:
        """Compare what HTTP's basic authentication carries."""
        try:
            return self.is_secret(base64.b64decode(given, validate=True))
        except ValueError:
            return self.is_secret(b"")

    def serve(self, client: socket.socket) -> None:
        """Serve one connection to its end. The first byte tells SOCKS from HTTP, which begins with a letter."""
        deadline = time.monotonic() + self.limits.head
        with client:
            try:
                if client.family != socket.AF_UNIX:
                    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                client.settimeout(self.limits.head)
                early = client.recv(http.LARGEST_HEAD)
                if early[:1] == bytes((socks.VERSION,)):
                    socks.serve(client, early, self, deadline)
                elif early:
                    http.serve(client, early, self, deadline)
            except OSError:
                return  # the client has gone, or was too slow


def serve(
    listener: int,
    rules: Sequence[str],
    *,
    secret: str | None,
    report: int,
    parent: int,
    confine: Callable[[], None] | None = None,
    resolver: Resolver = dial.resolve,
    limits: Limits | None = None,
) -> NoReturn:
    """Be the proxy: call in a process forked for it, never to return.

    `listener` is a descriptor of a listening stream socket; `report` one that decisions are written to (see `Reports`), the first line
    being `{"event": "network-proxy", "state": "ready"}`; `parent` one that is read for its end, upon which the process ends. All other
    descriptors are closed but stderr. `secret` is what clients must give, None where nobody else can reach the socket. `confine` is
    called once everything is loaded and before the first connection: what it raises ends the process.
    """
    code = 1
    try:
        become_own_process(listener, report, parent, streams=(0, 1))
        gc.enable()
        _own_environment()
        proxy = Proxy(Rules(rules), Reports(report), secret=secret, resolver=resolver, limits=limits)
        _load_resolver()
        _harden()
        if confine is not None:
            confine()
        _accept(socket.socket(fileno=listener), parent, proxy)
        code = 0
    except BaseException as error:  # noqa: BLE001 - nothing may escape into a second copy of the guard
        os.write(2, f"stdioguard: the network proxy ended: {type(error).__name__}: {error}\n".encode("ascii", "backslashreplace"))
    finally:
        os._exit(code)


def resolver_files() -> list[str]:
    """Return all that the process reads once it is confined, with links resolved: what glibc's resolver looks at for each name.

    (resolv.conf(5), nsswitch.conf(5), gai.conf(5).) The rest is loaded by then.
    """
    return [os.path.realpath(path) for path in _RESOLVER_FILES if os.path.exists(path)]


def _own_environment() -> None:
    # Whoever wrote the client's config wrote the guard's environment: HOSTALIASES and RES_OPTIONS would change what a name means.
    os.environ.clear()
    # And no search list (resolv.conf(5)): the name that was judged is looked up, not the same with a company's domain behind it.
    os.environ["LOCALDOMAIN"] = ""


def _load_resolver() -> None:
    """Load the resolver's plug-ins while files can still be seen; the C library then finds them loaded (nsswitch.conf(5))."""
    try:
        socket.getaddrinfo(b"localhost", None, type=socket.SOCK_STREAM)
        with open("/etc/nsswitch.conf", encoding="ascii", errors="replace") as file:
            lines = [line.partition(":")[2].split() for line in file if line.startswith("hosts:")]
    except OSError:
        return  # no such file: the built-in ones
    for service in lines[0] if lines else ():
        try:
            ctypes.CDLL(f"libnss_{service}.so.2")
        except OSError:
            continue  # built in, not there, or no service but what to do after one


def _harden() -> None:
    """Give up what the process has no use for. The sandbox's own `confine` comes on top."""
    for kind, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_DATA, 512 << 20),
        (resource.RLIMIT_NOFILE, 2048),
    ):
        hard = resource.getrlimit(kind)[1]
        limit = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (limit, limit))
    threading.stack_size(512 * 1024)
    if sys.platform == "linux":
        from stdioguard.sandbox.linux import kernel  # noqa: PLC0415 - of this system only

        # Not to be traced, nor read through /proc, by a server of the same user (prctl(2)).
        kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
        kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)


def _accept(listener: socket.socket, parent: int, proxy: Proxy) -> None:
    """Take connections until the guard has ended. At the limit they wait in the kernel's queue."""
    listener.setblocking(False)
    free = proxy.limits.connections
    done, tell = os.pipe()
    os.set_blocking(done, False)
    poller = select.poll()
    poller.register(parent, select.POLLIN)
    poller.register(done, select.POLLIN)
    proxy.reports.state("ready")

    def served(client: socket.socket) -> None:
        try:
            proxy.serve(client)
        except Exception as error:  # noqa: BLE001 - one connection's end, not the session's
            proxy.reports.deny("", 0, f"fault: {type(error).__name__}: {error}")
        finally:
            os.write(tell, b".")

    while True:
        if free:
            poller.register(listener, select.POLLIN)
        ready = dict(poller.poll())
        if parent in ready and not os.read(parent, 512):
            return
        if done in ready:
            free += len(os.read(done, 4096))
        if listener.fileno() not in ready:
            continue
        try:
            client = listener.accept()[0]
        except OSError:
            time.sleep(0.01)  # gone again, or out of descriptors: what holds them will let go
            continue
        try:
            threading.Thread(target=served, args=(client,), daemon=True).start()
        except RuntimeError:
            client.close()  # no thread to be had
            continue
        free -= 1
        if not free:
            poller.unregister(listener)
