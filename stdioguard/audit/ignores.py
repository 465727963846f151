"""Findings that somebody has decided to live with, said where they are: in a comment, or in a file beside or above the configuration.

Every ignore has a reason and a last day. Without them it counts for nothing and is a finding itself; after that day what it was about
counts again. Who audits what others have written can leave all of them out (`--no-ignores`).
"""

from __future__ import annotations

import bisect
import datetime as dt
import fnmatch
import os
import re
import stat
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stdioguard.audit import fingerprints
from stdioguard.audit.interface import Finding, Level, Rule
from stdioguard.audit.reporters.interface import Lines, Located
from stdioguard.guard.display import visible
from stdioguard.installs import files
from stdioguard.installs.formats.document import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stdioguard.audit.engine import Report
    from stdioguard.audit.interface import ConfigView
    from stdioguard.installs.formats.document import Document

FILE = ".stdioguard-ignore.toml"
MAX_SIZE = 1 << 18
"""Bytes of an ignore file."""
MAX_COMMENTS = 10_000
"""Comments of one file that are read."""


def _rule(slug: str, title: str, severity: Level, advice: str, cwe: int) -> Rule:
    return Rule(slug, title, severity, Level.HIGH, "config", advice, cwe, "MCP08", lambda _: ())


INVALID = _rule(
    "invalid-ignore", "An ignore has no reason or no last day", Level.LOW,
    "Write what it is: ignore[RULE] until YYYY-MM-DD because REASON.", 1116,
)  # fmt: skip
EXPIRED = _rule(
    "expired-ignore", "An ignore has ended", Level.LOW,
    "Mend what it was about, or look at it again and give it another day.", 1116,
)  # fmt: skip
UNUSED = _rule("unused-ignore", "An ignore is about nothing", Level.INFO, "Remove it.", 1116)
RULES = (INVALID, EXPIRED, UNUSED)
"""What ignores themselves can have wrong with them."""

_COMMENT = {
    "#": re.compile(r"#[ \t]*stdioguard:[ \t]*ignore\b(?P<said>[^\r\n]*)"),
    "/": re.compile(r"(?://|/\*)[ \t]*stdioguard:[ \t]*ignore\b(?P<said>[^\r\n]*)"),
}
_SAID = re.compile(
    r"\s*\[(?P<rules>[^\]]*)\]\s*(?:until\s+(?P<until>\S+))?\s*(?:because\b\s*(?P<reason>.*?))?\s*(?:\*/.*)?\Z", re.DOTALL
)


@dataclass
class _Ignore:
    """One decision: which findings it is about, and where it stands."""

    rules: tuple[str, ...]
    until: dt.date
    reason: str
    file: str
    """Where it stands."""
    line: int = 0
    column: int = 0
    covered: int = 0
    """The line that a comment is about."""
    pattern: str = ""
    """For an ignore file: the files that it is about."""
    entry: str | None = None
    is_used: bool = False

    def is_about(self, one: Located, folder: str) -> bool:
        """Tell whether it is about a finding. `folder` is that of the ignore file."""
        if one.finding.rule not in self.rules:
            return False
        if self.covered:
            return one.finding.file == self.file and self.covered in (one.line, one.entry_line)
        if self.entry is not None and self.entry != one.finding.entry:
            return False
        return not self.pattern or fnmatch.fnmatchcase(
            os.path.relpath(one.finding.file, folder).replace(os.sep, "/"), self.pattern
        )


@dataclass
class Sorted:
    """What is left, and what is not."""

    kept: list[Located] = field(default_factory=list)
    ignored: list[Located] = field(default_factory=list)


