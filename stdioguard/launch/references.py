"""`secret:NAME` in what a client's entry gives a server: found, held against what the secret is bound to, and replaced by the value.

A reference stands where a variable has it for its whole value, where it is a whole argument, or what follows the first `=` of one.

Whoever can write an entry, such as the author of a project that somebody opens, can name any secret in it. So a secret that was moved out
of an entry is bound to that entry: the server's name, the profile, every word of the command, every variable that the entry sets. What a
client fills in (`${workspaceFolder}`) is left open, but may not begin an option. That alone would not do, since the same words start
something else where PATH, a package manager's folder or the working directory is another one. So PATH loses the folders that were not in it
when the secret was bound, package managers' folders are those of then, and code in a working directory that the entry does not name is
refused, or that the client fills in.
A secret that is bound to nothing is for profiles alone.
"""

from __future__ import annotations

import os
import re

from stdioguard.identity import secrets
from stdioguard.launch import environment as variables
from stdioguard.launch.errors import CONFIGURATION, REFUSED, LaunchError
from stdioguard.policy import environment as names
from stdioguard.policy import places
from stdioguard.policy.variables import own_arguments
from stdioguard.sandbox import permissions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from stdioguard.launch.run import Options
    from stdioguard.policy.policy import Policy
    from stdioguard.sandbox.permissions import Resolved
    from stdioguard.sandbox.plan import Plan

_FILLED_IN = re.compile(r"\$\{\{[^{}]*\}\}|\$\{[^{}]*\}|\{\w+:[^{}]*\}|\$[A-Za-z_]\w*|%[A-Za-z_]\w*%")
"""What a client replaces in a text that it does not take literally: `${X}`, `${env:X}`, `${{ X }}`, `{env:X}`, `$X`, `%X%`."""

_HOME = re.compile(r"\$\{(?:env:)?HOME\}|\$\{userHome\}|\{env:HOME\}|\$HOME\b")
"""What stands for the home folder, which is bound itself."""

_FOLDERS_OF_CODE = re.compile(
    r"(NPM_CONFIG_CACHE|NPM_CONFIG_PREFIX|UV_\w+|PIPX_\w+|(PY|NOD|RB|GO)ENV_\w+|ASDF_\w+|MISE_\w+|VOLTA_HOME|NVM_\w+|DENO_DIR|BUN_INSTALL\w*"
    r"|XDG_DATA_HOME|XDG_CACHE_HOME|SHELL)\Z",
    re.IGNORECASE,
)
"""Variables that decide which copy of a program or package is started."""

_OF_A_SESSION = re.compile(
    r"(LANG|LANGUAGE|LC_\w+|TZ|DISPLAY|WAYLAND_DISPLAY|XAUTHORITY|COLORTERM|NO_COLOR|SSH_AUTH_SOCK|DBUS_SESSION_BUS_ADDRESS"
    r"|XDG_RUNTIME_DIR)\Z"
)
"""Variables that differ from one login to the next and turn no server to another address."""

_OF_A_PROJECT = frozenset(
    {
        "bun", "bundle", "bunx", "cargo", "deno", "docker", "docker-compose", "dotnet", "go", "gradle", "hatch", "just", "make", "mvn",
        "npm", "npx", "nx", "pdm", "pipenv", "pipx", "pnpm", "pnpx", "podman", "poetry", "rake", "rye", "task", "ts-node", "tsx", "turbo",
        "uv", "uvx", "vite-node", "yarn",
    }
)  # fmt: skip
"""Programs that take code, or settings that choose it, from the project in whose folder they are started."""

_FOLDER_OPTIONS = frozenset({"--cwd", "--directory", "--prefix", "--project", "-C"})


class BindingError(Exception):
    """An entry that no secret can be bound to, with the reason and what to do, in one line."""


