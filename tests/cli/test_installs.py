"""`wrap`, `unwrap` and `status` as a person sees them: tables, notes, and what to do next."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.installs.scene import Scene

CURSOR = ".cursor/mcp.json"
CAT = {"command": "/bin/cat", "args": ["-u"]}


def lines(text: str) -> list[list[str]]:
    return [re.split(r"  +", line.strip()) for line in text.splitlines()]


def test_the_table_says_what_was_done_and_notes_stand_below_it(scene: Scene) -> None:
    scene.put(CURSOR, {"mcpServers": {"time": {"command": "uvx", "args": ["mcp-server-time"]}, "far": {"url": "https://x.test"}}})
    scene.put(".kiro/settings/mcp.json", {"mcpServers": {"far": {"url": "https://x.test"}}})
    said = lines(scene("wrap", "--all").out)
    assert said[:4] == [
        ["CLIENT", "SERVER", "IS NOW", "PROFILE", "FILE"],
        ["Cursor", "time", "wrapped", "time", "~/.cursor/mcp.json"],
        ["Cursor", "far", "left alone", "-", "~/.cursor/mcp.json"],
        ["Kiro", "far", "left alone", "-", "~/.kiro/settings/mcp.json"],
    ]
    assert ["Cursor far, Kiro far: a remote server: there is no process here to guard"] in said, "one note, once"
    assert ["Now restart Cursor, or let it load its servers again."] in said
    assert ["Cursor will ask once whether to trust what has changed."] in said
    again = scene("wrap", "--all").out
    assert "already wrapped" in again
    assert "restart" not in again


def test_a_server_without_a_profile_gets_an_explanation(scene: Scene) -> None:
    scene.put(CURSOR, {"mcpServers": {"cat": CAT}})
    said = scene("wrap", "cursor").out
    assert "Cursor cat: no profile is for command:/bin/cat" in said or "no profile is for" in said
    assert "The profile default grants no files and no network" in said
    assert "profile default" not in scene("unwrap", "cursor").out


def test_names_of_clients_are_taken_in_any_spelling(scene: Scene) -> None:
    scene.put(".config/Claude/claude_desktop_config.json", {"mcpServers": {"cat": CAT}})
    for name in ("claude-desktop", "Claude Desktop", "CLAUDE-DESKTOP"):
        assert scene("status", name, "--format", "json").row["name"] == "cat"
    done = scene("status", "claude-dekstop")
    assert done.code == 64
    assert "claude-desktop" in done.err


def test_text_of_a_file_cannot_steer_a_terminal(scene: Scene) -> None:
    evil = "a\x1b[2J\x1b]0;evil\x07\u202e\r\nb"
    scene.put(CURSOR, {"mcpServers": {evil: {"command": f"/bin/{evil}", "args": [evil], "env": {"X": evil}}}})
    for words in (
        ["wrap", "--dry-run"],
        ["status"],
        ["wrap", "--all"],
        ["status"],
        ["unwrap", "--dry-run"],
        ["unwrap", "--all"],
    ):
        done = scene(*words)
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e]", done.out + done.err), words


def test_machines_get_json(scene: Scene) -> None:
    scene.put(CURSOR, {"mcpServers": {"cat": CAT}})
    scene.put(".kiro/settings/mcp.json", "{")
    done = scene("wrap", "--all", "--format", "json")
    assert done.code == 78
    document = json.loads(done.out)
    assert [row["outcome"] for row in document["entries"]] == ["wrapped"]
    assert len(document["problems"]) == 1
    assert "+" in json.loads(scene("unwrap", "--all", "--dry-run", "--format", "json").out)["diff"]


@pytest.mark.parametrize("verb", ["wrap", "unwrap", "status"])
def test_help_fits_a_terminal(scene: Scene, verb: str) -> None:
    done = scene(verb, "--help")
    assert done.code == 0
    assert all(len(line) <= 80 for line in done.out.splitlines())
    assert "\x08" not in done.out
