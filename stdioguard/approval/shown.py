"""Whether what a channel shows of a question is what would run: what is in the queue any program of this user can change.

A decision is for the digest that the guard has, so what a person sees has to be what that digest stands for. The rule is here; each
channel says in its own words what it means there.
"""

from __future__ import annotations

from stdioguard.guard.gates import rounds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

RISKS = ("low", "normal", "high")
CHANGED, UNPROVED = "changed", "unproved"


def risk(members: Mapping[str, Any]) -> str:
    """Return the risk of a question. One that nobody knows counts as high."""
    given = members.get("risk")
    return given if isinstance(given, str) and given in RISKS else "high"


def is_true(members: Mapping[str, Any]) -> bool | None:
    """Tell whether the arguments of a question are those that its digest stands for; `None` where that cannot be told.

    Of a call as a task the digest covers more than the file holds, and arguments that are too large are not in it.
    """
    tool, arguments = members.get("tool"), members.get("arguments")
    if members.get("task") or members.get("arguments_size") is not None or type(arguments) is not dict:
        return None
    candidates: list[dict[str, Any]] = [{"name": tool, "arguments": arguments}]
    if not arguments:
        candidates.append({"name": tool})
    return any(rounds.digest("tools/call", params) == members.get("digest") for params in candidates)


def objection(members: Mapping[str, Any]) -> str | None:
    """Return why a question cannot be approved from the queue: `CHANGED`, `UNPROVED`, or `None`.

    A program of this user cannot sign, but it can put other arguments into a file, over the same digest. For lower risks, where the same
    program could write the decision itself, what cannot be compared is let pass.
    """
    proved = is_true(members)
    if proved is False:
        return CHANGED
    return UNPROVED if proved is None and risk(members) == "high" else None
