"""Start the server's process: its pipes, its limits, and the strictest sandbox that this machine and the profile's waivers allow.

The guard forks and sets the child up itself (rather than through `subprocess`) because each step must happen in the child, in one
order, on the thread that calls exec.
"""

from __future__ import annotations

import errno
import os
import resource
import signal
import sys

from stdioguard.sandbox import guarantees
from stdioguard.sandbox.signals import default_signals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from stdioguard.sandbox.guarantees import State
    from stdioguard.sandbox.plan import Plan

_PIPE_SIZE = 1 << 20
_LINUX = sys.platform == "linux"


class SandboxRefused(Exception):  # noqa: N818 - a decision, shown to the user
    """A guarantee that cannot be had on this machine, with what to do, in one line."""


class Child:
    """A started server: the process to wait for, the guard's ends of its streams, and what was proved of its sandbox.

    `events` is where the sandbox and the proxy tell what they refused, a line of JSON each. While the guard holds `leash`, and
    `proxy_leash`, the server and the network proxy live.
    """

    __slots__ = (
        "configuration", "events", "leash", "pid", "proxy", "proxy_leash", "states", "stderr", "stdin", "stdout",
    )  # fmt: skip

    def __init__(self, streams: tuple[int, int, int], events: int) -> None:
        self.stdin, self.stdout, self.stderr = streams
        self.events = events
        self.pid = 0
        self.leash = self.proxy_leash = -1
        self.proxy: int | None = None
        self.states: dict[str, State] = {}
        self.configuration = "none"

    def start_proxy(
        self, listener: int, rules: list[str], secret: str | None, tell: int, confine: Callable[[], None] | None
    ) -> None:
        """Make the process that takes the server's connections on `listener`, a descriptor that is closed here."""
        held, self.proxy_leash = os.pipe2(os.O_CLOEXEC) if hasattr(os, "pipe2") else os.pipe()
        self.proxy = os.fork()
        if self.proxy == 0:
            from stdioguard.sandbox.network import proxy  # noqa: PLC0415 - h11 and sockets, in that process alone

            proxy.serve(listener, rules, secret=secret, report=tell, parent=held, confine=confine)
        os.close(held)
        os.close(listener)

    def stop_proxy(self) -> None:
        """End the proxy and collect it."""
        if self.proxy is not None:
            os.close(self.proxy_leash)
            os.kill(self.proxy, signal.SIGKILL)
            os.waitpid(self.proxy, 0)
            self.proxy, self.proxy_leash = None, -1

    def close(self) -> None:
        """Close what a failed start has left open."""
        self.stop_proxy()
        for descriptor in (self.stdin, self.stdout, self.stderr, self.events):
            os.close(descriptor)


def prepare() -> None:
    """Do what can be done before there is a message: the first one then waits less, and the children share these pages.

    This process becomes the parent of every descendant that loses its own (prctl(2), PR_SET_CHILD_SUBREAPER): a server's daemon then stays
    where the shutdown finds it. Only Linux has this.
    """
    if _LINUX:
        from stdioguard.sandbox.linux import kernel, process, system  # noqa: F401, PLC0415 - Linux alone; `process` for later

        kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
        system.present()


def confine_guard(writable: list[str]) -> None:
    """Give up the network, new programs, and every file but those below `writable`, for good. Only Linux has this."""
    if _LINUX:
        from stdioguard.sandbox.linux import guard  # noqa: PLC0415 - Linux alone

        guard.confine(writable)


def limits(memory: int | None, processes: int | None) -> list[tuple[int, int]]:
    """Return the resource limits of a server as `(resource, value)`.

    `memory` bytes limit the data segment, not the address space: V8 and Go reserve far more than they use. `processes` is on top of
    what the user runs already, since RLIMIT_NPROC counts all of a user's threads (getrlimit(2)); root is exempt from it.
    """
    wanted = [(resource.RLIMIT_CORE, 0)]
    if memory is not None:
        wanted.append((resource.RLIMIT_DATA, memory))
    if processes is not None and _LINUX:
        wanted.append((resource.RLIMIT_NPROC, _threads_of_user() + processes))
    return wanted


def _threads_of_user() -> int:
    user = os.getuid()
    count = 0
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                if os.stat(f"/proc/{entry}").st_uid == user:
                    count += os.stat(f"/proc/{entry}/task").st_nlink - 2
            except OSError:
                continue
    return count


def start(plan: Plan, umask: int) -> Child:
    """Start the server of `plan`, and the network proxy where it grants hosts; return when the server has been executed in its sandbox.

    Raises `SandboxRefused` where a guarantee cannot be had, and `OSError` where the program cannot be executed.
    """
    stdin, to_server = _pipe()
    from_server, stdout = _pipe()
    from_errors, stderr = _pipe()
    events, tell = _pipe()
    child = Child((to_server, from_server, from_errors), events)
    try:
        if _LINUX:
            _start_on_linux(child, plan, (stdin, stdout, stderr), tell, umask)
        else:
            _start_elsewhere(child, plan, (stdin, stdout, stderr), tell, umask)
    except BaseException:
        child.close()
        raise
    finally:
        for descriptor in (stdin, stdout, stderr, tell):
            os.close(descriptor)
    os.set_blocking(to_server, False)
    return child


