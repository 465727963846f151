"""Profiles in the OCI format: read as runc and Docker read them, installed on top of the filter, and refused in one line where wrong."""

from __future__ import annotations

import copy
import errno
import json
import os
import signal
import sys
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("seccomp is Linux's", allow_module_level=True)

from stdioguard.sandbox.linux import bpf, compiler, filters, libseccomp, oci, trapped
from stdioguard.sandbox.linux.filters import Options, Unavailable, WrongProfile
from tests.sandbox.linux.filtered import TRAPPED, Outcome, calls, go_on, install, outcome, run, syscall

MACHINE = os.uname().machine
GO_NAME = {"x86_64": "amd64", "aarch64": "arm64"}[MACHINE]
AUDIT_ARCH = trapped.AUDIT_ARCH[MACHINE]
ALL = (1 << 64) - 1
NOWHERE = 1

ALLOWED = [
    "accept",
    "accept4",
    "access",
    "arch_prctl",
    "bind",
    "brk",
    "capget",
    "capset",
    "chdir",
    "chmod",
    "clock_getres",
    "clock_gettime",
    "clock_nanosleep",
    "close",
    "close_range",
    "connect",
    "copy_file_range",
    "dup",
    "dup2",
    "dup3",
    "epoll_create",
    "epoll_create1",
    "epoll_ctl",
    "epoll_pwait",
    "epoll_wait",
    "eventfd2",
    "execve",
    "execveat",
    "exit",
    "exit_group",
    "faccessat",
    "faccessat2",
    "fadvise64",
    "fallocate",
    "fchdir",
    "fchmod",
    "fchmodat",
    "fchown",
    "fcntl",
    "fdatasync",
    "flock",
    "fork",
    "fstat",
    "fstatfs",
    "fsync",
    "ftruncate",
    "futex",
    "getcwd",
    "getdents",
    "getdents64",
    "getegid",
    "geteuid",
    "getgid",
    "getgroups",
    "getpeername",
    "getpgid",
    "getpgrp",
    "getpid",
    "getppid",
    "getrandom",
    "getresgid",
    "getresuid",
    "getrlimit",
    "get_robust_list",
    "getrusage",
    "getsid",
    "getsockname",
    "getsockopt",
    "gettid",
    "gettimeofday",
    "getuid",
    "ioctl",
    "kill",
    "landlock_create_ruleset",
    "link",
    "linkat",
    "listen",
    "lseek",
    "lstat",
    "madvise",
    "memfd_create",
    "mkdir",
    "mkdirat",
    "mmap",
    "mprotect",
    "mremap",
    "msync",
    "munmap",
    "nanosleep",
    "newfstatat",
    "open",
    "openat",
    "openat2",
    "pause",
    "pipe",
    "pipe2",
    "poll",
    "ppoll",
    "prctl",
    "pread64",
    "prlimit64",
    "pselect6",
    "pwrite64",
    "read",
    "readlink",
    "readlinkat",
    "readv",
    "recvfrom",
    "recvmsg",
    "rename",
    "renameat",
    "renameat2",
    "restart_syscall",
    "rmdir",
    "rseq",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "rt_sigsuspend",
    "rt_sigtimedwait",
    "sched_getaffinity",
    "sched_yield",
    "seccomp",
    "select",
    "sendmsg",
    "sendto",
    "set_robust_list",
    "set_tid_address",
    "setitimer",
    "setpgid",
    "setsid",
    "setsockopt",
    "sigaltstack",
    "socketpair",
    "stat",
    "statfs",
    "statx",
    "symlink",
    "symlinkat",
    "sysinfo",
    "tgkill",
    "time",
    "umask",
    "uname",
    "unlink",
    "unlinkat",
    "utimensat",
    "vfork",
    "wait4",
    "waitid",
    "write",
    "writev",
    "a_call_of_the_next_kernel",
    "riscv_hwprobe",
    "_llseek",
]

