"""Finding the files that clients read servers from."""

from __future__ import annotations

import json
import os
import pathlib

import pytest

from stdioguard.installs import dialects, find
from stdioguard.installs.entries import Entry
from stdioguard.installs.find import Found, Home
from stdioguard.installs.formats import REMOVE, Change
from stdioguard.sandbox import clients

SERVERS = {"mcpServers": {"one": {"command": "npx", "args": ["-y", "server"]}}}
LINUX = pytest.mark.skipif(os.name != "posix", reason="needs POSIX owners and links")


def put(path: pathlib.Path, value: object = SERVERS) -> pathlib.Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def paths(home: Home, platform: str = clients.LINUX) -> list[str]:
    return [os.path.relpath(found.path, home.path) for found in config_files(home, platform)]


def config_files(home: Home, platform: str = clients.LINUX) -> list[Found]:
    return [found for found in find.config_files(home, platform=platform) if found.level != "managed"]


@pytest.mark.parametrize("platform", [clients.LINUX, clients.MACOS, clients.WINDOWS])
def test_every_place_of_the_table_is_found(tmp_path, platform: str) -> None:
    folders = {"%APPDATA%": "AppData/Roaming", "%LOCALAPPDATA%": "AppData/Local"}
    wanted = set()
    for config in clients.CLIENT_CONFIGS:
        for place in config.user[platform]:
            for variable, folder in folders.items():
                place = place.replace(variable, folder)
            if not place.startswith(("/", "%")):
                put(tmp_path / place.replace("*", "x"), "{}")
                wanted.add((config.client, place.replace("*", "x"), config.key))
    found = {(one.client, os.path.relpath(one.path, tmp_path), one.key) for one in config_files(Home(str(tmp_path)), platform)}
    # One file may be two clients': the first in the table has it, unless the other keeps its servers under another key.
    missing = {(path, key) for _, path, key in wanted} - {(path, key) for _, path, key in found}
    assert missing == set()
    assert found <= wanted


def test_a_home_without_clients_has_no_files(tmp_path) -> None:
    assert config_files(Home(str(tmp_path))) == []


def test_a_home_whose_name_has_wildcards_is_taken_as_it_is(tmp_path) -> None:
    put(tmp_path / "a1" / ".cursor" / "mcp.json")
    (tmp_path / "a[1]*").mkdir()
    assert config_files(Home(str(tmp_path / "a[1]*"))) == []
    put(tmp_path / "a[1]*" / ".config/Code/User/profiles/x/mcp.json")
    assert len(config_files(Home(str(tmp_path / "a[1]*")))) == 1


def test_variables_of_the_persons_own_environment_move_files(tmp_path) -> None:
    put(tmp_path / "home" / ".claude.json")
    put(tmp_path / "moved" / ".claude.json")
    put(tmp_path / "moved" / "settings.json")
    put(tmp_path / "codex" / "config.toml", "")
    put(tmp_path / "xdg" / "goose" / "config.yaml", "")
    put(tmp_path / "own.json", {})
    moved = {
        "CLAUDE_CONFIG_DIR": str(tmp_path / "moved"),
        "CODEX_HOME": str(tmp_path / "codex"),
        "XDG_CONFIG_HOME": str(tmp_path / "xdg"),
        "OPENCODE_CONFIG": str(tmp_path / "own.json"),
        "CLINE_DIR": "relative",
    }
    found = [os.path.relpath(one.path, tmp_path) for one in config_files(Home(str(tmp_path / "home"), environment=moved))]
    assert sorted(found) == sorted(
        [
            "home/.claude.json",
            "moved/.claude.json",
            "moved/settings.json",
            "codex/config.toml",
            "xdg/goose/config.yaml",
            "own.json",
        ]
    )
    assert [os.path.relpath(one.path, tmp_path) for one in config_files(Home(str(tmp_path / "home")))] == ["home/.claude.json"]


def test_a_persons_environment_is_not_printed() -> None:
    assert "hush" not in repr(Home("/x", environment={"TOKEN": "hush"}))


@LINUX
def test_a_file_that_two_names_lead_to_is_listed_once_and_a_dead_link_is_told(tmp_path) -> None:
    put(tmp_path / ".codeium" / "mcp_config.json")
    (tmp_path / ".codeium" / "windsurf").mkdir()
    (tmp_path / ".codeium" / "windsurf" / "mcp_config.json").symlink_to("../mcp_config.json")
    (tmp_path / ".cursor").mkdir()
    (tmp_path / ".cursor" / "mcp.json").symlink_to("nowhere")
    listings = list(find.listings([Home(str(tmp_path))]))
    mine = {os.path.relpath(one.found.path, tmp_path): one for one in listings if one.found.level == "user"}
    assert set(mine) == {".codeium/windsurf/mcp_config.json", ".cursor/mcp.json"}
    assert str(tmp_path / ".cursor" / "mcp.json") in mine[".cursor/mcp.json"].problem


