"""npm's packages: `npx`, `npm exec`, `pnpm dlx`, `yarn dlx`, `bunx`, and files below a `node_modules`."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from stdioguard.installs.launchers.shells import line
from stdioguard.installs.launchers.started import (
    COMMIT,
    EXACT,
    Started,
    Word,
    is_file,
    last_part,
    options_of,
    plain_name,
    script,
    values_of,
)
from stdioguard.sandbox.fetcher_options import NPM_VALUES, joined_options, last_value, npm_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_GIT_HOSTS = ("github:", "gitlab:", "bitbucket:", "gist:")


NPX_VALUES = NPM_VALUES | {
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


_NAME = re.compile(r"(@[\w.~\-]+/)?[\w.~\-]+")
"""What a package could be called, imitations in other alphabets too. What has anything else in it is none: `<your-server>`, `${SERVER}`."""


def package(spec: str, arguments: Sequence[str]) -> Started:
    """Read one package of npm's, as `npm install` takes it: a name, an alias, a repository, an address or a folder."""
    arguments = tuple(arguments)
    name, _, version = (spec[:1] + spec[1:].replace("@", "\0", 1)).partition("\0")
    name = name if npm_name(name)[0] else ""
    if name and not _NAME.fullmatch(name):
        return Started("opaque", name, "program", arguments, str(spec), opaque="no package is called that")
    if name and version.startswith("npm:"):
        return replace(package(version.removeprefix("npm:"), arguments), spec=str(spec))
    if name:
        if not _is_elsewhere(version):
            pinned = EXACT.fullmatch(version) is not None
            return Started("npm", name, "registry", arguments, str(spec), version or None, pinned)
        return replace(package(version, arguments), name=name, spec=str(spec))
    revision = spec.partition("#")[2]
    address = spec.partition("#")[0]
    short = re.fullmatch(r"[A-Za-z0-9_\-]+/[A-Za-z0-9_.\-]+", address) is not None and not address.startswith(".")
    if short or address.startswith(("git+", "git://", "git@", "ssh://", *_GIT_HOSTS)) or address.endswith(".git"):
        pinned = COMMIT.fullmatch(revision) is not None
        return Started("npm", last_part(address), "git", arguments, str(spec), revision or None, pinned)
    if "://" in address:
        if re.match(r"https?://(www\.)?(github|gitlab)\.com/[^/]+/[^/]+/?$", address):
            return Started(
                "npm",
                last_part(address),
                "git",
                arguments,
                str(spec),
                revision or None,
                COMMIT.fullmatch(revision) is not None,
            )
        return Started("npm", last_part(address), "url", arguments, str(spec), None, is_pinned=False)
    return Started("npm", last_part(address), "path", arguments, str(spec), None, is_pinned=False)


def _is_elsewhere(version: str) -> bool:
    return "/" in version or ":" in version


def npx(words: list[Word], values: frozenset[str] = NPX_VALUES) -> Started | None:
    """Read what follows `npx`, `npm exec`, `pnpm dlx`, `yarn dlx` or `bunx`: options, then a package or (`--package`) its command."""
    options, rest = options_of(words, values)
    while rest and rest[0] == "--":
        rest = rest[1:]
    packages = [*options.get("-p", []), *options.get("--package", [])]
    registry = last_value(options, "--registry")
    opaque = ""
    if packages and options.keys() & {"-c", "--call"}:
        rest, opaque = line(last_value(options, "-c", "--call"))
    if not packages and not rest:
        return None
    first = packages[0] if packages else rest[0]
    found = package(first, rest[1:])
    if found.source == "registry" and found.version is None and _is_never_fetched(options):
        # What the project or the machine has installed under that name; there is no file in the words to name as the package.
        found = replace(found, source="installed", spec="", is_pinned=True)
    return replace(
        found,
        index=getattr(first, "place", None),
        also=tuple(map(str, packages[1:])),
        registry=registry,
        opaque=opaque or found.opaque,
    )


_ANSWERS = {"--no": False, "--no-install": False, "--no-yes": False, "-y": True, "--yes": True}
"""The options of npx that say whether a package that is missing is fetched."""


def _is_never_fetched(options: Mapping[str, list[str]]) -> bool:
    """Tell whether npx, or bunx, is told to start what is installed and nothing else. With `-y` beside it, it may fetch after all."""
    said = [name for name in options if name in _ANSWERS]
    return bool(said) and not any(_ANSWERS[name] for name in said)


def npm(words: list[Word]) -> Started | None:
    """Read `npm exec` and `npm run`."""
    _, rest = options_of(words[1:], NPX_VALUES)
    if rest[:1] in (["exec"], ["x"]):
        options_before = words[1 : len(words) - len(rest)]
        inner = rest[1:]
        # npm reads its own options up to `--`, wherever they are; what is left of it is the command's.
        if "--" in inner:
            at = [str(word) for word in inner].index("--")
            found = npx([*options_before, *inner[:at], *inner[at + 1 :]])
        else:
            found = npx([*options_before, *inner])
        return found
    if rest[:1] in (["run"], ["run-script"], ["start"], ["test"]):
        return project_script("npm", rest)
    return None


