"""System calls that a server has no use for and that most sandboxes were left by: each must be refused whatever its arguments."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
import socket
import struct
import termios
from typing import Any

from ..catalogue import add, attempt
from ..inside import in_child, reach, write
from ..kernel import (
    AT_FDCWD,
    CLONE_NEWCGROUP,
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWTIME,
    CLONE_NEWUSER,
    CLONE_NEWUTS,
    MACHINE,
    call,
    number,
    raw,
)
from ..stakes import Absent, Key, Reached, Secret, Stake, Terminal, Victim

REFUSED = {"expected": "EPERM"}
ROOT_ONLY = {"user": ("EPERM", "needs a capability")}
MAYBE = dict.fromkeys(
    ("root", "user"), ("ok|EPERM|ENOSYS|EACCES|EOPNOTSUPP|ENODEV|ENOENT|EINVAL", "depends on the kernel's configuration")
)

# Namespaces

for _slug, _flag, _needs in (
    ("user", CLONE_NEWUSER, False), ("mount", CLONE_NEWNS, True), ("network", CLONE_NEWNET, True), ("process", CLONE_NEWPID, True),
    ("ipc", CLONE_NEWIPC, True), ("name", CLONE_NEWUTS, True), ("cgroup", CLONE_NEWCGROUP, True), ("time", CLONE_NEWTIME, True),
):  # fmt: skip

    def _unshare(flag: int) -> str:
        return in_child(lambda: call("unshare", flag))

    add(
        _unshare, Reached(), name=f"make-a-{_slug}-namespace", group="syscalls", bound={"flag": _flag}, world=not _needs,
        uncontrolled=ROOT_ONLY if _needs else {}, **REFUSED,
    )  # fmt: skip


@attempt(Reached(), world=True, **REFUSED)
def make_a_user_namespace_with_others_in_one_call() -> str:
    return in_child(lambda: call("unshare", CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID))


def _clone(flags: int) -> str:
    pid = call("clone", flags | 17, 0, 0, 0, 0)  # SIGCHLD
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return "cloned"


@attempt(Reached(), world=True, **REFUSED)
def clone_into_a_user_namespace() -> str:
    return _clone(CLONE_NEWUSER)


@attempt(Reached(), world=True, **REFUSED)
def clone_into_a_user_namespace_with_the_upper_half_set() -> str:
    return _clone(CLONE_NEWUSER | 1 << 40)


@attempt(Reached(), world=True, **REFUSED)
def clone_into_a_user_and_a_network_namespace() -> str:
    return _clone(CLONE_NEWUSER | CLONE_NEWNET)


@attempt(Reached(), world=True, expected="ENOSYS|EPERM")
def clone3_into_a_user_namespace() -> str:
    """Its flags are in memory, where a filter cannot look: ENOSYS has the C library use clone(2) instead."""
    arguments = (ctypes.c_uint64 * 11)(CLONE_NEWUSER, 0, 0, 0, 17)
    pid = call("clone3", arguments, ctypes.sizeof(arguments))
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return "cloned"


class _Entered(Victim):
    """A process whose namespaces must not be entered."""

    def happened(self, outcome: dict[str, Any]) -> bool:
        return bool(outcome["ok"])


@attempt(_Entered(), expected="EPERM|ENOENT|EACCES", uncontrolled=ROOT_ONLY)
def enter_the_network_namespace_of_another_process(pid: int) -> str:
    return in_child(lambda: call("setns", os.open(f"/proc/{pid}/ns/net", os.O_RDONLY), CLONE_NEWNET))


@attempt(Reached(), uncontrolled=ROOT_ONLY, **REFUSED)
def enter_ones_own_mount_namespace() -> str:
    return in_child(lambda: call("setns", os.open("/proc/self/ns/mnt", os.O_RDONLY), CLONE_NEWNS))


@attempt(Reached(), uncontrolled=ROOT_ONLY, **REFUSED)
def enter_the_namespaces_of_a_process_by_its_descriptor() -> str:
    return in_child(lambda: call("setns", call("pidfd_open", os.getppid(), 0), CLONE_NEWUTS))


# Mounts


def _libc(name: str, *words: object) -> None:
    from ..kernel import libc

    if getattr(libc, name)(*words) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


@attempt(Reached(), uncontrolled=ROOT_ONLY, **REFUSED)
def mount_a_file_system(project: str) -> None:
    os.makedirs(f"{project}/mount-point", exist_ok=True)
    call("mount", b"none", os.fsencode(f"{project}/mount-point"), b"tmpfs", 0, None)
    call("umount2", os.fsencode(f"{project}/mount-point"), 2)


@attempt(Secret("{project}/{slug}/.env"), expected="EPERM|EACCES", uncontrolled=ROOT_ONLY)
def bind_a_denied_file_to_another_name(path: str, project: str) -> bytes:
    write(f"{project}/bound-env")
    call("mount", os.fsencode(path), os.fsencode(f"{project}/bound-env"), None, 4096, None)
    with open(f"{project}/bound-env", "rb") as file:
        found = file.read()
    call("umount2", os.fsencode(f"{project}/bound-env"), 2)
    return found


@attempt(Reached(), uncontrolled=ROOT_ONLY, **REFUSED)
def make_a_mount_writable_again(library: str) -> None:
    """A bind of the folder to itself stands for the sandbox's own read-only mount, so that the control can do it as well."""
    reach(lambda: call("mount", None, os.fsencode(library), None, 4096 | 32, None), "EINVAL")


