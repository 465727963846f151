"""Files that are this user's alone: read where nobody else can have written or read them, and written whole or not at all."""

from __future__ import annotations

import os

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def read(path: str, most: int) -> bytes:
    """Return what is in a file of at most `most` bytes that the user, who owns it, and nobody else can read or write.

    Raises `FileNotFoundError`, or another `OSError`: `PermissionError`, whose text says what to do, for what is no such file.
    """
    try:
        descriptor = os.open(path, _READ)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise PermissionError(f"{path}: {error.strerror}; it must be a file that only you can read") from None
    try:
        check(path, os.fstat(descriptor))
        data = os.read(descriptor, most + 1)
    finally:
        os.close(descriptor)
    if len(data) > most:
        raise PermissionError(f"{path} is larger than {most >> 10} KB; remove it")
    return data


def check(path: str, status: os.stat_result) -> None:
    """Raise `PermissionError`, with what to do, unless `status` is that of a file of this user's alone."""
    if status.st_uid != os.geteuid():
        raise PermissionError(f"{path} belongs to user {status.st_uid}; remove it")
    if status.st_mode & 0o177077 != 0o100000:
        raise PermissionError(f"{path} is not a file that only you can read; run: chmod 600 {path}")


def fill(path: str, data: bytes, *, lasting: bool = True) -> None:
    """Write a file of mode 0600 where there is none, and take it back where that fails; others may see it half-written meanwhile.

    `lasting` waits until it is on the disk. Raises `OSError`, `FileExistsError` for whatever is there.
    """
    descriptor = os.open(path, _WRITE, 0o600)
    try:
        try:
            written = 0
            while written < len(data):
                written += os.write(descriptor, data[written:])
            if lasting:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except BaseException:
        os.unlink(path)
        raise


def replace(path: str, data: bytes, *, lasting: bool = True) -> None:
    """Put a file in place of what is at `path`, whole or not at all, and on the disk before the old one is gone. Raises `OSError`."""
    scratch = _scratch(path)
    fill(scratch, data, lasting=lasting)
    try:
        os.replace(scratch, path)
    except OSError:
        os.unlink(scratch)
        raise


def create(path: str, data: bytes, *, lasting: bool = True) -> None:
    """Put a file where there is none, whole or not at all. Raises `OSError`, `FileExistsError` for whatever is there."""
    scratch = _scratch(path)
    fill(scratch, data, lasting=lasting)
    try:
        os.link(scratch, path)  # unlike a rename it never takes the place of what is there (link(2))
    finally:
        os.unlink(scratch)


def _scratch(path: str) -> str:
    """Return a name beside `path` that nobody else uses."""
    return f"{path}.{os.getpid()}.{os.urandom(4).hex()}"
