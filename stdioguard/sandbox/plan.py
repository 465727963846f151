"""From a profile and this machine to a plan: what the server shall have, canonical, checked, and the same for every back end.

Nothing is applied here.
"""

from __future__ import annotations

import errno
import os
import sys

from stdioguard.policy import places, variables
from stdioguard.sandbox import grants, patterns, protected, runtime
from stdioguard.sandbox.network.environment import proxy_environment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stdioguard.policy.policy import Policy
    from stdioguard.sandbox.permissions import Resolved

NOBODY_ELSE = 65533
"""User and group of a server that root starts: ids that systemd and Debian leave to nobody (systemd, UIDS-GIDS)."""

CANARY = ".stdioguard-canary"


class Plan:
    """What one server has. Paths are absolute and canonical, and exist.

    `runtime` may be read and executed, `read` read, `write` written too; `home`, `cache` and `tmp` are the server's own. `deny` and
    `protected` are patterns (see `patterns`). `links` are symbolic links through which the paths were named, as `(path, target)`.
    `notes` are sentences on what the command may miss.
    `user` is the user and group to become, or `None` to stay who one is; `host_network` names the host's network namespace,
    `host_root` is device and inode of its root folder.
    """

    __slots__ = (
        "_fence",
        "argv", "cache", "canary", "cwd", "deny", "environment", "guard", "home", "host_network", "host_root", "links", "memory", "network",
        "notes", "processes", "program", "program_identity", "protected", "proxy_port", "read", "runtime", "seccomp", "sockets", "tmp",
        "user", "waived", "why_root", "write",
    )  # fmt: skip

    def __init__(self) -> None:
        self.program = ""
        self.program_identity = (0, 0)
        self.argv: list[str] = []
        self.environment: dict[str, str] = {}
        self.cwd = "/"
        self.runtime: list[str] = []
        self.read: list[str] = []
        self.write: list[str] = []
        self.deny: list[str] = []
        self.protected: list[str] = []
        self.links: list[tuple[str, str]] = []
        self.home = self.cache = self.tmp = ""
        self.sockets: list[str] = []
        self.network: list[str] = []
        self.proxy_port = 0
        self.user: tuple[int, int] | None = None
        self.why_root = ""
        self.memory: int | None = None
        self.processes: int | None = None
        self.seccomp: str | None = None
        self.waived: frozenset[str] = frozenset()
        self.canary = ""
        self.notes: list[str] = []
        self.guard = os.getpid()
        self.host_network = ""
        self.host_root = (0, 0)
        self._fence: patterns.Fence | None = None

    def waives(self, guarantee: str) -> bool:
        """Tell whether the launch goes on without a guarantee."""
        return guarantee in self.waived or "sandbox" in self.waived

    def fence(self) -> patterns.Fence:
        """Return the matcher of the names that may not be read or written."""
        if self._fence is None:
            self._fence = patterns.Fence(self.deny, self.protected)
        return self._fence

    def private(self) -> list[str]:
        """Return the folders that are the server's own, in which no name is protected."""
        return [self.home, self.cache, self.tmp]

    def use_program(self, path: str, argv: list[str]) -> None:
        """Execute `path`, which is canonical, as it is now."""
        status = os.stat(path)
        self.program, self.argv, self.program_identity = path, argv, (status.st_dev, status.st_ino)

    def find_host(self) -> None:
        """Find out what of this machine the probes need, and whom the server becomes."""
        self.canary = _canaries(places.directory("state"))
        if sys.platform == "linux":
            self.host_network = os.readlink("/proc/self/ns/net")
            root = os.stat("/")
            self.host_root = (root.st_dev, root.st_ino)
            self.user = _user_for_root()
            # For init: in a process that has just been forked it takes several times as long, since each page that is written is copied.
            self.fence()

    def use_proxy(self, port: int, secret: str | None) -> None:
        """Send the server's programs to the proxy on a port of its loopback."""
        self.proxy_port = port
        login = f"stdioguard:{secret}@" if secret else ""
        self.environment |= proxy_environment(f"http://{login}127.0.0.1:{port}", self.network)

    def proxy_address(self) -> tuple[str, int] | None:
        """Return the one address that may be connected to where there is no network namespace."""
        return ("127.0.0.1", self.proxy_port) if self.network else None


