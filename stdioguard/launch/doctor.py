"""What this machine can enforce: a real launch of a program that does nothing, with every guarantee probed, and what to change."""

from __future__ import annotations

import os
import sys

from stdioguard.launch import child
from stdioguard.policy import places
from stdioguard.sandbox import guarantees
from stdioguard.sandbox.plan import Plan, make_private

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stdioguard.sandbox.guarantees import State

_SETTINGS = (
    ("/proc/sys/kernel/unprivileged_userns_clone", "0", "sudo sysctl -w kernel.unprivileged_userns_clone=1"),
    ("/proc/sys/user/max_user_namespaces", "0", "sudo sysctl -w user.max_user_namespaces=15000"),
    (
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile that allows userns to this Python",
    ),
    ("/proc/sys/kernel/yama/ptrace_scope", "3", "sudo sysctl -w kernel.yama.ptrace_scope=1, and restart (3 cannot be undone)"),
    ("/proc/sys/kernel/yama/ptrace_scope", "2", "sudo sysctl -w kernel.yama.ptrace_scope=1"),
)
"""Settings that take a guarantee away: file, the value that does, and how to change it (admin-guide/sysctl, LSM/Yama)."""


class Findings:
    """What was found. `refusal` is why a launch would be refused, or `None`; `advice` are lines for the person."""

    __slots__ = ("advice", "configuration", "facts", "refusal", "states")

    def __init__(self) -> None:
        self.facts: dict[str, str] = {}
        self.configuration = "none"
        self.states: dict[str, State] = {}
        self.refusal: str | None = None
        self.advice: list[str] = []


def examine() -> Findings:
    """Launch, probe, and say what was found. Raises `OSError` where not even stdioguard's own folders can be made."""
    found = Findings()
    found.facts = _facts()
    places.private_directory(places.directory("state"))
    plan = _plan()
    try:
        child.prepare()
        started = child.start(plan, 0o077)
    except child.SandboxRefused as refusal:
        found.refusal = str(refusal)
    else:
        found.configuration, found.states = started.configuration, started.states
        os.waitpid(started.pid, 0)
    finally:
        os.rmdir(plan.tmp)
    if found.refusal is not None or any(state != guarantees.ENFORCED for state, _ in found.states.values()):
        found.advice = _advice(found)
    return found


def _plan() -> Plan:
    plan = Plan()
    make_private(plan, "doctor")
    plan.use_program(os.path.realpath(sys.executable), [sys.executable, "-I", "-S", "-c", "pass"])
    plan.runtime = [os.path.realpath(sys.base_prefix)]
    plan.environment = {"PATH": os.defpath, "HOME": plan.home}
    plan.find_host()
    return plan


def _facts() -> dict[str, str]:
    system = os.uname()
    facts = {"system": f"{system.sysname} {system.release} {system.machine}", "user": str(os.geteuid())}
    if sys.platform == "linux":
        from stdioguard.sandbox.linux import filters, landlock, libseccomp  # noqa: PLC0415 - Linux alone

        facts["landlock"] = str(landlock.ability() or "none")
        try:
            facts["libseccomp"] = ".".join(map(str, libseccomp.Library().version))
        except filters.Unavailable as error:
            facts["libseccomp"] = str(error)
    return facts


def _advice(found: Findings) -> list[str]:
    lines = []
    for path, value, mend in _SETTINGS:
        try:
            with open(path, encoding="ascii") as file:
                if file.read().strip() == value:
                    lines.append(f"{path} is {value}: {mend}")
        except OSError:
            continue
    if found.states.get("identity", ("",))[0] == guarantees.ABSENT:
        lines.append("run the client, and so stdioguard, as an ordinary user")
    if not lines and found.configuration != "namespaces":
        lines.append("a container or a service manager may forbid namespaces: allow unshare(2) and mount(2) there")
    return lines
