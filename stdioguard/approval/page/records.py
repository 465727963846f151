"""What the records tell the page: recent decisions of people, and the sessions that run with what each may reach.

The records are this user's files, but a server's and a model's texts are in them, and they have no bound: of each the beginning and the end
are read, of the newest few. What was lost by that is the older part, which `log` is for.
"""

from __future__ import annotations

import os
import time
from calendar import timegm
from typing import Any

import psutil

from stdioguard.approval.page import pieces
from stdioguard.policy import load, places, private
from stdioguard.policy.errors import ProfileError
from stdioguard.sandbox import guarantees
from stdioguard.wire import strict_json
from stdioguard.wire.errors import MalformedError

MAX_DECISIONS = 50
MAX_SESSIONS = 32
_FILES = 60
_SPAN = 128 << 10


def decisions() -> list[dict[str, Any]]:
    """Return the newest decisions on calls that a person was asked about, the newest first."""
    found: list[dict[str, Any]] = []
    for path in _newest(_FILES):
        lines, server = _lines(path), ""
        asked = {line.get("id") for line in lines if line.get("verdict") == "ask"}
        for line in lines:
            if line.get("event") == "launch":
                server = str(line.get("server", ""))
            elif _is_decision(line, asked):
                found.append(
                    {
                        "time": str(line.get("time", "")),
                        "approved": line["verdict"] == "approve",
                        "server": pieces.name(server or os.path.basename(path).split("-", 1)[-1]),
                        "tool": pieces.name(str(line.get("tool", ""))),
                        "client": pieces.name(str(line.get("client", ""))),
                        "channel": pieces.name(str(line.get("channel", "")), 40),
                        "grant": pieces.name(str(line.get("grant", "")), 40),
                        "detail": pieces.name(str(line.get("detail", "")), 300),
                        "arguments": pieces.name(strict_json.readable(line.get("arguments", {})), 240),
                    }
                )
    return sorted(found, key=lambda one: str(one["time"]), reverse=True)[:MAX_DECISIONS]


def _is_decision(line: dict[str, Any], asked: set[Any]) -> bool:
    if line.get("method") != "tools/call":
        return False
    if line.get("verdict") == "approve":
        return True
    # Refused for want of a yes, not by a rule that asks nobody: it was asked under the same id, or says what did not happen.
    return line.get("verdict") == "refuse" and (line.get("id") in asked or " did not run: " in str(line.get("detail", "")))


def sessions() -> list[dict[str, Any]]:
    """Return the sessions whose guard is alive, the newest first, with what each may reach."""
    found: list[dict[str, Any]] = []
    for path in _newest(400):
        if len(found) == MAX_SESSIONS:
            break
        parts = os.path.basename(path).removesuffix(".jsonl").split("-")
        if len(parts) < 4 or not parts[-2].isdigit() or not _is_guard(int(parts[-2]), parts[0]):
            continue
        lines = _lines(path)
        launch = next((line for line in lines if line.get("event") == "launch"), None)
        if launch is None or any(line.get("event") == "end" for line in lines):
            continue
        found.append(_session(int(parts[-2]), launch, lines))
    return found


def _session(pid: int, launch: dict[str, Any], lines: list[dict[str, Any]]) -> dict[str, Any]:
    identity: dict[str, Any] = next((line for line in reversed(lines) if line.get("event") == "identity"), {})
    sandbox = next((line for line in lines if line.get("event") == "sandbox" and type(line.get("guarantees")) is dict), {})
    profile = launch["profile"] if type(launch.get("profile")) is dict else {}
    reach, problem = _reach(profile)
    command = launch["command"] if type(launch.get("command")) is list else []
    return {
        "pid": pid,
        "started": str(launch.get("time", "")),
        "server": pieces.name(str(launch.get("server", ""))),
        "command": [piece for word in command[:20] for piece in [*pieces.name(str(word), 200), " "]],
        "client": pieces.name(str(identity.get("client", ""))),
        "scopes": [pieces.name(scope, 80) for scope in _scopes(identity)],
        "profile": pieces.path(str(profile.get("source", ""))),
        "reach": reach,
        "problem": problem,
        "started_server": bool(sandbox),
        "guarantees": [_guarantee(name, state) for name, state in list(sandbox.get("guarantees", {}).items())[:20]],
    }


