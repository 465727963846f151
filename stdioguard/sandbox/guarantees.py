"""What the sandbox promises, by name: the names are those of `run --allow-degraded NAME`, of the record and of `doctor`."""

from __future__ import annotations

ENFORCED = "enforced"
ABSENT = "absent"
WAIVED = "waived"

NAMES = {
    "files": "only granted files and folders can be read, written or executed",
    "protected": "what a person's tools run or obey cannot be changed below a grant, nor can denied files be read",
    "network": "no host is reached but through the proxy",
    "sockets": "no UNIX socket of the machine is reached",
    "syscalls": "system calls that reach past the sandbox are refused",
    "privileges": "no capability, and no way to gain one",
    "identity": "the server does not run as root",
    "processes": "no other process can be seen, traced or signalled",
    "ipc": "no shared memory, queue or semaphore of other processes",
}
"""Every guarantee, in the order in which tables list them."""

SANDBOX = "sandbox"
"""Waives all of them: needed where there is no sandbox at all."""

OPTIONAL = frozenset({"identity", "processes", "ipc"})
"""Guarantees whose absence is recorded and shown, and does not refuse a launch: the others stand without them."""

State = tuple[str, str]
"""One of the three states, and by what means or why not."""


def explain(name: str, why: str) -> str:
    """Return the one line with which a launch is refused."""
    return f'the sandbox cannot give "{name}" ({NAMES.get(name, "any protection")}): {why}; or run with --allow-degraded {name}'
