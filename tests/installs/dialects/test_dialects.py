"""How each client writes entries, and how an entry is made to start something else."""

from __future__ import annotations

import textwrap
from typing import Any

import pytest

from stdioguard.installs import dialects, find, formats
from stdioguard.installs.dialects import jetbrains
from stdioguard.installs.entries import Entry
from stdioguard.sandbox import clients

GUARDED = ["/opt/stdioguard", "run", "--server", "one", "--", "npx", "-y", "server"]


def read(client: str, text: str, form: str, key: str = "") -> tuple[formats.Document, list[Entry]]:
    document = formats.parse(textwrap.dedent(text).lstrip("\n").encode(), form)
    key = key or next(
        config.key for config in clients.CLIENT_CONFIGS if config.client == client and config.format in (form, "json", "jsonc")
    )
    return document, find.entries_of(find.Found(client, "/x", "user", form, key), document.value)


# client, form, the file, the program's words, variables, the shape
SHAPES: list[tuple[str, str, str, list[str], dict[str, str], str]] = [
    (
        "Claude Desktop", "json",
        '{"mcpServers": {"one": {"command": "npx", "args": ["-y", "server"], "env": {"A": "b"}}}}',
        ["npx", "-y", "server"], {"A": "b"}, "command+args",
    ),
    ("Claude Code", "json", '{"mcpServers": {"one": {"type": "stdio", "command": "server"}}}', ["server"], {}, "command+args"),
    (
        "Claude Code", "json",
        '{"projects": {"/p.q": {"mcpServers": {"one": {"command": "npx", "args": ["x"]}}}}}',
        ["npx", "x"], {}, "command+args",
    ),
    ("Cursor", "json", '{"mcpServers": {"one": {"command": "npx -y server"}}}', ["npx", "-y", "server"], {}, "line"),
    (
        "VS Code", "jsonc",
        """
        {
          // mine
          "inputs": [{"id": "token", "type": "promptString"}],
          "servers": {
            "one": {
              "command": "npx",
              "args": [
                "-y",
                "server",  // it
              ],
            },
          },
        }
        """,
        ["npx", "-y", "server"], {}, "command+args",
    ),
    (
        "Codex", "toml",
        """
        model = "x"
        [mcp_servers.one]
        command = "npx"   # it
        args = ["-y", "server"]
        startup_timeout_sec = 10
        [mcp_servers.one.env]
        A = "b"
        [other]
        """,
        ["npx", "-y", "server"], {"A": "b"}, "command+args",
    ),
    (
        "Mistral Vibe", "toml",
        """
        [[mcp_servers]]
        name = "one"
        transport = "stdio"
        command = "npx"
        args = ["-y", "server"]
        """,
        ["npx", "-y", "server"], {}, "command+args",
    ),
    ("Gemini CLI", "jsonc", '{"mcpServers": {"one": {"command": "npx", "args": ["x"], "trust": true}}}', ["npx", "x"], {}, "command+args"),
    ("Zed", "jsonc", '{"context_servers": {"one": {"source": "custom", "command": "npx", "args": ["x"]}}}', ["npx", "x"], {}, "command+args"),
    (
        "Zed", "jsonc",
        '{"context_servers": {"one": {"command": {"path": "npx", "args": ["x"], "env": {"A": "b"}}, "settings": {}}}}',
        ["npx", "x"], {"A": "b"}, "nested",
    ),
    ("Zed", "jsonc", '{"context_servers": {"one": {"command": {"path": "server"}}}}', ["server"], {}, "nested"),
    (
        "Cline", "json",
        '{"mcpServers": {"one": {"transport": {"type": "stdio", "command": "npx", "args": ["x"], "env": {"A": "b"}}, "disabled": false}}}',
        ["npx", "x"], {"A": "b"}, "nested",
    ),
    (
        "opencode", "jsonc",
        '{"mcp": {"one": {"type": "local", "command": ["npx", "-y", "x"], "environment": {"A": "b"}, "enabled": true}}}',
        ["npx", "-y", "x"], {"A": "b"}, "array",
    ),
    ("opencode", "jsonc", '{"mcp": {"servers": {"one": {"type": "local", "command": ["x"]}}}}', ["x"], {}, "array"),
    ("Kilo Code", "jsonc", '{"mcp": {"one": {"type": "local", "command": ["x", "y"]}}}', ["x", "y"], {}, "array"),
    ("Crush", "json", '{"mcp": {"one": {"type": "stdio", "command": "x", "args": ["y"]}}}', ["x", "y"], {}, "command+args"),
    ("Amp", "json", '{"amp.mcpServers": {"one": {"command": "x", "args": ["y"]}}}', ["x", "y"], {}, "command+args"),
    ("Warp", "json", '{"mcp": {"servers": {"one": {"command": "x"}}}}', ["x"], {}, "command+args"),
    ("Warp", "json", '{"one": {"command": "x", "working_directory": "/w"}}', ["x"], {}, "command+args"),
    ("OpenClaw", "json5", "{mcp: {servers: {one: {command: 'x', args: ['y'],},},},}", ["x", "y"], {}, "command+args"),
    (
        "Goose", "yaml",
        """
        GOOSE_MODE: auto
        extensions:
          developer:
            type: builtin
            enabled: true
          one:
            type: stdio
            cmd: npx  # it
            args:
              - -y
              - server
            envs:
              A: b
            timeout: 300
        """,
        ["npx", "-y", "server"], {"A": "b"}, "command+args",
    ),
    (
        "Continue", "yaml",
        """
        name: mine
        mcpServers:
          - uses: owner/block
          - name: one
            command: npx
            args: ["-y", "server"]
        """,
        ["npx", "-y", "server"], {}, "command+args",
    ),
    (
        "Continue", "json",
        '{"experimental": {"modelContextProtocolServers": [{"name": "one", "transport": {"type": "stdio", "command": "npx", "args": ["x"]}}]}}',
        ["npx", "x"], {}, "nested",
    ),
    ("Kiro", "json", '{"mcpServers": {"one": {"command": "x", "args": [], "disabled": true, "autoApprove": ["a"]}}}', ["x"], {}, "command+args"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("client", "form", "text", "argv", "env", "shape"),
    SHAPES,
    ids=lambda value: value if isinstance(value, str) and len(value) < 20 else "",
)
def test_an_entry_is_read_and_made_to_start_something_else_and_put_back(client, form, text, argv, env, shape) -> None:
    document, entries = read(client, text, form)
    assert len(entries) == 1
    entry = entries[0]
    assert (entry.name, entry.kind, entry.argv, entry.env, entry.shape, entry.client) == (
        "one",
        "stdio",
        argv,
        env,
        shape,
        client,
    )
    assert entry.editable
    changes = dialects.dialect(client).rewrite(entry, GUARDED)
    wrapped = document.edited(changes)
    again = find.entries_of(find.Found(client, "/x", "user", form, key_of(client, form)), wrapped.value)
    assert [(one.name, one.argv, one.env, one.cwd, one.disabled, one.extra) for one in again] == [
        ("one", GUARDED, env, entry.cwd, entry.disabled, entry.extra)
    ]
    back = wrapped.edited([undo(document, change) for change in changes])
    assert back.data() == document.data()


def key_of(client: str, form: str) -> str:
    return next(
        config.key for config in clients.CLIENT_CONFIGS if config.client == client and config.format in (form, "json", "jsonc")
    )


def undo(document: formats.Document, change: formats.Change) -> formats.Change:
    raw = document.raw(change.path)
    return formats.Change(change.path, value=formats.REMOVE) if raw is None else formats.Change(change.path, raw=raw)


@pytest.mark.parametrize(
    ("client", "form", "text", "url", "headers"),
    [
        (
            "Claude Code",
            "json",
            '{"mcpServers": {"one": {"type": "http", "url": "https://x", "headers": {"A": "b"}}}}',
            "https://x",
            {"A": "b"},
        ),
        ("Windsurf", "json", '{"mcpServers": {"one": {"serverUrl": "https://x"}}}', "https://x", {}),
        (
            "Gemini CLI",
            "jsonc",
            '{"mcpServers": {"one": {"httpUrl": "https://x", "url": "https://y", "command": "z"}}}',
            "https://x",
            {},
        ),
        (
            "Codex",
            "toml",
            '[mcp_servers.one]\nurl = "https://x"\nbearer_token_env_var = "T"\nhttp_headers = {A = "b"}\n',
            "https://x",
            {"A": "b"},
        ),
        ("opencode", "jsonc", '{"mcp": {"one": {"type": "remote", "url": "https://x"}}}', "https://x", {}),
        ("Goose", "yaml", "extensions:\n  one:\n    type: streamable_http\n    uri: https://x\n", "https://x", {}),
        (
            "Cline",
            "json",
            '{"mcpServers": {"one": {"transport": {"type": "sse", "url": "https://x", "headers": {"A": "b"}}}}}',
            "https://x",
            {"A": "b"},
        ),
        ("Zed", "jsonc", '{"context_servers": {"one": {"url": "https://x"}}}', "https://x", {}),
        ("MCPorter", "json", '{"mcpServers": {"one": {"baseUrl": "https://x", "auth": "oauth"}}}', "https://x", {}),
    ],
)
def test_a_remote_server_is_listed_and_never_rewritten(client, form, text, url, headers) -> None:
    document, (entry,) = read(client, text, form)
    assert (entry.kind, entry.url, entry.headers, entry.editable) == ("remote", url, headers, False)
    assert entry.fields.url_path is not None
    assert dialects.standard.at(document.value, entry.fields.url_path) == url
    with pytest.raises(ValueError, match="one"):
        dialects.dialect(client).rewrite(entry, GUARDED)


@pytest.mark.parametrize(
    "name", ["url", "serverUrl", "httpUrl", "baseUrl", "base_url", "server_url", "serverURL", "endpoint", "uri"]
)
def test_an_address_is_found_by_any_of_its_names_in_a_file_of_no_known_client(name) -> None:
    servers = {"mcpServers": {"one": {name: "https://x"}, "two": {"command": "npx", name: "https://x"}}}
    dialect, place = dialects.guess(servers, "servers.json")
    entries = list(dialect.entries(servers, place))
    assert [(entry.kind, entry.url) for entry in entries] == [("remote", "https://x"), ("stdio", "https://x")]


@pytest.mark.parametrize(
    ("member", "problem"),
    [
        ("null", "not an object but null"),
        ('"npx"', "not an object but a text"),
        ("{}", "names neither a command nor an address"),
        ('{"command": ""}', "the command is empty"),
        ('{"command": 3}', "the command is not a text but a number"),
        ('{"command": []}', "the command is a list without a program"),
        ('{"command": ["x", 3]}', "a word of the command is not a text"),
        ('{"command": "x", "args": "y z"}', "the arguments are not a list but a text"),
        ('{"command": "x", "args": [{}]}', "an argument is not a text but an object"),
        ('{"command": "x", "args": [null]}', "an argument is not a text but null"),
        ('{"type": "http", "command": "x"}', "of type http, but without an address"),
        ('{"transportType": "sse"}', "of type sse, but without an address"),
    ],
)
def test_a_broken_entry_says_what_is_wrong_and_is_left_alone(member: str, problem: str) -> None:
    _, (entry, fine) = read("Cursor", '{"mcpServers": {"one": %s, "two": {"command": "x", "args": [3, 4.5]}}}' % member, "json")
    assert (entry.name, entry.kind, entry.problem, entry.editable) == ("one", "broken", problem, False)
    with pytest.raises(ValueError, match=problem.split()[0]):
        dialects.GENERIC.rewrite(entry, GUARDED)
    assert (fine.kind, fine.argv) == ("stdio", ["x", "3", "4.5"])


def test_what_is_known_of_a_broken_entry_is_still_told() -> None:
    _, (entry,) = read(
        "Cursor", '{"mcpServers": {"one": {"command": "npx", "args": "-y evil", "env": {"A": 1, "B": true, "C": null}}}}', "json"
    )
    assert entry.argv == ["npx", "-y", "evil"]
    assert entry.env == {"A": "1", "B": "true", "C": ""}


def test_a_member_without_a_name_is_no_part_of_the_command() -> None:
    _, (entry,) = read("Cursor", '{"mcpServers": {"one": {"command": "x", "": ["evil"]}}}', "json")
    assert (entry.argv, entry.env, entry.extra) == (["x"], {}, {"": ["evil"]})


def test_servers_that_are_no_object_are_one_broken_entry() -> None:
    _, (entry,) = read("Cursor", '{"mcpServers": "x"}', "json")
    assert (entry.kind, entry.problem) == ("broken", "the servers are neither an object nor a list")


@pytest.mark.parametrize(
    ("command", "argv"),
    [
        ("npx -y server", ["npx", "-y", "server"]),
        ("python '/a b/server.py'", ["python", "/a b/server.py"]),
        ("my-server --x", ["my-server", "--x"]),
        ("/usr/bin/node /x.js", ["/usr/bin/node", "/x.js"]),
        ("/Applications/My App.app/Contents/MacOS/server", None),
        (r"C:\Program Files\nodejs\node.exe", None),
        ("My Server.exe", None),
        ("server", None),
    ],
)
def test_a_whole_command_line_in_one_text_is_told_from_a_path_with_spaces(command: str, argv: list[str] | None) -> None:
    entry = dialects.GENERIC.entry("one", {"command": command}, ())
    assert (entry.shape, entry.argv) == (("command+args", [command]) if argv is None else ("line", argv))


def test_a_program_with_spaces_that_is_there_is_no_command_line(tmp_path) -> None:
    program = tmp_path / "npx x"
    program.touch()
    assert dialects.GENERIC.entry("one", {"command": str(program)}, ()).shape == "command+args"


@pytest.mark.parametrize(
    ("client", "variable", "literal"),
    [
        ("Claude Code", "a${X}b", "$X"), ("Cursor", "${env:X}", "$X"), ("VS Code", "${input:x}", "%X%"), ("Codex", None, "${X}"),
        ("Claude Desktop", None, "${X}"), ("Zed", None, "${X}"), ("Gemini CLI", "$X", "{env:X}"), ("Gemini CLI", "%X%", "50%"),
        ("opencode", "{env:X}", "${X}"), ("opencode", "{file:~/x}", "{x}"), ("Continue", "${{ secrets.X }}", "$X"), ("Kilo Code", "{env:X}", "$X"),
        ("Crush", "$(cat x)", "x"), ("generic", "%X%", "a$"), ("generic", "{env:X}", "100%"),
    ],
)  # fmt: skip
def test_a_text_is_literal_unless_it_holds_a_variable_of_this_client(client: str, variable: str | None, literal: str) -> None:
    dialect = dialects.dialect(client)
    assert dialect.literal(literal)
    assert variable is None or not dialect.literal(variable)


def test_claude_codes_projects_come_after_the_servers_for_all() -> None:
    text = (
        '{"mcpServers": {"a": {"command": "x"}}, "projects": {"/p": {"mcpServers": {"b": {"command": "y"}}}, "/q": {}, "/r": 3}}'
    )
    _, entries = read("Claude Code", text, "json")
    assert [(entry.name, entry.project, entry.path) for entry in entries] == [
        ("a", "", ("mcpServers", "a")),
        ("b", "/p", ("projects", "/p", "mcpServers", "b")),
    ]


@pytest.mark.parametrize(
    ("lists", "off"),
    [
        ('"mcp": {"allowed": ["a"]}', ["b", "c"]), ('"mcp": {"excluded": ["a"]}', ["a"]), ('"allowMCPServers": ["a", "c"]', ["b"]),
        ('"excludeMCPServers": ["c"]', ["c"]), ('"mcp": {"allowed": []}', ["a", "b", "c"]), ('"mcp": {"allowed": "a"}', []),
    ],
)  # fmt: skip
def test_servers_that_geminis_lists_leave_out_are_disabled(lists: str, off: list[str]) -> None:
    _, entries = read(
        "Gemini CLI", '{%s, "mcpServers": {"a": {"command": "x"}, "b": {"command": "x"}, "c": {"command": "x"}}}' % lists, "jsonc"
    )
    assert [entry.name for entry in entries if entry.disabled] == off


def test_what_starts_nothing_from_here_is_no_entry() -> None:
    for names in ('"./servers.json"', '["./a.json"]'):
        _, entries = read("Claude Code", '{"name": "plugin", "mcpServers": %s}' % names, "json")
        assert entries == []
    _, entries = read("Goose", "extensions:\n  a: {type: builtin}\n  b: {type: platform}\n", "yaml")
    assert entries == []
    _, entries = read("opencode", '{"mcp": {"a": {"enabled": false}}}', "jsonc")
    assert entries == []
    _, (entry,) = read("Zed", '{"context_servers": {"a": {"source": "extension", "settings": {}}}}', "jsonc")
    assert "extension of Zed" in entry.problem
    _, (entry,) = read("Goose", "extensions:\n  a: {type: inline_python, code: x}\n", "yaml")
    assert "inline_python" in entry.problem


def test_an_extension_is_listed_and_never_edited() -> None:
    text = """
    {"name": "one", "server": {"type": "node", "mcp_config": {"command": "node", "args": ["${__dirname}/x.js", "${user_config.key}"],
     "env": {"KEY": "${user_config.key}"}, "platform_overrides": {"win32": {"command": "node.exe"}, "linux": {"args": ["y"]}}}}}
    """
    _, (entry,) = read("Claude Desktop", text, "json", "server.mcp_config")
    assert (entry.name, entry.level, entry.kind, entry.editable) == ("one", "extension", "stdio", False)
    assert "update" in entry.fixed
    assert not dialects.extensions.EXTENSIONS.literal("${user_config.key}")
    with pytest.raises(ValueError, match="update"):
        dialects.dialect("Claude Desktop", "server.mcp_config").rewrite(entry, GUARDED)
    if clients.PLATFORM == clients.LINUX:
        assert entry.argv == ["node", "y"]


JETBRAINS = b"""<application>
  <component name="McpApplicationServerCommands" modifiable="true">
    <McpServerCommand>
      <option name="enabled" value="false" /><option name="name" value="old" />
      <option name="programPath" value="npx" /><option name="arguments" value="-y 'a b'" />
      <option name="workingDirectory" value="/w" /><envs><env name="A" value="b" /></envs>
    </McpServerCommand>
    <commands><McpServerConfigurationProperties>
      <option name="command" value="node" /><option name="args"><list><option value="x.js" /></list></option>
      <option name="env"><map><entry key="C" value="d" /></map></option><option name="name" value="new" />
    </McpServerConfigurationProperties><McpServerConfigurationProperties><option name="name" value="elsewhere" /></McpServerConfigurationProperties>
    </commands><urls />
  </component>
</application>"""


def test_jetbrains_servers_are_listed_and_never_edited() -> None:
    entries = list(jetbrains.JETBRAINS.entries(jetbrains.parse(JETBRAINS), ()))
    assert [(one.name, one.argv, one.env, one.cwd, one.disabled, one.editable) for one in entries] == [
        ("old", ["npx", "-y", "a b"], {"A": "b"}, "/w", True, False),
        ("new", ["node", "x.js"], {"C": "d"}, None, False, False),
    ]
    with pytest.raises(ValueError, match="IDE"):
        jetbrains.JETBRAINS.rewrite(entries[0], GUARDED)


@pytest.mark.parametrize(
    "data",
    [b"", b"<a>", b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>', "<!DOCTYPE x>".encode("utf-16"), b"\0", b"<a>&amp", b"<?xml version='1.0' encoding='nope'?><a/>", b"<a>" * 100_000],
)  # fmt: skip
def test_xml_that_no_ide_writes_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="XML"):
        jetbrains.parse(data)


@pytest.mark.parametrize(
    ("value", "path", "names"),
    [
        ({"mcpServers": {"a": {"command": "x"}}}, "/x.json", ["a"]),
        ({"servers": {"a": {"command": "x"}}}, "/x.json", ["a"]),
        ({"servers": {"a": {"port": 1}}}, "/x.json", []),
        ({"mcp": {"a": {"type": "local", "command": ["x"]}}}, "/x.json", ["a"]),
        ({"mcp": {"servers": {"a": {"command": "x"}}}}, "/x.json", ["a"]),
        ({"mcp": {"enabled": True}}, "/x.json", []),
        ({"mcp_servers": {"a": {"command": "x"}}}, "/x.toml", ["a"]),
        ({"mcp_servers": [{"name": "a", "command": "x"}]}, "/x.toml", ["a"]),
        ({"mcpServers": [{"name": "a", "command": "x"}]}, "/x.yaml", ["a"]),
        ({"extensions": {"a": {"cmd": "x", "type": "stdio"}}}, "/x.yaml", ["a"]),
        ({"extensions": ["x"]}, "/x.json", []),
        ({"context_servers": {"a": {"command": {"path": "x"}}}}, "/x.json", ["a"]),
        ({"a": {"command": "x"}, "b": {"url": "https://y"}}, "/x.json", ["a", "b"]),
        ({"a": {"command": "x"}, "b": 3}, "/x.json", []),
        ({}, "/x.json", []), ([], "/x.json", []), (None, "/x.json", []), ({"mcpServers": {}}, "/x.json", []),
    ],
)  # fmt: skip
def test_a_file_of_no_known_client_is_guessed(value: Any, path: str, names: list[str]) -> None:
    guessed = dialects.guess(value, path)
    assert [entry.name for entry in (guessed[0].entries(value, guessed[1]) if guessed else [])] == names


def test_every_client_of_the_table_has_a_dialect_of_its_name() -> None:
    for config in clients.CLIENT_CONFIGS:
        assert dialects.dialect(config.client, config.key).client == config.client