@attempt(Reached(), uncontrolled=ROOT_ONLY, **REFUSED)
def take_a_mount_away(library: str) -> None:
    """Under a mask or a read-only bind is what it hides."""
    reach(lambda: call("umount2", os.fsencode(library), 2), "EINVAL")


@attempt(Reached(), uncontrolled=ROOT_ONLY, **REFUSED)
def take_the_mount_of_proc_away() -> str:
    def inner() -> None:
        call("unshare", CLONE_NEWNS) if os.geteuid() == 0 and not _filtered() else None
        call("umount2", b"/proc", 2)

    return in_child(inner)


def _filtered() -> bool:
    with open("/proc/self/status") as file:
        return "Seccomp:\t2" in file.read()


@attempt(Reached(), uncontrolled=ROOT_ONLY, **REFUSED)
def pivot_the_root(project: str) -> str:
    return reach(lambda: call("pivot_root", os.fsencode(project), os.fsencode(project)), "EINVAL", "EBUSY")


@attempt(Reached(), expected="EPERM|ENOSYS", uncontrolled=ROOT_ONLY)
def open_a_file_system_with_the_new_mount_calls() -> str:
    return f"descriptor {call('fsopen', b'tmpfs', 0)}"


@attempt(Reached(), expected="EPERM|ENOSYS", uncontrolled=ROOT_ONLY)
def clone_a_tree_with_the_new_mount_calls(library: str) -> str:
    return f"descriptor {call('open_tree', AT_FDCWD, os.fsencode(library), 1)}"  # OPEN_TREE_CLONE


@attempt(Reached(), expected="EPERM|ENOSYS", uncontrolled=ROOT_ONLY)
def pick_a_mounted_file_system_for_a_change() -> str:
    return f"descriptor {call('fspick', AT_FDCWD, b'/proc', 0)}"


@attempt(Reached(), expected="EPERM|ENOSYS", uncontrolled=ROOT_ONLY)
def move_a_mount() -> str:
    return reach(lambda: call("move_mount", AT_FDCWD, b"/proc", AT_FDCWD, b"/proc", 0), "EINVAL", "ELOOP", "EBUSY")


@attempt(Reached(), expected="EPERM|ENOSYS", uncontrolled=ROOT_ONLY)
def make_a_mount_writable_with_mount_setattr(library: str) -> str:
    attributes = (ctypes.c_uint64 * 4)(0, 1, 0, 0)  # clear MOUNT_ATTR_RDONLY
    return reach(lambda: call("mount_setattr", AT_FDCWD, os.fsencode(library), 0, attributes, 32), "EINVAL")


# The kernel's other machines


@attempt(Reached(), expected="EPERM|ENOSYS", uncontrolled=MAYBE)
def set_up_io_uring() -> str:
    """Its operations pass by every system-call filter."""
    return f"descriptor {call('io_uring_setup', 4, ctypes.create_string_buffer(120))}"