DOCKER: dict[str, object] = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "defaultErrnoRet": 1,
    "archMap": [
        {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]},
        {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]},
        {"architecture": "SCMP_ARCH_RISCV64", "subArchitectures": None},
    ],
    "syscalls": [
        {"names": ALLOWED, "action": "SCMP_ACT_ALLOW"},
        {"names": ["getpriority"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "4.8"}},
        {"names": ["getitimer"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "999.0"}},
        {"names": ["alarm"], "action": "SCMP_ACT_ALLOW", "excludes": {"minKernel": "4.8"}},
        {"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 2, "op": "SCMP_CMP_LT"}]},
        {"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 10, "op": "SCMP_CMP_EQ"}]},
        {"names": ["personality"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 4294967295, "op": "SCMP_CMP_EQ"}]},
        {"names": ["times"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": [GO_NAME, "x32"]}},
        {"names": ["sync"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["s390x"]}},
        {"names": ["syncfs"], "action": "SCMP_ACT_ALLOW", "excludes": {"arches": [GO_NAME]}},
        {"names": ["mlock", "munlock"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_IPC_LOCK"]}},
        {
            "names": ["clone"],
            "action": "SCMP_ACT_ALLOW",
            "args": [{"index": 0, "value": 2114060288, "op": "SCMP_CMP_MASKED_EQ"}],
            "excludes": {"caps": ["CAP_SYS_ADMIN"], "arches": ["s390", "s390x"]},
        },
        {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38, "excludes": {"caps": ["CAP_SYS_ADMIN"]}},
        {"names": ["getgroups"], "action": "SCMP_ACT_ALLOW", "comment": "named twice"},
    ],
}


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STDIOGUARD_HOME", str(tmp_path / "home"))


def number(name: str) -> int:
    found = compiler.number_of(libseccomp.Library(), name, MACHINE)
    assert found is not None
    return found


def compiled(profile: object) -> bytes:
    text = profile if isinstance(profile, bytes) else json.dumps(profile).encode()
    return oci.compile_profile(text, "/p.json", MACHINE)[0]


def decides(profile: object, name: str, *arguments: int) -> int:
    lines = bpf.instructions(compiled(profile))
    return bpf.evaluate(lines, AUDIT_ARCH, number(name), (*arguments, *(0,) * (6 - len(arguments))))


ALLOW, EPERM, ENOSYS = 0x7FFF0000, 0x50001, 0x50026


# --- what it means ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("read", (), ALLOW), ("getgroups", (), ALLOW), ("mount", (), EPERM), ("unshare", (), EPERM), ("sched_setattr", (), EPERM),
        ("getpriority", (), ALLOW), ("getitimer", (), EPERM), ("times", (), ALLOW), ("sync", (), EPERM), ("syncfs", (), EPERM),
        ("mlock", (), EPERM), ("socket", (1,), ALLOW), ("socket", (0,), ALLOW), ("socket", (10,), ALLOW), ("socket", (2,), EPERM),
        ("socket", (16,), EPERM), ("personality", (0xFFFFFFFF,), ALLOW), ("personality", (0,), EPERM), ("clone", (17,), ALLOW),
        ("clone", (0x10000011,), EPERM), ("clone3", (), ENOSYS),
    ],
)  # fmt: skip
def test_a_profile_of_dockers_shape_means_what_docker_means(name: str, arguments: tuple[int, ...], expected: int) -> None:
    assert decides(DOCKER, name, *arguments) == expected


@pytest.mark.skipif(MACHINE != "x86_64", reason="aarch64 has no alarm")
def test_an_entry_for_older_kernels_only_is_left_out() -> None:
    assert decides(DOCKER, "alarm") == EPERM


def test_what_is_newer_than_the_profile_is_answered_as_if_it_were_not_there() -> None:
    """As runc does, so that a C library falls back (opencontainers/runc#2737)."""
    assert decides(DOCKER, "fchmodat2") == ENOSYS
    assert decides(DOCKER, "landlock_create_ruleset") == ALLOW, "the newest that it names"
    assert decides(DOCKER, "landlock_restrict_self") == ENOSYS
    assert decides({**DOCKER, "defaultErrnoRet": 38}, "fchmodat2") == ENOSYS
    assert decides({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": []}, "fchmodat2") == ALLOW
    assert decides({"defaultAction": "SCMP_ACT_KILL_PROCESS", "syscalls": DOCKER["syscalls"]}, "fchmodat2") == ENOSYS


def test_without_entries_the_default_is_all() -> None:
    for action, expected in (("SCMP_ACT_ALLOW", ALLOW), ("SCMP_ACT_ERRNO", EPERM), ("SCMP_ACT_KILL_PROCESS", 0x80000000)):
        for profile in (
            {"defaultAction": action},
            {"defaultAction": action, "syscalls": None},
            {"defaultAction": action, "syscalls": []},
        ):
            assert decides(profile, "read") == expected


@pytest.mark.parametrize(
    ("action", "number_", "expected"),
    [
        ("SCMP_ACT_ERRNO", None, 0x50001), ("SCMP_ACT_ERRNO", 13, 0x5000D), ("SCMP_ACT_ERRNO", 0, 0x50000), ("SCMP_ACT_TRAP", None, 0x30000),
        ("SCMP_ACT_KILL", None, 0), ("SCMP_ACT_KILL_THREAD", None, 0), ("SCMP_ACT_KILL_PROCESS", None, 0x80000000),
        ("SCMP_ACT_LOG", None, 0x7FFC0000), ("SCMP_ACT_TRACE", None, 0x7FF00001), ("SCMP_ACT_TRACE", 7, 0x7FF00007),
    ],
)  # fmt: skip
def test_every_action_of_the_format_is_known(action: str, number_: int | None, expected: int) -> None:
    entry = {"names": ["kcmp"], "action": action} | ({} if number_ is None else {"errnoRet": number_})
    assert decides({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [entry]}, "kcmp") == expected
    assert decides({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [entry]}, "read") == ALLOW


@pytest.mark.parametrize(
    ("operator", "first", "second", "met", "missed"),
    [
        ("SCMP_CMP_NE", 5, None, [4, 6, 0, ALL], [5]),
        ("SCMP_CMP_LT", 5, None, [4, 0], [5, 6, ALL, 1 << 32]),
        ("SCMP_CMP_LE", 5, None, [5, 0], [6, ALL, 1 << 32]),
        ("SCMP_CMP_EQ", 5, 0, [5], [4, 5 | 1 << 32]),
        ("SCMP_CMP_GE", 1 << 40, None, [1 << 40, ALL], [0, (1 << 40) - 1]),
        ("SCMP_CMP_GT", 5, None, [6, ALL, 1 << 33], [5, 0]),
        ("SCMP_CMP_MASKED_EQ", 0xF0, 0x20, [0x20, 0x2F, 0xF20], [0x30, 0]),
        ("SCMP_CMP_EQ", ALL, None, [ALL], [ALL >> 1]),
    ],
)
def test_every_operator_compares_64_bits(
    operator: str, first: int, second: int | None, met: list[int], missed: list[int]
) -> None:
    argument = {"index": 5, "value": first, "op": operator} | ({} if second is None else {"valueTwo": second})
    profile = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["kcmp"], "action": "SCMP_ACT_ERRNO", "args": [argument]}],
    }
    for values, expected in ((met, EPERM), (missed, ALLOW)):
        for value in values:
            assert decides(profile, "kcmp", 0, 0, 0, 0, 0, value) == expected


def test_conditions_on_several_arguments_must_all_hold_and_on_one_are_alternatives() -> None:
    def profile(*pairs: tuple[int, int]) -> object:
        conditions = [{"index": index, "value": value, "op": "SCMP_CMP_EQ"} for index, value in pairs]
        return {
            "defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{"names": ["kcmp"], "action": "SCMP_ACT_ERRNO", "args": conditions}],
        }

    assert decides(profile((0, 1), (1, 2)), "kcmp", 1, 2) == EPERM
    assert decides(profile((0, 1), (1, 2)), "kcmp", 1, 3) == ALLOW
    assert decides(profile((0, 1), (0, 2)), "kcmp", 1) == EPERM
    assert decides(profile((0, 1), (0, 2)), "kcmp", 2) == EPERM
    assert decides(profile((0, 1), (0, 2)), "kcmp", 3) == ALLOW


def test_the_older_spelling_with_one_name_is_read() -> None:
    entry = {"name": "kcmp", "action": "SCMP_ACT_ERRNO", "args": []}
    assert (
        decides({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [entry], "architectures": ["SCMP_ARCH_X86_64"]}, "kcmp") == EPERM
    )


def test_line_endings_of_other_systems_are_white_space() -> None:
    assert compiled(json.dumps(DOCKER, indent=1).replace("\n", "\r\n").encode()) == compiled(DOCKER)


def test_other_architectures_are_killed_whatever_the_profile_lists() -> None:
    lines = bpf.instructions(compiled({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]}))
    assert bpf.evaluate(lines, 0x40000003, 20, (0,) * 6) == 0x80000000
    if MACHINE == "x86_64":
        assert bpf.evaluate(lines, AUDIT_ARCH, 0x40000027, (0,) * 6) == 0x80000000


