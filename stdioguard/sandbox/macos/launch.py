"""How a server is put under its profile: `/usr/bin/sandbox-exec`, which applies it to itself and then executes the server.

The sandbox is the process's own and of all its descendants, and nothing can take it off again.
"""

from __future__ import annotations

import os
import stat
import sys

from stdioguard.policy import private
from stdioguard.sandbox.guarantees import ABSENT, ENFORCED
from stdioguard.sandbox.macos import paths, sbpl
from stdioguard.sandbox.macos.errors import MacSandboxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from stdioguard.sandbox.guarantees import State
    from stdioguard.sandbox.plan import Plan

SANDBOX_EXEC = "/usr/bin/sandbox-exec"
"""Never looked up: what stands first in PATH could be anything. This one is on the sealed system volume."""

ARGUMENTS_LIMIT = 512 * 1024
"""Half of ARG_MAX, which arguments and environment share (`getconf ARG_MAX`: 1,048,576). Past it the profile goes by file."""

FAILED = (64, 65, 71)
"""Exit codes of `sandbox-exec` for a profile that it cannot read (EX_USAGE, EX_DATAERR) or apply (EX_OSERR): no server was started. A
server can end with them as well; the line on stderr that starts with `sandbox-exec:` tells them apart."""

_MACOS = sys.platform == "darwin"
_PC_CASE_SENSITIVE = 11
"""<sys/unistd.h>; `os.pathconf_names` does not have it."""

STATES: dict[str, State] = {
    "files": (ENFORCED, "Seatbelt: reads, writes and programs by allowlist"),
    "protected": (ENFORCED, "Seatbelt: by name, in every spelling; the folders on the way can neither be made nor moved"),
    "network": (ENFORCED, "Seatbelt: TCP to the proxy's port on this machine, or nothing"),
    "sockets": (ENFORCED, "Seatbelt: granted paths, and the server's own folder for temporary files"),
    "syscalls": (ABSENT, "macOS has no documented filter for system calls: the kernel's whole interface can be called"),
    "privileges": (ENFORCED, "Seatbelt: set-user-id and set-group-id programs are not executed (forbidden-exec-sugid)"),
    "identity": (ABSENT, "the server runs as the user who starts it"),
    "processes": (
        ABSENT,
        "no process namespace: others can be neither signalled nor looked into, but a daemon outlives the session",
    ),
    "ipc": (
        ENFORCED,
        "Seatbelt: one Mach service, and semaphores and shared memory under the names of Python's multiprocessing only",
    ),
}
"""What the sandbox of macOS gives of each guarantee, before any probe. *Not verified on macOS.*"""


def problem(path: str = SANDBOX_EXEC) -> str | None:
    """Return why the sandbox cannot be used on this system, or `None`."""
    try:
        for folder in (os.path.dirname(path), path):
            status = os.lstat(folder)
            if status.st_uid != 0 or status.st_mode & 0o022:
                return f"{folder} is not root's alone; restore it from the system"
        if not stat.S_ISREG(status.st_mode) or not status.st_mode & 0o111:
            return f"{path} is not a program; restore it from the system"
    except OSError as error:
        return f"{path} cannot be used ({error.strerror}); it is part of macOS"
    if status.st_mode & 0o6000:
        return f"{path} is set-user-id; restore it from the system"
    return None


def command(plan: Plan, argv: list[str], folder: str | None = None, *, environment: Iterable[str] = ()) -> list[str]:
    """Return the command line that runs `plan.program` with `argv` in its sandbox; `argv[0]` becomes the program's path.

    `environment` are the texts `NAME=value` that it will share the limit with. A profile that is too long for a command line is written
    to `folder`, which the server must not be able to write to; the file can be removed when the server has been executed.

    Raises `MacSandboxError` where the sandbox is missing, or cannot hold the server to the plan, and `OSError` where the file cannot be
    made.
    """
    if not argv or not plan.program.startswith("/"):
        raise MacSandboxError("the plan names no program: this is a mistake in stdioguard")
    wrong = problem() or case_problem(plan)
    if wrong is not None:
        raise MacSandboxError(wrong)
    profile = sbpl.profile(plan)
    rest = ["--", plan.program, *argv[1:]]
    if sum(len(os.fsencode(word)) + 9 for word in (profile, *rest, *environment)) <= ARGUMENTS_LIMIT:
        return [SANDBOX_EXEC, "-p", profile, *rest]
    if folder is None:
        raise MacSandboxError(
            f"the sandbox profile takes {len(profile)} bytes, too many for a command line: grant or deny fewer paths"
        )
    return [SANDBOX_EXEC, "-f", _written(profile, folder), *rest]


def _written(profile: str, folder: str) -> str:
    path = os.path.join(folder, f"sandbox-{os.getpid()}-{os.urandom(4).hex()}.sb")
    private.fill(path, profile.encode(), lasting=False)
    return path


def case_problem(plan: Plan, sensitive: Callable[[str], bool] | None = None) -> str | None:
    """Return why case keeps a grant from meaning what it says, or `None`.

    Seatbelt compares paths without regard to case on every volume. So where a volume tells names apart by case, a grant of `Work` is one of
    `work` as well: refused where both exist.
    """
    tells_apart = sensitive or _tells_case_apart
    seen: set[str] = set()
    for grant in (*plan.write, *plan.read, *plan.runtime, plan.home, plan.cache, plan.tmp):
        path = paths.lexical(grant)
        while path != "/" and path not in seen:
            seen.add(path)
            folder, name = os.path.split(path)
            twin = next((other for other in _twins(folder, name) if other != name), None) if tells_apart(folder) else None
            if twin is not None:
                return (
                    f"{os.path.join(folder, name)} and {twin!a} beside it differ only by case, which the sandbox of macOS does not see: "
                    "rename one of them"
                )
            path = folder
    return None


def _tells_case_apart(folder: str) -> bool:
    if not _MACOS:
        return False
    try:
        return os.pathconf(folder, _PC_CASE_SENSITIVE) != 0
    except (OSError, ValueError):
        return True


def _twins(folder: str, name: str) -> list[str]:
    try:
        return [entry for entry in os.listdir(folder) if sbpl.comparable(entry) == sbpl.comparable(name)]
    except OSError:
        return []  # a folder that cannot be listed: what is beside the grant in it cannot be looked for
