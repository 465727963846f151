"""JetBrains AI Assistant up to 2025.2: `llm.mcpServers.xml`. Listed, never edited: the IDE writes the file anew when it quits.

The XML is read without entities and document types, so nothing in it can refer to another file or grow.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from stdioguard.installs.entries import Entry, Fields

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stdioguard.installs.formats.document import Change, Path

FIXED = (
    "the IDE writes this file anew when it quits: change the server in its settings (Tools, AI Assistant, Model Context Protocol)"
)


def parse(data: bytes) -> Any:
    """Return the servers of such a file as a list of objects. Raises `ValueError` with one line."""
    if re.search(rb"<!\s*(DOCTYPE|ENTITY)", data, re.IGNORECASE) or b"\0" in data:
        raise ValueError("XML with a document type or in UTF-16, which no IDE writes")
    try:
        root = ET.fromstring(data)  # noqa: S314 - without a document type there are no entities
    except (ET.ParseError, RecursionError, ValueError, LookupError) as error:
        raise ValueError(f"not XML: {error}") from None
    return [
        _server(element) for element in root.iter() if element.tag in ("McpServerCommand", "McpServerConfigurationProperties")
    ]


def _server(element: ET.Element) -> dict[str, Any]:
    options = {option.get("name"): option for option in element.findall("option")}

    def value(*names: str) -> str:
        return next((options[name].get("value") or "" for name in names if name in options), "")

    env = {one.get("name") or "": one.get("value") or "" for one in element.findall("envs/env")}
    if "env" in options:
        env |= {one.get("key") or "": one.get("value") or "" for one in options["env"].findall("map/entry")}
    args = [one.get("value") or "" for one in options["args"].findall("list/option")] if "args" in options else value("arguments")
    return {
        "name": value("name"), "command": value("programPath", "command"), "args": args, "env": env,
        "cwd": value("workingDirectory"), "enabled": value("enabled") != "false", "url": value("url"),
    }  # fmt: skip


@dataclass(frozen=True)
class JetBrains:
    """The servers that `parse` has found."""

    client: str = "JetBrains AI Assistant"

    def entries(self, value: Any, key: Path) -> Iterator[Entry]:
        """Yield the entries; `key` is empty, as the value is the list of servers."""
        for place, server in enumerate(value if isinstance(value, list) else []):
            words = server["args"]
            problem = ""
            if isinstance(words, str):
                try:
                    words = shlex.split(words)
                except ValueError:
                    words, problem = words.split(), "its arguments have a quotation mark that nothing closes"
            command, url = server["command"], server["url"]
            if not command and not url:
                continue  # the IDE keeps the name only; the command is in .ai/mcp/mcp.json
            path = (*key, place)
            yield Entry(
                self.client, "", "user", server["name"] or str(place), path,
                "broken" if problem else "stdio" if command else "remote",
                Fields((*path, "command")), [command, *words] if command else [], server["env"], server["cwd"] or None,
                disabled=not server["enabled"], url=url or None, problem=problem, fixed=FIXED,
            )  # fmt: skip

    def rewrite(self, entry: Entry, argv: Sequence[str]) -> list[Change]:
        """Never possible. Raises `ValueError`."""
        raise ValueError(FIXED)

    def literal(self, text: str) -> bool:
        """Tell whether the text is taken as it is: the IDE has its own macros."""
        return re.search(r"\$[A-Za-z]+\$", text) is None


JETBRAINS = JetBrains()
