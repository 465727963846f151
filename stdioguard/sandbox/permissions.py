"""What a command really starts: the program, the interpreter that a first line names, the script; each checked and held open.

The kernel's work is done here instead (execve(2), "Interpreter scripts"), and that of `env`, so that the file which is executed in the
end is one that was checked, and is executed by its descriptor: nothing is looked up by name after the check. The rest of the argument
list is what the kernel would have made it, since an interpreter finds its environment by the name that it was called by (a venv's
`python`).
"""

from __future__ import annotations

import os
import sys

from stdioguard.policy import variables
from stdioguard.sandbox.ownership import ANY, FILE, FOLDER, PROGRAM, Checked, Checker, PermissionRefused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stdioguard.sandbox import fetchers

__all__ = [
    "ANY",
    "FETCHERS",
    "FILE",
    "FIRST_FILE",
    "FOLDER",
    "PROGRAM",
    "Checked",
    "Checker",
    "CommandError",
    "PermissionRefused",
    "Resolved",
    "called",
    "handed",
    "resolve",
]

_MAX_INTERPRETERS = 5
"""As many as the kernel follows (fs/exec.c, exec_binprm)."""

_LONGEST_LINE = 256
"""BINPRM_BUF_SIZE: what the kernel reads of a first line."""

_MAX_STAND_INS = 3
_PYTHON_VALUES = "WX"
_NODE_PRELOADS = frozenset({"-r", "--require", "--import", "--loader", "--experimental-loader"})
_NODE_ENDINGS = ("", ".js", ".cjs", ".mjs", ".json")
FIRST_FILE = frozenset({"bun", "deno", "dotnet", "java", "lua", "perl", "php", "Rscript", "ruby"})
"""Interpreters that run the first file among their arguments."""

_HAND_ON = frozenset({"fastmcp", "gunicorn", "mcp", "nodemon", "ts-node", "tsx", "uvicorn", "vite-node", "zx"})
"""Programs that run a file of source code that their arguments name."""

_SOURCE = (".py", ".js", ".mjs", ".cjs", ".ts", ".mts", ".cts", ".jsx", ".tsx")
FETCHERS = frozenset({"npx", "npm", "uvx", "uv", "pipx"})
"""Programs that fetch a package and start it."""


class CommandError(Exception):
    """A command that cannot be run; `str()` is one line that says why and what to do."""


class Resolved:
    """What a command starts.

    `program` is the absolute path of the program that the command names, `executable` the file that is executed, with `argv` and, beside
    the server's own, `environment`, in `cwd`. `kind` tells whose arguments those are (`python`, `node`, `sh`...), `scripts` are the files
    of code among them, the one that is run first; `module` is what `python -m` names and `flags` are Python's flags. `instead` says, if
    the command names a program that only fetches and starts another, what is started in its place. `checked` is all that was opened.
    """

    __slots__ = (
        "argv", "checked", "checker", "cwd", "environment", "executable", "flags", "instead", "kind", "module", "program", "scripts",
    )  # fmt: skip

    def __init__(self, program: str, argv: list[str], cwd: str, checker: Checker) -> None:
        self.program = program
        self.argv = argv
        self.cwd = cwd
        self.checker = checker
        self.checked: list[Checked] = []
        self.scripts: list[Checked] = []
        self.environment: dict[str, str] = {}
        self.executable: Checked
        self.kind = ""
        self.module = ""
        self.flags = ""
        self.instead = ""

    @property
    def script(self) -> Checked | None:
        """The file that the interpreter runs, if there is an interpreter."""
        return self.scripts[0] if self.scripts else None

    def close(self) -> None:
        """Close every descriptor."""
        for checked in self.checked:
            checked.close()


def resolve(
    command: Sequence[str],
    search_path: str,
    cwd: str,
    *,
    checker: Checker | None = None,
    environment: Mapping[str, str] | None = None,
) -> Resolved:
    """Find what `command` starts, following first lines, `env` and programs that fetch others, and check each file of it.

    `search_path` is the server's PATH: its relative entries are not searched. `environment` is the guard's own, where package managers
    are told of their folders. Raises `CommandError` where the command cannot be run, `PermissionRefused` where another
    user could change what is run, and `OSError`.
    """
    checker = checker or Checker()
    resolved = _started(command, search_path, cwd, checker)
    for _ in range(_MAX_STAND_INS):
        stand_in = _stand_in(resolved, environment or os.environ)
        if stand_in is None:
            break
        first, resolved = resolved, _started(stand_in.command, search_path, stand_in.cwd, checker)
        resolved.program = first.program
        resolved.checked += first.checked
        resolved.environment = first.environment | resolved.environment
        resolved.instead = f"{first.instead}; {stand_in.reason}" if first.instead else stand_in.reason
    return resolved


