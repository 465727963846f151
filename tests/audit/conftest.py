from __future__ import annotations

import pytest


@pytest.fixture(autouse=True, name="home")
def _home(tmp_path_factory, monkeypatch):
    """A home and a stdioguard of its own for each test."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("STDIOGUARD_HOME", str(home / "stdioguard"))
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "CLAUDE_CONFIG_DIR", "CODEX_HOME", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    return home
