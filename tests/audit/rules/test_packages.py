"""Which packages a command line brings in, and what is wrong with them."""

import pytest

from stdioguard.audit import names
from stdioguard.audit.advisories import known
from stdioguard.audit.interface import Level
from tests.audit.rules.looks import found, line, server

PUBLIC = (".".join(("registry", "npmjs", "org")), ".".join(("pypi", "org")))
FILES = "@modelcontextprotocol/server-filesystem"

UNPINNED = [
    "npx -y notes-mcp", "npx notes-mcp", "pnpm dlx notes-mcp", "pnpx notes-mcp", "yarn dlx notes-mcp", "bunx notes-mcp", "bun x notes-mcp",
    "npm exec -- notes-mcp", "npm x -y notes-mcp", "uvx notes-mcp", "uv tool run notes-mcp", "uvx --from notes-mcp notes",
    "uvx --from notes-mcp[all] notes", "pipx run notes-mcp", "uv run --with notes-mcp notes-mcp", "cmd /c npx -y notes-mcp",
    "cmd.exe /d /s /c npx notes-mcp", "env TOKEN=x npx -y notes-mcp", "mise exec bun@1 -- bunx -y notes-mcp", "mise x npm:notes-mcp -- notes-mcp",
    "docker run -i --rm example/notes-mcp", "podman run -i ghcr.io/example/notes-mcp", "deno run npm:notes-mcp", "deno run jsr:@example/notes",
    "dnx Notes.Mcp", "stdioguard run --server notes --profile default -- npx -y notes-mcp", "npx -y -p notes-mcp notes",
]  # fmt: skip
PINNED = [
    "npx -y notes-mcp@1.2.3", "npx -y @example/notes-mcp@1.2.3-rc.1", "pnpm dlx notes-mcp@1.2.3", "bunx notes-mcp@1.2.3", "uvx notes-mcp@1.2.3",
    "uvx notes-mcp==1.2.3", "uvx --from notes-mcp==1.2.3 notes", "pipx run notes-mcp==1.2.3", "npm exec -- notes-mcp@1.2.3",
    "cmd /c npx -y notes-mcp@1.2.3", f"docker run -i example/notes-mcp@sha256:{'0f' * 32}", "docker run -i example/notes-mcp:1.2.3",
    "deno run npm:notes-mcp@1.2.3", "node /home/ana/notes/server.js", "npm run start", "docker run -i --rm notes-mcp", "uv run notes-mcp", "uvx --from git+https://github.com/example/notes notes",
]  # fmt: skip


@pytest.mark.parametrize("words", UNPINNED)
def test_a_package_without_a_version_is_found_through_whatever_starts_it(words, tmp_path):
    (finding,) = found(tmp_path, line(words), "unpinned-package")
    assert (finding.severity, finding.confidence) == (Level.LOW, Level.HIGH)


def test_a_package_without_a_version_is_found_in_a_shells_line(tmp_path):
    assert found(tmp_path, server("bash", "-lc", "npx -y notes-mcp"), "unpinned-package")
    (finding,) = found(tmp_path, server("bash", "-c", "cd /tmp && exec uvx notes-mcp"), "unpinned-package")
    assert finding.path[-2:] == ("args", 1)


@pytest.mark.parametrize("words", PINNED)
def test_an_exact_version_is_not_found(words, tmp_path):
    assert found(tmp_path, line(words), "unpinned-package") == []
    assert found(tmp_path, line(words), "mutable-version") == []


@pytest.mark.parametrize("version", ["latest", "next", "beta", "^1.2.3", "~1.2", "1", "1.x", ">=1.2.3", "*"])
def test_a_tag_or_a_range_is_found_once_and_by_one_rule_only(version, tmp_path):
    entry = server("npx", "-y", f"notes-mcp@{version}")
    (finding,) = found(tmp_path, entry, "mutable-version")
    assert finding.severity == Level.LOW
    assert found(tmp_path, entry, "unpinned-package") == []


@pytest.mark.parametrize(
    "words", ["uvx notes-mcp@latest", "uvx --from notes-mcp>=1.0 notes", "docker run -i example/notes:latest"]
)
def test_a_moving_version_is_found_on_every_registry(words, tmp_path):
    assert found(tmp_path, line(words), "mutable-version")


def test_every_unpinned_package_of_an_entry_is_named_in_one_finding(tmp_path):
    (finding,) = found(tmp_path, line("npx -y -p notes-mcp -p other-lib notes"), "unpinned-package")
    assert "notes-mcp" in finding.message
    assert "other-lib" in finding.message
    (finding,) = found(tmp_path, line("npx -y bridge@1.0.0 -- uvx notes-mcp"), "unpinned-package")
    assert finding.message.startswith("pypi package notes-mcp")


