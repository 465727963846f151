"""Findings that somebody has looked at and accepted, in a file: only what is new counts from then on.

A finding is accepted by its file, its fingerprint and its severity. One that says something else, or that has become worse, is a new one.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from stdioguard.audit.interface import Level
from stdioguard.audit.reporters.interface import relative, said
from stdioguard.guard.display import visible
from stdioguard.installs import files

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from stdioguard.audit.reporters.interface import Located

VERSION = 1


class BaselineError(Exception):
    """A baseline that cannot be read or written. As text: one line with what to do."""


def read(path: str) -> Counter[tuple[str, str, Level]]:
    """Return what is accepted, as `(file, fingerprint, severity)`. Raises BaselineError."""
    try:
        data = files.read(path).data
    except files.Missing as error:
        raise BaselineError(f"{visible(path)}: there is no such baseline; --write-baseline makes one") from error
    except files.FileProblem as error:
        raise BaselineError(str(error)) from error
    try:
        return Counter(_findings(json.loads(data)))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BaselineError(
            f"{visible(path)}: is no baseline of stdioguard ({type(error).__name__}); write it anew with --write-baseline"
        ) from error


def _findings(document: Any) -> Iterator[tuple[str, str, Level]]:
    if document["version"] != VERSION:
        raise ValueError("another version")
    for one in document["findings"]:
        yield _text(one["file"]), _text(one["fingerprint"]), Level[_text(one["severity"]).upper()]


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def parted(
    path: str, accepted: Counter[tuple[str, str, Level]], found: Iterable[Located]
) -> tuple[list[Located], list[Located], int]:
    """Return what is new, what is accepted, and how many accepted ones are there no more."""
    left = {(file, mark): level for file, mark, level in sorted(accepted.elements(), key=lambda one: one[2])}
    new, known = [], []
    for one in found:
        key = (_file(path, one), one.fingerprint)
        if key in left and one.finding.severity <= left[key]:
            known.append(one)
            del left[key]
        else:
            new.append(one)
    return new, known, len(left)


def write(path: str, found: Sequence[Located]) -> None:
    """Accept these findings, and no others. Raises BaselineError."""
    findings = sorted(
        ({
            "rule": one.finding.rule,
            "file": _file(path, one),
            "entry": said(one.finding.entry),
            "severity": str(one.finding.severity),
            "fingerprint": one.fingerprint,
        } for one in found),
        key=lambda one: tuple(one.values()),
    )  # fmt: skip
    # One finding a line, so that a change of it can be read in a review.
    lines = ",\n".join(f"  {json.dumps(one)}" for one in findings)
    text = f'{{\n"version": {VERSION},\n"created": "{time.strftime("%Y-%m-%d", time.gmtime())}",\n"findings": [\n{lines}\n]\n}}\n'
    folder = os.path.dirname(os.path.abspath(path))
    temporary = ""
    try:
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=folder, prefix=".stdioguard-", delete=False) as file:
            temporary = file.name
            file.write(text)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        if temporary and os.path.exists(temporary):
            os.unlink(temporary)
        raise BaselineError(f"{visible(path)}: the baseline cannot be written: {error.strerror}") from error


def _file(path: str, one: Located) -> str:
    """Return a finding's file as it is written down: from the baseline's folder on, so that both can move together."""
    file, folder = one.finding.file, os.path.dirname(os.path.abspath(path))
    if not file:
        return ""
    short = relative(file, folder)
    home = os.path.expanduser("~")
    if short == file and relative(file, home) != file:
        short = f"~/{relative(file, home)}"
    return said(short.replace(os.sep, "/"))
