"""The system-call filter: what it says, that the kernel enforces it, that programs live with it, and that its cache is true."""

from __future__ import annotations

import binascii
import contextlib
import ctypes
import errno
import fcntl
import functools
import itertools
import json
import mmap
import os
import random
import re
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("seccomp is Linux's", allow_module_level=True)

from stdioguard.policy import places
from stdioguard.sandbox.linux import bpf, compiler, filters, libseccomp, syscalls, trapped
from stdioguard.sandbox.linux.filters import Options, Unavailable
from tests.sandbox.linux.filtered import TRAPPED, Outcome, calls, go_on, install, outcome, run, syscall

MACHINE = os.uname().machine
AUDIT_ARCH = trapped.AUDIT_ARCH[MACHINE]
X86_64 = MACHINE == "x86_64"
ALL = (1 << 64) - 1
HIGH = 1 << 40
"""A bit that the kernel does not look at where an argument is an `int`."""

PLAIN = Options()
NETWORK = Options(inet="tcp", shared_pids=False, shared_ipc=False)
TRAPPING = Options(inet="tcp+udp", trap_reads=True, trap_metadata=True, trap_sockets=True, trap_signals=True)
OPTIONS = [
    PLAIN, NETWORK, TRAPPING, Options(trap_reads=True), Options(inet="tcp+udp", trap_metadata=True), Options(trap_sockets=True),
    Options(inet="tcp", trap_signals=True, shared_pids=False), Options(trap_metadata=True, shared_ipc=False),
]  # fmt: skip

ids = Options.key


@functools.cache
def compiled(options: Options) -> bytes:
    return compiler.policy(options)[0]


@functools.cache
def by_name(options: Options) -> dict[str, list[syscalls.Rule]]:
    found: dict[str, list[syscalls.Rule]] = defaultdict(list)
    for rule in syscalls.rules(options):
        found[rule[0]].append(rule)
    return found


@functools.cache
def number(name: str) -> int:
    found = compiler.number_of(libseccomp.Library(), name, MACHINE)
    assert found is not None, f"{MACHINE} has no {name}"
    return found


def has(name: str) -> bool:
    return compiler.number_of(libseccomp.Library(), name, MACHINE) is not None


def one(options: Options, name: str, *arguments: int) -> Outcome:
    return calls([compiled(options)], [(number(name), *arguments)])[0]


def bare(name: str, *arguments: int) -> Outcome:
    return calls([], [(number(name), *arguments)])[0]


# --- what the policy says ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", OPTIONS, ids=ids)
def test_no_two_rules_of_one_call_disagree(options: Options) -> None:
    for name, rules in by_name(options).items():
        for (_, one_action, some), (_, other_action, others) in itertools.combinations(rules, 2):
            both = all(
                (value ^ other_value) & mask & other_mask == 0
                for at, mask, value in some
                for other_at, other_mask, other_value in others
                if at == other_at
            )
            assert not both or one_action == other_action, (name, some, others)


def names_on(machine: str) -> dict[int, str]:
    """Every name that libseccomp and our table know for a machine."""
    library = ctypes.CDLL(libseccomp.NAME)
    library.seccomp_syscall_resolve_num_arch.restype = ctypes.c_void_p
    library.seccomp_syscall_resolve_num_arch.argtypes = (ctypes.c_uint32, ctypes.c_int)
    found = {}
    for at in range(1024):
        text = library.seccomp_syscall_resolve_num_arch(trapped.AUDIT_ARCH[machine], at)
        if text:
            found[at] = (ctypes.string_at(text) or b"").decode()
    found |= {at: name for name, at in syscalls.NEW.items()}
    return found | ({at: name for name, at in syscalls.NEW_ON_X86_64.items()} if machine == "x86_64" else {})


@pytest.mark.parametrize("machine", sorted(trapped.AUDIT_ARCH))
def test_every_call_of_the_kernel_is_spoken_of(machine: str) -> None:
    spoken = set(by_name(PLAIN)) | set(syscalls.OBSOLETE)
    missing = {at: name for at, name in names_on(machine).items() if name not in spoken and at <= syscalls.LAST}
    assert not missing, "allow it in FREE, give it conditions, or refuse it with a reason"
    assert max(names_on(machine)) <= syscalls.LAST, "the kernel has newer calls: decide about them, then raise LAST"


def test_the_documentation_names_what_is_refused() -> None:
    page = (Path(__file__).parents[3] / "docs" / "system-calls.md").read_text()
    for name, (number_, why) in syscalls.REFUSED.items():
        (line,) = [line for line in page.splitlines() if line.startswith("|") and f"`{name}`" in line]
        assert why in line
        assert errno.errorcode[number_] in line
    for name, why in syscalls.REFUSED_BY_ARGUMENT.items():
        (line,) = [line for line in page.splitlines() if line.startswith("|") and f"`{name}`" in line]
        assert why in line


def test_what_is_refused_by_argument_is_refused_for_some_and_not_for_others() -> None:
    for name in syscalls.REFUSED_BY_ARGUMENT:
        rules = by_name(PLAIN)[name]
        assert all(conditions for _, _, conditions in rules), name
        assert any(action in (syscalls.ALLOW, syscalls.NOTIFY) for _, action, _ in rules), name


def test_the_numbers_of_trapped_calls_are_the_kernels() -> None:
    for machine, numbers in trapped.NUMBERS.items():
        known = {name: at for at, name in names_on(machine).items()}
        named = (*trapped.OPENS, *trapped.NAMES, *trapped.METADATA, *trapped.LOOKS, *trapped.SOCKETS, *trapped.SIGNALS)
        assert numbers == {name: known[name] for name in named if name in known}


@pytest.mark.skipif(not Path("/usr/include/asm-generic/unistd.h").exists(), reason="the C library's headers are not installed")
def test_the_table_of_new_calls_agrees_with_the_headers() -> None:
    text = Path("/usr/include/asm-generic/unistd.h").read_text()
    for name, at in re.findall(r"#define __NR_(\w+) (\d+)", text):
        if int(at) >= 424 and name != "syscalls":
            assert syscalls.NEW[name] == int(at)


def test_other_than_is_exactly_the_complement() -> None:
    draw = random.Random(1)
    for values in [(1,), (1, 2, 10), (0,), (0xFFFFFFFF, 0), (31,), tuple(draw.getrandbits(32) for _ in range(5))]:
        conditions = list(syscalls._other_than(0, values))
        near = [value ^ (1 << bit) for value in values for bit in range(32)]
        for candidate in [*values, *near, *(draw.getrandbits(32) for _ in range(500))]:
            met = [condition for condition in conditions if candidate & condition[1] == condition[2]]
            assert len(met) == (0 if candidate in values else 1)


# --- the program says what the policy says ----------------------------------------------------------------------------------------


def vectors(rules: list[syscalls.Rule], draw: random.Random, count: int) -> list[tuple[int, ...]]:
    """Arguments near to what the rules look at: values they name, with bits flipped, and noise above."""
    named = [value for _, _, conditions in rules for _, _, value in conditions] or [0]
    masks = [mask for _, _, conditions in rules for _, mask, _ in conditions] or [ALL]
    found = []
    for _ in range(count):
        arguments = []
        for _ in range(6):
            value = draw.choice(named) | (draw.choice(named) if draw.random() < 0.3 else 0)
            if draw.random() < 0.5:
                value ^= 1 << draw.randrange(64)
            if draw.random() < 0.2:
                value ^= draw.choice(masks)
            if draw.random() < 0.2:
                value |= draw.getrandbits(32) << 32
            arguments.append(value & ALL)
        found.append(tuple(arguments))
    return found


