"""What a command line really starts: which package of which registry, through whatever it is wrapped in.

A pure function of the words. It never looks at the disk: what a config says is judged, not what happens to be installed here. The tables
of a fetcher's options are those of `sandbox.fetchers`, which finds what the fetcher has fetched.
"""

from __future__ import annotations

import re
import shlex
import tomllib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from stdioguard.policy import load
from stdioguard.policy.errors import ProfileError
from stdioguard.sandbox import fetchers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Ecosystem = Literal["npm", "pypi", "oci", "deno", "nuget", "command", "opaque"]
Source = Literal["registry", "git", "url", "path", "installed", "project", "program"]

MAX_WRAPPERS = 16
"""More than these is no command line that a person wrote."""


@dataclass(frozen=True)
class Started:
    """What a command line starts."""

    ecosystem: Ecosystem
    """Where it comes from; `command` for a program that is there already, `opaque` where that cannot be told."""

    name: str
    """The package's or image's name without its version, or the program's without folders and without `.exe` or `.cmd`."""

    source: Source
    """`registry` for a package that is fetched by name; `git`, `url` and `path` for one that is fetched from elsewhere; `installed` for a
    package's file below a `node_modules`; `project` for what a project's own tools run; `program` for anything else."""

    arguments: tuple[str, ...] = ()
    """The server's own arguments."""

    spec: str = ""
    """The package as it is written, version and all."""

    version: str | None = None
    """The version, range, tag, revision or digest that is asked for; `None` where there is none."""

    is_pinned: bool = False
    """Whether the next start can only get the same package: one exact version, a digest or a full commit."""

    index: int | None = None
    """Which of the words names the package or the program; `None` where it is part of one."""

    program: str = ""
    """The word that is started in the end: `npx`, `docker`, a path."""

    wrappers: tuple[str, ...] = ()
    """What it is started through, outermost first: `cmd`, `bash`, `env`, `mise`, `stdioguard`..."""

    also: tuple[str, ...] = ()
    """Other packages that are fetched and loaded with it."""

    registry: str = ""
    """Another registry than the usual one, if the words name one."""

    opaque: str = ""
    """Why the words may start other things than this; empty where they surely do not."""

    @property
    def identity(self) -> str:
        """The ecosystem and the name, without a version: `npm:@scope/package`."""
        return f"{self.ecosystem}:{self.name}"


class _Word(str):
    """A word that knows its place in the command line that was given; `None` if it was part of a longer one."""

    __slots__ = ("place",)
    place: int | None

    @classmethod
    def at(cls, text: str, place: int | None) -> _Word:
        word = cls(text)
        word.place = place
        return word


def recognise(argv: Sequence[str]) -> Started:
    """Tell what `argv` starts. Never raises: words that make no sense are `opaque`."""
    return _recognise([_Word.at(text, place) for place, text in enumerate(argv)], ())


def _recognise(words: list[_Word], wrappers: tuple[str, ...]) -> Started:
    opaque = ""
    tools: list[str] = []
    while True:
        if not words or not words[0].strip():
            return Started("opaque", "", "program", wrappers=wrappers, opaque=opaque or "there is no command")
        if len(wrappers) > MAX_WRAPPERS:
            return Started("opaque", "", "program", wrappers=wrappers, opaque="too many commands inside each other")
        program = plain_name(words[0])
        peeled = _peeled(program, words)
        if peeled is None:
            break
        inner, reason = peeled
        if not inner:
            if reason:
                return Started("opaque", program, "program", program=words[0], wrappers=wrappers, opaque=opaque or reason)
            break
        opaque = opaque or reason
        if program in ("mise", "rtx"):
            tools += words[1 : len(words) - len(inner)]
        wrappers = (*wrappers, program)
        words = inner
    read = _FETCHERS.get(program)
    found = read(words) if read else None
    if found is None:
        found = _command(program, words)
    if found.ecosystem == "command" and found.source == "program" and tools:
        found = _of_tools(tools, found)
    if found.index is None and found.spec:
        found = replace(found, index=_place(words, found.spec))
    return replace(found, program=str(words[0]), wrappers=wrappers, opaque=opaque or found.opaque)


def _of_tools(tools: Sequence[str], found: Started) -> Started:
    """Name the package of a command that mise fetches first: `mise x npm:name@1.2.3 -- name`."""
    for tool in tools:
        backend, colon, spec = tool.partition(":")
        if colon and backend in ("npm", "pipx"):
            package = _npm_package(spec, found.arguments) if backend == "npm" else _python_package(spec, found.arguments)
            if found.name in (package.name, package.name.rpartition("/")[2]):
                return replace(package, spec=str(tool), index=getattr(tool, "place", None))
    return found


def plain_name(word: str) -> str:
    """Return a program's name without folders and without the endings that Windows gives to programs."""
    name = word.replace("\\", "/").rpartition("/")[2]
    stem, dot, ending = name.rpartition(".")
    if dot and ending.lower() in ("exe", "cmd", "bat", "com", "ps1"):
        return stem.lower() if stem.lower() in _KNOWN else stem
    return name


def _place(words: Sequence[_Word], spec: str) -> int | None:
    """Return the place of the word that is `spec`, or is an option with it as its value."""
    return next((word.place for word in words if word == spec or word.endswith(f"={spec}")), None)


# What starts another command


