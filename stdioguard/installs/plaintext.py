"""Which texts in a client's entry are secrets in plain text: by their own look, or by the name that they stand under.

What is found is moved out of the config, so a wrong guess breaks somebody's server. A text counts by its look where a vendor's pattern or a
place that holds nothing else says so; by its name only where it could be made by a machine or is a password; and never where it stands for
something else: a placeholder, a variable of the client's, a path, a number, a reference.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from stdioguard.identity import secrets
from stdioguard.ledger.redact import SHAPES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.installs.entries import Entry

HIGH, MEDIUM = "high", "medium"

MAX_DEPTH = 8
"""Objects deeper inside each other than this are no settings of a server's."""

MAX_IN_TEXT = 64
"""More secrets than these in one text are not looked for: nobody has so many, and a text that is made of them keeps nobody waiting."""


@dataclass(frozen=True)
class Found:
    """One secret in plain text."""

    path: tuple[str | int, ...]
    """Where in the entry: `("env", NAME)`, `("argv", index)`, `("headers", NAME)`, `("url",)` or `("extra", NAME, ...)`."""
    kind: str
    """`env`, `argument`, `header`, `url` or `setting`."""
    span: tuple[int, int]
    """The characters of that text that are the secret."""
    why: str
    """What tells that it is one, for people; never the secret."""
    confidence: str
    """`HIGH`: by its own look. `MEDIUM`: by its name."""


def secrets_in(entry: Entry) -> list[Found]:
    """Return the secrets in an entry's environment, arguments, headers, address and other settings, in that order."""
    found: list[Found] = []
    for name, text in entry.env.items():
        found += _with_inner(_one("env", ("env", name), text, name), "env", ("env", name), text)
    by_word: dict[int, list[Found]] = {}
    for one in _in_arguments(entry.argv):
        by_word.setdefault(int(one.path[1]), []).append(one)
    for index, text in enumerate(entry.argv):
        found += _with_inner(by_word.get(index, []), "argument", ("argv", index), text) if index else []
    for name, text in entry.headers.items():
        found += _one("header", ("headers", name), text, name)
    if entry.url:
        found += _one("url", ("url",), entry.url, "")
    for path, text in _settings(entry.extra, ("extra",), 0):
        name = next((step for step in reversed(path) if isinstance(step, str)), "")
        found += _one("setting", path, text, "" if _is_vague(_spelled(name), text) else name)
    return found


def _settings(value: object, path: tuple[str | int, ...], depth: int) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield the texts among an entry's other members, and the ways to them."""
    if isinstance(value, str):
        yield path, value
    elif depth < MAX_DEPTH and isinstance(value, dict):
        for key, member in value.items():
            yield from _settings(member, (*path, str(key)), depth + 1)
    elif depth < MAX_DEPTH and isinstance(value, list):
        for index, member in enumerate(value):
            yield from _settings(member, (*path, index), depth + 1)


def text_of(entry: Entry, found: Found) -> str:
    """Return the text of the entry that a secret was found in."""
    value: Any = {"env": entry.env, "headers": entry.headers, "argv": entry.argv, "extra": entry.extra, "url": entry.url}
    for step in found.path:
        value = value[step]
    return str(value)


def moved(text: str, span: tuple[int, int], name: str) -> tuple[str, str]:
    """Return what to keep as the secret `name`, and the argument with a reference in its place; `span` is that of the first secret in it.

    `run` replaces a whole argument, or what follows its first `=`: what stands there around the secret is kept with it. So the argument has
    to be one that the client takes literally. Of a variable `run` replaces the whole value: its span is all of it.
    """
    before, equals, value = text.partition("=")
    if equals and span[0] > len(before):
        return value, f"{before}={secrets.PREFIX}{name}"
    return text, f"{secrets.PREFIX}{name}"


