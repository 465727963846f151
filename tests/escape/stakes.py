"""What the host would lose: things that are put in place before a session and looked at after an attempt.

Each class says in `happened` whether the damage was done. That one question is asked both of the control, where the answer must be yes,
and of the sandbox, where it must be no.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import socket
import stat
import struct
import subprocess
import time
from typing import TYPE_CHECKING, Any

from .kernel import call, libc

if TYPE_CHECKING:
    from .host import Host

PUBLIC = "93.184.216.34"
"""An address that is not special in any registry. It and the next two are another machine's: see `world.py`."""
PUBLIC6 = "2606:2800:220:1::34"
METADATA = "169.254.169.254"
OWN = "93.184.216.1"
"""The host's own address on the wire to that machine."""


class Stake:
    """The base: nothing is put in place, and the attempt's having returned is the damage."""

    host: Host
    slug: str

    def place(self, host: Host, slug: str) -> None:
        """Remember whose this is, and put it in place."""
        self.host, self.slug = host, slug
        self.prepare()

    def prepare(self) -> None:
        """Put it in place; called before the session is started."""

    def arguments(self) -> dict[str, Any]:
        """Return what the attempt is told of it; called right before the attempt."""
        return {}

    def happened(self, outcome: dict[str, Any]) -> bool:
        """Tell whether the damage was done."""
        return bool(outcome["ok"])

    def release(self) -> None:
        """Take away what would outlive the host."""

    def path(self, text: str) -> str:
        """Return a path of the stage; `{slug}` is the attempt's name."""
        return self.host.expand(text, self.slug)


class Reached(Stake):
    """The call itself: that it works at all is too much."""


class Secret(Stake):
    """A file whose content must not come out."""

    def __init__(
        self, path: str = "{elsewhere}/{slug}/secret.txt", *, late: bool = False, mode: int = 0o600, **links: str
    ) -> None:
        self.where, self.late, self.mode, self.links = path, late, mode, links

    def prepare(self) -> None:
        self.secret = self.host.secret()
        self.made = self.path(self.where)
        os.makedirs(os.path.dirname(self.made), exist_ok=True)
        for link, target in self.links.items():
            place = self.path(target.partition(" -> ")[0])
            os.makedirs(os.path.dirname(place), exist_ok=True)
            os.symlink(self.path(target.partition(" -> ")[2]), place)
            self.links[link] = place
        if not self.late:
            self.write()

    def write(self) -> None:
        with open(self.made, "w") as file:
            file.write(self.secret + "\n")
        os.chmod(self.made, self.mode)

    def release(self) -> None:
        _remove_outside(self.made, self.host)

    def arguments(self) -> dict[str, Any]:
        if self.late:
            self.write()
        return {"path": self.made, **self.links}

    def happened(self, outcome: dict[str, Any]) -> bool:
        return self.secret in outcome["detail"]


def _remove_outside(path: str, host: Host) -> None:
    """Remove what is not on the stage, which is removed as a whole."""
    if not path.startswith(host.paths["root"] + "/") and os.path.lexists(path):
        os.unlink(path)


class Script(Secret):
    """A program that prints a secret, where nothing may be executed."""

    def __init__(self, path: str = "{elsewhere}/{slug}/program") -> None:
        super().__init__(path, mode=0o755)

    def write(self) -> None:
        with open(self.made, "w") as file:
            file.write(f"#!/bin/sh\n# {self.secret}\necho ran-{self.secret}\n")
        os.chmod(self.made, self.mode)

    def happened(self, outcome: dict[str, Any]) -> bool:
        return f"ran-{self.secret}" in outcome["detail"]


class Name(Stake):
    """A file whose very name must not be told."""

    def __init__(self, folder: str = "{elsewhere}/{slug}") -> None:
        self.folder = folder

    def prepare(self) -> None:
        self.secret = self.host.secret()
        self.made = self.path(self.folder)
        os.makedirs(self.made, exist_ok=True)
        with open(f"{self.made}/{self.secret}", "w") as file:
            file.write("x")

    def arguments(self) -> dict[str, Any]:
        return {"folder": self.made}

    def happened(self, outcome: dict[str, Any]) -> bool:
        return self.secret in outcome["detail"]