def binding(
    server: str,
    command: Sequence[str],
    *,
    profile: str,
    given: Mapping[str, str],
    cwd: str | None,
    own: Mapping[str, str],
    passed: Sequence[str] = (),
    waived: Sequence[str] = (),
    is_literal: Callable[[str], bool] = lambda _: True,
) -> dict[str, Any]:
    """Return what the secrets of an entry are to be bound to (`secrets.put`, `bound`), so that `run` gives them to it.

    `server`, `profile` and `command` are what `run` is told: `--server`, `--profile`, and the words of the server, with references where
    secrets were. `given` is the entry's `env`, with references too, `passed` the names in the profile's `[sandbox] environment`, `own` the
    environment of now, whose PATH is searched. `cwd` is the folder that the entry starts in, where that is always the same: it sets one,
    or is a project's own. `waived` are the guarantees of `--allow-degraded`. `is_literal` tells whether the client takes a text as it
    stands. Raises `BindingError`.
    """
    literal = {name: value for name, value in given.items() if is_literal(value)}
    path = variables.search_path({**own, **literal})
    if is_literal(command[0]) and not _is_found(command[0], path, cwd):
        raise BindingError(
            f"{command[0]} is in no folder of PATH, so what it starts is not known; install it, or give its absolute path"
        )
    parts = [_parts(word, is_literal) for word in command]
    if is_open := [word for word, fixed in zip(_of_code(command), parts, strict=False) if len(fixed) > 1 and cwd is None]:
        raise BindingError(
            f"{is_open[0]} leaves it to the client which code is run; name it by its path in the entry, or set cwd there"
        )
    of_profile = {
        name: own[name] for name in passed if name in own and not names.is_forbidden(name) and not _OF_A_SESSION.match(name)
    }
    kept = of_profile | dict(given)
    return {
        "server": server,
        "profile": _profile(profile),
        "command": parts,
        "environment": [[name, _parts(value, is_literal)] for name, value in sorted(kept.items()) if name not in names.BASE],
        "required": sorted(name for name in given if name not in names.BASE and variables.can_be_passed(name)),
        "cwd": os.path.realpath(cwd) if cwd is not None and os.path.isabs(cwd) and is_literal(cwd) else None,
        "path": path,
        "folders": [[name, value] for name, value in sorted({**own, **literal}.items()) if _FOLDERS_OF_CODE.match(name)],
        "places": _places(),
        "waived": sorted(waived),
    }


