"""The system-call filter as a program for seccomp(2): from the cache where that is still true, else compiled.

A launch that finds its filter in the cache loads neither libseccomp nor the policy. A cached filter is used only while everything that it
was made from is the same: stdioguard's version, the text of the modules that made it, the options, the library's file, and for a profile in
the OCI format its text and the kernel's release. It must be this user's own file in this user's own directory, open to nobody else;
what does not look like such a filter is compiled anew.
"""

from __future__ import annotations

import os
from binascii import crc32

from stdioguard import __version__
from stdioguard.policy import places, private
from stdioguard.sandbox.linux import trapped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_MAKERS = ("syscalls.py", "trapped.py", "compiler.py", "bpf.py", "oci.py", "libseccomp.py")
"""The modules beside this one that decide what a filter says."""

_MAX_OCI = 1 << 20
_MAX_CACHED = 4 << 20
_INSTRUCTION = 8
_MAX_INSTRUCTIONS = 4096  # BPF_MAXINSNS
_RETURN = 0x06
_END = b"\n\n"


class Unavailable(Exception):  # noqa: N818 - what a launch is told
    """A filter that cannot be had: `str()` is one line that says what and how to mend it."""


class WrongProfile(Unavailable):
    """A profile in the OCI format that cannot be used: file, key, what is wrong."""

    def __init__(self, file: str, key: str, problem: str) -> None:
        super().__init__(f"{file}: {key}: {problem}" if key else f"{file}: {problem}")


class Options:
    """What a filter depends on, beside the policy.

    `inet` is `none`, `tcp` or `tcp+udp`: the INET and INET6 sockets that may be made. `trap_reads`, `trap_metadata`, `trap_sockets` and
    `trap_signals` hand the calls of `trapped` to the broker: every open, what changes owners, modes, times and attributes, connect, bind
    and listen, signals. `shared_pids` and `shared_ipc` tell that there is no PID or IPC namespace, so that processes and objects
    outside can be named. `machine` is that of `os.uname()`. Raises `Unavailable` for a machine that there is no table for.
    """

    __slots__ = (
        "inet", "machine", "shared_ipc", "shared_pids", "trap_metadata", "trap_reads", "trap_signals", "trap_sockets",
    )  # fmt: skip

    def __init__(
        self,
        *,
        inet: str = "none",
        trap_reads: bool = False,
        trap_metadata: bool = False,
        trap_sockets: bool = False,
        trap_signals: bool = False,
        shared_pids: bool = True,
        shared_ipc: bool = True,
        machine: str | None = None,
    ) -> None:
        if inet not in ("none", "tcp", "tcp+udp"):
            raise ValueError(inet)
        self.inet = inet
        self.trap_reads = trap_reads
        self.trap_metadata = trap_metadata
        self.trap_sockets = trap_sockets
        self.trap_signals = trap_signals
        self.shared_pids = shared_pids
        self.shared_ipc = shared_ipc
        self.machine = machine or os.uname().machine
        if self.machine not in trapped.AUDIT_ARCH:
            raise Unavailable(f"there is no system-call filter for {self.machine}; stdioguard run works on x86_64 and aarch64")

    def key(self) -> str:
        """Return a text that is the same for equal options only, and can be a file's name."""
        flags = (self.trap_reads, self.trap_metadata, self.trap_sockets, self.trap_signals, self.shared_pids, self.shared_ipc)
        return f"{self.machine}-{self.inet}-{''.join(letter for letter, on in zip('rmsgpi', flags, strict=True) if on)}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Options) and other.key() == self.key()

    def __hash__(self) -> int:
        return hash(self.key())


def programs(options: Options, oci_file: str | None = None) -> list[bytes]:
    """Return the filters to install, in this order: ours, and that of a profile in the OCI format. A call must pass both.

    Ours is first because it is the one with a listener, and the other may refuse seccomp(2). Raises `Unavailable`.
    """
    found = [program(options)]
    if oci_file is not None:
        found.append(_oci_program(options.machine, oci_file))
    return found


def program(options: Options) -> bytes:
    """Return the filter that `options` describe, an array of `struct sock_filter`. Raises `Unavailable`."""

    def compiled() -> tuple[bytes, str | None]:
        from stdioguard.sandbox.linux import compiler  # noqa: PLC0415 - libseccomp and the policy, on a cold start only

        return compiler.policy(options)

    return _cached(f"{options.key()}.bpf", options.key(), b"", options.machine, compiled)


