"""libseccomp by ctypes: as much as it takes to turn rules into a program.

Every return code is looked at. The library is part of every systemd distribution; 2.5 is the first whose programs can notify.
"""

from __future__ import annotations

import ctypes
import os

from stdioguard.sandbox.linux.filters import Unavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

NAME = "libseccomp.so.2"
_OLDEST = (2, 5, 0)
_INSTALL = "install it (Debian, Ubuntu: apt install libseccomp2; Fedora, Arch, Alpine, SUSE: package libseccomp)"

# enum scmp_filter_attr (seccomp.h)
_ACT_BADARCH = 2
_CTL_NNP = 3
_CTL_OPTIMIZE = 8
_BINARY_TREE = 2

# enum scmp_compare (seccomp.h)
NE, LT, LE, EQ, GE, GT, MASKED_EQ = 1, 2, 3, 4, 5, 6, 7

_UNKNOWN_NAME = -1  # __NR_SCMP_ERROR
_LARGEST = 1 << 20


class _Version(ctypes.Structure):
    _fields_ = (("major", ctypes.c_uint), ("minor", ctypes.c_uint), ("micro", ctypes.c_uint))


class _Comparison(ctypes.Structure):
    """`struct scmp_arg_cmp`."""

    _fields_ = (("argument", ctypes.c_uint), ("operator", ctypes.c_int), ("first", ctypes.c_uint64), ("second", ctypes.c_uint64))


class Library:
    """The loaded library. Raises `Unavailable` where there is none, or one that is too old."""

    def __init__(self) -> None:
        try:
            library = ctypes.CDLL(NAME)
        except OSError:
            raise Unavailable(f"{NAME} is not on this machine, and the system-call filter needs it; {_INSTALL}") from None
        try:
            library.seccomp_version.restype = ctypes.POINTER(_Version)
            library.seccomp_init.restype = ctypes.c_void_p
            library.seccomp_init.argtypes = (ctypes.c_uint32,)
            library.seccomp_release.restype = None
            library.seccomp_release.argtypes = (ctypes.c_void_p,)
            library.seccomp_attr_set.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_uint32)
            library.seccomp_arch_native.restype = ctypes.c_uint32
            library.seccomp_arch_add.argtypes = (ctypes.c_void_p, ctypes.c_uint32)
            library.seccomp_arch_remove.argtypes = (ctypes.c_void_p, ctypes.c_uint32)
            library.seccomp_syscall_resolve_name.argtypes = (ctypes.c_char_p,)
            library.seccomp_rule_add_array.argtypes = (
                ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.POINTER(_Comparison),
            )  # fmt: skip
            library.seccomp_export_bpf.argtypes = (ctypes.c_void_p, ctypes.c_int)
            found = library.seccomp_version().contents
            self.version: tuple[int, int, int] = (found.major, found.minor, found.micro)
        except (AttributeError, ValueError):
            self.version = (0, 0, 0)
        if self.version < _OLDEST:
            raise Unavailable(f"{NAME} is older than 2.5; upgrade it: {_INSTALL}")
        self._library = library

    def number(self, name: str) -> int | None:
        """Return the number of a system call on this machine (negative: it has none here), or `None` if the library does not know it."""
        found: int = self._library.seccomp_syscall_resolve_name(name.encode())
        return None if found == _UNKNOWN_NAME else found

    def filter(self, default: int, bad_architecture: int, machine: int) -> Filter:
        """Return an empty filter for the architecture `machine` (an AUDIT_ARCH_ value)."""
        return Filter(self._library, default, bad_architecture, machine)

    def path(self) -> str | None:
        """Return the file that the library was loaded from."""
        try:
            with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
                for line in maps:
                    name = line.rstrip("\n").partition("/")[2]
                    if name.rpartition("/")[2].startswith("libseccomp.so"):
                        return "/" + name
        except OSError:
            pass
        return None


class Filter:
    """Rules that become one program."""

    def __init__(self, library: ctypes.CDLL, default: int, bad_architecture: int, machine: int) -> None:
        self._library = library
        self._rules = 0
        self._context = library.seccomp_init(default)
        if not self._context:
            raise Unavailable(f"{NAME} knows no action {default:#x}; upgrade it: {_INSTALL}")
        self._set(_ACT_BADARCH, bad_architecture)
        self._set(_CTL_NNP, 0)
        native = library.seccomp_arch_native()
        if machine != native:
            self._checked(library.seccomp_arch_add(self._context, machine), "seccomp_arch_add")
            self._checked(library.seccomp_arch_remove(self._context, native), "seccomp_arch_remove")

    def add(self, action: int, number: int, conditions: Sequence[tuple[int, int, int, int]], what: str) -> None:
        """Add a rule: every one of `conditions` (argument, operator, first, second operand) must hold. `what` is for messages."""
        array = (_Comparison * len(conditions))(*(_Comparison(*condition) for condition in conditions))
        self._checked(self._library.seccomp_rule_add_array(self._context, action, number, len(conditions), array), what)
        self._rules += 1

    def program(self) -> bytes:
        """Return the filter as an array of `struct sock_filter`, and free it."""
        try:
            if self._rules:  # with the tree and no rule at all, the default action is lost (seccomp/libseccomp#370)
                self._set(_CTL_OPTIMIZE, _BINARY_TREE)
            descriptor = os.memfd_create("filter", os.MFD_CLOEXEC)
            try:
                self._checked(self._library.seccomp_export_bpf(self._context, descriptor), "seccomp_export_bpf")
                return os.pread(descriptor, _LARGEST, 0)
            finally:
                os.close(descriptor)
        finally:
            self._library.seccomp_release(self._context)
            self._context = None

    def _set(self, attribute: int, value: int) -> None:
        self._checked(self._library.seccomp_attr_set(self._context, attribute, value), f"attribute {attribute}")

    def _checked(self, result: int, what: str) -> None:
        if result != 0:
            raise Unavailable(f"{NAME}: {what}: {os.strerror(-result)}")
