"""How each family of clients writes a server down, and how it reads it: a second opinion on the clients, independent of `dialects`.

`write` gives the text of a whole file with these servers, in the client's own style; `read` does what the client does with that file:
which program, which arguments, which variables, which folder. What a client fills into texts is in `fills`.
"""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

if TYPE_CHECKING:
    from collections.abc import Callable

Server = dict[str, Any]
"""`argv` and `env`, and after reading perhaps `cwd`."""
GUI = ("HOME", "USER", "LOGNAME")
SHELL = ("HOME", "USER", "LOGNAME", "PATH", "SHELL", "LANG", "TERM")


@dataclass
class Family:
    """One way in which clients write servers down."""

    name: str
    client: str
    """As `stdioguard wrap` knows it; empty for files that are given by path."""
    place: str
    write: Callable[[dict[str, Server]], str]
    read: Callable[[str], dict[str, Server]]
    fills: dict[str, str] = field(default_factory=dict)
    """What the client puts in the place of its variables, `HOME` and `PROJECT` standing for folders."""
    passes: tuple[str, ...] = GUI
    """The variables of its own that it gives to servers; a client of the desktop has a bare PATH."""


def _common(key: str, **extra: Any) -> Callable[[dict[str, Server]], str]:
    """Write `key: {name: {command, args, env}}`; `key` may have dots between steps."""

    def write(servers: dict[str, Server]) -> str:
        value: Any = {
            name: {**extra, "command": one["argv"][0], "args": one["argv"][1:], "env": one["env"]}
            for name, one in servers.items()
        }
        for step in reversed(key.split(".")):
            value = {step: value}
        return json.dumps({"$schema": "x", **value}, indent=2)

    return write


def _uncommented(text: str) -> Any:
    """Read JSON with comments on lines of their own and commas at ends, as editors' settings have them."""
    return json.loads(re.sub(r",(\s*[}\]])", r"\1", re.sub(r"(?m)^\s*//.*$", "", text)))


def _commons(key: str, load: Callable[[str], Any] = json.loads) -> Callable[[str], dict[str, Server]]:
    def read(text: str) -> dict[str, Server]:
        value = load(text)
        for step in key.split("."):
            value = value[step]
        return {
            name: {"argv": [one["command"], *one.get("args", [])], "env": one.get("env", {}), "cwd": one.get("cwd")}
            for name, one in value.items()
        }

    return read


def _with_comment(write: Callable[[dict[str, Server]], str]) -> Callable[[dict[str, Server]], str]:
    return lambda servers: write(servers).replace("{\n", "{\n  // mine\n", 1).replace("}\n  }", "},\n  }")


def _claude_local(servers: dict[str, Server]) -> str:
    entries = {
        name: {"type": "stdio", "command": one["argv"][0], "args": one["argv"][1:], "env": one["env"]}
        for name, one in servers.items()
    }
    return json.dumps({"numStartups": 3, "projects": {"PROJECT": {"allowedTools": [], "mcpServers": entries}}}, indent=2)


def _read_claude_local(text: str) -> dict[str, Server]:
    [(folder, project)] = json.loads(text)["projects"].items()
    return {
        name: {"argv": [one["command"], *one["args"]], "env": one["env"], "cwd": folder}
        for name, one in project["mcpServers"].items()
    }


def _zed_nested(servers: dict[str, Server]) -> str:
    entries = {
        name: {"source": "custom", "command": {"path": one["argv"][0], "args": one["argv"][1:], "env": one["env"]}}
        for name, one in servers.items()
    }
    return "// Zed settings\n" + json.dumps({"theme": "One Dark", "context_servers": entries}, indent=2)


def _read_zed_nested(text: str) -> dict[str, Server]:
    entries = {name: one["command"] for name, one in _uncommented(text)["context_servers"].items()}
    return {name: {"argv": [one["path"], *one["args"]], "env": one["env"]} for name, one in entries.items()}


def _codex(servers: dict[str, Server]) -> str:
    text = 'model = "o4"  # mine\n'
    for name, one in servers.items():
        text += f"\n[mcp_servers.{name}]\ncommand = {json.dumps(one['argv'][0])}\nargs = {json.dumps(one['argv'][1:])}\n"
        text += f"startup_timeout_sec = 20\n\n[mcp_servers.{name}.env]\n"
        text += "".join(f"{key} = {json.dumps(value)}\n" for key, value in one["env"].items())
    return text