# --- on top of the filter ---------------------------------------------------------------------------------------------------------


def written(tmp_path: Path, profile: object) -> str:
    file = tmp_path / "seccomp.json"
    file.write_text(json.dumps(profile))
    return str(file)


def test_a_call_must_pass_both(tmp_path: Path) -> None:
    both = filters.programs(Options(inet="tcp"), written(tmp_path, DOCKER))
    ours = filters.programs(Options(inet="tcp"))
    assert both[0] == ours[0]
    assert len(both) == 2
    assert len(ours) == 1
    rows = [
        ("getpid", (), 0, 0),
        ("sync_file_range", (ALL, 0, 0, 0), errno.EPERM, errno.EBADF),  # refused by the profile only
        ("openat2", (ALL, NOWHERE, NOWHERE, 0), errno.ENOSYS, errno.ENOSYS),  # allowed by the profile, refused by us
        ("socket", (1, 2, 0), errno.EPERM, errno.EPERM),  # a datagram socket: the profile looks at the family only
        ("socket", (2, 1, 0), errno.EPERM, 0),
        ("socket", (10, 1, 0), 0, 0),
        ("mkdirat", (ALL, NOWHERE, 0), TRAPPED, TRAPPED),  # allowed by the profile, trapped by us
        ("mknodat", (ALL, NOWHERE, 0, 0), errno.EPERM, TRAPPED),  # refused by the profile: the broker never hears of it
        ("clone3", (0, 0), errno.ENOSYS, errno.ENOSYS),
    ]
    wanted = [(number(name), *arguments) for name, arguments, _, _ in rows]
    assert [found.errno for found in calls(both, wanted)] == [with_both for *_, with_both, _ in rows]
    assert [found.errno for found in calls(ours, wanted)] == [alone for *_, alone in rows]


