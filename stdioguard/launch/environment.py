"""The server's environment: built from nothing, never copied and cleaned."""

from __future__ import annotations

import os
import re

from stdioguard.policy import environment as names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from stdioguard.policy.policy import Policy

REFERENCE = "secret:"
"""How a value begins that is not the variable's own but the name of a secret."""


def for_server(policy: Policy, own: Mapping[str, str], more: Iterable[str] = ()) -> dict[str, str]:
    """Return the environment of the server: the base names, those that the profile passes, `more`, and its secrets, still as references.

    `own` is the guard's environment, `more` what the client's entry sets for this server.
    """
    wanted = [*names.BASE, *policy.sandbox["environment"], *more]
    kept = {name: own[name] for name in wanted if name in own and not names.is_forbidden(name)}
    kept["PATH"] = search_path(own)
    kept |= policy.sandbox["secrets"]
    return kept


def can_be_passed(name: str) -> bool:
    """Tell whether `--environment` takes a name: one of a variable, and of none that makes a program run other code."""
    return re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,127}", name) is not None and not names.is_forbidden(name)


def search_path(own: Mapping[str, str]) -> str:
    """Return PATH without its relative and empty entries: they would find programs in whatever folder the client started in."""
    absolute = ":".join(entry for entry in own.get("PATH", "").split(":") if entry.startswith("/"))
    return absolute or os.defpath  # an empty PATH would mean the working directory to some


def has_references(environment: Mapping[str, str], command: Iterable[str]) -> bool:
    """Tell whether something may have to be put in the place of a reference, so that what does it is loaded."""
    return any(value.startswith(REFERENCE) for value in environment.values()) or any(REFERENCE in word for word in command)
