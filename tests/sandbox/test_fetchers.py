"""A command that would fetch starts what it has fetched before, and exactly that: the package, the version, the place that were asked for."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from stdioguard.sandbox import fetchers, permissions

if TYPE_CHECKING:
    from pathlib import Path


def program(path: Path, text: str = "not a script\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def package(folder: Path, name: str, version: str, programs: dict[str, str] | str) -> None:
    """Install an npm package below `folder`."""
    root = folder / "node_modules" / name
    root.mkdir(parents=True, exist_ok=True)
    (root / "package.json").write_text(json.dumps({"name": name, "version": version, "bin": programs}))
    named = {name.rpartition("/")[2]: programs} if isinstance(programs, str) else programs
    for command, file in named.items():
        program(root / file)
        link = folder / "node_modules" / ".bin" / command
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(f"../{name}/{file}")


def fetched(home: Path, key: str, specs: list[str], *, old: bool = False) -> Path:
    folder = home / ".npm" / "_npx" / key
    folder.mkdir(parents=True)
    manifest = {"dependencies": {spec.rpartition("@")[0] or spec: "^1" for spec in specs}}
    (folder / "package.json").write_text(json.dumps(manifest if old else {**manifest, "_npx": {"packages": specs}}))
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home in which npx has fetched three packages, and a folder with a project."""
    home = tmp_path / "home"
    package(fetched(home, "aaa", ["@scope/server"]), "@scope/server", "1.2.3", {"mcp-server": "dist/index.js"})
    package(fetched(home, "bbb", ["@scope/server@1.0.0"]), "@scope/server", "1.0.0", {"mcp-server": "dist/index.js"})
    package(fetched(home, "ccc", ["many"]), "many", "2.0.0", {"many": "a.js", "other": "b.js"})
    package(fetched(home, "ddd", ["plain"], old=True), "plain", "3.0.0", "cli.js")
    package(fetched(home, "eee", ["none"]), "none", "1.0.0", {"a": "a.js", "b": "b.js"})
    package(fetched(home, "fff", ["first", "second"]), "second", "1.0.0", {"run-second": "b.js"})
    package(home / ".npm" / "_npx" / "fff", "first", "1.0.0", {})
    package(tmp_path / "project", "local", "1.0.0", "index.js")
    package(tmp_path / "project", "@scope/server", "9.9.9", {"mcp-server": "evil.js"})
    return home


def started(fetcher: str, words: str, home: Path, cwd: Path | None = None, **environment: str) -> str | None:
    direct = fetchers.installed(fetcher, words.split(), str(cwd or home), {"HOME": str(home), **environment})
    if direct is None:
        return None
    assert fetcher.removesuffix("x") in direct.reason
    return " ".join([direct.command[0].removeprefix(f"{home}/"), *direct.command[1:]])


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("-y @scope/server /data", ".npm/_npx/aaa/node_modules/.bin/mcp-server /data"),
        ("@scope/server@latest --flag", ".npm/_npx/aaa/node_modules/.bin/mcp-server --flag"),
        ("-y @scope/server@1.0.0", ".npm/_npx/bbb/node_modules/.bin/mcp-server"),
        ("-y @scope/server@1.2.3", None),
        ("-y @scope/server@2.0.0", None),
        ("--yes -- many x", ".npm/_npx/ccc/node_modules/.bin/many x"),
        ("-p many other x", ".npm/_npx/ccc/node_modules/.bin/other x"),
        ("--package=many -- other x", ".npm/_npx/ccc/node_modules/.bin/other x"),
        ("-p many ../../../x", None),
        ("-p many -c other", None),
        ("plain", ".npm/_npx/ddd/node_modules/.bin/plain"),
        ("none", None),
        ("-p first -p second run-second", ".npm/_npx/fff/node_modules/.bin/run-second"),
        ("-p first run-second", None),
        ("missing", None),
        ("", None),
        ("-y", None),
        ("../evil", None),
        ("@scope/../../evil", None),
        ("github:scope/server", None),
        ("https://example.org/x.tgz", None),
        ("./project", None),
    ],
)
def test_npx(words: str, expected: str | None, home: Path) -> None:
    assert started("npx", words, home) == expected
    assert started("npm", f"exec {words}", home) == expected
    assert started("npm", f"run {words}", home) is None