class References:
    """The references of one launch. What is not bound to it ends it here, before anything is read or started."""

    def __init__(self, policy: Policy, server: str, options: Options, environment: dict[str, str], own: dict[str, str]) -> None:
        """Find the references, and put the PATH and the folders of code that they are bound to into `environment` and `own`."""
        self._command = command = options.command
        self._environment = environment
        self._values: dict[str, str] = {}
        self._is_anywhere = False
        self._open: list[str] = []
        self._words: list[str] = []
        self._names = {name for name in map(secrets.reference, environment.values()) if name is not None}
        self._names |= {name for word in command if (name := _in_word(word)[1]) is not None}
        of_profile = {secrets.reference(text) for text in policy.sandbox["secrets"].values()}
        by_client = {_in_word(word)[1] for word in command} | {
            secrets.reference(value) for name, value in environment.items() if name not in policy.sandbox["secrets"]
        }
        self._is_bound = False
        for name in sorted(self._names):
            bound = self._bound(name, f" ({policy.source})" if name in of_profile else "")
            if bound is None and name in by_client:
                hint = "name it under [sandbox] secrets of a profile instead"
                raise LaunchError(REFUSED, f"secret:{name} is bound to no entry, so a client's config may not use it; {hint}")
            if bound is not None:
                why = self._other(bound, server, options, policy)
                if why:
                    raise LaunchError(
                        REFUSED,
                        f"secret:{name} is not for this entry: {why}; if you have changed it yourself, run stdioguard wrap again",
                    )
                self._take(name, bound, own)

    def read(self, resolved: Resolved) -> None:
        """Read the values, once it is known what is started. Raises `LaunchError`."""
        if self._is_bound:
            self._check_code(resolved)
        for name in sorted(self._names):
            try:
                self._values[name] = secrets.get(name)
            except secrets.SecretError as error:
                raise LaunchError(CONFIGURATION, str(error)) from None

    def reveal(self, plan: Plan, resolved: Resolved) -> None:
        """Put the values in the place of the references, in what the server is started with and nowhere else."""
        plan.argv = [self._revealed(word) for word in plan.argv]
        for name in {*self._environment, *resolved.environment}:
            found = secrets.reference(plan.environment.get(name, ""))
            if found in self._values:
                plan.environment[name] = self._values[found]

    def _revealed(self, word: str) -> str:
        before, name = _in_word(word)
        return before + self._values[name] if name in self._values else word

    def _bound(self, name: str, source: str) -> dict[str, Any] | None:
        try:
            return secrets.bound_to(name)
        except secrets.SecretError as error:
            text = str(error)
            raise LaunchError(CONFIGURATION, text.replace(f"secret:{name}", f"secret:{name}{source}", 1)) from None

    def _other(self, bound: dict[str, Any], server: str, options: Options, policy: Policy) -> str:
        """Return in what this launch differs from the entry that a secret is bound to; empty if in nothing."""
        try:
            if bound["server"] != server:
                return f'it is bound to the server "{bound["server"]}"'
            if bound["profile"] != _profile(options.profile):
                return f"it is bound to the profile {bound['profile']}"
            if not set(options.waived) <= set(bound["waived"]):
                return "it is bound to a stricter sandbox, without this --allow-degraded"
            if bound["places"] != _places():
                return "HOME, or a variable that moves stdioguard's own folders, was another"
            if len(bound["command"]) != len(self._command):
                return "it is bound to another command"
            for parts, word in zip(bound["command"], self._command, strict=True):
                if not _fits(parts, word):
                    return "it is bound to another command"
            known: dict[str, list[str]] = dict(bound["environment"])
            for name, value in self._environment.items():
                if name in names.BASE or name in policy.sandbox["secrets"] or (name not in known and _OF_A_SESSION.match(name)):
                    continue
                if name not in known or not _fits(known[name], value):
                    return f"the variable {name} was {'another' if name in known else 'not set'}"
            for name in bound["required"]:
                if name not in self._environment:
                    return f"the variable {name} was set"
            if bound["cwd"] is not None and bound["cwd"] != os.path.realpath(os.getcwd()):
                return f"it is bound to the working directory {bound['cwd']}"
        except (KeyError, TypeError, ValueError, IndexError, AttributeError):
            return "what it is bound to is not known to this version"
        return ""

    def _take(self, name: str, bound: dict[str, Any], own: dict[str, str]) -> None:
        """Let programs be found nowhere but where they could be when the secret was bound."""
        self._is_bound = True
        self._is_anywhere |= bound["cwd"] is None
        for variable in [variable for variable in own if _FOLDERS_OF_CODE.match(variable)]:
            del own[variable]
        own |= dict(bound["folders"])
        folders, known = self._environment["PATH"].split(":"), bound["path"].split(":")
        path = variables.search_path({"PATH": ":".join(folder for folder in folders if folder in known)})
        for folder in folders:
            if _is_found(self._command[0], folder, None) and not _is_found(self._command[0], path, None):
                hint = "if that is right, run stdioguard wrap again"
                raise LaunchError(
                    REFUSED, f"secret:{name} is not for {self._command[0]} of {folder}, which was not in PATH then; {hint}"
                )
        own["PATH"] = self._environment["PATH"] = path
        for variable in ("SHELL", *self._environment):
            if _FOLDERS_OF_CODE.match(variable):
                self._environment.pop(variable, None)
                if variable in own:
                    self._environment[variable] = own[variable]
        self._words = [parts[0] for parts in bound["command"] if len(parts) == 1]
        self._open += [word for word, parts in zip(_of_code(self._command), bound["command"], strict=False) if len(parts) > 1]

    def _check_code(self, resolved: Resolved) -> None:
        """Refuse code that is what it is only because of the folder that the client was started in."""
        cwd = os.path.realpath(os.getcwd())
        home = os.path.realpath(os.path.expanduser("~"))
        for word in self._open:
            path = os.path.join(cwd, word.partition("=")[2] if word.startswith("-") else word)
            is_inside = os.path.exists(path) and os.path.realpath(path).startswith(f"{cwd}/")
            if self._is_anywhere or not is_inside or (resolved.kind == "sh" and not resolved.scripts):
                hint = "name the code by its path in the client's entry"
                raise LaunchError(REFUSED, f"secret:{min(self._names)} is not for code that the client fills in: {word}; {hint}")
        if not self._is_anywhere or cwd in ("/", home) or home.startswith(f"{cwd}/"):
            return
        named = [os.path.dirname(word) for word in self._words if word.startswith("/")]
        following = zip(self._words, self._words[1:], strict=False)
        folders = [os.path.realpath(word) for option, word in following if option in _FOLDER_OPTIONS and word.startswith("/")]
        why = ""
        called = permissions.called(resolved)
        if resolved.kind == "sh" and not resolved.scripts:
            why = "a shell's commands depend on it"
        elif called in _OF_A_PROJECT and not folders and not (called == "docker" and "compose" not in self._command):
            why = f"{called} takes code from it"
        if resolved.module:
            resolved.environment["PYTHONSAFEPATH"] = "1"
            why = f"it may hold the module {resolved.module}" if _holds(cwd, resolved.module) else why
        for checked in resolved.checked:
            inside = checked.realpath.startswith(f"{cwd}/")
            given = os.path.dirname(checked.path) in named or any(checked.realpath.startswith(f"{folder}/") for folder in folders)
            if inside and not given:
                why = f"{checked.realpath} is in it"
        if why:
            hint = "set cwd in the client's entry and run stdioguard wrap again"
            raise LaunchError(
                REFUSED,
                f"secret:{min(self._names)} is not for code that the working directory decides on: {why} ({cwd}); {hint}",
            )


