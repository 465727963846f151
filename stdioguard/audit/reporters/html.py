"""Findings as one page that needs nothing else: for somebody who decides, and has no terminal open.

No scripts, no addresses, and a policy that lets the page load nothing but its own style sheet. Everything from a configuration is escaped.
"""

from __future__ import annotations

import base64
import hashlib
import html
import itertools
import os
import time
from collections import Counter
from typing import TYPE_CHECKING

from stdioguard.audit.interface import Level
from stdioguard.audit.reporters.interface import relative, said
from stdioguard.guard.display import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import EntryView
    from stdioguard.audit.reporters.interface import Located, Shown

MAX_SERVERS = 2_000
"""Rows of the table of servers. More make a page that no browser scrolls well."""
MAX_FINDINGS = 5_000


def report(shown: Shown) -> str:
    """Return the page."""
    with open(os.path.join(os.path.dirname(__file__), "report.css"), encoding="utf-8") as file:
        style = file.read()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    parts = [
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="referrer" content="no-referrer">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        "<title>MCP servers: audit</title>",
        f"<style>{style}</style>",
        "</head>",
        "<body>",
        "<main>",
        *_summary(shown),
        *_clients(shown),
        *_findings(shown),
        *_servers(shown),
        *_rest(shown),
        "</main>",
        "</body>",
        "</html>",
    ]
    return "\n".join(parts) + "\n"


def _summary(shown: Shown) -> Iterator[str]:
    views = [view for config in shown.report.configs for view in config.entries]
    local = [view for view in views if view.entry.kind == "stdio" and not view.entry.disabled]
    guarded = sum(view.guard is not None for view in local)
    counts = shown.counts()
    yield "<h1>MCP servers: audit</h1>"
    when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(shown.began))
    yield f'<p class="soft">{when}, stdioguard {escaped(shown.version)}</p>'
    worst = next(((level, count) for level, count in counts if count), None)
    if worst is None:
        sentence = "Nothing was found that needs to be done."
    elif worst[0] >= Level.MEDIUM:
        sentence = f"{_many(worst[1], 'finding')} of {worst[0]} severity should be looked at first."
    else:
        sentence = f"Nothing urgent: {_many(worst[1], 'finding')} of {worst[0]} severity at most."
    share = f" {guarded} of {_many(len(local), 'local server')} run behind a guard." if local else ""
    yield f'<p class="lead">{sentence}{share}</p>'
    yield '<ul class="numbers">'
    yield f"<li><b>{len(views)}</b> servers</li>"
    yield f"<li><b>{shown.files}</b> files</li>"
    for level, count in counts:
        if count or level is not Level.INFO:
            yield f'<li><b class="{level}">{count}</b> {level}</li>'
    yield "</ul>"
    total = sum(count for _, count in counts)
    if total:
        said_ = ", ".join(f"{count} {level}" for level, count in counts if count)
        yield f'<svg class="bar" viewBox="0 0 {total} 1" preserveAspectRatio="none" role="img" aria-label="{said_}">'
        at = 0
        for level, count in counts:
            yield f'<rect class="{level}" x="{at}" y="0" width="{count}" height="1"></rect>' if count else ""
            at += count
        yield "</svg>"


def _clients(shown: Shown) -> Iterator[str]:
    severities: Counter[tuple[str, Level]] = Counter((one.finding.client, one.finding.severity) for one in shown.located)
    files = Counter(config.client for config in shown.report.configs if config.entries or config.listing.problem)
    if not files:
        return
    yield "<h2>By client</h2>"
    yield '<div class="scroll"><table><thead><tr><th>Client</th><th class="n">Files</th><th class="n">Servers</th>'
    yield '<th class="n">Guarded</th><th class="n">High</th><th class="n">Medium</th><th class="n">Low</th></tr></thead><tbody>'
    for client in sorted(files):
        views = [view for config in shown.report.configs if config.client == client for view in config.entries]
        guarded = sum(view.guard is not None for view in views)
        cells = "".join(
            f'<td class="n">{severities[client, level] or "-"}</td>' for level in (Level.HIGH, Level.MEDIUM, Level.LOW)
        )
        yield (
            f'<tr><td>{escaped(client)}</td><td class="n">{files[client]}</td><td class="n">{len(views)}</td>'
            f'<td class="n">{guarded or "-"}</td>{cells}</tr>'
        )
    yield "</tbody></table></div>"


