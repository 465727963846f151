"""What command lines really start."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stdioguard.installs.commands import Started, plain_name, profile_for, recognise

LAUNCHERS = [
    "npx",
    "npm",
    "exec",
    "pnpm",
    "dlx",
    "yarn",
    "bun",
    "x",
    "bunx",
    "uv",
    "tool",
    "run",
    "uvx",
    "pipx",
    "docker",
    "deno",
    "dnx",
    "python",
    "node",
]
SHELL = [
    "bash",
    "-c",
    "-lc",
    "cmd",
    "/c",
    "/s",
    "powershell",
    "-Command",
    "env",
    "-S",
    "mise",
    "--",
    "timeout",
    "5",
    "sudo",
    "A=b",
    "npx x && y",
    "a | b",
]
OPTIONS = [
    "-y",
    "-p",
    "--package",
    "--package=x",
    "--from",
    "--with",
    "-m",
    "-e",
    "@a/b@1.0.0",
    "git+https://x/y@z",
    "npm:x",
    "jsr:@a/b",
    "./x",
    "-",
    "",
]
SHA = "a" * 40
DIGEST = "sha256:" + "b" * 64


def short(argv: list[str] | str) -> tuple[str, str, str, str | None, bool]:
    started = recognise(argv.split() if isinstance(argv, str) else argv)
    return started.ecosystem, started.name, started.source, started.version, started.is_pinned


@pytest.mark.parametrize(
    ("line", "name", "source", "version", "pinned"),
    [
        ("npx -y @scope/server", "@scope/server", "registry", None, False),
        ("npx server@1.2.3", "server", "registry", "1.2.3", True),
        ("npx -y @scope/server@1.2.3-beta.1 --port 3", "@scope/server", "registry", "1.2.3-beta.1", True),
        ("npx server@latest", "server", "registry", "latest", False),
        ("npx server@^1.2.3", "server", "registry", "^1.2.3", False),
        ("npx server@1.2", "server", "registry", "1.2", False),
        ("npx --yes --package=@scope/pkg@2.0.0 -- tool x", "@scope/pkg", "registry", "2.0.0", True),
        ("npx -y -p @scope/pkg tool", "@scope/pkg", "registry", None, False),
        ("npx --registry https://npm.example server", "server", "registry", None, False),
        ("npm exec --yes -- @scope/server@1.0.0 x", "@scope/server", "registry", "1.0.0", True),
        ("npm exec @scope/server -- x", "@scope/server", "registry", None, False),
        ("npm x -y server", "server", "registry", None, False),
        ("pnpm dlx @scope/server", "@scope/server", "registry", None, False),
        ("pnpm --package=server dlx tool", "server", "registry", None, False),
        ("pnpx server@3.1.4", "server", "registry", "3.1.4", True),
        ("yarn dlx -q server", "server", "registry", None, False),
        ("bunx --bun server@latest", "server", "registry", "latest", False),
        ("bun x -y server", "server", "registry", None, False),
        ("npx.cmd -y server", "server", "registry", None, False),
        (r"C:\nodejs\NPX.CMD -y server", "server", "registry", None, False),
        ("npx github:owner/repo", "repo", "git", None, False),
        (f"npx -y github:owner/repo#{SHA}", "repo", "git", SHA, True),
        ("npx owner/repo#main", "repo", "git", "main", False),
        ("npx git+ssh://git@github.com/owner/repo.git", "repo", "git", None, False),
        ("npx https://example.com/server.tgz", "server", "url", None, False),
        ("npx ./packages/server", "server", "path", None, False),
        ("npx server@npm:other@1.0.0", "other", "registry", "1.0.0", True),
        ("npx server@file:../evil", "server", "path", None, False),
        ("pnpm exec server", "server", "project", None, True),
        ("npx --no-install server x", "server", "installed", None, True),
        ("npx --no server", "server", "installed", None, True),
        ("npm exec --no -- server", "server", "installed", None, True),
        ("bunx --no-install server", "server", "installed", None, True),
        ("npx --no-install -y server", "server", "registry", None, False),
        ("npx --no-install server@latest", "server", "registry", "latest", False),
        ("node /usr/lib/node_modules/@scope/server/dist/index.js /x", "@scope/server", "installed", None, True),
        ("node --no-warnings ./node_modules/server/index.js", "server", "installed", None, True),
        (r"node C:\Users\me\node_modules\server\index.js", "server", "installed", None, True),
        ("deno run -A npm:@scope/server@1.2.3/cli", "@scope/server", "registry", "1.2.3", True),
        ("mise x npm:server@1.10.4 -- server", "server", "registry", "1.10.4", True),
    ],
)
def test_a_package_of_npm_is_found_by_whatever_fetches_it(
    line: str, name: str, source: str, version: str | None, pinned: bool
) -> None:
    assert short(line) == ("npm", name, source, version, pinned)


@pytest.mark.parametrize(
    ("line", "name", "source", "version", "pinned"),
    [
        ("uvx mcp-server-git", "mcp-server-git", "registry", None, False),
        ("uvx mcp-server-git@1.2.3 --repository /x", "mcp-server-git", "registry", "1.2.3", True),
        ("uvx mcp-server-git@latest", "mcp-server-git", "registry", "latest", False),
        ("uvx mcp_server.git==1.2.3", "mcp-server-git", "registry", "1.2.3", True),
        ("uvx --from mcp-server-git==1.2.* tool", "mcp-server-git", "registry", "==1.2.*", False),
        ("uvx --from mcp-server-git>=1 tool", "mcp-server-git", "registry", ">=1", False),
        ("uvx --python 3.12 --from server[cli]==2.0 server", "server", "registry", "2.0", True),
        ("uv tool run server", "server", "registry", None, False),
        ("uv --quiet tool run --from server cmd", "server", "registry", None, False),
        ("uvx --from git+https://github.com/owner/repo cmd", "repo", "git", None, False),
        ("uvx --from git+https://github.com/owner/repo@main cmd", "repo", "git", "main", False),
        (f"uvx --from git+https://github.com/owner/repo.git@{SHA}#subdirectory=x cmd", "repo", "git", SHA, True),
        ("uvx --from git+https://github.com/owner/repo@feature/x cmd", "repo", "git", "feature/x", False),
        ("uvx --from ./local cmd", "local", "path", None, False),
        ("uvx --from https://example.com/server-1.0-py3-none-any.whl cmd", "server", "url", None, False),
        ("uv run --with server server --x", "server", "registry", None, False),
        ("uv run --with server==1.0 python -m server", "server", "registry", "1.0", True),
        ("pipx run server", "server", "registry", None, False),
        ("pipx run --spec server==2.1 tool", "server", "registry", "2.1", True),
        ("python -m pipx run server", "server", "registry", None, False),
        ("python3 -m uv tool run server", "server", "registry", None, False),
        ("/root/.local/bin/uvx server", "server", "registry", None, False),
        (r"C:\Users\me\uvx.exe server", "server", "registry", None, False),
    ],
)
def test_a_package_of_pypi_is_found_by_whatever_fetches_it(
    line: str, name: str, source: str, version: str | None, pinned: bool
) -> None:
    assert short(line) == ("pypi", name, source, version, pinned)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("docker run -i --rm -e TOKEN -v /a:/b mcp/github", ("oci", "mcp/github", "registry", None, False)),
        ("docker run --rm -i --name x --network=none ghcr.io/o/i:1.0 stdio", ("oci", "ghcr.io/o/i", "registry", "1.0", False)),
        (f"podman run -it localhost:5000/i@{DIGEST}", ("oci", "localhost:5000/i", "registry", DIGEST, True)),
        ("docker --context remote container run --init --pull=always -ieA=b mcp/x", ("oci", "mcp/x", "registry", None, False)),
        ("deno run --allow-net jsr:@a/b@1.0.0 x", ("deno", "@a/b", "registry", "1.0.0", True)),
        (
            "deno run https://deno.land/x/server@v1.2.3/mod.ts",
            ("deno", "https://deno.land/x/server@v1.2.3/mod.ts", "url", "1.2.3", False),
        ),
        ("dnx Some.Server@1.0.0 --yes -- x", ("nuget", "Some.Server", "registry", "1.0.0", True)),
        ("dotnet tool exec Some.Server --source /x", ("nuget", "Some.Server", "registry", None, False)),
        ("mcp-server-git --repository /x", ("command", "mcp-server-git", "program", None, False)),
        ("/opt/server/bin/server", ("command", "server", "path", None, False)),
        ("python -m mcp_server_git", ("command", "mcp_server_git", "program", None, False)),
        ("python -u -Wignore server.py", ("command", "server.py", "path", None, False)),
        ("uv --directory /x run server.py", ("command", "server.py", "path", None, False)),
        ("uv run --project /x server", ("command", "server", "project", None, False)),
        ("npm run start", ("command", "npm run start", "project", None, False)),
        ("bun run server.ts", ("command", "server.ts", "path", None, False)),
        ("bun start", ("command", "bun run start", "project", None, False)),
        ("tsx watch src/x.ts", ("command", "x.ts", "path", None, False)),
        ("uv run python -m x", ("command", "x", "project", None, False)),
        ("java -Xmx1g -jar /x/server.jar", ("command", "server.jar", "path", None, False)),
        ("docker mcp gateway run", ("command", "docker", "program", None, False)),
        ("docker exec -i box server", ("command", "docker", "program", None, False)),
    ],
)
def test_images_and_programs_are_told_from_packages(line: str, expected: tuple[str, ...]) -> None:
    assert short(line) == expected


@pytest.mark.parametrize(
    ("argv", "wrappers"),
    [
        (["cmd", "/c", "npx", "-y", "server"], ("cmd",)),
        (["cmd.exe", "/d", "/s", "/c", "npx -y server"], ("cmd",)),
        ([r"C:\Windows\System32\cmd.exe", "/C", '"npx.cmd" -y server'], ("cmd",)),
        (["bash", "-lc", "npx -y server"], ("bash",)),
        (["/bin/sh", "-l", "-c", "exec npx -y server"], ("sh", "exec")),
        (["bash", "-o", "pipefail", "-c", "npx -y server"], ("bash",)),
        (["bash", "-c", 'exec "$0" "$@"', "npx", "-y", "server"], ("bash",)),
        (["powershell", "-NoProfile", "-Command", "npx -y server"], ("powershell",)),
        (["pwsh.exe", "-c", "& npx.cmd -y server"], ("pwsh",)),
        (["corepack", "pnpm", "dlx", "server"], ("corepack",)),
        (["env", "-i", "A=b", "PATH=/x", "npx", "-y", "server"], ("env",)),
        (["/usr/bin/env", "-S", "npx -y server"], ("env",)),
        (["env", "-u", "X", "npx", "-y", "server"], ("env",)),
        (["nohup", "nice", "-n", "5", "timeout", "-k", "5", "30", "npx", "-y", "server"], ("nohup", "nice", "timeout")),
        (["sudo", "-u", "me", "A=b", "npx", "-y", "server"], ("sudo",)),
        (["mise", "exec", "node@22", "--", "npx", "-y", "server"], ("mise",)),
        (["mise", "x", "-C", "/x", "--", "npx", "-y", "server"], ("mise",)),
        (["asdf", "exec", "npx", "-y", "server"], ("asdf",)),
        (["volta", "run", "--node", "22", "npx", "-y", "server"], ("volta",)),
        (["fnm", "exec", "--using=22", "npx", "-y", "server"], ("fnm",)),
        (["direnv", "exec", "/x", "npx", "-y", "server"], ("direnv",)),
        (["dotenv", "-e", ".env", "--", "npx", "-y", "server"], ("dotenv",)),
        (["dotenv", "run", "--", "npx", "-y", "server"], ("dotenv",)),
        (["op", "run", "--env-file=.env", "--no-masking", "--", "npx", "-y", "server"], ("op",)),
        (["doppler", "run", "-p", "x", "--", "npx", "-y", "server"], ("doppler",)),
        (["poetry", "run", "npx", "-y", "server"], ("poetry",)),
        (["wsl.exe", "-d", "Ubuntu", "--", "npx", "-y", "server"], ("wsl",)),
        (["wsl", "-e", "bash", "-lc", "npx -y server"], ("wsl", "bash")),
        (["/opt/bin/stdioguard", "run", "--profile", "default", "--server", "s", "--", "npx", "-y", "server"], ("stdioguard",)),
        (["/usr/bin/python3", "-m", "stdioguard", "run", "--profile=x", "--", "npx", "-y", "server"], ("stdioguard",)),
        (["A=b", "npx", "-y", "server"], ()),
        (["bash", "-c", "A=b exec npx -y server"], ("bash", "exec")),
        (["uv", "run", "npx", "-y", "server"], ("uv",)),
    ],
)
def test_wrappers_are_looked_through(argv: list[str], wrappers: tuple[str, ...]) -> None:
    started = recognise(argv)
    assert (started.identity, started.wrappers, started.opaque) == ("npm:server", wrappers, "")


@pytest.mark.parametrize(
    "argv",
    [
        ["npx", "-y", "server@1.0.0", "a"],
        ["cmd", "/c", "npx", "server@1.0.0", "a"],
        ["npx", "--package=server@1.0.0", "tool", "a"],
        ["npm", "exec", "--package", "server@1.0.0", "--", "tool", "a"],
        ["mise", "exec", "node", "--", "bunx", "server@1.0.0", "a"],
    ],
)
def test_the_word_that_names_the_package_is_pointed_at(argv: list[str]) -> None:
    started = recognise(argv)
    assert started.index is not None
    assert "server@1.0.0" in argv[started.index]
    assert started.arguments == ("a",)


@pytest.mark.parametrize(
    "line",
    [
        "npx -y other && npx -y server",
        "cd /x && npx -y server",
        "source ~/.nvm/nvm.sh; exec npx -y server",
        "npx -y server | tee log",
        "npx -y server 2>/dev/null",
        "npx -y server --token $(cat /x)",
        "export A=b\nnpx -y server",
        "npx -y server &",
        "exec $(which npx || echo npx) -y server",
        "exec `which npx` -y server",
        'for p in $(which npx 2>/dev/null) $HOME/.local/bin/npx /opt/homebrew/bin/npx npx; do [ -x "$p" ] && exec "$p" -y server; done; echo no; exit 1',
        'p=$(command -v npx); exec "$p" -y server',
        "if command -v npx >/dev/null; then npx -y server; else echo no; fi",
    ],
)
def test_the_package_in_a_longer_line_is_found_but_the_line_is_not_trusted(line: str) -> None:
    for argv in (["bash", "-c", line], ["sh", "-lc", line]):
        started = recognise(argv)
        assert started.identity == "npm:server"
        assert started.opaque
        assert profile_for(started) is None


@pytest.mark.parametrize(
    "argv",
    [
        ["/home/ana/bin/start", "npx", "-y", "server"],
        ["./start.sh", "--", "npx", "-y", "server"],
        ["kw", "exec", "--", "npx", "-y", "server"],
        ["kw", "run", "npx", "-y", "server"],
        ["python", "start.py", "npx", "-y", "server"],
        ["docker", "exec", "-i", "-e", "A=b", "box", "npx", "-y", "server"],
        ["nix-shell", "-p", "nodejs", "--run", "npx -y server; true"],
        ["sops", "exec-env", "secrets.yaml", "npx -y server && true"],
    ],
)
def test_the_package_behind_a_program_that_nobody_knows_is_found_but_not_trusted(argv: list[str]) -> None:
    started = recognise(argv)
    assert started.identity == "npm:server"
    assert started.opaque
    assert profile_for(started) is None


@pytest.mark.parametrize(
    "argv",
    [
        ["script", "-q", "/dev/null", "npx", "-y", "server"],
        ["nix", "shell", "nixpkgs#nodejs", "-c", "npx", "-y", "server"],
        ["node", r"C:\nodejs\node_modules\npm\bin\npx-cli.js", "-y", "server"],
        ["node", "/usr/lib/node_modules/npm/bin/npm-cli.js", "exec", "-y", "server"],
    ],
)
def test_a_fetcher_is_found_by_every_way_to_start_it(argv: list[str]) -> None:
    assert recognise(argv).identity == "npm:server"


@pytest.mark.parametrize(
    ("line", "version", "is_pinned"),
    [
        ("go run example.com/x/server@latest", "latest", False),
        ("go run -mod=mod -C /x example.com/x/server@v1", "v1", False),
        ("go run example.com/x/server@v1.2.3 --flag", "v1.2.3", True),
        ("go run example.com/x/server@v0.0.0-20260101000000-0123456789ab", "v0.0.0-20260101000000-0123456789ab", True),
    ],
)
def test_a_module_of_gos_is_a_package(line: str, version: str, is_pinned: bool) -> None:
    started = recognise(line.split())
    assert (started.identity, started.version, started.is_pinned) == ("go:example.com/x/server", version, is_pinned)
    assert profile_for(started) is None


@pytest.mark.parametrize("line", ["go run .", "go run ./cmd/server", "go run main.go a@b", "go version", "go run"])
def test_what_go_builds_of_a_project_is_no_package(line: str) -> None:
    assert recognise(line.split()).ecosystem == "command"


@pytest.mark.parametrize(
    ("argv", "also"),
    [
        (["npx", "-y", "bridge@1.0.0", "--stdio", "uvx server"], ("pypi:server",)),
        (["uvx", "bridge==1.0.0", "--", "npx", "-y", "server"], ("npm:server",)),
        (["docker", "run", "-i", "node:22", "npx", "-y", "server"], ("npm:server",)),
    ],
)
def test_the_package_that_a_bridge_starts_is_told_beside_it(argv: list[str], also: tuple[str, ...]) -> None:
    started = recognise(argv)
    assert started.also == also
    assert profile_for(started) is None


@pytest.mark.parametrize("argv", [["npx"] * 5000, ["x", "npx"] * 5000, ["x", "--", "npx", "y"] * 5000])
def test_fetchers_without_end_inside_each_other_are_not_followed_without_end(argv: list[str]) -> None:
    assert recognise(argv).opaque


@pytest.mark.parametrize(
    "argv", [["tool", "install", "npx"], ["node", "x.js", "--runner", "npx", "-y"], ["bridge", "a note on npx -y"]]
)
def test_the_name_of_a_fetcher_among_other_arguments_starts_nothing(argv: list[str]) -> None:
    started = recognise(argv)
    assert (started.ecosystem, started.also, started.opaque) == ("command", (), "")


@pytest.mark.parametrize(
    "argv",
    [
        [], [""], ["  "], ["bash", "-c"], ["bash", "-c", ""], ["bash", "-c", "'"], ["cmd", "/c"], ["env"], ["env", "A=b"], ["mise", "exec", "node"],
        ["mise", "x", "--"], ["env", "-S"], ["env", "-S", "'"], ["timeout", "5"], ["npx", "-c", "'"], ["powershell", "-enc", "AAAA"],
        ["env"] * 100 + ["npx", "server"], ["python", "-c", "import x"], ["node", "-e", "x"], ["ruby", "-e", "x"], ["bash", "-c", "&& ;"],
    ],
)  # fmt: skip
def test_what_cannot_be_told_is_said_to_be_so(argv: list[str]) -> None:
    started = recognise(argv)
    assert started.ecosystem == "opaque"
    assert started.opaque
    assert profile_for(started) is None


@pytest.mark.parametrize(
    "word", ["npx", "npm", "pnpm", "yarn", "bun", "uv", "uvx", "pipx", "docker", "deno", "dnx", "python", "node", "bash", "cmd"]
)
def test_a_launcher_without_anything_to_launch_is_a_program(word: str) -> None:
    assert recognise([word]).ecosystem == "command"
    assert recognise([word, "--version"]).name == word


@pytest.mark.parametrize(
    "line",
    [
        "npx -y dotenv-cli@7 -e .env -- npx -y server@1.0.0 a",
        "npx cross-env A=b npx server@1.0.0 a",
        "npx @dotenvx/dotenvx run -- uv run npx server@1.0.0 a",
    ],
)
def test_a_package_that_starts_another_is_told_beside_it(line: str) -> None:
    argv = line.split()
    started = recognise(argv)
    assert (started.identity, started.version, started.arguments) == ("npm:server", "1.0.0", ("a",))
    assert started.also == (next(word for word in argv if "dotenv" in word or "cross" in word),)
    assert started.index is not None
    assert argv[started.index] == "server@1.0.0"
    assert profile_for(started) is None


def test_variables_that_the_words_set_are_told() -> None:
    started = recognise(["env", "-u", "X", "A=1", "bash", "-c", "B=2 npx -y server C=3"])
    assert (started.identity, started.sets, started.arguments) == ("npm:server", ("A", "B"), ("C=3",))


def test_other_packages_and_other_registries_are_told() -> None:
    started = recognise(["uvx", "--with", "numpy,pandas", "--index-url", "https://example.com/simple", "server"])
    assert (started.name, started.also, started.registry) == ("server", ("numpy", "pandas"), "https://example.com/simple")
    started = recognise(["npx", "-p", "one", "-p", "two", "--registry=https://example.com", "tool"])
    assert (started.name, started.also, started.registry) == ("one", ("two",), "https://example.com")
    started = recognise(["uv", "run", "--with", "fastmcp", "--with", "httpx", "server.py"])
    assert (started.ecosystem, started.name, started.also) == ("command", "server.py", ("fastmcp", "httpx"))


@pytest.mark.parametrize(
    ("line", "profile"),
    [
        ("npx -y @modelcontextprotocol/server-filesystem /x", "filesystem"),
        ("cmd /c npx -y @modelcontextprotocol/server-filesystem@1.0.0 /x", "filesystem"),
        ("node /usr/lib/node_modules/@modelcontextprotocol/server-filesystem/dist/index.js /x", "filesystem"),
        ("uvx mcp-server-git", "git"),
        ("uvx --from mcp_server_git==1.0 mcp-server-git", "git"),
        ("python -m mcp_server_git --repository /x", "git"),
        ("mcp-server-git --repository /x", "git"),
        ("npx -y something-else", None),
        # What only looks like it:
        ("npx -y server-filesystem /x", None),
        ("npx -y -p evil @modelcontextprotocol/server-filesystem", None),
        ("npx -p @modelcontextprotocol/server-filesystem -p evil tool", None),
        ("npx --registry https://evil.example @modelcontextprotocol/server-filesystem", None),
        ("npx @modelcontextprotocol/server-filesystem@file:../evil", None),
        ("npx @modelcontextprotocol/server-filesystem@npm:evil", None),
        ("npx evil@npm:@modelcontextprotocol/server-filesystem", "filesystem"),
        ("node ./node_modules/@modelcontextprotocol/server-filesystem/dist/index.js", None),
        ("uvx --from git+https://evil.example/mcp-server-git mcp-server-git", None),
        ("uvx --from ./mcp-server-git mcp-server-git", None),
        ("uvx --with evil mcp-server-git", None),
        ("uvx --index-url https://evil.example mcp-server-git", None),
        ("uv run mcp-server-git", None),
        ("uv run python -m mcp_server_git", None),
        ("uv run -m mcp_server_git", None),
        ("uv run npx @modelcontextprotocol/server-filesystem", None),
        ("poetry run mcp-server-git", None),
        ("direnv exec /x mcp-server-git", None),
        ("dotenv -e x -- npx @modelcontextprotocol/server-filesystem", None),
        ("env NODE_OPTIONS=--require=/x npx @modelcontextprotocol/server-filesystem", None),
        ("env npm_config_registry=http://x npx @modelcontextprotocol/server-filesystem", None),
        ("env PATH=/x npx @modelcontextprotocol/server-filesystem", None),
        ("bash -c LD_PRELOAD=/x npx", None),
        ("env LANG=C npx @modelcontextprotocol/server-filesystem", "filesystem"),
        ("mise exec node@22 -- npx @modelcontextprotocol/server-filesystem", "filesystem"),
        ("/root/.local/share/uv/tools/mcp-server-git/bin/mcp-server-git", "git"),
        ("./uv/tools/mcp-server-git/bin/mcp-server-git", None),
        ("./mcp-server-git", None),
        ("docker run -i mcp-server-git", None),
    ],
)
def test_a_profile_is_for_its_own_package_and_for_nothing_that_takes_its_name(line: str, profile: str | None) -> None:
    assert profile_for(recognise(line.split())) == profile


def test_a_users_profile_names_a_command(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("STDIOGUARD_HOME", str(tmp_path))
    folder = tmp_path / "config" / "profiles"
    folder.mkdir(parents=True)
    (folder / "mine.toml").write_text('schema = 1\nname = "mine"\n[server]\ncommand = "my-server"\n')
    (folder / "broken.toml").write_text("[server\n")
    assert profile_for(recognise(["my-server", "x"])) == "mine"
    assert profile_for(recognise(["my-other-server"])) is None


def test_names_of_programs_lose_folders_and_windows_endings() -> None:
    names = ["/usr/bin/npx", r"C:\x\npx.cmd", "NPX.EXE", "my.server", "server.exe", "python3.12"]
    assert [plain_name(name) for name in names] == ["npx", "npx", "npx", "my.server", "server", "python3.12"]


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from([*LAUNCHERS, *SHELL, *OPTIONS]) | st.text(max_size=6), max_size=10))
def test_no_words_make_it_raise_or_point_at_a_word_that_is_not_there(argv: list[str]) -> None:
    started = recognise(argv)
    assert started.index is None or 0 <= started.index < len(argv)
    assert (started.ecosystem == "opaque") <= bool(started.opaque)
    assert all(type(word) is str or isinstance(word, str) for word in started.arguments)


def test_recognising_never_raises() -> None:
    words = [
        "npx",
        "-p",
        "--",
        "-c",
        "@",
        "@/",
        "a@b@c",
        "",
        "'",
        "\0",
        "é",
        "git+",
        "http://",
        "=",
        "--package=",
        "uvx",
        "--from",
        "run",
        "docker",
        "run",
    ]
    for one in words:
        for two in words:
            for three in words:
                assert isinstance(recognise([one, two, three]), Started)


@pytest.mark.parametrize(
    "argv",
    [["cmd", "/c", "((("], ["cmd", "/c", "&&"], ["cmd", "/c", "&", "&"], ["bash", "-c", "((("], ["bash", "-c", "x" * 100_000]],
)
def test_a_shells_line_of_nothing_but_operators_or_without_end_is_opaque(argv):
    assert recognise(argv).opaque


@pytest.mark.parametrize(
    "spec", ["<your-mcp-server>", "${SERVER}", "{{server}}", "@<scope>/server", "two words", "server;x@1.0.0"]
)
def test_what_no_registry_has_as_a_name_is_no_package(spec: str) -> None:
    for argv in (["npx", "-y", spec], ["npm", "exec", "--", spec], ["bunx", spec]):
        started = recognise(argv)
        assert (started.ecosystem, started.is_pinned) == ("opaque", False)
        assert started.opaque == "no package is called that"
    for name in ("server_2.x~a", "s\u0435rver"):  # the second with a Cyrillic letter: that it imitates another is told elsewhere
        assert recognise(["npx", "-y", name]).identity == f"npm:{name}"


@pytest.mark.parametrize(
    "line",
    ["pnpm exec node build/index.js a", "pnpm -C /x exec tsx build/index.js a", "pnpm tsx build/index.js a",
     "yarn exec node build/index.js a", "yarn node build/index.js a"],
)  # fmt: skip
def test_a_file_that_a_projects_own_runtime_starts_is_that_file_and_no_package_called_node(line: str) -> None:
    started = recognise(line.split())
    assert (started.identity, started.source, started.spec) == ("command:index.js", "project", "build/index.js")
    assert started.arguments == ("a",)
