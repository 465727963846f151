"""kill and its kin: to processes of the server only. Trapped where neither a PID namespace nor Landlock (ABI 6) keeps the others away.

The server's processes are those that descend from the broker; orphans come back to it, since it is their reaper. A process group is in one
session (setpgid(2)), and the server began its own, so a group is the server's if one member is.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal

from stdioguard.sandbox.linux import kernel, trapped
from stdioguard.sandbox.linux.broker.paths import descends
from stdioguard.sandbox.linux.broker.rules import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stdioguard.sandbox.linux.broker.calls import Call
    from stdioguard.sandbox.linux.broker.service import Broker

_INFO_SIZE = 128  # siginfo_t
_SI_TKILL = -6

_libc = ctypes.CDLL(None, use_errno=True)
_NUMBERS = trapped.NUMBERS[kernel.MACHINE]


def kill(broker: Broker, call: Call) -> int:
    """kill(2): one process, a group (0 or negative), or all that may be signalled (-1)."""
    target, number = call.integer(0), call.integer(1)
    if target > 0:
        try:
            process = call.keep(os.pidfd_open(target))
        except OSError as error:
            if error.errno == errno.ESRCH:
                raise
            _check(target)  # a thread that is not its process's first
            os.kill(target, number)
        else:
            _check(target)  # after it has been opened: the id may be another's by now, but what is open is not
            signal.pidfd_send_signal(process, number)
    elif target == -1:
        own = call.process()
        others = [process for process in _processes() if process != own and descends(process)]
        for process in others:
            _quietly_kill(process, number)
        if not others:
            raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))
    else:
        group = os.getpgid(call.process()) if target == 0 else -target
        call.validate()
        _check(next((process for process in _processes() if _group_of(process) == group), None), f"group {group}")
        os.killpg(group, number)
    return 0


def tkill(broker: Broker, call: Call) -> int:
    """tkill(2)."""
    _check(call.integer(0))
    return _repeat(call, "tkill", call.integer(0), call.integer(1))


def tgkill(broker: Broker, call: Call) -> int:
    """tgkill(2)."""
    _check(call.integer(0))
    return _repeat(call, "tgkill", call.integer(0), call.integer(1), call.integer(2))


def rt_sigqueueinfo(broker: Broker, call: Call) -> int:
    """rt_sigqueueinfo(2)."""
    _check(call.integer(0))
    return _repeat(call, "rt_sigqueueinfo", call.integer(0), call.integer(1), _information(call, 2))


def rt_tgsigqueueinfo(broker: Broker, call: Call) -> int:
    """rt_tgsigqueueinfo(2)."""
    _check(call.integer(0))
    return _repeat(call, "rt_tgsigqueueinfo", call.integer(0), call.integer(1), call.integer(2), _information(call, 3))


def pidfd_send_signal(broker: Broker, call: Call) -> int:
    """pidfd_send_signal(2)."""
    copy = call.descriptor(call.integer(0))
    with open(f"/proc/self/fdinfo/{copy}", "rb") as file:
        fields = file.read().split()
    if b"Pid:" not in fields:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    target = int(fields[fields.index(b"Pid:") + 1])
    if target <= 0:
        raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))
    _check(target)
    information = _information(call, 2) if call.arguments[2] else None
    return _repeat(call, "pidfd_send_signal", copy, call.integer(1), information, call.integer(3))


def _check(process: int | None, what: str = "") -> None:
    if process is None or (process > 0 and not os.path.exists(f"/proc/{process}")):
        raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))
    if process > 0 and not descends(process):
        raise Refused(what or f"process {process}", "processes outside the sandbox")


def _information(call: Call, index: int) -> bytes:
    """Return the caller's siginfo_t. The kernel lets nobody send what only it says itself; the sender it sees is the broker."""
    data = call.memory(call.arguments[index], _INFO_SIZE)
    code = int.from_bytes(data[8:12], "little", signed=True)
    if code >= 0 or code == _SI_TKILL:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))
    return data


def _repeat(call: Call, name: str, *arguments: int | bytes | None) -> int:
    """Make the same call."""
    call.validate()
    number = ctypes.c_long(_NUMBERS[name])
    if _libc.syscall(number, *[ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return 0


def _processes() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _group_of(process: int) -> int | None:
    try:
        return os.getpgid(process)
    except OSError:
        return None


def _quietly_kill(process: int, number: int) -> None:
    try:
        os.kill(process, number)
    except OSError:
        pass


HANDLERS = {
    "kill": kill,
    "tkill": tkill,
    "tgkill": tgkill,
    "rt_sigqueueinfo": rt_sigqueueinfo,
    "rt_tgsigqueueinfo": rt_tgsigqueueinfo,
    "pidfd_send_signal": pidfd_send_signal,
}
