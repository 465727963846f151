"""Where MCP clients keep what servers they start: one table, for what the sandbox protects and for what `installs/` finds and edits.

Plain data. Sources: the clients' documentation and source, and the tables of add-mcp, install-mcp, docker mcp-gateway and toolhive.
"""

from __future__ import annotations

import sys

LINUX, MACOS, WINDOWS = "linux", "macos", "windows"
PLATFORM = MACOS if sys.platform == "darwin" else WINDOWS if sys.platform == "win32" else LINUX


class ClientConfig:
    """One kind of file of one client.

    `user` gives its places by platform: relative to the home directory, absolute, or (Windows) below a `%VARIABLE%`; `project` relative to
    a project's root. `*` stands for one component that varies. `key` is the way to the servers in it, dots between, or `a|b` where
    versions differ; an empty alternative is the whole file. Which variables move a place is `protected.MOVED`.
    """

    __slots__ = ("client", "format", "key", "project", "user")

    def __init__(
        self,
        client: str,
        form: str,
        key: str,
        *,
        user: dict[str, tuple[str, ...]] | None = None,
        everywhere: tuple[str, ...] = (),
        project: tuple[str, ...] = (),
    ) -> None:
        self.client = client
        self.format = form
        self.key = key
        self.user = {platform: (user or {}).get(platform, ()) + everywhere for platform in (LINUX, MACOS, WINDOWS)}
        self.project = project


def _application(linux: str, macos: str, windows: str, *files: str) -> dict[str, tuple[str, ...]]:
    """Places in each platform's directory for an application's settings."""
    return {
        LINUX: tuple(f".config/{linux}/{file}" for file in files),
        MACOS: tuple(f"Library/Application Support/{macos}/{file}" for file in files),
        WINDOWS: tuple(f"%APPDATA%/{windows}/{file}" for file in files),
    }


def _editors(*files: str) -> dict[str, tuple[str, ...]]:
    """Places in the user directory of VS Code and of the editors made from it."""
    names = ("Code", "Code - Insiders", "VSCodium", "Cursor", "Windsurf", "Trae", "Qoder", "Kiro", "Antigravity")
    places = [_application(name, name, name, *(f"User/{file}" for file in files)) for name in names]
    found = {platform: tuple(path for place in places for path in place[platform]) for platform in (LINUX, MACOS, WINDOWS)}
    remote = tuple(f"{server}/data/User/{file}" for server in (".vscode-server", ".cursor-server") for file in files)
    return {LINUX: found[LINUX] + remote, MACOS: found[MACOS], WINDOWS: found[WINDOWS]}


_CLAUDE_DESKTOP = {
    LINUX: (".config/Claude/claude_desktop_config.json", ".config/claude/claude_desktop_config.json"),
    MACOS: ("Library/Application Support/Claude/claude_desktop_config.json",),
    WINDOWS: (
        "%APPDATA%/Claude/claude_desktop_config.json",
        "%LOCALAPPDATA%/Packages/Claude_pzs8sxrjxfjjc/LocalCache/Roaming/Claude/claude_desktop_config.json",
    ),
}
_EXTENSIONS = _application("Claude", "Claude", "Claude", "extensions-installations.json", "Claude Extensions/*/manifest.json")

