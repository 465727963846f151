"""System calls by name, for what Python has no function for. Numbers: arch/x86/entry/syscalls/syscall_64.tbl, asm-generic/unistd.h."""

from __future__ import annotations

import ctypes
import errno
import os
from typing import Any

MACHINE = os.uname().machine
_COLUMN = {"x86_64": 0, "aarch64": 1}.get(MACHINE)
_NUMBERS = {
    "acct": (163, 89), "adjtimex": (159, 171), "add_key": (248, 217), "bpf": (321, 280), "chroot": (161, 51), "clone": (56, 220), "clone3": (435, 435),
    "copy_file_range": (326, 285), "fanotify_init": (300, 262), "fanotify_mark": (301, 263), "fchmodat2": (452, 452),
    "finit_module": (313, 273), "fsconfig": (431, 431), "fsmount": (432, 432), "fsopen": (430, 430), "fspick": (433, 433),
    "init_module": (175, 105), "inotify_add_watch": (254, 27), "inotify_init1": (294, 26), "io_uring_enter": (426, 426),
    "io_uring_setup": (425, 425), "ioctl": (16, 29), "ioperm": (173, None), "iopl": (172, None), "kcmp": (312, 272),
    "kexec_load": (246, 104), "keyctl": (250, 219), "landlock_create_ruleset": (444, 444), "linkat": (265, 37),
    "listmount": (458, 458), "migrate_pages": (256, 238), "mknodat": (259, 33), "modify_ldt": (154, None),
    "mount": (165, 40), "mount_setattr": (442, 442), "move_mount": (429, 429), "move_pages": (279, 239),
    "mq_open": (240, 180), "mq_timedreceive": (243, 183), "mq_timedsend": (242, 182), "mq_unlink": (241, 181),
    "msgget": (68, 186), "msgrcv": (70, 188), "msgsnd": (69, 189), "msgctl": (71, 187), "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265), "open_tree": (428, 428), "openat": (257, 56), "openat2": (437, 437),
    "perf_event_open": (298, 241), "personality": (135, 92), "pidfd_getfd": (438, 438), "pidfd_open": (434, 434),
    "pidfd_send_signal": (424, 424), "pivot_root": (155, 41), "prctl": (157, 167), "process_madvise": (440, 440),
    "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "prlimit64": (302, 261), "ptrace": (101, 117),
    "quotactl": (179, 60), "reboot": (169, 142), "renameat2": (316, 276), "request_key": (249, 218),
    "rt_sigqueueinfo": (129, 138), "sched_setaffinity": (203, 122), "seccomp": (317, 277), "semctl": (66, 191),
    "semget": (64, 190), "setns": (308, 268), "setxattrat": (463, 463), "shmat": (30, 196), "shmctl": (31, 195),
    "shmget": (29, 194), "socket": (41, 198), "splice": (275, 76), "statmount": (457, 457), "swapoff": (168, 225),
    "swapon": (167, 224), "syslog": (103, 116), "tgkill": (234, 131), "tkill": (200, 130), "umount2": (166, 39),
    "unshare": (272, 97), "userfaultfd": (323, 282), "vhangup": (153, 58), "file_setattr": (469, 469),
}  # fmt: skip

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


def number(name: str) -> int:
    """Return the number of a system call. Raises `OSError` ENOSYS where this machine has none of that name."""
    found = None if _COLUMN is None else _NUMBERS[name][_COLUMN]
    if found is None:
        raise OSError(errno.ENOSYS, f"no {name} on {MACHINE}")
    return found


def raw(call: int, *arguments: Any) -> int:
    """Make the system call of this number. Raises `OSError`.

    An integer goes as a whole register, so that the upper half can be set too; `bytes` and ctypes objects go as pointers.
    """
    words = [
        ctypes.c_void_p(argument) if argument is None else ctypes.c_long(argument) if isinstance(argument, int) else argument
        for argument in arguments
    ]
    result: int = libc.syscall(ctypes.c_long(call), *words)
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def call(name: str, *arguments: Any) -> int:
    """Make the system call of this name. Raises `OSError`."""
    return raw(number(name), *arguments)


# include/uapi/linux/sched.h
CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC = 0x20000, 0x2000000, 0x4000000, 0x8000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWTIME = 0x10000000, 0x20000000, 0x40000000, 0x80
AT_FDCWD, AT_SYMLINK_FOLLOW, AT_EMPTY_PATH = -100, 0x400, 0x1000
RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_WHITEOUT = 1, 2, 4
