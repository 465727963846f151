"""The terminal as a channel: which question is meant, what may be decided on it, the passphrase, and the decision.

The passphrase is read from the controlling terminal with echo off, each time: not from stdin, which a program can fill, nor from
arguments or the environment, which others can read. Who is at that terminal nobody can tell; what counts is that they know it.
"""

from __future__ import annotations

import contextlib
import locale
import os
import posixpath
import signal
import termios
import time

from stdioguard.approval import cards, grants, proof, queue, shown
from stdioguard.wire import strict_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from stdioguard.approval.queue import Waiting

CHANNEL = "terminal"
NOT_SET = (
    "a question of high risk is approved with a passphrase, and none is set; run stdioguard approvals passphrase, once. "
    "It counts for sessions that begin after that"
)
NOT_ACCEPTED = (
    "the session did not accept the decision on {id}: it began before this passphrase was set, or the question is another by now"
)
_VOLATILE = frozenset({"times", "parked", "created", "deadline"})
"""Members of a question that change when the same call is made again."""


class RefusedError(Exception):
    """What a person cannot decide, or not any more; `str()` is one line that says why."""


class NotPossibleError(RefusedError):
    """What cannot be asked for at all, such as a pattern for an argument that the call does not have."""


def find(id: str) -> Waiting:  # noqa: A002
    """Return the question that waits under an id. Raises `RefusedError`."""
    if not queue.is_id(id):
        raise RefusedError(
            f"{id!a:.40} is no id of a question: those have eight of the letters a-z and digits 2-9, without i, l and o"
        )
    for question in queue.waiting():
        if question.id == id:
            return question
    if os.path.exists(os.path.join(queue.folder(), f"{id}.decision.json")):
        raise RefusedError(f"{id} has been decided already; the first decision counts")
    raise RefusedError(
        f"no question {id} waits: it was decided, its time is over, or its session has ended; see stdioguard approvals list"
    )


def lasting(question: Waiting, scope: str, until: float | None, patterns: list[str], *, approved: bool = True) -> dict[str, Any]:
    """Return the members of a decision that holds longer than once, for arguments like these. Raises `RefusedError`.

    A pattern is `ARG=equals`, `ARG=any` or `ARG=inside:/folder`; an argument without one has to be equal.
    """
    if scope == "once":
        return {}
    members = question.members
    if members.get("remember") is not True:
        raise RefusedError("this tool is asked about each time (remember = false, or what it is was not listed); decide it once")
    if approved and scope != "session" and needs_passphrase(question):
        raise RefusedError("high risk is approved once or for the session, not longer")
    arguments = members.get("arguments")
    if type(arguments) is not dict or members.get("arguments_size") is not None:
        raise RefusedError("the arguments are too large to be compared with later ones; decide it once")
    constraints: dict[str, Any] = {name: {"equals": value} for name, value in arguments.items()}
    for pattern in patterns:
        name, constraint = _pattern(pattern, arguments)
        constraints[name] = constraint
    return {"scope": scope, **({"until": int(until)} if until is not None else {}), "constraints": constraints}


