"""Who the server is: no privileges, none to gain, and no secrets of the client's or of the guard's in its environment."""

from __future__ import annotations

import os
import time

from ..catalogue import attempt
from ..inside import read
from ..kernel import call
from ..stakes import GuardsSecret, Reached, Stake, Words


@attempt(GuardsSecret(), expected="ok")
def find_a_secret_in_the_environment() -> str:
    return str(dict(os.environ))


@attempt(GuardsSecret(), expected="ok")
def find_a_secret_in_the_environment_that_the_process_began_with() -> bytes:
    return read(f"/proc/{os.getppid()}/environ")


@attempt(Words("{run}/user", "docker.sock"), expected="ok")
def find_the_hosts_sockets_in_the_environment() -> str:
    return " ".join(
        f"{name}={value}" for name, value in os.environ.items() if "SOCK" in name or "BUS" in name or "DOCKER" in name
    )


class _Capable(Stake):
    """Any capability, in any of the sets that a process can use or regain."""

    def happened(self, outcome: dict[str, object]) -> bool:
        return any(int(word, 16) for word in str(outcome["detail"]).split())


def _sets(*names: str) -> str:
    with open("/proc/self/status") as file:
        lines = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    return " ".join(lines[name] for name in names)


@attempt(_Capable(), expected="ok", uncontrolled={"user": ("ok", "an ordinary user has none")})
def have_capabilities() -> str:
    return _sets("CapEff", "CapPrm", "CapInh", "CapAmb")


@attempt(
    _Capable(),
    expected="ok",
    weaker={"user-plain": "an ordinary user cannot empty the bounding set; no_new_privs makes it worthless"},
)
def have_capabilities_to_gain() -> str:
    return _sets("CapBnd")


class _Gains(Stake):
    """Without `no_new_privs` a set-user-id program gains the rights of its owner."""

    def happened(self, outcome: dict[str, object]) -> bool:
        return outcome["detail"] == "0"


@attempt(_Gains(), expected="ok")
def be_free_to_gain_privileges() -> str:
    return _sets("NoNewPrivs")


class _Filtered(Stake):
    """Without a filter every system call is reachable."""

    def happened(self, outcome: dict[str, object]) -> bool:
        return outcome["detail"] != "2"


@attempt(_Filtered(), expected="ok")
def be_free_of_a_system_call_filter() -> str:
    return _sets("Seccomp")


@attempt(
    Stake(),
    expected="ok|EACCES|EPERM|ENOENT|FileNotFoundError",
    uncontrolled={
        "root": ("EPERM|ENOENT|EACCES", "is root already"),
        "user": ("ok|ENOENT|EACCES|EPERM", "needs a set-user-id program, and its owner in the world's user namespace"),
    },
)
def run_a_set_user_id_program() -> str:
    """`su` waits for a password, as root, if the kernel lets it."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(reading, 0)
        os.execv("/usr/bin/su", ["su", "root"])
    found = ""
    try:
        for _ in range(30):
            time.sleep(0.01)
            with open(f"/proc/{pid}/status") as file:
                found = next(line for line in file if line.startswith("Uid:"))
            if found.split()[2] != found.split()[1]:
                break
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
    if found.split()[2] == found.split()[1]:
        raise PermissionError(1, "runs as the user that it was")
    return found


@attempt(Reached(), expected="EPERM|EINVAL", uncontrolled={"user": ("EPERM|EINVAL", "an ordinary user has no other")})
def become_another_user() -> str:
    os.setresuid(1, 1, 1)
    return "another"


@attempt(Reached(), expected="EPERM|EINVAL", uncontrolled={"user": ("EPERM", "an ordinary user has no other")})
def join_another_group() -> str:
    os.setgroups([4])
    return "joined"


@attempt(
    Reached(),
    expected="EPERM|EINVAL|EACCES",
    uncontrolled={"user": ("EPERM", "needs CAP_SETPCAP"), "root": ("ok", "keeps what it has")},
)
def take_the_securebits_off() -> int:
    return call("prctl", 28, 0, 0, 0, 0)


@attempt(Reached(), expected="ENOTTY|ENXIO|ENOENT|EACCES|EPERM")
def have_a_controlling_terminal() -> str:
    return os.ttyname(os.open("/dev/tty", os.O_RDONLY | os.O_NONBLOCK)) or "a terminal"


@attempt(Reached(), expected="EPERM|EACCES", uncontrolled={"user": ("EPERM", "needs CAP_SETFCAP")})
def give_a_file_capabilities(project: str) -> str:
    path = f"{project}/with-capabilities"
    with open(path, "w"):
        pass
    os.setxattr(path, "security.capability", bytes.fromhex("0100000200200000000000000000000000000000"))
    return "given"


@attempt(Reached(), expected="EPERM|EACCES")
def make_a_set_user_id_file(project: str) -> str:
    """A file with the bit gives its rights to whoever starts it later, outside of the sandbox."""
    path = f"{project}/set-user-id"
    with open(path, "w"):
        pass
    os.chmod(path, 0o4755)
    return "made" if os.stat(path).st_mode & 0o4000 else ""