@pytest.mark.parametrize("options", OPTIONS, ids=ids)
def test_the_compiled_filter_decides_as_the_policy_does(options: Options) -> None:
    draw = random.Random(options.key())
    lines = bpf.instructions(compiled(options))
    rules_of = {number(name): rules for name, rules in by_name(options).items() if has(name)}
    actions = set()
    for at in range(syscalls.LAST + 1):
        rules = rules_of.get(at, [])
        conditional = any(conditions for _, _, conditions in rules)
        for arguments in vectors(rules, draw, 150 if conditional else 2):
            wanted = compiler.decide(rules, arguments)
            actions.add(wanted)
            assert bpf.evaluate(lines, AUDIT_ARCH, at, arguments) == wanted, (at, rules, arguments)
    assert actions >= {syscalls.ALLOW, syscalls.NOTIFY, syscalls.DEFAULT, syscalls.UNKNOWN}


def test_on_the_other_machine_the_same_rules_make_a_filter() -> None:
    """Compiled for it here, but for calls so new that this libseccomp cannot translate their numbers."""
    other = "aarch64" if X86_64 else "x86_64"
    options = Options(machine=other, inet="tcp")
    library = libseccomp.Library()
    made = library.filter(syscalls.DEFAULT, syscalls.KILL_PROCESS, trapped.AUDIT_ARCH[other])
    there = {name: at for at, name in names_on(other).items()}
    rules_of: dict[int, list[syscalls.Rule]] = defaultdict(list)
    for name, action, conditions in syscalls.rules(options):
        here = library.number(name)
        if here is None or name in syscalls.NEW or name not in there:
            continue
        rules_of[there[name]].append((name, action, conditions))
        if action != syscalls.DEFAULT:
            made.add(action, here, [(at, libseccomp.MASKED_EQ, mask, value) for at, mask, value in conditions], name)
    lines = bpf.instructions(bpf.prologue(other, syscalls.LAST) + made.program())
    draw = random.Random(2)
    for at, rules in rules_of.items():
        for arguments in vectors(rules, draw, 30):
            assert bpf.evaluate(lines, trapped.AUDIT_ARCH[other], at, arguments) == compiler.decide(rules, arguments)
    assert bpf.evaluate(lines, trapped.AUDIT_ARCH[other], syscalls.LAST + 1, (0,) * 6) == syscalls.UNKNOWN
    assert bpf.evaluate(lines, AUDIT_ARCH, 0, (0,) * 6) == syscalls.KILL_PROCESS


def test_a_filter_that_says_something_else_is_refused() -> None:
    """The check after compiling has teeth: change any instruction that decides, and it notices, or nothing has changed."""
    program = compiled(PLAIN)
    rules_of = {number(name): rules for name, rules in by_name(PLAIN).items() if has(name)}
    compiler._check(program, AUDIT_ARCH, rules_of)
    draw = random.Random(3)
    samples = [
        (at, arguments, compiler.decide(rules, arguments))
        for at, rules in rules_of.items()
        if any(conditions for _, _, conditions in rules)
        for arguments in vectors(rules, draw, 60)
    ]
    lines = bpf.instructions(program)
    noticed = 0
    deciding = [position for position, (code, *_) in enumerate(lines) if code in (0x15, 0x06, 0x54)]
    for position in draw.sample(deciding, 150):
        code, yes, no, operand = lines[position]
        try:
            wrong = [*lines[:position], (code, yes, no, operand ^ 1), *lines[position + 1 :]]
            compiler._check(b"".join(struct.pack("HBBI", *line) for line in wrong), AUDIT_ARCH, rules_of)
        except Unavailable:
            noticed += 1
            continue
        changed = [sample for sample in samples if bpf.evaluate(wrong, AUDIT_ARCH, sample[0], sample[1]) != sample[2]]
        assert not changed, (position, lines[position], changed[0])
    assert noticed > 100


# --- refused, by the kernel -------------------------------------------------------------------------------------------------------

NOWHERE = 1  # an address that nothing is at
NOBODY = 0x7FFFFFFF  # a process id that nobody has
HARMLESS: dict[str, tuple[int, ...]] = {
    "setns": (ALL, 0), "mount": (NOWHERE, NOWHERE, NOWHERE, 0, 0), "umount2": (NOWHERE, 0), "pivot_root": (NOWHERE, NOWHERE),
    "chroot": (NOWHERE,), "open_tree": (ALL, NOWHERE, 0), "open_tree_attr": (ALL, NOWHERE, 0, NOWHERE, 0),
    "move_mount": (ALL, NOWHERE, ALL, NOWHERE, 0), "fsopen": (NOWHERE, 0), "fsconfig": (ALL, ALL, 0, 0, 0), "fsmount": (ALL, 0, 0),
    "fspick": (ALL, NOWHERE, 0), "mount_setattr": (ALL, NOWHERE, 0, NOWHERE, 0), "statmount": (NOWHERE, NOWHERE, 0, 0),
    "listmount": (NOWHERE, NOWHERE, 0, 0), "listns": (NOWHERE, NOWHERE, 0, 0), "openat2": (ALL, NOWHERE, NOWHERE, 0),
    "name_to_handle_at": (ALL, NOWHERE, NOWHERE, NOWHERE, 0), "open_by_handle_at": (ALL, NOWHERE, 0),
    "io_uring_setup": (0, NOWHERE), "io_uring_enter": (ALL, 0, 0, 0, 0), "io_uring_register": (ALL, 0, 0, 0),
    "io_setup": (0, NOWHERE), "io_destroy": (NOWHERE,), "io_submit": (NOWHERE, 1, 0), "io_cancel": (NOWHERE, NOWHERE, NOWHERE),
    "io_getevents": (NOWHERE, 1, 1, 0, 0), "io_pgetevents": (NOWHERE, 1, 1, 0, 0, 0), "memfd_secret": (ALL,),
    "bpf": (ALL, NOWHERE, 0), "perf_event_open": (NOWHERE, 0, ALL, ALL, 0), "userfaultfd": (ALL,), "vmsplice": (ALL, NOWHERE, 1, 0),
    "remap_file_pages": (NOWHERE, 0, 0, 0, 0), "keyctl": (ALL,), "add_key": (NOWHERE, NOWHERE, 0, 0, 0),
    "request_key": (NOWHERE, NOWHERE, 0, 0), "ptrace": (16, NOBODY, 0, 0), "process_vm_readv": (NOBODY, NOWHERE, 1, NOWHERE, 1, 0),
    "process_vm_writev": (NOBODY, NOWHERE, 1, NOWHERE, 1, 0), "process_madvise": (ALL, NOWHERE, 1, 0, 0),
    "process_mrelease": (ALL, 0), "pidfd_getfd": (ALL, 0, 0), "kcmp": (NOBODY, NOBODY, 0, 0, 0), "move_pages": (NOBODY, 0, 0, 0, 0, 0),
    "migrate_pages": (NOBODY, 0, 0, 0), "kexec_load": (0, 1 << 20, 0, 0), "kexec_file_load": (ALL, ALL, 0, 0, 0),
    "init_module": (NOWHERE, 0, NOWHERE), "finit_module": (ALL, NOWHERE, 0), "delete_module": (NOWHERE, 0), "reboot": (0, 0, 0, 0),
    "swapon": (NOWHERE, ALL), "swapoff": (NOWHERE,), "acct": (NOWHERE,), "quotactl": (ALL, NOWHERE, 0, 0),
    "quotactl_fd": (ALL, ALL, 0, 0), "settimeofday": (NOWHERE, 0), "clock_settime": (0, NOWHERE), "adjtimex": (NOWHERE,),
    "clock_adjtime": (0, NOWHERE), "sethostname": (NOWHERE, ALL), "setdomainname": (NOWHERE, ALL), "syslog": (ALL, 0, 0),
    "iopl": (ALL,), "ioperm": (ALL, 1, 1), "fanotify_init": (ALL, 0), "fanotify_mark": (ALL, 0, 0, ALL, NOWHERE),
    "lsm_get_self_attr": (ALL, 0, 0, 0), "lsm_set_self_attr": (ALL, 0, 0, 0), "lsm_list_modules": (0, 0, ALL),
    "uselib": (NOWHERE,), "ustat": (ALL, NOWHERE), "sysfs": (ALL,), "lookup_dcookie": (0, NOWHERE, 0), "nfsservctl": (ALL,),
}  # fmt: skip
"""Arguments with which a call does nothing, but is far enough into the kernel to say something of its own."""