def _in_arguments(argv: list[str]) -> Iterator[Found]:
    """Yield the secrets in a command line: `--api-key X`, `--api-key=X`, `-e NAME=X`, `--header "Authorization: Bearer X"`, or by look."""
    label = ""
    for index, word in enumerate(argv):
        path = ("argv", index)
        called, label = label, ""
        if index == 0:
            continue
        if word.startswith("-") and "=" not in word:
            label = word.lstrip("-")
            if not _NAMED.search(_spelled(label)):
                yield from _one("argument", path, word, "")
            continue
        name, equals, value = word.partition("=")
        if equals and re.fullmatch(r"-{0,2}[A-Za-z_][\w.\-]*", name):
            own = re.match(r"[A-Za-z_]\w*=", value) if name.startswith("-") else None  # docker run --env=NAME=X
            if own is not None:
                name, value = f"{name}={own[0][:-1]}", value[own.end() :]
            for one in _one("argument", path, value, name.rpartition("=")[2].lstrip("-")):
                yield _shifted(one, len(name) + 1)
            continue
        header = re.match(r"([A-Za-z][A-Za-z0-9\-]*)\s*:\s*(?=\S)", word)
        if header is not None and called.lower() in ("header", "headers", "h"):
            for one in _one("header", path, word[header.end() :], header[1]):
                yield _shifted(one, header.end())
            continue
        found = _one("argument", path, word, called)
        if not found and not called and _PREFIXED.fullmatch(word):
            found = [Found(path, "argument", (0, len(word)), "it looks like a key of a service", MEDIUM)]
        yield from found


def _shifted(found: Found, by: int) -> Found:
    return Found(found.path, found.kind, (found.span[0] + by, found.span[1] + by), found.why, found.confidence)


# Names and their values inside a longer text

_MEMBER = re.compile(r"""["']([A-Za-z][\w .\-]{0,60})\\{0,4}["']\s{0,8}:\s{0,8}\\{0,4}["']([^"'\\]{6,4096})""")
_ASSIGNED = re.compile(r"""(?:^|(?<=[\s;|'"(,:])|(?<=&&))-{0,2}([A-Za-z_][\w.\-]{0,60})=["']?([^\s"';&|,)\\]{6,4096})""")
_OPTION = re.compile(r"""(?<=\s)-{1,2}([A-Za-z][\w\-]{0,60})\s{1,8}["']?(?!-)([^\s"';&|\\]{6,4096})""")
_HEADER = re.compile(
    r"""(?:^|(?<=[\s"',]))([A-Za-z][A-Za-z0-9\-]{0,60}):\s{0,8}((?:[A-Za-z]{1,20}\s{1,4})?[^\s"',;\\]{6,4096})"""
)
_INNER = (_MEMBER, _ASSIGNED, _OPTION, _HEADER)
"""`{"apiKey": "X"}`, `API_KEY=X npx`, `npx server --api-key X` and `X-Api-Key: X`: what each is called, and its text."""

_SCHEME = re.compile(r"(?i)(?:bearer|basic|token|apikey)\s+")


def _with_inner(found: list[Found], kind: str, path: tuple[str | int, ...], text: str) -> list[Found]:
    """Add what is a secret by a name that stands inside the text: in an object, in a shell's line, in one option's value."""
    if text.startswith(secrets.PREFIX) or not re.search(r"""[\s=:]""", text):
        return found
    found = list(found)
    for pattern in _INNER:
        for match in pattern.finditer(text):
            if len(found) >= MAX_IN_TEXT:
                break
            called, (start, end) = _spelled(match[1]), match.span(2)
            scheme = _SCHEME.match(text, start, end)
            start = scheme.end() if scheme is not None else start
            if any(start < other.span[1] and end > other.span[0] for other in found) or not _is_named(called):
                continue
            value = text[start:end]
            if _is_vague(called, value):
                continue
            is_password = _PASSWORD.search(called) is not None and pattern is not _HEADER  # a colon is also one of prose
            if not is_placeholder(value) and secrets.reference(value) is None and (is_password or _is_made(value)):
                found.append(Found(path, kind, (start, end), f"its name is {match[1]}", MEDIUM))
    return sorted(found, key=lambda one: one.span)


# One text