def test_a_profile_that_allows_everything_gives_nothing_back(tmp_path: Path) -> None:
    programs = filters.programs(Options(), written(tmp_path, {"defaultAction": "SCMP_ACT_ALLOW"}))
    for name, arguments, expected in (
        ("unshare", (0,), errno.EPERM),
        ("mkdirat", (ALL, NOWHERE, 0), TRAPPED),
        ("bpf", (), errno.EPERM),
    ):
        assert calls(programs, [(number(name), *arguments)]) == [Outcome(-1, expected)]
    assert outcome(programs, lambda: _stacked(8)).errno == errno.EPERM


def _stacked(flags: int) -> tuple[int, int]:
    try:
        return install(b"\x06\x00\x00\x00\x00\x00\xff\x7f", flags), 0
    except OSError as error:
        return -1, error.errno or 0


def test_a_profile_can_kill(tmp_path: Path) -> None:
    profile = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["times"], "action": "SCMP_ACT_KILL_PROCESS"}]}
    programs = filters.programs(Options(), written(tmp_path, profile))
    assert outcome(programs, lambda: syscall(number("times"), 0)) == Outcome(signal=signal.SIGSYS)
    assert outcome(filters.programs(Options()), lambda: (min(syscall(number("times"), 0)[0], 1), 0)) == Outcome(1)


