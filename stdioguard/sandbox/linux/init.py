"""Init: the process between the guard and the server. It reaps, it answers trapped system calls, and it ends when either ends.

In a pid namespace it is the first process, and its end is the end of all below it; elsewhere it is a subreaper, and kills what is left.
"""

from __future__ import annotations

import os
import select
import signal
import time

from stdioguard.sandbox.linux import broker, kernel, landlock, server, system
from stdioguard.sandbox.linux.setup import EVENTS, LEASH, REPORT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from stdioguard.sandbox.linux.setup import Setup

_PATIENCE = 2.0


def run(setup: Setup) -> NoReturn:
    """Be init: give up everything, make the server, answer its trapped calls until it has ended. Never returns."""
    plan, isolated = setup.plan, setup.isolated
    name_broker = broker.Broker(
        plan.fence(),
        readable=plan.read,
        writable=plan.write,
        private=[*plan.private(), *(system.SCRATCH if isolated else ())],
        sockets=plan.sockets,
        inet="any" if isolated else plan.proxy_address(),
        report=EVENTS,
    )
    kernel.drop_capabilities()
    if isolated and plan.user is not None:
        user, group = plan.user
        os.setgroups([])
        os.setresgid(group, group, group)
        os.setresuid(user, user, user)
    kernel.clear_capabilities()
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
    if select.select([LEASH], [], [], 0)[0]:
        os._exit(70)  # the guard died before the signal was asked for
    _restrict_files(setup)
    from_server, to_init = os.pipe2(os.O_CLOEXEC)
    from_init, to_server = os.pipe2(os.O_CLOEXEC)
    child = os.fork()
    if child == 0:
        os.close(from_server)
        os.close(to_server)
        server.run(setup, to_init, from_init)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it is the server's; init goes when the server has gone
    os.close(to_init)
    os.close(from_init)
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    said = os.read(from_server, 8)
    if not said:
        os._exit(_status_of(child))  # it has told the guard why
    listener = kernel.take_descriptor(child, int(said)) if setup.programs else None
    os.close(REPORT)
    os.write(to_server, b"1")
    os.close(to_server)
    _serve(name_broker, listener, child)


def _restrict_files(setup: Setup) -> None:
    """Enter the Landlock domain of init and the server."""
    plan, isolated = setup.plan, setup.isolated
    access_to_network = landlock.BIND_TCP | landlock.CONNECT_TCP
    rules = landlock.Ruleset(setup.abi, files=(1 << 16) - 1, network=0 if isolated else access_to_network)
    paths, _ = system.present()
    for path in paths:
        rules.allow(path, landlock.RUN)
    for path in system.DEVICES:
        rules.allow(path, landlock.DEVICE)
    rules.allow("/proc", landlock.READ)
    if isolated:
        rules.allow("/", landlock.READ_DIR)
        rules.allow("/etc", landlock.READ)
        rules.allow("/dev/pts", landlock.DEVICE | landlock.READ_DIR)
        for path in system.SCRATCH:
            rules.allow(path, landlock.WRITE)
    else:
        for path in system.USERS:
            rules.allow(path, landlock.READ)
        if plan.network:
            rules.allow_port(plan.proxy_port, landlock.CONNECT_TCP)
    for path in plan.runtime:
        rules.allow(path, landlock.RUN)
    for path in plan.read:
        rules.allow(path, landlock.READ)
    for path in (*plan.write, plan.home, plan.cache, plan.tmp):
        rules.allow(path, landlock.WRITE)
    rules.enforce()


def _serve(name_broker: broker.Broker, listener: int | None, child: int) -> NoReturn:
    """Answer trapped calls and reap, until the server has ended or the guard has gone; then end with all that is left."""
    woken, wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    poll = select.poll()
    for descriptor in (listener, LEASH, woken):
        if descriptor is not None:
            poll.register(descriptor, select.POLLIN)
    status = _reap(child)
    while status is None:
        for descriptor, event in poll.poll():
            if descriptor == LEASH:
                status = 70
            elif descriptor == woken:
                os.read(woken, 512)
                status = _reap(child)
            elif event & select.POLLIN:
                name_broker.handle(descriptor)
            else:
                poll.unregister(descriptor)  # nobody is left who could call
    _kill_children()
    os._exit(status)


def _kill_children() -> None:
    """Kill what is left. In a pid namespace the end of init does it; elsewhere orphans come to init as they lose their parents."""
    deadline = time.monotonic() + _PATIENCE
    path = f"/proc/self/task/{os.getpid()}/children"
    while time.monotonic() < deadline:
        with open(path, "rb") as file:
            children = file.read().split()
        if not children:
            return
        for child in children:
            try:
                os.kill(int(child), signal.SIGKILL)
            except ProcessLookupError:
                continue
        _reap(-1)


def _reap(child: int) -> int | None:
    """Collect what has ended; return the server's exit status as a shell gives it, once it has ended."""
    ended: int | None = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended if ended is not None else 70
        if pid == 0:
            return ended
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            ended = 128 - code if code < 0 else code


def _status_of(pid: int) -> int:
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return 128 - code if code < 0 else code
