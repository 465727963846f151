"""What the tests of `wrap`, `unwrap` and `status` share."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.installs.scene import Scene

if TYPE_CHECKING:
    from collections.abc import Iterator

MOVING = ("STDIOGUARD_", "XDG_", "CLAUDE_CONFIG_DIR", "CODEX_HOME", "COPILOT_HOME", "CLINE_DIR")


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """A home of its own, with nothing in it. It is not below pytest's folder, where other users of the machine cannot go."""
    for name in [name for name in os.environ if name.startswith(MOVING)]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    with tempfile.TemporaryDirectory(prefix="stdioguard-home-") as folder:
        Path(folder).chmod(0o755)
        one = Scene(Path(folder))
        monkeypatch.setenv("HOME", str(one.home))
        yield one
