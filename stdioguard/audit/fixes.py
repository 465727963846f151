"""What `--fix` does: the changes that settle findings, planned in full, shown as a diff, and made one file at a time.

Files are replaced only if they are still what was read. Rights are only taken away, from what belongs to this user, through a descriptor
that was reached without following a link. Guarding an entry is `stdioguard wrap`'s business and is left to it.
"""

from __future__ import annotations

import difflib
import errno
import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stdioguard.guard.display import visible
from stdioguard.identity.clients import ClientError
from stdioguard.identity.secrets import SecretError
from stdioguard.installs import files, masking, shim, wrap
from stdioguard.installs.formats.document import Change, FormatError
from stdioguard.installs.journal import JournalError
from stdioguard.installs.plan import FAILED, LEFT, RENEWED, WRAPPED, Options, Plan
from stdioguard.policy.errors import ProfileError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stdioguard.audit.engine import Report
    from stdioguard.audit.interface import ConfigView
    from stdioguard.audit.reporters.interface import Located
    from stdioguard.installs.formats.document import Document


@dataclass
class Step:
    """One change: of a file's text, of a path's rights, or of the entries of a file by `wrap`."""

    title: str
    target: str
    kind: str
    settles: list[Located] = field(default_factory=list)
    diff: str = ""
    after: Document | None = None
    config: ConfigView | None = None
    mode: int = 0
    entries: frozenset[tuple[str | int, ...]] = frozenset()
    problem: str = ""
    """Why it cannot be made, or was not; one line."""


def plan(report: Report, found: Sequence[Located]) -> list[Step]:
    """Return what settles these findings. Nothing is changed; what cannot be planned has a `problem`."""
    configs = {config.file: config for config in report.configs}
    fixable = [one for one in found if one.finding.fix is not None]
    steps = _edits([one for one in fixable if one.finding.fix and one.finding.fix.kind == "edit"], configs)
    steps += _wraps([one for one in fixable if one.finding.fix and one.finding.fix.kind in ("wrap", "secret")], configs)
    steps += _modes([one for one in fixable if one.finding.fix and one.finding.fix.kind == "chmod"])
    return steps


def carry_out(steps: Sequence[Step]) -> None:
    """Make the changes, each by itself: one that fails keeps none of the others back, and says why."""
    for step in steps:
        if step.problem:
            continue
        try:
            if step.kind == "edit":
                _edit(step)
            elif step.kind == "chmod":
                _take_rights(step.target, step.mode)
            else:
                _wrap(step, dry=False)
        except _PROBLEMS as error:
            step.problem = visible(str(error))


class FixError(Exception):
    """A change that is not made. As text: one line with what to do."""


_PROBLEMS = (FixError, files.FileProblem, FormatError, JournalError, ClientError, SecretError, ProfileError, OSError)


# Values in files


def _edits(found: list[Located], configs: dict[str, ConfigView]) -> list[Step]:
    steps = []
    for file in dict.fromkeys(one.finding.file for one in found):
        config = configs.get(file)
        of_file = [one for one in found if one.finding.file == file]
        if config is None or config.listing.document is None:
            continue
        step = Step("", file, "edit", config=config)
        document = config.listing.document
        taken: dict[tuple[str | int, ...], Any] = {}
        titles = []
        for one in of_file:
            fix = one.finding.fix
            if fix is None or any(_meet(path, other) and taken[other] != value for path, value in fix.edits for other in taken):
                continue  # two fixes of one place: the next audit offers the other one
            new = [(path, value) for path, value in fix.edits if path not in taken]
            try:
                document = document.edited([Change(path, value=value) for path, value in new])
            except FormatError as error:
                steps.append(Step(fix.title, file, "edit", [one], problem=visible(f"{file}: {error}")))
                continue
            taken.update(new)
            step.settles.append(one)
            titles.append(f"{one.finding.entry}: {fix.title}" if one.finding.entry else fix.title)
        if step.settles:
            step.title, step.after = "; ".join(titles), document
            step.diff = diff(file, *masking.texts(config.listing.found, [config.listing.document, document]))
            steps.append(step)
    return steps


def _meet(one: Sequence[str | int], other: Sequence[str | int]) -> bool:
    shorter = min(len(one), len(other))
    return tuple(one[:shorter]) == tuple(other[:shorter])