class Existence(Secret):
    """A file of which not even size and existence should be told: the attempt returns `exists`."""

    def happened(self, outcome: dict[str, Any]) -> bool:
        return outcome["ok"] and "exists" in outcome["detail"]


class LinkTarget(Secret):
    """A symbolic link whose target is the secret."""

    def write(self) -> None:
        os.symlink(self.secret, self.made)


class Attribute(Secret):
    """A file that carries a secret in an extended attribute."""

    def write(self) -> None:
        super().write()
        os.setxattr(self.made, "user.secret", f"attribute-{self.secret}".encode())

    def happened(self, outcome: dict[str, Any]) -> bool:
        return f"attribute-{self.secret}" in outcome["detail"]


class Stirred(Name):
    """A folder in which something happens all the time; the attempt must not learn what."""

    def arguments(self) -> dict[str, Any]:
        pid = os.fork()
        if pid == 0:
            try:
                for _ in range(40):
                    with open(f"{self.made}/{self.secret}-moved", "w") as file:
                        file.write("x")
                    os.unlink(f"{self.made}/{self.secret}-moved")
                    time.sleep(0.02)
            finally:
                os._exit(0)
        self.pid = pid
        return super().arguments()

    def happened(self, outcome: dict[str, Any]) -> bool:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        return super().happened(outcome)


def _snapshot(path: str) -> tuple[Any, ...] | None:
    try:
        status = os.lstat(path)
    except OSError:
        return None
    content: Any = None
    if stat.S_ISREG(status.st_mode):
        with open(path, "rb") as file:
            content = file.read()
    elif stat.S_ISDIR(status.st_mode):
        content = sorted(os.listdir(path))
    attributes = {name: os.getxattr(path, name, follow_symlinks=False) for name in os.listxattr(path, follow_symlinks=False)}
    if not stat.S_ISLNK(status.st_mode):
        attributes["flags"] = _flags(path)
    kept = (status.st_ino, status.st_mode, status.st_uid, status.st_gid, status.st_nlink, status.st_size, status.st_mtime_ns)
    return (*kept, content, attributes)


def _flags(path: str) -> bytes:
    """The inode's flags (FS_IOC_GETFLAGS), which chattr(1) sets."""
    import fcntl

    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return b"cannot be opened"
    try:
        return fcntl.ioctl(descriptor, 0x80086601, bytes(8))
    except OSError:
        return b""
    finally:
        os.close(descriptor)


class Kept(Stake):
    """A file or folder that must stay as it is: content, mode, owner, times, links, attributes, flags."""

    def __init__(self, path: str = "{elsewhere}/{slug}/kept.txt", *, folder: bool = False, mode: int = 0o640) -> None:
        self.where, self.folder, self.mode = path, folder, mode

    def prepare(self) -> None:
        self.made = self.path(self.where)
        os.makedirs(self.made if self.folder else os.path.dirname(self.made), exist_ok=True)
        inner = f"{self.made}/inner.txt" if self.folder else self.made
        if not os.path.exists(inner):
            with open(inner, "w") as file:
                file.write("kept as it was\n")
            os.chmod(inner, self.mode)

    def arguments(self) -> dict[str, Any]:
        self.before = _snapshot(self.made)
        return {"path": self.made}

    def happened(self, outcome: dict[str, Any]) -> bool:
        return _snapshot(self.made) != self.before

    def release(self) -> None:
        if not self.folder:
            _remove_outside(self.made, self.host)


class Absent(Stake):
    """A path at which nothing may come to be. `base` is a folder that is there, below which it would be."""

    def __init__(self, path: str, *, base: str | None = None) -> None:
        self.where, self.base = path, base

    def prepare(self) -> None:
        self.target = self.path(self.where)
        self.folder = self.path(self.base) if self.base else os.path.dirname(self.target)
        os.makedirs(self.folder, exist_ok=True)

    def arguments(self) -> dict[str, Any]:
        return {"path": self.target, "base": self.folder}

    def happened(self, outcome: dict[str, Any]) -> bool:
        return os.path.lexists(self.target)

    def release(self) -> None:
        _remove_outside(self.target, self.host)