_EXTRA = (
    (r"\bxapp-\d-[A-Za-z0-9\-]{20,}", "Slack"),
    (r"\b(?:ntn_|secret_)[A-Za-z0-9]{30,}", "Notion"),
    (r"\blin_api_[A-Za-z0-9]{20,}", "Linear"),
    (r"\bsbp_[a-f0-9]{30,}", "Supabase"),
    (r"\bfigd_[A-Za-z0-9_\-]{20,}", "Figma"),
    (r"\bBSA[A-Za-z0-9_\-]{24,}", "Brave"),
    (r"\bpat[A-Za-z0-9]{14}\.[a-f0-9]{40,}", "Airtable"),
    (r"\bGOCSPX-[A-Za-z0-9_\-]{20,}", "Google"),
    (r"\bSG\.[A-Za-z0-9_\-]{16,}\.[A-Za-z0-9_\-]{16,}", "SendGrid"),
    (r"\b\d{8,10}:AA[A-Za-z0-9_\-]{30,}", "Telegram"),
    (
        (
            r"\b(?:apify_api|bb_live|ctx7sk|dapi|dckr_pat|dop_v1|e2b|fc|glc|glsa|gsk|key|lsv2_pt|lsv2_sk|napi|nvapi|pcsk|phx|pmak|pplx|r8|rk"
            r"|sb_secret|shpat|shpss|sk|sntrys|sntryu|tvly|whsec|xai|xoxd)[_\-](?=[\w\-]{0,80}\d)[\w\-]{24,}"
        ),
        "a service",
    ),
    (r"\bATATT3[A-Za-z0-9_\-=]{40,}", "Atlassian"),
    (r"\bpat-(?:na|eu)\d-[a-f0-9\-]{30,}", "HubSpot"),
    (r"\b[MNO][A-Za-z0-9_\-]{22,26}\.[A-Za-z0-9_\-]{6}\.[A-Za-z0-9_\-]{27,}", "Discord"),
    (r"hooks\.slack\.com/services/(T[A-Za-z0-9]+/B[A-Za-z0-9]+/[A-Za-z0-9]{16,})", "Slack"),
)  # fmt: skip
"""Patterns of vendors whose keys stand in configs; the record's table is `SHAPES`."""

_GENERIC = frozenset(
    {"password", "passwd", "secret", "token", "api", "pwd", "_pass", "--pass", "key=", "sig=", "bearer", "basic", "://"}
)
"""Markers of `SHAPES` whose pattern takes in a name, or a place, together with the secret: looked at by the rules below."""

_LOOKS = tuple(
    (re.compile(pattern), "it looks like a key or token") for marker, pattern in SHAPES if marker not in _GENERIC
) + tuple((re.compile(pattern), f"it looks like a key of {vendor}") for pattern, vendor in _EXTRA)
_PLACES = (
    (re.compile(r"[a-z][a-z0-9+.\-]{0,30}://[^/\s:@]*:([^/\s@]+)@"), "a password in an address"),
    (re.compile(r"(?i)\b(?:bearer|basic|token|apikey)\s+([A-Za-z0-9._~+/\-]{12,}=*)\Z"), "a credential of HTTP"),
    (re.compile(r"(?i)[?&](?:(?:x-)?api[-_]?key|key|token|access[-_]?token|auth|secret|sig|signature|password|apikey\w*)=([^&\s#]{6,})"),
     "a key in an address"),
    (re.compile(r"\bmcp\.zapier\.com/api/mcp/s/([A-Za-z0-9_\-=]{16,})"), "an address that is a key itself"),
    (re.compile(r"(?i)(?:^|[;\s])(?:password|pwd|accountkey|sharedaccesskey)\s*=\s*([^;\s]{4,})"), "a password in a connection string"),
)  # fmt: skip
"""Places in a text that hold nothing but a secret: the first group."""

_NAMED = re.compile(
    r"(^|_)(api_?key|apikey|key|access_key|secret_key|private_key|encryption_key|master_key|token|tok|secret|password|passwd|passphrase|pass|pwd|pat"
    r"|credential|credentials|auth|authorization|cookie|bearer|webhook_secret|jwt)\d*$"
    r"|(password|passwd|passphrase|apikey|secret|accesstoken|apitoken|authtoken)\d*$"  # PGPASSWORD
)
_PASSWORD = re.compile(r"(^|_)(pass|pwd)\d*$|(password|passwd|passphrase)\d*$")
_NOT_NAMED = re.compile(
    r"(^|_)(public_key|publishable_key|anon_key|max_token|num_token|primary_key|sort_key|partition_key|foreign_key|cache_key|key_pass_through)$"
)


_PREFIXED = re.compile(r"[a-z][a-z0-9]{1,11}(?:_[a-z]{2,8})?_(?=[A-Za-z]{0,40}\d)[A-Za-z0-9]{32,}")
"""A key with its maker's mark before it: as an argument without a name, nothing else is as long."""


def _is_named(spelled: str) -> bool:
    return _NAMED.search(spelled) is not None and _NOT_NAMED.search(spelled) is None


_VAGUE = frozenset({"key", "auth", "pass", "pat", "cookie"})
"""Names that say something of a variable or an option, and little of a member of whatever object."""


def _is_vague(spelled: str, text: str) -> bool:
    return spelled in _VAGUE and len(text) < 20


def _spelled(name: str) -> str:
    """Return a name as words with `_` between them, in small letters: `apiKey`, `API-KEY` and `api_key` are one name."""
    return re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()).strip("_")


