"""What the tests of `wrap`, `unwrap` and `status` share."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.installs.scene import Scene

if TYPE_CHECKING:
    from pathlib import Path

MOVING = ("STDIOGUARD_", "XDG_", "CLAUDE_CONFIG_DIR", "CODEX_HOME", "COPILOT_HOME", "CLINE_DIR")


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """A home of its own, with nothing in it."""
    for name in [name for name in os.environ if name.startswith(MOVING)]:
        monkeypatch.delenv(name)
    one = Scene(tmp_path)
    monkeypatch.setenv("HOME", str(one.home))
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    return one
