"""Every word that an entry's command line is made of, also those inside a shell's line; and the options of containers that it starts."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stdioguard.installs.launchers.others import _DOCKER_FLAGS, _DOCKER_LETTERS
from stdioguard.installs.launchers.shells import LONGEST, SHELLS
from stdioguard.installs.launchers.started import plain_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stdioguard.audit.interface import EntryView
    from stdioguard.installs.formats.document import Path

_CONTAINERS = ("docker", "podman", "nerdctl", "finch")
_SHELLS = SHELLS | {"cmd", "powershell", "pwsh"}


@dataclass(frozen=True, slots=True)
class Word:
    """One word, and the way to the value that it stands in."""

    text: str
    path: Path


def shell_lines(view: EntryView) -> list[Word]:
    """Return the lines that shells are given: of `bash -c "..."` what stands in quotation marks, of `cmd /c ...` all that follows."""
    if "shell_lines" not in view.memory:
        view.memory["shell_lines"] = _shell_lines(view)
    return list(view.memory["shell_lines"])


def _shell_lines(view: EntryView) -> list[Word]:
    words = view.argv
    if view.entry.kind != "stdio":
        return []
    for at, word in enumerate(words[:-1]):
        program = plain_name(word)
        if program not in _SHELLS:
            continue
        for option in range(at + 1, len(words) - 1):
            if _takes_line(program, words[option]):
                rest = words[option + 1 :]
                return [Word(rest[0] if program in SHELLS else " ".join(rest), view.word(option + 1))]
            if not words[option].startswith(("-", "/", "+")):
                break
    return []


def _takes_line(program: str, option: str) -> bool:
    if program == "cmd":
        return option.lower() in ("/c", "/k", "/r")
    if program in SHELLS:
        return option == "--command" or re.fullmatch(r"-[A-Za-z]*c[A-Za-z]*", option) is not None
    return option.lower() in ("-c", "-command", "-encodedcommand", "-enc", "-e", "-ec")


def every(view: EntryView) -> list[Word]:
    """Return all words of an entry's command line; a shell's line is taken apart, where it can be."""
    if "every" not in view.memory:
        view.memory["every"] = _every(view)
    return list(view.memory["every"])


def _every(view: EntryView) -> list[Word]:
    if view.entry.kind != "stdio":
        return []
    lines = {line.path for line in shell_lines(view)}
    found = []
    for at, text in enumerate(view.argv):
        path = view.word(at)
        if path in lines and re.search(r"\s", text):
            found += [Word(part, path) for part in split(text)]
        else:
            found.append(Word(text, path))
    return found


def split(line: str) -> list[str]:
    """Take a shell's line apart into words; operators are words of their own. Only so much is read as a person would write."""
    lexer = shlex.shlex(line[:LONGEST], posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        return list(lexer)
    except ValueError:
        return line[:LONGEST].split()


def container_options(view: EntryView) -> Iterator[tuple[str, str, Path]]:
    """Yield the options of a container that an entry starts: name, value (empty for a flag) and place."""
    words = every(view)
    for at, word in enumerate(words):
        if plain_name(word.text) in _CONTAINERS:
            yield from _options([*words[at + 1 :]])
            return


def _options(words: Sequence[Word]) -> Iterator[tuple[str, str, Path]]:
    at, seen = 0, False
    while at < len(words):
        word = words[at]
        at += 1
        if not word.text.startswith("-") or word.text in ("-", "--"):
            if not seen and word.text in ("run", "create", "container"):
                seen = word.text != "container"
                continue
            return
        if word.text.startswith("--"):
            name, equals, value = word.text.partition("=")
            takes = not equals and name not in _DOCKER_FLAGS
        else:
            first = next((place for place, letter in enumerate(word.text[1:], 1) if letter not in _DOCKER_LETTERS), None)
            name = f"-{word.text[first]}" if first is not None else word.text
            value = word.text[first + 1 :].removeprefix("=") if first is not None else ""
            takes = first is not None and first == len(word.text) - 1
        path = word.path
        if takes and at < len(words):
            value, path = words[at].text, words[at].path
            at += 1
        if seen:
            yield name, value, path


_HOME = re.compile(
    r"(~|\$HOME|\$\{HOME\}|\$\{env:HOME\}|\$\{userHome\}|%USERPROFILE%|\$\{USERPROFILE\}|\$\{env:USERPROFILE\}"
    r"|/(?:home|Users)(?:/[^/]+)?|/root|[A-Za-z]:[\\/]+Users(?:[\\/]+[^\\/]+)?)[\\/]*",
    re.IGNORECASE,
)
_ROOT = re.compile(r"/+\.?/*|[A-Za-z]:[\\/]*")


def reach(text: str) -> str:
    """Tell what a folder takes in: `all` for a file system's root, `home` for a person's home or all homes, empty for less."""
    plain = text.strip().strip("\"'")
    if _ROOT.fullmatch(plain):
        return "all"
    return "home" if _HOME.fullmatch(plain) else ""
