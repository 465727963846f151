"""How each client writes the servers that it starts.

Two tables say what is known about clients, because they change for different reasons and are read at different times. Where the files
are, and the key of the servers in them, is `stdioguard.sandbox.clients`: plain data that every guarded launch reads too, since a server
must not be able to write there. How an entry is written is here, chosen by the client's name; nothing of it is loaded by a launch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stdioguard.installs.dialects import (
    claude_code,
    cline,
    codex,
    continue_,
    extensions,
    gemini,
    goose,
    jetbrains,
    opencode,
    vscode,
    warp,
    zed,
)
from stdioguard.installs.dialects.standard import BRACES, CURLY, DOLLAR, MUSTACHE, PERCENT, Standard, at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.installs.dialects.interface import Dialect
    from stdioguard.installs.formats.document import Path

_ADDRESSES = ("url", "serverUrl", "httpUrl", "baseUrl", "base_url", "server_url")
GENERIC = Standard(
    variables=(BRACES, DOLLAR, PERCENT, CURLY, MUSTACHE),
    env=("env", "environment", "envs"),
    cwd=("cwd", "workingDirectory"),
    url=(*_ADDRESSES, "serverURL", "endpoint", "uri"),
)
"""A file of no client that is known: any text that looks like somebody's variable may be one."""

AMP = Standard("Amp", variables=(BRACES, DOLLAR))

_BY_CLIENT: dict[str, Dialect] = {
    dialect.client: dialect
    for dialect in (
        claude_code.CLAUDE_CODE, cline.CLINE, codex.CODEX, codex.GROK, codex.VIBE, continue_.CONTINUE, gemini.GEMINI, gemini.QWEN,
        goose.GOOSE, opencode.CRUSH, opencode.KILO, opencode.OPENCODE, vscode.COPILOT_JETBRAINS, vscode.VISUAL_STUDIO, vscode.VSCODE,
        warp.JETBRAINS_JSON, warp.WARP, zed.ZED,
        AMP,
        Standard("Claude Desktop", variables=()),
        Standard("Copilot CLI", variables=(BRACES, DOLLAR)),
        Standard("MCPorter", url=_ADDRESSES),
        Standard("Witsy", on=("enabled",), off=("disabled",), variables=()),
    )
}  # fmt: skip
"""The clients that differ from the rest."""


def dialect(client: str, key: str = "") -> Dialect:
    """Return how a client writes entries; `key` is that of the file's servers, for a client with files of several kinds."""
    if key == "server.mcp_config":
        return extensions.EXTENSIONS
    if key == "McpApplicationServerCommands":
        return jetbrains.JETBRAINS
    if client == "generic":
        return GENERIC
    return _BY_CLIENT.get(client) or Standard(client)


def places(value: Any, keys: str) -> list[Path]:
    """Return the ways to the servers in a value, for a key as the table of clients has it: dots between steps, `a|b` for alternatives.

    An empty alternative stands for the whole file, where that is nothing but servers. A step may itself be written with dots in the
    file: VS Code and Amp take `"amp.mcpServers"` for the same as the two objects.
    """
    found = list(dict.fromkeys(path for key in keys.split("|") if key for path in _ways(value, key.split("."), ())))
    return found or ([()] if "" in keys.split("|") and is_flat(value) else [])


def _ways(value: Any, steps: list[str], so_far: Path) -> Iterator[Path]:
    if not steps:
        yield so_far
    elif isinstance(value, dict):
        for count in range(1, len(steps) + 1):
            key = ".".join(steps[:count])
            if value.get(key) is not None:
                yield from _ways(value[key], steps[count:], (*so_far, key))


_GUESSES: tuple[tuple[str, Dialect], ...] = (
    ("mcpServers", GENERIC), ("context_servers", zed.ZED), ("mcp_servers", GENERIC), ("amp.mcpServers", AMP),
    ("server.mcp_config", extensions.EXTENSIONS), ("customizations.vscode.mcp.servers", vscode.VSCODE),
    ("settings.mcp.servers", vscode.VSCODE), ("mcp.servers", GENERIC), ("servers", vscode.VSCODE), ("mcp", opencode.OPENCODE),
    ("extensions", goose.GOOSE),
)  # fmt: skip


def guess(value: Any, path: str) -> tuple[Dialect, Path] | None:
    """Return how the servers of a file of no known client are written, and where in its value; `None` if it has none.

    `path` is the file's, whose name may tell more than the value.
    """
    for key, found in _GUESSES:
        for place in places(value, key):
            servers = at(value, place)
            if key == "extensions" and not any(
                isinstance(one, dict) and ("cmd" in one or "uri" in one) for one in _members(servers)
            ):
                continue
            if key == "mcp_servers" and path.endswith(".toml"):
                return (codex.VIBE if isinstance(servers, list) else codex.CODEX), place
            if key == "mcpServers" and isinstance(servers, list) and path.endswith((".yaml", ".yml")):
                return continue_.CONTINUE, place
            if key == "mcpServers" and isinstance(value.get("projects"), dict):
                return claude_code.CLAUDE_CODE, place
            if key in ("servers", "mcp", "mcp.servers") and not any(looks_like_server(one) for one in _members(servers)):
                continue
            return found, place
    if is_flat(value):
        return GENERIC, ()
    return None


def is_flat(value: Any) -> bool:
    """Tell whether an object is one of servers, without a key above them."""
    members = _members(value) if isinstance(value, dict) else []
    return bool(members) and all(looks_like_server(member) for member in members)


def _members(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []


def looks_like_server(value: Any) -> bool:
    """Tell whether a value has what only servers' entries have."""
    if not isinstance(value, dict):
        return False
    return isinstance(value.get("command"), (str, list, dict)) or any(
        isinstance(value.get(name), str) and "://" in value[name] for name in ("url", "serverUrl", "httpUrl", "uri")
    )
