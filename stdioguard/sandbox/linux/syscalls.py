"""The system-call policy: what a server may call, what the broker answers, and what is refused and why.

It is an allowlist. A call that is new to this table is answered with ENOSYS, so that a C library falls back on what it used before; one
that is known and not granted, with EPERM. What is refused by name is in `REFUSED` with its reason, for people; the filter would refuse it
without being told. Conditions look at arguments that are numbers, never at what a pointer points to: another thread could change that.

A condition holds where `argument & mask == value`. The kernel reads an `int` from the low half of a register, and what is in the high half
is the caller's accident or intent (CVE-2019-7303, CVE-2019-10063), so every mask is 32 bits wide or narrower. No two rules of one call that
differ in their action ever match the same arguments; their order means nothing.

Sources: syscalls(2), the kernel's syscall tables, the default profiles of Docker and Flatpak, systemd's `@system-service`, and what real
servers call. Only compiling a filter needs this module: the warm path reads the cache.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from stdioguard.sandbox.linux import trapped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from stdioguard.sandbox.linux.filters import Options

Condition = tuple[int, int, int]
"""Argument (0 to 5), mask, value."""
Rule = tuple[str, int, tuple[Condition, ...]]
"""System call, action, and the conditions, all of which must hold."""

# Actions as the kernel numbers them (linux/seccomp.h), which libseccomp takes over.
ALLOW = 0x7FFF0000
NOTIFY = 0x7FC00000
KILL_PROCESS = 0x80000000


def error(number: int) -> int:
    """Return the action that makes a call fail with an errno."""
    return 0x00050000 | number


DEFAULT = error(errno.EPERM)
UNKNOWN = error(errno.ENOSYS)

LAST = 470
"""The last number in this table. A test finds calls up to it that nothing here speaks of."""

NEW = {
    "pidfd_send_signal": 424, "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "open_tree": 428,
    "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433, "pidfd_open": 434, "clone3": 435,
    "close_range": 436, "openat2": 437, "pidfd_getfd": 438, "faccessat2": 439, "process_madvise": 440, "epoll_pwait2": 441,
    "mount_setattr": 442, "quotactl_fd": 443, "landlock_create_ruleset": 444, "landlock_add_rule": 445,
    "landlock_restrict_self": 446, "memfd_secret": 447, "process_mrelease": 448, "futex_waitv": 449,
    "set_mempolicy_home_node": 450, "cachestat": 451, "fchmodat2": 452, "map_shadow_stack": 453, "futex_wake": 454,
    "futex_wait": 455, "futex_requeue": 456, "statmount": 457, "listmount": 458, "lsm_get_self_attr": 459,
    "lsm_set_self_attr": 460, "lsm_list_modules": 461, "mseal": 462, "setxattrat": 463, "getxattrat": 464, "listxattrat": 465,
    "removexattrat": 466, "open_tree_attr": 467, "file_getattr": 468, "file_setattr": 469, "listns": 470,
}  # fmt: skip
"""Calls that a libseccomp of today may not know yet. From 424 on every machine has the same numbers."""

NEW_ON_X86_64 = {"uretprobe": 335, "uprobe": 336}

FREE: dict[str, tuple[str, ...]] = {
    "read, write and wait on descriptors": (
        "read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "preadv2", "pwritev2", "lseek", "close",
        "close_range", "dup", "dup2", "dup3", "pipe", "pipe2", "poll", "ppoll", "select", "pselect6", "epoll_create",
        "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "eventfd", "eventfd2", "signalfd", "signalfd4",
        "timerfd_create", "timerfd_settime", "timerfd_gettime", "sendfile", "splice", "tee", "copy_file_range", "flock",
    ),
    "what an open file holds": (
        "ftruncate", "fallocate", "fsync", "fdatasync", "sync", "syncfs", "sync_file_range", "fadvise64", "readahead",
        "cachestat", "memfd_create",
    ),
    "look at files; whether one may be opened is Landlock's and the mount view's to say": (
        "stat", "lstat", "fstat", "newfstatat", "statx", "access", "faccessat", "faccessat2", "readlink", "readlinkat",
        "getdents", "getdents64", "getcwd", "chdir", "fchdir", "statfs", "fstatfs", "umask", "fgetxattr", "flistxattr",
        "inotify_init", "inotify_init1", "inotify_rm_watch",
    ),
    "memory of its own": (
        "brk", "mmap", "munmap", "mremap", "mprotect", "madvise", "mincore", "msync", "mlock", "mlock2", "munlock", "mlockall",
        "munlockall", "pkey_alloc", "pkey_free", "pkey_mprotect", "membarrier", "mseal", "map_shadow_stack", "get_mempolicy",
        "set_mempolicy", "mbind", "set_mempolicy_home_node",
    ),
    "processes and threads": (
        "fork", "vfork", "execve", "execveat", "exit", "exit_group", "wait4", "waitid", "getpid", "getppid", "gettid", "getpgid",
        "getpgrp", "setpgid", "getsid", "setsid", "set_tid_address", "futex", "futex_waitv", "futex_wait", "futex_wake",
        "futex_requeue", "set_robust_list", "get_robust_list", "rseq", "getcpu", "arch_prctl", "restart_syscall", "pidfd_open",
        "getrlimit", "setrlimit", "getrusage", "times", "uretprobe", "uprobe",
    ),
    "scheduling, as far as it only asks": (
        "sched_yield", "sched_getaffinity", "sched_getscheduler", "sched_getparam", "sched_getattr", "sched_get_priority_max",
        "sched_get_priority_min", "sched_rr_get_interval", "getpriority", "ioprio_get",
    ),
    "signals and timers of its own": (
        "rt_sigaction", "rt_sigprocmask", "rt_sigpending", "rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait", "sigaltstack",
        "pause", "alarm", "getitimer", "setitimer", "timer_create", "timer_settime", "timer_gettime", "timer_getoverrun",
        "timer_delete", "nanosleep", "clock_nanosleep",
    ),
    "identity; without capabilities there is nothing to gain": (
        "getuid", "geteuid", "getgid", "getegid", "getresuid", "getresgid", "getgroups", "setuid", "setgid", "setreuid",
        "setregid", "setresuid", "setresgid", "setgroups", "setfsuid", "setfsgid", "capget", "capset",
    ),
    "the system, as far as it only asks": (
        "uname", "sysinfo", "getrandom", "time", "gettimeofday", "clock_gettime", "clock_getres",
    ),
    "sockets that it has": (
        "accept", "accept4", "getsockname", "getpeername", "getsockopt", "shutdown", "recvfrom", "recvmsg", "recvmmsg",
    ),
    "restrict itself further": ("landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"),
}  # fmt: skip
"""Allowed whatever the arguments are. The kernel remembers that and does not run the filter for them (Linux 5.11)."""

SHARED_IPC = (
    "shmget", "shmat", "shmdt", "shmctl", "semget", "semop", "semtimedop", "semctl", "msgget", "msgsnd", "msgrcv", "msgctl",
    "mq_open", "mq_unlink", "mq_timedsend", "mq_timedreceive", "mq_notify", "mq_getsetattr",
)  # fmt: skip
"""System V and POSIX objects, which have no path. Allowed only in an IPC namespace: without one they are the whole user's."""

