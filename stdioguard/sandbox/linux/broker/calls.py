"""One trapped call: what the kernel says of it, what is in its caller's memory and descriptors, and how it is answered.

seccomp_unotify(2) is the source of what may be trusted when: a notification stays valid while its caller waits. Whatever was read
by the caller's id counts only if the notification is valid *afterwards*, since the id may be another process's by then.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
from struct import Struct

from stdioguard.sandbox.linux import kernel, trapped

PATH_MAX = 4096
AT_FDCWD = -100

_PIDFD_THREAD = os.O_EXCL
_NO_MAGICLINKS = 0x02
_NO_SYMLINKS = 0x04

_NOTIFICATION = Struct(trapped.NOTIF)
_RESPONSE = Struct(trapped.NOTIF_RESP)
_NEW_DESCRIPTOR = Struct(trapped.NOTIF_NEWFD)
_ID = Struct("Q")

# One thread receives and reads; these are its own.
_received = bytearray(_NOTIFICATION.size)
_zeroes = bytes(_NOTIFICATION.size)
_text = bytearray(PATH_MAX)
_local = (ctypes.c_uint64 * 2)(ctypes.addressof(ctypes.c_char.from_buffer(_text)), PATH_MAX)
_remote = (ctypes.c_uint64 * 4)()
_piece = (ctypes.c_uint64 * 2)()
_place = (ctypes.c_uint64 * 2)()
_how = (ctypes.c_uint64 * 3)()

_libc = ctypes.CDLL(None, use_errno=True)
_readv = _libc["process_vm_readv"]
_readv.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_ulong)
_readv.restype = ctypes.c_ssize_t
_writev = _libc["process_vm_writev"]
_writev.argtypes = _readv.argtypes
_writev.restype = ctypes.c_ssize_t
_openat2 = _libc["syscall"]
_openat2.argtypes = (ctypes.c_long, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t)
_openat2.restype = ctypes.c_long
_renameat2 = _libc["syscall"]
_renameat2.argtypes = (ctypes.c_long, ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
_renameat2.restype = ctypes.c_long
_OPENAT2 = kernel.NUMBER["openat2"]
_RENAMEAT2 = trapped.NUMBERS[kernel.MACHINE]["renameat2"]


class Gone(Exception):  # noqa: N818 - an event
    """The caller was killed, or a signal interrupted its call: nobody waits for an answer."""


class Call:
    """A trapped call. What it holds open is closed by `close`."""

    __slots__ = ("_held", "answered", "arguments", "id", "listener", "machine", "number", "thread")

    def __init__(self, listener: int) -> None:
        """Receive the next notification. Raises `OSError`: ENOENT where its caller has gone, others where the listener is of no use."""
        _received[:] = _zeroes
        fcntl.ioctl(listener, trapped.NOTIF_RECV, _received, True)
        self.id, self.thread, _, self.number, self.machine, _, *self.arguments = _NOTIFICATION.unpack(_received)
        self.listener = listener
        self.answered = False
        self._held: list[int] = []

    def integer(self, index: int) -> int:
        """Return an argument that is an `int`: the kernel looks at its low 32 bits."""
        value: int = self.arguments[index] & 0xFFFFFFFF
        return value - (1 << 32) if value >= 1 << 31 else value

    def keep(self, descriptor: int) -> int:
        """Hold a descriptor until the call has been answered."""
        self._held.append(descriptor)
        return descriptor

    def release(self) -> list[int]:
        """Return what is held, for a thread that goes on with the call."""
        held, self._held = self._held, []
        return held

    def close(self, held: list[int] | None = None) -> None:
        """Close what is held, or what was released."""
        for descriptor in self.release() if held is None else held:
            os.close(descriptor)

    # --- its caller ---

    def is_valid(self) -> bool:
        """Tell whether the caller still waits for the answer."""
        try:
            fcntl.ioctl(self.listener, trapped.NOTIF_ID_VALID, _ID.pack(self.id))
        except OSError:
            return False
        return True

    def validate(self) -> None:
        """Raise `Gone` unless what was read by the caller's id was the caller's."""
        try:
            fcntl.ioctl(self.listener, trapped.NOTIF_ID_VALID, _ID.pack(self.id))
        except OSError:
            raise Gone from None

    def string(self, index: int) -> bytes:
        """Return the path that an argument points to. Raises `OSError`: EFAULT, ENAMETOOLONG."""
        address = self.arguments[index]
        found = self._read(address, PATH_MAX)
        end = _text.find(0, 0, found)
        if end < 0:
            raise _error(errno.ENAMETOOLONG if found == PATH_MAX else errno.EFAULT)
        self.validate()
        return bytes(_text[:end])

    def memory(self, address: int, size: int) -> bytes:
        """Return `size` bytes of the caller's memory. Raises `OSError` (EFAULT) where less is readable."""
        parts = []
        while size:
            wanted = min(size, PATH_MAX)
            if self._read(address, wanted) < wanted:
                raise _error(errno.EFAULT)
            parts.append(bytes(_text[:wanted]))
            address += wanted
            size -= wanted
        self.validate()
        return b"".join(parts)

    def _read(self, address: int, size: int) -> int:
        """Read what is readable of the caller's memory into `_text`, up to a page that is not; return how much that is.

        process_vm_readv(2) takes or leaves each piece as a whole, so the pieces end where a page may. It reaches the memory of a process
        that has been killed and whose id has another owner by then; `validate` finds that out.
        """
        first = min(size, PATH_MAX - address % PATH_MAX)
        _remote[:] = [address, first, address + first, size - first]
        found: int = _readv(self.thread, _local, 1, _remote, 2, 0)
        if found >= 0:
            return found
        code = ctypes.get_errno()
        if code == errno.ESRCH:
            raise Gone
        if code == errno.EFAULT:
            raise _error(code)
        return self._read_file(address, size)

    def _read_file(self, address: int, size: int) -> int:
        """Read memory where process_vm_readv(2) is not to be had: some container runtimes refuse it."""
        try:
            file = os.open(f"/proc/{self.thread}/mem", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            raise _error(errno.EPERM) from None  # the caller has made itself unreadable: PR_SET_DUMPABLE
        try:
            found = os.pread(file, size, address)
        except (OSError, OverflowError):
            raise _error(errno.EFAULT) from None
        finally:
            os.close(file)
        _text[: len(found)] = found
        return len(found)

    def write(self, address: int, source: ctypes.Array[ctypes.c_char], size: int) -> None:
        """Write the first `size` bytes of `source` to the caller's memory. Raises `OSError`: EFAULT, EOPNOTSUPP where nobody may do that.

        The caller is valid just before. Were it killed then, and its id given to another process at once, that would be one of the same
        server's: Landlock lets the broker into no other. Nor does it grant /proc/[pid]/mem, which would stay the caller's, for writing.
        """
        self.validate()
        _piece[:] = [ctypes.addressof(source), size]
        _place[:] = [address, size]
        written: int = _writev(self.thread, _piece, 1, _place, 1, 0)
        if written == size:
            return
        code = ctypes.get_errno() if written < 0 else errno.EFAULT
        if code == errno.ESRCH:
            raise Gone
        raise _error(errno.EFAULT if code == errno.EFAULT else errno.EOPNOTSUPP)

    def status(self, *fields: bytes) -> list[int]:
        """Return fields of the caller's /proc/[pid]/status as numbers: octal for `Umask`."""
        try:
            file = os.open(f"/proc/{self.thread}/status", os.O_RDONLY | os.O_CLOEXEC)
            text = os.read(file, 8192)
            os.close(file)
        except OSError:
            raise Gone from None
        self.validate()
        found = []
        for field in fields:
            start = text.index(b"\n" + field + b":\t") + len(field) + 3
            value = text[start : text.index(b"\n", start)]
            found.append(int(value, 8 if field == b"Umask" else 10))
        return found

    def process(self) -> int:
        """Return the process id of the caller, which is a thread's."""
        return self.status(b"Tgid")[0]

    def descriptor(self, number: int) -> int:
        """Return a copy of the caller's descriptor: the same open file. Raises `OSError`: EBADF."""
        try:
            process = kernel.call("pidfd_open", self.thread, _PIDFD_THREAD)
        except OSError as error:
            if error.errno == errno.ESRCH:
                raise Gone from None
            process = kernel.call("pidfd_open", self.process(), 0)  # Linux before 6.9 knows processes only
        try:
            copy = self.keep(kernel.call("pidfd_getfd", process, number, 0))
        finally:
            os.close(process)
        self.validate()
        return copy

    def directory(self, number: int) -> int:
        """Return a reference to the caller's working directory, or to what its descriptor `number` refers to."""
        name = "cwd" if number == AT_FDCWD else f"fd/{number}"
        try:
            reference = self.keep(os.open(f"/proc/{self.thread}/{name}", os.O_PATH | os.O_CLOEXEC))
        except FileNotFoundError:
            self.validate()
            raise _error(errno.EBADF) from None
        self.validate()
        return reference

    # --- its answer ---

    def answer(self, value: int, code: int = 0) -> None:
        """Let the call return `value`, or fail with an errno."""
        self.answered = True
        try:
            fcntl.ioctl(self.listener, trapped.NOTIF_SEND, _RESPONSE.pack(self.id, value, -code, 0))
        except OSError:
            pass  # the caller has gone

    def give(self, descriptor: int, *, close_on_exec: bool) -> None:
        """Let the call return a new descriptor for the open file that `descriptor` refers to here. Raises `OSError`: EMFILE."""
        flags = os.O_CLOEXEC if close_on_exec else 0
        try:
            wanted = _NEW_DESCRIPTOR.pack(self.id, trapped.ADDFD_SEND, descriptor, 0, flags)
            fcntl.ioctl(self.listener, trapped.NOTIF_ADDFD, wanted)
            self.answered = True
        except OSError as error:
            if error.errno == errno.ENOENT:
                raise Gone from None
            if error.errno != errno.EINVAL:
                raise
            # Linux 5.13 cannot do both in one step.
            request = bytearray(_NEW_DESCRIPTOR.pack(self.id, 0, descriptor, 0, flags))
            self.answer(fcntl.ioctl(self.listener, trapped.NOTIF_ADDFD, request, True))


def _error(code: int) -> OSError:
    return OSError(code, os.strerror(code))


def reference(directory: int, path: bytes, flags: int = 0) -> int:
    """Open a path for reference (O_PATH) without following any link before its end. Raises `OSError`: ELOOP where there is one."""
    return _reference(directory, path, flags, _NO_SYMLINKS)


def reference_plain(directory: int, path: bytes, flags: int = 0) -> int:
    """Open a path for reference, following links that are paths; raises ELOOP for those that are not (magic links of /proc)."""
    return _reference(directory, path, flags, _NO_MAGICLINKS)


def _reference(directory: int, path: bytes, flags: int, resolve: int) -> int:
    _how[:] = [flags | os.O_PATH | os.O_CLOEXEC, 0, resolve]
    descriptor: int = _openat2(_OPENAT2, directory, path, _how, 24)
    if descriptor < 0:
        raise _error(ctypes.get_errno())
    return descriptor


def rename(directory: int, name: bytes, to_directory: int, to_name: bytes, flags: int) -> None:
    """renameat2(2), for which Python has no function."""
    if _renameat2(_RENAMEAT2, directory, name, to_directory, to_name, flags) != 0:
        raise _error(ctypes.get_errno())