class GitRuns(Stake):
    """A repository in which the next `git` of the user's must not find a setting of the attacker's."""

    def __init__(self, repository: str = "{project}/{slug}/repository") -> None:
        self.where = repository

    def prepare(self) -> None:
        self.repository = self.path(self.where)
        os.makedirs(os.path.dirname(self.repository), exist_ok=True)
        self.git("init", "--quiet", self.repository)

    def git(self, *words: str) -> str:
        environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1"}
        done = subprocess.run(["git", *words], capture_output=True, text=True, env=environment, check=False)
        return done.stdout

    def arguments(self) -> dict[str, Any]:
        return {"repository": self.repository}

    def happened(self, outcome: dict[str, Any]) -> bool:
        # `attack.hook` stands for core.fsmonitor, core.sshCommand and all the others that run a program.
        return "evil" in self.git("-C", self.repository, "config", "attack.hook") or any(
            "evil" in self.git("-C", f"{self.repository}/{inner}", "config", "attack.hook") for inner in ("sub", "sub/inner")
        )


class Listener(Stake):
    """A listener of the host's, which must hear nothing. `kind` is stream, dgram or seqpacket, or `mptcp` for a stream."""

    def __init__(self, address: str = "127.0.0.1", kind: str = "stream", *, path: str | None = None, port: int = 0) -> None:
        self.address, self.kind, self.where, self.port = address, kind, path, port

    def prepare(self) -> None:
        types = {"stream": socket.SOCK_STREAM, "dgram": socket.SOCK_DGRAM, "seqpacket": socket.SOCK_SEQPACKET}
        kind = types.get(self.kind, socket.SOCK_STREAM)
        if self.where is not None:
            self.listener = socket.socket(socket.AF_UNIX, kind)
            self.bound: Any = self.path(self.where)
            if self.bound.startswith("@"):
                self.bound = "@" + self.host.secret()
                self.listener.bind("\0" + self.bound[1:])
            else:
                os.makedirs(os.path.dirname(self.bound), exist_ok=True)
                self.listener.bind(self.bound)
        else:
            family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
            try:
                self.listener = self.host.socket_of(
                    self.address, family, kind, 262 if self.kind == "mptcp" else 0
                )  # IPPROTO_MPTCP
            except OSError:
                self.listener = socket.socket(family, kind)  # a kernel without MPTCP: the attempt says so
            if kind == socket.SOCK_STREAM:
                # TCP Fast Open, so that data in a SYN reaches it (tcp(7)).
                self.listener.setsockopt(socket.IPPROTO_TCP, 23, 16)
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.listener.bind((self.address, self.port))
            self.bound = self.listener.getsockname()[1]
        if kind != socket.SOCK_DGRAM:
            self.listener.listen(16)
        self.listener.setblocking(False)

    def arguments(self) -> dict[str, Any]:
        self.happened({})  # what came before is not this attempt's
        return {"address": self.address, "port": self.bound} if self.where is None else {"path": self.bound}

    def happened(self, outcome: dict[str, Any]) -> bool:
        heard = False
        while select.select([self.listener], [], [], 0.0)[0]:
            try:
                if self.kind == "dgram":
                    self.listener.recv(4096)
                else:
                    self.listener.accept()[0].close()
            except OSError:
                break
            heard = True
        return heard

    def release(self) -> None:
        self.listener.close()