def test_every_moving_version_of_an_entry_is_named_in_one_finding(tmp_path):
    (finding,) = found(tmp_path, line("npx -y bridge@latest -- uvx notes-mcp@latest"), "mutable-version")
    assert "bridge has the version latest" in finding.message
    assert "notes-mcp latest" in finding.message
    assert found(tmp_path, line("go run example.com/notes@latest"), "mutable-version")


def test_an_unpinned_package_beside_a_pinned_one_is_found(tmp_path):
    (finding,) = found(tmp_path, line("uvx --with other-lib --from notes-mcp==1.0 notes"), "unpinned-package")
    assert "other-lib" in finding.message
    assert found(tmp_path, line("uvx --with-requirements requirements.txt --from notes-mcp==1.0 notes"), "unpinned-package") == []


def test_a_finding_points_at_the_word(tmp_path):
    (finding,) = found(tmp_path, line("cmd /c npx -y notes-mcp"), "unpinned-package")
    assert finding.path == ("mcpServers", "notes", "args", 3)


# Names

LOOKALIKES = [
    "@modelcontextprotocol/server-filesytem", "@modelcontextprotocoI/server-filesystem", "@modelcontextprotocl/server-github",
    "@model-contextprotocol/server-github", "@playwrigth/mcp", "@playwrght/mcp", "chrome-devtool-mcp", "chrorne-devtools-mcp",
    "@upstahs/context7-mcp", "figma-developr-mcp", "firecrawI-mcp", "mcp-rernote", "m\u0441p-remote", "@modelcontextprotocol/server_filesystem",
    "mcp-server-git", "mcp-server-fetch",
]  # fmt: skip
HONEST = [
    FILES, "@playwright/mcp", "playwright-mcp", "mcp-remote", "notes-mcp", "mcp-server-gif", "kubernetes-mcp-server", "mcp-server-kubernetes",
    "@example/server-filesystem", "@smithery/cli", "context7-mcp", "my-figma-developer-mcp", "exa-mcp-server", "eva-mcp-server", "nx-mcp", "tx-mcp",
    "mcp-proxy", "mcp-proxy2", "@azure/mcp", "@azura/mcp-tools",
]  # fmt: skip


@pytest.mark.parametrize("name", LOOKALIKES)
def test_a_name_that_imitates_a_known_server_is_found(name, tmp_path):
    assert found(tmp_path, server("npx", "-y", f"{name}@1.0.0"), "lookalike-package")


@pytest.mark.parametrize("name", HONEST)
def test_a_name_of_its_own_is_not_found(name, tmp_path):
    assert found(tmp_path, server("npx", "-y", f"{name}@1.0.0"), "lookalike-package") == []


def test_reference_servers_are_honest_on_their_own_registry(tmp_path):
    assert found(tmp_path, line("uvx mcp-server-git"), "lookalike-package") == []
    assert found(tmp_path, line("uvx mcp-sever-git"), "lookalike-package")
    assert found(tmp_path, line("uvx mcp_server_git"), "lookalike-package") == []


@pytest.mark.parametrize("registry", ["npm", "pypi", "oci"])
def test_no_known_name_imitates_another(registry):
    table = known().names[registry]
    for name in table:
        assert names.imitated(name, table - {name}) in ("", *table)
        assert names.imitated(name, table) == ""


# Archived, and other places


def test_an_archived_server_is_found_with_its_successor(tmp_path):
    (finding,) = found(tmp_path, line("npx -y @modelcontextprotocol/server-brave-search"), "archived-package")
    assert finding.severity == Level.LOW
    assert "@brave/brave-search-mcp-server" in finding.advice
    assert found(tmp_path, line("uvx mcp-server-sqlite"), "archived-package")
    assert found(tmp_path, line("npx -y @modelcontextprotocol/server-memory"), "archived-package") == []
    assert found(tmp_path, line("npx -y mcp-server-sqlite"), "archived-package") == []


@pytest.mark.parametrize(
    "entry",
    [
        line("npx -y --registry https://npm.example.com notes-mcp"), line("npx --registry=https://npm.example.com notes-mcp"),
        line("npx -y notes-mcp", env={"npm_config_registry": "https://npm.example.com"}),
        line("uvx --index-url https://pypi.example.com/simple notes-mcp"), line("uvx --default-index https://pypi.example.com notes-mcp"),
        line("uvx notes-mcp", env={"UV_INDEX_URL": "https://ana:pw@pypi.example.com/simple"}),
        line("uvx --index acme=https://pypi.example.com notes-mcp"),
    ],
)  # fmt: skip
def test_another_registry_is_told_by_its_host_only(entry, tmp_path):
    (finding,) = found(tmp_path, entry, "custom-registry")
    assert finding.severity == Level.INFO
    assert ".example.com and not" in finding.message
    assert "pw" not in finding.message


