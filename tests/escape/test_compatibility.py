"""What honest servers do works in the sandbox as it does without one."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest

from .catalogue import SANDBOXED
from .compatibility import CASES, CHROMIUM

if TYPE_CHECKING:
    from .conftest import Worlds

NAMES = [name for name in CASES if name != "port-of-the-proxy"]
ELSEWHERE: dict[tuple[str, str], str] = {
    ("a-server-on-the-loopback-address", "plain"): "EAFNOSUPPORT",
    # POSIX semaphores are files in /dev/shm, which is not granted there: it is every program's.
    ("python-multiprocessing-by-fork", "plain"): "EACCES",
    ("python-multiprocessing-by-spawn", "plain"): "EACCES",
    ("python-multiprocessing-by-forkserver", "plain"): "EACCES",
    ("python-process-pool", "plain"): "EACCES",
    # So are the terminals in /dev/pts.
    ("a-pseudo-terminal", "plain"): "EACCES",
}
"""What cannot be had without namespaces, and how it fails: docs/platforms.md says so."""


@pytest.mark.parametrize("configuration", SANDBOXED)
@pytest.mark.parametrize("name", NAMES)
def test_it_works_as_without_a_sandbox(name: str, configuration: str, worlds: Worlds) -> None:
    case = CASES[name]
    for program in case.needs:
        if not any(shutil.which(other) for other in (CHROMIUM if program == "chromium" else (program,))):
            pytest.skip(f"{program} is not installed")
    user, _, kind = configuration.partition("-")
    bare, guarded = worlds[f"{user}-bare"], worlds[configuration]
    if case.world and not guarded.setup["world"]:
        pytest.skip("needs a host in namespaces of its own, which are not allowed here")
    expected = outcome_of(bare.ask("case", name=name, profile=case.profile))
    found = outcome_of(guarded.ask("case", name=name, profile=case.profile))
    assert expected["ok"], expected
    if (name, kind) in ELSEWHERE:
        assert found["errno"] == ELSEWHERE[name, kind], found
        return
    assert found["ok"], found
    assert found["detail"] == expected["detail"]


def outcome_of(answer: dict[str, Any]) -> dict[str, Any]:
    """Return the outcome in a host's answer."""
    outcome: dict[str, Any] = answer["outcome"]
    return outcome
