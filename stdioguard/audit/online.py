"""`audit --online`: asking OSV for advisories about the exact versions that were found. Rules never do this.

What is sent is a list of names of packages and their versions, and then the identifiers of the advisories that came back. No path, no
argument, no name of a server, a user or this machine; and nothing of packages that come from another registry than the public one, whose
names may be nobody else's business.
"""

from __future__ import annotations

import http.client
import json
import re
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from stdioguard import __version__
from stdioguard.audit import advisories, engine, packages, registries
from stdioguard.audit.interface import Level
from stdioguard.audit.rules import malicious_package, vulnerable_package
from stdioguard.audit.shown import is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from stdioguard.audit.engine import Report
    from stdioguard.audit.interface import ConfigView, EntryView, Finding

ADDRESS = "https://api.osv.dev"
"""Where OSV answers; `--osv` or STDIOGUARD_OSV name another, such as a mirror in a company."""
TIMEOUT = 20
"""Seconds for one answer."""

_ECOSYSTEMS = {"npm": "npm", "pypi": "PyPI"}
_BATCH = 500
"""Packages in one question; OSV takes 1,000."""
_LARGEST = 32 << 20
"""Bytes of an answer: what OSV says is its own limit."""
_DETAILS = 200
"""Advisories whose text is asked for; what is beyond that is told by its name."""
_ID = re.compile(r"[A-Za-z][A-Za-z0-9]*-[A-Za-z0-9.\-]{1,60}")


class OnlineError(Exception):
    """OSV cannot be asked, in one line that says why and what to do."""


def extend(report: Report, address: str = ADDRESS) -> str:
    """Add what OSV knows to a report; return why it could not be asked, in one line, or nothing."""
    try:
        report.findings = engine.ordered([*report.findings, *ask(report.configs, address)])
    except OnlineError as error:
        return str(error)
    return ""


def ask(configs: Iterable[ConfigView], address: str = ADDRESS) -> list[Finding]:
    """Return a finding for each advisory of OSV's that the snapshot does not have. Raises `OnlineError`."""
    places: dict[tuple[str, str, str], list[tuple[EntryView, packages.Package]]] = {}
    for config in configs:
        for view in config.entries:
            for package, version in _asked(view):
                places.setdefault((package.ecosystem, package.name, version), []).append((view, package))
    _check(address)
    found: list[Finding] = []
    details: dict[str, dict[str, Any]] = {}
    for key, names in _names(address, sorted(places)):
        ecosystem, name, version = key
        known = {one for row in advisories.of(ecosystem, name) if row.affects(version) for one in (row.id, row.alias)}
        for identifier in names:
            if identifier not in details:
                details[identifier] = _get(address, f"/v1/vulns/{quote(identifier)}") if len(details) < _DETAILS else {}
            detail = details[identifier]
            if known & {identifier, *_texts(detail.get("aliases"))} or detail.get("withdrawn"):
                continue
            for view, package in places[key]:
                found.append(_finding(view, package, version, identifier, detail))
    return found


def sent(configs: Iterable[ConfigView]) -> list[str]:
    """Return what would be sent, as `ecosystem:name@version`."""
    asked = (pair for config in configs for view in config.entries for pair in _asked(view))
    return sorted({f"{package.ecosystem}:{package.name}@{version}" for package, version in asked})


def _asked(view: EntryView) -> Iterator[tuple[packages.Package, str]]:
    """Yield the packages of the public registries whose exact version is known."""
    if any(not registry.is_usual for registry in registries.of(view)):
        return
    for package in packages.of(view):
        version = packages.installed_version(view, package) or (package.version if package.is_pinned else None)
        if version is not None and package.ecosystem in _ECOSYSTEMS and package.source in ("registry", "installed"):
            yield package, version.lstrip("v=")