def test_levels_tell_whose_file_it_is() -> None:
    places = {
        ".cursor/mcp.json": "user", "/etc/codex/config.toml": "managed", "%PROGRAMDATA%/OpenAI/Codex/config.toml": "managed",
        ".config/Claude/Claude Extensions/x/manifest.json": "extension", ".gemini/extensions/x/gemini-extension.json": "extension",
        ".claude/plugins/cache/a/b/c/.mcp.json": "extension", "%APPDATA%/Code/User/mcp.json": "user",
    }  # fmt: skip
    assert {place: find._level(place) for place in places} == places


# Projects


def test_project_files_are_found_below_a_folder_and_not_in_what_is_installed_there(tmp_path) -> None:
    wanted = [".mcp.json", ".vscode/mcp.json", "packages/a/.cursor/mcp.json", "packages/b/opencode.jsonc", "x.code-workspace",
              ".devcontainer/devcontainer.json", ".continue/mcpServers/a.yaml", "deep/.codex/config.toml"]  # fmt: skip
    for path in [*wanted, "node_modules/x/.mcp.json", ".git/.mcp.json", ".venv/lib/.mcp.json", "packages/mcp.json"]:
        put(tmp_path / path, "{}")
    found = find.projects(str(tmp_path))
    assert {os.path.relpath(one.path, tmp_path) for one in found.files} == set(wanted)
    assert {one.level for one in found.files} == {"project"}
    assert found.problem == ""
    assert next(one.project for one in found.files if "packages/a" in one.path) == str(tmp_path / "packages" / "a")


def test_a_file_of_several_clients_is_read_once_for_each_key(tmp_path) -> None:
    put(tmp_path / ".mcp.json")
    found = [(one.client, one.key) for one in find.projects(str(tmp_path)).files]
    assert found == [("Claude Code", "mcpServers"), ("Visual Studio", "servers")]


def test_a_file_in_a_clients_own_folder_is_that_clients_and_no_project_of_its_own(tmp_path) -> None:
    put(tmp_path / ".warp" / ".mcp.json")
    put(tmp_path / ".opencode" / "opencode.json")
    put(tmp_path / "packages" / ".mcp.json")
    found = {(one.client, os.path.relpath(one.path, tmp_path)) for one in find.projects(str(tmp_path)).files}
    assert found == {
        ("Warp", ".warp/.mcp.json"),
        ("opencode", ".opencode/opencode.json"),
        ("Claude Code", "packages/.mcp.json"),
        ("Visual Studio", "packages/.mcp.json"),
    }
    assert len(find.projects(str(tmp_path)).files) == len(found)


def test_a_plugins_file_that_is_nothing_but_servers_is_read_in_a_repository(tmp_path) -> None:
    put(
        tmp_path / "flat" / ".mcp.json",
        {"one": {"command": "npx", "args": ["-y", "x"]}, "far": {"type": "http", "url": "https://x"}},
    )
    put(tmp_path / "other" / ".mcp.json", {"one": {"command": "npx"}, "name": "no server"})
    listings = [find.read_entries(found) for found in find.projects(str(tmp_path)).files]
    entries = [(entry.client, entry.name, entry.kind, entry.path) for listing in listings for entry in listing.entries]
    assert entries == [("Claude Code", "one", "stdio", ("one",)), ("Claude Code", "far", "remote", ("far",))]


@LINUX
def test_links_to_folders_are_not_followed(tmp_path) -> None:
    put(tmp_path / "other" / ".mcp.json")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "link").symlink_to(tmp_path / "other")
    (tmp_path / "root" / "loop").symlink_to(".")
    assert find.projects(str(tmp_path / "root")).files == []


def test_limits_are_told_and_what_was_found_before_is_kept(tmp_path) -> None:
    put(tmp_path / ".mcp.json")
    put(tmp_path / "a/b/c/.mcp.json")
    found = find.projects(str(tmp_path), depth=2)
    assert len({one.path for one in found.files}) == 1
    assert "deeper than 2" in found.problem
    found = find.projects(str(tmp_path), folders=2)
    assert len({one.path for one in found.files}) == 1
    assert "more than 2 folders" in found.problem
    assert find.projects(str(tmp_path)).problem == ""


def test_a_folder_that_is_not_there_is_a_problem(tmp_path) -> None:
    assert "No such file" in find.projects(str(tmp_path / "no")).problem


