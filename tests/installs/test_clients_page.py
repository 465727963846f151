"""docs/clients.md says what the tables say. To write it anew: `STDIOGUARD_WRITE_DOCS=1 python -m pytest tests/installs/test_clients_page.py`."""

from __future__ import annotations

import os
import pathlib

from stdioguard.installs import dialects
from stdioguard.installs.dialects import standard
from stdioguard.sandbox import clients

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "clients.md"
MARKS = (
    "<!-- the table: from stdioguard/sandbox/clients.py and stdioguard/installs/dialects -->\n",
    "<!-- end of the table -->\n",
)
VARIABLES = {
    standard.BRACES: "${...}", standard.DOLLAR: "$X", standard.PERCENT: "%X%", standard.CURLY: "{env:X} {file:X}",
    standard.MUSTACHE: "${{ ... }}", standard.COMMAND: "$(...)",
}  # fmt: skip
SHAPES = {
    "opencode": "`command`: one list", "Kilo Code": "`command`: one list", "Zed": "`command`, `args`, or both in `command`",
    "Cline": "`command`, `args`, or both in `transport`", "Goose": "`cmd`, `args`", "Continue": "a list of `command`, `args`",
    "Mistral Vibe": "a list of `command`, `args`",
}  # fmt: skip
LISTED = {
    "server.mcp_config": "listed: an update would undo it",
    "McpApplicationServerCommands": "listed: the IDE writes the file anew",
}


def places(config: clients.ClientConfig) -> list[tuple[str, str]]:
    """The files with their levels; a file of every platform once, those that differ with the platform's name."""
    from stdioguard.installs.find import _level

    found: dict[tuple[str, str], list[str]] = {}
    for platform, files in config.user.items():
        for file in files:
            found.setdefault((_level(file), file if file.startswith(("/", "%")) else f"~/{file}"), []).append(platform)
    rows = [(level, f"`{file}`" if len(on) == 3 else f"`{file}` ({', '.join(on)})") for (level, file), on in found.items()]
    return rows + [("project", f"`{file}`") for file in config.project]


def editors(rows: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Fold the places of the editors that are made from VS Code into one each."""
    names = ("Code - Insiders", "VSCodium", "Cursor", "Windsurf", "Trae", "Qoder", "Kiro", "Antigravity")
    found: dict[tuple[str, str], None] = {}
    for level, text in rows:
        if "/User/" in text and any(f"/{name}/User/" in text for name in names):
            continue
        text = (
            text.replace("/Code/User/", "/EDITOR/User/")
            .replace("/.vscode-server/", "/EDITOR-server/")
            .replace("/.cursor-server/", "/EDITOR-server/")
        )
        found[level, text] = None
    return list(found)


def table() -> str:
    lines = ["| client | files | format | key | command | fills in | |", "| --- | --- | --- | --- | --- | --- | --- |"]
    for config in clients.CLIENT_CONFIGS:
        dialect = dialects.dialect(config.client, config.key)
        patterns = getattr(dialect, "variables", ("$X$",))
        rows = (
            editors(places(config))
            if any("/Code/User/" in file for files in config.user.values() for file in files)
            else places(config)
        )
        by_level: dict[str, list[str]] = {}
        for level, text in rows:
            by_level.setdefault(level, []).append(text)
        files = "<br>".join(f"{level}: {', '.join(texts)}" for level, texts in by_level.items())
        key = " or ".join(f"`{one}`" if one else "the whole file" for one in config.key.split("|"))
        filled = " ".join(f"`{VARIABLES.get(pattern, pattern)}`" for pattern in patterns) or "nothing"
        shape = SHAPES.get(config.client, "`command`, `args`")
        lines.append(
            f"| {config.client} | {files} | {config.format} | {key} | {shape} | {filled} | {LISTED.get(config.key, 'wrapped')} |"
        )
    return "\n".join(lines) + "\n"


def test_the_page_of_clients_says_what_the_tables_say() -> None:
    page = PAGE.read_text()
    before, _, rest = page.partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    wanted = before + MARKS[0] + table() + MARKS[1] + after
    if os.environ.get("STDIOGUARD_WRITE_DOCS"):
        PAGE.write_text(wanted)
    assert page == wanted, "the tables have changed: the first lines of this file say how to write the page anew"


def test_every_pattern_of_a_variable_has_words_on_the_page() -> None:
    used = {
        pattern
        for config in clients.CLIENT_CONFIGS
        for pattern in getattr(dialects.dialect(config.client, config.key), "variables", ())
    }
    assert used <= VARIABLES.keys()