def _names(address: str, keys: list[tuple[str, str, str]]) -> Iterator[tuple[tuple[str, str, str], list[str]]]:
    for at in range(0, len(keys), _BATCH):
        batch = keys[at : at + _BATCH]
        queries = [
            {"package": {"ecosystem": _ECOSYSTEMS[kind], "name": name}, "version": version} for kind, name, version in batch
        ]
        results = _post(address, "/v1/querybatch", {"queries": queries}).get("results")
        if not isinstance(results, list) or len(results) != len(batch):
            raise OnlineError(f"{_host(address)} answered something else than OSV does; is the address right?")
        for key, result in zip(batch, results, strict=True):
            rows = result.get("vulns") if isinstance(result, dict) else None
            identifiers = [row.get("id") for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
            yield key, [one for one in identifiers if isinstance(one, str) and _ID.fullmatch(one)]


def _finding(view: EntryView, package: packages.Package, version: str, identifier: str, detail: dict[str, Any]) -> Finding:
    summary = _line(detail.get("summary")) or "see the advisory"
    if identifier.startswith("MAL-"):
        message = f"{package.name} {version} is malware ({identifier}): {summary}"
        return view.finding(malicious_package.RULE, message, package.path)
    fixed = _fixed(package.ecosystem, package.name, version, detail)
    advice = f"Use {fixed} or later." if fixed else f"Read https://osv.dev/vulnerability/{identifier}."
    message = f"{package.name} {version} has {identifier}: {summary}"
    return view.finding(vulnerable_package.RULE, message, package.path, severity=_severity(detail), advice=advice)


def _severity(detail: dict[str, Any]) -> Level:
    """Return how bad an advisory is: by the database's own word, else high."""
    specific = detail.get("database_specific")
    said = specific.get("severity") if isinstance(specific, dict) else None
    return {"LOW": Level.LOW, "MODERATE": Level.MEDIUM, "MEDIUM": Level.MEDIUM}.get(str(said).upper(), Level.HIGH)


def _fixed(ecosystem: str, name: str, version: str, detail: dict[str, Any]) -> str:
    """Return the first version after ours that an advisory calls fixed; empty where there is none."""
    ends: set[str] = set()
    for affected in _dicts(detail.get("affected")):
        package = affected.get("package")
        if isinstance(package, dict) and str(package.get("name", "")).lower() == name.lower():
            events = [event for span in _dicts(affected.get("ranges")) for event in _dicts(span.get("events"))]
            ends |= {event["fixed"] for event in events if isinstance(event.get("fixed"), str)}
    after = [one for one in ends if advisories.newer(ecosystem, one, version)]
    return min(after, key=lambda one: sum(bool(advisories.newer(ecosystem, one, other)) for other in after)) if after else ""


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _texts(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _line(value: Any) -> str:
    return " ".join(value.split())[:200] if isinstance(value, str) else ""


# Asking


def _check(address: str) -> None:
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        raise OnlineError(f"the address of --osv is none; it takes one such as {ADDRESS}") from None
    if not host or (parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host))):
        raise OnlineError(f"{host or 'the address of --osv'} is no https address; --osv takes one such as {ADDRESS}")


def _host(address: str) -> str:
    try:
        return urlsplit(address).hostname or "the address"
    except ValueError:
        return "the address"


def _post(address: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    return _answer(address, urllib.request.Request(address.rstrip("/") + path, json.dumps(body).encode(), method="POST"))  # noqa: S310 - see _check


def _get(address: str, path: str) -> dict[str, Any]:
    return _answer(address, urllib.request.Request(address.rstrip("/") + path))  # noqa: S310 - see _check


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """What is sent goes to the address that was named, and to no other."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _answer(address: str, request: urllib.request.Request) -> dict[str, Any]:
    request.add_header("User-Agent", f"stdioguard/{__version__}")
    request.add_header("Content-Type", "application/json")
    host = _host(address)
    try:
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=TIMEOUT) as response:
            data = response.read(_LARGEST + 1)
    except urllib.error.HTTPError as error:
        raise OnlineError(f"{host} answered {error.code}; try again later, or leave --online out") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error.__class__.__name__
        raise OnlineError(f"{host} cannot be asked ({reason}); try again later, or leave --online out") from None
    try:
        value = json.loads(data) if len(data) <= _LARGEST else None
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise OnlineError(f"{host} answered something else than OSV does; is the address right?")
    return value