def _of_code(command: Sequence[str]) -> Sequence[str]:
    """Return the words that say which code is run: all but the server's own arguments."""
    return command[: len(command) - len(own_arguments(command))]


def _in_word(word: str) -> tuple[str, str | None]:
    """Return what stands before a reference in an argument, and its name; `None` where there is none."""
    name = secrets.reference(word)
    if name is not None:
        return "", name
    option, equals, value = word.partition("=")
    name = secrets.reference(value)
    return (option + equals, name) if name is not None else (word, None)


def _parts(text: str, is_literal: Callable[[str], bool]) -> list[str]:
    """Return a text as the parts that are always the same: one, or those around what the client fills in."""
    if is_literal(text):
        return [text]
    text = _HOME.sub(lambda _: os.path.expanduser("~"), text)
    parts = _FILLED_IN.split(text)
    return parts if len(parts) > 1 or text[:1] == "/" else ["", ""]


def _fits(parts: list[str], text: str) -> bool:
    """Tell whether a text has these parts, in order, from its beginning to its end."""
    if len(parts) == 1:
        return parts[0] == text
    first, *middle, last = parts
    if not text.startswith(first) or not text.endswith(last) or (not first and text.startswith("-")):
        return False
    position, end = len(first), len(text) - len(last)
    for part in middle:
        found = text.find(part, position, end)
        if found < 0:
            return False
        position = found + len(part)
    return position <= end


def _profile(reference: str) -> str:
    return os.path.realpath(reference) if "/" in reference or reference.endswith(".toml") else reference


def _places() -> list[str]:
    """Return the folders that decide which profile, which cache and which secret is meant."""
    return [os.path.realpath(path) for path in (*map(places.directory, ("config", "state", "cache")), os.path.expanduser("~"))]


def _is_found(name: str, path: str, cwd: str | None) -> bool:
    folders = [cwd or "/"] if "/" in name else path.split(":")
    return any(os.access(os.path.join(folder, name), os.X_OK) for folder in folders)


def _holds(folder: str, module: str) -> bool:
    top = os.path.join(folder, module.partition(".")[0])
    return any(os.path.lexists(top + ending) for ending in ("", ".py", ".pyc", ".so"))