_MOUNTS = "makes or shows mounts"
_NAMESPACES = "makes or enters namespaces, in which a process has capabilities again"
_OTHERS = "reaches into another process"
_KERNEL = "a large part of the kernel that ordinary programs do without, with a record of holes"
_MACHINE = "changes the machine, not the process"
_HANDLES = "opens files past every check on paths"
_OLD = "has no user any more"

REFUSED: dict[str, tuple[int, str]] = {
    **dict.fromkeys(("unshare", "setns"), (errno.EPERM, _NAMESPACES)),
    "clone3": (errno.ENOSYS, "its flags are behind a pointer, where a filter cannot see them; C libraries fall back on clone"),
    **dict.fromkeys(
        ("mount", "umount2", "pivot_root", "chroot", "open_tree", "open_tree_attr", "move_mount", "fsopen", "fsconfig", "fsmount",
         "fspick", "mount_setattr"), (errno.EPERM, _MOUNTS)),
    **dict.fromkeys(("statmount", "listmount"), (errno.ENOSYS, _MOUNTS)),
    "listns": (errno.ENOSYS, "shows what namespaces there are"),
    "openat2": (errno.ENOSYS, "its flags are behind a pointer, where a filter cannot see them; C libraries fall back on openat"),
    **dict.fromkeys(("name_to_handle_at", "open_by_handle_at"), (errno.EPERM, _HANDLES)),
    **dict.fromkeys(
        ("io_uring_setup", "io_uring_enter", "io_uring_register"),
        (errno.ENOSYS, "opens files and sockets without system calls, so that no filter sees it")),
    **dict.fromkeys(
        ("io_setup", "io_destroy", "io_submit", "io_cancel", "io_getevents", "io_pgetevents", "memfd_secret"),
        (errno.ENOSYS, _KERNEL)),
    **dict.fromkeys(("bpf", "perf_event_open", "userfaultfd", "vmsplice", "remap_file_pages"), (errno.EPERM, _KERNEL)),
    **dict.fromkeys(("keyctl", "add_key", "request_key"), (errno.EPERM, "the user's keys, which no namespace divides")),
    **dict.fromkeys(
        ("ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "process_mrelease", "pidfd_getfd", "kcmp",
         "move_pages", "migrate_pages"), (errno.EPERM, _OTHERS)),
    **dict.fromkeys(
        ("kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module", "reboot", "swapon", "swapoff", "acct",
         "quotactl", "quotactl_fd", "settimeofday", "clock_settime", "adjtimex", "clock_adjtime", "sethostname", "setdomainname",
         "syslog", "vhangup", "iopl", "ioperm", "modify_ldt"), (errno.EPERM, _MACHINE)),
    **dict.fromkeys(("fanotify_init", "fanotify_mark"), (errno.EPERM, "watches and holds up what others do with files")),
    **dict.fromkeys(("lsm_get_self_attr", "lsm_set_self_attr", "lsm_list_modules"), (errno.ENOSYS, _KERNEL)),
    **dict.fromkeys(("uselib", "ustat", "sysfs", "lookup_dcookie", "nfsservctl"), (errno.EPERM, _OLD)),
}  # fmt: skip
"""What is refused whatever the arguments are: errno and reason."""

