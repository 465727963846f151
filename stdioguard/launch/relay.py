"""Move frames between client, session and server, in one thread, without ever blocking on one of them.

The session decides; this file reads, writes the record, sends, and keeps both sides from filling memory: a side is read only while the
other takes what it is sent. It also ends things: half-closed input, a server that dies in mid-call, a client that goes away, signals.
"""

from __future__ import annotations

import os
import select
import signal
import time

from stdioguard.launch.child import SandboxRefused
from stdioguard.launch.events import EventReader
from stdioguard.launch.stderr import StderrForwarder
from stdioguard.launch.tree import Tree, reap
from stdioguard.wire.framing import FrameReader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from stdioguard.approval.desk import Desk
    from stdioguard.guard.output import Output
    from stdioguard.guard.session import Session
    from stdioguard.launch.child import Child
    from stdioguard.ledger.record import Record

CHUNK = 1 << 16
HIGH_WATER = 1 << 20
"""Bytes waiting for one side at which the other is no longer read."""
FLOOD = 64 << 20
"""Bytes of refusals waiting for a server that asks and does not read at which the session ends."""

FRAME_PATIENCE = 60.0
"""Seconds that a frame may take from its first byte to its LF."""
MAX_IN_FLIGHT = 4096
"""Requests in flight at which the client is no longer read."""
LINGER = 30.0
"""Seconds that requests in flight have to be answered after the client has closed its input."""
ORPHANED = 5.0
"""Seconds without a word after which nobody answers any more, where the server has ended and a descendant holds its output open."""
GRACE = 1.2
"""Seconds that a server has to end by itself once its input is closed. SDK clients wait two before they kill the guard."""
TERM_GRACE = 0.5
FLUSH = 30.0
"""Seconds without progress after which a client that does not read what was sent to it is given up."""

_LOOK = 0.25
"""Seconds between two looks at what people have decided on other channels, while a question of theirs is open."""

RECORD_LOST = "the record cannot be written"

_IN = select.POLLIN | select.POLLHUP | select.POLLERR
_GONE = select.POLLERR | select.POLLHUP | select.POLLNVAL


