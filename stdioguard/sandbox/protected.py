"""What is protected by default, even below a writable grant: names that a person's own programs run or obey without asking.

A server that writes one of them acts later, outside its sandbox, as the person. Data, in groups with the reason for each. A name is
listed only if something obeys it by its mere presence; what is run because a person says so (a Makefile, a test, `package.json`) is not.

`user` paths are relative to the home directory; `project` names hold anywhere, so that they also cover a repository of settings
that a home directory is linked to.
"""

from __future__ import annotations

import os

from stdioguard.sandbox import clients
from stdioguard.sandbox.patterns import EMBEDDED_REPOSITORY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Group:
    """Names that are protected for one reason."""

    __slots__ = ("name", "project", "reason", "system", "user")

    def __init__(
        self, name: str, reason: str, *, user: tuple[str, ...] = (), project: tuple[str, ...] = (), system: tuple[str, ...] = ()
    ) -> None:
        self.name = name
        self.reason = reason
        self.user = user
        self.project = project
        self.system = system


GROUPS = (
    Group(
        "git", "git runs the hooks and obeys the settings that it finds there",
        project=(
            ".git/hooks", ".git/config", ".git/config.worktree", ".git/commondir", ".git/worktrees/*/config.worktree",
            ".git/worktrees/*/commondir", ".git/worktrees/*/gitdir", ".git/modules/**/hooks", ".git/modules/**/config",
            ".git/modules/**/config.worktree", ".git/modules/**/commondir", "*.git/hooks", "*.git/config", ".gitconfig",
            ".hg/hgrc", ".hg/hgrc-not-shared", ".hg/sharedpath", ".jj/repo/config.toml", ".jj/repo/store/git_target",
        ),
        user=(".config/git", ".git-template", ".git-templates", ".githooks", ".config/jj", ".jjconfig.toml", ".hgrc", ".config/hg"),
    ),
    Group(
        "git hooks managers", "hooks of git are made from it",
        project=(
            ".husky", ".pre-commit-config.yaml", ".pre-commit-config.yml", "lefthook.yml", "lefthook.yaml", "lefthook-local.yml",
            ".lefthook.yml", ".lefthook", ".lefthook-local", ".overcommit.yml", ".git-hooks", ".githooks", ".simple-git-hooks.json",
            ".simple-git-hooks.js", ".simple-git-hooks.cjs", ".lintstagedrc*", "lint-staged.config.*",
        ),
    ),
    Group(
        "shells", "a shell runs it at its start or end",
        project=(
            ".bashrc", ".bash_profile", ".bash_login", ".bash_logout", ".bash_aliases", ".bashrc.d", ".profile", ".shrc", ".shinit",
            ".zshrc", ".zshenv", ".zprofile", ".zlogin", ".zlogout", ".zsh_plugins.txt", ".zimrc", ".kshrc", ".mkshrc", ".yashrc",
            ".cshrc", ".tcshrc", ".login", ".logout", ".xonshrc", ".inputrc", ".envrc", ".direnv", ".autoenv.zsh", ".p10k.zsh",
            ".mise.toml", ".mise.*.toml", "mise.toml", "mise.*.toml", ".mise", ".rtx.toml", ".tool-versions",
        ),
        user=(
            ".config/fish", ".local/share/fish/vendor_conf.d", ".config/nushell", ".config/powershell", ".config/xonsh", ".config/elvish",
            ".elvish", ".config/zsh", ".config/bash", ".zsh", ".oh-my-zsh", ".oh-my-bash", ".bash_it", ".zim", ".zinit", ".antigen",
            ".antidote", ".zplug", ".zprezto", ".bash_completion", ".bash_completion.d", ".local/share/bash-completion",
            ".config/starship.toml", ".config/direnv", ".local/share/direnv", ".config/environment.d", ".pam_environment",
        ),
    ),
    Group(
        "editors", "an editor obeys it, or runs what it names, when the folder or the editor is opened",
        project=(
            ".vscode", "*.code-workspace", ".idea", ".vs", ".fleet", ".zed", ".nova", ".devcontainer", ".devcontainer.json", ".vim",
            ".exrc", ".vimrc", ".gvimrc", ".lvimrc", ".local.vimrc", "_vimrc", ".nvimrc", ".nvim.lua", ".lazy.lua", ".vimspector.json",
            ".emacs", ".emacs.d", ".dir-locals.el", ".dir-locals-2.el", ".helix", ".kakrc", ".theia",
        ),
        user=(
            ".config/nvim", ".local/share/nvim", ".local/state/nvim", ".config/vim", ".config/emacs", ".spacemacs", ".spacemacs.d",
            ".doom.d", ".config/doom", ".config/helix", ".config/kak", ".config/micro", ".nanorc", ".config/nano", ".config/zed",
            ".local/share/zed", ".config/lapce-stable", ".config/sublime-text", ".config/sublime-text-3", ".config/JetBrains",
            ".local/share/JetBrains", ".config/Code", ".config/Code - Insiders", ".config/VSCodium", ".config/Cursor", ".config/Windsurf",
            ".config/Trae", ".config/Qoder", ".config/Kiro", ".config/Antigravity", ".vscode-server", ".vscode-server-insiders",
            ".vscodium-server", ".cursor-server", ".windsurf-server", ".vscode-oss", ".vscode-insiders", ".vscode-remote-containers",
            ".var/app/*/config", "Library/Application Support/Code", "Library/Application Support/Code - Insiders",
            "Library/Application Support/VSCodium", "Library/Application Support/Cursor", "Library/Application Support/Windsurf",
            "Library/Application Support/Zed", "Library/Application Support/JetBrains", "Library/Application Support/Sublime Text",
            "Library/Application Support/Trae", "Library/Application Support/Qoder", "Library/Application Support/Kiro",
            "Library/Application Support/Antigravity",
        ),
    ),
    Group(
        "agents", "an agent takes it for its person's instructions, or runs what it names",
        project=(
            "AGENTS.md", "AGENTS.override.md", "AGENT.md", "CLAUDE.md", "CLAUDE.local.md", "GEMINI.md", "QWEN.md", "CRUSH.md", "WARP.md",
            "KIMI.md", "JULES.md", "replit.md", ".cursorrules", ".cursorignore", ".cursor", ".windsurfrules", ".windsurf", ".devin",
            ".rules", ".clinerules", ".clinerules-*", ".clineignore", ".cline", ".roo", ".roorules", ".roorules-*", ".roomodes", ".kiro",
            ".kilo", ".kilocode", ".kilocodemodes", ".continue", ".continuerules", ".continuerc.json", ".claude", ".claude-plugin",
            ".codex", ".gemini", ".qwen", ".junie", ".air", ".amazonq", ".aider.conf.yml", ".aider.model.settings.yml",
            ".aider.model.metadata.json", ".goosehints", ".goose", ".opencode", ".crush", ".amp", ".factory", ".augment",
            ".augment-guidelines", ".augmentignore", ".trae", ".qoder", ".lingma", ".openhands", ".openhands_instructions", ".tabnine",
            ".agents", ".agent", ".rovodev", ".firebender", ".grok", ".pi", ".mastracode", ".kimi-code", ".vibe", ".warp", ".zencoder",
            ".codebuddy", ".copilot", ".sourcegraph", ".cody", ".github/copilot-instructions.md", ".github/instructions",
            ".github/prompts", ".github/agents", ".github/chatmodes", ".github/skills", ".github/hooks", ".github/copilot",
            ".github/mcp.json",
        ),
        user=(
            ".claude.json", ".config/claude", ".config/Claude", ".codeium", ".config/goose", ".local/share/goose", ".config/opencode",
            ".local/share/opencode", ".config/crush", ".local/share/crush", ".config/amp", ".config/kilo", ".lmstudio",
            ".config/github-copilot", ".openclaw", ".clawdbot", ".mcporter", ".sema4ai", ".fx", ".kimi", ".config/enconvo",
            ".config/Witsy", ".config/io.datasette.llm", ".aws/amazonq", ".config/agents", ".config/AGENTS.md",
            "Library/Application Support/Claude", "Library/Application Support/Witsy",
        ),
    ),
    Group(
        "autostart", "the system or the desktop starts it",
        user=(
            ".config/autostart", ".config/autostart-scripts", ".config/systemd", ".local/share/systemd", ".config/upstart", ".init",
            ".local/share/dbus-1", ".local/share/applications", ".config/mimeapps.list", ".local/share/mime", ".config/plasma-workspace",
            ".config/lxsession", ".config/openbox", ".config/i3", ".config/sway", ".config/hypr", ".config/river", ".config/niri",
            ".config/labwc", ".config/bspwm", ".config/awesome", ".config/qtile", ".xmonad", ".config/xmonad", ".config/wayfire.ini",
            ".local/share/gnome-shell", ".local/share/plasma", ".local/share/kwin", ".local/share/nautilus/scripts",
            ".local/share/nautilus-python", ".config/uwsm", ".xinitrc", ".xsession", ".xsessionrc", ".xprofile", ".Xsession",
            ".Xresources", ".config/kitty", ".config/alacritty", ".config/ghostty", ".config/wezterm", ".wezterm.lua", ".tmux.conf",
            ".tmux", ".config/tmux", ".config/zellij", ".screenrc", ".config/cron", ".config/pm2", ".pm2", ".config/supervisor",
            "Library/LaunchAgents", "Library/LaunchDaemons", "Library/Application Scripts", "Library/Services", "Library/Scripts",
            "Library/Automator", "Library/Workflows", "Library/Input Methods", "Library/PreferencePanes", "Library/QuickLook",
            "Library/Spotlight", "Library/ScriptingAdditions", "Library/Preferences", "Library/ColorPickers", "Library/Internet Plug-Ins",
            "Library/Application Support/com.apple.backgroundtaskmanagementagent",
        ),
        system=("/etc", "/var/spool/cron", "/Library", "/private/etc", "/private/var/at"),
    ),
    Group(
        "package managers", "a package manager obeys it at its next run",
        project=(
            ".npmrc", ".pnpmfile.cjs", ".pnpmfile.mjs", ".yarnrc", ".yarnrc.yml", ".yarn/releases", ".yarn/plugins", "bunfig.toml",
            ".bunfig.toml", "pip.conf", "uv.toml", ".condarc", ".cargo/config", ".cargo/config.toml", ".bundle/config", ".mvn", ".gemrc",
            ".pypirc", ".pydistutils.cfg",
        ),
        user=(
            ".npm", ".config/npm", ".yarn", ".config/yarn", ".cache/yarn", ".pnpm-store", ".local/share/pnpm", ".cache/pnpm",
            ".config/pnpm", ".bun", ".cache/node", ".cache/node-gyp", ".node-gyp", ".volta", ".nvm", ".fnm", ".local/share/fnm", ".n",
            ".nodenv", ".deno", ".cache/deno", ".pip", ".config/pip", ".cache/pip", ".config/uv", ".cache/uv", ".local/share/uv",
            ".local/share/pipx", ".local/pipx", ".cache/pipx", ".conda", ".config/conda", ".config/pypoetry", ".cache/pypoetry",
            ".local/share/pypoetry", ".local/share/virtualenvs", ".local/share/hatch", ".config/hatch", ".pyenv", ".rbenv", ".rvm", ".asdf",
            ".asdfrc", ".config/mise", ".local/share/mise", ".sdkman", ".cargo", ".rustup", ".config/go", "go/bin", "go/pkg/mod",
            ".cache/go-build", ".gem", ".bundle", ".local/share/gem", ".m2", ".gradle", ".ivy2", ".sbt", ".cache/coursier", ".composer",
            ".config/composer", ".nuget", ".config/NuGet", ".dotnet", ".cabal", ".config/cabal", ".ghcup", ".stack", ".opam", ".julia",
            ".cpan", ".cpanm", ".luarocks", ".cache/pre-commit", ".cache/ms-playwright", ".cache/puppeteer", ".cache/selenium",
            ".cache/electron", ".linuxbrew", ".nix-profile", ".nix-defexpr", ".config/nix", ".config/nixpkgs", ".config/home-manager",
            ".local/share/flatpak", ".vagrant.d", ".config/terraform", ".terraformrc", ".terraform.d", ".ansible", ".ansible.cfg",
            "Library/Caches/pip", "Library/Caches/uv", "Library/Caches/Yarn", "Library/Caches/pnpm", "Library/pnpm",
            "Library/Caches/ms-playwright", "Library/Caches/pypoetry", "Library/Caches/Coursier", "Library/Caches/deno",
            "Library/Application Support/pip", "Library/Application Support/uv", "Library/Python",
        ),
    ),
    Group(
        "programs", "it is on the search path of programs or modules",
        user=("bin", ".local/bin", ".bin", "Applications", ".local/lib", ".local/libexec"),
    ),
    Group(
        "interpreters and tools", "an interpreter or tool runs it at its start",
        project=(".Rprofile", ".Renviron", ".ghci", ".iex.exs", ".irbrc", ".pryrc", ".pdbrc", ".pdbrc.py", ".gdbinit", ".lldbinit"),
        user=(
            ".config/gdb", ".psqlrc", ".sqliterc", ".my.cnf", ".mylogin.cnf", ".pythonrc", ".pythonrc.py", ".pythonstartup", ".ipython",
            ".jupyter", ".local/share/jupyter", ".config/matplotlib", ".curlrc", ".config/curlrc", ".wgetrc", ".lesskey", ".lessfilter",
            ".config/lesskey", ".mailcap", ".nethackrc", ".digrc", ".config/bat", ".config/ranger", ".config/lf", ".config/yazi",
            ".config/mc", ".config/htop", ".config/mpv", ".config/feh", ".ackrc", ".config/gh", ".config/glab-cli", ".config/tig",
            ".tigrc", ".config/lazygit", ".guile", ".sbclrc", ".config/common-lisp", ".clojure", ".lein", ".octaverc", ".mozilla",
            ".config/google-chrome", ".config/chromium", ".config/BraveSoftware", ".thunderbird", ".config/keepassxc", ".config/1Password",
        ),
    ),
    Group(
        "keys and accounts", "it says who may act as you, or how your programs reach others",
        project=(".ssh", ".gnupg", ".netrc"),
        user=(
            ".aws", ".azure", ".config/gcloud", ".oci", ".kube", ".docker", ".config/containers", ".local/share/containers", ".config/helm",
            ".local/share/helm", ".config/sops", ".password-store", ".pgpass", ".vault-token", ".vault", ".config/rclone", ".config/op",
            ".config/doctl", ".config/flyctl", ".fly", ".config/heroku", ".config/netlify", ".config/vercel", ".wrangler",
            ".config/.wrangler", ".local/share/keyrings", ".local/share/kwalletd", ".config/kwalletrc", ".pki", ".Xauthority",
            ".ICEauthority", ".rhosts", ".shosts", ".k5login", ".forward", ".procmailrc", ".config/msmtp", ".msmtprc",
            "Library/Keychains", "Library/Group Containers", "Library/Containers",
        ),
    ),
)  # fmt: skip