def test_a_registry_without_tls_is_worse(tmp_path):
    (finding,) = found(tmp_path, line("npx --registry http://npm.example.com notes-mcp"), "custom-registry")
    assert finding.severity == Level.HIGH
    assert found(tmp_path, line("npx --registry http://127.0.0.1:4873 notes-mcp"), "custom-registry") == []


@pytest.mark.parametrize(
    "words",
    [
        f"npx --registry https://{PUBLIC[0]} notes-mcp", f"uvx --index-url https://{PUBLIC[1]}/simple notes-mcp",
        "npx -y notes-mcp --registry https://models.example.com", "docker run -i example/notes -i https://x.example.com",
    ],
)  # fmt: skip
def test_the_usual_registry_and_a_servers_own_options_are_not_found(words, tmp_path):
    assert found(tmp_path, line(words), "custom-registry") == []


def test_two_registries_for_one_name_are_found_where_either_may_answer(tmp_path):
    either = "uvx --index-strategy unsafe-best-match --extra-index-url https://pypi.example.com acme-mcp==1.0"
    assert found(tmp_path, line(either), "dependency-confusion")
    assert found(
        tmp_path, line("pipx run acme-mcp", env={"PIP_EXTRA_INDEX_URL": "https://pypi.example.com"}), "dependency-confusion"
    )
    in_order = "uvx --extra-index-url https://pypi.example.com acme-mcp==1.0"
    assert found(tmp_path, line(in_order), "dependency-confusion") == []
    assert found(tmp_path, line("uvx --default-index https://pypi.example.com acme-mcp==1.0"), "dependency-confusion") == []


COMMIT = "4f" * 20


@pytest.mark.parametrize(
    ("words", "is_found"),
    [
        ("uvx --from git+https://github.com/example/notes notes", True), ("uvx --from git+https://github.com/example/notes@main notes", True),
        ("uvx --from git+https://github.com/example/notes@v1.0.0 notes", True), (f"uvx --from git+https://x.example/notes@{COMMIT} notes", False),
        ("npx -y github:example/notes", True), ("npx -y example/notes", True), (f"npx -y github:example/notes#{COMMIT}", False),
        (f"npx -y github:example/notes#{COMMIT[:7]}", True), ("npx -y notes-mcp", False),
    ],
)  # fmt: skip
def test_a_repository_is_found_without_a_full_commit(words, is_found, tmp_path):
    assert bool(found(tmp_path, line(words), "unpinned-git")) == is_found


@pytest.mark.parametrize(
    ("words", "is_found"),
    [
        ("npx -y https://dl.example.com/notes.tgz", True), ("uvx https://dl.example.com/notes-1.0-py3-none-any.whl", True),
        (f"uvx https://dl.example.com/notes-1.0-py3-none-any.whl#sha256={'0f' * 32}", False), ("deno run https://dl.example.com/main.ts", True),
        ("deno run https://deno.land/x/notes@1.2.3/main.ts", False), ("uv run https://dl.example.com/main.py", True), ("npx -y notes-mcp", False),
    ],
)  # fmt: skip
def test_code_at_an_address_is_found_without_a_digest(words, is_found, tmp_path):
    assert bool(found(tmp_path, line(words), "remote-code")) == is_found


@pytest.mark.parametrize(
    ("words", "is_found"),
    [
        ("npx -y http://dl.example.com/notes.tgz", True), ("uvx --from git+http://git.example.com/notes notes", True),
        ("npx -y git://git.example.com/notes.git", True), ("deno run http://dl.example.com/main.ts", True),
        ("npx -y https://dl.example.com/notes.tgz", False), ("npx -y http://127.0.0.1:8000/notes.tgz", False),
        ("npx -y mcp-remote@0.1.38 http://mcp.example.com/sse", False),
    ],
)  # fmt: skip
def test_code_that_comes_unencrypted_is_found(words, is_found, tmp_path):
    assert bool(found(tmp_path, line(words), "insecure-download")) == is_found


def test_install_scripts_of_an_installed_package_are_found_on_this_machine_only(tmp_path):
    folder = tmp_path / "modules" / "node_modules" / "notes-mcp"
    folder.mkdir(parents=True)
    (folder / "package.json").write_text('{"version": "1.0.0", "scripts": {"postinstall": "node fetch.js", "test": "x"}}')
    entry = server("node", str(folder / "index.js"))
    (finding,) = found(tmp_path, entry, "install-scripts", here=True)
    assert finding.severity == Level.INFO
    assert found(tmp_path, entry, "install-scripts") == []
    other = folder.parent / "other-mcp"
    other.mkdir()
    (other / "package.json").write_text('{"version": "1.0.0", "scripts": {"test": "x", "prepare": "y"}}')
    assert found(tmp_path, server("node", str(other / "index.js")), "install-scripts", here=True) == []
