"""A volume like a Mac's, by name only: links, firmlinks, and names that are the same whatever their case and Unicode form.

It answers what the kernel asks before it asks the sandbox: which path is that, as I write it?
"""

from __future__ import annotations

import os
import unicodedata

from stdioguard.sandbox.macos import paths

SYSTEM = {
    "/etc": "-> private/etc", "/tmp": "-> private/tmp", "/var": "-> private/var", "/private/etc/passwd": "", "/private/tmp": None,
    "/private/var/tmp": None, "/usr/lib/libSystem.B.dylib": "", "/usr/bin/open": "", "/System/Library/Frameworks": None, "/bin/sh": "",
    "/Users/Shared": None, "/opt/homebrew/bin": None, "/Volumes": None, "/Library/LaunchDaemons": None, "/dev/null": "",
    "/System/Volumes/Data/mnt/disk/file": "",
}  # fmt: skip


def same(name: str) -> str:
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", name).casefold())


class Disk:
    """Names, and for each what it is: text of a file, `None` for a folder, `-> target` for a link."""

    def __init__(self, world: dict[str, str | None], *, case_sensitive: bool = False) -> None:
        self.entries: dict[str, str | None] = {}
        self.case_sensitive = case_sensitive
        for path, content in {**SYSTEM, **world}.items():
            for folder in reversed(paths.above(path)):
                self.entries.setdefault(folder, None)
            self.entries[path] = content

    def stored(self, folder: str, name: str) -> str | None:
        """Return the entry of `folder` that `name` finds, as it was stored."""
        path = os.path.join(folder, name)
        if path in self.entries or self.case_sensitive:
            return path if path in self.entries else None
        beside = (other for other in self.entries if os.path.dirname(other) == folder)
        return next((other for other in beside if same(os.path.basename(other)) == same(name)), None)

    def kernel(self, path: str, *, follow: bool = True, steps: int = 40) -> str:
        """Return the kernel's name of `path`; with `follow`, a link at its end is followed."""
        assert path.startswith("/"), path
        assert steps, f"too many links: {path}"
        at = "/"
        parts = [part for part in path.split("/") if part not in ("", ".")]
        for index, part in enumerate(parts):
            if part == "..":
                at = os.path.dirname(at)
                continue
            found = self.stored(at, part) or os.path.join(at, part)
            rest = parts[index + 1 :]
            if found.startswith(f"{paths.DATA_VOLUME}/") and any(
                paths.below(found[len(paths.DATA_VOLUME) :], one) for one in paths.FIRMLINKS
            ):
                found = self.kernel(found[len(paths.DATA_VOLUME) :], follow=False, steps=steps - 1)
            content = self.entries.get(found)
            if isinstance(content, str) and content.startswith("-> ") and (rest or follow):
                target = os.path.join(at, content[3:])
                return self.kernel("/".join([target, *rest]), follow=follow, steps=steps - 1)
            at = found
        return at

    def exists(self, path: str) -> bool:
        return path in self.entries or path == "/"
