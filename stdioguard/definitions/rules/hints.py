"""Annotations that the text contradicts: "read-only" for what deletes or sends, "not destructive" for what wipes.

Clients skip the question to a person for tools that say they only read.
"""

from __future__ import annotations

from stdioguard.definitions.findings import HIGH, LOW, MEDIUM, Finding
from stdioguard.definitions.folding import words_of_name
from stdioguard.definitions.patterns import Pattern
from stdioguard.definitions.rules.interface import Rule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.definitions.surface import Definition

SLUG = "annotations-contradicted"

_DESTROYS = frozenset({
    "delete", "remove", "drop", "destroy", "erase", "wipe", "purge", "truncate", "kill", "terminate", "uninstall", "revoke",
    "overwrite", "reset",
})  # fmt: skip
_WRITES = frozenset({
    "write", "create", "update", "insert", "send", "post", "publish", "upload", "move", "rename", "edit", "modify", "set",
    "add", "install", "deploy", "execute", "exec", "merge", "push", "commit", "pay", "transfer", "buy", "purchase", "submit",
    "invite", "grant", "enable", "disable", "start", "stop", "restart", "apply", "patch", "put", "save", "append",
})  # fmt: skip
_SAYS_DESTROYS = Pattern(
    r"(?:permanently|irreversibly) (?:deletes?|removes?|erases?|destroys?|drops?)",
    r"^\W{0,4}(?:deletes?|removes?|erases?|wipes?|destroys?|drops?|purges?) ",
    words=False,
)
_SAYS_WRITES = Pattern(
    r"^\W{0,4}(?:writes?|creates?|updates?|inserts?|sends?|posts?|publish(?:es)?|uploads?|moves?|renames?|edits?|modif(?:y|"
    r"ies)|installs?|deploys?|executes?|runs?|transfers?) (?:an? |the |any |new |arbitrary |your |one )",
    words=False,
)
_ONLY_LOOKS = frozenset({
    "preview", "plan", "dry", "validate", "check", "list", "get", "show", "describe", "estimate", "count", "history", "log",
    "logs", "status", "query", "select", "explain", "simulate", "test",
})  # fmt: skip


def _whole(definition: Definition) -> Iterator[Finding]:
    annotations = definition.members.get("annotations")
    if not isinstance(annotations, dict):
        return
    words = words_of_name(definition.name).split()
    said = definition.members.get("description")
    said = said[:400].lower() if isinstance(said, str) else ""
    if set(words) & _ONLY_LOOKS:
        return
    verb = words[0] if words else ""
    destroys = verb in _DESTROYS or _SAYS_DESTROYS.search(said) is not None
    writes = verb in _WRITES or _SAYS_WRITES.search(said) is not None
    if annotations.get("readOnlyHint") is True and (destroys or writes):
        is_plain = (
            destroys
            or (verb in _WRITES and _SAYS_WRITES.search(said) is not None)
            or verb in {"send", "write", "delete", "upload", "execute", "pay", "transfer"}
        )
        yield Finding(
            SLUG,
            HIGH,
            HIGH if destroys else MEDIUM if is_plain else LOW,
            "/annotations/readOnlyHint",
            (0, 0),
            f"says it only reads, but its name or text says {verb!r}",
        )
    elif annotations.get("destructiveHint") is False and destroys:
        yield Finding(
            SLUG,
            MEDIUM,
            MEDIUM,
            "/annotations/destructiveHint",
            (0, 0),
            f"says it destroys nothing, but its name or text says {verb!r}",
        )


RULE = Rule(SLUG, "Annotations that the text contradicts", whole=_whole)