def _start_on_linux(child: Child, plan: Plan, streams: tuple[int, int, int], tell: int, umask: int) -> None:
    """Try the strictest way first; what this machine refuses is left out only where other layers carry the guarantees."""
    from stdioguard.sandbox.linux import guard, process, setup  # noqa: PLC0415 - Linux alone

    def start_proxy(listener: int, secret: str | None) -> None:
        child.start_proxy(listener, plan.network, secret, tell, guard.confine_proxy)

    server = process.Server(plan, streams, tell, umask, limits(plan.memory, plan.processes))
    why_not = ""
    while True:
        try:
            child.pid, child.leash, child.states = server.start(start_proxy, isolated=not why_not)
        except setup.Refused as refusal:
            child.stop_proxy()
            if refusal.step == "identity" and plan.user is not None:
                plan.user, plan.why_root = None, str(refusal)
            elif refusal.step == setup.NAMESPACES and not why_not:
                why_not = str(refusal)
                plan.why_root = f"without namespaces the server stays root: {why_not}"
            else:
                raise SandboxRefused(guarantees.explain(refusal.step, str(refusal))) from None
        else:
            break
    child.configuration = f"without namespaces: {why_not}" if why_not else "namespaces"


def _start_elsewhere(child: Child, plan: Plan, streams: tuple[int, int, int], tell: int, umask: int) -> None:
    """Execute the server through the system's own sandbox program, macOS's `sandbox-exec`.

    What that applies cannot be probed between its last restriction and exec, so nothing is said to be proved: see `macos.launch`.
    """
    from stdioguard.sandbox.macos import launch as macos  # noqa: PLC0415 - macOS alone
    from stdioguard.sandbox.macos.errors import MacSandboxError  # noqa: PLC0415

    if plan.network:
        import _socket  # noqa: PLC0415 - macOS alone

        listener = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        secret = os.urandom(16).hex()
        plan.use_proxy(listener.getsockname()[1], secret)
        child.start_proxy(listener.detach(), plan.network, secret, tell, None)
    variables = [f"{name}={value}" for name, value in plan.environment.items()]
    try:
        argv = macos.command(plan, plan.argv, os.path.dirname(plan.canary), environment=variables)
    except MacSandboxError as refusal:
        if not plan.waives(guarantees.SANDBOX):
            raise SandboxRefused(guarantees.explain(guarantees.SANDBOX, str(refusal))) from None
        child.states = dict.fromkeys(guarantees.NAMES, (guarantees.WAIVED, str(refusal)))
        child.pid = _spawn(plan.program, plan.argv, plan, streams, umask)
    else:
        child.states, child.configuration = macos.STATES, "sandbox-exec"
        child.pid = _spawn(argv[0], argv, plan, streams, umask)


def _spawn(program: str, argv: list[str], plan: Plan, streams: tuple[int, int, int], umask: int) -> int:
    failure, report = _pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setsid()
            for number, descriptor in enumerate(streams):
                os.dup2(descriptor, number, inheritable=True)
            os.dup2(report, 3, inheritable=False)
            report = 3
            _close_from(4)
            default_signals()
            os.umask(umask)
            for kind, value in limits(plan.memory, plan.processes):
                hard = resource.getrlimit(kind)[1]
                limit = value if hard == resource.RLIM_INFINITY else min(value, hard)
                resource.setrlimit(kind, (limit, limit))
            os.chdir(plan.cwd)
            os.execve(program, argv, plan.environment)  # noqa: S606 - a shell is the last thing wanted here
        except OSError as error:
            os.write(report, str(error.errno or errno.EIO).encode())
        except BaseException:  # noqa: BLE001 - nothing may escape into a second copy of the guard
            os.write(report, str(errno.EIO).encode())
        finally:
            os._exit(127)
    os.close(report)
    said = os.read(failure, 64)
    os.close(failure)
    if said:
        os.waitpid(pid, 0)
        raise OSError(int(said), os.strerror(int(said)), plan.program)
    return pid


def _close_from(lowest: int) -> None:
    for name in os.listdir("/dev/fd"):
        if int(name) >= lowest:
            try:
                os.close(int(name))
            except OSError:
                continue


def _pipe() -> tuple[int, int]:
    """Make a pipe whose ends are above the standard descriptors, even where the guard was started without some of these."""
    import fcntl  # noqa: PLC0415 - with its only use

    ends = []
    for end in os.pipe():
        high = fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10)
        os.close(end)
        ends.append(high)
    if _LINUX:
        try:
            fcntl.fcntl(ends[1], fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
        except OSError:
            pass  # above the user's quota (pipe(7)): the default size does
    return ends[0], ends[1]
