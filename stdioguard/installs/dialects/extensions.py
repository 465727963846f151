"""Extensions of Claude Desktop (MCPB, formerly DXT): the manifest says what is started. Listed, never edited."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from stdioguard.installs.dialects.standard import Standard, at, text_or_none
from stdioguard.sandbox.clients import LINUX, MACOS, PLATFORM, WINDOWS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.installs.entries import Entry
    from stdioguard.installs.formats.document import Path

FIXED = "an update of the extension would undo a change, and its signature would not hold: turn it off and add the same server by hand"
_PLATFORMS = {LINUX: "linux", MACOS: "darwin", WINDOWS: "win32"}


@dataclass(frozen=True)
class Extensions(Standard):
    """`server.mcp_config` of a manifest: one server, called what the manifest is called."""

    client: str = "Claude Desktop"

    def entries(self, value: Any, key: Path) -> Iterator[Entry]:
        """Yield the manifest's one server, as this platform starts it."""
        config = at(value, key)
        if config is None:
            return
        name = text_or_none(at(value, ("name",))) or ""
        entry = replace(self.entry(name, config, key), level="extension", fixed=FIXED)
        own = at(config, ("platform_overrides", _PLATFORMS[PLATFORM]))
        if isinstance(own, dict) and isinstance(config, dict):
            entry = replace(self.entry(name, {**config, **own}, key), level="extension", fixed=FIXED)
        yield entry


EXTENSIONS = Extensions()