@attempt(Reached(), expected="EPERM|ENOSYS", uncontrolled=MAYBE)
def make_a_bpf_map() -> str:
    attributes = struct.pack("IIIII", 2, 4, 4, 1, 0).ljust(72, b"\0")
    return f"descriptor {call('bpf', 0, attributes, len(attributes))}"


@attempt(Reached(), expected="EPERM|ENOSYS", uncontrolled=MAYBE)
def load_a_bpf_program() -> str:
    program = ctypes.create_string_buffer(struct.pack("BBhi", 0xB7, 0, 0, 0) + struct.pack("BBhi", 0x95, 0, 0, 0))
    license_ = ctypes.create_string_buffer(b"GPL")
    attributes = struct.pack("IIQQ", 1, 2, ctypes.addressof(program), ctypes.addressof(license_)).ljust(120, b"\0")
    return f"descriptor {call('bpf', 5, attributes, len(attributes))}"


@attempt(Reached(), expected="EPERM|ENOSYS|EACCES", uncontrolled=MAYBE)
def open_a_performance_counter() -> str:
    attributes = struct.pack("IIQQQQQ", 1, 112, 0, 0, 0, 0, 1 << 5 | 1 << 6).ljust(112, b"\0")
    return f"descriptor {call('perf_event_open', attributes, 0, -1, -1, 0)}"


@attempt(Reached(), expected="EPERM|ENOSYS", uncontrolled=MAYBE)
def handle_page_faults_in_user_space() -> str:
    """It stops the kernel in the middle of a copy for as long as an attacker wants; only for faults of user mode it is free for all."""
    return f"descriptor {call('userfaultfd', 1)}"  # UFFD_USER_MODE_ONLY


@attempt(Reached(), expected="EPERM|ENOSYS|ENOENT|EACCES", uncontrolled=MAYBE)
def handle_page_faults_through_the_device() -> str:
    return f"descriptor {fcntl.ioctl(os.open('/dev/userfaultfd', os.O_RDWR), 0xAA00, 0)}"


@attempt(Key(), expected="EPERM|ENOSYS", uncontrolled=MAYBE)
def read_a_key_of_the_users_keyring(name: str) -> bytes:
    key = call("keyctl", 10, -4, b"user", name.encode(), 0)  # KEYCTL_SEARCH, KEY_SPEC_USER_KEYRING
    return _key(key)


@attempt(Key(), expected="EPERM|ENOSYS", uncontrolled=MAYBE)
def read_a_key_by_its_serial_number(serial: int) -> bytes:
    call("keyctl", 8, -4, -2)  # KEYCTL_LINK the user's keyring into the process's, so as to possess it
    return _key(serial)


def _key(serial: int) -> bytes:
    buffer = ctypes.create_string_buffer(256)
    size = call("keyctl", 11, serial, buffer, 256)  # KEYCTL_READ
    return buffer.raw[:size]


@attempt(Reached(), expected="EPERM|ENOSYS", uncontrolled=MAYBE)
def add_a_key() -> str:
    return f"key {call('add_key', b'user', b'stdioguard-escape', b'x', 1, -1)}"  # the thread's own keyring: gone with it


@attempt(Reached(), expected="EPERM|ENOSYS", uncontrolled=MAYBE)
def request_a_key() -> str:
    """A request may start a program of the kernel's choice as root (request-key(8))."""
    return reach(lambda: call("request_key", b"user", b"stdioguard-none", None, 0), "ENOKEY")


# Other processes' memory. `processes.py` has the ways through /proc.


@attempt(Victim(), expected="EPERM|ESRCH")
def read_a_processs_memory_with_process_vm_readv(pid: int, start: int, length: int) -> bytes:
    buffer = ctypes.create_string_buffer(length)
    ours = (ctypes.c_uint64 * 2)(ctypes.addressof(buffer), length)
    theirs = (ctypes.c_uint64 * 2)(start, length)
    size = call("process_vm_readv", pid, ours, 1, theirs, 1, 0)
    return buffer.raw[:size]


class _Written(Victim):
    """A process whose memory must stay as it is."""

    def happened(self, outcome: dict[str, Any]) -> bool:
        with open(f"/proc/{self.pid}/environ", "rb") as file:
            return b"EVIL" in file.read()


