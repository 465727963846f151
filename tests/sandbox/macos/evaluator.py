"""An evaluator of sandbox profiles: allow or deny for an operation and what it is done to.

It stands for the kernel where there is no macOS, so it claims no more than is known. What public sources disagree on is a *reading*, and a
verdict counts only if it is the same in all of them:

- `order`: "last", the last rule that matches wins (Apple's own profiles, bazel, codex); "operation", a rule for the operation itself beats
  every rule for a wildcard that covers it, and a rule with a filter every one without (nono, sandbox-runtime, MXC, each measured);
- `case`: whether paths are compared with case (orbit: for regular expressions) or without (measured on macOS 27 for all filters);
- `units`: whether a regular expression sees bytes or characters.

The language is a strict subset: what the generator does not write is an error, and so is what a known parser limit forbids.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from itertools import product

STRING_BYTES = 1024
EXPRESSION_BYTES = 1 << 16

# libsandbox of macOS 14.4, without those that no profile here could need.
OPERATIONS = frozenset(
    [
        "default",
        "appleevent-send",
        "authorization-right-obtain",
        "boot-arg-set",
        "device*",
        "device-camera",
        "device-microphone",
        "darwin-notification-post",
        "distributed-notification-post",
        "dynamic-code-generation",
        "file*",
        "file-chroot",
        "file-clone",
        "file-ioctl",
        "file-issue-extension",
        "file-link",
        "file-lock",
        "file-map-executable",
        "file-mknod",
        "file-mount",
        "file-mount-update",
        "file-read*",
        "file-read-data",
        "file-read-metadata",
        "file-read-xattr",
        "file-revoke",
        "file-search",
        "file-test-existence",
        "file-unmount",
        "file-write*",
        "file-write-acl",
        "file-write-create",
        "file-write-data",
        "file-write-finderinfo",
        "file-write-flags",
        "file-write-mode",
        "file-write-owner",
        "file-write-setugid",
        "file-write-times",
        "file-write-unlink",
        "file-write-xattr",
        "fs-rename",
        "hid-control",
        "iokit*",
        "iokit-get-properties",
        "iokit-open*",
        "iokit-open-user-client",
        "iokit-set-properties",
        "ipc*",
        "ipc-posix*",
        "ipc-posix-sem*",
        "ipc-posix-sem-create",
        "ipc-posix-sem-open",
        "ipc-posix-sem-post",
        "ipc-posix-sem-unlink",
        "ipc-posix-sem-wait",
        "ipc-posix-shm*",
        "ipc-posix-shm-read-data",
        "ipc-posix-shm-write*",
        "ipc-posix-shm-write-create",
        "ipc-posix-shm-write-data",
        "ipc-posix-shm-write-unlink",
        "ipc-sysv*",
        "ipc-sysv-msg",
        "ipc-sysv-sem",
        "ipc-sysv-shm",
        "job-creation",
        "lsopen",
        "mach*",
        "mach-bootstrap",
        "mach-host*",
        "mach-host-special-port-set",
        "mach-lookup",
        "mach-priv*",
        "mach-priv-host-port",
        "mach-priv-task-port",
        "mach-register",
        "mach-task*",
        "mach-task-name",
        "mach-task-read",
        "network*",
        "network-inbound",
        "network-bind",
        "network-outbound",
        "nvram*",
        "nvram-delete",
        "nvram-get",
        "nvram-set",
        "process*",
        "process-codesigning",
        "process-exec*",
        "process-exec-interpreter",
        "process-fork",
        "process-info*",
        "process-info-codesignature",
        "process-info-listpids",
        "process-info-pidinfo",
        "process-info-pidfdinfo",
        "process-info-setcontrol",
        "pseudo-tty",
        "signal",
        "socket-ioctl",
        "sysctl*",
        "sysctl-read",
        "sysctl-write",
        "system*",
        "system-audit",
        "system-fcntl",
        "system-fsctl",
        "system-info",
        "system-kext-load",
        "system-mac-syscall",
        "system-privilege",
        "system-reboot",
        "system-set-time",
        "system-socket",
        "user-preference*",
        "user-preference-read",
        "user-preference-write",
    ]
)


OPEN = frozenset(
    {"process-info*", "nvram*", "iokit-get-properties", "file-map-executable", "file-clone", "file-link", "system-fcntl"}
)
"""What `(deny default)` leaves open: the first four are known (Firefox, crbug.com/799149), the others are taken to be, until a rule denies them."""


class ProfileError(ValueError):
    """Not a profile of the subset."""


@dataclass(frozen=True)
class Reading:
    """One way to understand the language."""

    order: str
    case: str
    units: str


READINGS = [Reading(*each) for each in product(("last", "operation"), ("seen", "folded"), ("bytes", "characters"))]


@dataclass(frozen=True)
class Ask:
    """An operation, and what it is done to: a path as the kernel writes it, or the values that other filters look at."""

    operation: str
    path: str | None = None
    values: dict[str, str] = field(default_factory=dict)


class Symbol(str):
    """A name in a profile, as opposed to a string."""


@dataclass(frozen=True)
class Rule:
    allows: bool
    operation: str
    filters: tuple[list, ...]
    line: int


def parse(profile: str) -> list[Rule]:
    """Return the rules of a profile, in order."""
    forms = _read(profile)
    if (
        not forms
        or forms[0][0] != [Symbol("version"), 1]
        or forms[1:2] == []
        or forms[1][0] != [Symbol("deny"), Symbol("default")]
    ):
        raise ProfileError("a profile starts with (version 1) (deny default)")
    rules: list[Rule] = []
    for form, line in forms[2:]:
        if form[0] == "when":
            # Symbols that a release does not know are left out by the profile itself; here all are known.
            if len(form) != 3 or form[1][0] != "defined?" or not isinstance(form[1][1], Symbol):
                raise ProfileError(f"line {line}: (when (defined? 'name) rule) is all that is known of conditions")
            form = form[2]
        if not isinstance(form, list) or form[0] not in ("allow", "deny") or not isinstance(form[0], Symbol):
            raise ProfileError(f"line {line}: not a rule: {form}")
        operations = [word for word in form[1:] if isinstance(word, Symbol)]
        filters = form[1 + len(operations) :]
        if not operations or any(not isinstance(one, list) for one in filters):
            raise ProfileError(f"line {line}: a rule is an action, operations, and then filters")
        for one in filters:
            _check_filter(one, line)
        for operation in operations:
            if operation not in OPERATIONS or operation == "default":
                raise ProfileError(f"line {line}: unbound variable: {operation}")
            if form[0] == "allow" and not filters and operation not in ("process-fork",):
                raise ProfileError(f"line {line}: {operation} would be allowed for everything")
            rules.append(Rule(form[0] == "allow", operation, tuple(filters), line))
    return rules


def _read(text: str) -> list[tuple[list, int]]:
    if text.startswith("\ufeff") or not text.endswith("\n"):
        raise ProfileError("not a text of lines")
    position, line, stack, forms = 0, 1, [], []
    starts: list[tuple[int, int]] = []
    token = re.compile(r'[ \n]+|;[^\n]*|\(|\)|"|\'|[^ \n;()"\']+')
    while position < len(text):
        match = token.match(text, position)
        if match is None:
            raise ProfileError(f"line {line}: cannot be read: {text[position : position + 20]!r}")
        word, start, position = match[0], position, match.end()
        if word == "(":
            starts.append((start, line))
            stack.append([])
        elif word == ")":
            if not stack:
                raise ProfileError(f"line {line}: unexpected )")
            begin, at = starts.pop()
            if len(text[begin:position].encode()) > EXPRESSION_BYTES:
                raise ProfileError(f"line {at}: an expression of more than {EXPRESSION_BYTES} bytes")
            done = stack.pop()
            if not done:
                raise ProfileError(f"line {line}: an empty list")
            if stack:
                stack[-1].append(done)
            else:
                forms.append((done, at))
        elif word == '"':
            value, position = _string(text, position, line)
            if not stack:
                raise ProfileError(f"line {line}: a string outside of a form")
            stack[-1].append(value)
        elif word == "'":
            if not stack or stack[-1] != ["defined?"]:
                raise ProfileError(f"line {line}: a quote outside of defined?")
        elif word[0] not in " \n;":
            if not stack:
                raise ProfileError(f"line {line}: {word} outside of a form")
            stack[-1].append(int(word) if word.isdigit() else Symbol(word))
        line += text.count("\n", start, position)
    if stack:
        raise ProfileError(f"line {starts[-1][1]}: not closed")
    return forms


def _string(text: str, position: int, line: int) -> tuple[str, int]:
    value, start = [], position
    while True:
        char = text[position : position + 1]
        if char == "":
            raise ProfileError(f"line {line}: a string that does not end")
        if unicodedata.category(char) in ("Cc", "Cs"):
            raise ProfileError(f"line {line}: U+{ord(char):04X} in a string")
        position += 1
        if char == '"':
            break
        if char == "\\":
            char = text[position : position + 1]
            position += 1
            if char not in ("\\", '"'):
                raise ProfileError(f"line {line}: the escape \\{char} is not known to mean the same everywhere")
        value.append(char)
    if len(text[start:position].encode()) > STRING_BYTES:
        raise ProfileError(f"line {line}: Error reading string: more than {STRING_BYTES} bytes")
    return "".join(value), position


_SHAPES = {
    "literal": 1, "subpath": 1, "regex": 1, "global-name": 1, "sysctl-name": 1, "sysctl-name-prefix": 1, "ipc-posix-name-prefix": 1,
}  # fmt: skip
_SYMBOLS = {
    "target": {"self", "same-sandbox"},
    "socket-domain": {"AF_UNIX", "AF_INET", "AF_INET6"},
    "socket-type": {"SOCK_STREAM"},
    "vnode-type": {"REGULAR-FILE"},
    "fcntl-command": {"F_SETPROTECTIONCLASS"},
}


def _check_filter(one: list, line: int) -> None:
    kind, rest = one[0], one[1:]
    if not isinstance(kind, Symbol):
        raise ProfileError(f"line {line}: {one} is no filter")
    if kind in ("require-all", "require-any", "require-not"):
        if not rest or (kind == "require-not" and len(rest) != 1) or any(not isinstance(each, list) for each in rest):
            raise ProfileError(f"line {line}: {kind} takes filters")
        for each in rest:
            _check_filter(each, line)
    elif kind in _SHAPES:
        if len(rest) != 1 or isinstance(rest[0], (Symbol, list)) or not isinstance(rest[0], str):
            raise ProfileError(f"line {line}: {kind} takes one string")
        if kind in ("literal", "subpath") and (not rest[0].startswith("/") or (rest[0] != "/" and rest[0].endswith("/"))):
            raise ProfileError(f"line {line}: {kind} takes an absolute path")
        if kind == "regex" and (wrong := dialect_problem(rest[0])):
            raise ProfileError(f"line {line}: {wrong}: {rest[0]}")
    elif kind == "remote":
        if len(rest) != 2 or rest[0] != "tcp" or not re.fullmatch(r"localhost:[0-9]{1,5}", str(rest[1])):
            raise ProfileError(f"line {line}: host must be * or localhost in network address")
    elif kind not in _SYMBOLS or len(rest) != 1 or rest[0] not in _SYMBOLS[kind] or not isinstance(rest[0], Symbol):
        raise ProfileError(f"line {line}: unbound variable: {one}")


def dialect_problem(regex: str) -> str | None:
    """Return what in `regex` shipping profiles do not use, and AppleMatch may not know, or `None`."""
    rest, depth = regex.removeprefix("^").removesuffix("$"), 0
    atoms = re.compile(r"\[\^?[\x20-\x7e]\]|\[\^/\]|\[[A-Z][a-z]\]|\[ -~\]|\\[\[\]^\\]|\(|\)|\||[*+?]|\.|[^\\\[\]^$(){}|*+?.]")
    position, before = 0, ""
    while position < len(rest):
        match = atoms.match(rest, position)
        if match is None:
            return f"{rest[position:]!r} is not in the dialect"
        word = match[0]
        if word in ("*", "+", "?") and before in ("", "(", "|", "*", "+", "?"):
            return f"nothing to repeat, or a group of another kind, at {rest[position:]!r}"
        depth += {"(": 1, ")": -1}.get(word, 0)
        if depth < 0:
            return "a group that was not opened"
        if word == "|" and depth == 0:
            return "an alternative outside of a group"
        position, before = match.end(), word
    return "a group that is not closed" if depth else None


def above(operation: str) -> list[str]:
    """Return the operation and the wildcards that cover it, the nearest first."""
    stem = operation.removesuffix("*")
    wider = [one for one in OPERATIONS if one.endswith("*") and one != operation and stem.startswith(f"{one[:-1]}-")]
    return [operation, *sorted(wider, key=len, reverse=True)]


class Profile:
    """A parsed profile that can be asked."""

    def __init__(self, text: str) -> None:
        self.rules = parse(text)

    def verdict(self, ask: Ask, reading: Reading) -> bool:
        """Tell whether the operation is allowed in one reading."""
        levels = above(ask.operation)
        if reading.order == "last":
            rule = next((one for one in reversed(self.rules) if one.operation in levels and _matches(one, ask, reading)), None)
            return rule.allows if rule is not None else not OPEN.isdisjoint(levels)
        for level in levels:
            own = [one for one in reversed(self.rules) if one.operation == level]
            for rule in [one for one in own if one.filters] + [one for one in own if not one.filters]:
                if _matches(rule, ask, reading):
                    return rule.allows
        return not OPEN.isdisjoint(levels)

    def allows(self, ask: Ask) -> bool:
        """Tell whether the operation is allowed. Raises `AssertionError` where that depends on how the language is read."""
        verdicts = {reading: self.verdict(ask, reading) for reading in READINGS}
        assert len(set(verdicts.values())) == 1, f"{ask} depends on the reading: {verdicts}"
        return verdicts[READINGS[0]]


def _matches(rule: Rule, ask: Ask, reading: Reading) -> bool:
    return not rule.filters or any(_holds(one, ask, reading) for one in rule.filters)


def _holds(one: list, ask: Ask, reading: Reading) -> bool:
    kind, rest = one[0], one[1:]
    if kind == "require-all":
        return all(_holds(each, ask, reading) for each in rest)
    if kind == "require-any":
        return any(_holds(each, ask, reading) for each in rest)
    if kind == "require-not":
        return not _holds(rest[0], ask, reading)
    if kind == "remote":
        return ask.values.get("remote") == f"{rest[0]} {rest[1]}"
    if kind in ("sysctl-name-prefix", "ipc-posix-name-prefix"):
        return ask.values.get(kind.removesuffix("-prefix"), "").startswith(rest[0])
    if kind in ("global-name", "sysctl-name", *_SYMBOLS):
        return ask.values.get(kind) == rest[0]
    if ask.path is None:
        return False
    if kind == "regex":
        return _searches(rest[0], ask.path, reading)
    path, given = (_fold(text) if reading.case == "folded" else text for text in (ask.path, rest[0]))
    return path == given or (kind == "subpath" and path.startswith(given.rstrip("/") + "/"))


def _fold(text: str) -> str:
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", text).casefold())


_COMPILED: dict[tuple[str, Reading], re.Pattern] = {}


def _searches(regex: str, path: str, reading: Reading) -> bool:
    key = (regex, reading)
    if key not in _COMPILED:
        flags = re.IGNORECASE if reading.case == "folded" else 0
        # `$` is the end, not the place before a last newline.
        exact = regex.removesuffix("$") + r"\Z" if regex.endswith("$") else regex
        _COMPILED[key] = re.compile(exact.encode(), flags) if reading.units == "bytes" else re.compile(exact, flags)
    return _COMPILED[key].search(path.encode() if reading.units == "bytes" else path) is not None