REFUSED_BY_ARGUMENT: dict[str, str] = {
    "clone": "with a flag that makes a namespace (CLONE_NEW*), or CLONE_PARENT",
    "personality": "but for asking, and for the default one",
    "prctl": "but for a list of options about the process itself: no SET_MM, SET_TSC, SET_SYSCALL_USER_DISPATCH or SCHED_CORE",
    "ioctl": "but for a list of requests on terminals, pipes, sockets and files: no TIOCSTI, TIOCLINUX, TIOCSETD or FS_IOC_SETFLAGS",
    "socket": "of a family other than UNIX, INET and INET6; datagrams on UNIX, which need no connect; protocols other than TCP and UDP",
    "socketpair": "of a family other than UNIX; datagrams, which can be sent to any socket with a path",
    "setsockopt": "TCP_ULP, by which a socket becomes one that Landlock does not see (SMC)",
    "sendto": "with MSG_FASTOPEN, which connects without connect",
    "sendmsg": "with MSG_FASTOPEN, which connects without connect",
    "sendmmsg": "with MSG_FASTOPEN, which connects without connect",
    "seccomp": "with a listener: the newest one is asked first, and could answer for ours",
    "chmod": "to a set-user-ID program, which others could run as this user",
    "fchmod": "to a set-user-ID program, which others could run as this user",
    "fchmodat": "to a set-user-ID program, which others could run as this user",
    "fchmodat2": "to a set-user-ID program, which others could run as this user",
    "fcntl": "leases, which hold up others; without a PID namespace what has another process signalled (F_SETOWN, F_SETSIG)",
    "prlimit64": "without a PID namespace: of another process",
    "setpriority": "without a PID namespace: of anything but the calling thread",
    "ioprio_set": "without a PID namespace: of anything but the calling thread",
    "sched_setparam": "without a PID namespace: of another thread",
    "sched_setscheduler": "without a PID namespace: of another thread",
    "sched_setaffinity": "without a PID namespace: of another thread",
    "sched_setattr": "without a PID namespace: of another thread",
}
"""What is refused of calls that are allowed otherwise."""

