"""Where files are kept, and what `${…}` stands for."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import platformdirs
import pytest

from stdioguard.policy import environment, places, variables


@pytest.mark.parametrize("variables_set", [{}, {"XDG_CONFIG_HOME": "/c", "XDG_STATE_HOME": "/s", "XDG_CACHE_HOME": "/k"}])
def test_the_places_are_those_of_platformdirs(variables_set: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STDIOGUARD_HOME", raising=False)
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables_set.items():
        monkeypatch.setenv(name, value)
    assert places.directory("config") == platformdirs.user_config_dir("stdioguard", appauthor=False)
    assert places.directory("state") == platformdirs.user_state_dir("stdioguard", appauthor=False)
    assert places.directory("cache") == platformdirs.user_cache_dir("stdioguard", appauthor=False)


def test_the_places_of_macos_are_those_of_platformdirs(monkeypatch: pytest.MonkeyPatch) -> None:
    from platformdirs.macos import MacOS

    monkeypatch.delenv("STDIOGUARD_HOME", raising=False)
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "darwin")
    there = MacOS("stdioguard", appauthor=False)
    assert places.directory("config") == there.user_config_dir
    assert places.directory("state") == there.user_state_dir
    assert places.directory("cache") == there.user_cache_dir


@pytest.mark.skipif(sys.platform != "linux", reason="other systems give a user no runtime directory")
def test_the_runtime_directory_is_one_with_and_without_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many clients start a server with HOME and little else, and the person's terminal has all of the login's variables."""
    monkeypatch.delenv("STDIOGUARD_HOME", raising=False)
    monkeypatch.setattr(places, "_LOGGED_IN", str(tmp_path))
    own = tmp_path / str(os.geteuid())
    own.mkdir(0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(own))
    assert places.directory("runtime") == str(own / "stdioguard")
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert places.directory("runtime") == str(own / "stdioguard")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "gone"))
    assert places.directory("runtime") == str(own / "stdioguard")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems give a user no runtime directory")
def test_a_runtime_directory_that_others_write_to_or_own_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STDIOGUARD_HOME", raising=False)
    monkeypatch.setattr(places, "_LOGGED_IN", "/nowhere")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert places.directory("runtime") == str(tmp_path / "stdioguard")
    tmp_path.chmod(0o777)
    assert places.directory("runtime") == os.path.join(places.directory("state"), "runtime")
    tmp_path.chmod(0o700)
    other = "/proc" if os.geteuid() else "/"
    if not os.geteuid():
        os.chown(tmp_path, 65534, 65534)
        other = str(tmp_path)
    monkeypatch.setenv("XDG_RUNTIME_DIR", other)  # as `sudo -E` leaves it
    assert places.directory("runtime") == os.path.join(places.directory("state"), "runtime")


def test_one_variable_moves_all_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STDIOGUARD_HOME", str(tmp_path / "h"))
    assert places.directory("state") == str(tmp_path / "h" / "state")


def test_a_private_directory_is_made_private_with_its_parents_and_checked(tmp_path: Path) -> None:
    made = Path(places.private_directory(str(tmp_path / "a" / "b")))
    assert made.stat().st_mode & 0o777 == 0o700
    assert made.parent.stat().st_mode & 0o777 == 0o700
    made.chmod(0o770)
    with pytest.raises(PermissionError, match="chmod 700"):
        places.private_directory(str(made))
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(PermissionError):
        places.private_directory(str(tmp_path / "link"))


@pytest.mark.parametrize(
    ("command", "own"),
    [
        (["server", "/data"], ["/data"]),
        (["python3", "server.py", "/data"], ["/data"]),
        (["/usr/bin/python3.12", "-u", "-W", "ignore", "server.py", "/data"], ["/data"]),
        (["python", "-m", "mcp_server_git", "--repository", "/repo"], ["--repository", "/repo"]),
        (["python", "-c", "code", "/data"], ["/data"]),
        (["node", "--require", "/hook.js", "server.js", "/data"], ["/data"]),
        (["npx", "-y", "@scope/server", "/data"], ["/data"]),
        (["npx", "-p", "pkg", "server", "/data"], ["/data"]),
        (["uvx", "mcp-server-git", "--repository", "/repo"], ["--repository", "/repo"]),
        (["uvx", "--from", "git+x", "server", "/data"], ["/data"]),
        (["uv", "--directory", "/proj", "run", "server.py", "/data"], ["/data"]),
        (["uv", "run", "python", "server.py", "/data"], ["/data"]),
        (["env", "A=b", "python3", "server.py", "/data"], ["/data"]),
        (["bash", "-c", "exec server", "/data"], ["/data"]),
        (["bash", "start.sh", "/data"], ["/data"]),
        (["node", "server.js"], []),
        (["python3"], []),
    ],
    ids=" ".join,
)
def test_a_servers_own_arguments_are_what_follows_its_script(command: list[str], own: list[str]) -> None:
    assert variables.own_arguments(command) == own


def test_argument_paths_are_those_that_exist(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    command = ["server", "real", "link", "nowhere", f"--dir={tmp_path}/real", "--flag", str(tmp_path), ""]
    assert variables.argument_paths(command, str(tmp_path)) == [str(tmp_path / "real"), str(tmp_path)]


def test_a_variable_of_several_paths_makes_several_entries_and_of_none_none() -> None:
    values = {"ARG_PATHS": ["/a", "/b"], "HOME": ["/h"], "TMP": []}
    assert variables.expand(["${ARG_PATHS}/x", "${HOME}", "/plain", "${TMP}/y"], values) == ["/a/x", "/b/x", "/h", "/plain"]


def test_nothing_that_the_guard_passes_by_default_is_forbidden() -> None:
    assert not [name for name in environment.BASE if environment.is_forbidden(name)]
    for name in (
        "LD_PRELOAD",
        "ld_preload",
        "DYLD_INSERT_LIBRARIES",
        "NODE_OPTIONS",
        "PYTHONPATH",
        "BASH_FUNC_x%%",
        "STDIOGUARD_TOKEN",
    ):
        assert environment.is_forbidden(name)
    for name in ("LANG", "NODE_ENV", "GITHUB_TOKEN", "MEMORY_FILE_PATH", "HTTP_PROXY"):
        assert not environment.is_forbidden(name)


def test_directories_made_on_the_way_do_not_depend_on_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        made = Path(places.private_directory(str(tmp_path / "x" / "y")))
    finally:
        os.umask(before)
    assert made.parent.stat().st_mode & 0o777 == 0o700
