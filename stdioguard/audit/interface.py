"""What a rule is, what it is shown, and what it finds.

A rule is one module below `rules/` with a `RULE` and a function `check`. It looks at one kind of subject, decides from what it is shown,
and yields findings; reading files, caching and reporting are not its business. How bad a thing is (severity) and how sure the rule is
(confidence) are kept apart, since a person sorts by the one and mutes by the other.
"""

from __future__ import annotations

import enum
import functools
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stdioguard.installs import commands, wrapped

if TYPE_CHECKING:
    from stdioguard.audit.machine import Machine
    from stdioguard.audit.starts import StartedFile
    from stdioguard.installs.commands import Started
    from stdioguard.installs.entries import Entry
    from stdioguard.installs.find import Listing
    from stdioguard.installs.formats.document import Path


class Level(enum.IntEnum):
    """How bad, or how sure. The order counts."""

    INFO = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3

    def __str__(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Fix:
    """A change that settles a finding without changing what the server does. Applied by `--fix`, shown as a diff before."""

    title: str
    """What it does, in the imperative."""
    kind: str
    """`edit` (set values in the file), `chmod` (take rights from a path), `wrap` or `secret` (what `stdioguard wrap` does)."""
    edits: tuple[tuple[Path, Any], ...] = ()
    """For `edit`: new values by their way in the document."""
    target: str = ""
    """For `chmod`: the path."""
    mode: int = 0
    """For `chmod`: the rights that stay."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, where, and what to do about it."""

    rule: str
    """The rule's slug."""
    severity: Level
    confidence: Level
    message: str
    """What is wrong, in one sentence. Never a secret; texts of others are escaped by the reporters."""
    file: str
    """The file that it is about, by its path as it was found."""
    path: Path = ()
    """The way in the file's document to what is wrong; empty for the file as a whole."""
    span: tuple[int, int] | None = None
    """Characters within that value, where a part of it is meant."""
    on_key: bool = False
    """Whether the key is meant and not its value."""
    entry: str = ""
    """The server's name, where it is about one."""
    client: str = ""
    advice: str = ""
    """What to do, in one sentence, where it is more than the rule's own."""
    fix: Fix | None = None
    related: tuple[str, ...] = ()
    """Other files or entries that are part of it."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What is said of a rule: for documentation, for machines, and as the default of its findings."""

    slug: str
    """Lower-case words with `-` between; also the name of its page, `docs/rules/SLUG.md`."""
    title: str
    """What a finding says is the case, without the particulars."""
    severity: Level
    confidence: Level
    subject: str
    """What `check` is called with: `entry` (each server), `config` (each file), `machine` (once)."""
    advice: str
    """What to do, in one sentence."""
    cwe: int
    """The weakness by number in MITRE's list."""
    owasp: str
    """The risk in the OWASP MCP Top 10, such as `MCP04`."""
    check: Callable[[Any], Iterable[Finding]] = field(repr=False)


@dataclass
class ConfigView:
    """One configuration file, as a rule sees it."""

    listing: Listing
    machine: Machine
    entries: list[EntryView] = field(default_factory=list)

    @property
    def file(self) -> str:
        """The file's path as it was found."""
        return self.listing.found.path

    @property
    def client(self) -> str:
        """The client whose file it is."""
        return self.listing.found.client

    @property
    def value(self) -> Any:
        """What the file says, or an empty object where it cannot be read."""
        return self.listing.document.value if self.listing.document is not None else {}

    @property
    def user(self) -> int | None:
        """Whose file it is, by the home that it was found in; `None` where that is not known."""
        return self.listing.found.home.uid if self.listing.found.home is not None else None

    @property
    def leads_elsewhere(self) -> bool:
        """Whether a link leads from its place to a file that is neither the user's nor root's."""
        snapshot = self.listing.snapshot
        if snapshot is None or snapshot.real == os.path.abspath(self.file):
            return False
        return snapshot.uid not in (0, self.machine.uid, self.user)

    @property
    def is_shared(self) -> bool:
        """Whether the file belongs to a project, and so comes with a repository."""
        return self.listing.found.level == "project"

    def finding(self, rule: Rule, message: str, path: Path = (), **more: Any) -> Finding:
        """Return a finding about this file, with the rule's own severity and confidence unless others are given."""
        more = {"severity": rule.severity, "confidence": rule.confidence, "client": self.client, **more}
        return Finding(rule=rule.slug, message=message, file=self.file, path=path, **more)


@dataclass
class EntryView:
    """One server of one file, as a rule sees it."""

    entry: Entry
    config: ConfigView
    memory: dict[str, Any] = field(default_factory=dict, repr=False)
    """What helpers of several rules have worked out about it, by their own names."""

    @property
    def machine(self) -> Machine:
        """The machine that it is on."""
        return self.config.machine

    @functools.cached_property
    def guard(self) -> wrapped.Wrapped | None:
        """What it says to stdioguard, where it is wrapped."""
        return wrapped.read(self.entry.argv)

    @functools.cached_property
    def argv(self) -> list[str]:
        """The server's own command line: of a wrapped entry what follows `--`."""
        return self.guard.command if self.guard is not None else self.entry.argv

    @property
    def offset(self) -> int:
        """How many words of the entry's command line come before the server's own."""
        return len(self.entry.argv) - len(self.argv)

    @functools.cached_property
    def started(self) -> Started:
        """What its command line starts."""
        return commands.recognise(self.argv)

    @functools.cached_property
    def files(self) -> list[StartedFile]:
        """The files of this machine that its command line leads to; none where it is another machine's."""
        from stdioguard.audit import starts  # noqa: PLC0415 - which needs this module

        return starts.of(self)

    def word(self, index: int | None) -> Path:
        """Return the way to a word of the server's own command line; to the command where the word has no place of its own."""
        fields = self.entry.fields
        if index is None:
            return fields.args_path or fields.command_path
        return self.outer(index + self.offset)

    def outer(self, place: int) -> Path:
        """Return the way to a word of the entry's whole command line, the guard's part included."""
        fields = self.entry.fields
        if self.entry.shape == "array":
            return (*fields.command_path, place)
        if place == 0 or fields.args_path is None:
            return fields.command_path
        return (*fields.args_path, place - 1)

    def variable(self, name: str) -> Path:
        """Return the way to one of its variables."""
        return (*(self.entry.fields.env_path or self.entry.path), name)

    def finding(self, rule: Rule, message: str, path: Path | None = None, **more: Any) -> Finding:
        """Return a finding about this server, with the rule's own severity and confidence unless others are given."""
        where = self.entry.path if path is None else path
        return self.config.finding(rule, message, where, entry=self.entry.name, **more)


Check = Callable[[Any], Iterator[Finding]]