@dataclass(frozen=True)
class _Wrapper:
    """A program whose arguments are another command, after its own options."""

    verbs: tuple[str, ...] = ()
    """The sub-command that does so: one of these. Empty if the program itself does."""

    values: frozenset[str] = frozenset()
    """Its options that take the next word as their value."""

    skipped: int = 0
    """How many words of its own come before the command."""

    dashes: bool = False
    """Whether the command comes only after `--`, and all before that is its own."""

    assignments: bool = False
    """Whether `NAME=value` may come before the command."""


def _values(text: str) -> frozenset[str]:
    return frozenset(text.split())


_WRAPPERS = {
    "env": _Wrapper(values=_values("-u --unset -C --chdir -a --argv0"), assignments=True),
    "nohup": _Wrapper(), "setsid": _Wrapper(), "command": _Wrapper(), "exec": _Wrapper(values=_values("-a")), "chronic": _Wrapper(),
    "unbuffer": _Wrapper(), "time": _Wrapper(values=_values("-o -f --output --format")),
    "nice": _Wrapper(values=_values("-n --adjustment")),
    "ionice": _Wrapper(values=_values("-c -n -p --class --classdata")),
    "timeout": _Wrapper(values=_values("-s -k --signal --kill-after"), skipped=1),
    "gtimeout": _Wrapper(values=_values("-s -k --signal --kill-after"), skipped=1),
    "stdbuf": _Wrapper(values=_values("-i -o -e --input --output --error")),
    "sudo": _Wrapper(values=_values("-u -g -h -p -C -D -R -T -U -r -t --user --group --chdir"), assignments=True),
    "doas": _Wrapper(values=_values("-u -C")),
    "caffeinate": _Wrapper(values=_values("-t -w")), "arch": _Wrapper(values=_values("-e")),
    "xvfb-run": _Wrapper(values=_values("-n -e -f -p -s -w --server-num --server-args --error-file --auth-file --xauth-protocol")),
    "dbus-run-session": _Wrapper(), "systemd-run": _Wrapper(values=_values("-p -u --property --unit --slice -E")),
    "mise": _Wrapper(("exec", "x"), _values("-C --cd -E --env -j --jobs"), dashes=True),
    "rtx": _Wrapper(("exec", "x"), dashes=True),
    "asdf": _Wrapper(("exec",)),
    "volta": _Wrapper(("run",), _values("--node --npm --yarn --pnpm --env")),
    "fnm": _Wrapper(("exec",), _values("--using --fnm-dir --log-level --node-dist-mirror --arch")),
    "nvm": _Wrapper(("exec", "run"), skipped=1), "n": _Wrapper(("exec",), skipped=1),
    "nodenv": _Wrapper(("exec",)), "rbenv": _Wrapper(("exec",)), "pyenv": _Wrapper(("exec",)), "goenv": _Wrapper(("exec",)),
    "direnv": _Wrapper(("exec",), skipped=1),
    "dotenvx": _Wrapper(("run",), _values("-f --env-file -e --env -fk --env-keys-file -l --log-level --convention")),
    "op": _Wrapper(("run",), _values("--env-file --account --config --session --environment"), dashes=True),
    "doppler": _Wrapper(("run",), _values("-p --project -c --config -t --token --scope --fallback --mount --name-transformer"), dashes=True),
    "infisical": _Wrapper(("run",), _values("--env --path --projectId --token --tags --domain"), dashes=True),
    "aws-vault": _Wrapper(("exec",), dashes=True), "chamber": _Wrapper(("exec",), dashes=True), "teller": _Wrapper(("run",), dashes=True),
    "varlock": _Wrapper(("run",), dashes=True), "secretspec": _Wrapper(("run",), dashes=True), "vaulted": _Wrapper(dashes=True),
    "envchain": _Wrapper(skipped=1),
    "poetry": _Wrapper(("run",), _values("-C --directory -P --project")),
    "pipenv": _Wrapper(("run",)), "pdm": _Wrapper(("run",), _values("-p --project -c --config -s --site-packages")),
    "rye": _Wrapper(("run",), _values("--pyproject")), "hatch": _Wrapper(("run",), _values("-e --env -p --project")),
    "conda": _Wrapper(("run",), _values("-n --name -p --prefix --cwd")), "mamba": _Wrapper(("run",), _values("-n --name -p --prefix --cwd")),
    "micromamba": _Wrapper(("run",), _values("-n --name -p --prefix --cwd")),
    "pixi": _Wrapper(("run",), _values("-e --environment --manifest-path")),
    "bundle": _Wrapper(("exec",), _values("--gemfile")), "devbox": _Wrapper(("run",), _values("-c --config -e --env")),
    "flox": _Wrapper(("activate",), dashes=True),
    "cross-env": _Wrapper(assignments=True),
    "wsl": _Wrapper(values=_values("-d --distribution -u --user --cd --shell-type")),
    "stdioguard": _Wrapper(
        ("run",),
        _values("--profile --server --client --token-file --environment --allow-degraded --connect --state --log --channel --approver"),
    ),
}  # fmt: skip
"""Programs whose arguments are another command; a new one is one line."""

_SHELLS = frozenset({"sh", "bash", "zsh", "dash", "ash", "ksh", "fish"})
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=")


