"""Command lines inside command lines: `bash -lc "..."`, `cmd /c ...`, `powershell -Command ...`."""

from __future__ import annotations

import itertools
import re
import shlex
from typing import TypeVar

from stdioguard.installs.launchers.started import Word

LONGEST = 1 << 16
"""Characters of a command line that are split: a longer one takes `shlex` a time that grows with its square."""

SHELLS = frozenset({"sh", "bash", "zsh", "dash", "ash", "ksh", "fish"})


def shell(words: list[Word]) -> tuple[list[Word], str] | None:
    """Peel `bash -lc "command line"`; a script is a command of its own, which is not looked into."""
    rest = words[1:]
    is_line = False
    while rest and rest[0].startswith(("-", "+")) and rest[0] != "--":
        word = rest[0]
        rest = rest[1:]
        if not word.startswith("--") and word.startswith("-"):
            is_line = is_line or "c" in word
            if word.endswith(("o", "O")) and rest:
                rest = rest[1:]
        elif word in ("--rcfile", "--init-file", "-o", "+o") and rest:
            rest = rest[1:]
        elif word == "--command":
            is_line = True
    if rest[:1] == ["--"]:
        rest = rest[1:]
    if not is_line:
        return None
    if not rest:
        return [], "the shell is given no command"
    if rest[0].strip() in ('exec "$@"', '"$@"', "exec $@", "$@"):
        return rest[2:], "" if rest[2:] else "the shell is given no command"
    if rest[0].strip() in ('exec "$0" "$@"', '"$0" "$@"'):
        return rest[1:], "" if rest[1:] else "the shell is given no command"
    return line(rest[0])


_Text = TypeVar("_Text", bound=str)
_OPERATOR = re.compile(r"[;<>|&()]+")


_SETS_UP = frozenset(
    {
        "cd", "pushd", "export", "source", ".", "set", "eval", "ulimit", "unset", "nvm", "fnm", "echo", "printf", "sleep", "mkdir",
        "true", "false", "test", "[", "[[", "which", "if", "then", "else", "fi", "while", "do", "done", "type", "trap", "shopt",
        "umask", "alias", "local", "declare", "setlocal", "rem", "chcp", "wait", "hash", "read", "exit", "return", "chmod", "touch",
        "rm", "cat", "tee", "kill", "pkill", "killall",
    }
)  # fmt: skip
"""What a shell's line does before or beside the program that it is for."""


_LOOKED_UP = re.compile(
    r"\$\(\s*(?:which|command\s+-v|type\s+-[pP])\s+([\w.\-]+)[^()`]*\)|`(?:which|command\s+-v)\s+([\w.\-]+)[^()`]*`"
)
"""Where a line asks for a program's place: `$(which uvx || echo uvx)`."""

_HELD = re.compile(r"(?:^|[\s;&|(])(?:for\s+(\w+)\s+in\s+([^;\n]*)|(?:export\s+|local\s+)?(\w+)=([^\s;&|]+))")
"""Where a line gives a variable a value: `for p in A B; do`, `p=A`."""

_FETCHERS = ("npx", "uvx", "bunx", "pnpx", "pipx", "npm", "pnpm", "yarn", "bun", "uv", "deno", "docker", "podman")
_BEFORE = frozenset({"then", "else", "elif", "do", "{", "!"})
"""What stands before a command without being a part of it."""


def line(text: str) -> tuple[list[Word], str]:
    """Split a shell's command line. Where it is more than one simple command, the likeliest of them comes with a reason."""
    if len(text) > LONGEST:
        return [], "its command line is longer than any that a person wrote"
    written = text
    text = _LOOKED_UP.sub(lambda match: match[1] or match[2], text)
    lexer = shlex.shlex(
        text.strip().replace("\r\n", "\n").replace("\\\n", " ").replace("\n", " ; "), posix=True, punctuation_chars=True
    )
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        tokens = list(lexer)
    except ValueError:
        return [], "its command line has a quotation mark that nothing closes"
    segments: list[list[str]] = [[]]
    reason = ""
    skip = False
    for token in tokens:
        if skip:
            skip = False
        elif _OPERATOR.fullmatch(token):
            reason = "a shell's line with more than one simple command"
            if "<" in token or ">" in token:
                skip = True
                if segments[-1] and segments[-1][-1].isdigit():
                    segments[-1].pop()
            elif segments[-1]:
                segments.append([])
        else:
            segments[-1].append(token)
    segments = [segment for segment in map(_bare, segments) if segment]
    if not segments:
        return [], "its command line is empty"
    if not reason and ("$(" in written or "`" in written or segments[0][0].startswith(("$", "~", "!", "{", "#"))):
        reason = "a shell's line that is filled in when it runs"
    return [Word.at(word, None) for word in _resolved(_likeliest(segments), text)], reason