def _oci_program(machine: str, file: str) -> bytes:
    try:
        with open(file, "rb") as opened:
            text = opened.read(_MAX_OCI + 1)
    except OSError as error:
        raise WrongProfile(file, "", f"cannot be read: {error.strerror}") from None
    if len(text) > _MAX_OCI:
        raise WrongProfile(file, "", "longer than 1 MiB")

    def compiled() -> tuple[bytes, str | None]:
        from stdioguard.sandbox.linux import oci  # noqa: PLC0415 - as above

        return oci.compile_profile(text, file, machine)

    name = f"oci-{crc32(os.fsencode(os.path.abspath(file))):08x}.bpf"
    return _cached(name, f"{machine} {os.uname().release}", text, machine, compiled)


def _cached(name: str, subject: str, text: bytes, machine: str, compiled: Callable[[], tuple[bytes, str | None]]) -> bytes:
    """Return what the cache entry `name` holds if it was made from the same, else what `compiled` makes, and keep that.

    An entry is a line for each thing it was made from, one with the program's sum, an empty line, `text`, and the program.
    """
    directory = os.path.join(places.directory("cache"), "filters")
    path = os.path.join(directory, name)
    made_from = f"{__version__}\n{_makers()}\n{subject}\n{len(text)}\n"
    entry = _read(directory, path)
    head, _, rest = entry.partition(_END)
    before, _, last = head.rpartition(b"\n")
    kept = rest[len(text) :]
    library = os.fsdecode(last).partition(" ")[2]
    if (
        before + b"\n" == os.fsencode(made_from)
        and last == os.fsencode(_identity(kept, library))
        and rest.startswith(text)
        and is_program(kept, machine)
    ):
        return kept
    result, library_file = compiled()
    if not is_program(result, machine):
        raise Unavailable("libseccomp made something that is not a filter; report it with the version of libseccomp")
    if library_file is not None:
        _keep(directory, path, os.fsencode(made_from + _identity(result, library_file)) + _END + text + result)
    return result


def is_program(program: bytes, machine: str) -> bool:
    """Tell whether `program` has the shape of our filters: whole instructions, that begin by looking at the architecture."""
    return (
        len(program) % _INSTRUCTION == 0
        and 4 * _INSTRUCTION < len(program) <= _MAX_INSTRUCTIONS * _INSTRUCTION
        and program.startswith(architecture_check(machine))
        and program[-_INSTRUCTION:-6] == _RETURN.to_bytes(2, "little")
    )


def architecture_check(machine: str) -> bytes:
    """Return the first three instructions of every filter: kill the process where the call is of another architecture."""
    load = b"\x20\x00\x00\x00\x04\x00\x00\x00"  # ld [4]: seccomp_data.arch
    compare = b"\x15\x00\x01\x00" + trapped.AUDIT_ARCH[machine].to_bytes(4, "little")  # jeq ARCH, over the next
    kill = b"\x06\x00\x00\x00\x00\x00\x00\x80"  # ret KILL_PROCESS
    return load + compare + kill


def _makers() -> str:
    """Return a text that changes when the policy or its compiler do; without their source (it may be left out), one that never matches."""
    here = os.path.dirname(os.path.abspath(__file__))
    sums = []
    for name in _MAKERS:
        try:
            descriptor = os.open(os.path.join(here, name), os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return os.urandom(8).hex()
        try:
            source = os.read(descriptor, 1 << 17)
        finally:
            os.close(descriptor)
        sums.append(f"{crc32(source):08x}{len(source)}")
    return " ".join(sums)


def _identity(program: bytes, library: str) -> str:
    """Return the program's sum, and the library's size, time and path: an upgrade changes them."""
    try:
        status = os.stat(library)
    except OSError:
        return ""
    return f"{crc32(program):08x}:{status.st_size}:{status.st_mtime_ns}:{status.st_ino} {library}"


def _read(directory: str, path: str) -> bytes:
    try:
        kept = os.lstat(directory)
        if kept.st_uid != os.geteuid() or kept.st_mode & 0o170077 != 0o040000:
            return b""
        return private.read(path, _MAX_CACHED)
    except OSError:
        return b""


def _keep(directory: str, path: str, entry: bytes) -> None:
    """Write the cache entry whole or not at all. A cache that cannot be written costs time, nothing else."""
    try:
        places.private_directory(places.directory("cache"))
        places.private_directory(directory)
        private.replace(path, entry, lasting=False)
    except OSError:
        pass