OBSOLETE = (
    "_sysctl", "afs_syscall", "create_module", "epoll_ctl_old", "epoll_wait_old", "get_kernel_syms", "get_thread_area", "getpmsg",
    "putpmsg", "query_module", "security", "set_thread_area", "tuxcall", "vserver",
)  # fmt: skip
"""Names that have a number and that no 64-bit kernel implements."""

PRCTL = (
    1, 2,  # PDEATHSIG
    3, 4,  # DUMPABLE; a process that makes itself unreadable gets no answer from the broker
    7, 8,  # KEEPCAPS
    15, 16,  # NAME
    21, 22,  # SECCOMP; a filter that is added here cannot have a listener
    23, 24,  # CAPBSET
    25,  # GET_TSC
    27, 28,  # SECUREBITS
    29, 30,  # TIMERSLACK
    36, 37,  # CHILD_SUBREAPER
    38, 39,  # NO_NEW_PRIVS
    40,  # GET_TID_ADDRESS
    41, 42,  # THP_DISABLE
    47,  # CAP_AMBIENT
    50, 51,  # SVE vector length
    52, 53,  # SPECULATION_CTRL
    54,  # PAC_RESET_KEYS
    55, 56,  # TAGGED_ADDR_CTRL
    60, 61,  # PAC_ENABLED_KEYS
    63, 64,  # SME vector length
    65, 66,  # MDWE
    74, 75, 76,  # SHADOW_STACK
    78,  # FUTEX_HASH
    0x53564D41,  # SET_VMA
    0x41555856,  # GET_AUXV
    0x59616D61,  # SET_PTRACER; crash reporters ask for it, and ptrace is refused
)  # fmt: skip
"""prctl(2) options. Not among them: SET_MM, SET_TSC, TASK_PERF_EVENTS, SET_SYSCALL_USER_DISPATCH, SCHED_CORE, MCE_KILL, IO_FLUSHER."""

IOCTL = (
    0x5401, 0x5402, 0x5403, 0x5404,  # TCGETS, TCSETS, TCSETSW, TCSETSF
    0x802C542A, 0x402C542B, 0x402C542C, 0x402C542D,  # the same with termios2
    0x5409, 0x5425, 0x540A, 0x540B,  # TCSBRK, TCSBRKP, TCXONC, TCFLSH
    0x540C, 0x540D, 0x540E, 0x5422,  # TIOCEXCL, TIOCNXCL, TIOCSCTTY, TIOCNOTTY
    0x540F, 0x5410, 0x5429,  # TIOCGPGRP, TIOCSPGRP, TIOCGSID
    0x5411, 0x5413, 0x5414,  # TIOCOUTQ, TIOCGWINSZ, TIOCSWINSZ
    0x80045430, 0x40045431, 0x80045439, 0x5441,  # TIOCGPTN, TIOCSPTLCK, TIOCGPTLCK, TIOCGPTPEER: a pseudo-terminal of its own
    0x541B, 0x5421, 0x5450, 0x5451, 0x5452, 0x8905,  # FIONREAD, FIONBIO, FIONCLEX, FIOCLEX, FIOASYNC, SIOCATMARK
    0x40049409, 0x4020940D,  # FICLONE, FICLONERANGE: the target is open for writing already
    0x80086601, 0x801C581F, 0xC020660B,  # FS_IOC_GETFLAGS, FS_IOC_FSGETXATTR, FS_IOC_FIEMAP
)  # fmt: skip
"""ioctl(2) requests on terminals, pipes, sockets and plain files (asm-generic/ioctls.h, linux/fs.h)."""

IOCTL_INET = (0x8910, 0x8912, 0x8913, 0x8915, 0x8919, 0x891B, 0x8921, 0x8933)
"""SIOCGIFNAME, -CONF, -FLAGS, -ADDR, -BRDADDR, -NETMASK, -MTU, -INDEX: what interfaces there are, where INET sockets are granted."""