@pytest.mark.parametrize("name", sorted(name for name in syscalls.REFUSED if has(name)))
def test_what_is_refused_by_name_never_gets_into_the_kernel(name: str) -> None:
    expected = syscalls.REFUSED[name][0]
    for arguments in (HARMLESS.get(name, (0,) * 6), (ALL,) * 6):
        assert one(PLAIN, name, *arguments) == Outcome(-1, expected)
    assert one(TRAPPING, name, *HARMLESS.get(name, (0,) * 6)) == Outcome(-1, expected)
    control = bare(name, *HARMLESS.get(name, (0,) * 6))
    if control == Outcome(-1, expected) and (expected == errno.ENOSYS or os.geteuid() != 0):
        pytest.skip("refused; but the kernel says the same to this user, so there is no telling who refused it")
    assert control != Outcome(-1, expected)


CLONE_FLAGS = {
    "NEWNS": 0x20000, "NEWCGROUP": 0x2000000, "NEWUTS": 0x4000000, "NEWIPC": 0x8000000, "NEWUSER": 0x10000000, "NEWPID": 0x20000000,
    "NEWNET": 0x40000000, "PARENT": 0x8000,
}  # fmt: skip


def cloned(flags: int) -> tuple[int, int]:
    result, code = syscall(number("clone"), flags | signal.SIGCHLD, 0, 0, 0, 0)
    if result == 0:
        os._exit(0)
    if result > 0 and not flags & CLONE_FLAGS["PARENT"]:
        os.waitpid(result, 0)
    return min(result, 1), code


@pytest.mark.parametrize("flag", CLONE_FLAGS.values(), ids=CLONE_FLAGS)
def test_clone_makes_processes_and_no_namespaces(flag: int) -> None:
    programs = [compiled(PLAIN)]
    assert outcome(programs, lambda: cloned(0)) == Outcome(1)
    for flags in (flag, flag | HIGH, flag | 1 << 63, flag | 0x4000):
        assert outcome(programs, lambda flags=flags: cloned(flags)) == Outcome(-1, errno.EPERM)

    def control() -> tuple[int, int]:
        inner = os.fork()  # the parent of a process cloned with CLONE_PARENT, so that it is not the tests'
        if inner == 0:
            result, _ = cloned(flag)
            if result != 1 and flag != CLONE_FLAGS["NEWUSER"] and os.geteuid() != 0:
                result, _ = cloned(flag | CLONE_FLAGS["NEWUSER"])
            os._exit(result == 1)
        ended = [os.WEXITSTATUS(os.waitpid(-1, 0)[1]) for _ in range(2 if flag == CLONE_FLAGS["PARENT"] else 1)]
        return max(ended), 0

    assert outcome([], control) == Outcome(1), "the same call makes one without the filter"


def test_personality_may_be_asked_and_not_changed() -> None:
    program = [compiled(PLAIN)]
    for value in (0xFFFFFFFF, 0xFFFFFFFF | HIGH, 0):
        (found,) = calls(program, [(number("personality"), value)])
        assert found.errno == 0
    for value in (0x0040000, 0x0400000, 8, 0x20000):  # ADDR_NO_RANDOMIZE, READ_IMPLIES_EXEC, PER_LINUX32, UNAME26
        assert one(PLAIN, "personality", value) == Outcome(-1, errno.EPERM)
        assert bare("personality", value).errno == 0


@pytest.mark.parametrize(
    ("option", "arguments"),
    [(35, (ALL,)), (26, (1,)), (59, (0, 0, 0, 0)), (62, (0, 0, 0, 0)), (31, ()), (32, ()), (67, (0, 0, 0, 0))],
)
def test_prctl_has_the_listed_options_only(option: int, arguments: tuple[int, ...]) -> None:
    for spelled in (option, option | HIGH):
        assert one(PLAIN, "prctl", spelled, *arguments) == Outcome(-1, errno.EPERM)
    if not X86_64 and option == 26:
        return
    assert bare("prctl", option, *arguments) != Outcome(-1, errno.EPERM)
    assert one(PLAIN, "prctl", 39 | HIGH, 0, 0, 0, 0) == Outcome(1), "PR_GET_NO_NEW_PRIVS, with noise above the int"


IOCTLS = {
    "TIOCSTI": 0x5412, "TIOCLINUX": 0x541C, "TIOCCONS": 0x541D, "TIOCSETD": 0x5423, "KDSKBENT": 0x4B47, "FS_IOC_SETFLAGS": 0x40086602,
    "FS_IOC_FSSETXATTR": 0x401C5820, "BTRFS_IOC_SNAP_CREATE": 0x50009401, "SIOCSIFFLAGS": 0x8914, "SIOCETHTOOL": 0x8946,
    "FIOSETOWN": 0x8901, "SIOCSPGRP": 0x8902, "FS_IOC_ENABLE_VERITY": 0x40806685, "NS_GET_USERNS": 0xB701, "nonsense": 0xDEADBEEF,
}  # fmt: skip


@pytest.mark.parametrize("request_", IOCTLS.values(), ids=IOCTLS)
def test_ioctl_has_the_listed_requests_only_whatever_the_upper_half_says(request_: int, tmp_path: Path) -> None:
    leader, follower = os.openpty()
    sock = socket.socket(socket.AF_UNIX)
    file = os.open(tmp_path / "file", os.O_CREAT | os.O_RDWR)
    byte = ctypes.create_string_buffer(b"x", 64)
    try:
        at = ctypes.addressof(byte)
        targets = (follower, sock.fileno(), file)
        spellings = (request_, request_ | 1 << 32, request_ | 0xFFFFFFFF << 32, request_ | HIGH)
        wanted = [(number("ioctl"), target, spelled, at) for target in targets for spelled in spellings]
        assert calls([compiled(NETWORK)], wanted) == [Outcome(-1, errno.EPERM)] * len(wanted)
        control = calls([], [(number("ioctl"), target, spelled, at) for target in targets for spelled in spellings[:2]])
        assert any(found.errno != errno.EPERM for found in control)
    finally:
        with contextlib.suppress(OSError):  # the control has made it immutable, if root ran it
            fcntl.ioctl(file, IOCTLS["FS_IOC_SETFLAGS"], bytes(8))
        sock.close()
        for descriptor in (leader, follower, file):
            os.close(descriptor)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can put characters into a terminal that is not its own")
def test_the_kernel_does_ignore_the_upper_half_of_an_ioctl_request() -> None:
    """The control of the test above: what a 64-bit comparison lets pass is TIOCSTI."""
    leader, follower = os.openpty()
    byte = ctypes.create_string_buffer(b"x", 1)
    (found,) = calls([], [(number("ioctl"), follower, 0x5412 | HIGH, ctypes.addressof(byte))])
    assert found == Outcome(0)
    os.close(leader)
    os.close(follower)