def test_npx_prefers_its_own_copy_to_that_of_the_working_directory(home: Path, tmp_path: Path) -> None:
    """The working directory is often a repository that somebody else wrote."""
    project = tmp_path / "project"
    inner = project / "src"
    inner.mkdir()
    assert started("npx", "@scope/server", home, inner) == ".npm/_npx/aaa/node_modules/.bin/mcp-server"
    assert started("npx", "local x", home, inner) == f"{project}/node_modules/.bin/local x"
    assert started("npx", "local@2.0.0", home, inner) is None


def test_npx_looks_in_the_cache_that_it_is_told_of(home: Path, tmp_path: Path) -> None:
    (home / ".npm").rename(tmp_path / "cache")
    assert started("npx", "many", home) is None
    for environment in ({"npm_config_cache": f"{tmp_path}/cache"}, {"NPM_CONFIG_CACHE": f"{tmp_path}/cache"}):
        assert started("npx", "many", home, **environment) == f"{tmp_path}/cache/_npx/ccc/node_modules/.bin/many"
    assert started("npx", f"--cache {tmp_path}/cache many", home) == f"{tmp_path}/cache/_npx/ccc/node_modules/.bin/many"


@pytest.mark.parametrize("text", ["", "[]", "{", '{"_npx": 1}', '{"_npx": {"packages": [1]}}', "[" * 100_000])
def test_a_broken_manifest_is_no_match(text: str, home: Path) -> None:
    (home / ".npm" / "_npx" / "ccc" / "package.json").write_text(text)
    assert started("npx", "many", home) is None


def environment(folder: Path, packages: dict[str, str], *commands: str, version: str = "3.12") -> Path:
    site = folder / "lib" / f"python{version}" / "site-packages"
    site.mkdir(parents=True)
    (folder / "pyvenv.cfg").write_text("home = /usr/bin\n")
    for name, number in packages.items():
        (site / f"{name}-{number}.dist-info").mkdir()
    for command in ("python", *commands):
        program(folder / "bin" / command)
    return folder


@pytest.fixture
def uv(tmp_path: Path) -> Path:
    """A home in which uv has installed a tool, two packages for uvx, one of them from a repository, and a project."""
    home = tmp_path / "home"
    environment(home / ".local/share/uv/tools/mcp-tool", {"mcp_tool": "1.0"}, "mcp-tool")
    archive, kept = home / ".cache/uv/archive-v0", home / ".cache/uv/environments-v2" / "0123"
    kept.mkdir(parents=True)
    for age, (name, packages, command) in enumerate(
        [
            ("old", {"mcp_server_time": "1.0", "tzdata": "2"}, "mcp-server-time"),
            ("new", {"mcp_server_time": "2.0"}, "mcp-server-time"),
            ("git", {"from_git": "1.0"}, "from-git"),
        ]
    ):
        made = environment(archive / name, packages, command)
        os.utime(made, (age, age))
        (kept / name).symlink_to(f"../../archive-v0/{name}")
    origin = {
        "url": "https://example.org/a/from-git",
        "vcs_info": {"vcs": "git", "commit_id": "f" * 40, "requested_revision": "v1"},
    }
    (archive / "git/lib/python3.12/site-packages/from_git-1.0.dist-info/direct_url.json").write_text(json.dumps(origin))
    project = tmp_path / "project"
    environment(project / ".venv", {"weather": "1"}, "weather")
    (project / "pyproject.toml").write_text("")
    (project / "src").mkdir()
    for name in ("server.py", "src/part.py"):
        (project / name).write_text("import x\n")
    (tmp_path / "inline.py").write_text("#!/usr/bin/env -S uv run\n# /// script\n# dependencies = []\n# ///\n")
    environment(home / ".cache/uv/environments-v2/inline-0123456789abcdef", {})
    return home