def _peeled(program: str, words: list[_Word]) -> tuple[list[_Word], str] | None:
    """Return the command inside another, and why it may not be all that is started; `None` where there is nothing inside.

    An empty command with a reason is one that cannot be told.
    """
    if _ASSIGNMENT.match(words[0]) and len(words) > 1 and "/" not in words[0].partition("=")[0]:
        return words[1:], ""
    if program == "cmd":
        return _windows_shell(words)
    if program in _SHELLS:
        return _shell(words)
    if program in ("powershell", "pwsh"):
        return _powershell(words)
    if program == "dotenv":
        return _dotenv(words)
    if _PYTHON.fullmatch(program) and words[1:4] == ["-m", "stdioguard", "run"]:
        return _wrapped(_WRAPPERS["stdioguard"], words[2:])
    wrapper = _WRAPPERS.get(program)
    return None if wrapper is None else _wrapped(wrapper, words)


def _wrapped(wrapper: _Wrapper, words: list[_Word]) -> tuple[list[_Word], str] | None:
    rest = words[1:]
    if wrapper.verbs:
        _, rest = _options(rest, wrapper.values)
        if not rest or rest[0] not in wrapper.verbs:
            return None
        rest = rest[1:]
    if wrapper.dashes:
        if "--" not in rest:
            return ([], "its command does not follow --")
        return rest[rest.index("--") + 1 :], ""
    if plain_name(words[0]) == "env":
        for place, word in enumerate(rest):
            if not word.startswith("-"):
                break
            if word in ("-S", "--split-string") or word.startswith(("-S", "--split-string=")):
                text = (
                    "".join(rest[place + 1 : place + 2])
                    if word in ("-S", "--split-string")
                    else word.removeprefix("-S").removeprefix("--split-string=")
                )
                after = rest[place + (2 if word in ("-S", "--split-string") else 1) :]
                return [*_line(text)[0], *after], ""
    dashed = "--" in rest
    options, rest = _options(rest, wrapper.values)
    if options.keys() & {"-e", "--exec"} and plain_name(words[0]) == "wsl":
        pass  # its command follows, as without
    if wrapper.skipped:
        rest = rest[wrapper.skipped :]
        if dashed and rest[:1] == ["--"]:
            rest = rest[1:]
    while wrapper.assignments and rest and _ASSIGNMENT.match(rest[0]):
        rest = rest[1:]
    return rest, "" if rest else "it names no command"


def _dotenv(words: list[_Word]) -> tuple[list[_Word], str] | None:
    """Peel `dotenv`, of which there are two: python-dotenv's (`dotenv run -- ...`) and dotenv-cli's (`dotenv -e FILE -- ...`)."""
    _, rest = _options(words[1:], _values("-f --file -e -p -v -c -q --quote --export"))
    if rest[:1] == ["run"]:
        _, rest = _options(rest[1:], frozenset())
    return rest, "" if rest else "it names no command"


def _shell(words: list[_Word]) -> tuple[list[_Word], str] | None:
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
    return _line(rest[0])


_OPERATOR = re.compile(r"[;<>|&()]+")
_SETS_UP = frozenset(
    {
        "cd", "pushd", "export", "source", ".", "set", "eval", "ulimit", "unset", "nvm", "fnm", "echo", "printf", "sleep", "mkdir", "true",
        "test", "[", "[[", "which", "if", "then", "type", "trap", "shopt", "umask", "alias", "local", "declare", "setlocal", "rem", "chcp",
        "wait", "hash", "read", "exit", "return", "false", "while", "do", "done", "fi", "else", "chmod", "touch", "rm", "cat", "tee", "kill", "pkill", "killall",
    }
)  # fmt: skip
"""What a shell's line does before or beside the program that it is for."""


def _line(text: str) -> tuple[list[_Word], str]:
    """Split a shell's command line. Where it is more than one simple command, the likeliest of them comes with a reason."""
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
    segments = [segment for segment in segments if segment]
    if not segments:
        return [], "its command line is empty"
    if not reason and ("$(" in text or "`" in text or segments[0][0].startswith(("$", "~", "!", "{", "#"))):
        reason = "a shell's line that is filled in when it runs"
    return [_Word.at(word, None) for word in _likeliest(segments)], reason


def _likeliest(segments: list[list[str]]) -> list[str]:
    """Return the command that a line is for: the last that does not only set things up."""
    return ([segment for segment in segments if segment[0] not in _SETS_UP] or segments)[-1]


def _windows_shell(words: list[_Word]) -> tuple[list[_Word], str] | None:
    """Peel `cmd /d /s /c command`: what follows `/c` is one line, whether it was given as one word or as several."""
    rest = words[1:]
    while rest and rest[0].startswith("/") and rest[0].lower()[:2] not in ("/c", "/k", "/r"):
        rest = rest[1:]
    if not rest or not rest[0].startswith("/"):
        return None
    if len(rest[0]) > 2:
        rest = [_Word.at(rest[0][2:], None), *rest[1:]]
    else:
        rest = rest[1:]
    if not rest:
        return [], "cmd is given no command"
    if len(rest) == 1 and re.search(r"\s", rest[0].strip()):
        text = rest[0].strip()
        if text.startswith('"') and text.endswith('"') and text.count('"') % 2 == 0 and text.count('"') > 2:
            text = text[1:-1]  # `cmd /s` takes the outermost pair away
        inner, reason = _line(text.replace("\\", "\\\\").replace("'", "\\'"))
    else:
        inner, reason = list(rest), ""
        joints = [place for place, word in enumerate(rest) if _OPERATOR.fullmatch(word)]
        if joints:
            reason = "a shell's line with more than one simple command"
            edges = [-1, *joints, len(rest)]
            segments = [rest[one + 1 : other] for one, other in zip(edges, edges[1:], strict=False)]
            inner = _likeliest([segment for segment in segments if segment] or [[]])  # type: ignore[arg-type, assignment]
    while inner and inner[0].lower() in ("call", "start", "@"):
        inner = inner[1:]
        while inner and inner[0].startswith("/"):
            inner = inner[1:]
    return inner, reason or ("" if inner else "cmd is given no command")


