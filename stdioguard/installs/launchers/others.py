"""Images, Deno, NuGet, and interpreters of other languages."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from stdioguard.installs.launchers import npm, python
from stdioguard.installs.launchers.shells import SHELLS
from stdioguard.installs.launchers.started import EXACT, SCRIPT, Started, Word, options_of, script, values_of
from stdioguard.sandbox.fetcher_options import joined_options, last_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stdioguard.installs.launchers.started import Source

_DOCKER_FLAGS = values_of(
    "--interactive --tty --detach --rm --init --privileged --read-only --no-healthcheck --oom-kill-disable --publish-all --sig-proxy "
    "--disable-content-trust --quiet --help --tls-verify --replace --rmi --no-hosts --no-hostname --env-host --http-proxy "
    "--read-only-tmpfs --unsetenv-all --passwd --tlsverify --tls --debug --use-api-socket"
)


_DOCKER_LETTERS = frozenset("itdPqD")


def _docker_options(words: Sequence[Word]) -> list[Word]:
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


def docker(words: list[Word]) -> Started | None:
    """Read `docker run IMAGE`; a container that is there already is a program like any other."""
    rest = _docker_options(words[1:])
    if rest[:1] == ["container"]:
        rest = rest[1:]
    if rest[:1] != ["run"]:
        return None
    rest = _docker_options(rest[1:])
    return _image(rest) if rest else None


def in_container(words: list[Word]) -> list[Word]:
    """Return the command that `docker exec CONTAINER COMMAND` runs in a container that is there already."""
    rest = _docker_options(words[1:])
    if rest[:1] == ["container"]:
        rest = rest[1:]
    return _docker_options(rest[1:])[1:] if rest[:1] == ["exec"] else []


def _image(rest: list[Word]) -> Started:
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


_DENO_VALUES = values_of(
    "-c --config --import-map --lock --cert --location --seed --v8-flags -L --log-level --env-file -r --preload --ext"
)


def deno(words: list[Word]) -> Started | None:
    """Read `deno run`: a package of npm or JSR, an address or a file."""
    _, rest = options_of(words[1:], _DENO_VALUES)
    if rest[:1] in (["run"], ["x"], ["serve"]):
        _, rest = options_of(rest[1:], _DENO_VALUES)
    elif rest[:1] == ["task"]:
        return npm.project_script("deno", rest)
    if not rest:
        return None
    scheme, colon, spec = rest[0].partition(":")
    if colon and scheme == "npm":
        # npm:@scope/name@1.2.3/file: a file of the package may follow.
        match = re.fullmatch(r"/?((?:@[^/@]+/)?[^/@]+(?:@[^/]+)?)(/.*)?", spec)
        found = npm.package(match.group(1) if match else spec, rest[1:])
        return replace(found, spec=str(rest[0]), index=rest[0].place)
    if colon and scheme == "jsr":
        match = re.fullmatch(r"/?(@[^/@]+/[^/@]+)(?:@([^/]+))?(/.*)?", spec)
        name, version = (match.group(1), match.group(2)) if match else (spec, None)
        pinned = version is not None and EXACT.fullmatch(version) is not None
        return Started("deno", name, "registry", tuple(rest[1:]), str(rest[0]), version, pinned, index=rest[0].place)
    if "://" in rest[0]:
        version = re.search(r"@v?([0-9]+\.[0-9]+\.[0-9]+[^/]*)", rest[0])
        return Started(
            "deno", str(rest[0]), "url", tuple(rest[1:]), str(rest[0]), version.group(1) if version else None, index=rest[0].place
        )
    return script(rest)


def dnx(words: list[Word]) -> Started | None:
    """`dnx PACKAGE@VERSION` (.NET 10): its own options may stand on both sides of the package; the tool's follow `--`."""
    values = values_of("--version --source --add-source --configfile --framework -f --verbosity -v")
    options, rest = options_of(words[1:], values)
    if not rest:
        return None
    more, after = options_of(rest[1:], values)
    options = joined_options(options, more)
    name, _, version = rest[0].partition("@")
    version = version or last_value(options, "--version")
    pinned = re.fullmatch(r"\[?[0-9]+(\.[0-9]+)+(-[0-9A-Za-z.\-]+)?\]?", version) is not None
    registry = last_value(options, "--source", "--add-source", "--configfile")
    return Started(
        "nuget", name, "registry", tuple(after), str(rest[0]), version or None, pinned, index=rest[0].place, registry=registry
    )


def dotnet(words: list[Word]) -> Started | None:
    """Read `dotnet tool exec PACKAGE` and `dotnet FILE.dll`."""
    rest = words[1:]
    if rest[:2] == ["tool", "exec"] or rest[:2] == ["tool", "execute"]:
        return dnx(rest[1:])
    if rest[:1] == ["dnx"]:
        return dnx(rest)
    if rest and rest[0].lower().endswith(".dll"):
        return script(rest)
    return None


_GO_VALUES = values_of(
    "-C -mod -modfile -exec -tags -ldflags -gcflags -asmflags -overlay -pkgdir -p -buildmode -compiler -toolexec"
)


def go(words: list[Word]) -> Started | None:
    """Read `go run MODULE@VERSION`; without a version it is a package of the project that the client is in."""
    _, rest = options_of(words[1:], _GO_VALUES)
    if rest[:1] != ["run"]:
        return None
    _, rest = options_of(rest[1:], _GO_VALUES)
    name, at, version = rest[0].partition("@") if rest else ("", "", "")
    if not at or "." not in name.partition("/")[0] or name.startswith("."):
        return None
    pinned = EXACT.fullmatch(version) is not None or re.fullmatch(r"[0-9a-f]{40}", version) is not None
    return Started("go", name, "registry", tuple(rest[1:]), str(rest[0]), version or "latest", pinned, index=rest[0].place)


INTERPRETERS = SHELLS | {"ruby", "perl", "php", "lua", "elixir", "java", "Rscript", "pwsh", "powershell"}


def program(name: str, words: list[Word]) -> Started:
    """Read a program that is there already, and the script or the installed package that it is given."""
    if name in INTERPRETERS and len(words) > 1:
        if words[1] in ("-e", "-E", "-r", "--eval"):
            return Started(
                "opaque", name, "program", tuple(words[2:]), opaque="its code is on the command line", index=words[0].place
            )
        if SCRIPT.search(words[1]) or "/" in words[1]:
            found = script(words[1:])
            if found is not None:
                return found
        if name == "java" and "-jar" in words[:-1]:
            found = script(words[words.index("-jar") + 1 :])  # type: ignore[arg-type]  # a slice of words that know their places has none but such
            if found is not None:
                return found
    path = words[0].replace("\\", "/")
    tool = re.search(r"/(?:uv/tools|pipx/venvs)/([^/]+)/(?:bin|Scripts)/[^/]+$", path)
    if tool:
        return Started(
            "pypi", python.normal(tool.group(1)), "installed", tuple(words[1:]), str(words[0]), None, True, words[0].place
        )
    if "/node_modules/" in path and "/node_modules/.bin/" not in path:
        found = script(words)
        if found is not None:
            return found
    source: Source = "path" if "/" in path else "program"
    return Started("command", name, source, tuple(words[1:]), str(words[0]), index=words[0].place)
