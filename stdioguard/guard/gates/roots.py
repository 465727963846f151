"""A client's answer to `roots/list`, cut to what the profile grants.

server-filesystem takes the roots that a client names as its allowed directories, whatever its command line said: an answer of `/etc`
opens `/etc`. So a root passes only if it is inside what the profile lets the server read or write.
"""

from __future__ import annotations

from stdioguard.guard.gates.arguments import MAX_PATH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from stdioguard.guard.state import State


def cut(state: State, roots: list[Any]) -> list[Any]:
    """Return those of `roots` that the profile grants, each written anew: peers read the same URI differently (WHATWG, RFC 8089)."""
    granted = [*state.policy.sandbox["read"], *state.policy.sandbox["write"]]
    kept = []
    for root in roots:
        path = _path(root.get("uri")) if type(root) is dict else None
        real = state.resolve(path) if path is not None else ""
        if not any(real == folder or real.startswith(folder.rstrip("/") + "/") for folder in granted):
            continue
        from urllib.parse import quote  # noqa: PLC0415 - a root is rare, the import is not cheap

        written = {"uri": "file://" + quote(real, safe="/-_.~!$&'()*+,;=:@")}
        kept.append(written | {"name": root["name"]} if type(root.get("name")) is str else written)
    return kept


def _path(uri: Any) -> str | None:
    if type(uri) is not str or not uri.startswith("file:///") or len(uri) > 3 * MAX_PATH:
        return None
    from urllib.parse import unquote_to_bytes  # noqa: PLC0415 - as above

    try:
        path = unquote_to_bytes(uri.removeprefix("file://")).decode("utf-8")
    except UnicodeDecodeError:
        return None
    if len(path) > MAX_PATH or "?" in uri or "#" in uri or "\\" in path or not path.isprintable():
        return None
    return path