def _powershell(words: list[_Word]) -> tuple[list[_Word], str] | None:
    rest = words[1:]
    while rest and rest[0].startswith("-"):
        option = rest[0].lower()
        rest = rest[1:]
        if option in ("-command", "-c"):
            if not rest:
                return [], "the shell is given no command"
            inner, reason = _line(rest[0]) if len(rest) == 1 else (rest, "")
            return (inner[1:] if inner[:1] == ["&"] else inner), reason
        if option in ("-file", "-f", "-encodedcommand", "-e", "-enc"):
            return None if option in ("-file", "-f") else ([], "its command is encoded")
        if option in ("-executionpolicy", "-ep", "-ex", "-windowstyle", "-w", "-workingdirectory", "-wd", "-version"):
            rest = rest[1:]
    return None


def _options(words: Sequence[_Word], takes_value: frozenset[str]) -> tuple[dict[str, list[str]], list[_Word]]:
    options, rest = fetchers._options(words, takes_value)
    return options, rest  # type: ignore[return-value]  # the words that are left are the same objects


# npm


_EXACT = re.compile(r"[v=]?[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.\-]+)?(\+[0-9A-Za-z.\-]+)?")
_COMMIT = re.compile(r"[0-9a-fA-F]{40}([0-9a-fA-F]{24})?")
_GIT_HOSTS = ("github:", "gitlab:", "bitbucket:", "gist:")
_NPX_VALUES = fetchers._NPM_VALUES | {
    "-p",
    "--package",
    "-c",
    "--call",
    "--node-options",
    "--before",
    "--omit",
    "--include",
    "--tag",
}


def _npm_package(spec: str, arguments: Sequence[str]) -> Started:
    """Read one package of npm's, as `npm install` takes it: a name, an alias, a repository, an address or a folder."""
    arguments = tuple(arguments)
    name, version = fetchers._npm_name(spec)
    if name and version.startswith("npm:"):
        return replace(_npm_package(version.removeprefix("npm:"), arguments), spec=str(spec))
    if name:
        if not _is_elsewhere(version):
            pinned = _EXACT.fullmatch(version) is not None
            return Started("npm", name, "registry", arguments, str(spec), version or None, pinned)
        return replace(_npm_package(version, arguments), name=name, spec=str(spec))
    revision = spec.partition("#")[2]
    address = spec.partition("#")[0]
    short = re.fullmatch(r"[A-Za-z0-9_\-]+/[A-Za-z0-9_.\-]+", address) is not None and not address.startswith(".")
    if short or address.startswith(("git+", "git://", "git@", "ssh://", *_GIT_HOSTS)) or address.endswith(".git"):
        pinned = _COMMIT.fullmatch(revision) is not None
        return Started("npm", _repository(address), "git", arguments, str(spec), revision or None, pinned)
    if "://" in address:
        if re.match(r"https?://(www\.)?(github|gitlab)\.com/[^/]+/[^/]+/?$", address):
            return Started(
                "npm",
                _repository(address),
                "git",
                arguments,
                str(spec),
                revision or None,
                _COMMIT.fullmatch(revision) is not None,
            )
        return Started("npm", _repository(address), "url", arguments, str(spec), None, is_pinned=False)
    return Started("npm", _repository(address), "path", arguments, str(spec), None, is_pinned=False)


def _is_elsewhere(version: str) -> bool:
    return "/" in version or ":" in version


def _repository(address: str) -> str:
    """Return the last part of an address or path, as a name for people."""
    path = address.replace("\\", "/").rstrip("/").partition("?")[0]
    name = path.rpartition("/")[2] or path
    for ending in (".git", ".tgz", ".tar.gz", ".whl"):
        name = name.removesuffix(ending)
    return name.rpartition(":")[2] or address


def _npx(words: list[_Word], values: frozenset[str] = _NPX_VALUES) -> Started | None:
    """Read what follows `npx`, `npm exec`, `pnpm dlx`, `yarn dlx` or `bunx`: options, then the package or, with `--package`, its command."""
    options, rest = _options(words, values)
    while rest and rest[0] == "--":
        rest = rest[1:]
    packages = [*options.get("-p", []), *options.get("--package", [])]
    registry = fetchers._last(options, "--registry")
    line = fetchers._last(options, "-c", "--call")
    if line:
        inner, reason = _line(line)
        if not packages:
            found = _recognise(inner, ()) if inner else None
            return replace(found, opaque=found.opaque or reason) if found and reason else found
        rest = [*inner[:1], *inner[1:]]
    if not packages and not rest:
        return None
    first = packages[0] if packages else rest[0]
    found = _npm_package(first, rest[1:])
    return replace(found, index=getattr(first, "place", None), also=tuple(map(str, packages[1:])), registry=registry)


def _npm(words: list[_Word]) -> Started | None:
    options, rest = _options(words[1:], _NPX_VALUES)
    if rest[:1] == ["exec"] or rest[:1] == ["x"]:
        options_before = words[1 : len(words) - len(rest)]
        inner = rest[1:]
        # npm reads its own options up to `--`, wherever they are; what is left of it is the command's.
        if "--" in inner:
            at = inner.index("--")
            found = _npx([*options_before, *inner[:at], *inner[at + 1 :]])
        else:
            found = _npx([*options_before, *inner])
        return found
    if rest[:1] in (["run"], ["run-script"], ["start"], ["test"]):
        return _script("npm", rest)
    return None