def test_terminals_and_pipes_are_asked_as_ever() -> None:
    leader, follower = os.openpty()
    buffer = ctypes.create_string_buffer(64)
    at = ctypes.addressof(buffer)
    wanted = [(number("ioctl"), follower, request | high, at) for request in (0x5401, 0x5413, 0x541B) for high in (0, HIGH)]
    assert calls([compiled(PLAIN)], wanted) == [Outcome(0)] * 6
    os.close(leader)
    os.close(follower)


# --- sockets ----------------------------------------------------------------------------------------------------------------------

STREAM, DGRAM, RAW, SEQPACKET = socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET
FLAGS = socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
UNIX, INET, INET6 = socket.AF_UNIX, socket.AF_INET, socket.AF_INET6
NO, DENIED, OPEN = errno.EAFNOSUPPORT, errno.EPERM, 0

SOCKETS = [
    # family, type, protocol: errno with none, tcp, tcp+udp
    ((UNIX, STREAM, 0), (OPEN, OPEN, OPEN)),
    ((UNIX, STREAM | FLAGS, 0), (OPEN, OPEN, OPEN)),
    ((UNIX, SEQPACKET | FLAGS, 0), (OPEN, OPEN, OPEN)),
    ((UNIX | HIGH, STREAM, 0), (OPEN, OPEN, OPEN)),
    ((UNIX, DGRAM, 0), (DENIED, DENIED, DENIED)),
    ((UNIX, DGRAM | FLAGS, 0), (DENIED, DENIED, DENIED)),
    ((UNIX | HIGH, DGRAM, 0), (DENIED, DENIED, DENIED)),
    ((UNIX, DGRAM | HIGH, 0), (DENIED, DENIED, DENIED)),
    ((UNIX, RAW, 0), (DENIED, DENIED, DENIED)),
    ((INET, STREAM, 0), (NO, OPEN, OPEN)),
    ((INET | HIGH, STREAM, 0), (NO, OPEN, OPEN)),
    ((INET, STREAM | FLAGS, socket.IPPROTO_TCP), (NO, OPEN, OPEN)),
    ((INET6, STREAM, socket.IPPROTO_TCP | HIGH), (NO, OPEN, OPEN)),
    ((INET, STREAM, 262), (NO, DENIED, DENIED)),  # MPTCP, which Landlock's TCP rules do not see
    ((INET, STREAM, 262 | HIGH), (NO, DENIED, DENIED)),
    ((INET6, STREAM, 262), (NO, DENIED, DENIED)),
    ((INET, STREAM, 132), (NO, DENIED, DENIED)),  # SCTP
    ((INET, SEQPACKET, 132), (NO, DENIED, DENIED)),
    ((INET, STREAM, 256), (NO, DENIED, DENIED)),  # SMC
    ((INET, DGRAM, 0), (NO, DENIED, OPEN)),
    ((INET, DGRAM | FLAGS, socket.IPPROTO_UDP), (NO, DENIED, OPEN)),
    ((INET6, DGRAM, 0), (NO, DENIED, OPEN)),
    ((INET, DGRAM, 136), (NO, DENIED, DENIED)),  # UDP-Lite
    ((INET, DGRAM, 1), (NO, DENIED, DENIED)),  # ping sockets
    ((INET, RAW, 255), (NO, DENIED, DENIED)),
    ((INET, RAW, 6), (NO, DENIED, DENIED)),
    ((INET, 10, 0), (NO, DENIED, DENIED)),  # SOCK_PACKET
    ((INET, 6, 33), (NO, DENIED, DENIED)),  # DCCP
    ((16, RAW, 0), (NO, NO, NO)),  # NETLINK
    ((16 | HIGH, RAW, 0), (NO, NO, NO)),
    ((17, RAW, 0), (NO, NO, NO)),  # PACKET
    ((0, STREAM, 0), (NO, NO, NO)),
    ((0xFFFFFFFF, STREAM, 0), (NO, NO, NO)),
]  # fmt: skip


@pytest.mark.parametrize(("inet", "column"), [("none", 0), ("tcp", 1), ("tcp+udp", 2)])
def test_socket_makes_what_is_listed_and_nothing_else(inet: str, column: int) -> None:
    found = calls([compiled(Options(inet=inet))], [(number("socket"), *arguments) for arguments, _ in SOCKETS])
    assert [row.errno for row in found] == [expected[column] for _, expected in SOCKETS]
    control = calls([], [(number("socket"), *arguments) for arguments, _ in SOCKETS])
    refused = [at for at, (_, expected) in enumerate(SOCKETS) if expected[column]]
    assert sum(control[at].errno == 0 for at in refused) >= 10, "most of them can be had without the filter"


def test_no_other_family_gets_into_the_kernel() -> None:
    families = [family for family in range(64) if family not in (UNIX, INET, INET6)]
    wanted = [(number("socket"), family, kind, 0) for family in families for kind in (STREAM, DGRAM, RAW, SEQPACKET)]
    assert set(map(repr, calls([compiled(TRAPPING)], wanted))) == {repr(Outcome(-1, NO))}
    assert any(found.errno == 0 for found in calls([], wanted))


def test_socketpair_makes_streams_and_packets_on_unix() -> None:
    room = ctypes.create_string_buffer(8)
    at = ctypes.addressof(room)
    rows = [((UNIX, STREAM | FLAGS, 0), 0), ((UNIX, SEQPACKET, 0), 0), ((UNIX | HIGH, STREAM, 0), 0), ((UNIX, DGRAM, 0), DENIED),
            ((UNIX, RAW, 0), DENIED), ((UNIX | HIGH, DGRAM | FLAGS, 0), DENIED), ((INET, STREAM, 0), NO), ((30, SEQPACKET, 0), NO)]  # fmt: skip
    found = calls([compiled(NETWORK)], [(number("socketpair"), *arguments, at) for arguments, _ in rows])
    assert [row.errno for row in found] == [expected for _, expected in rows]
    assert calls([], [(number("socketpair"), UNIX, DGRAM, 0, at)]) == [Outcome(0)]


def test_a_datagram_needs_no_connect_and_that_is_why(tmp_path: Path) -> None:
    """The control of the refusal: a socket with a path hears what a process sends that may not connect to it."""
    path = str(tmp_path / "log")
    with socket.socket(UNIX, DGRAM) as listening:
        listening.bind(path)

        def send() -> tuple[int, int]:
            try:
                with socket.socket(UNIX, DGRAM) as sending:
                    return sending.sendto(b"heard", path), 0
            except OSError as error:
                return -1, error.errno or 0

        assert outcome([compiled(Options(trap_sockets=True))], send) == Outcome(-1, errno.EPERM)
        listening.setblocking(False)
        with pytest.raises(BlockingIOError):
            listening.recv(16)
        assert outcome([], send) == Outcome(5)
        assert listening.recv(16) == b"heard"


FASTOPEN = 0x20000000


@pytest.mark.parametrize(("name", "at"), [("sendto", 3), ("sendmsg", 2), ("sendmmsg", 3)])
def test_nothing_is_sent_that_connects_on_the_way(name: str, at: int) -> None:
    def arguments(flags: int) -> tuple[int, ...]:
        return (ALL, NOWHERE, 0, flags, 0, 0) if at == 3 else (ALL, NOWHERE, flags, 0, 0, 0)

    for flags in (FASTOPEN, FASTOPEN | HIGH, FASTOPEN | 0x4000):
        assert one(TRAPPING, name, *arguments(flags)) == Outcome(-1, errno.EOPNOTSUPP)
    for flags in (0, 0x4000, HIGH):
        assert one(TRAPPING, name, *arguments(flags)) == Outcome(-1, errno.EBADF)
    assert bare(name, *arguments(FASTOPEN)) == Outcome(-1, errno.EBADF)