def apply(report: Report, found: Sequence[Located], *, today: dt.date | None = None) -> Sorted:
    """Sort findings by what their files, and the ignore files beside or above those, say of them."""
    day = today or dt.datetime.now(dt.UTC).date()
    result = Sorted()
    about: list[Located] = []
    own: dict[str, list[_Ignore]] = {}
    shared = _Files()
    configs = {config.file: config for config in report.configs}
    for file, config in configs.items():
        own[file] = _in_comments(config, about)
    for one in found:
        config_ = configs.get(one.finding.file)
        candidates = [(ignore, "") for ignore in own.get(one.finding.file, ())]
        if config_ is not None:
            candidates += shared.above(config_, about)
        matching = [ignore for ignore, folder in candidates if ignore.is_about(one, folder)]
        for ignore in matching:
            ignore.is_used = True
        in_time = any(ignore.until >= day for ignore in matching)
        (result.ignored if in_time else result.kept).append(one)
    for config in configs.values():
        shared.above(config, about)
    for ignore in [*(one for ones in own.values() for one in ones), *shared.every()]:
        rules = ", ".join(ignore.rules)
        if not ignore.is_used:
            about.append(_about(UNUSED, f"nothing is found here that ignore[{rules}] is about", ignore))
        elif ignore.until < day:
            about.append(_about(EXPIRED, f"ignore[{rules}] has ended on {ignore.until}: what it was about counts again", ignore))
    result.kept += about
    result.kept.sort(key=lambda one: (one.finding.file, -one.finding.severity))
    return result


def _about(rule: Rule, message: str, at: _Ignore) -> Located:
    finding = Finding(rule.slug, rule.severity, rule.confidence, message, at.file)
    return Located(finding, rule, at.line, at.column, at.line, at.column, fingerprint=fingerprints.of(finding))


# In comments


def _in_comments(config: ConfigView, about: list[Located]) -> list[_Ignore]:
    document = config.listing.document
    if document is None or "stdioguard:" not in document.text:
        return []
    pattern = _COMMENT["#" if document.form in ("toml", "yaml") else "/"]
    try:
        values = _values(document)
    except FormatError:
        return []
    lines = Lines(document.text)
    found: list[_Ignore] = []
    alone: set[int] = set()
    for match in _outside(values, pattern, document.text):
        offset = match.start()
        line, column = lines.place(offset)
        place = _Ignore((), dt.date.min, "", config.file, line, column, line)
        if not document.text[offset - column + 1 : offset].strip():
            alone.add(line)
        try:
            _say(place, match["said"])
        except ValueError as error:
            about.append(_about(INVALID, f"the ignore says {error}, so it counts for nothing", place))
            continue
        found.append(place)
    for ignore in found:
        while ignore.covered in alone:  # one above the other are all about what follows them
            ignore.covered += 1
    return found


def _outside(values: list[tuple[int, int]], pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """Yield what looks like an ignore and is not within a text of the configuration."""
    at = 0
    for _ in range(MAX_COMMENTS):
        match = pattern.search(text, at)
        if match is None:
            return
        index = bisect.bisect_right(values, (match.start(), len(text) + 1)) - 1
        if index >= 0 and values[index][0] <= match.start() < values[index][1]:
            at = values[index][1]
        else:
            yield match
            at = match.end()


def _say(ignore: _Ignore, text: str) -> None:
    said = _SAID.match(text)
    if said is None:
        raise ValueError("not which rule it is about")
    ignore.rules = _slugs(said["rules"].split(","))
    ignore.until = _day(said["until"])
    ignore.reason = (said["reason"] or "").strip()
    if not ignore.reason:
        raise ValueError("no reason")


def _slugs(names: Sequence[Any]) -> tuple[str, ...]:
    slugs = tuple(name.strip() for name in names if isinstance(name, str))
    if not slugs or not all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug) for slug in slugs):
        raise ValueError("not which rule it is about")
    return slugs


def _day(text: str | None) -> dt.date:
    if not text:
        raise ValueError("no last day")
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise ValueError("no last day as YYYY-MM-DD") from None


def _values(document: Document) -> list[tuple[int, int]]:
    """Return where keys and single values stand, in order."""
    found: list[tuple[int, int]] = []
    queue = [document.root()]
    while queue:
        node = queue.pop()
        if node.key is not None:
            found.append((node.key.start, node.key.end))
        if not node.order and node.kind == "scalar":
            found.append((node.start, node.end))
        queue += node.order
    return sorted(found)


# In files