@attempt(_Written(), expected="EPERM|ESRCH")
def write_a_processs_memory_with_process_vm_writev(pid: int, start: int) -> int:
    buffer = ctypes.create_string_buffer(b"EVIL")
    ours = (ctypes.c_uint64 * 2)(ctypes.addressof(buffer), 4)
    theirs = (ctypes.c_uint64 * 2)(start, 4)
    return call("process_vm_writev", pid, ours, 1, theirs, 1, 0)


@attempt(Victim(), expected="EPERM|ESRCH")
def attach_to_a_process_with_ptrace(pid: int) -> str:
    call("ptrace", 16, pid, 0, 0)  # PTRACE_ATTACH; the victim stays stopped when the attacker ends
    os.waitpid(pid, 0x40000000)
    return _peek(pid)


def _peek(pid: int) -> str:
    with open(f"/proc/{pid}/environ") as file:
        return file.read()


@attempt(Victim(), expected="EPERM|ESRCH")
def seize_a_process_with_ptrace(pid: int) -> str:
    call("ptrace", 0x4206, pid, 0, 0)  # PTRACE_SEIZE
    return _peek(pid)


@attempt(Reached(), **REFUSED)
def ask_to_be_traced() -> str:
    return in_child(lambda: call("ptrace", 0, 0, 0, 0))


@attempt(Victim(), expected="EPERM|ESRCH|ENOSYS")
def take_a_descriptor_of_a_process_with_pidfd_getfd(pid: int) -> bytes:
    descriptor = call("pidfd_getfd", call("pidfd_open", pid, 0), 0, 0)
    return os.pread(descriptor, 100, 0)


@attempt(
    Victim(),
    expected="EPERM|ESRCH|ENOSYS",
    uncontrolled=dict.fromkeys(("root", "user"), ("ok|ENOSYS", "a kernel without CONFIG_KCMP has no kcmp")),
)
def compare_the_kernels_objects_of_two_processes(pid: int, folder: str) -> str:
    """It tells the order of kernel addresses, and who shares what."""
    found = call("kcmp", pid, os.getpid(), 6, 0, 0)
    with open(f"/proc/{pid}/environ") as file:
        return f"{found} {file.read()}"


@attempt(
    Reached(),
    expected="EPERM|ENOSYS",
    uncontrolled=dict.fromkeys(("root", "user"), ("ok|ENOSYS", "a kernel without CONFIG_KCMP has no kcmp")),
)
def compare_ones_own_descriptors() -> int:
    return call("kcmp", os.getpid(), os.getpid(), 0, 1, 2)


@attempt(
    Reached(),
    expected="EPERM|ESRCH|ENOSYS",
    uncontrolled=dict.fromkeys(("root", "user"), ("ok|EPERM|ENOSYS", "needs CAP_SYS_NICE too, and a newer kernel")),
)
def advise_the_kernel_about_a_parents_memory() -> str:
    vector = (ctypes.c_uint64 * 2)(0, 4096)
    return reach(
        lambda: call("process_madvise", call("pidfd_open", os.getppid(), 0), vector, 1, 20, 0), "EINVAL", "ENOMEM", "EBADF"
    )


# Ways around a filter's idea of a system call


@attempt(Reached(), **REFUSED)
def change_the_personality() -> int:
    """ADDR_NO_RANDOMIZE makes every address of the next program known."""
    return call("personality", 0x0040000)


@attempt(Reached(), **REFUSED)
def change_the_personality_with_the_upper_half_set() -> int:
    return call("personality", 1 << 40 | 0x0040000)


def _i386(function: int, *arguments: int) -> int:
    """Make a system call by the 32-bit entry (int 0x80), with the 32-bit numbers."""
    # push rbx; mov eax, edi; mov ebx, esi; mov r8d, ecx; mov ecx, edx; mov edx, r8d; int 0x80; pop rbx; ret
    code = b"\x53\x89\xf8\x89\xf3\x41\x89\xc8\x89\xd1\x44\x89\xc2\xcd\x80\x5b\xc3"
    page = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=7)
    page.write(code)
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    entry = ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_int] * 4)(address)
    padded = (*arguments, 0, 0, 0)[:3]
    result = int(entry(function, *padded))
    if result < 0:
        raise OSError(-result, os.strerror(-result))
    return result


def _needs_x86() -> None:
    if MACHINE != "x86_64":
        raise OSError(errno.ENOSYS, "x86-64 only")


