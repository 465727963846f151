"""Findings as Markdown, for a comment on a pull request.

Whatever comes from a configuration stands in a span of code: there nothing is a link, a mention, an image or a tag.
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

from stdioguard.audit.interface import Level
from stdioguard.audit.reporters.interface import relative, said
from stdioguard.guard.display import visible

if TYPE_CHECKING:
    from stdioguard.audit.reporters.interface import Located, Shown

MAX_LENGTH = 60_000
"""Characters: a comment may have 65,536."""
_MARKS = {Level.HIGH: "**high**", Level.MEDIUM: "**medium**", Level.LOW: "low", Level.INFO: "info"}


def report(shown: Shown) -> str:
    """Return a heading, the numbers, and a list for each file; what is too much for one comment is counted."""
    entries = sum(len(config.entries) for config in shown.report.configs)
    lines = ["## MCP servers", ""]
    if shown.located:
        lines += ["| severity | findings |", "| --- | ---: |"]
        lines += [f"| {level} | {count} |" for level, count in shown.counts() if count]
    else:
        lines.append("Nothing found.")
    lines += ["", f"{entries} servers in {shown.files} files were looked at.", ""]
    length, told = sum(map(len, lines)), 0
    for file, group in itertools.groupby(shown.located, key=lambda one: one.finding.file):
        head = [f"### {code(relative(file, shown.root)) if file else 'This machine'}", ""]
        for one in group:
            block = [*head, _one(one)]
            length += sum(map(len, block)) + len(block)
            if length > MAX_LENGTH:
                break
            lines += block
            head = []
            told += 1
        lines += [] if head else [""]
        if length > MAX_LENGTH:
            lines += [f"And {len(shown.located) - told} more.", ""]
            break
    advice = {one.finding.rule: one.rule.advice for one in shown.located[:told] if one.rule is not None}
    lines += ["### What to do", ""] if advice else []
    lines += [f"- {rule}: {text}" for rule, text in sorted(advice.items())] + [""] * bool(advice)
    for what, texts in (("Not read", shown.report.problems), ("Note", shown.notes)):
        lines += [f"- {what}: {code(text)}" for text in itertools.islice(texts, 20)]
        lines += [f"- {what}: {len(texts) - 20} more"] if len(texts) > 20 else []
    left_out = [(shown.ignored, "ignored"), (shown.accepted, "accepted by the baseline"), (shown.hidden, "not shown")]
    if any(count for count, _ in left_out):
        lines += ["", ", ".join(f"{count} {what}" for count, what in left_out if count) + "."]
    return "\n".join(lines).rstrip() + "\n"


def _one(one: Located) -> str:
    finding = one.finding
    place = f" line {one.line}" if one.line else ""
    server = f" {code(finding.entry)}:" if finding.entry else ""
    doubt = "" if finding.confidence == Level.HIGH else f", confidence {finding.confidence}"
    # The rule's own advice is given once, at the end.
    advice = f"<br>{code(finding.advice)}" if finding.advice else ""
    return f"- {_MARKS[finding.severity]}{place}{server} {code(finding.message)} ({finding.rule}{doubt}){advice}"


def code(text: str) -> str:
    """Return a text as a span of code, whatever is in it."""
    shown = said(visible(text))
    fence = "`" * (max((len(run) for run in re.findall("`+", shown)), default=0) + 1)
    room = " " if shown[:1] in ("`", " ") or shown[-1:] in ("`", " ") else ""
    return f"{fence}{room}{shown}{room}{fence}" if shown.strip() else "` `"
