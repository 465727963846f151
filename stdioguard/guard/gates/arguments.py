"""The constraints of a tool's rule on its arguments."""

from __future__ import annotations

import re

from stdioguard.guard.verdicts import REFUSED, Refuse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from stdioguard.guard.state import Exchange
    from stdioguard.guard.verdicts import Verdict

MAX_PATH = 4096
"""Characters in the longest path, as in Linux (PATH_MAX): resolving a longer one takes quadratic time and finds nothing."""

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:")


def from_client(exchange: Exchange) -> Verdict | None:
    """Refuse a call whose arguments the rule does not allow."""
    rule = exchange.rule
    if rule is None or not rule.arguments:
        return None
    given = exchange.message.params.get("arguments", {})
    folded = {name.casefold() for name in rule.arguments}
    for name in given:
        if name not in rule.arguments and name.casefold() in folded:
            # A server that matches names without regard to case would take this one for the constrained one.
            return _refuse(exchange, name, "imitates a constrained argument")
    for name, constraint in rule.arguments.items():
        if name not in given:
            if constraint["optional"]:
                continue
            return _refuse(exchange, name, "is missing")
        problem = _problem(given[name], constraint, exchange.state.resolve)
        if problem:
            return _refuse(exchange, name, problem)
    return None


def _refuse(exchange: Exchange, name: str, problem: str) -> Refuse:
    rule = exchange.rule
    origin = rule.origin if rule else "tools.rules"
    return Refuse(
        REFUSED, f"{origin}.arguments",
        f'argument {name!a:.60} {problem} ({origin} in {exchange.state.policy.source})', as_result=True,
    )  # fmt: skip


def _problem(value: Any, constraint: dict[str, Any], resolve: Callable[[str], str]) -> str | None:
    allowed = constraint["one_of"]
    if allowed is not None and not any(type(value) is type(item) and value == item for item in allowed):
        return f"is not one of {allowed}"
    inside = constraint["inside"]
    if inside is None:
        return None
    paths = value if type(value) is list else [value]
    if not all(type(path) is str for path in paths):
        return "is not a path"
    if not all(is_inside(path, inside, resolve) for path in paths):
        return f"is not inside {', '.join(inside) or 'any granted folder'}"
    return None


def is_inside(path: str, folders: list[str], resolve: Callable[[str], str]) -> bool:
    """Tell whether a path leads to one of `folders`, canonical ones, or below it. What may be no path is inside nothing."""
    if len(path) > MAX_PATH:
        return False
    # What a server may expand, decode or fetch is not a path that the guard can judge.
    if not path or "\0" in path or path.startswith("~") or _SCHEME.match(path):
        return False
    real = resolve(path)
    return any(real == folder or real.startswith(folder.rstrip("/") + "/") for folder in folders)
