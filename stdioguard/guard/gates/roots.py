"""A client's answer to `roots/list`, cut to what the profile grants.

server-filesystem takes the roots that a client names as its allowed directories, whatever its command line said: an answer of `/etc`
opens `/etc`. So a root passes only if it is inside what the profile lets the server read or write.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from stdioguard.guard.state import State


def cut(state: State, roots: list[Any]) -> list[Any]:
    """Return those of `roots` that the profile grants."""
    granted = [*state.policy.sandbox["read"], *state.policy.sandbox["write"]]
    return [root for root in roots if type(root) is dict and _granted(root.get("uri"), granted, state)]


def _granted(uri: Any, granted: list[str], state: State) -> bool:
    if type(uri) is not str or not uri.startswith("file:///"):
        return False
    from urllib.parse import unquote  # noqa: PLC0415 - a root is rare, the import is not cheap

    path = unquote(uri.removeprefix("file://"), errors="strict" if "%" in uri else "replace")
    if "\0" in path or "?" in uri or "#" in uri:
        return False
    real = state.resolve(path)
    return any(real == folder or real.startswith(folder.rstrip("/") + "/") for folder in granted)
