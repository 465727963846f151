"""Check a profile's text, and compile it to what `Policy` reads.

Every mistake becomes one `ProfileError`: file, line, key, what is wrong, and the nearest name that would be right.
"""

from __future__ import annotations

import difflib
import hashlib
import itertools
import math
import os
import re
import tomllib
import urllib.parse
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import inspect

from stdioguard.policy import environment, globs, hosts, times, variables
from stdioguard.policy.errors import ProfileError
from stdioguard.policy.model import FORMS, Profile, Strict

if TYPE_CHECKING:
    from collections.abc import Iterable

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_SMALLEST_MEMORY = 16 << 20


class _At(Exception):  # noqa: N818 - a mistake on its way to the place that knows the file and the line
    def __init__(self, key: tuple[str, ...], problem: str) -> None:
        super().__init__(problem)
        self.key = key
        self.problem = problem


def compile_profile(text: str, file: str) -> dict[str, Any]:
    """Return the compiled form of the profile in `text`; `file` is its name in messages.

    Raises `ProfileError`.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r" \(at line (\d+), column \d+\)$", str(error))
        reason = str(error)[: found.start()] if found else str(error)
        raise ProfileError(file, f"not TOML: {reason}", line=int(found[1]) if found else None) from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, thousands of brackets
        raise ProfileError(file, f"not a profile: {str(error).partition(';')[0][:120]}") from None
    try:
        _known_keys(data, inspect.type_info(Profile), ())
        profile = _typed(data)
        _check(profile)
    except _At as mistake:
        where = ".".join(_quoted(part) for part in mistake.key)
        problem = f"{where}: {mistake.problem}" if where else mistake.problem
        raise ProfileError(file, problem, line=_line_of(text, mistake.key)) from None
    return _document(profile, text, file)


def _known_keys(data: Any, kind: inspect.Type, at: tuple[str, ...]) -> None:
    """Refuse unknown keys, and find type errors inside maps, with the exact key (msgspec's own path loses it)."""
    if isinstance(kind, inspect.StructType):
        if not isinstance(data, dict):
            raise _At(at, "expected a table")
        names = {field.encode_name: field for field in kind.fields}
        for key, value in data.items():
            if key not in names:
                near = difflib.get_close_matches(key, names, 1)
                raise _At(
                    (*at, key), f'unknown key; did you mean "{near[0]}"?' if near else f"unknown key; known: {', '.join(names)}"
                )
            _known_keys(value, names[key].type, (*at, key))
        for name, field in names.items():
            if field.required and name not in data:
                raise _At(at, f'"{name}" is missing')
    elif isinstance(kind, inspect.LiteralType) and data not in kind.values:
        raise _At(at, f"expected {' or '.join(map(str, kind.values))}, got {data!a:.60}")
    elif isinstance(kind, inspect.UnionType):
        # `X | None`: a key that may be left out. TOML has no null, so what is there must be an X.
        _known_keys(data, next(member for member in kind.types if not isinstance(member, inspect.NoneType)), at)
    elif isinstance(kind, inspect.DictType) and isinstance(data, dict):
        for key, value in data.items():
            _known_keys(value, kind.value_type, (*at, key))
            if isinstance(kind.value_type, inspect.StructType):
                _convert(value, kind.value_type.cls, (*at, key))


def _convert(data: Any, kind: Any, at: tuple[str, ...]) -> Any:
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at `")
        path = path.rstrip("`").removeprefix("key in ").removeprefix("$").replace("[...]", "")
        raise _At((*at, *(part for part in path.split(".") if part)), _plain(reason)) from None


def _typed(data: dict[str, Any]) -> Profile:
    profile: Profile = _convert(data, Profile, ())
    return profile


def _plain(reason: str) -> str:
    """Put msgspec's words into a user's."""
    pattern = re.fullmatch(r"Expected `str` matching regex '(.*)'", reason, re.DOTALL)
    if pattern:
        return f"expected {FORMS[pattern[1].replace(chr(92) * 2, chr(92))]}"
    return reason.replace("`", "")


def _check(profile: Profile) -> None:
    server = profile.server
    if sum(value is not None for value in (server.npm, server.pypi, server.command)) > 1:
        raise _At(("server",), "npm, pypi and command exclude each other; keep one")
    _check_patterns("tools", profile.tools.rules)
    _check_patterns("prompts", profile.prompts.rules)
    _check_patterns("resources", profile.resources.rules, uris=True)
    _check_arguments(profile)
    _check_sandbox(profile)
    _check_issuers(profile)


def _check_arguments(profile: Profile) -> None:
    for pattern, rule in profile.tools.rules.items():
        at = ("tools", "rules", pattern)
        for name, argument in rule.arguments.items():
            if any(isinstance(item, float) and not math.isfinite(item) for item in argument.one_of or []):
                raise _At((*at, "arguments", name, "one_of"), "holds a number that JSON does not have")
            if argument.inside is None and argument.one_of is None:
                raise _At((*at, "arguments", name), "says nothing; give inside or one_of, or remove it")
            _check_paths((*at, "arguments", name, "inside"), argument.inside or [])


def _check_patterns(table: str, rules: Iterable[str], *, uris: bool = False) -> None:
    for pattern in rules:
        wrong = globs.problem(pattern, uris=uris)
        if wrong:
            raise _At((table, "rules", pattern), f"bad pattern: {wrong}")
    wild = [pattern for pattern in rules if not globs.is_literal(pattern)]
    for one, other in itertools.combinations(wild, 2):
        if globs.specificity(one) == globs.specificity(other) and globs.can_both_match(one, other):
            raise _At(
                (table, "rules", other),
                f'ties with "{one}": something matches both and neither is more specific; make one longer, or write it out',
            )


def _check_issuers(profile: Profile) -> None:
    for name, issuer in profile.identity.issuers.items():
        at = ("identity", "issuers", name)
        if name.strip().casefold() == "stdioguard":
            raise _At(
                at,
                "this is how stdioguard's own tokens are named; an issuer's name is the text of its iss claim, a URL most often",
            )
        sources = [key for key in ("jwks_url", "jwks_file", "key") if getattr(issuer, key) is not None]
        if len(sources) != 1:
            raise _At(at, f"give one of jwks_url, jwks_file and key, not {' and '.join(sources) or 'none'}")
        if ("HS256" in issuer.algorithms) != (issuer.key is not None) or (
            issuer.key is not None and issuer.algorithms != ["HS256"]
        ):
            raise _At((*at, "algorithms"), 'HS256 goes with key = "secret:NAME" and nothing else does: a public key is no secret')
        if issuer.jwks_url is not None and not _is_safe_url(issuer.jwks_url):
            raise _At(
                (*at, "jwks_url"), f"{issuer.jwks_url!a}: an https:// URL, or http:// on this machine, without user and fragment"
            )
        if issuer.jwks_file is not None and not issuer.jwks_file.startswith("/"):
            raise _At((*at, "jwks_file"), f"{issuer.jwks_file!a}: an absolute path")


def _is_safe_url(text: str) -> bool:
    try:
        url = urllib.parse.urlsplit(text)
        host, _ = url.hostname, url.port
    except ValueError:
        return False
    if not text.isascii() or not text.isprintable() or " " in text or not host or "@" in url.netloc or "#" in text:
        return False
    return url.scheme == "https" or (url.scheme == "http" and host in ("127.0.0.1", "::1", "localhost"))


def _check_sandbox(profile: Profile) -> None:
    sandbox = profile.sandbox
    for key in ("read", "write"):
        entries: list[str] = getattr(sandbox, key)
        _check_paths(("sandbox", key), entries)
    _check_paths(("sandbox", "deny"), sandbox.deny, globs_allowed=True)
    _check_paths(("sandbox", "sockets"), sandbox.sockets)
    if sandbox.seccomp is not None and (not sandbox.seccomp.isprintable() or "$" in sandbox.seccomp):
        raise _At(("sandbox", "seccomp"), f"{sandbox.seccomp!a}: a path, counted from this profile's folder; it has no variables")
    for entry in sandbox.network:
        try:
            hosts.rule(entry)
        except hosts.HostError as error:
            raise _At(("sandbox", "network"), f"{entry!a}: {error}") from None
    for name, text in sandbox.variables.items():
        _check_references(("sandbox", "variables", name), text)
        if "${ARG_PATHS}" in text:
            raise _At(("sandbox", "variables", name), f'"{text}": ${{ARG_PATHS}} may be several paths; a variable holds one text')
    for key, names in (
        ("environment", sandbox.environment),
        ("variables", list(sandbox.variables)),
        ("secrets", list(sandbox.secrets)),
    ):
        for name in names:
            if environment.is_forbidden(name):
                raise _At(("sandbox", key), f'"{name}" is never passed to a server: it makes a loader or an interpreter run code')
    for key, names in (("environment", sandbox.environment), ("variables", list(sandbox.variables))):
        both = set(names) & set(sandbox.secrets)
        if both:
            raise _At(("sandbox", "secrets"), f'"{min(both)}" is in {key} too; keep it in one')
    if sandbox.memory is not None and _bytes(sandbox.memory) < _SMALLEST_MEMORY:
        raise _At(("sandbox", "memory"), "no server runs in less than 16M")


def _check_references(at: tuple[str, ...], entry: str) -> None:
    for match in variables.REFERENCE.finditer(entry):
        if match[1] not in variables.NAMES:
            near = difflib.get_close_matches(match[1], variables.NAMES, 1)
            hint = f"did you mean ${{{near[0]}}}?" if near else f"known: {', '.join(variables.NAMES)}"
            raise _At(at, f'"{entry}": no variable ${{{match[1]}}}; {hint}')
    if "$" in variables.REFERENCE.sub("", entry):
        raise _At(at, f'"{entry}": variables are written ${{NAME}}')
    if any(not char.isprintable() for char in entry):
        raise _At(at, f"{entry!a}: no control or invisible characters may be in it")


def _check_paths(at: tuple[str, ...], entries: list[str], *, globs_allowed: bool = False) -> None:
    for entry in entries:
        _check_references(at, entry)
        if ".." in entry.split("/"):
            raise _At(at, f'"{entry}": write the path without ..')
        if not globs_allowed and any(char in entry for char in "*?"):
            raise _At(at, f'"{entry}": name files or folders; patterns are for deny only')
        if not entry.startswith(("/", "${")) and not (globs_allowed and entry.startswith("**/")):
            raise _At(at, f'"{entry}": a path starts with / or a variable such as ${{HOME}}')


def _bytes(size: str) -> int:
    return int(size.rstrip("KMGT")) * _UNITS[size.lstrip("0123456789")]


def _document(profile: Profile, text: str, file: str) -> dict[str, Any]:
    document: dict[str, Any] = _plain_values(profile)
    document["source"] = file
    document["digest"] = hashlib.sha256(text.encode()).hexdigest()
    memory = profile.sandbox.memory
    document["sandbox"]["memory"] = _bytes(memory) if memory else None
    if profile.sandbox.seccomp is not None:
        beside = os.path.dirname(os.path.abspath(file))
        document["sandbox"]["seccomp"] = os.path.join(beside, profile.sandbox.seccomp)
    for issuer in document["identity"]["issuers"].values():
        issuer["grace"] = times.seconds(issuer["grace"])
    document["sandbox"]["network"] = [hosts.rule(entry).text for entry in profile.sandbox.network]
    return document


def _plain_values(value: Any) -> Any:
    """Turn structs into dicts with every default present."""
    if isinstance(value, Strict):
        return {name: _plain_values(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, dict):
        return {key: _plain_values(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_plain_values(member) for member in value]
    return value


def _quoted(part: str) -> str:
    return part if re.fullmatch(r"[A-Za-z0-9_\-]+(\[\d+\])?", part) else f'"{part}"'


def _line_of(text: str, key: tuple[str, ...]) -> int | None:
    """Find the line of a key by looking for its parts one after the other; TOML parsers keep no positions."""
    lines = text.splitlines()
    at = 0
    found = None
    for part in key:
        name = re.escape(part.partition("[")[0] if part.endswith("]") else part)
        word = re.compile(rf"(?<![\w\-]){name}(?![\w\-])" if re.fullmatch(r"[\w\-]+", part) else name)
        for number in range(at, len(lines)):
            if word.search(lines[number].partition("#")[0]):
                at = number
                found = number + 1
                break
        else:
            return found
    return found
