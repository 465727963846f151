"""An archive can name files outside of the folder that it is unpacked to, and links that lead there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from stdioguard.audit import manifests
from stdioguard.audit.interface import Level, Rule
from stdioguard.installs import bundles, files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import ConfigView, Finding


def check(config: ConfigView) -> Iterator[Finding]:
    """Yield a finding for names that climb out of the folder, for links, and for names that are there twice."""
    if not manifests.is_bundle(config):
        return
    try:
        bundle = bundles.read(config.file)
    except files.FileProblem:
        return  # told as a problem of the file
    outside = [name for name in bundle.members if re.match(r"[/\\]|[A-Za-z]:", name) or ".." in re.split(r"[/\\]", name)]
    if outside:
        yield config.finding(RULE, f"unpacking it would write outside of its folder: {outside[0]}")
    if bundle.links:
        yield config.finding(RULE, f"it holds a symbolic link: {bundle.links[0]}", severity=Level.MEDIUM)
    if len(set(bundle.members)) < len(bundle.members):
        twice = next(name for index, name in enumerate(bundle.members) if name in bundle.members[:index])
        yield config.finding(RULE, f"it holds two files of one name: {twice}", severity=Level.MEDIUM)


RULE = Rule(
    slug="unsafe-bundle",
    title="A bundle can write outside of its folder",
    severity=Level.HIGH,
    confidence=Level.HIGH,
    subject="config",
    advice="Do not install it.",
    cwe=22,
    owasp="MCP04",
    check=check,
)
