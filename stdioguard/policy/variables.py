"""`${…}` in a profile: which names there are, and what they stand for in one launch."""

from __future__ import annotations

import os
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

NAMES = ("HOME", "CWD", "ARG_PATHS", "STATE", "CACHE", "TMP")
REFERENCE = re.compile(r"\$\{([^}]*)\}")

# Programs that run another one, and those of their options that take a separate value. What follows the first word that is
# neither is the server's own.
_RUNNERS: dict[str, frozenset[str]] = {
    "python": frozenset({"-W", "-X", "--check-hash-based-pycs"}),
    "node": frozenset({"-r", "--require", "--import", "--loader", "--experimental-loader", "-C", "--conditions", "--env-file"}),
    "npx": frozenset({"-p", "--package", "--registry", "--cache", "--prefix", "-w", "--workspace"}),
    "bunx": frozenset({"-p", "--package"}),
    "uvx": frozenset({"--from", "--with", "-p", "--python", "--index", "--index-url", "--directory", "--with-requirements"}),
    "uv": frozenset({"--from", "--with", "-p", "--python", "--index", "--directory", "--project", "--env-file"}),
    "pipx": frozenset({"--spec", "--python", "--pip-args"}),
    "deno": frozenset({"-c", "--config", "--import-map", "--lock"}),
    "bun": frozenset({"-r", "--preload", "-c", "--config", "--cwd"}),
    "npm": frozenset({"-p", "--package", "--registry", "--cache", "--prefix"}),
    "env": frozenset({"-u", "--unset", "-C", "--chdir"}),
    "sh": frozenset(),
}
_SUBCOMMANDS = {"uv": {"run", "tool", "x"}, "pipx": {"run"}, "deno": {"run"}, "bun": {"run", "x"}, "npm": {"exec", "x", "run"}}
_SHELLS = {"bash", "dash", "zsh", "ksh"}


def _runner(program: str) -> str:
    name = os.path.basename(program)
    if re.fullmatch(r"(python|pypy)(\d+(\.\d+)*)?", name):
        return "python"
    return "sh" if name in _SHELLS else "node" if name == "nodejs" else name


def own_arguments(command: Sequence[str]) -> list[str]:
    """Return the arguments in `command` that are the server's own: not the program, its interpreter or its script."""
    rest = list(command)
    while rest:
        runner = _runner(rest[0])
        rest = rest[1:]
        if runner not in _RUNNERS:
            return rest
        takes_value = _RUNNERS[runner]
        while rest:
            word = rest.pop(0)
            if runner == "env" and "=" in word and not word.startswith("-"):
                continue
            if runner in ("python", "sh", "node") and word in ("-c", "-m", "-e", "--eval", "-p", "--print"):
                return rest[1:]
            if word == "--":
                continue
            if word in takes_value:
                rest = rest[1:]
            elif not word.startswith("-") and word not in _SUBCOMMANDS.get(runner, ()):
                # `env python server.py`: the word is a runner in its turn; else it is the script or package, and is skipped.
                rest = [word, *rest] if runner == "env" or _runner(word) in _RUNNERS else ["", *rest]
                break
    return []


def argument_paths(command: Sequence[str], cwd: str) -> list[str]:
    """Return the existing paths among the server's own arguments, absolute, symlinks resolved, in order, each once.

    An argument counts as it stands and, for `--name=value`, by its value.
    """
    found: list[str] = []
    for word in own_arguments(command):
        value = word.partition("=")[2] if word.startswith("-") else word
        if not value or "\0" in value:
            continue
        path = os.path.realpath(os.path.join(cwd, value))
        if os.path.exists(path) and path not in found:
            found.append(path)
    return found


def expand(entries: Iterable[str], values: Mapping[str, Sequence[str]]) -> list[str]:
    """Replace the references in each of `entries`; one that stands for several paths gives an entry for each, for none none.

    Raises `KeyError` for a name that is not in `values`; a checked profile has none.
    """
    expanded: list[str] = []
    for entry in entries:
        texts = [""]
        position = 0
        for match in REFERENCE.finditer(entry):
            literal = entry[position : match.start()]
            texts = [text + literal + value for text in texts for value in values[match[1]]]
            position = match.end()
        expanded += [text + entry[position:] for text in texts]
    return expanded
