"""The same calls, by a user without privileges: as root, limits and file modes prove nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from . import test_listed
from .calls import Stage
from .listed import INSTALLED
from .servers import NODE, REPOSITORY, SERVERS, Runtime, temporary_place
from .sessions import MODES
from .test_calls import compare

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .web import Web

NOBODY = 65534
NEEDED = "import stdioguard, mcp_server_git, mcp_server_time, mcp_server_fetch"


def runs(runtime: Runtime, command: list[str]) -> bool:
    """Whether the user can run this."""
    return subprocess.run(runtime.as_user(command), capture_output=True, cwd="/", check=False).returncode == 0


def within_reach(runtime: Runtime, path: Path, copies: Path) -> Path:
    """The folder itself if the user can read it, else a copy that they can."""
    if runs(runtime, ["ls", "-R", str(path)]):
        return path
    copy = copies / path.name
    shutil.copytree(path, copy, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def interpreter(runtime: Runtime, copies: Path) -> str:
    """A Python that the user can run, with everything that ours can import."""
    if runs(runtime, [sys.executable, "-c", NEEDED]):
        return sys.executable
    ours = f"{sys.version_info.major}.{sys.version_info.minor}"
    # Ours is out of the user's reach (below /root, say): another of the same version, with our packages.
    for candidate in (f"/usr/bin/python{ours}", f"/usr/local/bin/python{ours}"):
        if runs(runtime, [candidate, "-c", "import venv"]):
            break
    else:
        pytest.skip(f"no Python {ours} that an ordinary user can run")
    subprocess.run([candidate, "-m", "venv", "--without-pip", str(copies / "venv")], check=True)
    [packages] = (copies / "venv").glob("lib/python*/site-packages")
    reach = {name: within_reach(runtime, REPOSITORY / name, copies) for name in ("stdioguard", "profiles")}
    if reach["stdioguard"].parent != reach["profiles"].parent and not (copies / "profiles").exists():
        shutil.copytree(REPOSITORY / "profiles", copies / "profiles")  # it looks for them beside itself
    ours_packages = Path(sysconfig.get_path("purelib"))
    # addsitedir, not a plain line: an editable install of ours is itself a .pth file in there.
    add = f"import site; site.addsitedir({str(within_reach(runtime, ours_packages, copies))!r})"
    (packages / "ours.pth").write_text(f"{reach['stdioguard'].parent}\n{add}\n")
    python = str(copies / "venv" / "bin" / "python")
    assert runs(runtime, [python, "-c", NEEDED]), "the copied packages can't be imported"
    return python


@pytest.fixture(scope="module")
def ordinary(web: Web, node_servers: str | None) -> Iterator[Stage]:
    """A place owned by an ordinary user, and programs that this user can run."""
    if os.geteuid() != 0:
        pytest.skip("not run as root: every other test here already runs as an ordinary user")
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv is not installed")
    with temporary_place(NOBODY) as place, tempfile.TemporaryDirectory(prefix="stdioguard-copies-") as made:
        copies = Path(made)
        copies.chmod(0o755)
        user = Runtime(owner=NOBODY)
        python = interpreter(user, copies)
        node = within_reach(user, NODE, copies) if NODE.exists() else NODE
        yield Stage(place, web, Runtime(python, node, NOBODY), node_servers)


@pytest.mark.parametrize("name", [name for name in SERVERS if name != "fetch-public-only"])
def test_every_tool_answers_the_same_for_an_ordinary_user(name: str, ordinary: Stage) -> None:
    compare(SERVERS[name], MODES["auto"], ordinary)
    place = ordinary.place
    for tree in (place.files, place.home, place.guard):
        assert {path.lstat().st_uid for path in (tree, *tree.rglob("*"))} == {NOBODY}


@pytest.mark.parametrize("name", INSTALLED)
def test_a_server_that_needs_a_key_lists_the_same_for_an_ordinary_user(name: str, ordinary: Stage) -> None:
    assert test_listed.compare(name, ordinary)