CLIENT_CONFIGS = (
    ClientConfig("Claude Desktop", "json", "mcpServers", user=_CLAUDE_DESKTOP),
    ClientConfig("Claude Desktop", "json", "server.mcp_config", user=_EXTENSIONS),
    ClientConfig(
        "Claude Code", "json", "mcpServers", everywhere=(".claude.json", ".claude/settings.json", ".claude/settings.local.json"),
        project=(".mcp.json", ".claude/settings.json", ".claude/settings.local.json"),
        user={
            LINUX: ("/etc/claude-code/managed-mcp.json",),
            MACOS: ("/Library/Application Support/ClaudeCode/managed-mcp.json",),
            WINDOWS: ("%PROGRAMFILES%/ClaudeCode/managed-mcp.json",),
        },
    ),
    ClientConfig(
        "Claude Code", "json", "mcpServers|",
        everywhere=(
            ".claude/plugins/cache/*/*/*/.mcp.json", ".claude/plugins/cache/*/*/*/.claude-plugin/plugin.json",
            ".claude/plugins/repos/*/*/.mcp.json", ".claude/plugins/repos/*/*/.claude-plugin/plugin.json",
        ),
    ),
    ClientConfig("Cursor", "json", "mcpServers", everywhere=(".cursor/mcp.json",), project=(".cursor/mcp.json",)),
    ClientConfig("VS Code", "jsonc", "servers", user=_editors("mcp.json", "profiles/*/mcp.json"), project=(".vscode/mcp.json",)),
    ClientConfig("VS Code", "jsonc", "mcp.servers", user=_editors("settings.json"), project=(".vscode/settings.json",)),
    ClientConfig("VS Code", "jsonc", "settings.mcp.servers", project=("*.code-workspace",)),
    ClientConfig(
        "VS Code", "jsonc", "customizations.vscode.mcp.servers",
        project=(".devcontainer/devcontainer.json", ".devcontainer.json", ".devcontainer/*/devcontainer.json"),
    ),
    ClientConfig("Visual Studio", "json", "servers", user={WINDOWS: (".mcp.json",)}, project=(".vs/mcp.json", ".mcp.json")),
    ClientConfig(
        "Codex", "toml", "mcp_servers", everywhere=(".codex/config.toml", ".codex/*.config.toml"), project=(".codex/config.toml",),
        user={LINUX: ("/etc/codex/config.toml", "/etc/codex/managed_config.toml"),
              MACOS: ("/etc/codex/config.toml", "/etc/codex/managed_config.toml"), WINDOWS: ("%PROGRAMDATA%/OpenAI/Codex/config.toml",)},
    ),
    ClientConfig(
        "Gemini CLI", "jsonc", "mcpServers", everywhere=(".gemini/settings.json", ".gemini/extensions/*/gemini-extension.json"),
        project=(".gemini/settings.json",),
        user={
            LINUX: ("/etc/gemini-cli/settings.json", "/etc/gemini-cli/system-defaults.json"),
            MACOS: ("/Library/Application Support/GeminiCli/settings.json", "/Library/Application Support/GeminiCli/system-defaults.json"),
            WINDOWS: ("%PROGRAMDATA%/gemini-cli/settings.json", "%PROGRAMDATA%/gemini-cli/system-defaults.json"),
        },
    ),
    ClientConfig("Qwen Code", "json", "mcpServers", everywhere=(".qwen/settings.json",), project=(".qwen/settings.json",)),
    ClientConfig("Windsurf", "json", "mcpServers", everywhere=(
        ".codeium/windsurf/mcp_config.json", ".codeium/windsurf-next/mcp_config.json", ".codeium/mcp_config.json")),
    ClientConfig(
        "Zed", "jsonc", "context_servers", project=(".zed/settings.json",),
        user={LINUX: (".config/zed/settings.json",), MACOS: (".config/zed/settings.json",), WINDOWS: ("%APPDATA%/Zed/settings.json",)},
    ),
    ClientConfig(
        "Cline", "json", "mcpServers", user=_editors("globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json"),
        everywhere=(".cline/data/settings/cline_mcp_settings.json",),
    ),
    ClientConfig(
        "Roo Code", "json", "mcpServers", user=_editors("globalStorage/rooveterinaryinc.roo-cline/settings/mcp_settings.json"),
        project=(".roo/mcp.json",),
    ),
    ClientConfig(
        "Kilo Code", "jsonc", "mcp|mcpServers", everywhere=(".config/kilo/kilo.json", ".config/kilo/kilo.jsonc"),
        user=_editors("globalStorage/kilocode.kilo-code/settings/mcp_settings.json"),
        project=("kilo.json", "kilo.jsonc", ".kilo/kilo.json", ".kilo/kilo.jsonc", ".kilocode/kilo.json", ".kilocode/kilo.jsonc",
                 ".kilocode/mcp.json"),
    ),
    ClientConfig(
        "Continue", "yaml", "mcpServers",
        everywhere=(".continue/config.yaml", ".continue/mcpServers/*.yaml", ".continue/mcpServers/*.yml", ".continue/mcpServers/*.json"),
        project=(".continue/mcpServers/*.yaml", ".continue/mcpServers/*.yml", ".continue/mcpServers/*.json"),
    ),
    ClientConfig("Continue", "json", "experimental.modelContextProtocolServers", everywhere=(".continue/config.json",)),
    ClientConfig(
        "Goose", "yaml", "extensions",
        user={LINUX: (".config/goose/config.yaml",), MACOS: (".config/goose/config.yaml",),
              WINDOWS: ("%APPDATA%/Block/goose/config/config.yaml",)},
    ),
    ClientConfig(
        "opencode", "jsonc", "mcp|mcp.servers",
        everywhere=(
            ".config/opencode/opencode.json", ".config/opencode/opencode.jsonc", ".config/opencode/config.json",
            ".opencode/opencode.json", ".opencode/opencode.jsonc",
        ),
        project=("opencode.json", "opencode.jsonc", ".opencode/opencode.json", ".opencode/opencode.jsonc"),
    ),
    ClientConfig(
        "Kiro", "json", "mcpServers", everywhere=(".kiro/settings/mcp.json", ".kiro/agents/*.json"),
        project=(".kiro/settings/mcp.json", ".kiro/agents/*.json"),
    ),
    ClientConfig(
        "Amazon Q", "json", "mcpServers",
        everywhere=(".aws/amazonq/mcp.json", ".aws/amazonq/agents/*.json", ".aws/amazonq/cli-agents/*.json"),
        project=(".amazonq/mcp.json", ".amazonq/cli-agents/*.json", ".amazonq/agents/*.json"),
    ),
    ClientConfig("LM Studio", "json", "mcpServers", everywhere=(".lmstudio/mcp.json", ".cache/lm-studio/mcp.json")),
    ClientConfig(
        "Copilot CLI", "json", "mcpServers", everywhere=(".copilot/mcp-config.json",), project=(".mcp.json", ".github/mcp.json"),
    ),
    ClientConfig(
        "Copilot for JetBrains", "json", "servers",
        user={LINUX: (".config/github-copilot/*/mcp.json",), MACOS: (".config/github-copilot/*/mcp.json",),
              WINDOWS: ("%LOCALAPPDATA%/github-copilot/*/mcp.json",)},
    ),
    ClientConfig(
        "JetBrains AI Assistant", "xml", "McpApplicationServerCommands",
        user=_application("JetBrains", "JetBrains", "JetBrains", "*/options/llm.mcpServers.xml"),
        project=(".idea/workspace.xml", ".idea/.idea.*/.idea/workspace.xml"),
    ),
    ClientConfig(
        "JetBrains AI Assistant", "json", "mcpServers|", everywhere=(".ai/mcp/mcp.json",), project=(".ai/mcp/mcp.json", ".idea/mcp.json")
    ),
    ClientConfig("Junie", "json", "mcpServers", everywhere=(".junie/mcp/mcp.json",), project=(".junie/mcp/mcp.json", ".air/mcp.json")),
    ClientConfig(
        "Warp", "json", "mcpServers|mcp_servers|servers|mcp.servers|", everywhere=(".warp/.mcp.json",), project=(".warp/.mcp.json",)
    ),
    ClientConfig("OpenClaw", "json5", "mcp.servers", everywhere=(".openclaw/openclaw.json", ".clawdbot/clawdbot.json")),
    ClientConfig("Antigravity", "json", "mcpServers", everywhere=(".gemini/config/mcp_config.json", ".gemini/antigravity/mcp_config.json")),
    ClientConfig(
        "Amp", "json", "amp.mcpServers", project=(".amp/settings.json",),
        user={LINUX: (".config/amp/settings.json",), MACOS: (".config/amp/settings.json",), WINDOWS: ("%APPDATA%/amp/settings.json",)},
    ),
    ClientConfig("Amp", "jsonc", "amp.mcpServers", user=_editors("settings.json"), project=(".vscode/settings.json",)),
    ClientConfig(
        "Crush", "json", "mcp", project=(".crush.json", "crush.json"),
        user={LINUX: (".config/crush/crush.json",), MACOS: (".config/crush/crush.json",), WINDOWS: ("%LOCALAPPDATA%/crush/crush.json",)},
    ),
    ClientConfig("Kimi", "json", "mcpServers", everywhere=(".kimi-code/mcp.json", ".kimi/mcp.json"), project=(".kimi-code/mcp.json",)),
    ClientConfig("Factory", "json", "mcpServers", everywhere=(".factory/mcp.json",), project=(".factory/mcp.json",)),
    ClientConfig("Mistral Vibe", "toml", "mcp_servers", everywhere=(".vibe/config.toml",), project=(".vibe/config.toml",)),
    ClientConfig("Trae", "json", "mcpServers", user=_application("Trae", "Trae", "Trae", "User/mcp.json"), project=(".trae/mcp.json",)),
    ClientConfig("Qoder", "json", "mcpServers", user=_application("Qoder", "Qoder", "Qoder", "SharedClientCache/mcp.json")),
    ClientConfig("Witsy", "json", "mcpServers", user=_application("Witsy", "Witsy", "Witsy", "settings.json")),
    ClientConfig("Enconvo", "json", "mcpServers", everywhere=(".config/enconvo/mcp_config.json",)),
    ClientConfig("Sema4", "json", "mcpServers", everywhere=(".sema4ai/sema4ai-studio/mcp_servers.json",)),
    ClientConfig("Grok Build", "toml", "mcp_servers", everywhere=(".grok/config.toml",), project=(".grok/config.toml",)),
    ClientConfig("MCPorter", "json", "mcpServers", everywhere=(".mcporter/mcporter.json",), project=("config/mcporter.json",)),
    ClientConfig("Pi", "json", "mcpServers", everywhere=(".pi/agent/mcp.json", ".pi/mcp.json"), project=(".pi/mcp.json",)),
    ClientConfig("Mastra", "json", "mcpServers", everywhere=(".mastracode/mcp.json",), project=(".mastracode/mcp.json",)),
    ClientConfig("fx", "json", "mcp", everywhere=(".fx/mcp.json",)),
)  # fmt: skip
"""Every client that is known, most used first; a client with files of several kinds has several entries."""
