"""`stdioguard approvals watch`: the questions that wait, live, with the one that is chosen in full; a key decides.

What a person has not had the time to read, or not seen to its end, a key does not approve; nor does a paste. A decision goes to the
question that was on the screen: it is chosen by its id, and one that comes into its place has to be read first.
"""

from __future__ import annotations

import os
import re
import select
import termios
import time

from stdioguard.approval import cards, presence, proof, queue, shown, terminal
from stdioguard.approval.terminal import RefusedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from stdioguard.approval.cards import Look
    from stdioguard.approval.queue import Waiting

POLL = 0.25
"""Seconds between two looks into the queue."""
READING = 1.0
"""Seconds for which a question is on the screen before a key approves it."""
SMALLEST = (12, 50)
"""Rows and columns below which a question cannot be shown."""

_ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[H\x1b[2J"
_LEAVE = "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l"
_KEYS = {
    b"\x1b[A": "up", b"\x1bOA": "up", b"k": "up", b"\x1b[B": "down", b"\x1bOB": "down", b"j": "down",
    b"\x1b[5~": "back", b"b": "back", b"\x1b[6~": "more", b" ": "more",
    b"a": "approve", b"s": "session", b"d": "deny", b"v": "whole", b"q": "quit", b"\x04": "quit",
}  # fmt: skip
_DECISIONS = ("approve", "session", "deny")
_KEY = re.compile(rb"\x1b\[[0-9;]*[A-Za-z~]|\x1bO[A-Z]|[\x00-\xff]")


def main() -> None:
    """Show the list until the person leaves. Both stdin and stdout are terminals. Raises `OSError`."""
    with presence.present(terminal.CHANNEL):
        if os.environ.get("TERM", "dumb") in ("", "dumb"):
            _Lines().run()
        else:
            Screen().run()


class Screen:
    """The list on a whole screen."""

    def __init__(self) -> None:
        self.questions: list[Waiting] = []
        self.chosen: Waiting | None = None
        self.since = 0.0
        self.read = False
        self.whole = False
        self.top = 0
        self.message = ""
        self.size = (0, 0)
        self._drawn: list[str] = []
        self._body: tuple[Any, list[str]] = (None, [])

    def run(self) -> None:
        """Show and decide until the person leaves."""
        with terminal.restored(0, _LEAVE) as modes:
            modes[3] &= ~(termios.ECHO | termios.ICANON)
            modes[6][termios.VMIN], modes[6][termios.VTIME] = 1, 0
            # A stopped program would leave its screen and its modes to the shell.
            modes[6][termios.VSUSP] = os.fpathconf(0, "PC_VDISABLE").to_bytes(1, "little")
            termios.tcsetattr(0, termios.TCSAFLUSH, modes)
            terminal.put(1, _ENTER)
            while True:
                self.look()
                self.draw()
                if select.select([0], [], [], POLL)[0]:
                    typed = os.read(0, 1024)
                    if not typed or not self.press(typed):
                        return

    def look(self) -> None:
        """Read the queue, and follow the question that is chosen."""
        known = {question.id for question in self.questions}
        self.questions = queue.waiting()
        if any(question.id not in known for question in self.questions):
            terminal.put(1, "\a")
        found = next((question for question in self.questions if self.chosen and question.id == self.chosen.id), None)
        if found is None:
            if self.chosen is not None and not self.message:
                self.message = f"{self.chosen.id} waits no more: answered elsewhere, withdrawn, or its time is over"
            self.choose(self.questions[0] if self.questions else None)
        elif self.chosen is not None and terminal.seen(found) != terminal.seen(self.chosen):
            self.choose(found)
            self.message = f"{found.id} has changed: read it again"
        else:
            self.chosen = found

    def choose(self, question: Waiting | None) -> None:
        """Make a question the one that is shown, from its beginning."""
        self.chosen, self.since, self.read, self.whole, self.top = question, time.monotonic(), False, False, 0

    def press(self, typed: bytes) -> bool:
        """Do what the keys that came at once say; return whether to go on."""
        pressed = _KEY.findall(typed)
        self.message = ""
        if len(pressed) > 1 and any(_KEYS.get(key) in _DECISIONS for key in pressed):
            self.message = "several keys at once are no decision; press one"
            return True
        return all(map(self._press, pressed))

    def _press(self, typed: bytes) -> bool:
        key = _KEYS.get(typed, "")
        if key == "quit":
            return False
        ids = [question.id for question in self.questions]
        place = ids.index(self.chosen.id) if self.chosen and self.chosen.id in ids else 0
        if key in ("up", "down") and ids:
            self._to(place + (1 if key == "down" else -1))
        elif len(typed) == 1 and typed.isdigit() and typed != b"0":
            self._to(int(typed) - 1)
        elif key in ("more", "back"):
            page = max(self._room() - 2, 1)
            self.top += page if key == "more" else -page
        elif key == "whole" and self.chosen:
            self.whole, self.top, self.read = not self.whole, 0, False
        elif key in _DECISIONS and self.chosen:
            self._decide(self.chosen, key)
        return True

    def _to(self, place: int) -> None:
        if 0 <= place < len(self.questions) and (self.chosen is None or self.questions[place].id != self.chosen.id):
            self.choose(self.questions[place])

    def _decide(self, question: Waiting, key: str) -> None:
        approved = key != "deny"
        if approved and (self.size < SMALLEST or self.size[1] < SMALLEST[1]):
            self.message = "the window is too small to read what would be approved"
            return
        if approved and time.monotonic() - self.since < READING:
            self.message = "not that fast: read it, then press the key again"
            return
        if approved and not self.read:
            self.message = "there is more of it below: press space to the end, then decide"
            return
        try:
            more = terminal.lasting(question, "session", None, []) if key == "session" else {}
            passphrase = self._passphrase(question) if approved and terminal.needs_passphrase(question) else None
            terminal.answer(question, approved=approved, more=more, passphrase=passphrase)
        except (RefusedError, proof.WrongPassphraseError) as error:
            self.message = str(error)
        except OSError as error:
            self.message = f"the decision cannot be written: {error.strerror}"
        else:
            how = "denied" if not approved else "approved for the session" if more else "approved once"
            self.message = f"{how}: {question.id}  {cards.title(question)}"
            if approved and terminal.was_discarded(question):
                self.message = terminal.NOT_ACCEPTED.format(id=question.id)

    def _passphrase(self, question: Waiting) -> str:
        if proof.read() is None:
            raise RefusedError(terminal.NOT_SET)
        terminal.check_shown(question)
        row = self.size[0]
        prompt = f"passphrase to approve {question.id} (empty: not now): "
        with terminal.tty() as tty:
            try:
                return tty.secret(f"\x1b[{row - 1};1H\x1b[K\x1b[{row};1H\x1b[K{prompt}\x1b[?25h")
            finally:
                tty.say("\x1b[?25l")
                self._drawn = []

    def _room(self) -> int:
        """Return how many lines there are for the question that is chosen."""
        return max(self.size[0] - self._listed() - 5, 1)

    def _listed(self) -> int:
        return max(min(len(self.questions), max(self.size[0] // 3, 1), 9), 1)

    def draw(self) -> None:
        """Bring the screen up to date; what has not changed is not written again."""
        columns, rows = os.get_terminal_size(1)
        if (rows, columns) != self.size:
            self.size, self._drawn = (rows, columns), []
        lines = self.frame()
        if lines == self._drawn:
            return
        anew = "" if self._drawn else "\x1b[2J"
        old = self._drawn or [""] * len(lines)
        text = "".join(
            f"\x1b[{row};1H{line}\x1b[K"
            for row, (line, was) in enumerate(zip(lines, old, strict=False), 1)
            if line != was or anew
        )
        self._drawn = lines
        terminal.put(1, anew + text)

    def frame(self) -> list[str]:
        """Return all lines of the screen."""
        rows, columns = self.size
        look = terminal.look(1)
        look.width = columns
        if rows < SMALLEST[0] or columns < SMALLEST[1]:
            text = f"{len(self.questions)} waiting; make this window at least {SMALLEST[1]} by {SMALLEST[0]}; d denies, q quits"
            return [*cards.broken(text, columns), *[""] * rows][:rows]
        rule = look.paint("dim", look.rule * columns)
        count = len(self.questions)
        waits = "nothing waits" if not count else "1 question waits" if count == 1 else f"{count} questions wait"
        lines = [f"{look.paint('bold', 'stdioguard approvals')}  {waits}", rule, *self._rows(look), rule]
        room = self._room()
        body = self._lines(look)
        self.top = max(min(self.top, len(body) - room), 0)
        if self.top + room >= len(body):
            self.read = True
        visible = body[self.top : self.top + room]
        lines += visible + [""] * (room - len(visible))
        below = len(body) - self.top - room
        more = f" {below} more lines: space " if below > 0 else ""
        lines.append(look.paint("dim", look.rule * (columns - len(more))) + look.paint("reverse", more))
        lines.append(
            look.paint("bold", cards.cut(self.message, columns)) if self.message else look.paint("dim", self._help(columns))
        )
        return lines

    def _help(self, columns: int) -> str:
        """Return the keys that do something now, in as many words as there is room for."""
        keys = [("q quit", "q quit")]
        if self.chosen is not None:
            once = "a approve once (passphrase)" if terminal.needs_passphrase(self.chosen) else "a approve once"
            keys = [(once, "a approve"), ("d deny", "d deny"), ("v all of it" if not self.whole else "v less", "v all"), *keys]
            if self.chosen.members.get("remember") is True:
                keys.insert(1, ("s for the session", "s session"))
            if len(self.questions) > 1:
                keys.insert(-1, ("up/down choose", "1-9"))
        wide = "   ".join(words for words, _ in keys)
        return wide if len(wide) <= columns else cards.cut("  ".join(words for _, words in keys), columns)

    def _rows(self, look: Look) -> list[str]:
        if not self.questions:
            return [look.paint("dim", "  A tool call that needs your consent appears here.")]
        listed = self._listed()
        ids = [question.id for question in self.questions]
        place = ids.index(self.chosen.id) if self.chosen else 0
        first = max(min(place - listed // 2, len(ids) - listed), 0)
        rows = []
        for number, question in enumerate(self.questions[first : first + listed], first + 1):
            kind = shown.risk(question.members)
            left = cards.span(question.left)
            marker = look.marker if question.id == ids[place] else " "
            start = f"{number:>3} {marker} {kind:<6}  {question.id}  "
            title = cards.cut(cards.title(question), look.width - len(start) - len(left) - 2)
            gap = " " * (look.width - len(start) - cards.width(title) - len(left))
            before, _, after = start.partition(kind)
            if marker == look.marker:
                before, after, title = (look.paint("bold", part) for part in (before, after, title))
            rows.append(f"{before}{look.paint(cards.RISK_STYLES[kind], kind)}{after}{title}{gap}{left}")
        return rows

    def _lines(self, look: Look) -> list[str]:
        if self.chosen is None:
            return []
        key = (self.chosen.id, terminal.seen(self.chosen), look.width, self.whole)
        # All of a question is laid out once; its first lines, with the times, at every look.
        if not self.whole or self._body[0] != key:
            self._body = (key, cards.card(self.chosen, look, whole=self.whole))
        return self._body[1]


class _Lines:
    """The list on a terminal that can only go forward: each question once, and commands as lines."""

    def __init__(self) -> None:
        self.shown: dict[str, Waiting] = {}

    def run(self) -> None:
        """Show and decide until the person leaves."""
        with terminal.restored(0):
            self.say("stdioguard approvals: questions appear here. Commands: a ID, s ID (the session), d ID, q")
            while True:
                self.look()
                if select.select([0], [], [], POLL)[0]:
                    typed = os.read(0, 4096)
                    words = typed.decode("ascii", "replace").split()
                    if not typed or words[:1] == ["q"]:
                        return
                    if words:
                        self.say(self.decide(words))

    def look(self) -> None:
        """Show what is new, and say what is gone."""
        waiting = {question.id: question for question in queue.waiting()}
        look = terminal.look(1)
        for id, question in waiting.items():  # noqa: A001
            if id not in self.shown or terminal.seen(self.shown[id]) != terminal.seen(question):
                self.say("\n".join(["", *cards.card(question, look)]))
        for id in self.shown.keys() - waiting.keys():  # noqa: A001
            self.say(f"{id} waits no more")
        self.shown = waiting

    def decide(self, words: list[str]) -> str:
        """Do what a line says, and return the answer."""
        if len(words) != 2 or words[0] not in ("a", "s", "d"):
            return "write a ID, s ID, d ID or q"
        key, id = words  # noqa: A001
        if id not in self.shown:
            return f"no question {id!a:.40} waits here"
        question, approved = self.shown[id], key != "d"
        try:
            more = terminal.lasting(question, "session", None, []) if key == "s" else {}
            passphrase = terminal.passphrase_for(question) if approved else None
            terminal.answer(question, approved=approved, more=more, passphrase=passphrase)
            if approved and terminal.was_discarded(question):
                return terminal.NOT_ACCEPTED.format(id=id)
        except (RefusedError, proof.WrongPassphraseError) as error:
            return str(error)
        except OSError as error:
            return f"the decision cannot be written: {error.strerror}"
        return f"{id} {'approved' if approved else 'denied'}{' for the session' if more else ''}"

    def say(self, text: str) -> None:
        terminal.put(1, text + "\n")