def project_script(tool: str, rest: list[Word]) -> Started:
    """Read a script of the project's package.json, whose name says nothing about what it starts."""
    name = next((word for word in rest[1:] if not word.startswith("-")), rest[0])
    arguments = rest[rest.index(name) + 1 :]
    return Started(
        "command", f"{tool} {rest[0]} {name}" if name is not rest[0] else f"{tool} {name}", "project",
        tuple(arguments[1:] if arguments[:1] == ["--"] else arguments), index=getattr(name, "place", None),
    )  # fmt: skip


PNPM_VALUES = NPX_VALUES | {"-C", "--dir", "--filter", "-F", "--allow-build"}


def pnpm(words: list[Word]) -> Started | None:
    """Read `pnpm dlx`, `pnpm exec` and `pnpm run`."""
    _, rest = options_of(words[1:], PNPM_VALUES)
    before = words[1 : len(words) - len(rest)]
    if rest[:1] in (["dlx"], ["x"]):
        return npx([*before, *rest[1:]], PNPM_VALUES)
    if rest[:1] == ["exec"]:
        _, rest = options_of(rest[1:], PNPM_VALUES)
        return _own_command(rest)
    if rest and plain_name(rest[0]) in _RUNTIMES:
        return _own_command(rest)
    return project_script(plain_name(words[0]), rest) if rest[:1] in (["run"], ["start"]) else None


_RUNTIMES = frozenset({"node", "nodejs", "tsx", "ts-node"})
"""Programs of a project that start a file of it."""


def _own_command(rest: list[Word]) -> Started | None:
    """Read a command of a package that the project depends on; which one, its lock file knows."""
    if not rest:
        return None
    file = node(rest) if plain_name(rest[0]) in _RUNTIMES else None
    if file is not None:
        return replace(file, source="project")  # the project's own runtime decides what the file does
    return Started(
        "npm", plain_name(rest[0]), "project", tuple(rest[1:]), str(rest[0]), None, is_pinned=True, index=rest[0].place
    )


def yarn(words: list[Word]) -> Started | None:
    """Read `yarn dlx`, `yarn exec` and `yarn run`."""
    _, rest = options_of(words[1:], values_of("--cwd"))
    if rest[:1] == ["dlx"]:
        return npx(rest[1:], NPX_VALUES)
    if rest and plain_name(rest[0]) in _RUNTIMES:
        return _own_command(rest)
    if rest[:1] == ["exec"] or (rest[:1] == ["run"] and len(rest) > 1):
        return _own_command(options_of(rest[1:], frozenset())[1]) if rest[0] == "exec" else project_script("yarn", rest)
    return None


_BUN_VALUES = values_of(
    "--cwd --config -c --env-file -r --preload --port --define -d --loader -l --tsconfig-override --conditions --install --package "
    "-p --import"
)


BUNX_VALUES = values_of("--package -p")


def bun(words: list[Word]) -> Started | None:
    """Read `bun x`, `bun run` and `bun FILE`."""
    _, rest = options_of(words[1:], _BUN_VALUES)
    before = words[1 : len(words) - len(rest)]
    if rest[:1] == ["x"]:
        return npx([*before, *rest[1:]], BUNX_VALUES)
    inner = options_of(rest[1:], _BUN_VALUES)[1] if rest[:1] == ["run"] else rest
    if inner and not is_file(inner[0]):
        return project_script("bun", [Word.at("run", None), *inner])
    return script(inner)


_NODE_VALUES = values_of(
    "-r --require --import --loader --experimental-loader --env-file --env-file-if-exists -C --conditions --title --icu-data-dir "
    "--input-type --openssl-config --redirect-warnings --inspect-port --watch-path --cwd --tsconfig"
)


def node(words: list[Word]) -> Started | None:
    """Read `node FILE`."""
    options, rest = options_of(words[1:], _NODE_VALUES)
    if options.keys() & {"-e", "--eval", "-p", "--print"}:
        return Started("opaque", "node", "program", tuple(rest), opaque="its code is on the command line", index=words[0].place)
    rest = rest[1:] if rest[:1] == ["watch"] else rest
    own = re.search(r"/npm/bin/(npx|npm)-cli\.js$", rest[0].replace("\\", "/")) if rest else None
    if own is not None:
        return npx(rest[1:]) if own[1] == "npx" else npm(rest)
    return script(rest)


def called(program: str, words: list[Word]) -> str | None:
    """Return the command line of `npx -c LINE` without a package of its own; `None` for any other command."""
    options, rest = options_of(words[1:], NPX_VALUES)
    if program == "npm" and rest[:1] in (["exec"], ["x"]):
        options = joined_options(options, options_of(rest[1:], NPX_VALUES)[0])
    elif program != "npx":
        return None
    if options.keys() & {"-p", "--package"} or not options.keys() & {"-c", "--call"}:
        return None
    return last_value(options, "-c", "--call")