def _script(tool: str, rest: list[_Word]) -> Started:
    """A script of the project's package.json: its name says nothing about what it starts."""
    name = next((word for word in rest[1:] if not word.startswith("-")), rest[0])
    arguments = rest[rest.index(name) + 1 :]
    return Started(
        "command", f"{tool} {rest[0]} {name}" if name is not rest[0] else f"{tool} {name}", "project",
        tuple(arguments[1:] if arguments[:1] == ["--"] else arguments), index=getattr(name, "place", None),
    )  # fmt: skip


_PNPM_VALUES = _NPX_VALUES | {"-C", "--dir", "--filter", "-F", "--allow-build"}


def _pnpm(words: list[_Word]) -> Started | None:
    _, rest = _options(words[1:], _PNPM_VALUES)
    before = words[1 : len(words) - len(rest)]
    if rest[:1] in (["dlx"], ["x"]):
        return _npx([*before, *rest[1:]], _PNPM_VALUES)
    if rest[:1] == ["exec"]:
        _, rest = _options(rest[1:], _PNPM_VALUES)
        return _own_command(rest)
    return _script(plain_name(words[0]), rest) if rest[:1] in (["run"], ["start"]) else None


def _own_command(rest: list[_Word]) -> Started | None:
    """A command of a package that the project depends on; which one, its lock file knows."""
    if not rest:
        return None
    return Started(
        "npm", plain_name(rest[0]), "project", tuple(rest[1:]), str(rest[0]), None, is_pinned=True, index=rest[0].place
    )


def _yarn(words: list[_Word]) -> Started | None:
    _, rest = _options(words[1:], _values("--cwd"))
    if rest[:1] == ["dlx"]:
        return _npx(rest[1:], _NPX_VALUES)
    if rest[:1] == ["exec"] or (rest[:1] == ["run"] and len(rest) > 1):
        return _own_command(_options(rest[1:], frozenset())[1]) if rest[0] == "exec" else _script("yarn", rest)
    return None


_BUN_VALUES = _values(
    "--cwd --config -c --env-file -r --preload --port --define -d --loader -l --tsconfig-override --conditions --install --package -p --import"
)
_BUNX_VALUES = _values("--package -p")


def _bun(words: list[_Word]) -> Started | None:
    _, rest = _options(words[1:], _BUN_VALUES)
    before = words[1 : len(words) - len(rest)]
    if rest[:1] == ["x"]:
        return _npx([*before, *rest[1:]], _BUNX_VALUES)
    if rest[:1] == ["run"]:
        _, inner = _options(rest[1:], _BUN_VALUES)
        if inner and not _is_file(inner[0]):
            return _script("bun", [rest[0], *inner])
        return _file(inner)
    return _file(rest)


_NODE_VALUES = _values(
    "-r --require --import --loader --experimental-loader --env-file --env-file-if-exists -C --conditions --title --icu-data-dir "
    "--input-type --openssl-config --redirect-warnings --inspect-port --watch-path --cwd --tsconfig"
)


def _node(words: list[_Word]) -> Started | None:
    options, rest = _options(words[1:], _NODE_VALUES)
    if options.keys() & {"-e", "--eval", "-p", "--print"}:
        return Started("opaque", "node", "program", tuple(rest), opaque="its code is on the command line", index=words[0].place)
    return _file(rest)


_SCRIPT = re.compile(r"\.([cm]?[jt]sx?|py|rb|sh|jar|dll|php|pl|lua|exs?)$", re.IGNORECASE)


def _is_file(word: str) -> bool:
    return _SCRIPT.search(word) is not None or word.startswith((".", "/", "~")) or "/" in word or "\\" in word


def _file(rest: list[_Word]) -> Started | None:
    """Read `SCRIPT ARGUMENTS`: a package's own file if it is below a `node_modules`, else a program with that path."""
    if not rest:
        return None
    path = rest[0].replace("\\", "/")
    if "/node_modules/" in f"/{path}":
        parts = f"/{path}".rpartition("/node_modules/")[2].split("/")
        name = "/".join(parts[:2] if parts[0].startswith("@") else parts[:1])
        if len(parts) > name.count("/") + 1 and name and not name.startswith("."):
            return Started("npm", name, "installed", tuple(rest[1:]), str(rest[0]), None, is_pinned=True, index=rest[0].place)
    return Started(
        "command", path.rstrip("/").rpartition("/")[2] or path, "path", tuple(rest[1:]), str(rest[0]), index=rest[0].place
    )


# Python


_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9](?:[A-Za-z0-9._\-]*[A-Za-z0-9])?)\s*(?:\[[^\]]*\])?\s*(.*)", re.DOTALL)


