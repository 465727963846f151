"""Which grants a plan refuses, and that an honest grant beside each is given."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from stdioguard.sandbox import grants, protected
from stdioguard.sandbox.grants import GrantRefused
from stdioguard.sandbox.plan import Plan

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    for folder in ("project", ".ssh", ".config/systemd/user", ".local/state/stdioguard", "data"):
        (home / folder).mkdir(parents=True)
    (home / ".claude.json").write_text("{}")
    return home


def check(home: Path, read: list[str], write: list[str]) -> None:
    own = [str(home / ".local/state/stdioguard")]
    plan = Plan()
    plan.read = [os.path.realpath(path.format(home=home)) for path in read]
    plan.write = [os.path.realpath(path.format(home=home)) for path in write]
    plan.protected = protected.patterns(str(home), own)
    grants.check(plan, home=str(home), own=own)


REFUSED = [
    ("/", "the whole file system"),
    ("{home}", "your home folder"),
    ("{home}/..", "a parent of your home folder"),
    ("{home}/.config", "a parent of"),
    ("{home}/.local", "a parent of"),
    ("{home}/.local/state/stdioguard/servers", "inside stdioguard's own folder"),
]


@pytest.mark.parametrize("kind", ["read", "write"])
@pytest.mark.parametrize(("path", "why"), REFUSED)
def test_a_grant_that_gives_more_than_it_says_is_refused(home: Path, kind: str, path: str, why: str) -> None:
    (home / ".local/state/stdioguard/servers").mkdir()
    with pytest.raises(GrantRefused, match=why) as refused:
        check(home, [path] if kind == "read" else [], [path] if kind == "write" else [])
    assert f"[sandbox] {kind} grants" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("path", ["{home}/.claude.json", "{home}/.config/systemd/user", "{home}/link"])
def test_what_is_protected_may_be_granted_for_reading_alone(home: Path, path: str) -> None:
    (home / "link").symlink_to(".config/systemd")
    check(home, [path], [])
    with pytest.raises(GrantRefused, match="which is protected"):
        check(home, [], [path])


def test_another_name_of_a_protected_file_is_refused(home: Path) -> None:
    os.link(home / ".claude.json", home / "data" / "other.json")
    with pytest.raises(GrantRefused, match="another name of"):
        check(home, [], ["{home}/data/other.json"])


def test_folders_of_a_project_are_granted(home: Path) -> None:
    check(home, ["{home}/project", "{home}/data"], ["{home}/project"])


def test_a_link_that_the_server_may_change_names_no_grant(home: Path) -> None:
    (home / "project" / "data").symlink_to(home / "data")
    (home / "elsewhere").symlink_to(home / "data")
    writable = [str(home / "project")]
    with pytest.raises(GrantRefused, match="goes by the link"):
        grants.check_links(grants.links_on(str(home / "project" / "data")), writable)
    grants.check_links(grants.links_on(str(home / "project" / "data")), [])
    grants.check_links(grants.links_on(str(home / "elsewhere")), writable)