def test_an_ordinary_program_lives_under_a_profile_of_dockers_shape(tmp_path: Path) -> None:
    programs = filters.programs(Options(), written(tmp_path, DOCKER))
    done = run(
        programs,
        ["sh", "-c", "echo a > f; cat f; ls; rm f"],
        cwd=str(tmp_path / "home"),
        environment=dict(os.environ),
        answer=go_on,
    )
    assert (done.status, done.output.split()) == (0, ["a", "cache", "f"])


# --- the cache --------------------------------------------------------------------------------------------------------------------


def test_a_changed_profile_or_kernel_is_compiled_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    original = oci.compile_profile
    monkeypatch.setattr(oci, "compile_profile", lambda *arguments: made.append(1) or original(*arguments))
    file = written(tmp_path, DOCKER)
    first = filters.programs(Options(), file)
    assert filters.programs(Options(), file) == first
    assert filters.programs(Options(inet="tcp"), file)[1] == first[1]
    assert len(made) == 1
    changed = copy.deepcopy(DOCKER)
    changed["defaultErrnoRet"] = 2
    assert filters.programs(Options(), written(tmp_path, changed))[1] != first[1]
    assert len(made) == 2
    release = os.uname()
    monkeypatch.setattr(os, "uname", lambda: os.uname_result((*release[:2], "4.7.0", *release[3:])))
    written(tmp_path, DOCKER)
    old = filters.programs(Options(), file)[1]
    assert len(made) == 3
    lines = bpf.instructions(old)
    assert bpf.evaluate(lines, AUDIT_ARCH, number("getpriority"), (0,) * 6) == EPERM, "minKernel is judged anew"


def test_two_profiles_do_not_share_an_entry(tmp_path: Path) -> None:
    for name, action in (("one", "SCMP_ACT_KILL_PROCESS"), ("two", "SCMP_ACT_ERRNO")):
        (tmp_path / name).write_text(json.dumps({"defaultAction": action, "syscalls": []}))
    one, two = (filters.programs(Options(), str(tmp_path / name))[1] for name in ("one", "two"))
    assert one != two
    assert [filters.programs(Options(), str(tmp_path / name))[1] for name in ("one", "two")] == [one, two]


# --- what is wrong ----------------------------------------------------------------------------------------------------------------


