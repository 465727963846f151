"""The system calls that the filter hands to the broker, with their numbers, and the numbers of the ioctls that answer them.

Plain data that the broker needs in every launch, apart from the policy, which only compiling the filter needs. Numbers are the kernel's
`arch/x86/entry/syscalls/syscall_64.tbl` and `scripts/syscall.tbl` (aarch64 uses the generic table, which has no call that takes a path
without a directory descriptor); a test holds them against libseccomp and the C library's headers.
"""

from __future__ import annotations

OPENS = ("open", "openat")
"""Trapped where the flags ask for writing, creation or truncation; with `trap_reads`, always."""
NAMES = (
    "creat", "truncate", "mkdir", "mkdirat", "rmdir", "unlink", "unlinkat", "rename", "renameat", "renameat2", "link",
    "linkat", "symlink", "symlinkat", "mknod", "mknodat",
)  # fmt: skip
"""Always trapped: they make, change or take away a name."""
METADATA = (
    "chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "fchown", "lchown", "fchownat", "utime", "utimes", "futimesat",
    "utimensat", "setxattr", "lsetxattr", "fsetxattr", "setxattrat", "removexattr", "lremovexattr", "fremovexattr",
    "removexattrat", "file_setattr",
)  # fmt: skip
"""Trapped with `trap_metadata`."""
LOOKS = (
    "getxattr", "lgetxattr", "getxattrat", "listxattr", "llistxattr", "listxattrat", "file_getattr", "inotify_add_watch",
)  # fmt: skip
"""Trapped with `trap_reads`, and with `trap_metadata` where there is no mount view: Landlock does not cover these calls either."""
SOCKETS = ("connect", "bind", "listen")
"""Trapped with `trap_sockets`."""
SIGNALS = ("kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_send_signal")
"""Trapped with `trap_signals`."""

NUMBERS: dict[str, dict[str, int]] = {
    "x86_64": {
        "open": 2, "openat": 257, "creat": 85, "truncate": 76, "mkdir": 83, "mkdirat": 258, "rmdir": 84, "unlink": 87,
        "unlinkat": 263, "rename": 82, "renameat": 264, "renameat2": 316, "link": 86, "linkat": 265, "symlink": 88,
        "symlinkat": 266, "mknod": 133, "mknodat": 259, "chmod": 90, "fchmod": 91, "fchmodat": 268, "fchmodat2": 452,
        "chown": 92, "fchown": 93, "lchown": 94, "fchownat": 260, "utime": 132, "utimes": 235, "futimesat": 261,
        "utimensat": 280, "setxattr": 188, "lsetxattr": 189, "fsetxattr": 190, "setxattrat": 463, "removexattr": 197,
        "lremovexattr": 198, "fremovexattr": 199, "removexattrat": 466, "file_setattr": 469, "getxattr": 191, "lgetxattr": 192,
        "getxattrat": 464, "listxattr": 194, "llistxattr": 195, "listxattrat": 465, "file_getattr": 468,
        "inotify_add_watch": 254, "connect": 42, "bind": 49, "listen": 50, "kill": 62, "tkill": 200, "tgkill": 234,
        "rt_sigqueueinfo": 129, "rt_tgsigqueueinfo": 297, "pidfd_send_signal": 424,
    },
    "aarch64": {
        "openat": 56, "truncate": 45, "mkdirat": 34, "unlinkat": 35, "renameat": 38, "renameat2": 276, "linkat": 37,
        "symlinkat": 36, "mknodat": 33, "fchmod": 52, "fchmodat": 53, "fchmodat2": 452, "fchown": 55, "fchownat": 54,
        "utimensat": 88, "setxattr": 5, "lsetxattr": 6, "fsetxattr": 7, "setxattrat": 463, "removexattr": 14,
        "lremovexattr": 15, "fremovexattr": 16, "removexattrat": 466, "file_setattr": 469, "getxattr": 8, "lgetxattr": 9,
        "getxattrat": 464, "listxattr": 11, "llistxattr": 12, "listxattrat": 465, "file_getattr": 468,
        "inotify_add_watch": 27, "connect": 203, "bind": 200, "listen": 201, "kill": 129, "tkill": 130, "tgkill": 131,
        "rt_sigqueueinfo": 138, "rt_tgsigqueueinfo": 240, "pidfd_send_signal": 424,
    },
}  # fmt: skip
"""Number of each trapped call by machine (`os.uname().machine`); a call that the machine does not have is not there."""

AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""`seccomp_data.arch` by machine (linux/audit.h): what the filter lets pass, and what the broker must find in a notification."""

# ioctls on a listener (linux/seccomp.h). The numbers hold the sizes of the structs, which are the same on both machines.
NOTIF_RECV = 0xC0502100
NOTIF_SEND = 0xC0182101
NOTIF_ID_VALID = 0x40082102
NOTIF_ADDFD = 0x40182103
NOTIF_SET_FLAGS = 0x40082104

NOTIF = "QIIiIQ6Q"
"""`struct seccomp_notif`, 80 bytes: id, pid, flags, then `seccomp_data`: nr, arch, instruction pointer, six arguments. The kernel wants it
zeroed before it is read into."""
NOTIF_RESP = "QqiI"
"""`struct seccomp_notif_resp`: id, val, error (negative), flags."""
NOTIF_NEWFD = "QIIII"
"""`struct seccomp_notif_addfd`: id, flags, srcfd, newfd, newfd_flags."""
ADDFD_SETFD = 1
ADDFD_SEND = 2
RESP_CONTINUE = 1