FCNTL = (
    0, 1, 2, 3, 4, 5, 6, 7,  # DUPFD, GETFD, SETFD, GETFL, SETFL, GETLK, SETLK, SETLKW
    9, 11, 16,  # GETOWN, GETSIG, GETOWN_EX
    36, 37, 38,  # OFD_GETLK, OFD_SETLK, OFD_SETLKW
    1025, 1027, 1028, 1029, 1030,  # GETLEASE, DUPFD_QUERY, CREATED_QUERY, CANCELLK, DUPFD_CLOEXEC
    1031, 1032, 1033, 1034, 1035, 1036, 1037, 1038,  # pipe sizes, seals, read and write hints
)  # fmt: skip
"""fcntl(2) commands. Not among them: SETLEASE, which holds up whoever opens the file, and NOTIFY."""

FCNTL_OWNER = (8, 10, 15)
"""SETOWN, SETSIG, SETOWN_EX: which process gets which signal when something happens to a descriptor."""

AF_UNIX, AF_INET, AF_INET6 = 1, 2, 10
SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET = 1, 2, 5
IPPROTO_TCP, IPPROTO_UDP = 6, 17
INT = 0xFFFFFFFF
_SOCK_TYPE = 0xF  # the kernel's SOCK_TYPE_MASK; SOCK_CLOEXEC and SOCK_NONBLOCK are above it

_WRITING = (0o1, 0o2, 0o100, 0o1000)  # O_WRONLY, O_RDWR, O_CREAT, O_TRUNC: the same numbers on both machines
_CLONE_REFUSED = 0x7E020000 | 0x8000  # CLONE_NEWNS, -CGROUP, -UTS, -IPC, -USER, -PID, -NET; CLONE_PARENT
_MSG_FASTOPEN = 0x20000000
_SECCOMP_FILTER_FLAG_NEW_LISTENER = 8
_TCP_ULP = 31
_SET_USER_ID, _SET_GROUP_ID = 0o4000, 0o2000


def rules(options: Options) -> list[Rule]:
    """Return the rules of the filter that `options` describe. What none of them matches is `DEFAULT`."""
    found: list[Rule] = [(name, ALLOW, ()) for group in FREE.values() for name in group]
    found += [(name, error(number), ()) for name, (number, _) in REFUSED.items()]
    found += [(name, error(errno.EPERM) if options.shared_ipc else ALLOW, ()) for name in SHARED_IPC]
    found += _trapped(options)
    found += _sockets(options)
    found += _own_process(options)
    return [rule for rule in found if options.machine == "x86_64" or rule[0] not in NEW_ON_X86_64]


def _trapped(options: Options) -> Iterator[Rule]:
    """Rules of what the broker answers: in part, always or never."""
    for name in trapped.NAMES:
        yield name, NOTIFY, ()
    for name, flags in (("open", 1), ("openat", 2)):
        # A reference reads and makes nothing, whatever its other flags say (open(2), O_PATH), and cannot be handed over by a broker; what
        # is opened through it is looked at then.
        yield name, ALLOW, ((flags, os.O_PATH, os.O_PATH),)
        if options.trap_reads:
            yield name, NOTIFY, ((flags, os.O_PATH, 0),)
        else:
            yield name, ALLOW, ((flags, os.O_PATH | sum(_WRITING), 0),)
            yield from ((name, NOTIFY, ((flags, os.O_PATH | bit, bit),)) for bit in _WRITING)
    metadata = NOTIFY if options.trap_metadata else ALLOW
    modes = {"chmod": 1, "fchmod": 1, "fchmodat": 2, "fchmodat2": 2}
    for name in trapped.METADATA:
        if name in modes:
            mode = modes[name]
            yield name, error(errno.EPERM), ((mode, _SET_USER_ID, _SET_USER_ID),)
            # Harmless on a directory, where it is common; only the broker can tell what the file is.
            yield name, NOTIFY, ((mode, _SET_USER_ID | _SET_GROUP_ID, _SET_GROUP_ID),)
            yield name, metadata, ((mode, _SET_USER_ID | _SET_GROUP_ID, 0),)
        else:
            yield name, metadata, ()
    # A mount view shows nothing but what may be read; then names that are denied are the one reason to ask.
    looks = options.trap_reads or (options.trap_metadata and options.shared_pids)
    for name in trapped.LOOKS:
        yield name, NOTIFY if looks else ALLOW, ()
    for name in trapped.SOCKETS:
        yield name, NOTIFY if options.trap_sockets else ALLOW, ()
    for name in trapped.SIGNALS:
        yield name, NOTIFY if options.trap_signals else ALLOW, ()