TIME = "bin/mcp-server-time"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("mcp-tool --x", ".local/share/uv/tools/mcp-tool/bin/mcp-tool --x"),
        ("mcp-tool@1.0", None),
        ("mcp-server-time --x", f".cache/uv/archive-v0/new/{TIME} --x"),
        ("mcp-server-time@latest", f".cache/uv/archive-v0/new/{TIME}"),
        ("mcp-server-time@1.0", f".cache/uv/archive-v0/old/{TIME}"),
        ("mcp-server-time@3.0", None),
        ("--from mcp-server-time==1.0 mcp-server-time", f".cache/uv/archive-v0/old/{TIME}"),
        ("--from MCP_Server.time mcp-server-time", f".cache/uv/archive-v0/new/{TIME}"),
        ("--from mcp-server-time[extra] mcp-server-time", f".cache/uv/archive-v0/new/{TIME}"),
        ("--from mcp-server-time>=1 mcp-server-time", None),
        ("--with tzdata mcp-server-time", f".cache/uv/archive-v0/old/{TIME}"),
        ("--with missing mcp-server-time", None),
        ("--python 3.12 mcp-server-time", f".cache/uv/archive-v0/new/{TIME}"),
        ("-p 3.13 mcp-server-time", None),
        ("--from git+https://example.org/a/from-git@v1 from-git", ".cache/uv/archive-v0/git/bin/from-git"),
        ("--from git+https://example.org/a/from-git@v2 from-git", None),
        ("--from git+https://example.org/b/from-git@v1 from-git", None),
        ("--from git+https://example.org/a/from-git from-git", None),
        ("--with-requirements x.txt mcp-server-time", None),
        ("../mcp-tool", None),
        ("missing", None),
        ("", None),
    ],
)
def test_uvx(words: str, expected: str | None, uv: Path) -> None:
    assert started("uvx", words, uv) == expected
    assert started("uv", f"tool run {words}", uv) == expected
    assert started("uv", f"--offline tool run {words}", uv) == expected
    assert started("uv", f"pip {words}", uv) is None


def test_uv_looks_where_it_is_told(uv: Path, tmp_path: Path) -> None:
    (uv / ".cache" / "uv").rename(tmp_path / "moved")
    assert started("uvx", "mcp-server-time", uv) is None
    for variables in ({"UV_CACHE_DIR": f"{tmp_path}/moved"},):
        assert started("uvx", "mcp-server-time", uv, **variables) == f"{tmp_path}/moved/archive-v0/new/{TIME}"
    assert started("uvx", "mcp-tool", uv, UV_TOOL_DIR="/nowhere") is None
    assert started("uvx", "mcp-tool", uv, XDG_DATA_HOME=f"{uv}/.local/share")


@pytest.mark.parametrize(
    ("words", "expected", "folder"),
    [
        ("--directory {project} run server.py a", "{project}/.venv/bin/python server.py a", "{project}"),
        ("run --directory {project} server.py", "{project}/.venv/bin/python server.py", "{project}"),
        ("run --directory {project}/src part.py", "{project}/.venv/bin/python part.py", "{project}/src"),
        ("run --project {project} weather", "{project}/.venv/bin/weather", "{home}"),
        ("run --project {project} python -m weather", "{project}/.venv/bin/python -m weather", "{home}"),
        ("run --project {project} -m weather x", "{project}/.venv/bin/python -m weather x", "{home}"),
        ("run --project {project} missing", None, ""),
        ("run --project {project} ../x", None, ""),
        ("run --project {home} weather", None, ""),
        ("run {top}/inline.py x", ".cache/uv/environments-v2/inline-0123456789abcdef/bin/python {top}/inline.py x", "{home}"),
        ("run --with tzdata --no-project mcp-server-time", None, ""),
        ("run --with tzdata,mcp-server-time==1.0 mcp-server-time", f".cache/uv/archive-v0/old/{TIME}", "{home}"),
        ("run", None, ""),
        ("sync", None, ""),
    ],
)
def test_uv_run(words: str, expected: str | None, folder: str, uv: Path, tmp_path: Path) -> None:
    names = {"project": str(tmp_path / "project"), "home": str(uv), "top": str(tmp_path)}
    text = words.format(**names)
    assert started("uv", text, uv) == (expected.format(**names) if expected else None)
    direct = fetchers.installed("uv", text.split(), str(uv), {"HOME": str(uv)})
    assert direct is None or direct.cwd == folder.format(**names)