def _pattern(pattern: str, arguments: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    name = max((known for known in arguments if pattern.startswith(f"{known}=")), key=len, default=None)
    if name is None:
        known = ", ".join(map(cards.name, list(arguments)[:20])) or "none"
        raise NotPossibleError(f"{pattern!a:.80} names no argument of this call (it has: {known:.300}); write ARG=inside:/folder")
    value, kind = arguments[name], pattern[len(name) + 1 :]
    if kind == "equals":
        return name, {"equals": value}
    if kind == "any":
        return name, {"any": True}
    folder = kind.removeprefix("inside:")
    if folder == kind or not folder.startswith("/"):
        raise NotPossibleError(f"{kind!a:.80} is no pattern; write equals, any or inside:/folder")
    constraint = {"inside": "/" + posixpath.normpath(folder).lstrip("/")}
    if not grants.meets(grants.resolved({name: constraint}), {name: value}):
        raise NotPossibleError(f"the argument {cards.name(name)} of this call is no path inside {folder!a:.200}")
    return name, constraint


def answer(question: Waiting, *, approved: bool, more: dict[str, Any] | None = None, passphrase: str | None = None) -> None:
    """Write the decision on a question as the person has seen it. Raises `RefusedError`, `proof.WrongPassphraseError` and `OSError`.

    `passphrase` is for what `needs_passphrase`.
    """
    digest, decided = question.members.get("digest"), dict(more or {})
    if not isinstance(digest, str):
        raise RefusedError(f"the question {question.id} is damaged; its session has to ask again")
    if approved:
        check_shown(question)
        decided["seen"] = proof.seen(question.members)
        if needs_passphrase(question):
            setting = proof.read()
            if setting is None or passphrase is None:
                raise RefusedError(NOT_SET)
            signed = {"id": question.id, "digest": digest, "approved": True, "channel": CHANNEL, **decided}
            decided["signature"] = proof.sign(passphrase, setting, signed)
    # Reading and typing take time, and what is in the queue any program of this user can replace meanwhile.
    if seen(find(question.id)) != seen(question):
        raise RefusedError(f"the question {question.id} has changed while it was read; look at it again")
    if not queue.decide(question.id, digest, approved=approved, channel=CHANNEL, **decided):
        raise RefusedError(f"{question.id} has been decided already; the first decision counts")
    where = queue.folder()
    if not os.path.exists(os.path.join(where, f"{question.id}.json")) and os.path.exists(
        os.path.join(where, f"{question.id}.decision.json")
    ):
        queue.remove(question.id)
        raise RefusedError(f"the decision on {question.id} came too late: its time is over or its session has ended")


def needs_passphrase(question: Waiting) -> bool:
    """Tell whether approving is for the person alone who knows the passphrase."""
    return shown.risk(question.members) == "high"


def passphrase_for(question: Waiting) -> str | None:
    """Ask for the passphrase on the terminal, if approving needs it. Raises `RefusedError` where it cannot count."""
    if not needs_passphrase(question):
        return None
    if proof.read() is None:
        raise RefusedError(NOT_SET)
    check_shown(question)
    with tty() as terminal:
        # Beside the prompt, whatever stdout is: what is signed is what stands above it.
        terminal.say("\n".join([*cards.card(question, look(terminal.descriptor)), "", ""]))
        return terminal.secret(f"passphrase to approve {question.id}: ")


def check_shown(question: Waiting) -> None:
    """Refuse what a person has not been shown: a call that is not the one which the digest stands for. Raises `RefusedError`."""
    objection = shown.objection(question.members)
    if objection == shown.CHANGED:
        raise RefusedError(
            f"the arguments that {question.id} shows are not those of the call: something has changed the question"
        )
    if objection == shown.UNPROVED:
        what = "a task" if question.members.get("task") else "a call with arguments too large to be shown"
        raise RefusedError(
            f"{question.id} is {what} of high risk, which cannot be checked here; decide it in the dialog or the client"
        )


def seen(question: Waiting) -> str:
    """Return all that a person has been shown of a question, to be compared."""
    return strict_json.canonical({key: value for key, value in question.members.items() if key not in _VOLATILE})


def look(descriptor: int, encoding: str | None = None) -> cards.Look:
    """Return what can be shown on a terminal, or in what is none. Lines that the terminal would break, `cards` must break."""
    try:
        columns = os.get_terminal_size(descriptor).columns
    except OSError:
        columns = 80
    is_simple = os.environ.get("TERM", "dumb") in ("", "dumb")
    colour = os.isatty(descriptor) and not os.environ.get("NO_COLOR") and not is_simple
    return cards.Look(columns, colour=colour, plain="utf" not in (encoding or locale.getencoding()).lower())


class Tty:
    """The controlling terminal, which no redirection changes. Raises `OSError` where there is none."""

    __slots__ = ("descriptor",)

    def __init__(self) -> None:
        self.descriptor = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)

    def close(self) -> None:
        """Let it go."""
        os.close(self.descriptor)

    def say(self, text: str) -> None:
        """Show the guard's own words."""
        put(self.descriptor, text)

    def secret(self, prompt: str) -> str:
        """Ask for a line that is not shown. Raises `RefusedError` where there is none, and for what is no UTF-8."""
        with restored(self.descriptor) as modes:
            modes[3] = modes[3] & ~termios.ECHO | termios.ICANON | termios.ISIG
            # What was typed before the prompt was not meant for it.
            termios.tcsetattr(self.descriptor, termios.TCSAFLUSH, modes)
            self.say(prompt)
            line = b""
            while not line.endswith(b"\n"):
                chunk = os.read(self.descriptor, 4096)
                if not chunk:
                    break
                line += chunk
        self.say("\n")
        try:
            text = line.removesuffix(b"\n").decode()
        except UnicodeDecodeError:
            raise RefusedError("the passphrase is not in UTF-8") from None
        if not text:
            raise RefusedError("no passphrase was given; nothing was decided")
        return text


@contextlib.contextmanager
def tty() -> Iterator[Tty]:
    """Open the controlling terminal. Raises `RefusedError` where there is none."""
    try:
        terminal = Tty()
    except OSError:
        raise RefusedError(
            "the passphrase is asked on a terminal, and this command has none; run it in a terminal of your own"
        ) from None
    try:
        yield terminal
    finally:
        terminal.close()


@contextlib.contextmanager
def restored(descriptor: int, last: str = "") -> Iterator[list[Any]]:
    """Put the modes of a terminal back, whatever happens, and write `last` to it; yields a copy of the modes, to be changed.

    Signals that end a program are exceptions here: `SystemExit`, with the code that a shell gives them.
    """
    before = termios.tcgetattr(descriptor)
    handled = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
    handlers = {number: signal.getsignal(number) for number in handled}

    def stop(number: int, _frame: Any) -> None:
        raise SystemExit(128 + number)

    try:
        for number in handled:
            signal.signal(number, stop)
        yield [*before[:6], list(before[6])]
    finally:
        for number in handled:
            signal.signal(number, signal.SIG_IGN)
        # The terminal may be gone: then there is nothing to put back.
        with contextlib.suppress(OSError, termios.error):
            termios.tcsetattr(descriptor, termios.TCSAFLUSH, before)
        with contextlib.suppress(OSError):
            put(descriptor, last)
        for number, handler in handlers.items():
            signal.signal(number, handler)


def forget_typed(descriptor: int) -> None:
    """Throw away what was typed into a terminal and not read yet: it was not meant for the question that comes now."""
    with contextlib.suppress(termios.error):
        termios.tcflush(descriptor, termios.TCIFLUSH)


def put(descriptor: int, text: str) -> None:
    """Write text to a terminal, all of it."""
    data = text.encode(locale.getencoding(), "backslashreplace")
    while data:
        data = data[os.write(descriptor, data) :]


def was_discarded(question: Waiting, seconds: float = 0.6) -> bool:
    """Wait a moment for the guard to take a decision; tell whether it took it and asks on, since it does not count."""
    where = queue.folder()
    until = time.monotonic() + seconds
    waits, asks = (os.path.join(where, f"{question.id}.{name}") for name in ("decision.json", "json"))
    while os.path.exists(asks) and time.monotonic() < until:
        time.sleep(0.02)
    return os.path.exists(asks) and not os.path.exists(waits)
