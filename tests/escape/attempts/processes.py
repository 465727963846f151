"""Processes that are not the server's own: seen, read, signalled, slowed down. And the server's own, outliving the session."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
import time
from typing import Any

from ..catalogue import add, attempt
from ..inside import parent_of, reach, read
from ..kernel import call
from ..stakes import Daemon, Guard, GuardsSecret, Handler, HeartBeat, Reached, Victim

# In a process namespace of its own the number is nobody's; without one it is, and is refused.
NOBODY = {"namespaces": "ESRCH|EPERM", "plain": "EPERM|EACCES"}
UNSEEN = {"namespaces": "ENOENT", "plain": "EACCES|EPERM|ENOENT"}


def _read_of_process(pid: int, what: str) -> bytes:
    return read(f"/proc/{pid}/{what}")


for _what in ("environ", "cmdline", "maps", "status", "stat", "mountinfo", "io", "limits", "auxv"):

    class _Seen(Victim):
        """A process of which a file in /proc must not be read."""

        def happened(self, outcome: dict[str, Any]) -> bool:
            return bool(outcome["ok"])

    add(_read_of_process, _Seen(), name=f"read-{_what}-of-another-process", group="processes", bound={"what": _what}, **UNSEEN)


@attempt(Victim(), **UNSEEN)
def read_a_processs_memory_through_proc(pid: int, start: int, length: int) -> bytes:
    return os.pread(os.open(f"/proc/{pid}/mem", os.O_RDONLY), length, start)


@attempt(Victim(), **UNSEEN)
def write_a_processs_memory_through_proc(pid: int, start: int) -> bytes:
    descriptor = os.open(f"/proc/{pid}/mem", os.O_RDWR)
    os.pwrite(descriptor, b"EVIL", start)
    return os.pread(descriptor, 200, start)


@attempt(Victim(), **UNSEEN)
def read_a_processs_open_file_through_proc(pid: int) -> bytes:
    return read(f"/proc/{pid}/fd/0")


@attempt(Victim(), **UNSEEN)
def read_below_a_processs_working_directory(pid: int) -> bytes:
    return read(f"/proc/{pid}/cwd/open.txt")


@attempt(Victim(), **UNSEEN)
def read_below_a_processs_root(pid: int, folder: str) -> bytes:
    return read(f"/proc/{pid}/root{folder}/open.txt")


@attempt(Victim(), **UNSEEN)
def read_a_processs_working_directory_through_a_thread(pid: int) -> bytes:
    return read(f"/proc/{pid}/task/{pid}/cwd/open.txt")


@attempt(GuardsSecret(), expected="ok|EACCES|EPERM|ENOENT")
def read_every_environment_there_is() -> bytes:
    found = b""
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                variables = read(f"/proc/{entry}/environ").split(b"\0")
            except OSError:
                continue
            found += b" ".join(variable for variable in variables if variable.startswith(b"AWS_SECRET"))
    return found


SHARED = {"plain": "without a process namespace the numbers are those of the machine"}


class _Listed(Victim):
    """A process whose number must not be in a listing."""

    def happened(self, outcome: dict[str, Any]) -> bool:
        return f" {self.pid} " in outcome["detail"]


@attempt(_Listed(), expected="ok|EACCES", weaker=SHARED)
def list_the_hosts_processes() -> str:
    return " " + " ".join(os.listdir("/proc")) + " "


@attempt(_Listed(), expected="ok|EACCES", weaker=SHARED)
def find_the_hosts_processes_by_trying_numbers(pid: int) -> str:
    """Where a listing hides them (hidepid), a number may still answer: by its folder, by its group, by its session."""
    found = " "
    for number in (*range(max(1, pid - 200), pid + 200),):
        for probe in (lambda n: os.stat(f"/proc/{n}"), os.getpgid, os.getsid, os.sched_getaffinity, lambda n: os.kill(n, 0)):
            try:
                probe(number)
            except PermissionError:
                continue
            except OSError:
                continue
            found += f"{number} "
            break
    return found


# Signals


def _signal(pid: int, number: int) -> None:
    os.kill(pid, number)


for _name in ("SIGKILL", "SIGSTOP", "SIGTERM", "SIGHUP"):
    add(
        _signal,
        Victim(),
        name=f"send-{_name}-to-another-process",
        group="processes",
        bound={"number": int(signal.Signals[_name])},
        **NOBODY,
    )


@attempt(Guard(), **NOBODY)
def kill_the_guard(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


@attempt(Guard(), **NOBODY)
def stop_the_guard(pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)


@attempt(Guard(), **UNSEEN)
def read_the_guards_environment(pid: int) -> bytes:
    return read(f"/proc/{pid}/environ")


@attempt(Guard(), **UNSEEN)
def read_the_guards_memory(pid: int, start: int) -> bytes:
    return os.pread(os.open(f"/proc/{pid}/mem", os.O_RDONLY), 8192, start)


@attempt(Guard(), expected="ESRCH|EPERM")
def trace_the_guard(pid: int) -> str:
    call("ptrace", 0x4206, pid, 0, 0)
    return read(f"/proc/{pid}/environ").decode("latin-1")


@attempt(Guard(), expected="ESRCH|EPERM|ENOSYS")
def take_a_descriptor_of_the_guard(pid: int, start: int) -> str:
    """Any of them: the record, a pipe to the client, the sandbox's own listener."""
    guard = call("pidfd_open", pid, 0)
    got = []
    for number in range(64):
        try:
            descriptor = call("pidfd_getfd", guard, number, 0)
        except OSError as error:
            last = error
            continue
        got.append(os.readlink(f"/proc/self/fd/{descriptor}"))
    if not got:
        raise last
    return f"{got} {read(f'/proc/{pid}/environ').decode('latin-1')}"