def _bare(segment: list[str]) -> list[str]:
    """Return a command without the words of the shell's grammar before it: `then npx x` is `npx x`."""
    while segment and segment[0] in _BEFORE:
        segment = segment[1:]
    return segment


def _resolved(command: list[str], text: str) -> list[str]:
    """Put a fetcher in the place of the variable that a line has looked it up in: `for p in $(which uvx) uvx; do exec "$p" name`."""
    at = 1 if command[0] == "exec" and len(command) > 1 else 0
    name = re.fullmatch(r"\$\{?(\w+)\}?", command[at])
    if name is None:
        return command
    values = [match[2] or match[4] or "" for match in _HELD.finditer(text) if name[1] in (match[1], match[3])]
    words = re.findall(rf"(?<![\w.\-])(?:{'|'.join(_FETCHERS)})(?![\w.\-])", " ".join(values))
    return [*command[:at], words[-1], *command[at + 1 :]] if len(set(words)) == 1 else command


def _likeliest(segments: list[list[_Text]]) -> list[_Text]:
    """Return the command that a line is for: the last that does not only set things up."""
    return ([segment for segment in segments if segment and segment[0] not in _SETS_UP] or segments)[-1]


def windows_shell(words: list[Word]) -> tuple[list[Word], str] | None:
    """Peel `cmd /d /s /c command`: what follows `/c` is one line, whether it was given as one word or as several."""
    rest = words[1:]
    while rest and rest[0].startswith("/") and rest[0].lower()[:2] not in ("/c", "/k", "/r"):
        rest = rest[1:]
    if not rest or not rest[0].startswith("/"):
        return None
    rest = [Word.at(rest[0][2:], None), *rest[1:]] if len(rest[0]) > 2 else rest[1:]
    if not rest:
        return [], "cmd is given no command"
    if len(rest) == 1 and re.search(r"\s", rest[0].strip()):
        text = rest[0].strip()
        if text.startswith('"') and text.endswith('"') and text.count('"') % 2 == 0 and text.count('"') > 2:
            text = text[1:-1]  # `cmd /s` takes the outermost pair away
        inner, reason = line(text.replace("\\", "\\\\").replace("'", "\\'"))
    else:
        inner, reason = list(rest), ""
        joints = [place for place, word in enumerate(rest) if _OPERATOR.fullmatch(word)]
        if joints:
            reason = "a shell's line with more than one simple command"
            edges = [-1, *joints, len(rest)]
            segments = [rest[one + 1 : other] for one, other in itertools.pairwise(edges)]
            inner = _likeliest([segment for segment in segments if segment] or [[]])
    while inner and inner[0].lower() in ("call", "start", "@"):
        inner = inner[1:]
        while inner and inner[0].startswith("/"):
            inner = inner[1:]
    return inner, reason or ("" if inner else "cmd is given no command")


def powershell(words: list[Word]) -> tuple[list[Word], str] | None:
    """Peel `powershell -Command line`."""
    rest = words[1:]
    while rest and rest[0].startswith("-"):
        option = rest[0].lower()
        rest = rest[1:]
        if option in ("-command", "-c"):
            if not rest:
                return [], "the shell is given no command"
            inner, reason = line(rest[0].strip().removeprefix("& ")) if len(rest) == 1 else (rest, "")
            return (inner[1:] if inner[:1] == ["&"] else inner), reason
        if option in ("-file", "-f", "-encodedcommand", "-e", "-enc"):
            return None if option in ("-file", "-f") else ([], "its command is encoded")
        if option in ("-executionpolicy", "-ep", "-ex", "-windowstyle", "-w", "-workingdirectory", "-wd", "-version"):
            rest = rest[1:]
    return None