def test_a_fast_open_does_connect_without_connect() -> None:
    """The control of the refusal: one sendto with the flag opens a TCP connection where connect(2) is never called."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        there = listening.getsockname()

        def send() -> tuple[int, int]:
            with socket.socket(INET, STREAM) as sending:
                try:
                    return min(sending.sendto(b"x", FASTOPEN, there), 1), 0
                except OSError as error:
                    return -1, error.errno or 0

        listening.settimeout(0.3)
        assert outcome([compiled(Options(inet="tcp", trap_sockets=True))], send) == Outcome(-1, errno.EOPNOTSUPP)
        with pytest.raises(TimeoutError):
            listening.accept()
        if outcome([], send).errno == errno.EOPNOTSUPP:
            pytest.skip("TCP Fast Open is switched off on this machine")
        listening.accept()[0].close()


def test_a_socket_stays_what_it_was_made_as() -> None:
    with socket.socket(INET, STREAM) as made:
        text = ctypes.create_string_buffer(b"smc")
        for level, option in ((6, 31), (6 | HIGH, 31), (6, 31 | HIGH)):
            arguments = (made.fileno(), level, option, ctypes.addressof(text), 3)
            assert one(NETWORK, "setsockopt", *arguments) == Outcome(-1, errno.ENOPROTOOPT)
            assert bare("setsockopt", *arguments) != Outcome(-1, errno.ENOPROTOOPT)
        value = ctypes.create_string_buffer(b"\1\0\0\0")
        for level, option in ((6, 1), (1, 9), (1, 31), (6, 30)):  # TCP_NODELAY, SO_KEEPALIVE, and neighbours of TCP_ULP
            arguments = (made.fileno(), level, option, ctypes.addressof(value), 4)
            assert one(NETWORK, "setsockopt", *arguments) == bare("setsockopt", *arguments)


# --- filters on top ---------------------------------------------------------------------------------------------------------------

ALLOW_ALL = (0x06).to_bytes(2, "little") + bytes(2) + syscalls.ALLOW.to_bytes(4, "little")


@pytest.mark.parametrize("flags", [8, 8 | HIGH, 8 | 32, 8 | 2])
def test_a_server_cannot_answer_its_own_trapped_calls(flags: int) -> None:
    """The newest listener is asked first (seccomp.h), so a second one would open everything."""

    def stack() -> tuple[int, int]:
        try:
            return min(install(ALLOW_ALL, flags), 1), 0
        except OSError as error:
            return -1, error.errno or 0

    assert outcome([compiled(PLAIN)], stack) == Outcome(-1, errno.EPERM)

    def control() -> tuple[int, int]:
        ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)
        return stack()

    assert outcome([], control) == Outcome(1)


def test_a_server_may_restrict_itself_further() -> None:
    # mkdirat: notify (without a listener of its own) or allow; getpid: refused.
    at = number("mkdirat")
    lines = [(0x20, 0, 0, 0), (0x15, 0, 1, at), (0x06, 0, 0, syscalls.NOTIFY), (0x15, 0, 1, number("getpid")),
             (0x06, 0, 0, syscalls.error(99)), (0x06, 0, 0, syscalls.ALLOW)]  # fmt: skip
    program = b"".join(struct.pack("HBBI", *line) for line in lines)

    def restrict() -> tuple[int, int]:
        install(program, 0)
        assert syscall(number("getpid"))[1] == 99
        return syscall(at, ALL, NOWHERE, 0)

    found = outcome([compiled(PLAIN)], restrict, go_on)
    assert found == Outcome(-1, errno.ENOSYS), "its filter wins over ours, and has nobody to ask: the call fails"


# --- other entries into the kernel ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [syscalls.LAST + 1, 512, 547, 1000, 0x3FFFFFFF, -1])
def test_a_call_that_nobody_knows_is_not_there(at: int) -> None:
    assert calls([compiled(PLAIN)], [(at, 0, 0, 0, 0, 0, 0)]) == [Outcome(-1, errno.ENOSYS)]


@pytest.mark.skipif(not X86_64, reason="x32 is a way into the x86-64 kernel")
@pytest.mark.parametrize("at", [39, 0, 59, 520, 545, 0x3FFFFFFF])
def test_the_x32_entry_kills(at: int) -> None:
    def enter() -> tuple[int, int]:
        return syscall(0x40000000 | at, ALL, NOWHERE, 0, 0, 0, 0)

    assert outcome([compiled(PLAIN)], enter) == Outcome(signal=signal.SIGSYS)
    assert outcome([], enter).signal != signal.SIGSYS


@pytest.mark.skipif(not X86_64, reason="there is no other entry")
def test_the_32_bit_entry_kills() -> None:
    # mov eax, 20 (getpid for i386); int 0x80; ret
    code = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")
    address = ctypes.addressof(ctypes.c_char.from_buffer(code))
    enter = ctypes.CFUNCTYPE(ctypes.c_long)(address)
    assert outcome([compiled(PLAIN)], lambda: (enter(), 0)) == Outcome(signal=signal.SIGSYS)
    assert outcome([], lambda: (enter(), 0)).signal != signal.SIGSYS


# --- other processes and objects of the same user ---------------------------------------------------------------------------------


@pytest.fixture
def other() -> int:
    """A process of this user that is none of the server's."""
    process = subprocess.Popen(["sleep", "60"], start_new_session=True)
    yield process.pid
    process.kill()
    process.wait()


def test_without_a_pid_namespace_other_processes_keep_their_limits_and_places(other: int) -> None:
    mask = ctypes.create_string_buffer(b"\xff" * 8)
    parameter = ctypes.create_string_buffer(64)
    limits = ctypes.create_string_buffer(b"\xff" * 16)
    rows = [
        ("prlimit64", (other, resource.RLIMIT_CORE, ctypes.addressof(limits), 0), (0, resource.RLIMIT_CORE, 0, 0)),
        ("sched_setaffinity", (other, 8, ctypes.addressof(mask)), (0, 8, ctypes.addressof(mask))),
        ("sched_setscheduler", (other, 0, ctypes.addressof(parameter)), (0, 0, ctypes.addressof(parameter))),
        ("sched_setparam", (other, ctypes.addressof(parameter)), (0, ctypes.addressof(parameter))),
        ("setpriority", (0, other, 0), (0, 0, 0)),
        ("setpriority", (1, other, 0), (0, 0, 0)),
        ("ioprio_set", (1, other, 2 << 13), (1, 0, 2 << 13)),
    ]
    for name, theirs, own in rows:
        assert one(PLAIN, name, *theirs) == Outcome(-1, errno.EPERM), name
        assert one(PLAIN, name, theirs[0] | HIGH, *theirs[1:]) == Outcome(-1, errno.EPERM), name
        assert one(PLAIN, name, *own) == Outcome(0), name
        assert bare(name, *theirs).errno == 0, name
        assert one(NETWORK, name, *theirs).errno == 0, f"{name}: in a namespace there is nobody else"
    # All processes of a user at once. The user is one that nobody is: this test changes nothing on its machine.
    for name, arguments in (("setpriority", (2, NOBODY, 0)), ("ioprio_set", (3, NOBODY, 2 << 13))):
        assert one(PLAIN, name, *arguments) == Outcome(-1, errno.EPERM)
        assert bare(name, *arguments) == Outcome(-1, errno.ESRCH)


