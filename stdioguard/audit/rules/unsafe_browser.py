"""A browser without its sandbox or its same-origin policy, driven by a model that reads pages of others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stdioguard.audit import words
from stdioguard.audit.interface import Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import EntryView, Finding

_FLAGS = {
    "--no-sandbox": "without its sandbox",
    "--disable-setuid-sandbox": "without its sandbox",
    "--disable-web-security": "without the same-origin policy",
    "--ignore-certificate-errors": "without checking certificates",
    "--ignore-https-errors": "without checking certificates",
    "--disable-site-isolation-trials": "without site isolation",
    "--allow-file-access-from-files": "with pages that read local files",
    "--allow-running-insecure-content": "with unencrypted content in encrypted pages",
}


def check(view: EntryView) -> Iterator[Finding]:
    """Yield a finding for the first such flag. In a container `--no-sandbox` is usual, and the container is the sandbox."""
    in_container = view.started.ecosystem == "oci"
    for word in words.every(view):
        for part in word.text.replace("--chrome-arg=", "").replace("--browser-arg=", "").split():
            flag = part.partition("=")[0]
            if flag not in _FLAGS or (in_container and "sandbox" in flag):
                continue
            severity = Level.LOW if flag == "--ignore-https-errors" else RULE.severity
            yield view.finding(RULE, f"the browser runs {_FLAGS[flag]} ({flag})", word.path, severity=severity)
            return


RULE = Rule(
    slug="unsafe-browser",
    title="A browser runs without its protections",
    severity=Level.MEDIUM,
    confidence=Level.HIGH,
    subject="entry",
    advice="Leave the flag out; where a page needs it, use a profile of its own for that page.",
    cwe=693,
    owasp="MCP05",
    check=check,
)
