"""A reference to stdioguard's store that nothing will replace: the server would start with the text itself, or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stdioguard.audit.interface import Level, Rule
from stdioguard.identity import secrets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import EntryView, Finding


def check(view: EntryView) -> Iterator[Finding]:
    """Yield a finding for each `secret:NAME` that is not in the store, is bound to nothing, or stands in an entry that is not guarded."""
    home = view.config.listing.found.home
    if view.entry.kind != "stdio" or not view.machine.is_here or (home is not None and home.uid not in (None, view.machine.uid)):
        return
    texts = [(name, view.variable(name)) for name in view.entry.env]
    named = [(view.entry.env[name], path) for name, path in texts]
    named += [(word, view.word(at)) for at, word in enumerate(view.argv)]
    for text, path in named:
        name = secrets.reference(text) or secrets.reference(text.partition("=")[2])
        if name is None:
            continue
        if view.guard is None:
            message = f"{secrets.PREFIX}{name} is handed to the server as it stands: only stdioguard replaces it"
            yield view.finding(RULE, message, path, advice="Run stdioguard wrap.")
            continue
        try:
            kept = secrets.find(name)
        except secrets.SecretError:
            continue  # whatever is wrong with the store is told by `run`
        if kept is None:
            yield view.finding(RULE, f"{secrets.PREFIX}{name} is not in the store: the server will not start", path)
        elif kept.bound is None:
            message = f"{secrets.PREFIX}{name} is bound to no server: any entry that names it gets it"
            yield view.finding(RULE, message, path, severity=Level.INFO, advice="Store it again with stdioguard wrap.")


RULE = Rule(
    slug="unknown-secret",
    title="A reference to a secret leads nowhere",
    severity=Level.LOW,
    confidence=Level.HIGH,
    subject="entry",
    advice="Store the secret under that name, or change the name.",
    cwe=1188,
    owasp="MCP01",
    check=check,
)