class _OwnParent(Reached):
    """The process above the server, which in a sandbox reaps for it and answers for its system calls."""


@attempt(_OwnParent(), expected="EACCES|EPERM|ENOENT")
def open_the_memory_of_the_process_above_for_writing() -> str:
    return f"descriptor {os.open(f'/proc/{parent_of(os.getppid())}/mem', os.O_RDWR)}"


@attempt(_OwnParent(), expected="EACCES|EPERM|ENOENT")
def list_the_descriptors_of_the_process_above() -> str:
    return str(os.listdir(f"/proc/{parent_of(os.getppid())}/fd"))


@attempt(_OwnParent(), expected="EPERM|ESRCH")
def trace_the_process_above() -> str:
    above = parent_of(os.getppid())
    call("ptrace", 0x4206, above, 0, 0)
    return "traced"


@attempt(_OwnParent(), expected="EPERM|EACCES|ENOSYS|ESRCH")
def take_a_descriptor_of_the_process_above() -> int:
    return call("pidfd_getfd", call("pidfd_open", parent_of(os.getppid()), 0), 0, 0)


@attempt(Victim(), **NOBODY)
def kill_with_a_process_descriptor(pid: int) -> None:
    call("pidfd_send_signal", call("pidfd_open", pid, 0), 9, None, 0)


@attempt(Victim(), **NOBODY)
def kill_with_tkill(pid: int) -> None:
    call("tkill", pid, 9)


@attempt(Victim(), **NOBODY)
def kill_with_tgkill(pid: int) -> None:
    call("tgkill", pid, pid, 9)


@attempt(Victim(), **NOBODY)
def kill_with_a_queued_signal(pid: int) -> None:
    information = ctypes.create_string_buffer(128)
    ctypes.memmove(ctypes.addressof(information) + 8, (-1).to_bytes(4, "little", signed=True), 4)  # si_code SI_QUEUE
    call("rt_sigqueueinfo", pid, 9, information)


@attempt(Handler(), world=True, expected="ok|EPERM|ESRCH")
def signal_everything_there_is() -> None:
    """Processes ignore this one unless they ask for it; those of the server may hear it, none of the host's."""
    os.kill(-1, signal.SIGWINCH)


@attempt(Handler(), namespaces="ESRCH|EPERM", plain="EPERM")
def signal_a_process_group_of_the_hosts(pid: int) -> None:
    os.kill(-os.getpgid(pid), signal.SIGWINCH)


@attempt(Handler(), expected="ok|EPERM|ESRCH|EACCES")
def have_the_kernel_signal_another_process(pid: int) -> None:
    """A file's owner is signalled on input (fcntl(2), F_SETOWN), with the rights that the setter had."""
    import fcntl
    import socket

    ours, theirs = socket.socketpair()
    fcntl.fcntl(ours, fcntl.F_SETOWN, pid)
    fcntl.fcntl(ours, 10, signal.SIGWINCH)  # F_SETSIG
    fcntl.fcntl(ours, fcntl.F_SETFL, fcntl.fcntl(ours, fcntl.F_GETFL) | os.O_ASYNC)
    theirs.send(b"x")
    time.sleep(0.05)


# Scheduling and limits of others