def normal(name: str) -> str:
    """Return the normal form of a name of PyPI's (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower().strip("-")


def _python_package(spec: str, arguments: Sequence[str]) -> Started:
    """Read one requirement: a name with a version, a repository, an address or a folder (PEP 508, and uv's `name@version`)."""
    text, arguments = str(spec).strip(), tuple(arguments)
    given, at, address = text.partition(" @ ")
    if at:
        return replace(_python_package(address, arguments), name=normal(given.partition("[")[0]), spec=str(spec))
    if text.startswith(("git+", "git@", "git://", "ssh://")) or re.match(
        r"https?://(www\.)?(github|gitlab)\.com/[^/]+/[^/]+(\.git)?(@|$)", text
    ):
        plain = text.partition("#")[0]
        head, slash, tail = plain.rpartition("/")
        tail, _, revision = tail.partition("@")
        if not revision and "@" in head.partition("://")[2].partition("/")[2]:  # a branch with a slash in it
            before, _, after = head.rpartition("@")
            revision, head, slash, tail = f"{after}/{tail}", before, "", ""
        egg = re.search(r"[#&]egg=([A-Za-z0-9._\-]+)", text)
        name = normal(egg.group(1)) if egg else _repository(f"{head}{slash}{tail}")
        return Started("pypi", name, "git", arguments, text, revision or None, _COMMIT.fullmatch(revision) is not None)
    if "://" in text:
        digest = "#sha256=" in text
        wheel = _repository(text.partition("#")[0])
        return Started(
            "pypi",
            normal(wheel.partition("-")[0]) if text.partition("#")[0].endswith(".whl") else wheel,
            "url",
            arguments,
            text,
            None,
            digest,
        )
    if text.startswith((".", "/", "~", "${", "$")) or "/" in text or "\\" in text or text.endswith((".whl", ".tar.gz", ".zip")):
        return Started("pypi", _repository(text), "path", arguments, text, None, is_pinned=False)
    match = _REQUIREMENT.fullmatch(text)
    if match is None:
        return Started("opaque", text, "program", arguments, text, opaque="no package is called that")
    name, rest = normal(match.group(1)), match.group(2).partition(";")[0].strip()
    if rest.startswith("@"):
        version = rest.removeprefix("@").strip()
        return Started(
            "pypi",
            name,
            "registry",
            arguments,
            text,
            version or None,
            re.fullmatch(r"[0-9][0-9A-Za-z.!+\-]*", version) is not None,
        )
    exact = re.fullmatch(r"={2,3}\s*([^\s,*]+)", rest)
    return Started("pypi", name, "registry", arguments, text, (exact.group(1) if exact else rest) or None, exact is not None)


_INDEXES = ("--index-url", "-i", "--default-index", "--index", "--extra-index-url", "-f", "--find-links")
_PIPX_VALUES = _values("--python --pip-args --index-url -i --with --spec --suffix")


def _uvx(words: list[_Word], before: dict[str, list[str]] | None = None) -> Started | None:
    options, rest = _options(words, fetchers._UV_VALUES)
    options = fetchers._joined(before or {}, options)
    if not rest:
        return None
    source = options.get("--from", [])
    first = source[-1] if source else rest[0]
    found = _python_package(first, rest[1:])
    also = [name for value in options.get("--with", []) for name in value.split(",")]
    also += options.get("--with-editable", []) + options.get("--with-requirements", [])
    return replace(
        found, index=getattr(first, "place", None), also=tuple(map(str, also)), registry=fetchers._last(options, *_INDEXES)
    )


def _uv(words: list[_Word]) -> Started | None:
    before, rest = _options(words[1:], fetchers._UV_VALUES)
    if rest[:2] == ["tool", "run"]:
        return _uvx(rest[2:], before)
    if rest[:1] != ["run"]:
        return None
    options, rest = _options(rest[1:], fetchers._UV_VALUES)
    options = fetchers._joined(before, options)
    module = fetchers._last(options, "-m", "--module")
    also = [name for value in options.get("--with", []) for name in value.split(",")]
    also += options.get("--with-editable", []) + options.get("--with-requirements", [])
    registry = fetchers._last(options, *_INDEXES)
    if module:
        found = _module(module, rest)
    elif not rest:
        return None
    else:
        found = _with(also, rest) or _in_project(rest)
        also = [name for name in also if name != found.spec]
    return replace(found, also=(*found.also, *map(str, also)), registry=registry or found.registry)


def _with(packages: Sequence[str], rest: list[_Word]) -> Started | None:
    """`uv run --with PACKAGE COMMAND`: the package whose command it is."""
    wanted = normal(plain_name(rest[0]))
    if _PYTHON.fullmatch(plain_name(rest[0])) and rest[1:2] == ["-m"] and len(rest) > 2:
        wanted = normal(rest[2].partition(".")[0])
    for spec in packages:
        found = _python_package(spec, rest[1:])
        if found.name == wanted or (len(packages) == 1 and not _is_file(rest[0]) and not _PYTHON.fullmatch(plain_name(rest[0]))):
            return replace(found, index=getattr(spec, "place", None))
    return None


def _in_project(rest: list[_Word]) -> Started:
    """What `uv run` starts in a project: a script, Python itself, or a command of the project's environment."""
    if rest[0].startswith(("https://", "http://")):
        return Started("command", _repository(rest[0]), "url", tuple(rest[1:]), str(rest[0]), index=rest[0].place)
    name = plain_name(rest[0])
    if name in _FETCHERS or name in _WRAPPERS or _PYTHON.fullmatch(name):
        return _recognise(rest, ())
    if _SCRIPT.search(rest[0]) or "/" in rest[0] or "\\" in rest[0]:
        found = _file(rest)
        if found is not None:
            return found
    return Started("command", name, "project", tuple(rest[1:]), str(rest[0]), index=rest[0].place)


def _pipx(words: list[_Word]) -> Started | None:
    _, rest = _options(words[1:], frozenset())
    if rest[:1] != ["run"]:
        return None
    options, rest = _options(rest[1:], _PIPX_VALUES)
    source = options.get("--spec", [])
    if not rest:
        return None
    first = source[-1] if source else rest[0]
    arguments = rest[2:] if rest[1:2] == ["--"] else rest[1:]
    found = _python_package(first, arguments)
    return replace(
        found, index=getattr(first, "place", None), also=tuple(map(str, options.get("--with", []))),
        registry=fetchers._last(options, "--index-url", "-i"),
    )  # fmt: skip


_PYTHON = re.compile(r"(python|pypy|pythonw|py)[0-9.]*t?", re.IGNORECASE)
_PYTHON_VALUES = _values("-W -X --check-hash-based-pycs")


def _python(words: list[_Word]) -> Started | None:
    rest = words[1:]
    while rest and rest[0].startswith("-") and rest[0] != "-":
        word, rest = rest[0], rest[1:]
        if word in _PYTHON_VALUES:
            rest = rest[1:]
        elif re.fullmatch(r"-[A-Za-z]*m", word):
            return _module(rest[0], rest[1:]) if rest else None
        elif re.match(r"-[bBdEhiIOPqsSuvx]*m.", word):
            return _module(word.partition("m")[2], rest)
        elif (
            not word.startswith("--")
            and "c" in word
            and not re.fullmatch(r"-[0-9.]+(-[0-9]+)?", word)
            and not word.startswith(("-W", "-X"))
        ):
            return Started(
                "opaque", "python", "program", tuple(rest[1:]), opaque="its code is on the command line", index=words[0].place
            )
    return _file(rest) if rest else None


def _module(module: str, rest: Sequence[str]) -> Started:
    """`python -m MODULE`: installed by hand, so there is no package to name; but tools that start packages are seen through."""
    top = module.partition(".")[0]
    if top in ("uv", "pipx") and rest:
        found = _FETCHERS[top]([_Word.at(top, None), *rest])  # type: ignore[list-item]
        if found is not None:
            return found
    return Started("command", str(module), "program", tuple(rest), f"-m {module}", index=getattr(module, "place", None))


# Images, Deno, NuGet


_DOCKER_FLAGS = _values(
    "--interactive --tty --detach --rm --init --privileged --read-only --no-healthcheck --oom-kill-disable --publish-all --sig-proxy "
    "--disable-content-trust --quiet --help --tls-verify --replace --rmi --no-hosts --no-hostname --env-host --http-proxy "
    "--read-only-tmpfs --unsetenv-all --passwd --tlsverify --tls --debug --use-api-socket"
)
_DOCKER_LETTERS = frozenset("itdPqD")


def _docker_options(words: Sequence[_Word]) -> list[_Word]:
    """Return what follows docker's options. Those that take no value are few; every other takes one."""
    rest = list(words)
    while rest and rest[0].startswith("-") and rest[0] not in ("-", "--"):
        word = rest.pop(0)
        if word.startswith("--"):
            takes = "=" not in word and word not in _DOCKER_FLAGS
        else:
            first = next((place for place, letter in enumerate(word[1:], 1) if letter not in _DOCKER_LETTERS), None)
            takes = first is not None and first == len(word) - 1
        if takes and rest:
            rest.pop(0)
    return rest[1:] if rest[:1] == ["--"] else rest


def _docker(words: list[_Word]) -> Started | None:
    rest = _docker_options(words[1:])
    if rest[:1] == ["container"]:
        rest = rest[1:]
    if rest[:1] != ["run"]:
        return None
    rest = _docker_options(rest[1:])
    return _image(rest) if rest else None


def _image(rest: list[_Word]) -> Started:
    spec = rest[0].removeprefix("docker://")
    name, _, digest = spec.partition("@")
    folder, slash, last = name.rpartition("/")
    last, _, tag = last.partition(":")
    pinned = re.fullmatch(r"sha256:[0-9a-f]{64}", digest) is not None
    return Started(
        "oci",
        f"{folder}{slash}{last}",
        "registry",
        tuple(rest[1:]),
        str(rest[0]),
        digest or tag or None,
        pinned,
        index=rest[0].place,
    )


_DENO_VALUES = _values(
    "-c --config --import-map --lock --cert --location --seed --v8-flags -L --log-level --env-file -r --preload --ext"
)


def _deno(words: list[_Word]) -> Started | None:
    _, rest = _options(words[1:], _DENO_VALUES)
    if rest[:1] in (["run"], ["x"], ["serve"]):
        _, rest = _options(rest[1:], _DENO_VALUES)
    elif rest[:1] == ["task"]:
        return _script("deno", rest)
    if not rest:
        return None
    scheme, colon, spec = rest[0].partition(":")
    if colon and scheme == "npm":
        # npm:@scope/name@1.2.3/file: a file of the package may follow.
        match = re.fullmatch(r"/?((?:@[^/@]+/)?[^/@]+(?:@[^/]+)?)(/.*)?", spec)
        found = _npm_package(match.group(1) if match else spec, rest[1:])
        return replace(found, spec=str(rest[0]), index=rest[0].place)
    if colon and scheme == "jsr":
        match = re.fullmatch(r"/?(@[^/@]+/[^/@]+)(?:@([^/]+))?(/.*)?", spec)
        name, version = (match.group(1), match.group(2)) if match else (spec, None)
        pinned = version is not None and _EXACT.fullmatch(version) is not None
        return Started("deno", name, "registry", tuple(rest[1:]), str(rest[0]), version, pinned, index=rest[0].place)
    if "://" in rest[0]:
        version = re.search(r"@v?([0-9]+\.[0-9]+\.[0-9]+[^/]*)", rest[0])
        return Started(
            "deno", str(rest[0]), "url", tuple(rest[1:]), str(rest[0]), version.group(1) if version else None, index=rest[0].place
        )
    return _file(rest)


def _dnx(words: list[_Word]) -> Started | None:
    """`dnx PACKAGE@VERSION` (.NET 10): its own options may stand on both sides of the package; the tool's follow `--`."""
    values = _values("--version --source --add-source --configfile --framework -f --verbosity -v")
    options, rest = _options(words[1:], values)
    if not rest:
        return None
    more, after = _options(rest[1:], values)
    options = fetchers._joined(options, more)
    name, _, version = rest[0].partition("@")
    version = version or fetchers._last(options, "--version")
    pinned = re.fullmatch(r"\[?[0-9]+(\.[0-9]+)+(-[0-9A-Za-z.\-]+)?\]?", version) is not None
    registry = fetchers._last(options, "--source", "--add-source", "--configfile")
    return Started(
        "nuget", name, "registry", tuple(after), str(rest[0]), version or None, pinned, index=rest[0].place, registry=registry
    )


def _dotnet(words: list[_Word]) -> Started | None:
    rest = words[1:]
    if rest[:2] == ["tool", "exec"] or rest[:2] == ["tool", "execute"]:
        return _dnx(rest[1:])
    if rest[:1] == ["dnx"]:
        return _dnx(rest)
    if rest and rest[0].lower().endswith(".dll"):
        return _file(rest)
    return None


_FETCHERS: dict[str, Callable[[list[_Word]], Started | None]] = {
    "npx": lambda words: _npx(words[1:]), "npm": _npm, "pnpm": _pnpm, "pnpx": lambda words: _npx(words[1:], _PNPM_VALUES), "yarn": _yarn,
    "bunx": lambda words: _npx(words[1:], _BUNX_VALUES), "bun": _bun, "node": _node, "nodejs": _node, "tsx": _node, "ts-node": _node,
    "uvx": lambda words: _uvx(words[1:]), "uv": _uv, "pipx": _pipx, "docker": _docker, "podman": _docker, "nerdctl": _docker,
    "finch": _docker, "deno": _deno, "dnx": _dnx, "dotnet": _dotnet,
}  # fmt: skip

_KNOWN = (
    frozenset(_FETCHERS) | frozenset(_WRAPPERS) | _SHELLS | {"cmd", "powershell", "pwsh", "python", "pythonw", "py", "dotenv"}
)


def is_launcher(word: str) -> bool:
    """Tell whether a word is a program that is known to start others: `npx`, `docker`, `python`, `cmd`..."""
    program = plain_name(word)
    return program in _KNOWN or program in _INTERPRETERS or _PYTHON.fullmatch(program) is not None


_INTERPRETERS = _SHELLS | {"ruby", "perl", "php", "lua", "elixir", "java", "Rscript", "pwsh", "powershell"}


def _command(program: str, words: list[_Word]) -> Started:
    """A program that is there already."""
    if _PYTHON.fullmatch(program):
        found = _python(words)
        if found is not None:
            return found
    if program in _INTERPRETERS and len(words) > 1:
        if words[1] in ("-e", "-E", "-r", "--eval"):
            return Started(
                "opaque", program, "program", tuple(words[2:]), opaque="its code is on the command line", index=words[0].place
            )
        if _SCRIPT.search(words[1]) or "/" in words[1]:
            found = _file(words[1:])
            if found is not None:
                return found
        if program == "java" and "-jar" in words[:-1]:
            found = _file(words[words.index("-jar") + 1 :])  # type: ignore[arg-type]
            if found is not None:
                return found
    path = words[0].replace("\\", "/")
    if "/node_modules/" in path and "/node_modules/.bin/" not in path:
        found = _file(words)
        if found is not None:
            return found
    source: Source = "path" if "/" in path else "program"
    return Started("command", program, source, tuple(words[1:]), str(words[0]), index=words[0].place)


def profile_for(started: Started) -> str | None:
    """Return the name of the profile that says it is for what is started; `None` if there is none.

    A profile grants what its server needs, so nothing else may pass for that server: not a repository, folder or registry that a config
    names in place of the usual one, not other packages loaded beside it, not a shell's line of which it is only a part.
    """
    if started.opaque or started.also or started.registry or started.source in ("git", "url", "project"):
        return None
    relative = not re.match(r"([A-Za-z]:)?[\\/]", started.spec)
    if started.source in ("path", "installed") and relative:
        return None  # whatever lies in the folder that the client happens to be in
    for name, path in load.names():
        if _is_for(_server(path), started):
            return name
    return None


def _is_for(server: dict[str, object], started: Started) -> bool:
    npm, pypi, command = (str(server.get(key) or "") for key in ("npm", "pypi", "command"))
    if started.ecosystem == "npm":
        return started.name == npm
    if started.ecosystem == "pypi":
        return bool(pypi) and started.source == "registry" and started.name == normal(pypi)
    if started.ecosystem != "command":
        return False
    # Installed by hand: as `python -m mcp_server_git` or as the command of the same name.
    by_hand = started.source == "program" and bool(pypi) and normal(started.name) == normal(pypi)
    return by_hand or (bool(command) and command in (started.name, started.spec))


def _server(path: str) -> dict[str, object]:
    try:
        table = tomllib.loads(load.read(path)).get("server")
    except (ProfileError, tomllib.TOMLDecodeError, RecursionError):
        return {}
    return table if isinstance(table, dict) else {}
