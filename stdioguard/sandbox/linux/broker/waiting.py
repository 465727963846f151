"""Calls that may block for as long as somebody else likes: opening a FIFO, connecting to a busy socket. Each waits in a thread of its own.

The broker goes on meanwhile. When the caller is killed, its thread here is woken by a signal and gives up. What a thread holds open was
handed to it: the main thread and the others have lists of their own.
"""

from __future__ import annotations

import _thread
import ctypes
import errno
import os
import signal
import time

from stdioguard.sandbox.linux.broker.calls import Gone

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from stdioguard.sandbox.linux.broker.calls import Call

_MOST = 128
_INTERVAL = 0.05
_WAKE = signal.SIGUSR2

_libc = ctypes.CDLL(None, use_errno=True)
_open = _libc["open"]
_connect = _libc["connect"]


class Waiting:
    """The calls that wait."""

    __slots__ = ("_calls", "_lock", "_looked", "_prepared")

    def __init__(self) -> None:
        self._calls: dict[int, Call] = {}
        self._lock = _thread.allocate_lock()
        self._looked = 0.0
        self._prepared = False

    def open(self, call: Call, path: str, flags: int, *, close_on_exec: bool) -> None:
        """Open `path` when that is possible, and give the descriptor to the caller. Raises `OSError`."""

        def finish(descriptor: int) -> None:
            try:
                call.give(descriptor, close_on_exec=close_on_exec)
            finally:
                os.close(descriptor)

        self._start(call, lambda: _open(os.fsencode(path), flags), finish)

    def connect(self, call: Call, descriptor: int, address: bytes) -> None:
        """Connect a socket of the caller's. Raises `OSError`."""
        self._start(call, lambda: _connect(descriptor, address, len(address)), call.answer)

    def sweep(self) -> None:
        """Wake the threads whose callers have gone. For the main thread, now and then."""
        if not self._calls or time.monotonic() - self._looked < _INTERVAL:
            return
        self._looked = time.monotonic()
        with self._lock:  # a thread leaves the table before it ends, so each that is in it can be signalled
            for thread, call in self._calls.items():
                if not call.is_valid():
                    signal.pthread_kill(thread, _WAKE)

    def _start(self, call: Call, attempt: Callable[[], int], finish: Callable[[int], None]) -> None:
        if len(self._calls) >= _MOST:
            raise OSError(errno.ENFILE, os.strerror(errno.ENFILE))
        if not self._prepared:
            signal.signal(_WAKE, lambda *_: None)  # not restarting: the call fails with EINTR
            self._prepared = True
        call.answered = True
        held = call.release()
        with self._lock:  # the thread waits for its entry in the table
            try:
                thread = _thread.start_new_thread(self._wait, (call, held, attempt, finish))
            except RuntimeError:
                call.answered = False
                call.close(held)
                raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN)) from None
            self._calls[thread] = call

    def _wait(self, call: Call, held: list[int], attempt: Callable[[], int], finish: Callable[[int], None]) -> None:
        with self._lock:
            pass
        try:
            result = attempt()
            code = ctypes.get_errno() if result < 0 else 0
            while code == errno.EINTR and call.is_valid():
                result = attempt()
                code = ctypes.get_errno() if result < 0 else 0
            if code:
                call.answer(0, code)
            else:
                finish(result)
        except Gone:
            pass
        except OSError as error:
            call.answer(0, error.errno or errno.EIO)
        finally:
            call.close(held)
            with self._lock:
                del self._calls[_thread.get_ident()]