def entry(**more: object) -> dict[str, object]:
    return {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW", **more}]}


def argument(**more: object) -> dict[str, object]:
    return entry(args=[{"index": 0, "value": 1, "op": "SCMP_CMP_EQ", **more}])


DENYING = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["ptrcae"], "action": "SCMP_ACT_ERRNO"}]}
WRONG = [
    (b"", "/p.json: not JSON"),
    (b"{", "/p.json: not JSON"),
    (b'{"defaultAction": "SCMP_ACT_ALLOW", "defaultAction": "SCMP_ACT_ERRNO"}', "same key twice"),
    ([], "/p.json: expected an object"),
    ({}, "/p.json: defaultAction: is missing"),
    ({"defaultAction": None}, "/p.json: defaultAction: expected one of"),
    ({"defaultAction": "ALLOW"}, "defaultAction: expected one of SCMP_ACT_ALLOW, "),
    (
        {"defaultAction": "SCMP_ACT_NOTIFY"},
        "defaultAction: SCMP_ACT_NOTIFY: stdioguard is the listener of this sandbox; remove it",
    ),
    (
        {"defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 1},
        "defaultErrnoRet: only SCMP_ACT_ERRNO and SCMP_ACT_TRACE have a number",
    ),
    ({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 5000}, "defaultErrnoRet: expected a whole number from 0 to 4095"),
    ({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": -1}, "defaultErrnoRet: "),
    ({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": True}, "defaultErrnoRet: "),
    ({"defaultAction": "SCMP_ACT_ERRNO", "listenerPath": "/run/x.sock"}, "listenerPath: stdioguard is the listener"),
    ({"defaultAction": "SCMP_ACT_ERRNO", "syscall": []}, "syscall: unknown key; known: "),
    (
        {"defaultAction": "SCMP_ACT_ERRNO", "flags": ["SECCOMP_FILTER_FLAG_NEW_LISTENER"]},
        'flags: "SECCOMP_FILTER_FLAG_NEW_LISTENER" is not',
    ),
    ({"defaultAction": "SCMP_ACT_ERRNO", "architectures": "SCMP_ARCH_X86"}, "architectures: expected a list of texts"),
    ({"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["x86"]}, 'architectures: "x86" is not an architecture'),
    ({**DOCKER, "architectures": ["SCMP_ARCH_X86_64"]}, "architectures and archMap exclude each other"),
    ({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": {}}, "syscalls: expected a list of objects"),
    ({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{}]}, "syscalls[0].names: "),
    (entry(names=[]), "syscalls[0].names: "),
    (entry(names=["Read"]), "syscalls[0].names: 'Read' is not the name of a system call"),
    (entry(name="write"), "syscalls[0].name: name and names exclude each other"),
    (entry(action="SCMP_ACT_NOTIFY"), "syscalls[0].action: SCMP_ACT_NOTIFY: "),
    (entry(action=None), "syscalls[0].action: expected one of"),
    (entry(errnoRet=1), "syscalls[0].errnoRet: only SCMP_ACT_ERRNO"),
    (entry(when="always"), "syscalls[0].when: unknown key"),
    (entry(includes={"cap": []}), "syscalls[0].includes.cap: unknown key"),
    (entry(includes={"minKernel": "new"}), 'syscalls[0].includes.minKernel: expected a version such as "4.8"'),
    (entry(excludes={"minKernel": 4.8}), "syscalls[0].excludes.minKernel: "),
    (entry(includes={"arches": "amd64"}), "syscalls[0].includes.arches: expected a list of texts"),
    (argument(index=6), "syscalls[0].args[0].index: expected a whole number from 0 to 5"),
    (argument(index=None), "syscalls[0].args[0].index: "),
    (argument(value=1 << 64), "syscalls[0].args[0].value: "),
    (argument(value=1.0), "syscalls[0].args[0].value: "),
    (argument(valueTwo="1"), "syscalls[0].args[0].valueTwo: "),
    (argument(op="=="), "syscalls[0].args[0].op: expected one of SCMP_CMP_NE, "),
    (argument(mask=1), "syscalls[0].args[0].mask: unknown key"),
    (DENYING, 'syscalls[0].names: "ptrcae" is not known, so it would not be refused; correct it or remove it'),
]


@pytest.mark.parametrize(("profile", "expected"), WRONG, ids=[expected for _, expected in WRONG])
def test_a_mistake_is_one_line_with_file_and_key(profile: object, expected: str) -> None:
    with pytest.raises(WrongProfile) as caught:
        compiled(profile)
    assert expected in str(caught.value)
    assert str(caught.value).startswith("/p.json: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("make", ["missing", "directory", "long"])
def test_a_file_that_cannot_be_read_is_one_line(make: str, tmp_path: Path) -> None:
    file = tmp_path / "p.json"
    if make == "directory":
        file.mkdir()
    elif make == "long":
        file.write_bytes(b" " * (1 << 20) + b"{}")
    with pytest.raises(WrongProfile, match="p[.]json: ") as caught:
        filters.programs(Options(), str(file))
    assert isinstance(caught.value, Unavailable)
    assert "\n" not in str(caught.value)


def test_nothing_made_of_pieces_of_a_profile_gets_past_as_something_else() -> None:
    """Leave out, null or retype each value in turn: it is refused, or means what it says."""
    for position in range(len(DOCKER["syscalls"])):  # type: ignore[arg-type]
        for key in ("names", "action", "args", "includes", "excludes"):
            for value in (None, "x", 5, {"x": 1}, [5]):
                changed = copy.deepcopy(DOCKER)
                changed["syscalls"][position][key] = value  # type: ignore[index]
                try:
                    program = compiled(changed)
                except WrongProfile:
                    continue
                assert value is None, (position, key, value)
                assert key in ("args", "includes", "excludes")
                assert filters.is_program(program, MACHINE)