def _sockets(options: Options) -> Iterator[Rule]:
    families = (AF_UNIX,) if options.inet == "none" else (AF_UNIX, AF_INET, AF_INET6)
    for kind in (SOCK_STREAM, SOCK_SEQPACKET):
        yield "socket", ALLOW, ((0, INT, AF_UNIX), (1, _SOCK_TYPE, kind))
        yield "socketpair", ALLOW, ((0, INT, AF_UNIX), (1, _SOCK_TYPE, kind))
    for family in families[1:]:
        kinds = [(SOCK_STREAM, 0), (SOCK_STREAM, IPPROTO_TCP)]
        if options.inet == "tcp+udp":
            kinds += [(SOCK_DGRAM, 0), (SOCK_DGRAM, IPPROTO_UDP)]
        for kind, protocol in kinds:
            yield "socket", ALLOW, ((0, INT, family), (1, _SOCK_TYPE, kind), (2, INT, protocol))
    for name, allowed in (("socket", families), ("socketpair", (AF_UNIX,))):
        yield from ((name, error(errno.EAFNOSUPPORT), (condition,)) for condition in _other_than(0, allowed))
    for condition in _other_than(1, (IPPROTO_TCP,)):
        yield "setsockopt", ALLOW, (condition,)
    for condition in _other_than(2, (_TCP_ULP,)):
        yield "setsockopt", ALLOW, ((1, INT, IPPROTO_TCP), condition)
    yield "setsockopt", error(errno.ENOPROTOOPT), ((1, INT, IPPROTO_TCP), (2, INT, _TCP_ULP))
    for name, flags in (("sendto", 3), ("sendmsg", 2), ("sendmmsg", 3)):
        yield name, ALLOW, ((flags, _MSG_FASTOPEN, 0),)
        yield name, error(errno.EOPNOTSUPP), ((flags, _MSG_FASTOPEN, _MSG_FASTOPEN),)  # what says: use connect


def _own_process(options: Options) -> Iterator[Rule]:
    yield "clone", ALLOW, ((0, _CLONE_REFUSED, 0),)
    for persona in (0, INT):
        yield "personality", ALLOW, ((0, INT, persona),)
    for option in PRCTL:
        yield "prctl", ALLOW, ((0, INT, option),)
    for request in (*IOCTL, *(() if options.inet == "none" else IOCTL_INET)):
        yield "ioctl", ALLOW, ((1, INT, request),)
    yield "seccomp", ALLOW, ((1, _SECCOMP_FILTER_FLAG_NEW_LISTENER, 0),)
    for command in (*FCNTL, *(() if options.shared_pids else FCNTL_OWNER)):
        yield "fcntl", ALLOW, ((1, INT, command),)
    if options.shared_pids:
        # Landlock does not cover these, and the kernel lets a process do them to any other of its user.
        for name in ("prlimit64", "sched_setparam", "sched_setscheduler", "sched_setaffinity", "sched_setattr"):
            yield name, ALLOW, ((0, INT, 0),)
        yield "setpriority", ALLOW, ((0, INT, 0), (1, INT, 0))  # PRIO_PROCESS, the caller
        yield "ioprio_set", ALLOW, ((0, INT, 1), (1, INT, 0))  # IOPRIO_WHO_PROCESS, the caller
    else:
        for name in (
            "prlimit64", "sched_setparam", "sched_setscheduler", "sched_setaffinity", "sched_setattr", "setpriority",
            "ioprio_set",
        ):  # fmt: skip
            yield name, ALLOW, ()


def _other_than(argument: int, values: Iterable[int]) -> Iterator[Condition]:
    """Yield conditions of which at least one holds exactly where a 32-bit argument is none of `values`.

    They are the branches that leave the binary tree of the values: same low bits as some value, then a bit that none has.
    """
    wanted = set(values)
    prefixes = {0: wanted}
    for bit in (1 << number for number in range(32)):
        mask = 2 * bit - 1
        following: dict[int, set[int]] = {}
        for prefix, members in prefixes.items():
            for candidate in (prefix, prefix | bit):
                inside = {value for value in members if value & mask == candidate}
                if inside:
                    following[candidate] = inside
                else:
                    yield argument, mask, candidate
        prefixes = following