@pytest.mark.parametrize("command", [8, 8 | HIGH, 10, 15])
def test_without_a_pid_namespace_no_descriptor_signals_another_process(command: int, other: int) -> None:
    owner = ctypes.create_string_buffer((1).to_bytes(4, "little") + other.to_bytes(4, "little"))
    argument = {8: other, 10: signal.SIGUSR1, 15: ctypes.addressof(owner)}[command & 0xFF]
    read, write = os.pipe()
    assert one(PLAIN, "fcntl", read, command, argument) == Outcome(-1, errno.EPERM)
    assert bare("fcntl", read, command, argument) == Outcome(0)
    assert one(NETWORK, "fcntl", read, command, argument) == Outcome(0)
    assert one(PLAIN, "fcntl", read, 3 | HIGH, 0) == bare("fcntl", read, 3, 0), "F_GETFL"
    os.close(read)
    os.close(write)


def test_leases_that_hold_up_other_programs_are_not_taken(tmp_path: Path) -> None:
    file = os.open(tmp_path / "file", os.O_CREAT | os.O_RDONLY)
    for options in (PLAIN, NETWORK):
        assert one(options, "fcntl", file, 1024, 0) == Outcome(-1, errno.EPERM)  # F_SETLEASE, F_RDLCK
    assert bare("fcntl", file, 1024, 0) == Outcome(0)
    os.close(file)


def test_without_an_ipc_namespace_objects_without_a_path_are_out_of_reach() -> None:
    for name in syscalls.SHARED_IPC:
        # A key and a name that nobody has; nothing is made.
        arguments = (NOWHERE, 0, 0, 0, 0) if name.startswith("mq_") else (NOBODY, NOWHERE if name == "msgrcv" else 1, 0, 0)
        assert one(PLAIN, name, *arguments) == Outcome(-1, errno.EPERM), name
        assert one(NETWORK, name, *arguments) == bare(name, *arguments), name
        assert bare(name, *arguments).errno != errno.EPERM, name