def _scopes(identity: dict[str, Any]) -> list[str]:
    granted = identity.get("scopes")
    if type(granted) is not list:
        return []
    return list(dict.fromkeys(str(one) for group in granted for one in (group if type(group) is list else [group])))[:40]


def _guarantee(name: str, state: Any) -> dict[str, Any]:
    members = state if type(state) is dict else {}
    return {
        "name": pieces.name(name, 40),
        "means": guarantees.NAMES.get(name, ""),
        "enforced": members.get("state") == guarantees.ENFORCED,
        "state": pieces.name(str(members.get("state", "")), 40),
        "how": pieces.name(str(members.get("by", members.get("why", ""))), 200),
    }


def _reach(profile: dict[str, Any]) -> tuple[list[dict[str, Any]], str]:
    """Return what a profile grants, as it is written, and what is in the way of telling: the text has to be the session's."""
    source = profile.get("source")
    if type(source) is not str or not source.startswith("/"):
        return [], "the record does not name a profile"
    try:
        policy = load.load(source)
    except ProfileError:
        return [], "the profile can no longer be read"
    if policy.digest != profile.get("sha256"):
        return [], "the profile has changed since the session began"
    sandbox = policy.sandbox
    tools: dict[str, list[str]] = {"allow": [], "confirm": []}
    for pattern, rule in policy.document["tools"]["rules"].items():
        if rule["action"] in tools:
            tools[rule["action"]].append(pattern)
    if policy.document["tools"]["default"] in tools:
        tools[policy.document["tools"]["default"]].append("every other tool")
    groups = [
        ("May read", sandbox["read"]),
        ("May write", sandbox["write"]),
        ("Never", sandbox["deny"]),
        ("Network", sandbox["network"]),
        ("Sockets", sandbox["sockets"]),
        ("Variables", [*sandbox["environment"], *sandbox["secrets"]]),
        ("Tools without asking", tools["allow"]),
        ("Tools with your consent", tools["confirm"]),
    ]
    return [{"what": what, "entries": [pieces.name(str(entry), 200) for entry in entries[:60]]} for what, entries in groups], ""


def _is_guard(pid: int, stamp: str) -> bool:
    """Tell whether a process is the one that began a record at `stamp`: it was there then, and is this user's."""
    try:
        began = timegm(time.strptime(stamp, "%Y%m%dT%H%M%SZ"))
        process = psutil.Process(pid)
        return process.create_time() <= began + 2 and process.uids().effective == os.geteuid()
    except (ValueError, OverflowError, psutil.Error):
        return False


def _newest(most: int) -> list[str]:
    """Return the paths of the newest records; a record's name begins with its time."""
    folder = os.path.join(places.directory("state"), "records")
    try:
        names = sorted((name for name in os.listdir(folder) if name.endswith(".jsonl")), reverse=True)
    except OSError:
        return []
    return [os.path.join(folder, name) for name in names[:most]]


_kept: dict[str, tuple[int, int, list[dict[str, Any]]]] = {}
"""Entries that were read, with the size and time of the file then: a page that stays open asks again and again."""


def _lines(path: str) -> list[dict[str, Any]]:
    """Return the entries of a record's beginning and end."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return []
    try:
        status = os.fstat(descriptor)
        private.check(path, status)
        size, changed, lines = _kept.get(path, (-1, 0, []))
        if (size, changed) == (status.st_size, status.st_mtime_ns):
            return lines
        data = os.pread(descriptor, _SPAN, 0)
        if status.st_size > _SPAN:
            rest = os.pread(descriptor, _SPAN, max(_SPAN, status.st_size - _SPAN))
            # What is in between is not read; half a line on either side of it is no line.
            data += rest if status.st_size <= 2 * _SPAN else b"\n" + rest
    except OSError:
        return []
    finally:
        os.close(descriptor)
    found = []
    for line in data.split(b"\n"):
        try:
            entry = strict_json.decode(line) if line else None
        except MalformedError:
            continue
        if type(entry) is dict:
            found.append(entry)
    if len(_kept) > 2 * _FILES:
        _kept.clear()
    _kept[path] = (status.st_size, status.st_mtime_ns, found)
    return found