def _cline(servers: dict[str, Server]) -> str:
    entries = {
        name: {
            "transport": {"type": "stdio", "command": one["argv"][0], "args": one["argv"][1:], "env": one["env"]},
            "autoApprove": [], "disabled": False,
        }
        for name, one in servers.items()
    }  # fmt: skip
    return json.dumps({"mcpServers": entries}, indent=2)


def _read_cline(text: str) -> dict[str, Server]:
    entries = {name: one["transport"] for name, one in json.loads(text)["mcpServers"].items()}
    return {name: {"argv": [one["command"], *one["args"]], "env": one["env"]} for name, one in entries.items()}


def _continue(servers: dict[str, Server]) -> str:
    text = "name: mine\nversion: 1.0.0\nmcpServers:\n"
    for name, one in servers.items():
        text += f"  - name: {name}  # one of mine\n    command: {one['argv'][0]}\n    args:\n"
        text += "".join(f"      - {json.dumps(word)}\n" for word in one["argv"][1:])
        text += "    env:\n" + "".join(f"      {key}: {json.dumps(value)}\n" for key, value in one["env"].items())
    return text


def _read_continue(text: str) -> dict[str, Server]:
    entries = YAML(typ="safe", pure=True).load(text)["mcpServers"]
    return {one["name"]: {"argv": [one["command"], *one["args"]], "env": dict(one["env"] or {})} for one in entries}


def _goose(servers: dict[str, Server]) -> str:
    text = "GOOSE_MODEL: x\nextensions:\n  developer:\n    type: builtin\n    enabled: true\n"
    for name, one in servers.items():
        text += f"  {name}:\n    type: stdio\n    enabled: true\n    name: {name}\n    cmd: {one['argv'][0]}\n"
        text += f"    args: {json.dumps(one['argv'][1:])}\n    envs:\n"
        text += "".join(f"      {key}: {json.dumps(value)}\n" for key, value in one["env"].items()) + "    timeout: 300\n"
    return text


def _read_goose(text: str) -> dict[str, Server]:
    entries = YAML(typ="safe", pure=True).load(text)["extensions"]
    return {
        name: {"argv": [one["cmd"], *one["args"]], "env": dict(one["envs"] or {})}
        for name, one in entries.items()
        if one["type"] == "stdio"
    }


def _array(servers: dict[str, Server]) -> str:
    entries = {
        name: {"type": "local", "command": one["argv"], "environment": one["env"], "enabled": True}
        for name, one in servers.items()
    }
    return json.dumps({"$schema": "https://opencode.ai/config.json", "mcp": entries}, indent=2)


def _read_array(text: str) -> dict[str, Server]:
    return {name: {"argv": one["command"], "env": one["environment"]} for name, one in _uncommented(text)["mcp"].items()}


def _openclaw(servers: dict[str, Server]) -> str:
    text = "// mine\n{\n  mcp: {\n    servers: {\n"
    for name, one in servers.items():
        text += f"      {name}: {{ command: {json.dumps(one['argv'][0])}, args: {json.dumps(one['argv'][1:])}, env: {json.dumps(one['env'])}, }},\n"
    return text + "    },\n  },\n}\n"


def _read_openclaw(text: str) -> dict[str, Server]:
    quoted = re.sub(r"(?m)([{,]\s*|^\s*)([A-Za-z_]\w*):(?=\s)", r'\1"\2":', text)
    return _commons("mcp.servers", _uncommented)(quoted)


def _amp(servers: dict[str, Server]) -> str:
    return _common("mcpServers")(servers).replace('"mcpServers"', '"amp.mcpServers"')


def _read_amp(text: str) -> dict[str, Server]:
    return _commons("mcpServers")(text.replace('"amp.mcpServers"', '"mcpServers"'))


def _flat(servers: dict[str, Server]) -> str:
    return json.dumps(json.loads(_common("x")(servers))["x"], indent=2)


def _read_flat(text: str) -> dict[str, Server]:
    return _commons("x")(json.dumps({"x": json.loads(text)}))


_MCP = _common("mcpServers")
_READ = _commons("mcpServers")
_CODE = ".config/Code/User"