X86 = dict.fromkeys(("root", "user"), ("ok|ENOSYS|SIGSEGV", "only on x86-64, with 32-bit entry built in"))


@attempt(Reached(), expected="SIGSYS|ENOSYS", uncontrolled=X86)
def enter_the_kernel_by_the_32_bit_gate() -> str:
    _needs_x86()
    return f"user {_i386(199)}"  # getuid32


@attempt(Reached(), expected="SIGSYS|ENOSYS", uncontrolled=X86)
def make_a_socket_by_the_32_bit_gate() -> str:
    _needs_x86()
    return f"descriptor {_i386(359, socket.AF_INET, socket.SOCK_DGRAM, 0)}"


@attempt(Reached(), expected="SIGSYS|ENOSYS", uncontrolled=X86)
def unshare_by_the_32_bit_gate() -> str:
    _needs_x86()
    return reach(lambda: in_child(lambda: _i386(310, CLONE_NEWUSER)), "EPERM")


@attempt(Reached(), expected="SIGSYS|ENOSYS", uncontrolled=X86)
def make_a_system_call_with_the_x32_bit() -> str:
    _needs_x86()
    return f"process {raw(number('prctl') | 0x40000000, 16, ctypes.create_string_buffer(16), 0, 0, 0)}"


@attempt(
    Reached(),
    expected="SIGSYS|ENOSYS|EPERM",
    uncontrolled=dict.fromkeys(("root", "user"), ("ENOSYS", "there is no such call yet")),
)
def make_a_system_call_that_does_not_exist_yet() -> int:
    return raw(1000)


@attempt(Reached(), expected="SIGSYS|ENOSYS|EPERM", uncontrolled=X86)
def change_the_segment_table() -> str:
    _needs_x86()
    return f"{call('modify_ldt', 1, struct.pack('IIII', 0, 0, 0, 0x28), 16)}"


# The terminal


def _terminal(path: str = "/dev/tty") -> int:
    return os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)


@attempt(
    Terminal(),
    namespaces="ENOENT|EACCES|ENXIO|EPERM",
    plain="ENXIO|EACCES|EPERM",
    uncontrolled=dict.fromkeys(("root", "user"), ("ok|EIO|EPERM", "dev.tty.legacy_tiocsti may be off")),
)
def type_into_the_users_terminal() -> str:
    """TIOCSTI puts a character into the terminal's input, as if it were typed: the shell runs it when the client has ended."""
    descriptor = _terminal()
    for letter in b"id\n":
        fcntl.ioctl(descriptor, termios.TIOCSTI, bytes([letter]))
    return "typed"


@attempt(
    Reached(),
    expected="EPERM|ENOENT",
    plain="EPERM|ENOENT|EACCES",
    uncontrolled=dict.fromkeys(("root", "user"), ("ok|EIO|EPERM", "dev.tty.legacy_tiocsti may be off")),
)
def type_into_a_terminal_of_ones_own() -> str:
    """Whatever terminal it is: the call itself is refused."""
    return _own_terminal(termios.TIOCSTI)


@attempt(
    Reached(),
    expected="EPERM|ENOENT",
    plain="EPERM|ENOENT|EACCES",
    uncontrolled=dict.fromkeys(("root", "user"), ("ok|EIO|EPERM", "dev.tty.legacy_tiocsti may be off")),
)
def type_into_a_terminal_with_the_upper_half_of_the_register_set() -> str:
    """CVE-2019-10063: the kernel reads 32 bits of the request's number, the filter compared 64."""
    return _own_terminal(termios.TIOCSTI | 1 << 32)


def _own_terminal(request: int) -> str:
    def inner() -> None:
        os.setsid()
        _, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        call("ioctl", slave, request, ctypes.create_string_buffer(b"x"))

    return in_child(inner)


@attempt(
    Reached(),
    expected="EPERM|ENOENT|EACCES",
    uncontrolled=dict.fromkeys(("root", "user"), ("ENOTTY|EPERM", "needs a console of the kernel's")),
)
def paste_into_a_console() -> str:
    """TIOCLINUX can paste its selection into the input. On another terminal the kernel says ENOTTY, so it was asked."""

    def inner() -> None:
        _, slave = os.openpty()
        call("ioctl", slave, 0x541C, ctypes.create_string_buffer(b"\x03"))

    return in_child(inner)