def test_pipx(tmp_path: Path) -> None:
    for root in (".local/share/pipx", ".local/pipx"):
        path = environment(tmp_path / root / "venvs" / "mcp-tool", {}, "mcp-tool") / "bin" / "mcp-tool"
        assert started("pipx", "run mcp-tool x", tmp_path) == f"{path.relative_to(tmp_path)} x"
        path.unlink()
    assert started("pipx", "run --spec mcp-tool==2 mcp-tool", tmp_path) is None
    assert started("pipx", "list mcp-tool", tmp_path) is None


@pytest.fixture
def pyenv(tmp_path: Path) -> Path:
    root = tmp_path / "home" / ".pyenv"
    for version in ("3.9.1", "3.11.9", "3.11.10"):
        program(root / "versions" / version / "bin" / "python")
    program(root / "versions" / "3.9.1" / "bin" / "mcp-old")
    program(root / "libexec" / "pyenv")
    (root / "version").write_text("3.11\n3.9.1\n")
    for name in ("python", "mcp-old", "missing"):
        program(root / "shims" / name, "#!/bin/sh\nexec pyenv exec\n")
    return root


@pytest.mark.parametrize(
    ("name", "variable", "local", "expected"),
    [
        ("python", "", "", "3.11.10"),
        ("python", "3.9.1", "3.11.9", "3.9.1"),
        ("python", "", "python-3.11.9\n", "3.11.9"),
        ("python", "", "3.8\n", None),
        ("mcp-old", "", "", "3.9.1"),
        ("missing", "", "", None),
        ("python", "system:3.9.1", "", "3.9.1"),
        ("python", "../../../evil", "", None),
    ],
)
def test_a_shim_is_passed_over(name: str, variable: str, local: str, expected: str | None, pyenv: Path, tmp_path: Path) -> None:
    (tmp_path / "work" / "deep").mkdir(parents=True)
    program(tmp_path / "evil" / "bin" / "python")
    if local:
        (tmp_path / "work" / ".python-version").write_text(local)
    variables = {"HOME": str(tmp_path / "home"), "PYENV_VERSION": variable}
    path = f"{pyenv}/shims:/usr/bin:/bin"
    resolved = permissions.resolve([name, "x"], path, str(tmp_path / "work" / "deep"), environment=variables)
    if expected is None:
        assert (resolved.kind, resolved.instead) == ("sh", "")
    else:
        assert resolved.executable.path == f"{pyenv}/versions/{expected}/bin/{name}"
        assert resolved.instead == f"pyenv's shim is not run: it would start {resolved.executable.path}"
        assert resolved.program == f"{pyenv}/shims/{name}"
        assert resolved.argv[1:] == ["x"]


def test_what_is_started_in_place_of_a_fetcher_is_checked_too(uv: Path, tmp_path: Path) -> None:
    program(tmp_path / "bin" / "uvx")
    place = uv / ".cache/uv/archive-v0/new" / TIME
    command = (["uvx", "mcp-server-time", "x"], f"{tmp_path}/bin", str(tmp_path))
    resolved = permissions.resolve(*command, environment={"HOME": str(uv)})
    assert resolved.argv == [str(place), "x"]
    assert resolved.program == f"{tmp_path}/bin/uvx"
    assert [checked.path for checked in resolved.checked] == [str(place), f"{tmp_path}/bin/uvx"]
    place.chmod(0o777)
    with pytest.raises(permissions.PermissionRefused, match="chmod go-w"):
        permissions.resolve(*command, environment={"HOME": str(uv)})