@LINUX
def test_projects_that_claude_code_knows_are_read_too(tmp_path) -> None:
    project = tmp_path / "work"
    put(project / ".mcp.json")
    put(project / ".cursor" / "mcp.json")
    put(tmp_path / "home" / ".claude.json", {"projects": {str(project): {}, "relative": {}, "/no/such": {}, "a\0b": {}, "": {}}})
    home = Home(str(tmp_path / "home"), uid=os.geteuid())
    found = [
        (one.found.client, one.found.level, os.path.relpath(one.found.path, tmp_path))
        for one in find.listings([home])
        if one.entries
    ]
    assert found == [("Claude Code", "project", "work/.mcp.json"), ("Cursor", "project", "work/.cursor/mcp.json")]


@LINUX
def test_a_project_of_somebody_else_is_not_read_for_a_person(tmp_path) -> None:
    project = tmp_path / "work"
    put(project / ".mcp.json")
    put(tmp_path / "home" / ".claude.json", {"projects": {str(project): {}}})
    stranger = Home(str(tmp_path / "home"), uid=os.geteuid() + 12345)
    listing = find.read_entries(
        Found("Claude Code", str(tmp_path / "home" / ".claude.json"), "user", "json", "mcpServers", stranger)
    )
    assert find.known_projects(listing) == []
    own = find.Listing(Found("Claude Code", "/x", "user", "json", "mcpServers", Home("/x", uid=os.geteuid())), listing.document)
    assert len(find.known_projects(own)) == 2


# Reading


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "line 1"),
        ("[]", "a list"),
        ("\0", "NUL"),
        ('{"mcpServers": ' + "[" * 100_000, "inside each other"),
        ('{"mcpServers": ' * 5000 + "1" + "}" * 5000, "inside each other"),
    ],
)
def test_a_broken_file_is_a_listing_with_one_line(tmp_path, text: str, problem: str) -> None:
    listing = find.read_entries(find.given(str(put(tmp_path / "mcp.json", text))))
    assert listing.entries == []
    assert listing.problem.startswith(str(tmp_path / "mcp.json"))
    assert problem in listing.problem
    assert "\n" not in listing.problem


def test_what_cannot_be_read_is_a_listing_with_one_line(tmp_path) -> None:
    (tmp_path / "folder.json").mkdir()
    for path in ("no.json", "folder.json"):
        listing = find.read_entries(find.given(str(tmp_path / path)))
        assert path in listing.problem
        assert listing.document is None


@LINUX
def test_a_name_with_line_breaks_makes_no_second_line(tmp_path) -> None:
    listing = find.read_entries(find.given(str(put(tmp_path / "a\nb\x1b[2J.json", "{"))))
    assert listing.problem.isprintable()
    assert "a\\nb" in listing.problem


@LINUX
def test_a_fifo_does_not_hang(tmp_path) -> None:
    os.mkfifo(tmp_path / "mcp.json")
    assert "mcp.json" in find.read_entries(find.given(str(tmp_path / "mcp.json"))).problem


def test_an_entry_that_is_written_twice_is_listed_and_not_editable(tmp_path) -> None:
    text = '{"mcpServers": {"a": {"command": "x"}, "a": {"command": "y"}, "b": {"command": "z", "args": [], "args": []}, "c": {"command": "w"}}}'
    listing = find.read_entries(find.given(str(put(tmp_path / "mcp.json", text))))
    assert [(entry.name, entry.argv, entry.editable) for entry in listing.entries] == [
        ("a", ["y"], False),
        ("b", ["z"], False),
        ("c", ["w"], True),
    ]
    assert "twice" in listing.entries[0].fixed


def test_a_projects_jetbrains_file_is_listed_and_its_other_commands_are_not(tmp_path) -> None:
    text = """<project><component name="RunManager"><configuration><option name="command" value="make" /></configuration></component>
      <component name="McpProjectServerCommands"><commands><McpServerConfigurationProperties>
      <option name="command" value="npx" /><option name="name" value="one" /></McpServerConfigurationProperties></commands></component></project>"""
    put(tmp_path / ".idea" / "workspace.xml", text)
    (found,) = find.projects(str(tmp_path)).files
    (entry,) = find.read_entries(found).entries
    assert (entry.name, entry.argv, entry.level, entry.editable) == ("one", ["npx"], "project", False)
    put(tmp_path / ".idea" / "workspace.xml", '<!DOCTYPE x [<!ENTITY a SYSTEM "/etc/passwd">]><x>&a;</x>')
    assert "document type" in find.read_entries(found).problem


def test_an_empty_file_has_no_servers_and_no_problem(tmp_path) -> None:
    listing = find.read_entries(find.given(str(put(tmp_path / "mcp.json", ""))))
    assert (listing.entries, listing.problem) == ([], "")


