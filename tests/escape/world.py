"""A host to attack: a machine of its own, as far as namespaces can make one, so that controls may do real damage and no packet leaves.

Everything that an attack could reach lives in it: processes, network, System V and POSIX objects, `/run`, `/dev/shm`. The network has one
neighbour, another network namespace at the other end of a wire, that stands in for the internet and has a public and a metadata address.
As root it needs nothing more; an ordinary user makes it in a user namespace. Where neither is allowed the suite runs on the machine
itself, and the attempts marked `world` are left out.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import select
import shutil
import socket
import struct
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from .catalogue import BARE, SANDBOXED
from .kernel import (
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUSER,
    CLONE_NEWUTS,
    call,
    libc,
)
from .stakes import METADATA, OWN, PUBLIC, PUBLIC6

REPOSITORY = Path(__file__).resolve().parents[2]
FIRST_USER = 60578
"""The first of 606 users whom nobody gives out (systemd, UIDS-GIDS)."""
_NAMES = dict.fromkeys(
    ("allowed.test", "other.test", "evil.test", "evilallowed.test", "allowed.test.evil.test", "wild.test", "evilwild.test"),
    PUBLIC,
) | {"rebound.test": "127.0.0.1", "own.test": OWN, "metadata.test": METADATA}
_MS_RDONLY, _MS_BIND, _MS_REC, _MS_PRIVATE = 1, 4096, 16384, 1 << 18


class World:
    """One configuration's host: a process that serves requests, started on first use."""

    def __init__(self, configuration: str, before: str = "") -> None:
        self.configuration = configuration
        self._before = before
        """Python text that each guard runs before it starts."""
        order = (*SANDBOXED, *BARE).index(configuration) if not before else len(SANDBOXED) + len(BARE)
        user = configuration.partition("-")[0]
        # A number for each world: processes are counted by user, and without namespaces one world's would be another's.
        self.user = FIRST_USER + os.getpid() % 86 * 7 + order if user == "user" and os.geteuid() == 0 else os.geteuid()
        # In a mount view /var/tmp is the server's own, where writing beside the grants works and shows nothing: /var/lib is not.
        place = "/var/lib" if os.geteuid() == 0 else "/var/tmp"
        self.root = tempfile.mkdtemp(prefix="escape-", dir=os.environ.get("STAGE", place))
        os.chmod(self.root, 0o755)
        try:
            self.setup = self._lay()
            self.process = self._start()
            self.attempts: list[str] = self.ask("open")["attempts"]
        except BaseException:
            shutil.rmtree(self.root, ignore_errors=True)
            raise

    def ask(self, what: str, timeout: float = 60.0, **words: Any) -> dict[str, Any]:
        """Have the host do something and return its answer. Raises `RuntimeError` where it could not."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps({"do": what, **words}).encode() + b"\n")
        if not select.select([self.process.stdout], [], [], timeout)[0]:
            raise RuntimeError(f"{self.configuration}: no answer to {what} {words}")
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.configuration}: the host is gone")
        answer: dict[str, Any] = json.loads(line)
        if "failed" in answer:
            raise RuntimeError(f"{self.configuration}: {what} {words}: {answer['failed']}")
        return answer

    def close(self) -> dict[str, Any]:
        """End the host and everything in it."""
        try:
            return self.ask("close")
        finally:
            assert self.process.stdin
            self.process.stdin.close()
            self.process.stdout.close() if self.process.stdout else None
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            shutil.rmtree(self.root, ignore_errors=True)

    def _lay(self) -> dict[str, Any]:
        """Make what the user must not be able to change, or could not make."""
        root = Path(self.root)
        shutil.copytree(Path(__file__).parent, root / "server" / "escape", ignore=shutil.ignore_patterns("__pycache__"))
        python = self._interpreter()
        venv = root / "venv"
        packages = venv / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
        packages.mkdir(parents=True)
        (venv / "bin").mkdir()
        (venv / "bin" / "python").symlink_to(python)
        (venv / "pyvenv.cfg").write_text(f"home = {Path(python).parent}\ninclude-system-site-packages = false\n")
        ours = self._within_reach(REPOSITORY, ("stdioguard", "profiles"))
        libraries = self._within_reach(Path(sysconfig.get_path("purelib")), ("msgspec", "h11", "psutil", "typing_extensions.py"))
        guard = root / "code"
        guard.mkdir(exist_ok=True)
        (guard / "sitecustomize.py").write_text(f"import sys\nsys.path += [{str(ours)!r}, {str(libraries)!r}]\n")
        starter = f"import sys; sys.path[:0] = [{str(ours)!r}, {str(libraries)!r}]\n{self._before}\n"
        starter += "from stdioguard.__main__ import main; sys.exit(main())"
        for folder in ("home", "elsewhere", "stdioguard", "cwd", "profiles", "shared", "logs", "empty", "run", "shm"):
            (root / folder).mkdir(exist_ok=True)
            os.chown(root / folder, self.user, -1)
        os.chown(packages, self.user, -1)  # as in a user's own environment
        return {
            "guard": [str(venv / "bin" / "python"), "-P", "-c", starter, "run"],
            "venv": str(venv),
            "server": str(root / "server"),
            "run": str(root / "run"),
            "world": False,
        }

    def _runs(self, *command: str) -> bool:
        user = {"user": self.user, "group": self.user, "extra_groups": []} if self.user != os.geteuid() else {}
        try:
            # mypy cannot tell which keyword each of `user` is.
            return subprocess.run(command, capture_output=True, cwd="/", check=False, **user).returncode == 0  # type: ignore[call-overload, no-any-return]
        except OSError:
            return False

    def _interpreter(self) -> str:
        base = os.path.realpath(sys.executable)
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        for candidate in (base, f"/usr/bin/{version}", f"/usr/local/bin/{version}"):
            if self._runs(candidate, "-I", "-c", "import ctypes"):
                return candidate
        raise RuntimeError(f"no {version} that user {self.user} can run")

    def _within_reach(self, folder: Path, names: tuple[str, ...]) -> Path:
        if all(self._runs("ls", "-R", str(folder / name)) for name in names if (folder / name).exists()):
            return folder
        copy = Path(self.root) / "code" / folder.name
        for name in names:
            if (folder / name).is_dir():
                shutil.copytree(folder / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
            elif (folder / name).exists():
                copy.mkdir(parents=True, exist_ok=True)
                shutil.copy2(folder / name, copy / name)
        return copy

    def _start(self) -> subprocess.Popen[bytes]:
        """Start the host's process in a world of its own, or, where that is not allowed, on this machine."""
        for isolated in (True, False):
            setup = {**self.setup, "world": isolated, "run": "/run" if isolated else self.setup["run"]}
            command = [f"{self.setup['venv']}/bin/python", "-I", f"{self.setup['server']}/escape/host.py"]
            command += [self.configuration, self.root, json.dumps(setup)]
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.escape.world", str(int(isolated)), str(self.user), self.root, *command],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=REPOSITORY, bufsize=0,
                env={"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"},
            )  # fmt: skip
            assert process.stdout
            if process.stdout.read(1) == b"+":
                self.setup = setup
                return process
            process.wait()
        raise RuntimeError("the host cannot be started")


