"""The program that wrapped entries name: there, right, and never a way to an unguarded server."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stdioguard import __version__
from stdioguard.installs import shim

if TYPE_CHECKING:
    from tests.installs.scene import Scene


def test_it_is_for_its_owner_alone_and_written_once(scene: Scene) -> None:
    where = shim.install()
    assert where == shim.path() == str(scene.own("bin", "stdioguard"))
    assert stat.S_IMODE(os.stat(where).st_mode) == 0o700
    assert stat.S_IMODE(os.stat(os.path.dirname(where)).st_mode) == 0o700
    before = os.stat(where)
    assert shim.install() == where
    assert os.stat(where).st_ino == before.st_ino
    assert shim.is_right(where)


def test_it_starts_stdioguard_with_whatever_arguments_it_is_given(scene: Scene) -> None:
    where = shim.install()
    env = {"PATH": "/nowhere", "HOME": str(scene.home)}
    done = subprocess.run([where, "--version"], env=env, cwd="/", capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, f"stdioguard {__version__}"), done.stderr
    odd = ["profile", "show", "no 'such\" $(touch x) `y`\n\\ profile"]
    done = subprocess.run([where, *odd], env=env, cwd=scene.home, capture_output=True, text=True, check=False)
    assert done.returncode == 78
    assert not (scene.home / "x").exists()


def test_a_path_with_any_character_in_it_is_only_a_path(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = scene.home / "a 'b\" $(touch evil) `c` \\ ☃"
    folder.mkdir()
    python = folder / "python"
    python.write_text('#!/bin/sh\necho "$0" "$@"\n')
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    done = subprocess.run([shim.install(), "run", "a b"], cwd=scene.home, capture_output=True, text=True, check=False)
    assert done.stdout == f"{python} -I -m stdioguard run a b\n"
    assert not (scene.home / "evil").exists()


@pytest.mark.parametrize("damage", ["gone", "replaced", "open to others", "a link"])
def test_one_that_is_not_right_is_known_and_made_anew(scene: Scene, damage: str) -> None:
    where = Path(shim.install())
    if damage == "gone":
        where.unlink()
    elif damage == "replaced":
        where.write_text("#!/bin/sh\nexec evil\n")
    elif damage == "open to others":
        where.chmod(0o755)
    else:
        where.rename(scene.home / "elsewhere")
        where.symlink_to(scene.home / "elsewhere")
    assert not shim.is_right(str(where))
    shim.install()
    assert shim.is_right(str(where))
    assert not where.is_symlink()


def test_where_stdioguard_is_gone_nothing_is_started(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as moved:
        moved.setattr(sys, "executable", str(scene.home / "gone" / "python"))
        where = shim.install()
    done = subprocess.run([where, "run", "--", "/bin/echo", "started"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (77, "", 1)
    assert "install stdioguard again" in done.stderr


def test_an_environment_that_uvx_throws_away_can_be_had_again(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    uvx = scene.home / "bin" / "uvx"
    uvx.parent.mkdir()
    uvx.write_text('#!/bin/sh\necho uvx "$@"\n')
    uvx.chmod(0o755)
    monkeypatch.setenv("PATH", str(uvx.parent), prepend=os.pathsep)
    monkeypatch.setattr(sys, "prefix", str(scene.home / ".cache" / "uv" / "archive-v0" / "abc"))
    monkeypatch.setattr(sys, "executable", str(scene.home / ".cache" / "uv" / "archive-v0" / "abc" / "bin" / "python"))
    where = shim.install()
    done = subprocess.run([where, "run", "--", "x"], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["uvx", "--from", f"stdioguard=={__version__}", "stdioguard", "run", "--", "x"], done
    monkeypatch.setattr(sys, "prefix", "/usr")
    assert "uvx" not in Path(shim.install()).read_text()