# --- modes ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o4755, 0o6755, 0o4000, 0o104755, HIGH | 0o4755])
def test_no_program_is_made_set_user_id(mode: int, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    path = ctypes.create_string_buffer(os.fsencode(file))
    at = ctypes.addressof(path)
    rows = [("fchmodat", (ALL, at, mode)), ("fchmodat2", (ALL, at, mode, 0))]
    rows += [("chmod", (at, mode))] if has("chmod") else []
    for options in (PLAIN, TRAPPING):
        for name, arguments in rows:
            assert one(options, name, *arguments) == Outcome(-1, errno.EPERM)
        descriptor = os.open(file, os.O_RDONLY)
        assert one(options, "fchmod", descriptor, mode) == Outcome(-1, errno.EPERM)
        os.close(descriptor)
    assert file.stat().st_mode & 0o7000 == 0
    assert bare("fchmodat", ALL, at, mode) == Outcome(0)
    assert file.stat().st_mode & 0o4000


def test_a_set_group_id_mode_is_for_the_broker_to_judge(tmp_path: Path) -> None:
    path = ctypes.create_string_buffer(os.fsencode(tmp_path))
    assert one(PLAIN, "fchmodat", ALL, ctypes.addressof(path), 0o2755) == Outcome(-1, TRAPPED)
    assert one(PLAIN, "fchmodat", ALL, ctypes.addressof(path), 0o1755) == Outcome(0)


# --- trapped ----------------------------------------------------------------------------------------------------------------------


def trapped_with(options: Options, name: str, *arguments: int) -> bool:
    return one(options, name, *arguments) == Outcome(-1, TRAPPED)


@pytest.mark.parametrize("name", sorted(trapped.NUMBERS[MACHINE]))
def test_trapped_calls_are_trapped_where_the_options_say_so(name: str) -> None:
    switch = (
        "trap_metadata" if name in trapped.METADATA else "trap_sockets" if name in trapped.SOCKETS
        else "trap_signals" if name in trapped.SIGNALS else "trap_reads" if name in trapped.OPENS + trapped.LOOKS else None
    )  # fmt: skip
    arguments = (NOBODY,) * 6 if name in trapped.SIGNALS else (NOWHERE, 0, 0) if name == "open" else (ALL, NOWHERE, 0, 0, 0, 0)
    if switch is None:
        assert trapped_with(PLAIN, name, *arguments)
        assert bare(name, *arguments) != Outcome(-1, TRAPPED)
    else:
        assert trapped_with(Options(**{switch: True}), name, *arguments)
        assert not trapped_with(PLAIN, name, *arguments)


@pytest.mark.parametrize("name", [name for name in trapped.OPENS if has(name)])
@pytest.mark.parametrize(
    ("flags", "stopped"),
    [(os.O_RDONLY, False), (os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW, False), (os.O_PATH, False), (os.O_DIRECTORY, False),
     (HIGH, False), (os.O_WRONLY, True), (os.O_RDWR, True), (3, True), (os.O_CREAT, True), (os.O_RDONLY | os.O_TRUNC, True),
     (os.O_APPEND | os.O_WRONLY, True), (os.O_TMPFILE | os.O_RDWR, True), (os.O_PATH | os.O_CREAT, False), (os.O_PATH | os.O_RDWR, False), (os.O_RDWR | HIGH, True),
     (os.O_RDONLY | os.O_APPEND, False), (os.O_EXCL, False)],
)  # fmt: skip
def test_opens_are_trapped_where_they_could_change_something(name: str, flags: int, stopped: bool) -> None:
    arguments = (NOWHERE, flags, 0) if name == "open" else (ALL, NOWHERE, flags, 0)
    assert trapped_with(PLAIN, name, *arguments) is stopped
    assert trapped_with(Options(trap_reads=True), name, *arguments) is not bool(flags & os.O_PATH)
    assert bare(name, *arguments).errno in (errno.EFAULT, errno.EBADF, errno.EINVAL)


@pytest.mark.parametrize("name", trapped.LOOKS)
@pytest.mark.parametrize(
    ("options", "stopped"),
    [(Options(trap_metadata=True), True), (Options(trap_metadata=True, shared_pids=False), False), (PLAIN, False),
     (Options(trap_metadata=True, shared_pids=False, trap_reads=True), True)],
)  # fmt: skip
def test_looks_are_trapped_where_names_are_denied_or_no_view_hides_what_is_not_granted(
    name: str, options: Options, stopped: bool
) -> None:
    assert trapped_with(options, name, ALL, NOWHERE, NOWHERE, 0, 0, 0) is stopped


@pytest.mark.parametrize("name", ["fgetxattr", "flistxattr", "inotify_rm_watch"])
def test_what_is_asked_of_an_open_file_is_free(name: str) -> None:
    assert one(TRAPPING, name, ALL, NOWHERE, 0, 0).errno in (errno.EBADF, errno.EFAULT)


def test_what_is_trapped_and_allowed_to_go_on_goes_on(tmp_path: Path) -> None:
    path = ctypes.create_string_buffer(os.fsencode(tmp_path / "made"))
    (found,) = calls([compiled(PLAIN)], [(number("mkdirat"), ALL - 99, ctypes.addressof(path), 0o700)], go_on)
    assert found == Outcome(0)
    assert (tmp_path / "made").is_dir()


# --- ordinary programs ------------------------------------------------------------------------------------------------------------

PYTHON = """
import asyncio, concurrent.futures, multiprocessing, os, shutil, socket, sqlite3, subprocess, tempfile, threading
def double(x): return 2 * x
if __name__ == "__main__":
    results = []
    thread = threading.Thread(target=results.append, args=("thread",)); thread.start(); thread.join()
    results.append(subprocess.run(["cat"], input="pipe", capture_output=True, text=True).stdout)
    async def main():
        process = await asyncio.create_subprocess_exec("echo", "async", stdout=asyncio.subprocess.PIPE)
        return (await process.communicate())[0].decode().strip()
    results.append(asyncio.run(main()))
    with concurrent.futures.ProcessPoolExecutor(2) as pool: results.append(list(pool.map(double, [1, 2])))
    queue = multiprocessing.get_context("spawn").SimpleQueue(); queue.put("queue"); results.append(queue.get())
    with tempfile.TemporaryDirectory() as folder:
        base = sqlite3.connect(folder + "/base"); base.execute("pragma journal_mode=wal"); base.execute("create table t(x)")
        base.execute("insert into t values (7)"); base.commit(); results.append(base.execute("select x from t").fetchall())
        os.mkfifo(folder + "/fifo"); os.symlink("fifo", folder + "/link"); os.link(folder + "/fifo", folder + "/hard")
        shutil.copytree(folder, folder + "-copy", symlinks=True, ignore=shutil.ignore_patterns("fifo", "hard"))
        results.append(sorted(os.listdir(folder + "-copy"))); shutil.rmtree(folder + "-copy")
    one, other = socket.socketpair(); one.sendall(b"socket"); results.append(other.recv(9))
    leader, follower = os.openpty(); results.append(os.isatty(follower))
    print(results)
"""

NODE = """
const fs = require('fs'), os = require('os'), path = require('path'), cp = require('child_process');
const { Worker } = require('worker_threads');
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'x-'));
fs.writeFileSync(folder + '/a', 'file'); fs.copyFileSync(folder + '/a', folder + '/b'); fs.renameSync(folder + '/b', folder + '/c');
fs.chmodSync(folder + '/c', 0o600); fs.utimesSync(folder + '/c', 1, 1);
const watcher = fs.watch(folder); watcher.close();
const server = require('net').createServer((s) => s.end('local')).listen(folder + '/socket', () => {
  require('net').connect(folder + '/socket').on('data', (d) => { server.close();
    new Worker('require("worker_threads").parentPort.postMessage("worker")', { eval: true }).on('message', (m) => {
      console.log(fs.readFileSync(folder + '/c', 'utf8'), String(d), m, cp.execSync('echo child').toString().trim());
      fs.rmSync(folder, { recursive: true }); }); }); });
"""

NODE_HTTP = """
const server = require('http').createServer((q, r) => r.end('http')).listen(0, '127.0.0.1', () =>
  fetch(`http://127.0.0.1:${server.address().port}/`).then((r) => r.text()).then((t) => { console.log(t); process.exit(); }));
"""

GIT = """set -e
git init -q -b main here; cd here; echo one > file; git add file; git commit -q -m one; git gc -q; git checkout -q -b side
echo two > file; git commit -q -am two; git checkout -q main; git merge -q side; cd ..; git clone -q here there; cd there
git status --short; git log --format=%s; git stash list; git worktree add -q ../tree; git fsck
"""

C = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <semaphore.h>
#include <sys/mman.h>
static void *work(void *value) { *(int *)value += 1; return value; }
int main(void) {
    pthread_t threads[32]; int values[32] = {0}, sum = 0;
    for (int i = 0; i < 32; i++) if (pthread_create(&threads[i], 0, work, &values[i])) return 1;
    for (int i = 0; i < 32; i++) { pthread_join(threads[i], 0); sum += values[i]; }
    sem_t *semaphore = sem_open("/stdioguard-test", O_CREAT, 0600, 1);
    printf("%d %d\n", sum, semaphore != SEM_FAILED);
    sem_unlink("/stdioguard-test");
    return 0;
}
"""

JAVA = "class A { public static void main(String[] a) throws Exception { Thread t = new Thread(() -> System.out.println(5)); t.start(); t.join(); } }"
RUST = 'fn main() { std::thread::spawn(|| println!("rust")).join().unwrap() }'
SHELL = "umask; ulimit -n; echo a | tr a b > f; cat f; sleep 0.01 & wait; kill -0 $$; cp -a f g; mv g h; rm f h"
SQL = "pragma journal_mode=wal; create table t(x); insert into t values(3); select * from t; vacuum;"

PROGRAMS: dict[str, tuple[list[str], Options]] = {
    "python": (["/usr/bin/python3", "-c", PYTHON], Options(trap_reads=True, trap_metadata=True, trap_sockets=True)),
    "node": (["node", "-e", NODE], Options(trap_metadata=True, trap_sockets=True)),
    "node and http": (["node", "-e", NODE_HTTP], Options(inet="tcp", trap_sockets=True)),
    "npm": (["npm", "--version"], Options(trap_reads=True)),
    "git": (["git", "init"], Options(trap_metadata=True)),
    "sqlite": (["sqlite3", "base", SQL], Options()),
    "cc and threads": (["cc", "a.c", "-pthread"], Options()),
    "java": (["java", "A.java"], Options(inet="tcp")),
    "rust": (["rustc", "a.rs"], Options()),
    "shell": (["bash", "-c", SHELL], Options(trap_signals=True)),
}
"""Programs, in their own words, and the options that are hardest on them."""

SCRIPTS = {"git": GIT, "cc and threads": "cc a.c -pthread && ./a.out", "rust": "rustc a.rs && ./a"}
"""What is run of those that take more than one command."""


@pytest.mark.parametrize("name", PROGRAMS)
def test_ordinary_programs_keep_working(name: str, tmp_path: Path) -> None:
    argv, options = PROGRAMS[name]
    if shutil.which(argv[0]) is None:
        pytest.skip(f"{argv[0]} is not installed")
    if name in SCRIPTS:
        argv = ["sh", "-c", SCRIPTS[name]]
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null"}
    environment |= {f"GIT_{who}_{what}": "x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    results = []
    for place, programs in (("bare", []), ("filtered", [compiled(options)])):
        folder = tmp_path / place
        folder.mkdir()
        for file, text in (("a.c", C), ("a.rs", RUST), ("A.java", JAVA)):
            (folder / file).write_text(text)
        results.append(run(programs, argv, cwd=str(folder), environment=environment))
    bare_run, filtered_run = results
    assert bare_run.status == 0, bare_run.output
    assert bare_run.output
    assert (filtered_run.status, filtered_run.output) == (0, bare_run.output)
    assert filtered_run.trapped, "the filter was there"
    assert not bare_run.trapped


# --- the cache --------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STDIOGUARD_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def cold(options: Options) -> bool:
    """Ask for a program and tell whether it was compiled."""
    made = []
    original = compiler.policy
    compiler.policy = lambda options: made.append(options) or original(options)
    try:
        filters.program(options)
    finally:
        compiler.policy = original
    return bool(made)


def test_a_filter_is_compiled_once(home: Path) -> None:
    first = filters.program(PLAIN)
    assert not cold(PLAIN)
    assert filters.program(PLAIN) == first == compiled(PLAIN)
    (entry,) = (home / "cache" / "filters").iterdir()
    assert entry.stat().st_mode & 0o777 == 0o600
    assert entry.parent.stat().st_mode & 0o777 == 0o700
    assert cold(NETWORK)
    assert filters.program(NETWORK) != first


def entry_of(home: Path, options: Options) -> Path:
    filters.program(options)
    return home / "cache" / "filters" / f"{options.key()}.bpf"


def weakened(entry: Path) -> bytes:
    """Return the entry with another program that looks right."""
    head, _, program = entry.read_bytes().partition(b"\n\n")
    other = program[:-8] + ALLOW_ALL
    return head.replace(b"%08x" % binascii.crc32(program), b"%08x" % binascii.crc32(other)) + b"\n\n" + other


def test_the_cache_is_what_is_read(home: Path) -> None:
    """The control of the tests below."""
    entry = entry_of(home, PLAIN)
    entry.write_bytes(weakened(entry))
    assert filters.program(PLAIN)[-8:] == ALLOW_ALL


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: b"",
        lambda whole: b"junk",
        lambda whole: whole[:-1],
        lambda whole: whole[:-8] + bytes(8),
        lambda whole: whole.partition(b"\n\n")[0] + b"\n\n",
        lambda whole: whole.partition(b"\n\n")[0] + b"\n\n" + ALLOW_ALL,
        lambda whole: whole.partition(b"\n\n")[0] + b"\n\n" + ALLOW_ALL * 20,
        lambda whole: whole.partition(b"\n\n")[0] + b"\n\n" + filters.architecture_check(MACHINE) + ALLOW_ALL * 5000,
        lambda whole: whole.replace(b"\n\n", b"\n", 1),
        lambda whole: b"9.9.9" + whole[5:],
        lambda whole: b"\n\n" + whole.partition(b"\n\n")[2],
        lambda whole: whole.replace(b"libseccomp.so.2", b"libseccomp.so.1", 1),
        lambda whole: whole[:-8],
        lambda whole: whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:],
    ],
)
def test_what_does_not_look_like_our_filter_is_compiled_anew(damage: object, home: Path) -> None:
    entry = entry_of(home, PLAIN)
    entry.write_bytes(damage(entry.read_bytes()))
    assert filters.program(PLAIN) == compiled(PLAIN)
    assert not cold(PLAIN), "and kept"


def test_a_filter_of_other_options_is_not_taken_under_a_changed_name(home: Path) -> None:
    weak, strong = entry_of(home, NETWORK), entry_of(home, PLAIN)
    strong.write_bytes(weak.read_bytes())
    assert filters.program(PLAIN) == compiled(PLAIN)


@pytest.mark.parametrize("mode", [0o644, 0o620, 0o602, 0o660])
def test_a_filter_that_others_can_reach_is_not_read(mode: int, home: Path) -> None:
    entry = entry_of(home, PLAIN)
    entry.write_bytes(weakened(entry))
    entry.chmod(mode)
    assert filters.program(PLAIN) == compiled(PLAIN)


def test_a_filter_in_a_directory_that_others_can_reach_is_not_read_nor_kept(home: Path) -> None:
    entry = entry_of(home, PLAIN)
    wrong = weakened(entry)
    entry.write_bytes(wrong)
    entry.parent.chmod(0o777)
    assert filters.program(PLAIN) == compiled(PLAIN)
    assert entry.read_bytes() == wrong


def test_a_link_in_the_cache_is_not_followed(home: Path, tmp_path: Path) -> None:
    entry = entry_of(home, PLAIN)
    (tmp_path / "elsewhere").write_bytes(weakened(entry))
    (tmp_path / "elsewhere").chmod(0o600)
    entry.unlink()
    entry.symlink_to(tmp_path / "elsewhere")
    assert filters.program(PLAIN) == compiled(PLAIN)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_filter_of_another_user_is_not_read(home: Path) -> None:
    entry = entry_of(home, PLAIN)
    entry.write_bytes(weakened(entry))
    os.chown(entry, 65534, 65534)
    assert filters.program(PLAIN) == compiled(PLAIN)


def test_a_changed_policy_or_library_or_version_is_compiled(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filters.program(PLAIN)
    assert not cold(PLAIN)
    with monkeypatch.context() as changed:
        changed.setattr(filters, "__version__", "9.9.9")
        assert cold(PLAIN)
    assert cold(PLAIN), "and back"
    package = tmp_path / "package"
    package.mkdir()
    for name in filters._MAKERS:
        shutil.copy(Path(filters.__file__).parent / name, package / name)
    with monkeypatch.context() as changed:
        changed.setattr(filters, "__file__", str(package / "filters.py"))
        assert not cold(PLAIN), "control: the same text in another place"
        for name in filters._MAKERS:
            (package / name).write_text((package / name).read_text() + "# changed\n")
            assert cold(PLAIN), name
            assert not cold(PLAIN), name
        (package / "oci.py").unlink()
        assert cold(PLAIN)
        assert cold(PLAIN), "without the source there is no telling"
    library = tmp_path / "libseccomp.so.2"
    library.write_bytes(b"old")
    monkeypatch.setattr(libseccomp.Library, "path", lambda self: str(library))
    assert cold(PLAIN)
    assert not cold(PLAIN)
    library.write_bytes(b"newer")
    assert cold(PLAIN)


def test_a_cache_that_cannot_be_written_costs_time_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(places, "directory", lambda kind: str(tmp_path / "file" / kind))
    assert filters.program(PLAIN) == compiled(PLAIN)


WARM = """
import sys
from stdioguard.sandbox.linux import filters
filters.programs(filters.Options(), sys.argv[1])
print(" ".join(sorted(sys.modules)))
"""


def test_a_warm_launch_loads_neither_policy_nor_library(home: Path, tmp_path: Path) -> None:
    profile = tmp_path / "oci.json"
    profile.write_text(
        json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["kcmp"], "action": "SCMP_ACT_ERRNO"}]})
    )
    loaded = [set(subprocess.run([sys.executable, "-c", WARM, str(profile)], capture_output=True, text=True, check=True).stdout.split())
              for _ in range(2)]  # fmt: skip
    heavy = {"ctypes", "hashlib", "json", "struct", "typing", "pathlib", "subprocess", "re",
             *(f"stdioguard.sandbox.linux.{name}" for name in ("syscalls", "libseccomp", "compiler", "bpf", "oci"))}  # fmt: skip
    own = {name for name in heavy if name.startswith("stdioguard")}
    assert own <= loaded[0], "control: the cold launch"
    before = set(
        subprocess.run([sys.executable, "-c", "import sys; print(*sys.modules)"], capture_output=True, text=True).stdout.split()
    )
    assert not (loaded[1] - before) & heavy


# --- what cannot be had -----------------------------------------------------------------------------------------------------------


def test_a_machine_without_libseccomp_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libseccomp, "NAME", "libseccomp-that-is-not-there.so.2")
    with pytest.raises(Unavailable, match="apt install libseccomp2") as caught:
        compiler.policy(PLAIN)
    assert "\n" not in str(caught.value)


def test_an_old_libseccomp_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libseccomp, "_OLDEST", (99, 0, 0))
    with pytest.raises(Unavailable, match="upgrade"):
        compiler.policy(PLAIN)


def test_a_machine_without_a_table_is_refused() -> None:
    with pytest.raises(Unavailable, match="riscv64"):
        Options(machine="riscv64")
    with pytest.raises(ValueError, match="udp"):
        Options(inet="udp")


def test_options_are_told_apart_by_their_keys() -> None:
    switches = ("trap_reads", "trap_metadata", "trap_sockets", "trap_signals", "shared_pids", "shared_ipc")
    every = [
        Options(inet=inet, machine=machine, **dict(zip(switches, values, strict=True)))
        for inet in ("none", "tcp", "tcp+udp")
        for machine in trapped.AUDIT_ARCH
        for values in itertools.product((False, True), repeat=6)
    ]
    assert len({options.key() for options in every}) == len(set(every)) == 3 * 2 * 64
    assert all(re.fullmatch(r"[A-Za-z0-9_+\-]+", options.key()) for options in every)