CLIENTS_REASON = "an MCP client starts the servers that it names"
OWN_REASON = "stdioguard obeys what it finds there"

MOVED = {
    "XDG_CONFIG_HOME": ".config", "XDG_DATA_HOME": ".local/share", "XDG_CACHE_HOME": ".cache", "XDG_STATE_HOME": ".local/state",
    "CLAUDE_CONFIG_DIR": ".claude", "CODEX_HOME": ".codex", "COPILOT_HOME": ".copilot", "CLINE_DIR": ".cline",
    "CARGO_HOME": ".cargo", "RUSTUP_HOME": ".rustup", "GNUPGHOME": ".gnupg", "GRADLE_USER_HOME": ".gradle", "NVM_DIR": ".nvm",
    "PYENV_ROOT": ".pyenv", "VOLTA_HOME": ".volta", "BUN_INSTALL": ".bun", "DENO_DIR": ".cache/deno", "UV_CACHE_DIR": ".cache/uv",
    "PIP_CACHE_DIR": ".cache/pip", "NPM_CONFIG_CACHE": ".npm", "npm_config_cache": ".npm", "PNPM_HOME": ".local/share/pnpm",
    "YARN_CACHE_FOLDER": ".cache/yarn", "PYTHONUSERBASE": ".local", "DOCKER_CONFIG": ".docker",
    "PLAYWRIGHT_BROWSERS_PATH": ".cache/ms-playwright", "ZDOTDIR": ".config/zsh", "GIT_CONFIG_GLOBAL": ".gitconfig",
    "NPM_CONFIG_USERCONFIG": ".npmrc", "npm_config_userconfig": ".npmrc", "PIP_CONFIG_FILE": ".pip/pip.conf", "BASH_ENV": ".bashrc",
    "ENV": ".shrc", "PYTHONSTARTUP": ".pythonrc", "KUBECONFIG": ".kube", "AWS_CONFIG_FILE": ".aws/config",
    "AWS_SHARED_CREDENTIALS_FILE": ".aws/credentials", "OPENCODE_CONFIG": ".config/opencode/opencode.json", "GOBIN": "go/bin",
}  # fmt: skip
"""Environment variables that move what is at a place below the home directory: what is protected there is protected where they point."""


