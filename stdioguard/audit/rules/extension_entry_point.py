"""A manifest names the file that is run; one outside of the bundle was not looked at when the bundle was."""

from __future__ import annotations

import os
import posixpath
import re
from typing import TYPE_CHECKING

from stdioguard.audit import manifests
from stdioguard.audit.interface import Level, Rule
from stdioguard.installs import bundles, files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import ConfigView, Finding


def check(config: ConfigView) -> Iterator[Finding]:
    """Yield a finding for an entry point outside of the bundle, or one that is not there; and for arguments that climb out of it."""
    manifest = manifests.of(config)
    if manifest is None:
        return
    entry = manifest["server"].get("entry_point")
    path = ("server", "entry_point")
    if isinstance(entry, str) and entry:
        plain = posixpath.normpath(entry.replace("\\", "/"))
        if plain.startswith(("/", "../")) or plain == ".." or re.match(r"[A-Za-z]:", plain):
            yield config.finding(RULE, f"its entry point {entry} is outside of the bundle", path)
        elif not _is_there(config, plain):
            yield config.finding(RULE, f"its entry point {entry} is not in the bundle", path, severity=Level.LOW)
    for view in config.entries:
        for index, word in enumerate(view.argv):
            if re.search(r"\$\{__dirname\}([\\/]|\$\{/\})(.*([\\/]|\$\{/\}))?\.\.([\\/]|\$\{/\}|$)", word):
                yield view.finding(RULE, f"{word} is outside of the bundle", view.word(index))


def _is_there(config: ConfigView, entry: str) -> bool:
    """Tell whether the file is in the archive or the installed folder; a manifest by itself is not asked."""
    if manifests.is_bundle(config):
        try:
            return entry in bundles.read(config.file).members
        except files.FileProblem:
            return True
    if config.listing.found.level != "extension":
        return True
    return not config.machine.is_missing(os.path.join(manifests.folder(config), entry))


RULE = Rule(
    slug="extension-entry-point",
    title="An extension runs a file that is not its own",
    severity=Level.HIGH,
    confidence=Level.HIGH,
    subject="config",
    advice="Do not install it, or remove it.",
    cwe=22,
    owasp="MCP04",
    check=check,
)
