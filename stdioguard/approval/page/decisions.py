"""What the browser asks for, made into a decision that the guard takes: only choices that the page offers, in the question's own values.

The browser names a question and choices, never values: an argument that is held to *exactly this* is taken from the question, where `1` is
not `1.0`. Whatever does not fit is refused, so that nothing is granted that the person did not see.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from stdioguard.approval import proof, queue, shown
from stdioguard.approval.page import pieces, views
from stdioguard.wire import strict_json

if TYPE_CHECKING:
    from stdioguard.approval.queue import Waiting

SPANS = (3600, 86400, 7 * 86400, 30 * 86400)
"""Seconds for which the page offers to remember; `None` is until it is revoked."""


class RefusedError(Exception):
    """A request that cannot be granted; `status` is HTTP's."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def question(body: dict[str, Any]) -> Waiting:
    """Return the question that a request names, if it still waits and is still what the person saw. Raises `RefusedError`."""
    found = next((one for one in queue.waiting() if one.id == body.get("id")), None)
    if found is None:
        raise RefusedError(404, "This question waits no more: it was answered elsewhere, withdrawn, or its time is over.")
    if type(body.get("digest")) is not str or found.members.get("digest") != body["digest"]:
        raise RefusedError(409, "The question has changed since it was shown. Nothing was decided.")
    return found


def decision(found: Waiting, body: dict[str, Any], now: float) -> dict[str, Any]:
    """Return the members of a decision, without a signature. Raises `RefusedError`."""
    members, approved, scope = found.members, body.get("approved"), body.get("scope", "once")
    if type(approved) is not bool or scope not in queue.SCOPES:
        raise RefusedError(400, "approved is true or false, scope one of once, session, until, always")
    if approved:
        blocked = views.why_not(members, passphrase=proof.read() is not None)
        if blocked is not None:
            raise RefusedError(403, blocked)
    if approved and body.get("version") != views.view(found, passphrase=proof.read() is not None)["version"]:
        raise RefusedError(409, "What was shown has changed. Look at it again; nothing was decided.")
    made: dict[str, Any] = {"id": found.id, "digest": members["digest"], "approved": approved, "channel": "page"}
    if approved:
        made["seen"] = proof.seen(members)
    if scope == "once":
        return made
    if not views.remembers(members):
        raise RefusedError(403, "This call may not be remembered.")
    if approved and scope != "session" and shown.risk(members) == "high":
        raise RefusedError(403, "High risk is allowed for a session at most.")
    made["scope"] = scope
    span = body.get("seconds")
    if scope == "until":
        if span not in SPANS or type(span) is not int:
            raise RefusedError(400, "seconds is one of the times that the page offers")
        made["until"] = int(now) + span
    made["constraints"] = constraints(members["arguments"], body.get("limits"))
    return made


def constraints(arguments: dict[str, Any], limits: Any) -> dict[str, Any]:
    """Return the constraints that the choices in `limits` mean, one for each argument. Raises `RefusedError`."""
    if type(limits) is not dict or limits.keys() != arguments.keys():
        raise RefusedError(400, "limits says of each argument how it is held")
    made: dict[str, Any] = {}
    for name, item in arguments.items():
        limit = limits[name]
        if limit == "equals":
            made[name] = {"equals": item}
        elif limit == "any":
            made[name] = {"any": True}
        elif type(limit) is dict and limit.keys() == {"inside"} and limit["inside"] in views.folders(item):
            made[name] = {"inside": limit["inside"]}
        else:
            raise RefusedError(400, "an argument is held to its value, to a folder that it is inside of, or to nothing")
    return made


def write(made: dict[str, Any]) -> None:
    """Give a decision to the guard. Raises `RefusedError` where another was first, or nobody takes it any more."""
    written = {name: value for name, value in made.items() if name not in ("id", "digest")}
    try:
        if not queue.decide(made["id"], made["digest"], **written):
            raise RefusedError(409, "This was decided elsewhere first.")
    except OSError as error:
        raise RefusedError(500, f"The decision could not be written: {error.strerror}.") from None
    path = os.path.join(queue.folder(), made["id"])
    if not os.path.exists(f"{path}.json") and os.path.exists(f"{path}.decision.json"):
        queue.remove(made["id"])  # the guard has withdrawn the question in between: it would never take the decision away
        raise RefusedError(404, "This came too late: the question was withdrawn.")


def grants() -> list[dict[str, Any]]:
    """Return what is remembered, for the page."""
    from stdioguard.approval import grants as kept  # noqa: PLC0415 - its only use

    return [
        {
            "id": grant.id,
            "approved": grant.approved,
            "client": pieces.name(grant.client),
            "server": pieces.name(grant.server),
            "tool": pieces.name(grant.tool),
            "risk": grant.risk,
            "scope": grant.scope,
            "until": grant.until,
            "created": grant.created,
            "channel": pieces.name(str(grant.channel), 40),
            "limits": [
                {"name": pieces.name(name, 80), "limit": _limit(limit if type(limit) is dict else {})}
                for name, limit in list((grant.constraints or {}).items())[: views.MAX_ARGUMENTS]
            ],
        }
        for grant in kept.remembered()
    ]


def _limit(limit: dict[str, Any]) -> list[Any]:
    if "inside" in limit:
        return ["inside ", *pieces.path(str(limit["inside"]))]
    if limit.get("any") is True:
        return ["anything"]
    return ["exactly ", *pieces.name(strict_json.readable(limit.get("equals")), 200)]


def revoke(id: str) -> bool:  # noqa: A002
    """Take a grant away; return whether there was one."""
    from stdioguard.approval import grants as kept  # noqa: PLC0415 - its only use

    return bool(kept.revoke(id))
