"""`stdioguard unwrap`, and `wrap` again, after somebody else has changed what `wrap` left: nothing is lost, and nobody gets another's secrets."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from stdioguard.identity import secrets
from tests.installs.scene import KEY, Scene

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CURSOR = ".cursor/mcp.json"
ENTRY = {"command": "/bin/sh", "args": ["server.sh", "--token", f"x{KEY}"], "env": {"GITHUB_TOKEN": KEY, "MODE": "fast"}}
OTHER = {"command": "/bin/cat", "args": ["-u"]}


def servers(path: Path) -> Any:
    return json.loads(path.read_bytes())["mcpServers"]


@pytest.fixture
def wrapped(scene: Scene) -> Path:
    """A file with two wrapped entries."""
    path = scene.put(CURSOR, {"mcpServers": {"github": ENTRY, "cat": OTHER}})
    assert scene("wrap", "cursor").code == 0
    return path


def rewrite(path: Path, change: Callable[[Any], object]) -> None:
    """Write the file as a client does that knows nothing of us: in its own style."""
    value = json.loads(path.read_bytes())
    change(value["mcpServers"])
    path.write_text(json.dumps(value, indent=4))


CHANGES: dict[str, Callable[[Any], Any]] = {
    "reformatted": lambda _: None,
    "an argument added": lambda value: value["github"]["args"].append("--verbose"),
    "a variable added": lambda value: value["github"]["env"].update(LEVEL="3"),
    "a variable taken out": lambda value: value["github"]["env"].pop("MODE"),
    "switched off": lambda value: value["github"].update(disabled=True),
    "a tool allowed": lambda value: value["github"].update(autoApprove=["a"]),
    "another added": lambda value: value.update(new=OTHER),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_a_client_has_changed_since_stays_and_only_ours_is_taken_out(
    scene: Scene, wrapped: Path, change: Callable[[Any], Any]
) -> None:
    rewrite(wrapped, change)
    assert scene("unwrap", "cursor").code == 0
    expected = {"github": json.loads(json.dumps(ENTRY)), "cat": OTHER}
    change(expected)
    assert servers(wrapped) == expected
    assert scene.kept() == []
    assert scene.clients() == {}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_wrapping_again_after_a_change_keeps_it_and_everything_comes_back(
    scene: Scene, wrapped: Path, change: Callable[[Any], Any]
) -> None:
    rewrite(wrapped, change)
    assert scene("wrap", "cursor", "--server", "github", "--server", "cat").code == 0
    once = wrapped.read_bytes()
    assert scene("wrap", "cursor", "--server", "github", "--server", "cat").code == 0
    assert wrapped.read_bytes() == once
    assert scene("unwrap", "cursor").code == 0
    expected = {"github": json.loads(json.dumps(ENTRY)), "cat": OTHER}
    change(expected)
    assert servers(wrapped) == expected
    assert scene.kept() == []


def test_an_entry_that_was_renamed_is_followed_and_comes_back_to_the_byte(scene: Scene) -> None:
    text = json.dumps({"mcpServers": {"github": ENTRY, "cat": OTHER}}, indent=2)
    path = scene.put(CURSOR, text)
    scene("wrap", "cursor")
    path.write_text(path.read_text().replace('"github": {', '"hub": {'))
    [status] = [row for row in scene("status", "cursor", "--format", "json").rows if row["name"] == "hub"]
    assert (status["state"], status["server"]) == ("guarded", "github")
    assert not any("journal" in finding for finding in status["findings"])
    assert scene("wrap", "cursor").code == 0
    assert scene("unwrap", "cursor").code == 0
    assert path.read_text() == text.replace('"github": {', '"hub": {')
    assert scene.kept() == []


def test_an_entry_of_a_list_is_known_by_its_name_when_another_goes(scene: Scene) -> None:
    text = "mcpServers:\n" + "".join(
        f"  - name: {name}\n    command: /bin/sh\n    args: [{name}.sh]\n    env:\n      API_KEY: {KEY}{name}\n" for name in "abc"
    )
    path = scene.put(".continue/config.yaml", text)
    assert scene("wrap", "continue").code == 0
    lines = path.read_text().splitlines(keepends=True)
    first, second = (index for index, line in enumerate(lines) if line.startswith("  - name: ") and line.strip()[-1] in "ab")
    path.write_text("".join(lines[:first] + lines[second:]))
    assert scene("unwrap", "continue").code == 0
    assert path.read_text() == "mcpServers:\n" + text[text.index("  - name: b") :]


def test_what_a_client_has_dropped_keeps_its_secrets_until_it_is_named(scene: Scene, wrapped: Path) -> None:
    rewrite(wrapped, lambda value: value.pop("github"))
    states = {row["name"]: row["state"] for row in scene("status", "cursor", "--format", "json").rows}
    assert states == {"cat": "guarded", "github": "dropped"}
    kept = scene.kept()
    assert scene("wrap", "cursor").code == 0
    assert scene("unwrap", "cursor").code == 0
    assert scene.kept() == kept
    assert secrets.get("github.GITHUB_TOKEN") == KEY
    assert scene("unwrap", "cursor", "--server", "github").code == 0
    assert scene.kept() == []
    assert scene.clients() == {}


def test_what_a_client_has_dropped_and_a_person_has_put_back_is_wrapped_again(scene: Scene, wrapped: Path) -> None:
    kept = wrapped.read_bytes()
    rewrite(wrapped, lambda value: value.pop("github"))
    assert scene("wrap", "cursor").code == 0
    wrapped.write_bytes(kept)
    assert scene("unwrap", "cursor").code == 0
    assert servers(wrapped) == {"github": ENTRY, "cat": OTHER}


def test_a_client_that_wrote_the_first_command_again_is_told_of_and_wrapped_anew(scene: Scene, wrapped: Path) -> None:
    def back(value: Any) -> None:
        value["github"].update(command="/bin/sh", args=["server.sh"])  # the reference in its variables stays

    rewrite(wrapped, back)
    [row] = [row for row in scene("status", "cursor", "--format", "json").rows if row["name"] == "github"]
    assert row["state"] == "unguarded"
    assert "anew" in row["findings"][0]
    assert scene("wrap", "cursor", "--server", "github").code == 0
    assert servers(wrapped)["github"]["env"]["GITHUB_TOKEN"] == "secret:github.GITHUB_TOKEN"
    assert scene("unwrap", "cursor").code == 0
    assert servers(wrapped)["github"] == ENTRY | {"args": ["server.sh"]}
    assert scene.kept() == []


def test_references_in_an_entry_that_is_not_wrapped_any_more_become_values(scene: Scene, wrapped: Path) -> None:
    rewrite(wrapped, lambda value: value["github"].update(command="/bin/sh", args=["server.sh"]))
    assert scene("unwrap", "cursor").code == 0
    assert servers(wrapped)["github"] == ENTRY | {"args": ["server.sh"]}
    assert scene.kept() == []


def test_a_key_that_was_replaced_in_a_wrapped_entry_moves_too(scene: Scene, wrapped: Path) -> None:
    new = f"{KEY}new"
    rewrite(wrapped, lambda value: value["github"]["env"].update(GITHUB_TOKEN=new))
    done = scene("wrap", "cursor", "--format", "json")
    assert done.code == 0, done
    assert new not in wrapped.read_text()
    assert secrets.get(secrets.reference(servers(wrapped)["github"]["env"]["GITHUB_TOKEN"]) or "") == new
    assert scene("unwrap", "cursor").code == 0
    assert servers(wrapped)["github"] == ENTRY | {"env": ENTRY["env"] | {"GITHUB_TOKEN": new}}  # type: ignore[operator]
    assert scene.kept() == []


# Secrets are for the entry that they came from


STRANGE: dict[str, Callable[[Any], Any]] = {
    "another program": lambda value: value["github"]["args"].__setitem__(value["github"]["args"].index("/bin/sh"), "/bin/cat"),
    "an address of its own": lambda value: value["github"]["env"].update(GITHUB_URL="https://evil.test"),
    "another argument": lambda value: value["github"]["args"].append("evil.sh"),
}


@pytest.mark.parametrize("change", STRANGE.values(), ids=STRANGE)
def test_secrets_do_not_follow_a_change_that_nobody_has_looked_at(
    scene: Scene, wrapped: Path, change: Callable[[Any], Any]
) -> None:
    bound = secrets.bound_to("github.GITHUB_TOKEN")
    rewrite(wrapped, change)
    before = wrapped.read_bytes()
    done = scene("wrap", "--all", "--yes", "--format", "json")
    assert done.code == 1, done
    [row] = [row for row in done.rows if row["name"] == "github"]
    assert (row["outcome"], "look at it" in row["notes"][0]) == ("failed", True)
    assert secrets.bound_to("github.GITHUB_TOKEN") == bound
    assert wrapped.read_bytes() == before
    # The twin: a person has looked, and says so by naming it.
    done = scene("wrap", "cursor", "--server", "github", "--format", "json")
    assert done.code == 0
    assert any("they go to what it starts now" in note for note in done.row["notes"])
    assert secrets.bound_to("github.GITHUB_TOKEN") != bound


@pytest.mark.parametrize("is_wrapped", [True, False])
def test_a_file_of_somebody_else_does_not_get_the_secrets_that_it_names(
    scene: Scene, wrapped: Path, tmp_path: Path, *, is_wrapped: bool
) -> None:
    stolen = servers(wrapped)["github"] if is_wrapped else ENTRY | {"env": {"X": "secret:github.GITHUB_TOKEN"}, "args": []}
    hostile = scene.put("project/.mcp.json", {"mcpServers": {"github": stolen}})
    if not is_wrapped:
        assert scene("wrap", hostile).code == 0
    scene("unwrap", hostile)
    assert KEY not in hostile.read_text()
    assert secrets.get("github.GITHUB_TOKEN") == KEY
    # The control: its own file gets it.
    assert scene("unwrap", "cursor").code == 0
    assert KEY in wrapped.read_text()


def test_references_stay_where_that_is_wanted(scene: Scene, wrapped: Path) -> None:
    assert scene("unwrap", "cursor", "--keep-secrets").code == 0
    assert servers(wrapped)["github"]["env"]["GITHUB_TOKEN"] == "secret:github.GITHUB_TOKEN"
    assert servers(wrapped)["cat"] == OTHER
    assert "github.GITHUB_TOKEN" in scene.kept()
    assert KEY not in wrapped.read_text()


# What is gone, damaged or somebody else's


def journal_of(scene: Scene) -> Path:
    [path] = scene.state("wrapped").glob("*.json")
    return path


def test_without_a_journal_the_entries_say_enough(scene: Scene, wrapped: Path) -> None:
    journal_of(scene).unlink()
    assert any("journal" in one for row in scene("status", "cursor", "--format", "json").rows for one in row["findings"])
    assert scene("unwrap", "cursor").code == 0
    assert servers(wrapped) == {"github": ENTRY, "cat": OTHER}


@pytest.mark.parametrize("damage", [b"", b"{", b'{"file": 1}', b"null", b"\xff" * 100, b'{"file": "/other", "version": 1}'])
def test_a_damaged_journal_stops_the_file_and_says_what_to_do(scene: Scene, wrapped: Path, damage: bytes) -> None:
    journal = journal_of(scene)
    journal.write_bytes(damage)
    before = wrapped.read_bytes()
    for verb in ("wrap", "unwrap"):
        done = scene(verb, "cursor")
        assert done.code == 78
        assert len(done.err.splitlines()) == 1
        assert "remove it" in done.err
    assert wrapped.read_bytes() == before
    assert scene("status", "cursor").code == 0
    journal.unlink()
    assert scene("unwrap", "cursor").code == 0
    assert servers(wrapped) == {"github": ENTRY, "cat": OTHER}


def test_a_journal_that_others_can_write_is_not_read(scene: Scene, wrapped: Path) -> None:
    journal_of(scene).chmod(0o666)
    assert scene("unwrap", "cursor").code == 78
    journal_of(scene).chmod(0o600)
    assert scene("unwrap", "cursor").code == 0


def test_a_secret_that_is_gone_is_told_of_and_the_rest_is_done(scene: Scene, wrapped: Path) -> None:
    secrets.forget("github.GITHUB_TOKEN")
    [row] = [row for row in scene("status", "cursor", "--format", "json").rows if row["name"] == "github"]
    assert any("secret:github.GITHUB_TOKEN" in finding for finding in row["findings"])
    for verb in ("wrap", "unwrap"):
        done = scene(verb, "cursor", "--format", "json")
        assert done.code == 1
        [row] = [row for row in done.rows if row["name"] == "github"]
        assert row["outcome"] == "failed"
        assert "secret:github.GITHUB_TOKEN" in row["notes"][0]
    assert servers(wrapped)["cat"] == OTHER
    rewrite(wrapped, lambda value: value["github"]["env"].update(GITHUB_TOKEN=KEY))  # as the line says
    assert scene("wrap", "cursor").code == 0
    assert scene("unwrap", "cursor").code == 0
    assert servers(wrapped) == {"github": ENTRY, "cat": OTHER}


@pytest.mark.parametrize("what", ["token file", "client"])
def test_what_lets_the_client_in_is_made_again(scene: Scene, wrapped: Path, what: str) -> None:
    before = wrapped.read_bytes()
    if what == "client":
        assert scene("client", "revoke", "cursor").code == 0
    else:
        scene.own("tokens", "cursor.token").unlink()
    findings = [one for row in scene("status", "cursor", "--format", "json").rows for one in row["findings"]]
    assert any("run stdioguard wrap again" in one for one in findings)
    done = scene("wrap", "cursor", "--format", "json")
    assert {row["outcome"] for row in done.rows} == {"brought up to date"}
    assert wrapped.read_bytes() == before
    assert scene.own("tokens", "cursor.token").exists()
    assert sorted(scene.clients()["cursor"]) == ["cat", "github"]
    assert {row["outcome"] for row in scene("wrap", "cursor", "--format", "json").rows} == {"already wrapped"}
    findings = [one for row in scene("status", "cursor", "--format", "json").rows for one in row["findings"]]
    assert not any("wrap again" in one for one in findings)


def test_a_client_that_a_person_has_registered_is_not_touched(scene: Scene) -> None:
    path = scene.put(CURSOR, {"mcpServers": {"cat": OTHER}})
    assert scene("client", "add", "cursor", "--scope", "mine:read", "--server", "mine").code == 0
    assert scene("wrap", "cursor").code == 0
    assert scene.clients() == {"cursor": ["mine"], "cursor-wrapped": ["cat"]}
    assert scene("unwrap", "cursor").code == 0
    assert scene.clients() == {"cursor": ["mine"]}
    assert servers(path) == {"cat": OTHER}


def test_a_profile_that_is_gone_is_told_of(scene: Scene) -> None:
    mine = scene.put("mine.toml", 'schema = 1\nname = "mine"\ndescription = "mine"\n[tools]\ndefault = "deny"\n')
    path = scene.put(CURSOR, {"mcpServers": {"cat": OTHER}})
    assert scene("wrap", "cursor", "--profile", mine).code == 0
    mine.unlink()
    assert any("profile" in one for one in scene("status", "cursor", "--format", "json").row["findings"])
    done = scene("wrap", "cursor", "--format", "json")
    assert (done.code, done.row["outcome"]) == (1, "failed")
    assert scene("wrap", "cursor", "--profile", "default").code == 0
    assert "default" in servers(path)["cat"]["args"]
    assert scene("unwrap", "cursor").code == 0
    assert servers(path) == {"cat": OTHER}


def test_one_entry_may_be_unwrapped_and_the_rest_stays_guarded(scene: Scene, wrapped: Path) -> None:
    assert scene("unwrap", "cursor", "--server", "cat").code == 0
    assert servers(wrapped)["cat"] == OTHER
    assert servers(wrapped)["github"] != ENTRY
    assert scene.clients() == {"cursor": ["github"]}
    assert os.path.exists(scene.own("tokens", "cursor.token"))


def test_what_was_never_wrapped_is_not_touched(scene: Scene) -> None:
    path = scene.put(CURSOR, {"mcpServers": {"github": ENTRY}})
    before = path.read_bytes()
    done = scene("unwrap", "--all")
    assert (done.code, path.read_bytes()) == (0, before)