def _stand_in(resolved: Resolved, environment: Mapping[str, str]) -> fetchers.Direct | None:
    """Return what would be started in the end by a program that only finds or fetches it."""
    name, script = called(resolved), resolved.script
    is_shim = resolved.kind == "sh" and script is not None and "/shims/" in script.realpath
    if name not in FETCHERS and not is_shim:
        return None
    from stdioguard.sandbox import fetchers  # noqa: PLC0415 - for their commands only

    if script is not None and is_shim:
        return fetchers.chosen(script.realpath, handed(resolved), resolved.cwd, environment)
    return fetchers.installed(name, handed(resolved), resolved.cwd, environment)


def _started(command: Sequence[str], search_path: str, cwd: str, checker: Checker) -> Resolved:
    path = _found(command[0], search_path, cwd)
    resolved = Resolved(path, list(command), cwd, checker)
    what = "the program"
    for _ in range(_MAX_INTERPRETERS + 1):
        checked = checker.opened(path, what, PROGRAM)
        resolved.checked.append(checked)
        if os.path.basename(path) == "env" and (words := _words_of_env(resolved.argv, resolved.environment)):
            resolved.argv = words
            path = _found(words[0], search_path, cwd)
            what = "the program"
            continue
        words = _first_line(checked)
        if not words:
            resolved.executable = checked
            _look_at_arguments(resolved, path)
            return resolved
        resolved.scripts.insert(0, checked)
        resolved.argv = [*words, path, *resolved.argv[1:]]
        path, what = os.path.join(cwd, words[0]), "its interpreter"
        if not os.path.isfile(path):
            raise CommandError(
                f"cannot run {_shown(checked.path)}: its first line names {_shown(path)}, which is not there; install it"
            )
    raise CommandError(
        f"cannot run {_shown(resolved.program)}: it has more than {_MAX_INTERPRETERS} interpreters, one for the other"
    )


def _found(name: str, search_path: str, cwd: str) -> str:
    """Return the absolute path of the program that a command names, as execvp(3) finds it, but in absolute folders only."""
    folders = [cwd] if "/" in name else [folder for folder in search_path.split(":") if folder.startswith("/")]
    for folder in folders:
        candidate = os.path.join(folder, name)
        if os.path.isfile(candidate) and os.access(candidate, os.X_OK):
            return candidate
    where = "it is not there, or not for this user to run" if "/" in name else "it is in no folder of PATH"
    raise CommandError(f"cannot run {_shown(name)}: {where}; give its absolute path or install it")


def _first_line(checked: Checked) -> list[str]:
    """Return the interpreter and its arguments that a script's first line names; nothing if it is not a script."""
    try:
        head = os.pread(checked.fd, 4096, 0)
    except OSError:
        return []  # opened without the right to read, and so no script
    if not head.startswith(b"#!"):
        return []
    line, newline, rest = head[2:].partition(b"\n")
    words = os.fsdecode(line[: _LONGEST_LINE - 3]).strip(" \t").split(None, 1)
    if not words or (len(words) == 1 and (not newline or len(line) > _LONGEST_LINE - 3)):
        raise CommandError(f"cannot run {_shown(checked.path)}: its first line names no interpreter, or is too long")
    if os.path.basename(words[0]) in ("sh", "dash", "bash") and rest.startswith(b"'''exec' "):
        return _through_shell(os.fsdecode(rest.partition(b"\n")[0]), checked) or words
    return words if sys.platform == "linux" or len(words) == 1 else [words[0], *words[1].split()]


def _through_shell(line: str, checked: Checked) -> list[str]:
    """Return the interpreter of a script that goes through the shell because its path is too long for a first line, or relative.

    Installers of Python packages write these: distlib `'''exec' "/long/python" "$0" "$@"`, uv `'''exec' "$(dirname -- "$(realpath --
    "$0")")"/'python' "$0" "$@"`. The shell would do nothing but that.
    """
    line = line.removeprefix("'''exec' ")
    if not line.endswith(' "$0" "$@"'):
        return []
    word = line[: -len(' "$0" "$@"')]
    beside = word.removeprefix('"$(dirname -- "$(realpath -- "$0")")"/')
    path = beside.strip("'") if beside != word else word[1:-1] if word[:1] == word[-1:] == '"' else word
    if not path or any(char in "\"'`$\\" for char in path) or (" " in path and word == path):
        return []
    return [os.path.join(os.path.dirname(checked.realpath), path)]


def _words_of_env(argv: list[str], environment: dict[str, str]) -> list[str]:
    """Return the command in the arguments of env(1), and put what it sets into `environment`; nothing if it does more than that."""
    words = argv[1:]
    found: dict[str, str] = {}
    while words:
        word = words.pop(0)
        if word in ("-S", "--split-string") and words:
            word = f"-S{words.pop(0)}"
        if word.startswith(("-S", "--split-string=")):
            text = word.removeprefix("--split-string=").removeprefix("-S")
            if any(char in "\"'\\$#" for char in text):
                return []
            words = text.split() + words
        elif word.startswith("-"):
            return []
        elif "=" in word:
            name, _, found[name] = word.partition("=")
        else:
            environment |= found
            return [word, *words]
    return []


