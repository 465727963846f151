"""Objects that processes share by a key or a name and not by a path: System V, POSIX queues, memory."""

from __future__ import annotations

import ctypes
import os
import struct

from ..catalogue import attempt
from ..inside import read, write
from ..kernel import call
from ..stakes import Kept, MessageQueue, PosixQueue, Secret, Semaphore, SharedMemory, _attach

# In a namespace of its own the key is nobody's; without one the call is refused.
NOBODY = {"namespaces": "ENOENT|EINVAL|EIDRM", "plain": "EPERM|ENOSYS|EACCES"}


@attempt(SharedMemory(), **NOBODY)
def read_shared_memory_by_its_key(key: int) -> bytes:
    return ctypes.string_at(_attach(call("shmget", key, 0, 0)), 64)


@attempt(SharedMemory(), **NOBODY)
def read_shared_memory_by_its_number(identifier: int) -> bytes:
    return ctypes.string_at(_attach(identifier), 64)


@attempt(SharedMemory(), **NOBODY)
def write_shared_memory(key: int) -> None:
    ctypes.memmove(_attach(call("shmget", key, 0, 0)), b"changed", 7)


@attempt(MessageQueue(), **NOBODY)
def send_to_a_message_queue(key: int) -> int:
    return call("msgsnd", call("msgget", key, 0), struct.pack("q", 1) + b"evil", 4, 0o4000)


@attempt(MessageQueue(), **NOBODY)
def steal_from_a_message_queue(identifier: int) -> bytes:
    buffer = ctypes.create_string_buffer(4096)
    size = call("msgrcv", identifier, buffer, 2048, 0, 0o4000)
    return buffer.raw[8 : 8 + size]


@attempt(Semaphore(), **NOBODY)
def change_a_semaphore(key: int) -> int:
    return call("semctl", call("semget", key, 0, 0), 0, 16, 99)


@attempt(PosixQueue(), namespaces="ENOENT|EPERM|ENOSYS", plain="EPERM|ENOSYS|EACCES")
def send_to_a_posix_queue(queue: str) -> int:
    descriptor = call("mq_open", queue.encode(), os.O_WRONLY | os.O_NONBLOCK, 0, None)
    return call("mq_timedsend", descriptor, b"evil", 4, 0, None)


@attempt(Secret("{shm}/{unique}-{slug}-shared"), namespaces="ENOENT", plain="EACCES")
def read_posix_shared_memory(path: str) -> bytes:
    return read(path)


@attempt(Kept("{shm}/{unique}-{slug}-shared"), namespaces="ENOENT", plain="EACCES")
def write_posix_shared_memory(path: str) -> str:
    return write(path, flags=os.O_WRONLY)