def make(
    policy: Policy,
    resolved: Resolved,
    command: list[str],
    name: str,
    environment: dict[str, str],
    *,
    own: Mapping[str, str],
    hidden: Sequence[str] = (),
) -> Plan:
    """Return the plan of one launch: the profile's grants with this machine's paths in them, and what the command itself needs.

    `environment` is the server's and is completed, `own` the guard's; `hidden` are files that it may not read whatever it is granted.
    Raises `GrantRefused`, `PermissionRefused` where another user could change the server's code, and `OSError` where a private folder
    cannot be made.
    """
    plan = Plan()
    home, cwd = os.path.realpath(os.path.expanduser("~")), os.getcwd()
    make_private(plan, name)
    values = {
        "HOME": [home],
        "CWD": [cwd],
        "ARG_PATHS": variables.argument_paths(command, cwd),
        "STATE": [plan.home],
        "CACHE": [plan.cache],
        "TMP": [plan.tmp],
    }
    named = _expand(policy, values)
    needed = runtime.needed(resolved, cwd, own)
    places_of_ours = [os.path.realpath(places.directory(kind)) for kind in ("config", "state", "cache")]
    sandbox = policy.sandbox
    plan.program, plan.argv, plan.cwd = resolved.executable.realpath, resolved.argv, resolved.cwd
    plan.program_identity = (resolved.executable.dev, resolved.executable.ino)
    mine = plan.private()
    plan.read = [path for path in _existing(sandbox["read"]) if path not in mine]
    plan.write = [path for path in _existing(sandbox["write"]) if path not in mine]
    plan.deny, plan.protected = sandbox["deny"], [*protected.patterns(home, places_of_ours), f"**/{CANARY}"]
    for pattern in plan.deny:
        wrong = patterns.problem(pattern)
        if wrong is not None:
            raise grants.GrantRefused(f"[sandbox] deny {pattern!a} in {policy.source}: {wrong}")
    grants.check(plan, home=home, own=places_of_ours)
    plan.runtime = [entry.path for entry in needed.entries]
    plan.deny = [*plan.deny, *grants.hidden(plan, hidden)]
    for path in variables.own_arguments(command):
        named |= grants.links_on(os.path.join(cwd, path.partition("=")[2] if path.startswith("-") else path))
    grants.check_links(named, plan.write)
    plan.links = list((needed.links | named | grants.links_on(cwd)).items())
    plan.sockets, plan.network, plan.seccomp = sandbox["sockets"], sandbox["network"], sandbox["seccomp"]
    plan.memory, plan.processes = sandbox["memory"], sandbox["processes"]
    plan.notes = needed.notes
    plan.find_host()
    folders = {"HOME": plan.home, "TMPDIR": plan.tmp, "TMP": plan.tmp, "TEMP": plan.tmp, "XDG_CACHE_HOME": plan.cache}
    given = {variable: variables.expand([text], values)[0] for variable, text in policy.sandbox["variables"].items()}
    plan.environment = given | environment | needed.environment | resolved.environment | folders
    return plan


def _user_for_root() -> tuple[int, int] | None:
    """Return whom the server of a guard that runs as root becomes: the user who called sudo, else one that is nobody else's."""
    if os.geteuid() != 0:
        return None
    user, group = os.environ.get("SUDO_UID", ""), os.environ.get("SUDO_GID", "")
    if user.isdecimal() and group.isdecimal() and 0 < int(user) < 1 << 31 and 0 < int(group) < 1 << 31:
        return int(user), int(group)
    return NOBODY_ELSE, NOBODY_ELSE


def _canaries(folder: str) -> str:
    """Return the path of a file that the user can read and a server cannot; beside it is a socket, with `.sock` at its end."""
    path = os.path.join(folder, CANARY)
    if not os.path.exists(path):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
    if not os.path.exists(path + ".sock"):
        _make_socket(folder, CANARY + ".sock")
    return path


def _make_socket(folder: str, name: str) -> None:
    import _socket  # noqa: PLC0415 - on the first launch only

    socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    parent = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # A path may be longer than an address may be.
        socket.bind(os.path.join(f"/proc/self/fd/{parent}" if sys.platform == "linux" else folder, name))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:  # made by another session a moment ago
            raise
    finally:
        os.close(parent)
        socket.close()


def make_private(plan: Plan, name: str) -> None:
    """Make the server's own folders. Those of one name are shared by its sessions, but for `tmp`, which lasts as long as one."""
    safe = "".join(char if (char.isalnum() and char.isascii()) or char in "-_." else "_" for char in name)[:64]
    private = os.path.join(places.directory("state"), "servers", safe if safe.strip(".") else "_")
    plan.home = places.private_directory(os.path.join(private, "state"))
    plan.cache = places.private_directory(os.path.join(places.directory("cache"), "servers", safe))
    # Short, since programs make sockets there, whose paths may have 107 bytes (unix(7)).
    plan.tmp = places.private_directory(os.path.join(places.directory("state"), "tmp", os.urandom(4).hex()))
    plan.home, plan.cache, plan.tmp = map(os.path.realpath, (plan.home, plan.cache, plan.tmp))


def _expand(policy: Policy, values: dict[str, list[str]]) -> dict[str, str]:
    """Put this launch's paths in place of the profile's variables. Return the symbolic links that grants were named by."""
    links: dict[str, str] = {}
    for entries in policy.path_lists():
        entries[:] = variables.expand(entries, values)
        if entries is not policy.sandbox["deny"]:
            # What is compared with these is resolved, so they are too; a deny entry may be a pattern.
            for entry in entries:
                links |= grants.links_on(entry)
            entries[:] = [os.path.realpath(entry) for entry in entries]
    return links


def _existing(paths: list[str]) -> list[str]:
    return [path for path in dict.fromkeys(paths) if os.path.exists(path)]