FAMILIES = (
    Family("Claude Desktop", "claude-desktop", ".config/Claude/claude_desktop_config.json", _MCP, _READ),
    Family("Claude Code, user", "claude-code", ".claude.json", _common("mcpServers", type="stdio"), _READ,
           fills={"${HOME}": "HOME", "${NOT_SET:-there}": "there"}, passes=SHELL),
    Family("Claude Code, project", "", "project/.mcp.json", _MCP, _READ, fills={"${HOME}": "HOME"}, passes=SHELL),
    Family("Claude Code, local", "claude-code", ".claude.json", _claude_local, _read_claude_local, passes=SHELL),
    Family("Cursor", "cursor", ".cursor/mcp.json", _MCP, _READ, fills={"${userHome}": "HOME", "${workspaceFolder}": "PROJECT"}),
    Family("VS Code", "vs-code", f"{_CODE}/mcp.json", _with_comment(_common("servers", type="stdio")), _commons("servers", _uncommented),
           fills={"${workspaceFolder}": "PROJECT", "${input:key}": "typed"}),
    Family("VS Code, settings", "vs-code", f"{_CODE}/settings.json", _with_comment(_common("mcp.servers")),
           _commons("mcp.servers", _uncommented), fills={"${env:HOME}": "HOME"}),
    Family("Visual Studio", "", "project/.vs/mcp.json", _common("servers", type="stdio"), _commons("servers")),
    Family("Windsurf", "windsurf", ".codeium/windsurf/mcp_config.json", _MCP, _READ, fills={"${env:HOME}": "HOME"}),
    Family("Zed", "zed", ".config/zed/settings.json", _with_comment(_common("context_servers")), _commons("context_servers", _uncommented)),
    Family("Zed, nested", "zed", ".config/zed/settings.json", _zed_nested, _read_zed_nested),
    Family("Codex", "codex", ".codex/config.toml", _codex, _commons("mcp_servers", tomllib.loads),
           passes=("HOME", "LOGNAME", "PATH", "SHELL", "USER", "LANG", "TERM", "TZ")),
    Family("Gemini CLI", "gemini-cli", ".gemini/settings.json", _common("mcpServers", timeout=600000), _READ,
           fills={"$HOME": "HOME", "${HOME}": "HOME"}, passes=SHELL),
    Family("Cline", "cline", f"{_CODE}/globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json",
           _common("mcpServers", disabled=False, autoApprove=[]), _READ, fills={"${env:HOME}": "HOME"}),
    Family("Cline, command line", "cline", ".cline/data/settings/cline_mcp_settings.json", _cline, _read_cline, passes=SHELL),
    Family("Roo Code", "roo-code", f"{_CODE}/globalStorage/rooveterinaryinc.roo-cline/settings/mcp_settings.json",
           _common("mcpServers", alwaysAllow=[]), _READ),
    Family("Kilo Code", "kilo-code", ".config/kilo/kilo.jsonc", _array, _read_array, fills={"{env:HOME}": "HOME"}),
    Family("Continue", "continue", ".continue/config.yaml", _continue, _read_continue, fills={"${{ secrets.WHERE }}": "kept"}),
    Family("Goose", "goose", ".config/goose/config.yaml", _goose, _read_goose, passes=SHELL),
    Family("JetBrains AI Assistant", "jetbrains-ai-assistant", ".ai/mcp/mcp.json", _MCP, _READ),
    Family("Junie", "junie", ".junie/mcp/mcp.json", _MCP, _READ),
    Family("LM Studio", "lm-studio", ".lmstudio/mcp.json", _MCP, _READ),
    Family("Amazon Q", "amazon-q", ".aws/amazonq/mcp.json", _common("mcpServers", timeout=60000), _READ, passes=SHELL),
    Family("Kiro", "kiro", ".kiro/settings/mcp.json", _common("mcpServers", disabled=False, autoApprove=[]), _READ,
           fills={"${HOME}": "HOME"}),
    Family("OpenClaw", "openclaw", ".openclaw/openclaw.json", _openclaw, _read_openclaw, passes=SHELL),
    Family("Warp", "warp", ".warp/.mcp.json", _flat, _read_flat, passes=SHELL),
    Family("opencode", "opencode", ".config/opencode/opencode.json", _array, _read_array, fills={"{env:HOME}": "HOME"}, passes=SHELL),
    Family("Copilot CLI", "copilot-cli", ".copilot/mcp-config.json", _common("mcpServers", type="local", tools=["*"]), _READ, passes=SHELL),
    Family("Qwen Code", "qwen-code", ".qwen/settings.json", _MCP, _READ, fills={"$HOME": "HOME"}, passes=SHELL),
    Family("Trae", "trae", ".config/Trae/User/mcp.json", _MCP, _READ),
    Family("Crush", "crush", ".config/crush/crush.json", _common("mcp", type="stdio"), _commons("mcp"), fills={"$HOME": "HOME"}, passes=SHELL),
    Family("Amp", "amp", ".config/amp/settings.json", _amp, _read_amp, passes=SHELL),
    Family("Mistral Vibe and others that give a file", "", "any.json", _MCP, _READ),
)  # fmt: skip