def patterns(home: str, own_places: Iterable[str], environment: Mapping[str, str] | None = None) -> list[str]:
    """Return the patterns of all that is protected on this platform for the user with this home directory.

    `own_places` are stdioguard's own directories. `environment` is that of the person's programs (default: this process's). Where a
    name in the home directory is a symbolic link, what it leads to is protected too: many keep settings in a repository and link to it.
    """
    environment = os.environ if environment is None else environment
    user = [path for group in GROUPS for path in group.user]
    found = {f"**/{path}": None for group in GROUPS for path in group.project}
    found[EMBEDDED_REPOSITORY] = None
    found.update(dict.fromkeys(path for group in GROUPS for path in group.system))
    for config in clients.CLIENT_CONFIGS:
        user += config.user[clients.PLATFORM]
        found.update(dict.fromkeys(f"**/{_own_name(path)}" for path in config.project))
    places = [*own_places, *(path if path.startswith("/") else f"{home}/{path}" for path in user), *_moved(user, environment)]
    links = _Links()
    for place in places:
        found[place] = None
        leads_to = links.resolved(place)
        if leads_to is not None:
            found[leads_to] = None
    return list(found)


def _own_name(path: str) -> str:
    """Return a project's file so that no ordinary directory name is part of it: what leads to a protected name cannot be moved."""
    return path if path.startswith(".") else path.rpartition("/")[2]


