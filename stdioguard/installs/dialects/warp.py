"""Warp and JetBrains' JSON: servers under one of several keys, or without a key, as the whole of the file."""

from __future__ import annotations

from stdioguard.installs.dialects.standard import Standard

WARP = Standard(client="Warp", cwd=("working_directory", "cwd"))
JETBRAINS_JSON = Standard(client="JetBrains AI Assistant", variables=(), cwd=("workingDirectory", "cwd"))