def _findings(shown: Shown) -> Iterator[str]:
    if not shown.located:
        return
    yield "<h2>Findings</h2>"
    # The worst first: whoever reads three of them has read the three that matter.
    ranked = sorted(shown.located, key=lambda one: (-one.finding.severity, one.finding.file))
    for severity, group in itertools.groupby(ranked[:MAX_FINDINGS], key=lambda one: one.finding.severity):
        for file, of_file in itertools.groupby(group, key=lambda one: one.finding.file):
            yield f"<h3>{escaped(relative(file, shown.root)) if file else 'This machine'}</h3>"
            for one in of_file:
                yield from _one(one, str(severity))
    if len(ranked) > MAX_FINDINGS:
        yield f'<p class="soft">And {len(ranked) - MAX_FINDINGS} more; --format json has them all.</p>'


def _one(one: Located, severity: str) -> Iterator[str]:
    finding, rule = one.finding, one.rule
    title = escaped(rule.title) if rule is not None else escaped(finding.rule)
    yield f'<article class="{severity}"><header><span class="tag {severity}">{severity}</span><strong>{title}</strong>'
    yield f"<code>{escaped(finding.entry)}</code></header>" if finding.entry else "</header>"
    yield f'<p class="what">{escaped(finding.message)}</p>'
    if one.advice:
        fixed = " <code>stdioguard audit --fix</code> does it." if finding.fix is not None else ""
        yield f'<p class="do"><strong>What to do:</strong> {escaped(one.advice)}{fixed}</p>'
    details = [f"line {one.line}"] if one.line else []
    details += [escaped(finding.client)] if finding.client else []
    details += [f"rule {escaped(finding.rule)}"]
    details += [f"CWE-{rule.cwe}", f"OWASP {escaped(rule.owasp)}"] if rule is not None else []
    details += [] if finding.confidence == Level.HIGH else [f"confidence {finding.confidence}"]
    details += [f"see also {escaped(text)}" for text in finding.related]
    yield f'<p class="fine">{" · ".join(details)}</p></article>'


def _servers(shown: Shown) -> Iterator[str]:
    views = [view for config in shown.report.configs for view in config.entries]
    if not views:
        return
    worst: dict[tuple[str, str], Level] = {}
    for one in shown.located:
        key = (one.finding.file, one.finding.entry)
        worst[key] = max(worst.get(key, Level.INFO), one.finding.severity)
    yield "<h2>Servers</h2>"
    heads = "".join(f"<th>{head}</th>" for head in ("Server", "Client", "Starts", "Guard", "Worst"))
    yield f'<div class="scroll"><table><thead><tr>{heads}</tr></thead><tbody>'
    for view in views[:MAX_SERVERS]:
        level = worst.get((view.config.file, view.entry.name))
        tag = f'<span class="tag {level}">{level}</span>' if level is not None else "-"
        yield (
            f"<tr><td>{escaped(view.entry.name)}</td><td>{escaped(view.config.client)}</td><td>{_starts(view)}</td>"
            f"<td>{_guard(view)}</td><td>{tag}</td></tr>"
        )
    yield "</tbody></table></div>"
    if len(views) > MAX_SERVERS:
        yield f'<p class="soft">And {len(views) - MAX_SERVERS} more.</p>'


def _starts(view: EntryView) -> str:
    entry = view.entry
    if entry.kind == "remote":
        return "a remote server"
    if entry.kind != "stdio" or not view.argv:
        return '<span class="bad">broken</span>'
    started = view.started
    # Only the name of what is started: arguments may hold anything.
    return f"<code>{escaped(started.name or started.ecosystem)}</code>" + (
        "" if started.ecosystem == "command" else f" {started.ecosystem}"
    )


def _guard(view: EntryView) -> str:
    if view.entry.disabled:
        return "off"
    if view.entry.kind != "stdio":
        return "-"
    if view.guard is None:
        return '<span class="bad">none</span>'
    return f'<span class="good">guarded</span> <span class="soft">{escaped(view.guard.profile)}</span>'


def _rest(shown: Shown) -> Iterator[str]:
    left_out = [(shown.ignored, "ignored"), (shown.accepted, "accepted by the baseline"), (shown.hidden, "below the level shown")]
    told = [f"{_many(count, 'finding')} {what}." for count, what in left_out if count]
    if not (told or shown.report.problems or shown.notes):
        return
    yield "<h2>Left out</h2>"
    yield "<ul>"
    yield from (f"<li>{text}</li>" for text in told)
    yield from (f"<li>Not read: {escaped(problem)}</li>" for problem in shown.report.problems)
    yield from (f"<li>{escaped(note)}</li>" for note in shown.notes)
    yield "</ul>"


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"


def escaped(text: str) -> str:
    """Return a text that is text to a browser, with nothing in it that cannot be seen."""
    return html.escape(said(visible(text)), quote=True)