class _Files:
    """The ignore files beside and above configurations; each is read once."""

    def __init__(self) -> None:
        self._folders: dict[str, list[tuple[_Ignore, str]]] = {}
        self._read: dict[str, list[_Ignore]] = {}

    def every(self) -> Iterator[_Ignore]:
        """Yield every ignore that was read."""
        for ignores in self._read.values():
            yield from ignores

    def above(self, config: ConfigView, about: list[Located]) -> list[tuple[_Ignore, str]]:
        """Return what ignore files say that hold for a configuration, with the folder of each."""
        folder = os.path.dirname(config.file)
        if folder not in self._folders:
            found: list[tuple[_Ignore, str]] = []
            for one in _upward(folder, config):
                path = os.path.join(one, FILE)
                if path not in self._read:
                    self._read[path] = _from_file(path, config, about)
                found += [(ignore, one) for ignore in self._read[path]]
            self._folders[folder] = found
        return self._folders[folder]


def _upward(folder: str, config: ConfigView) -> Iterator[str]:
    """Yield a folder and those above it, to the top of its repository or the home directory."""
    home = config.listing.found.home.path if config.listing.found.home is not None else os.path.expanduser("~")
    while True:
        yield folder
        parent = os.path.dirname(folder)
        if folder in (parent, home) or os.path.lexists(os.path.join(folder, ".git")):
            return
        folder = parent


def _from_file(path: str, config: ConfigView, about: list[Located]) -> list[_Ignore]:
    if not os.path.lexists(path):
        return []
    whole = _Ignore((), dt.date.min, "", path, 1, 1)
    try:
        ignores = _tables(path, config)
    except files.FileProblem as error:
        about.append(_about(INVALID, f"the ignore file cannot be read: {error.why}", whole))
        return []
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        about.append(_about(INVALID, f"the ignore file is no TOML ({visible(str(error))}), so it counts for nothing", whole))
        return []
    except ValueError as error:
        about.append(_about(INVALID, f"the ignore file {error}, so it counts for nothing", whole))
        return []
    found = []
    for number, table in enumerate(ignores, 1):
        try:
            found.append(_from_table(table, path))
        except ValueError as error:
            about.append(_about(INVALID, f"[[ignore]] number {number} says {error}, so it counts for nothing", whole))
    return found


def _tables(path: str, config: ConfigView) -> list[Any]:
    snapshot = files.read(path, limit=MAX_SIZE)
    if not _is_trusted(snapshot, config):
        raise ValueError("can be written by others than its configuration")
    ignores = tomllib.loads(snapshot.data.decode()).get("ignore", [])
    if isinstance(ignores, list):
        return ignores
    raise ValueError("has no [[ignore]] tables")


def _from_table(table: Any, path: str) -> _Ignore:
    table = table if isinstance(table, dict) else {}
    unknown = sorted(table.keys() - {"rule", "file", "entry", "until", "reason"})
    if unknown:
        raise ValueError(f"{unknown[0]!a:.40}, which is no key of an ignore")
    rule, until, reason = table.get("rule"), table.get("until"), table.get("reason")
    pattern, entry = table.get("file", ""), table.get("entry")
    if not isinstance(pattern, str) or not (entry is None or isinstance(entry, str)):
        raise ValueError("a file or an entry that is no text")
    if not isinstance(reason, str) or not reason.strip():
        raise ValueError("no reason")
    if isinstance(until, dt.datetime):
        until = until.date()
    day = until if isinstance(until, dt.date) else _day(until if isinstance(until, str) else None)
    return _Ignore(_slugs(rule if isinstance(rule, list) else [rule]), day, reason, path, 1, 1, 0, pattern, entry)


def _is_trusted(file: files.Snapshot, config: ConfigView) -> bool:
    """Tell whether only root, this user and the configuration's owner can have written a file."""
    if not hasattr(os, "geteuid"):
        return True
    of_config = config.listing.snapshot.uid if config.listing.snapshot is not None else 0
    return file.uid in (0, os.geteuid(), of_config) and not file.mode & stat.S_IWOTH