@pytest.mark.parametrize(
    ("path", "client", "form"),
    [
        (".cursor/mcp.json", "Cursor", "json"), (".vscode/mcp.json", "VS Code", "jsonc"), (".codex/config.toml", "Codex", "toml"),
        ("claude_desktop_config.json", "generic", "json"), (".claude.json", "Claude Code", "json"), (".mcp.json", "Claude Code", "json"),
        ("opencode.jsonc", "opencode", "jsonc"), ("x.code-workspace", "VS Code", "jsonc"), (".config/Claude/claude_desktop_config.json", "Claude Desktop", "json"),
        ("AppData/Claude/claude_desktop_config.json", "Claude Desktop", "json"), ("mcp.yml", "generic", "yaml"), ("x.toml", "generic", "toml"),
        (".warp/.mcp.json", "Warp", "json"), (".continue/mcpServers/a.json", "Continue", "json"), ("x/extension.json5", "generic", "json5"), ("noext", "generic", "json"),
    ],
)  # fmt: skip
def test_a_given_file_is_read_as_the_client_whose_it_looks_like(tmp_path, path: str, client: str, form: str) -> None:
    found = find.given(str(tmp_path / path))
    assert (found.client, found.form, found.level) == (client, form, "given")


def test_a_given_file_of_a_known_name_with_other_servers_in_it_is_guessed(tmp_path) -> None:
    listing = find.read_entries(find.given(str(put(tmp_path / ".vscode" / "mcp.json", SERVERS))))
    assert [entry.name for entry in listing.entries] == ["one"]


def test_an_extension_that_is_turned_off_is_disabled(tmp_path) -> None:
    data = tmp_path / ".config" / "Claude"
    for name in ("on", "off"):
        put(data / "Claude Extensions" / name / "manifest.json", {"name": name, "server": {"mcp_config": {"command": "x"}}})
        put(data / "Claude Extensions Settings" / f"{name}.json", {"isEnabled": name == "on"})
    listings = [find.read_entries(found) for found in config_files(Home(str(tmp_path)))]
    assert {entry.name: (entry.disabled, entry.level) for listing in listings for entry in listing.entries} == {
        "on": (False, "extension"),
        "off": (True, "extension"),
    }


@LINUX
def test_homes_are_ones_own_first_and_for_root_everybodys(tmp_path, monkeypatch) -> None:
    import pwd

    def person(name: str, uid: int, folder: pathlib.Path) -> pwd.struct_passwd:
        return pwd.struct_passwd((name, "x", uid, uid, "", str(folder), "/bin/sh"))

    me = os.geteuid()
    for name in ("own", "other", "stranger"):
        (tmp_path / name).mkdir()
    people = [
        person("other", 1000, tmp_path / "other"),
        person("daemon", 2, tmp_path / "own"),
        person("gone", 1001, tmp_path / "gone"),
    ]
    people.append(person("same", 1000, tmp_path / "own"))
    monkeypatch.setenv("HOME", str(tmp_path / "own"))
    monkeypatch.setattr(pwd, "getpwall", lambda: people)
    if me != 0:
        assert [home.path for home in find.homes()] == [str(tmp_path / "own")]
        return
    os.chown(tmp_path / "other", 1000, 1000)
    assert [(home.path, home.uid) for home in find.homes()] == [(str(tmp_path / "own"), 0), (str(tmp_path / "other"), 1000)]
    assert find.homes()[1].environment == {}


def test_the_development_configs_are_all_understood() -> None:
    root = os.environ.get("STDIOGUARD_DATA") or pathlib.Path(__file__).parents[2] / ".." / "shared" / "data"
    folder = pathlib.Path(root) / "configs-dev"
    if not folder.is_dir():
        pytest.skip("the development data are not here")
    for path in sorted(folder.glob("*/*")):
        listing = find.read_entries(find.given(str(path)))
        assert listing.problem == ""
        assert listing.document is not None
        servers = listing.document.value.get("mcpServers") or {}
        assert len(listing.entries) >= len(servers), path
        assert listing.entries or not any(key in listing.document.text for key in ('"command"', '"url"')), path
        for entry in listing.entries:
            if entry.kind == "broken":
                assert "without an address" in entry.problem, path
        changes = [change for entry in listing.entries if entry.editable for change in rewritten(entry)]
        wrapped = listing.document.edited(changes)
        again = find.entries_of(listing.found, wrapped.value)
        assert [one.argv[:2] for one in again if one.kind == "stdio"] == [["/opt/stdioguard", "run"]] * sum(
            one.kind == "stdio" for one in again
        )
        back = [
            Change(one.path, value=REMOVE) if (raw := listing.document.raw(one.path)) is None else Change(one.path, raw=raw)
            for one in changes
        ]
        assert wrapped.edited(back).data() == path.read_bytes(), path


def rewritten(entry: Entry) -> list[Change]:
    return dialects.dialect(entry.client).rewrite(entry, ["/opt/stdioguard", "run", "--server", entry.name, "--", *entry.argv])