class Victim(Stake):
    """A process of the same user, with a secret in its environment, its memory and an open file. It must stay alive and unread."""

    def __init__(self, *, program: tuple[str, ...] = ("sleep", "600")) -> None:
        self.program = program

    def prepare(self) -> None:
        self.secret = self.host.secret()
        self.folder = self.path("{elsewhere}/{slug}")
        os.makedirs(self.folder, exist_ok=True)
        with open(f"{self.folder}/open.txt", "w") as file:
            file.write(self.secret)
        with open(f"{self.folder}/open.txt") as stdin:
            self.process = subprocess.Popen(
                [*self.program],
                stdin=stdin,
                stdout=subprocess.DEVNULL,
                cwd=self.folder,
                env={"SECRET": self.secret, "PATH": os.environ["PATH"]},
                preexec_fn=_as_a_victim,
                start_new_session=True,
            )
        self.pid = self.process.pid

    def state(self) -> Any:
        """What others must not change of it."""
        pid = self.pid
        try:
            with open(f"/proc/{pid}/status") as file:
                lines = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
            with open(f"/proc/{pid}/limits") as file:
                limits = file.read()
            with open(f"/proc/{pid}/oom_score_adj") as file:
                adjusted = file.read()
            return (
                lines["State"][0] in "TtZX", lines["TracerPid"], os.sched_getaffinity(pid), os.getpriority(os.PRIO_PROCESS, pid),
                os.getpgid(pid), os.sched_getscheduler(pid), limits, adjusted,
            )  # fmt: skip
        except (OSError, ProcessLookupError, ValueError, KeyError):
            return None

    def arguments(self) -> dict[str, Any]:
        deadline = time.monotonic() + 2
        start = 0
        while time.monotonic() < deadline:  # until it has been executed: before that it is a copy of this process
            with open(f"/proc/{self.pid}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
            start = int(fields[47])  # env_start
            with open(f"/proc/{self.pid}/environ", "rb") as file:
                if self.secret.encode() in file.read():
                    break
            time.sleep(0.01)
        self.before = self.state()
        return {"pid": self.pid, "start": start, "length": len(self.secret) + 64, "folder": self.folder}

    def happened(self, outcome: dict[str, Any]) -> bool:
        # A killed process takes its time on a busy machine; what was refused needs no waiting for.
        deadline = time.monotonic() + (0.5 if outcome["ok"] else 0.0)
        while True:
            time.sleep(0.005)
            if self.secret in outcome["detail"] or self.process.poll() is not None or self.state() != self.before:
                return True
            if time.monotonic() >= deadline:
                return False

    def release(self) -> None:
        if hasattr(self, "process") and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def _as_a_victim() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # `nohup` has it ignored
    libc.prctl(0x59616D61, -1, 0, 0, 0)  # PR_SET_PTRACER, any: Yama must not be what stops a control
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


class Handler(Victim):
    """A process that would end itself on a signal that others ignore: a way to see a signal that was sent to everyone."""

    def __init__(self) -> None:
        super().__init__(program=("sh", "-c", "trap 'exit 0' WINCH; while :; do sleep 600 & wait; done"))

    def prepare(self) -> None:
        """Nothing yet: it would hear what is meant for another attempt's."""

    def arguments(self) -> dict[str, Any]:
        super().prepare()
        found = super().arguments()
        for _ in range(200):
            with open(f"/proc/{self.pid}/status") as file:
                caught = next(line for line in file if line.startswith("SigCgt")).split()[1]
            if int(caught, 16) & 1 << signal.SIGWINCH - 1:
                break
            time.sleep(0.01)
        self.before = self.state()
        return found

    def happened(self, outcome: dict[str, Any]) -> bool:
        time.sleep(0.05)
        return self.process.poll() is not None


class Guard(Victim):
    """The guard's own process. Without a guard a process of the same user stands in for it."""

    def arguments(self) -> dict[str, Any]:
        found = super().arguments()
        if self.host.sandboxed and self.host.current is not None:
            self.pid = self.host.current.process.pid
            self.before = self.state()
            with open(f"/proc/{self.pid}/stat") as file:
                found["start"] = int(file.read().rpartition(")")[2].split()[47])
            found["pid"] = self.pid
        return found

    def happened(self, outcome: dict[str, Any]) -> bool:
        if self.pid == self.process.pid:
            return super().happened(outcome)
        time.sleep(0.005)
        return self.state() != self.before or self.host.paths["environment_secret"] in outcome["detail"]


class GuardsSecret(Stake):
    """The secrets in the environment of the guard and of everything that the user runs."""

    def happened(self, outcome: dict[str, Any]) -> bool:
        return self.host.paths["environment_secret"] in outcome["detail"]


class Daemon(Stake):
    """A process that would outlive the session, found by a word on its command line."""

    def arguments(self) -> dict[str, Any]:
        self.word = self.host.secret()
        return {"word": self.word}

    def alive(self) -> list[int]:
        found = []
        for entry in os.listdir("/proc"):
            try:
                with open(f"/proc/{entry}/cmdline", "rb") as file:
                    if self.word.encode() in file.read():
                        found.append(int(entry))
            except (OSError, ValueError):
                continue
        return found

    def happened(self, outcome: dict[str, Any]) -> bool:
        found = self.alive()
        for pid in found:
            os.kill(pid, signal.SIGKILL)
        return bool(found)


class HeartBeat(Stake):
    """A file that a process of the attacker's goes on to lengthen; it must have stopped when the session has ended."""

    def arguments(self) -> dict[str, Any]:
        self.file = self.path("{project}/{slug}.beats")
        return {"file": self.file}

    def happened(self, outcome: dict[str, Any]) -> bool:
        sizes = []
        for _ in range(2):
            sizes.append(os.path.getsize(self.file))
            time.sleep(0.1)
        return sizes[0] != sizes[1]


class SharedMemory(Stake):
    """A System V shared memory segment with a secret."""

    def prepare(self) -> None:
        self.secret = self.host.secret()
        self.key = int.from_bytes(os.urandom(3), "big") + 0x10000000
        self.segment = call("shmget", self.key, 4096, 0o1600)
        self.address = _attach(self.segment)
        ctypes.memmove(self.address, self.secret.encode(), len(self.secret))

    def arguments(self) -> dict[str, Any]:
        return {"key": self.key, "identifier": self.segment}

    def happened(self, outcome: dict[str, Any]) -> bool:
        return self.secret in outcome["detail"] or not ctypes.string_at(self.address, 64).startswith(self.secret.encode())

    def release(self) -> None:
        call("shmctl", self.segment, 0, None)


def _attach(segment: int) -> int:
    libc.shmat.restype = ctypes.c_void_p
    address = libc.shmat(segment, None, 0)
    if address in (None, ctypes.c_void_p(-1).value):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return int(address)


class MessageQueue(Stake):
    """A System V message queue that holds a secret, and must get nothing."""

    def prepare(self) -> None:
        self.secret = self.host.secret()
        self.key = int.from_bytes(os.urandom(3), "big") + 0x20000000
        self.queue = call("msgget", self.key, 0o1600)
        self.send(self.secret.encode())

    def send(self, text: bytes) -> None:
        call("msgsnd", self.queue, struct.pack("q", 1) + text, len(text), 0o4000)

    def arguments(self) -> dict[str, Any]:
        return {"key": self.key, "identifier": self.queue}

    def happened(self, outcome: dict[str, Any]) -> bool:
        buffer = ctypes.create_string_buffer(4096)
        found = []
        while True:
            try:
                size = call("msgrcv", self.queue, buffer, 2048, 0, 0o4000)  # IPC_NOWAIT
            except OSError:
                break
            found.append(buffer.raw[8 : 8 + size])
        self.send(self.secret.encode())
        return found != [self.secret.encode()]

    def release(self) -> None:
        call("msgctl", self.queue, 0, None)


class Semaphore(Stake):
    """A System V semaphore that must keep its value."""

    def prepare(self) -> None:
        self.key = int.from_bytes(os.urandom(3), "big") + 0x30000000
        self.set = call("semget", self.key, 1, 0o1600)
        call("semctl", self.set, 0, 16, 7)  # SETVAL

    def arguments(self) -> dict[str, Any]:
        return {"key": self.key, "identifier": self.set}

    def happened(self, outcome: dict[str, Any]) -> bool:
        return call("semctl", self.set, 0, 12, 0) != 7  # GETVAL

    def release(self) -> None:
        call("semctl", self.set, 0, 0, 0)


class PosixQueue(Stake):
    """A POSIX message queue that must get nothing."""

    def prepare(self) -> None:
        self.name = self.host.secret()
        attributes = (ctypes.c_long * 8)(0, 4, 128)
        self.queue = call("mq_open", self.name.encode(), os.O_RDWR | os.O_CREAT | os.O_NONBLOCK, 0o600, attributes)

    def arguments(self) -> dict[str, Any]:
        return {"queue": self.name}

    def happened(self, outcome: dict[str, Any]) -> bool:
        try:
            call("mq_timedreceive", self.queue, ctypes.create_string_buffer(128), 128, None, None)
        except OSError:
            return False
        return True

    def release(self) -> None:
        os.close(self.queue)
        call("mq_unlink", self.name.encode())


class Key(Stake):
    """A secret in the user's keyring (keyrings(7)); it expires by itself."""

    def prepare(self) -> None:
        self.secret, self.name = self.host.secret(), self.host.secret()
        self.key = None
        try:
            self.key = call("add_key", b"user", self.name.encode(), self.secret.encode(), len(self.secret), -4)
            call("keyctl", 15, self.key, 120)  # KEYCTL_SET_TIMEOUT
            call("keyctl", 5, self.key, 0x3F3F0000)  # KEYCTL_SETPERM: possessor and user may do all
        except OSError:
            pass  # a machine without keyrings: the control says so

    def arguments(self) -> dict[str, Any]:
        return {"name": self.name, "serial": self.key or 0}

    def happened(self, outcome: dict[str, Any]) -> bool:
        return self.secret in outcome["detail"]

    def release(self) -> None:
        if self.key is not None:
            call("keyctl", 9, self.key, -4)  # KEYCTL_UNLINK


class Terminal(Stake):
    """The terminal that the client was started from: nothing may be typed into it or printed on it."""

    def arguments(self) -> dict[str, Any]:
        assert self.host.current is not None
        self.master, self.slave = self.host.current.terminal
        for descriptor in (self.master, self.slave):
            while select.select([descriptor], [], [], 0)[0] and os.read(descriptor, 4096):
                continue
        return {"terminal": os.ttyname(self.slave)}

    def happened(self, outcome: dict[str, Any]) -> bool:
        heard = False
        for descriptor in (self.master, self.slave):
            while select.select([descriptor], [], [], 0)[0] and os.read(descriptor, 4096):
                heard = True
        return heard


class Inherited(Stake):
    """Descriptors that the client left open when it started the guard: a file with a secret, a folder, and a socket."""

    def arguments(self) -> dict[str, Any]:
        assert self.host.current is not None
        return {"numbers": self.host.current.passed}

    def happened(self, outcome: dict[str, Any]) -> bool:
        return self.host.paths["descriptor_secret"] in outcome["detail"] or self.host.heard_on_the_passed_socket()


class Words(Stake):
    """Some words of the host's that must not be in what the attempt returns."""

    def __init__(self, *words: str) -> None:
        self.words = words

    def happened(self, outcome: dict[str, Any]) -> bool:
        return any(self.host.expand(word, self.slug) in outcome["detail"] for word in self.words)


class Above(Stake):
    """An amount: the attempt returns how much it got, and more than `limit` is too much."""

    def __init__(self, limit: int) -> None:
        self.limit = limit

    def happened(self, outcome: dict[str, Any]) -> bool:
        return outcome["ok"] and int(outcome["detail"]) > self.limit


class Reachable(Stake):
    """A port or an address of the host's at which the attempt must not be able to listen."""

    def __init__(self, address: str = "127.0.0.1", *, kind: str = "stream", path: str | None = None) -> None:
        self.address, self.kind, self.where = address, kind, path

    def prepare(self) -> None:
        self.file = self.path("{shared}/{slug}.port")
        os.makedirs(os.path.dirname(self.file), exist_ok=True)
        self.port = 20000 + int.from_bytes(os.urandom(2), "big") % 10000
        self.pid = 0

    def arguments(self) -> dict[str, Any]:
        # The host's side must try while the attempt still listens.
        pid = os.fork()
        if pid == 0:
            for _ in range(200):
                if self.connects():
                    with open(self.file, "w"):
                        os._exit(0)
                time.sleep(0.01)
            os._exit(1)
        self.pid = pid
        return {"port": self.port}

    def connects(self) -> bool:
        with socket.socket(socket.AF_INET6 if ":" in self.address else socket.AF_INET, socket.SOCK_STREAM) as client:
            client.settimeout(0.5)
            try:
                client.connect((self.address, self.port))
                return client.recv(64) == b"evil"
            except OSError:
                return False

    def happened(self, outcome: dict[str, Any]) -> bool:
        if os.waitpid(self.pid, os.WNOHANG) == (0, 0):
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        return os.path.exists(self.file)