def _isolate(root: str, user: int) -> None:
    """Leave this machine. Returns in process 1 of the new world, as root of it."""
    flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS
    uid, gid = os.geteuid(), os.getegid()
    if uid != 0:
        flags |= CLONE_NEWUSER
    call("unshare", flags)
    if uid != 0:
        for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
    internet = _wire()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = os.fork()
    if pid:
        # Nothing is left to do here but to hand out sockets of the other machine, and to tell how it ended.
        os.closerange(0, 1)
        theirs.close()
        call("setns", internet, CLONE_NEWNET)
        _hand_out(ours)
        _, status = os.waitpid(pid, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
    libc.prctl(1, 9, 0, 0, 0)  # PR_SET_PDEATHSIG: with the tests' process the world ends
    ours.close()
    os.close(internet)
    theirs.set_inheritable(True)
    os.environ["ELSEWHERE"] = str(theirs.detach())
    mount("none", "/", None, _MS_REC | _MS_PRIVATE)
    mount("proc", "/proc", "proc", 0)
    for place in ("/dev/shm", "/run"):
        if os.path.isdir(place):
            mount("tmpfs", place, "tmpfs", 0, "mode=1777")
    os.mkdir("/run/user", 0o700)
    os.chown("/run/user", user, -1)
    for name, lines in (
        ("hosts", [f"{address} {host}" for host, address in _NAMES.items()]),
        ("resolv.conf", ["nameserver 127.0.0.1"]),
    ):
        with open(f"{root}/{name}", "w") as file:
            file.write("\n".join(["127.0.0.1 localhost", *lines] if name == "hosts" else lines) + "\n")
        target = os.path.realpath(f"/etc/{name}")
        if os.path.exists(target):
            mount(f"{root}/{name}", target, None, _MS_BIND)
    libc.sethostname(b"victim", 6)
    try:
        # The world's process numbers are far from those in a namespace below it: a number can then only mean one process.
        with open("/proc/sys/kernel/ns_last_pid", "w") as file:
            file.write("20000")
    except OSError:
        for _ in range(300):
            if (child := os.fork()) == 0:
                os._exit(0)
            os.waitpid(child, 0)


def _wire() -> int:
    """Make another network namespace and a wire to it, with addresses at both ends, and return its descriptor."""
    here = os.open("/proc/self/ns/net", os.O_RDONLY)
    _prepare_network()
    call("unshare", CLONE_NEWNET)
    there = os.open("/proc/self/ns/net", os.O_RDONLY)
    _prepare_network()
    _join(here)
    _bring_up("wire", (PUBLIC, METADATA), PUBLIC6)
    call("setns", here, CLONE_NEWNET)
    os.close(here)
    _bring_up("lo", (), None)
    _bring_up("wire", (OWN, "169.254.169.1"), "2606:2800:220:1::1")
    return there


def _prepare_network() -> None:
    """Set what is set before there are interfaces and sockets."""
    with open("/proc/sys/net/ipv4/ip_unprivileged_port_start", "w") as file:
        file.write("0")  # the stakes at ports 53 and 80 are the user's
    try:
        with open("/proc/sys/net/ipv6/conf/default/accept_dad", "w") as file:
            file.write("0")  # an address can be used at once, unasked whether another has it
    except OSError:
        pass  # a kernel without IPv6


def _join(namespace: int) -> None:
    """Make a pair of interfaces, both called `wire`: one in this network namespace, one in the other (rtnetlink(7), veth(4))."""

    def attribute(kind: int, data: bytes) -> bytes:
        return struct.pack("HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)

    about = bytes(16) + attribute(3, b"wire\0")  # struct ifinfomsg, IFLA_IFNAME
    peer = attribute(1, about + attribute(28, struct.pack("i", namespace)))  # VETH_INFO_PEER, IFLA_NET_NS_FD
    link = attribute(1, b"veth\0") + attribute(2, peer)  # IFLA_INFO_KIND, IFLA_INFO_DATA
    message = about + attribute(18, link)  # IFLA_LINKINFO
    with socket.socket(16, socket.SOCK_RAW, 0) as netlink:
        # RTM_NEWLINK; NLM_F_REQUEST, _ACK, _EXCL, _CREATE
        netlink.send(struct.pack("IHHII", 16 + len(message), 16, 0x605, 1, 0) + message)
        code = -struct.unpack_from("i", netlink.recv(4096), 16)[0]
    if code:
        raise OSError(code, f"veth: {os.strerror(code)}")


def _bring_up(name: str, addresses: tuple[str, ...], address6: str | None) -> None:
    """Bring an interface up with some addresses, each in a network of 256 (netdevice(7))."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, 0x8914, struct.pack("16sH14x", name.encode(), 0x1 | 0x40))  # SIOCSIFFLAGS: up, running
        for number, address in enumerate(addresses):
            alias = f"{name}:{number}".encode()
            request = struct.pack("16sHH4s8x", alias, socket.AF_INET, 0, socket.inet_aton(address))
            fcntl.ioctl(control, 0x8916, request)  # SIOCSIFADDR
            fcntl.ioctl(control, 0x891C, struct.pack("16sHH4s8x", alias, socket.AF_INET, 0, b"\xff\xff\xff\0"))  # SIOCSIFNETMASK
    try:
        if address6:
            with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as control:
                index = socket.if_nametoindex(name)
                fcntl.ioctl(control, 0x8916, socket.inet_pton(socket.AF_INET6, address6) + struct.pack("Ii", 64, index))
    except OSError:
        pass  # a kernel without IPv6


def _hand_out(asked: socket.socket) -> None:
    """Make sockets in this network namespace for the host, who could not enter it, until the host has ended."""
    while request := asked.recv(256):
        try:
            with socket.socket(*json.loads(request)) as made:
                socket.send_fds(asked, [b"0"], [made.fileno()])
        except OSError as error:
            asked.send(str(error.errno).encode())


def mount(source: str, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    """mount(2). Raises `OSError`."""
    words = [os.fsencode(source), os.fsencode(target), None if kind is None else kind.encode()]
    if libc.mount(*words, ctypes.c_ulong(flags), None if data is None else data.encode()) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"mount {target}: {os.strerror(code)}")


def _main() -> None:
    isolated, user, root, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:]
    try:
        if isolated:
            _isolate(root, user)
        if os.geteuid() != user:
            os.setgroups([])
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)
    except OSError as error:
        os.write(2, f"no world of its own: {error}\n".encode())
        os.write(1, b"-")
        os._exit(1)
    os.write(1, b"+")
    os.umask(0o022)
    os.chdir("/")
    os.execv(command[0], command)


if __name__ == "__main__":
    _main()