def _edit(step: Step) -> None:
    if step.after is None or step.config is None or step.config.listing.snapshot is None or step.config.listing.document is None:
        raise AssertionError("a step without an end")
    document = step.config.listing.document
    kept = masking.texts(step.config.listing.found, [document])[0]  # a backup is not to hold secrets either
    files.replace(
        step.config.listing.snapshot, step.after.data(), backup=(b"\xef\xbb\xbf" if document.bom else b"") + kept.encode()
    )


def diff(path: str, before: str, after: str) -> str:
    """Return what changes, for people: no line can be taken for more than it is."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), path, path, lineterm="")
    return "".join(f"{visible(line)}\n" for line in lines)


# The guard in front of entries


def _wraps(found: list[Located], configs: dict[str, ConfigView]) -> list[Step]:
    steps = []
    for file in dict.fromkeys(one.finding.file for one in found):
        config = configs.get(file)
        of_file = [one for one in found if one.finding.file == file]
        if config is None:
            continue
        names = {one.finding.entry for one in of_file}
        paths = frozenset(view.entry.path for view in config.entries if view.entry.name in names)
        step = Step("", file, "wrap", of_file, config=config, entries=paths)
        try:
            done = _wrap(step, dry=True)
        except _PROBLEMS as error:
            step.problem = visible(str(error))
        else:
            changed = [row for row in done.rows if row.outcome in (WRAPPED, RENEWED)]
            names = {row.name for row in changed}
            step.settles = [one for one in of_file if one.finding.entry in names]
            step.title = "put stdioguard in front of " + ", ".join(row.name for row in changed)
            step.diff = diff(file, *done.masked()) if done.after is not None else ""
            steps += [
                Step(f"wrap {row.name}", file, "wrap", problem=visible(f"{file}: {row.name}: {'; '.join(row.notes)}"))
                for row in done.rows
                if row.outcome in (FAILED, LEFT)
            ]
            if not changed:
                continue
        steps.append(step)
    return steps


def _wrap(step: Step, *, dry: bool) -> Plan:
    if step.config is None:
        raise AssertionError("a step without a file")
    options = Options(shim.path())
    done = wrap.wrap(step.config.listing.found, lambda entry: entry.path in step.entries, options, dry=dry)
    failed = [row for row in done.rows if row.outcome == FAILED] if not dry else []
    if failed:
        raise FixError(f"{step.target}: {failed[0].name}: {'; '.join(failed[0].notes)}")
    return done


# Rights


def _modes(found: list[Located]) -> list[Step]:
    steps: dict[str, Step] = {}
    for one in found:
        fix = one.finding.fix
        if fix is None or not fix.target:
            continue
        step = steps.get(fix.target)
        if step is None:
            step = steps[fix.target] = Step(fix.title, fix.target, "chmod", mode=fix.mode)
        step.mode &= fix.mode
        step.settles.append(one)
    for step in steps.values():
        try:
            status = os.lstat(step.target)
            now = stat.S_IMODE(status.st_mode)
            step.diff = f"chmod {now & step.mode:04o} {visible(step.target)}  # it is {now:04o}\n"
        except OSError as error:
            step.problem = visible(f"{step.target}: {error.strerror}")
    return list(steps.values())


def _take_rights(path: str, keep: int) -> None:
    """Take every right but `keep` from a file or folder of this user's. Raises FixError and OSError."""
    folder, name = os.path.split(os.path.realpath(os.path.dirname(os.path.abspath(path))) + os.sep + os.path.basename(path))
    at = _folder(folder)
    try:
        status = os.stat(name, dir_fd=at, follow_symlinks=False)
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
            raise FixError(f"{path}: is no file and no folder, so its rights are left as they are")
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            descriptor = os.open(name, flags, dir_fd=at)
        except PermissionError as error:
            raise FixError(f"{path}: cannot be opened; run: chmod {stat.S_IMODE(status.st_mode) & keep:04o} {path}") from error
        try:
            status = os.fstat(descriptor)
            if status.st_uid != os.geteuid():
                raise FixError(f"{path}: belongs to user {status.st_uid}; run this as that user")
            os.fchmod(descriptor, stat.S_IMODE(status.st_mode) & keep)
        finally:
            os.close(descriptor)
    finally:
        os.close(at)


def _folder(path: str) -> int:
    """Open a folder step by step, so that no step can be changed for a link meanwhile."""
    at = os.open(os.sep, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    for part in path.split(os.sep):
        if not part:
            continue
        try:
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENOTDIR):
                raise FixError(f"{path}: has become a link meanwhile; try again") from error
            raise
        finally:
            os.close(at)
        at = inner
    return at
