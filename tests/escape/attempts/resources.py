"""More of the machine than the profile's limits. Each attempt stops a little above the limit: it is a measurement, not a bomb."""

from __future__ import annotations

import mmap
import os
import resource
import signal
import time

from ..catalogue import attempt
from ..stakes import Above

UNCOUNTED = {"expected": "RLIMIT_DATA counts private memory, and each process by itself"}

UNBOUND = {"root-plain": "RLIMIT_NPROC does not bind root (getrlimit(2)), and a namespace of root's own takes a mount view"}

MEMORY, PROCESSES = 352, 160
"""As in `host.py`."""


def _allocate(mebibytes: int) -> int:
    """Touch memory until it is refused, and return how much it was."""
    kept = []
    try:
        for _ in range(mebibytes // 16):
            kept.append(bytearray(16 << 20))
    except MemoryError:
        pass
    return 16 * len(kept)


@attempt(Above(MEMORY), expected="ok|SIGKILL|SIGSEGV")
def take_more_memory_than_granted() -> int:
    return _allocate(MEMORY + 128)


@attempt(Above(MEMORY), expected="ok|SIGKILL|ENOMEM|SIGBUS", weaker=UNCOUNTED)
def take_more_shared_memory_than_granted() -> int:
    """Shared anonymous memory is not data: RLIMIT_DATA does not count it."""
    got = 0
    kept = []
    while got < MEMORY + 128:
        view = mmap.mmap(-1, 16 << 20)
        for offset in range(0, 16 << 20, 4096):
            view[offset] = 1
        kept.append(view)
        got += 16
    return got


@attempt(Above(MEMORY), expected="ok|SIGKILL|ENOMEM|EFBIG|ENOSPC|SIGXFSZ|EPERM", weaker=UNCOUNTED)
def take_more_memory_than_granted_in_nameless_files() -> int:
    descriptor = os.memfd_create("bomb")
    got = 0
    while got < MEMORY + 128:
        os.write(descriptor, b"x" * (16 << 20))
        got += 16
    return got


@attempt(
    Above(MEMORY), namespaces="ok|SIGKILL|ENOSPC|EFBIG|ENOMEM|SIGXFSZ|EACCES|ENOENT", plain="EACCES",
    weaker={"namespaces": UNCOUNTED["expected"]},
)  # fmt: skip
def take_more_memory_than_granted_in_dev_shm() -> int:
    """In a mount view it is the server's own; without one it is every program's, and not granted."""
    got = 0
    descriptor = os.open("/dev/shm/stdioguard-escape-bomb", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        while got < MEMORY + 128:
            got += os.write(descriptor, b"x" * (16 << 20)) >> 20
    finally:
        os.unlink("/dev/shm/stdioguard-escape-bomb")
    return got


@attempt(Above(MEMORY * 2), expected="ok|SIGKILL", timeout=8, weaker=UNCOUNTED)
def take_more_memory_than_granted_in_several_processes() -> int:
    """A limit on each process is no limit on the server: three children with nearly all of it each."""
    reading, writing = os.pipe()
    children = []
    for _ in range(3):
        pid = os.fork()
        if pid == 0:
            os.write(writing, f"{_allocate(MEMORY - 48)}\n".encode())
            signal.pause()
            os._exit(0)
        children.append(pid)
    os.close(writing)
    got = 0
    try:
        with os.fdopen(reading) as lines:
            for _ in children:
                got += int(lines.readline() or 0)
    finally:
        for pid in children:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    return got


@attempt(Above(PROCESSES + 200), expected="ok", timeout=10, weaker=UNBOUND)
def fork_more_than_granted() -> int:
    """Some hundred children that do nothing. The limit counts all of a user's processes, so the stake allows for others'."""
    children = []
    try:
        for _ in range(PROCESSES + 260):
            pid = os.fork()
            if pid == 0:
                signal.pause()
                os._exit(0)
            children.append(pid)
    except OSError:
        pass
    for pid in children:
        os.kill(pid, signal.SIGKILL)
    for pid in children:
        os.waitpid(pid, 0)
    return len(children)


@attempt(Above(PROCESSES + 200), expected="ok", timeout=10, weaker=UNBOUND)
def start_more_threads_than_granted() -> int:
    import threading

    stop = threading.Event()
    threading.stack_size(1 << 16)
    got = 0
    try:
        for _ in range(PROCESSES + 260):
            threading.Thread(target=stop.wait, daemon=True).start()
            got += 1
    except RuntimeError:
        pass
    stop.set()
    return got


@attempt(Above(PROCESSES + 200), expected="ok", timeout=10, weaker=UNBOUND)
def fork_more_than_granted_after_raising_the_limit() -> int:
    try:
        resource.setrlimit(resource.RLIMIT_NPROC, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    except (OSError, ValueError):
        pass
    return int(fork_more_than_granted())


@attempt(Above(MEMORY), expected="ok|SIGKILL|SIGSEGV")
def take_more_memory_than_granted_after_raising_the_limit() -> int:
    for kind in (resource.RLIMIT_DATA, resource.RLIMIT_AS):
        try:
            resource.setrlimit(kind, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        except (OSError, ValueError):
            continue
    return _allocate(MEMORY + 128)


@attempt(Above(0), expected="ok", uncontrolled=dict.fromkeys(("root", "user"), ("ok", "the hard limit may be 0")))
def write_a_core_dump(project: str) -> int:
    """A core dump holds the memory; it is written by the kernel, beyond any rule about files."""
    folder = f"{project}/cores"
    os.makedirs(folder, exist_ok=True)
    os.chdir(folder)
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (1 << 20, 1 << 20))
    except (OSError, ValueError):
        pass
    pid = os.fork()
    if pid == 0:
        os.kill(os.getpid(), signal.SIGABRT)
        time.sleep(5)
    _, status = os.waitpid(pid, 0)
    return int(os.WCOREDUMP(status)) + len(os.listdir(folder))


@attempt(Above(0), expected="ok|EPERM|EACCES", uncontrolled={"user": ("EPERM|EACCES", "needs CAP_SYS_NICE")})
def take_a_real_time_priority() -> int:
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    found = os.sched_getscheduler(0)
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    return int(found == os.SCHED_FIFO)


@attempt(Above(0), expected="EPERM|EACCES", uncontrolled={"user": ("EACCES|EPERM", "needs CAP_SYS_NICE")})
def take_a_better_priority() -> int:
    os.setpriority(os.PRIO_PROCESS, 0, -5)
    return 1
