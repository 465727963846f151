"""What the processes of a launch share: what is to be set up, the descriptors that they are given, and how they tell the guard.

The child tells on the report pipe, one JSON object a line; exec or the end of the child closes it:

    {"listener": FD}        a socket in the new network namespace, for the proxy; the guard takes it and answers with a byte
    {"failed": STEP, "why": TEXT}
    {"ready": {GUARANTEE: [STATE, HOW]}}  everything is in force and was probed; exec follows
    {"errno": NUMBER, "what": FILE}       which failed
"""

from __future__ import annotations

import json
import os

from stdioguard.sandbox.linux.filters import Options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stdioguard.sandbox.plan import Plan

NAMESPACES = "namespaces"
"""The step that fails where the machine forbids namespaces."""

REPORT = 3
LEASH = 4
EVENTS = 5
OWNERS = 6
"""The numbers of the descriptors in the children: the pipe for reports, the guard's leash (read end), the pipe for refusals, and, where
owners are mapped, the user namespace that says how."""


class Refused(Exception):  # noqa: N818 - a step that failed, on its way to the guard
    """A restriction that cannot be had. `step` is what failed: `NAMESPACES`, or the name of a guarantee."""

    def __init__(self, step: str, why: str) -> None:
        super().__init__(why)
        self.step = step


class Setup:
    """What is to be set up. `abi` is Landlock's; `programs` are the seccomp filters; `limits` are `(resource, value)`."""

    __slots__ = ("abi", "isolated", "limits", "plan", "programs", "umask")

    def __init__(
        self, plan: Plan, umask: int, limits: list[tuple[int, int]], programs: list[bytes], abi: int, *, isolated: bool
    ) -> None:
        self.plan = plan
        self.umask = umask
        self.limits = limits
        self.programs = programs
        self.abi = abi
        self.isolated = isolated


def options(plan: Plan, abi: int, *, isolated: bool) -> Options:
    """Return what the system-call filter depends on.

    In a network namespace of its own a server may have any INET socket; elsewhere TCP alone, and that only to the proxy.
    """
    return Options(
        inet="tcp+udp" if isolated else "tcp" if plan.network else "none",
        trap_reads=bool(plan.deny and (plan.read or plan.write)),
        trap_metadata=True,
        trap_sockets=True,
        trap_signals=not isolated and abi < 6,
        shared_pids=not isolated,
        shared_ipc=not isolated,
    )


def say(**what: object) -> None:
    """Tell the guard, from a child."""
    os.write(REPORT, json.dumps(what).encode() + b"\n")


def wait_for_guard() -> None:
    """Wait for the guard's answer."""
    if not os.read(LEASH, 1):
        os._exit(70)  # the guard has gone