@attempt(Terminal(), namespaces="ENOENT|EACCES", plain="EACCES|EPERM")
def print_on_the_users_terminal(terminal: str) -> int:
    """Escape sequences can retitle, remap and, on some terminals, answer as if typed."""
    return os.write(_terminal(terminal), b"\x1b]0;evil\x07")


@attempt(Terminal(), namespaces="ENOENT|EACCES|ENXIO|EPERM", plain="ENXIO|EACCES|EPERM")
def print_on_the_controlling_terminal() -> int:
    return os.write(_terminal(), b"\x1b]0;evil\x07")


# What only root could do, and a root in a sandbox must not

for _slug, _words in {
    "read-the-kernel-log": ("syslog", 3, ctypes.create_string_buffer(64), 64),
    "switch-accounting-off": ("acct", b"/nonexistent"),
    "swap-to-a-file": ("swapon", b"/nonexistent", 0),
    "stop-swapping": ("swapoff", b"/nonexistent"),
    "reboot": ("reboot", 1, 2, 3, None),
    "load-another-kernel": ("kexec_load", 0, 99999, None, 0),
    "load-a-kernel-module": ("init_module", b"x", 1, b""),
    "load-a-kernel-module-from-a-file": ("finit_module", 0, b"", 0),
    "change-a-disk-quota": ("quotactl", 0x800002 << 8, b"/nonexistent", 0, None),
    "use-all-io-ports": ("iopl", 3),
    "use-an-io-port": ("ioperm", 0x80, 1, 1),
}.items():

    def _privileged(words: tuple[object, ...]) -> str:
        # Any error but a refusal shows that the kernel has looked at the arguments, which are wrong on purpose.
        also = (
            "EINVAL",
            "ENOENT",
            "ENOEXEC",
            "EFAULT",
            "EBADF",
            "ENOTBLK",
            "ESRCH",
            "E2BIG",
            "EADDRNOTAVAIL",
            "ENOTTY",
            "ENODEV",
        )
        return reach(lambda: call(*words), *also)  # type: ignore[arg-type]  # the words are mixed on purpose: numbers, buffers, paths

    add(
        _privileged, Reached(), name=_slug, group="syscalls", bound={"words": _words}, expected="EPERM|ENOSYS", uncontrolled={
            "root": ("ok|EPERM|ENOSYS|EACCES", "not in every kernel, and not in a user namespace"),
            "user": ("ok|EPERM|ENOSYS", "needs a capability"),
        },
    )  # fmt: skip


@attempt(
    Reached(),
    expected="EPERM|ENOSYS",
    uncontrolled={"root": ("ok|EPERM", "not in a user namespace"), "user": ("EPERM", "needs a capability")},
)
def hang_the_terminal_up() -> str:
    def inner() -> None:
        os.setsid()  # from the terminal of the tests, if there is one
        call("vhangup")

    return in_child(inner)


class _HostName(Stake):
    """The machine's name."""

    def prepare(self) -> None:
        self.name = socket.gethostname()

    def happened(self, outcome: dict[str, Any]) -> bool:
        changed = socket.gethostname() != self.name
        if changed:
            socket.sethostname(self.name)
        return changed


@attempt(_HostName(), world=True, expected="EPERM", uncontrolled=ROOT_ONLY)
def change_the_machines_name() -> None:
    socket.sethostname("evil")


@attempt(Reached(), expected="EPERM", uncontrolled=ROOT_ONLY)
def set_the_clock() -> int:
    """To the rate that it has (adjtimex(2), ADJ_TICK), so that the control changes nothing."""
    state = (ctypes.c_long * 32)()
    call("adjtimex", state)
    state[0] = 0x4000
    return call("adjtimex", state)


@attempt(Absent("{project}/{slug}/with-the-32-bit-gate"), expected="SIGSYS|ENOSYS", uncontrolled=X86)
def make_a_file_by_the_32_bit_gate(path: str) -> int:
    _needs_x86()
    low = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40)  # MAP_32BIT
    low.write(os.fsencode(path) + b"\0")
    address = ctypes.addressof(ctypes.c_char.from_buffer(low))
    return _i386(5, address, os.O_CREAT | os.O_WRONLY, 0o600)


del _slug, _flag, _needs, _words