def _look_at_arguments(resolved: Resolved, path: str) -> None:
    """Find out which interpreter this is, and which code its arguments name."""
    kind = variables._runner(path)
    if kind not in variables._RUNNERS and kind not in FIRST_FILE:
        other = variables._runner(resolved.executable.realpath)
        kind = other if other in ("python", "node", "sh") else ""
    resolved.kind = kind
    words = resolved.argv[1:]
    if kind == "python":
        _look_for_python(resolved, words)
    elif kind in ("node", "sh"):
        _look_for_script(resolved, words)
    elif kind in FIRST_FILE:
        named = next((word for word in words if not word.startswith("-") and _is_file(resolved, word)), None)
        if named is not None:
            _add_script(resolved, named)
    if called(resolved) in _HAND_ON:
        for word in handed(resolved):
            name = word if word.endswith(_SOURCE) else word.partition(":")[0]
            if name.endswith(_SOURCE) and _is_file(resolved, name):
                _add_script(resolved, name)
                break


def _look_for_python(resolved: Resolved, words: list[str]) -> None:
    """Read Python's command line as Python does (Modules/main.c; Python/getopt.c)."""
    while words:
        word = words.pop(0)
        if word in ("-", "--") or not word.startswith("-"):
            if word == "--" and words:
                word = words.pop(0)
            if not word.startswith("-"):
                _add_script(resolved, word)
            return
        if word.startswith("--"):
            if word == "--check-hash-based-pycs":
                words = words[1:]
            continue
        for position, letter in enumerate(word[1:], 2):
            value = word[position:]
            if letter == "c":
                return
            if letter == "m":
                resolved.module = value or (words[0] if words else "")
                return
            if letter in _PYTHON_VALUES:
                words = words if value else words[1:]
                break
            resolved.flags += letter


def _look_for_script(resolved: Resolved, words: list[str]) -> None:
    """Find the script of Node or a shell, and what is loaded before it."""
    takes_value = variables._RUNNERS[resolved.kind] | (
        {"-o", "+o", "--rcfile", "--init-file"} if resolved.kind == "sh" else set()
    )
    preloaded = []
    inline = ("-c",) if resolved.kind == "sh" else ("-e", "--eval", "-p", "--print", "-pe")
    while words:
        word = words.pop(0)
        name, equals, value = word.partition("=")
        if word in inline or (resolved.kind == "sh" and word.startswith("-") and not word.startswith("--") and "c" in word):
            break
        if name in takes_value:
            if not equals:
                value = words.pop(0) if words else ""
            if name in _NODE_PRELOADS and value.startswith(("/", "./", "../")):
                preloaded.append(value)
        elif not word.startswith("-") or word == "--":
            word = words.pop(0) if word == "--" and words else word
            named = next(
                (word + ending for ending in _NODE_ENDINGS if os.path.exists(os.path.join(resolved.cwd, word + ending))), None
            )
            if named is not None:
                _add_script(resolved, named)
                break
            if not words:
                break  # Node will say so; else it was the value of an option that is not known here
    for value in preloaded:
        if os.path.exists(os.path.join(resolved.cwd, value)):
            _add_script(resolved, value)


def _is_file(resolved: Resolved, word: str) -> bool:
    return os.path.isfile(os.path.join(resolved.cwd, word))


def _add_script(resolved: Resolved, word: str) -> None:
    path = os.path.join(resolved.cwd, word)
    if any(script.path == path for script in resolved.scripts):
        return
    try:
        script = resolved.checker.opened(path, "its script", ANY)
    except OSError:
        return  # the interpreter says it in its own words
    resolved.checked.append(script)
    resolved.scripts.append(script)


def called(resolved: Resolved) -> str:
    """Return the name, without its ending, of the program that a person would say is run: an interpreter's script or module."""
    if resolved.module:
        return resolved.module.partition(".")[0]
    path = resolved.scripts[0].path if resolved.scripts else resolved.executable.path
    return os.path.basename(path).removesuffix(".js").removesuffix("-cli")


def handed(resolved: Resolved) -> list[str]:
    """Return the arguments of that program."""
    words = resolved.argv[1:]
    if resolved.module:
        return words[next((i + 1 for i, word in enumerate(words) if word.endswith(resolved.module)), 0) :]
    if resolved.scripts:
        return words[
            next((i + 1 for i, word in enumerate(words) if os.path.join(resolved.cwd, word) == resolved.scripts[0].path), 0) :
        ]
    return words


def _shown(text: str) -> str:
    from stdioguard.guard.display import visible  # noqa: PLC0415 - for refusals only

    return visible(text)
