"""Code on a command line: which it is, and whether it hides what it does or fetches what it runs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stdioguard.audit import words
from stdioguard.installs.launchers.started import PYTHON, plain_name

if TYPE_CHECKING:
    from stdioguard.audit.interface import EntryView
    from stdioguard.installs.formats.document import Path

LONGEST = 16_384
"""Characters of a text that are looked at."""

_OPTIONS = {
    "node": {"-e", "--eval", "-p", "--print", "-pe"}, "nodejs": {"-e", "--eval", "-p", "--print"}, "bun": {"-e", "--eval", "-p", "--print"},
    "tsx": {"-e", "--eval", "-p", "--print"}, "ts-node": {"-e", "--eval", "-p", "--print"}, "deno": {"eval"}, "ruby": {"-e"},
    "perl": {"-e", "-E"}, "php": {"-r"}, "lua": {"-e"}, "elixir": {"-e", "--eval"}, "Rscript": {"-e"}, "osascript": {"-e"},
}  # fmt: skip
"""By interpreter: the options that are followed by code."""


@dataclass(frozen=True, slots=True)
class Code:
    """Code that stands in an entry."""

    program: str
    text: str
    path: Path


def of(view: EntryView) -> list[Code]:
    """Return the code that interpreters are given on an entry's command line. Shells' lines are not among it."""
    if "code" not in view.memory:
        view.memory["code"] = _of(view)
    return list(view.memory["code"])


def _of(view: EntryView) -> list[Code]:
    found = []
    every = words.every(view)
    for at, word in enumerate(every[:-1]):
        program = plain_name(word.text)
        is_python = PYTHON.fullmatch(program) is not None
        options = _OPTIONS.get(program, set())
        if not is_python and not options:
            continue
        for option in range(at + 1, min(at + 8, len(every) - 1)):
            text = every[option].text
            if text in options or (is_python and re.fullmatch(r"-[bBdEhiIOPqsSuvx]*c", text)):
                found.append(Code(program, every[option + 1].text, every[option + 1].path))
                break
            if text == "-m" or not text.startswith("-"):
                break  # a module or a file; what follows is its own
    return found


_STATEMENT = re.compile(
    r"(?:import\s+[\w., ]+|from\s+[\w.]+\s+import\s+[\w, ]+|sys\.path\.(?:insert|append)\([^()]*\)|os\.chdir\([^()]*\)"
    r"|(?:[\w.]+\s*=\s*)?[\w.]+\((?:[\w.]+\(\)|[\w.\"'/,= \[\]\-]*)\)|import\(['\"][^'\"]+['\"]\)|require\(['\"][^'\"]+['\"]\))"
)


def only_starts(code: Code) -> bool:
    """Tell whether code only imports something and calls it, as `python -m` would."""
    if len(code.text) > 400 or hides(code.text) or fetches(code.text):
        return False
    statements = [part.strip() for part in re.split(r"[;\n]", code.text) if part.strip()]
    called = re.search(r"\b(?:exec|eval|system|popen|spawn|Function)\s*\(", code.text)
    return called is None and all(_STATEMENT.fullmatch(part) for part in statements)


_HIDES = re.compile(
    r"""(?ix) \bbase64\s+(?:-[A-Za-z]*d\b|--decode) | \bb64decode\b | \batob\s*\( | Buffer\.from\s*\([^)]{0,500}['"]base64['"]
    | frombase64string | -enc(?:odedcommand)?\b | \beval\s*\(\s*(?:atob|Buffer|String\.fromCharCode|unescape)
    | \bexec\s*\(\s*(?:bytes|codecs|zlib|marshal|compile|__import__) | \bxxd\s+-r | \bunhexlify\b | \bmarshal\.loads\b
    | (?:\\x[0-9a-f]{2}){12} | (?:\\u00[0-9a-f]{2}){12}"""
)


def hides(text: str) -> bool:
    """Tell whether a text decodes what it is about to run."""
    return _HIDES.search(text[:LONGEST]) is not None


_SHELL = r"(?:sudo\s+(?:-\S{1,40}\s+){0,8})?(?:env\s+(?:\w+=\S{0,80}\s+){0,8})?(?:/\S{0,80}/)?(?:ba|z|da|k|a|fi)?sh\b"
_FETCHES = re.compile(
    r"""(?ix)
    \b(?:curl|wget)\b [^|;&\n]{0,500} \| \s* (?:tee\s+\S+\s*\|\s*)?
        (?: SHELL | (?:sudo\s+)?(?:python[\d.]*|node|perl|ruby|php|deno|bun)\b )
    | (?:\b(?:(?:ba|z|da|k)?sh|source|eval|exec|python[\d.]*|node)|(?<!\S)\.)\s+ (?:-\S{1,40}\s+){0,8}
        ["']? (?:<\s*\(|\$\(|`) \s* (?:curl|wget)\b
    | \b(?:iwr|irm|invoke-webrequest|invoke-restmethod|curl|wget)\b [^|;\n]{0,500} \| \s* (?:iex|invoke-expression)\b
    | \b(?:iex|invoke-expression)\b .{0,80} (?:iwr|irm|invoke-webrequest|invoke-restmethod|downloadstring|net\.webclient)
    | \b(?:exec|eval)\s*\(.{0,120}(?:urlopen|requests\.get|urllib|httpx\.get|fetch\s*\()
    | (?:urlopen|requests\.get|fetch)\s*\(.{0,200}(?:\bexec\s*\(|\beval\s*\(|new\s+Function)""".replace("SHELL", _SHELL)
)
_FETCHES_THEN = re.compile(
    r"""(?ix) \b(?:curl|wget)\b [^|;&\n]{0,500} (?:&&|;) \s* (?: chmod\s+\S*[x7]\S*\s | SHELL\s+[^-\s] | \./ | /tmp/ )""".replace(
        "SHELL", _SHELL
    )
)


def fetches(text: str) -> str:
    """Tell whether a text fetches code and runs it: `at once`, `then` for a file in between, empty if it does not."""
    if _FETCHES.search(text[:LONGEST]):
        return "at once"
    return "then" if _FETCHES_THEN.search(text[:LONGEST]) else ""