def _one(kind: str, path: tuple[str | int, ...], text: str, name: str) -> list[Found]:
    """Return the secrets in one text, the surest reason for each."""
    if not text or secrets.reference(text) is not None:
        return []
    found: list[Found] = []
    for patterns in (_LOOKS, _PLACES):
        for pattern, why in patterns:
            for match in pattern.finditer(text):
                span = match.span(1 if pattern.groups else 0)
                is_new = all(span[1] <= other.span[0] or span[0] >= other.span[1] for other in found)
                if is_new and not is_placeholder(text[slice(*span)]):
                    found.append(Found(path, kind, span, why, HIGH))
                if len(found) == MAX_IN_TEXT:
                    return sorted(found, key=lambda one: one.span)
    if found or not name:
        return sorted(found, key=lambda one: one.span)
    called = _spelled(name)
    scheme = re.match(r"[A-Za-z][A-Za-z0-9\-]*\s+(?=\S+\Z)", text) if called in ("authorization", "proxy_authorization") else None
    if scheme is not None:
        return [_shifted(one, scheme.end()) for one in _one(kind, path, text[scheme.end() :], name)]
    if not _is_named(called) or is_placeholder(text):
        return []
    if _PASSWORD.search(called) or _is_made(text):
        return [Found(path, kind, (0, len(text)), f"its name is {name}", MEDIUM)]
    return []


_WORDS = re.compile(r"[A-Za-z]{1,15}(?:[\-_][A-Za-z]{1,15})+(?:[\-_]\d{1,4})?")
"""What a person has made up: `tu-token-de-github-aqui`, `github-token-2024`."""


def _is_made(text: str) -> bool:
    """Tell whether a text could be a key that a machine has made: long enough, one word, and with as much surprise in it as those have."""
    if len(text) < 12 or not text.isascii() or re.search(r"\s", text) or _WORDS.fullmatch(text):
        return False
    counts = Counter(text).values()
    entropy = -sum(count / len(text) * math.log2(count / len(text)) for count in counts)
    return entropy >= 3.0 and (bool(re.search(r"\d", text)) or entropy >= 3.8)


# What is none

_PLACEHOLDER = re.compile(
    r"""(?ix) your | my[-_ ]? (?:api|key|token|secret|pass|org|access) | <.*> | \[.*\] | \*{3,} | x{4,} | \.{3} | \u2026
    | change[-_ ]?(?:me|this|it) | replace | place[-_ ]?holder | example | insert | enter[-_ ] | put[-_ ] | paste | todo | fixme
    | dummy | sample | fake | redacted | _here\b | -here\b | \bhere\b | goes[-_ ]here | (?:api|access)[-_]?(?:key|token)$
    | ^(?:api|the|some|a)[-_](?:key|token|secret) | 1234567 | abcdef | 0{8,} | foo | \bbar\b
    | ^sb_publishable_ | ^pk_(?:live|test)_
    | ^test[-_]?(?:key|token|secret|pass\w*)?\d*$ | ^(?:key|token|secret)$"""
)
_VARIABLE = re.compile(
    r"\$\{|\$\(|^\$|\{\{|^\{[^}]*\}$|^%\w+%$|^[a-z][a-z0-9+.\-]{1,30}://|^!|^<"
    r"|^(?:arn|bitwarden|bw|doppler|env|file|infisical|keychain|keyring|secretsmanager|ssm|vault):"
)
_COMMON = frozenset(
    {
        "", "admin", "basic", "bearer", "default", "disabled", "empty", "enabled", "false", "guest", "key", "local", "localhost",
        "minioadmin",
        "mysql", "neo4j", "no", "none", "null", "oauth", "off", "on", "pass", "passwd", "password", "postgres", "public", "pwd",
        "root", "secret", "string", "test", "token", "true", "undefined", "user", "username", "value", "xxx", "yes",
    }
)  # fmt: skip


def is_placeholder(text: str) -> bool:
    """Tell whether a text stands for something else than itself, or is nothing that anybody would hide."""
    plain = unquote(text).strip().strip("\"'")
    if plain.lower() in _COMMON or _VARIABLE.search(plain) or _PLACEHOLDER.search(plain):
        return True
    if len(set(plain)) <= 3 or re.fullmatch(r"[\d.,:\-]{0,11}", plain):
        return True
    if re.match(r"(?:~|\.{1,2})?/[\w.\-/ ]*\Z|[A-Za-z]:[\\/]|~/", plain) and not re.search(r"[+=]", plain):
        return True
    if re.match(r"https?://", plain):
        return True
    return bool(re.fullmatch(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+", plain)) or plain.startswith(secrets.PREFIX)