def _moved(user: list[str], environment: Mapping[str, str]) -> list[str]:
    found = []
    for variable, usual in MOVED.items():
        for place in environment.get(variable, "").split(os.pathsep):
            if place.startswith("/") and place.strip("/"):
                there = "/" + os.path.normpath(place).lstrip("/")
                inside = [path[len(usual) :] for path in user if path.startswith(usual + "/")]
                found += [there + path for path in inside] if usual in _SHARED else [there]
    return found


_SHARED = frozenset({".config", ".local", ".local/share", ".local/state", ".cache"})
"""Directories of which only parts are protected."""


def reason(pattern: str) -> str:
    """Return why a pattern of `patterns` is protected."""
    for group in GROUPS:
        for path in (*group.project, *group.user, *group.system):
            if pattern == path or pattern.endswith("/" + path):
                return group.reason
    if pattern == EMBEDDED_REPOSITORY:
        return "it makes a git repository of the folder it is in, whose settings git obeys"
    for config in clients.CLIENT_CONFIGS:
        for path in (*config.project, *config.user[clients.PLATFORM]):
            if pattern == path or pattern.endswith("/" + _own_name(path)):
                return CLIENTS_REASON
    return OWN_REASON


class _Links:
    """Finds what paths lead to, with one look at each directory on the way to them."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[str, str | None] = {"": ""}

    def resolved(self, path: str) -> str | None:
        """Return the canonical path where it is not `path` itself; `None` too where there is nothing at it, or it has wildcards."""
        if "*" in path or "?" in path:
            return None
        found = self._find(path)
        return None if found == path else found

    def _find(self, path: str) -> str | None:
        if path in self._known:
            return self._known[path]
        parent, _, name = path.rpartition("/")
        above = self._find(parent)
        found = None
        if above is not None:
            found = f"{above}/{name}"
            try:
                os.readlink(found)
            except FileNotFoundError:
                found = None
            except OSError:
                pass  # there, and no link
            else:
                found = os.path.realpath(found)
        self._known[path] = found
        return found