@attempt(Victim(), **NOBODY)
def slow_another_process_down(pid: int) -> None:
    os.setpriority(os.PRIO_PROCESS, pid, 19)


@attempt(Victim(), **NOBODY)
def bind_another_process_to_a_processor(pid: int) -> None:
    os.sched_setaffinity(pid, {min(os.sched_getaffinity(0))})
    # On a machine with one processor that is no change: the idle policy is one.
    os.sched_setscheduler(pid, 3, os.sched_param(0))


@attempt(Victim(), **NOBODY)
def set_a_limit_of_another_process(pid: int) -> None:
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]))


@attempt(Victim(), **UNSEEN)
def have_another_process_killed_first_when_memory_is_short(pid: int) -> int:
    return os.write(os.open(f"/proc/{pid}/oom_score_adj", os.O_WRONLY), b"999")


@attempt(
    Reached(),
    expected="EPERM|EACCES|ENOSYS|ESRCH",
    uncontrolled=dict.fromkeys(("root", "user"), ("ok|ENOSYS|EPERM", "a kernel without NUMA has no such call")),
)
def move_the_memory_of_another_process(run: str) -> str:
    mask = (ctypes.c_uint64 * 16)(1)
    return reach(lambda: call("migrate_pages", parent_of(os.getppid()), 1024, mask, mask), "EINVAL")


# Outliving the session

_STAY = """
import os, signal, sys, time
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGPIPE): signal.signal(number, signal.SIG_IGN)
time.sleep(120)
"""


def _exec_stayer(word: str) -> None:
    for number in range(3, 64):
        try:
            os.close(number)
        except OSError:
            continue
    os.execv(sys.executable, [sys.executable, "-I", "-S", "-c", _STAY, word])


@attempt(Daemon(), ends=True, expected="ok")
def leave_a_daemon_behind(word: str) -> str:
    """Two forks and a session of its own, deaf to the polite signals."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            _exec_stayer(word)
        os._exit(0)
    time.sleep(0.15)
    return "left"


@attempt(Daemon(), ends=True, expected="ok")
def leave_a_daemon_that_is_not_a_child_of_the_last(word: str) -> str:
    """A chain of forks, each parent gone before its child forks again."""

    def deeper(depth: int) -> None:
        if os.fork() == 0:
            os.setsid() if depth % 2 else None
            if depth:
                deeper(depth - 1)
            else:
                _exec_stayer(word)
            os._exit(0)

    deeper(6)
    time.sleep(0.2)
    return "left"


@attempt(Daemon(), ends=True, expected="ok|EPERM")
def leave_a_daemon_without_a_signal_to_its_parent(word: str) -> str:
    """clone(2) with no exit signal: a plain wait(2) does not see such a child (__WCLONE)."""
    if call("clone", 0, 0, 0, 0, 0) == 0:
        os.setsid()
        if call("clone", 0, 0, 0, 0, 0) == 0:
            _exec_stayer(word)
        os._exit(0)
    time.sleep(0.15)
    return "left"


class _Caught(Daemon):
    """A daemon whose parent says that it reaps for its descendants."""


@attempt(_Caught(), ends=True, expected="ok|EPERM")
def leave_a_daemon_below_a_reaper_of_its_own(word: str) -> str:
    """PR_SET_CHILD_SUBREAPER: orphans then go to the attacker's process, not to whoever looks after the session."""
    if os.fork() == 0:
        os.setsid()
        call("prctl", 36, 1, 0, 0, 0)
        if os.fork() == 0:
            if os.fork() == 0:
                _exec_stayer(word)
            os._exit(0)
        _exec_stayer(word)
    time.sleep(0.15)
    return "left"


@attempt(HeartBeat(), ends=True, expected="ok", timeout=8)
def leave_a_daemon_that_keeps_forking(file: str) -> str:
    """Each generation lives for a moment only: who lists processes and then kills them is always late."""
    code = """
import os, signal, sys, time
for number in (1, 2, 13, 15): signal.signal(number, signal.SIG_IGN)
end = time.monotonic() + 10
beats = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
while time.monotonic() < end:
    os.write(beats, b".")
    if os.fork(): os._exit(0)
    os.setsid()
"""
    if os.fork() == 0:
        os.setsid()
        for number in range(3, 64):
            try:
                os.close(number)
            except OSError:
                continue
        os.execv(sys.executable, [sys.executable, "-I", "-S", "-c", code, file])
    time.sleep(0.2)
    return "left"


del _what, _name, _Seen
