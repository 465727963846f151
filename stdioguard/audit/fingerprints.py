"""What tells that a finding is the same one as before, though lines have moved: for baselines and for code scanning.

It covers the rule, the server, where in the document it is (without the numbers of list items, which move) and the whole message: a
finding that says something else, about another package say, is another one. The file is not part of it, since files move too.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stdioguard.audit.interface import Finding


def of(finding: Finding) -> str:
    """Return the mark of one finding: 32 hexadecimal digits."""
    steps = [step for step in finding.path if isinstance(step, str)]
    text = json.dumps([finding.rule, finding.client, finding.entry, steps, finding.message])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def numbered(findings: Iterable[Finding]) -> list[str]:
    """Return the mark of each, with a number behind those that are in their file more than once."""
    counts: dict[tuple[str, str], int] = {}
    marks = []
    for finding in findings:
        mark = of(finding)
        count = counts[finding.file, mark] = counts.get((finding.file, mark), 0) + 1
        marks.append(mark if count == 1 else f"{mark}:{count}")
    return marks