class Outbox:
    """Bytes on their way to one descriptor, which must not block."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.size = 0
        self.broken = False
        self._parts: list[bytes] = []
        self._offset = 0

    def send(self, lines: list[str]) -> None:
        """Queue `lines` and send what goes at once."""
        if self.broken:
            return
        lines.append("")
        data = "\n".join(lines).encode("ascii")
        waiting = self.size
        self.size += len(data)
        self._parts.append(data)
        if not waiting:
            self.flush()

    def flush(self) -> None:
        """Send what the descriptor takes now."""
        try:
            while self._parts:
                part = self._parts[0]
                sent = os.write(self.descriptor, memoryview(part)[self._offset :] if self._offset else part)
                self.size -= sent
                self._offset += sent
                if self._offset == len(part):
                    self._parts.pop(0)
                    self._offset = 0
        except BlockingIOError:
            pass
        except OSError:
            self.broken = True
            self._parts.clear()
            self.size = 0


class Relay:
    """One session's pipes. `start` makes the server; it is called once, when the first message has been accepted."""

    def __init__(
        self, session: Session, record: Record, start: Callable[[], Child], server_name: str, desk: Desk | None = None
    ) -> None:
        self._session = session
        self._record = record
        self._start = start
        self._name = server_name
        self._desk = desk
        self._desk_seen = 0.0
        self._child: Child | None = None
        self._tree = Tree()
        self._status: int | None = None
        self._pulse = None if session.pulse is None else session.pulse * 1000
        """Milliseconds after which the session wants to look around, however quiet it is."""
        self._to_client = Outbox(1)
        self._to_server: Outbox | None = None
        self._client_frames = FrameReader()
        self._server_frames = FrameReader()
        self._begun: dict[int, float] = {}
        self._stderr: StderrForwarder | None = None
        self._client_open = True
        self._stdout_open = False
        self._stderr_open = False
        self._events_open = False
        self._events = EventReader()
        self._interest: tuple[int, ...] = ()
        self._hung_up = False
        self._orphaned: float | None = None
        self._linger: float | None = None
        self._stopping: float | None = None
        self._signalled = False
        self.failure: str | None = None
        """Why the guard itself gave up, or `None`."""
        self.left_behind: list[int] = []
        """Descendants of the server that could not be ended."""
        self.spawn_error: OSError | None = None
        self.refusal: str | None = None
        """Why there is no sandbox, and so no server, or `None`."""

    def run(self) -> int | None:
        """Relay until the session is over; return the server's wait status, or `None` if no server was started."""
        blocking = os.get_blocking(1)
        os.set_blocking(1, False)
        wake_in, wake_out = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK) if hasattr(os, "pipe2") else _pipe2()
        signal.set_wakeup_fd(wake_out, warn_on_full_buffer=False)
        for name in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(name, self._on_signal)
        try:
            self._loop(wake_in)
        finally:
            self._finish()
            signal.set_wakeup_fd(-1)
            os.set_blocking(1, blocking)  # a terminal is shared with whoever comes after
        return self._status

    def _on_signal(self, number: int, _frame: object) -> None:
        if number != signal.SIGCHLD:
            self._signalled = True

    # --- the loop -------------------------------------------------------------------------------------------------------------

    def _loop(self, wake: int) -> None:
        poll = select.poll()
        poll.register(wake, select.POLLIN)
        watched: dict[int, int] = {}
        looked = 0.0
        while True:
            quiet = self._is_quiet()
            if not quiet:
                self._keep_time()
                if self._is_over():
                    return
            self._watch(poll, watched)
            ready = poll.poll(self._pulse if quiet else self._timeout())
            if self._desk is not None and self._desk.waits:
                self._poll_desk(self._desk)
            if self._pulse is not None and (not ready or time.monotonic() >= looked + self._pulse / 1000):
                looked = time.monotonic()  # however much else there is to do
                self._apply([self._session.tick(looked)])
            for descriptor, event in ready:
                if descriptor == wake:
                    _drain(wake)
                    self._collect()
                elif descriptor == 0:
                    if self._interest[0]:
                        self._read_client()
                    else:
                        self._hung_up = True
                elif descriptor == 1:
                    self._to_client.flush()
                    if event & _GONE and not event & select.POLLOUT:
                        self._to_client.broken = True
                elif self._child is not None:
                    self._serve(descriptor, event)

    def _is_quiet(self) -> bool:
        """Tell whether nothing runs out and nothing ends: the state in which almost every message finds the loop."""
        return (
            self._client_open
            and self._stopping is None
            and not self._begun
            and not self._session.state.held
            and not (self._desk is not None and self._desk.waits)
            and not self._signalled
            and not self._hung_up
            and not self._to_client.broken
            and (self._to_server is None or not self._to_server.broken)
            and (self._child is None or (self._stdout_open and self._status is None))
        )

    def _serve(self, descriptor: int, event: int) -> None:
        child = self._child
        if child is None:
            return
        if descriptor == child.stdout and self._stdout_open:
            self._read_server(child)
        elif descriptor == child.stderr and self._stderr_open:
            self._read_stderr(child)
        elif descriptor == child.events and self._events_open:
            self._read_events(child)
        elif self._to_server is not None and descriptor == self._to_server.descriptor:
            self._to_server.flush()
            if event & _GONE and not event & select.POLLOUT:
                self._to_server.broken = True

    def _watch(self, poll: select.poll, watched: dict[int, int]) -> None:
        """Register what there is to wait for. A client that is not read or written to is watched all the same: it may go away."""
        to_server, to_client = self._to_server, self._to_client
        backlog = to_server.size if to_server is not None else 0
        room = to_client.size < HIGH_WATER
        client_open = self._client_open and self._stopping is None
        interest = (
            _IN if client_open and room and backlog < HIGH_WATER and self._session.in_flight < MAX_IN_FLIGHT else 0,
            select.POLLOUT if to_client.size else 0,
            _IN if self._stdout_open and room else 0,
            _IN if self._stderr_open else 0,
            select.POLLOUT if backlog else 0,
            client_open and not self._hung_up,
            not to_client.broken,
            _IN if self._events_open else 0,
        )
        if interest == self._interest:
            return
        self._interest = interest
        child = self._child
        wanted = {0: interest[0]} if interest[0] or interest[5] else {}
        if interest[6]:
            wanted[1] = interest[1]
        if child is not None:
            wanted |= {child.stdout: interest[2]} if interest[2] else {}
            wanted |= {child.stderr: interest[3]} if interest[3] else {}
            wanted |= {child.events: interest[7]} if interest[7] else {}
        if to_server is not None and interest[4]:
            wanted[to_server.descriptor] = interest[4]
        # A side that is held back is not slow.
        if not interest[0]:
            self._begun.pop(0, None)
        if child is not None and not interest[2]:
            self._begun.pop(child.stdout, None)
        for descriptor in watched.keys() - wanted.keys():
            poll.unregister(descriptor)
        for descriptor, mask in wanted.items():
            if watched.get(descriptor) != mask:
                poll.register(descriptor, mask)
        watched.clear()
        watched.update(wanted)

    def _timeout(self) -> float | None:
        deadlines = [begun + FRAME_PATIENCE for begun in self._begun.values()]
        session_deadline = self._session.next_deadline()
        if session_deadline is not None:
            deadlines.append(session_deadline)
        deadlines += [moment for moment in (self._stopping, self._linger, self._orphaned) if moment is not None]
        if self._desk is not None and self._desk.waits:
            deadlines.append(self._desk_seen + _LOOK)
        if not deadlines:
            return self._pulse
        return min(max(0.0, min(deadlines) - time.monotonic()) * 1000 + 1, self._pulse or float("inf"))

    def _poll_desk(self, desk: Desk) -> None:
        """Take in what people have decided elsewhere."""
        now = time.monotonic()
        if now >= self._desk_seen + _LOOK:
            self._desk_seen = now
            for question_id, decision in desk.poll():
                if decision is None:
                    self._apply([self._session.give_up(question_id, now)])
                else:
                    self._apply([self._session.decide(question_id, decision, now)])

    def _keep_time(self) -> None:
        now = time.monotonic()
        deadline = self._session.next_deadline()
        if deadline is not None and now >= deadline:
            self._apply([self._session.tick(now)])
        for descriptor, begun in list(self._begun.items()):
            if now >= begun + FRAME_PATIENCE:
                (self._client_frames if descriptor == 0 else self._server_frames).abandon(slow=True)
                del self._begun[descriptor]
        if self._signalled and (self._stopping is None or self._stopping > now):
            self._end("the guard was asked to stop", 0.0)
        elif self._stopping is not None:
            return
        elif self._to_client.broken:
            self._end("the client has gone", GRACE)
        elif self._to_server is not None and self._to_server.broken:
            self._end("the server does not take any more", GRACE)
        elif not self._client_open:
            self._half_closed(now)
        elif self._hung_up:
            self._gone_unread(now)
        if self._orphaned is not None and now >= self._orphaned and self._stopping is None:
            self._orphaned = now + ORPHANED
            if self._session.is_busy:
                self._end("the server has ended", 0.0)

    # --- reading --------------------------------------------------------------------------------------------------------------

    def _read_client(self) -> None:
        data = _read(0)
        if data is None:
            return
        now = time.monotonic()
        if not data:
            self._client_open = False
            if self._client_frames.pending:
                self._apply([self._session.unfinished(self._client_frames.rest(), now)])
            return
        outputs = [self._session.from_client(frame, now) for frame in self._client_frames.feed(data)]
        if self._begun or self._client_frames.pending:
            self._time_frame(0, self._client_frames, now, bool(outputs))
        self._apply(outputs)

    def _read_server(self, child: Child) -> None:
        data = _read(child.stdout)
        if data is None:
            return
        if not data:
            self._stdout_open = False
            return
        now = time.monotonic()
        if self._orphaned is not None:
            self._orphaned = now + ORPHANED
        outputs = [self._session.from_server(frame, now) for frame in self._server_frames.feed(data)]
        if self._begun or self._server_frames.pending:
            self._time_frame(child.stdout, self._server_frames, now, bool(outputs))
        self._apply(outputs)

    def _read_stderr(self, child: Child) -> None:
        data = _read(child.stderr)
        if data and self._stderr is not None:
            self._stderr.feed(data)
        elif data is not None:
            self._stderr_open = False

    def _read_events(self, child: Child) -> None:
        """Record what the sandbox and the proxy have refused."""
        data = _read(child.events)
        if data is None:
            return
        if not data:
            self._events_open = False
            return
        try:
            self._record.write(self._events.feed(data))
        except OSError as error:
            self._fail(f"{RECORD_LOST}: {error.strerror}")

    def _time_frame(self, descriptor: int, frames: FrameReader, now: float, another: bool) -> None:
        if not frames.pending:
            self._begun.pop(descriptor, None)
        elif another or descriptor not in self._begun:
            self._begun[descriptor] = now

    # --- acting ---------------------------------------------------------------------------------------------------------------

    def _apply(self, outputs: list[Output]) -> None:
        """Write the records, then send the lines: no record, no message."""
        if len(outputs) == 1:
            output = outputs[0]
            records, to_client, to_server, closes = output.records, output.to_client, output.to_server, output.closes
        else:
            closes = next((output.closes for output in outputs if output.closes is not None), None)
            records = [entry for output in outputs for entry in output.records]
            to_client = [line for output in outputs for line in output.to_client]
            to_server = [line for output in outputs for line in output.to_server]
        if self.failure is None:
            try:
                self._record.write(records)
            except OSError as error:
                reason = f"{RECORD_LOST}: {error.strerror}"
                self._fail(reason, self._session.unrecorded(records, reason, time.monotonic()))
                return
        if self._desk is not None:
            for output in outputs:
                for question_id in output.withdrawn:
                    self._desk.withdraw(question_id)
                for question in output.asked:
                    self._desk.ask(question)
        if to_server and self.failure is None:
            if self._child is None and not self._spawn():
                return
            if self._to_server is not None:
                self._to_server.send(to_server)
                if self._to_server.size > FLOOD:
                    self._fail("the server asks and does not read the answers")
        if to_client:
            self._to_client.send(to_client)
        if closes is not None and self.failure is None:
            self._fail(closes)

    def _spawn(self) -> bool:
        try:
            self._child = child = self._start()
        except SandboxRefused as refusal:
            self.refusal = str(refusal)
            self._fail("the server could not be started: its sandbox cannot be had")
            return False
        except OSError as error:
            self.spawn_error = error
            self._fail(f"the server could not be started: {error.strerror}")
            return False
        self._tree.root = child.pid
        self._to_server = Outbox(child.stdin)
        self._stderr = StderrForwarder(self._name)
        self._stdout_open = self._stderr_open = self._events_open = True
        return True

    def _fail(self, reason: str, last: Output | None = None) -> None:
        """Give up: nothing more goes to the server, nothing more is recorded, and `last` is the client's."""
        if self.failure is None:
            self.failure = reason
            if last is not None:
                self._apply([last])
            self._end(reason, 0.0)

    def _end(self, reason: str, grace: float) -> None:
        """Answer what is open, close the server's input, and give it `grace` seconds to go."""
        self._apply([self._session.end(reason, time.monotonic())])
        self._close_server_input()
        self._stopping = time.monotonic() + grace

    def _half_closed(self, now: float) -> None:
        """Let what is in flight be answered, then close the server's input: the client will send nothing more, but may still read.

        Servers drop what they are doing when their input ends, so it is kept open until they have answered.
        """
        if self._linger is None:
            self._linger = now + LINGER
            self._apply([self._session.input_closed(now)])
        if self._to_server is None:
            self._stopping = now
        elif (not self._session.is_busy and not self._to_server.size) or now >= self._linger:
            self._close_server_input()
            self._stopping = now + GRACE

    def _gone_unread(self, now: float) -> None:
        """End the session of a client that has hung up while it was held back, unless what it sent can still be read in time."""
        if self._linger is None:
            self._linger = now + LINGER
        elif now >= self._linger:
            self._end("the client has gone", GRACE)

    def _close_server_input(self) -> None:
        if self._to_server is not None:
            os.close(self._to_server.descriptor)
            self._to_server = None

    # --- ending ---------------------------------------------------------------------------------------------------------------

    def _collect(self) -> None:
        ended = reap()
        if self._child is not None and self._child.proxy in ended and self._stopping is None:
            self._fail("the network proxy has ended")
        if self._child is not None and self._child.pid in ended:
            self._status = ended[self._child.pid]
            # What the server wrote before it went is still in its pipe, and a descendant may go on serving on it.
            self._orphaned = time.monotonic() + ORPHANED

    def _is_over(self) -> bool:
        if self._child is None:
            return self._stopping is not None
        if not self._stdout_open and not self._stderr_open and self._status is not None:
            return True
        if not self._stdout_open and self._stopping is None:
            self._end("the server closed its output", GRACE)
        return self._stopping is not None and time.monotonic() >= self._stopping

    def _finish(self) -> None:
        """Answer what is still open, leave no process behind, and deliver what was said."""
        self._apply([self._session.end(self.failure or "the server has ended", time.monotonic())])
        self._close_server_input()
        if self._child is not None:
            self._stop_tree(self._child)
        if self._stderr is not None:
            self._stderr.close()
        if self._desk is not None:
            self._desk.close()
        self._flush_client()

    def _flush_client(self) -> None:
        poll = select.poll()
        poll.register(1, select.POLLOUT)
        deadline, left = time.monotonic() + FLUSH, self._to_client.size
        while self._to_client.size and not self._to_client.broken and not self._signalled and time.monotonic() < deadline:
            for _, event in poll.poll(100):
                if event & _GONE and not event & select.POLLOUT:
                    return
            self._to_client.flush()
            if self._to_client.size < left:
                deadline, left = time.monotonic() + FLUSH, self._to_client.size

    def _stop_tree(self, child: Child) -> None:
        self._collect()
        if self._tree.members():
            self._tree.signal_all(signal.SIGTERM)
            deadline = time.monotonic() + TERM_GRACE
            while time.monotonic() < deadline and self._tree.members():
                time.sleep(0.005)
                self._collect()
        ended, self.left_behind = self._tree.kill_all()
        self._status = ended.get(child.pid, self._status)
        while self._stderr_open and select.select([child.stderr], [], [], 0)[0]:
            self._read_stderr(child)
        while self._events_open and select.select([child.events], [], [], 0)[0]:
            self._read_events(child)


def _read(descriptor: int) -> bytes | None:
    """Read a chunk; `b""` is the end, `None` that there was nothing after all."""
    try:
        return os.read(descriptor, CHUNK)
    except (BlockingIOError, InterruptedError):
        return None
    except OSError:
        return b""


def _drain(descriptor: int) -> None:
    try:
        while len(os.read(descriptor, 512)) == 512:
            pass
    except BlockingIOError:
        pass


def _pipe2() -> tuple[int, int]:
    ends = os.pipe()
    for end in ends:
        os.set_blocking(end, False)
    return ends
