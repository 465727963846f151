"""Pinning: to the version that is started here now, and to none that only might be."""

from __future__ import annotations

import json

import pytest

from tests.audit.audited import config, found, run

NPM = "@modelcontextprotocol/server-everything"


def npx_copy(home, package=NPM, version="2026.1.14", asked=None, name="aaaa"):
    """Put a package where npx keeps what it has installed."""
    folder = home / ".npm" / "_npx" / name
    own = folder / "node_modules" / package
    own.mkdir(parents=True)
    (folder / "package.json").write_text(json.dumps({"_npx": {"packages": [asked or package]}, "dependencies": {package: "^1"}}))
    (own / "package.json").write_text(
        json.dumps({"name": package, "version": version, "bin": {package.rpartition("/")[2]: "x.js"}})
    )
    program = folder / "node_modules" / ".bin" / package.rpartition("/")[2]
    program.parent.mkdir(exist_ok=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)


def uv_copy(home, package="mcp-server-time", version="2026.10.19", folder="a"):
    """Put a package where uvx keeps what it has installed."""
    environment = home / ".cache" / "uv" / "environments-v2" / "x" / folder
    packages = environment / "lib" / "python3.12" / "site-packages"
    (packages / f"{package.replace('-', '_')}-{version}.dist-info").mkdir(parents=True)
    (environment / "pyvenv.cfg").write_text("")
    (environment / "bin").mkdir()
    (environment / "bin" / package).write_text("#!/bin/sh\n")
    (environment / "bin" / package).chmod(0o755)


def offered(path):
    return [one["fix"] for one in found(path, rule="unpinned-package")]


def fixed(home, command, *args):
    """Return the words that `--fix` leaves, from a home's own configuration."""
    path = config(home, {"a": {"command": command, "args": list(args)}}, ".cursor/mcp.json")
    run(path, "--fix", "--yes")
    server = json.loads(path.read_text())["mcpServers"]["a"]
    return [server["command"], *server["args"]]


@pytest.mark.parametrize(
    ("asked", "spec", "now"),
    [(NPM, NPM, f"{NPM}@2026.1.14"), (f"{NPM}@latest", f"{NPM}@latest", f"{NPM}@2026.1.14")],
)
def test_a_package_of_npx_is_pinned_to_the_copy_that_it_would_start(home, asked, spec, now):
    npx_copy(home, asked=asked)
    assert fixed(home, "npx", "-y", spec, "/notes") == ["npx", "-y", now, "/notes"]


def test_it_is_pinned_through_what_it_is_wrapped_in_where_the_word_is_its_own(home):
    npx_copy(home)
    assert fixed(home, "cmd", "/c", "npx", "-y", NPM)[-1] == f"{NPM}@2026.1.14"
    assert fixed(home, "env", "A=b", "npx", "-y", NPM)[-1] == f"{NPM}@2026.1.14"


def test_a_word_that_is_only_a_piece_of_a_line_is_left(home):
    npx_copy(home)
    assert fixed(home, "sh", "-c", f"npx -y {NPM}") == ["sh", "-c", f"npx -y {NPM}"]


@pytest.mark.parametrize(
    ("words", "now"),
    [
        (["mcp-server-time"], ["mcp-server-time@2026.10.19"]),
        (
            ["--from", "mcp-server-time", "mcp-server-time", "--utc"],
            ["--from", "mcp-server-time==2026.10.19", "mcp-server-time", "--utc"],
        ),
        (["--from=mcp-server-time", "mcp-server-time"], ["--from=mcp-server-time==2026.10.19", "mcp-server-time"]),
    ],
)
def test_a_package_of_uvx_is_pinned_in_the_way_that_uvx_reads(home, words, now):
    uv_copy(home)
    assert fixed(home, "uvx", *words) == ["uvx", *now]


def test_without_a_copy_nothing_is_offered(home):
    assert offered(config(home, {"a": {"command": "npx", "args": ["-y", NPM]}}, ".cursor/mcp.json")) == [None]


def test_a_copy_of_another_package_is_no_reason(home):
    npx_copy(home, "other-package")
    assert offered(config(home, {"a": {"command": "npx", "args": ["-y", NPM]}}, ".cursor/mcp.json")) == [None]


def test_what_a_repository_brings_along_is_no_reason(home, monkeypatch):
    folder = home / "repository"
    path = config(folder, {"a": {"command": "npx", "args": ["-y", NPM]}})
    own = folder / "node_modules" / NPM
    own.mkdir(parents=True)
    (own / "package.json").write_text(json.dumps({"name": NPM, "version": "6.6.6", "bin": {"server-everything": "x"}}))
    program = folder / "node_modules" / ".bin" / "server-everything"
    program.parent.mkdir()
    program.write_text("")
    program.chmod(0o755)
    monkeypatch.chdir(folder)
    assert offered(path) == [None]


@pytest.mark.parametrize("version", ["", 1, None, "latest", "1.0.0 || 2", "1.0.0\n--evil", "^1.0.0", "../x", "x" * 99])
def test_a_version_that_is_none_is_not_written_into_a_configuration(home, version):
    npx_copy(home, version=version)
    assert offered(config(home, {"a": {"command": "npx", "args": ["-y", NPM]}}, ".cursor/mcp.json")) == [None]


def test_a_manifest_that_makes_no_sense_is_survived(home):
    npx_copy(home)
    (home / ".npm/_npx/aaaa/node_modules" / NPM / "package.json").write_text("[" * 100_000)
    assert offered(config(home, {"a": {"command": "npx", "args": ["-y", NPM]}}, ".cursor/mcp.json")) == [None]
