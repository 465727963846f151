"""Each advisory at the last version that has it and the first that has not; and what is said of other versions."""

import re

import pytest

from stdioguard.audit import advisories
from stdioguard.audit.interface import Level
from tests.audit.rules.looks import found, line, server

EDGES = {
    # advisory and package: the last bad version of each affected range, the good ones around them
    ("CVE-2025-6514", "mcp-remote"): (["0.0.5", "0.1.15"], ["0.0.4", "0.1.16"]),
    ("CVE-2025-49596", "@modelcontextprotocol/inspector"): (["0.14.0"], ["0.14.1"]),
    ("CVE-2025-58444", "@modelcontextprotocol/inspector"): (["0.16.5"], ["0.16.6"]),
    ("CVE-2026-23744", "@mcpjam/inspector"): (["1.4.2"], ["1.4.3"]),
    ("CVE-2025-53109", "@modelcontextprotocol/server-filesystem"): (
        ["0.6.2", "2025.1.14", "2025.3.28"],
        ["0.6.3", "2025.7.1", "2026.8.31"],
    ),
    ("CVE-2025-53110", "@modelcontextprotocol/server-filesystem"): (
        ["0.6.2", "2025.1.14", "2025.3.28"],
        ["0.6.3", "2025.7.1", "2026.8.31"],
    ),
    ("CVE-2025-53967", "figma-developer-mcp"): (["0.6.2"], ["0.6.3"]),
    ("CVE-2025-53355", "mcp-server-kubernetes"): (["2.4.9"], ["2.5.0"]),
    ("CVE-2025-66404", "mcp-server-kubernetes"): (["2.9.7"], ["2.9.8"]),
    ("CVE-2026-39884", "mcp-server-kubernetes"): (["3.4.0"], ["3.5.0"]),
    ("CVE-2026-46519", "mcp-server-kubernetes"): (["3.5.9"], ["3.6.0"]),
    ("CVE-2026-47250", "mcp-server-kubernetes"): (["3.6.2"], ["3.7.0"]),
    ("CVE-2026-61459", "mcp-server-kubernetes"): (["3.8.9"], ["3.9.0"]),
    ("CVE-2025-53107", "@cyanheads/git-mcp-server"): (["2.1.4"], ["2.1.5"]),
    ("CVE-2025-53832", "@translated/lara-mcp"): (["0.0.11"], ["0.0.12"]),
    ("CVE-2025-53818", "@sunwood-ai-labs/github-kanban-mcp-server"): (["0.3.0", "99.0.0"], []),
    ("CVE-2025-53372", "node-code-sandbox-mcp"): (["1.2.0"], ["1.3.0"]),
    ("CVE-2025-52573", "ios-simulator-mcp"): (["1.3.2"], ["1.3.3"]),
    ("CVE-2025-59834", "adb-mcp"): (["0.1.0", "99.0.0"], []),
    ("CVE-2025-54073", "mcp-package-docs"): (["0.1.27"], ["0.1.28"]),
    ("CVE-2025-54994", "@akoskm/create-mcp-server-stdio"): (["0.0.12"], ["0.0.13"]),
    ("CVE-2025-58358", "mcp-markdownify-server"): (["0.0.1"], ["0.0.2"]),
    ("CVE-2025-5273", "mcp-markdownify-server"): (["0.0.2"], ["1.0.0", "1.1.0"]),
    ("CVE-2025-5276", "mcp-markdownify-server"): (["0.0.2"], ["1.0.0", "1.1.0"]),
    ("CVE-2025-65513", "mcp-fetch-server"): (["1.0.2"], ["1.0.3", "1.1.2"]),
    ("CVE-2025-34072", "@modelcontextprotocol/server-slack"): (["2025.4.25"], []),
    ("CVE-2025-9611", "@playwright/mcp"): (["0.0.39"], ["0.0.40", "0.0.83"]),
    ("CVE-2025-69256", "serverless"): (["4.29.0", "4.29.2"], ["4.28.0", "4.29.3"]),
    ("CVE-2026-54561", "mcp-memory-keeper"): (["0.12.2"], ["0.13.0"]),
    ("CVE-2026-0755", "gemini-mcp-tool"): (["1.1.2", "1.1.5"], ["1.1.1", "1.1.6"]),
    ("CVE-2026-25546", "@coding-solo/godot-mcp"): (["0.1.0"], ["0.1.1"]),
    ("CVE-2026-55157", "@ooples/token-optimizer-mcp"): (["5.0.9"], ["5.1.0"]),
    ("CVE-2026-33989", "@mobilenext/mobile-mcp"): (["0.0.48"], ["0.0.49"]),
    ("CVE-2026-35394", "@mobilenext/mobile-mcp"): (["0.0.49"], ["0.0.50"]),
    ("CVE-2026-54504", "@andrea9293/mcp-documentation-server"): (["1.13.0"], ["1.12.0", "1.13.1"]),
    ("CVE-2026-49857", "auth-fetch-mcp"): (["3.0.1"], ["3.0.2"]),
    ("GHSA-mrvx-jmjw-vggc", "mcp-searxng"): (["1.7.0"], ["1.7.1"]),
    ("GHSA-x975-rgx4-5fh4", "appium-mcp"): (["1.85.9"], ["1.85.10"]),
    ("CVE-2026-46341", "@apify/actors-mcp-server"): (["0.9.20"], ["0.9.21"]),
    ("CVE-2026-50143", "@apify/actors-mcp-server"): (["0.10.7", "0.10.10"], ["0.10.11"]),
    ("CVE-2025-65719", "kubectl-mcp-server"): (["1.1.1"], ["1.2.0"]),
    ("CVE-2026-25536", "@modelcontextprotocol/sdk"): (["1.10.0", "1.25.3"], ["1.9.0", "1.26.0"]),
    ("CVE-2026-0621", "@modelcontextprotocol/sdk"): (["1.3.0", "1.25.1"], ["1.2.0", "1.25.2"]),
    ("CVE-2025-66414", "@modelcontextprotocol/sdk"): (["1.23.0"], ["1.24.0"]),
    ("CVE-2025-59536", "@anthropic-ai/claude-code"): (["1.0.110"], ["1.0.111"]),
    ("CVE-2026-24887", "@anthropic-ai/claude-code"): (["2.0.71"], ["2.0.72"]),
    ("CVE-2025-68143", "mcp-server-git"): (["2025.7.1"], ["2025.9.25"]),
    ("CVE-2025-68144", "mcp-server-git"): (["2025.11.25"], ["2025.12.18"]),
    ("CVE-2025-68145", "mcp-server-git"): (["2025.11.25"], ["2025.12.18"]),
    ("CVE-2026-27735", "mcp-server-git"): (["2025.12.18"], ["2026.1.14", "2026.10.19"]),
    ("CVE-2025-59377", "mcp-kubernetes-server"): (["0.1.11"], ["0.1.12"]),
    ("CVE-2025-10193", "mcp-neo4j-cypher"): (["0.2.2", "0.3.1"], ["0.2.1", "0.4.0"]),
    ("CVE-2026-27825", "mcp-atlassian"): (["0.16.1"], ["0.17.0"]),
    ("CVE-2026-27826", "mcp-atlassian"): (["0.16.1"], ["0.17.0"]),
    ("CVE-2026-73498", "mcp-atlassian"): (["0.21.1"], ["0.22.0"]),
    ("CVE-2026-40576", "excel-mcp-server"): (["0.1.7"], ["0.1.8"]),
    ("CVE-2026-47708", "stata-mcp"): (["1.17.2"], ["1.17.3"]),
    ("CVE-2026-55071", "stata-mcp"): (["1.18.9"], ["1.19.0"]),
    ("CVE-2026-55546", "qwed-mcp"): (["0.2.0"], ["0.2.1"]),
    ("CVE-2026-33980", "adx-mcp-server"): (["1.1.0"], ["1.1.1"]),
    ("CVE-2026-4270", "awslabs-aws-api-mcp-server"): (["0.2.14", "1.3.8"], ["0.2.13", "1.3.9"]),
    ("CVE-2026-16584", "awslabs-aws-api-mcp-server"): (["0.2.13", "1.3.46"], ["0.2.12", "1.3.47"]),
    ("CVE-2026-32871", "fastmcp"): (["3.1.1"], ["3.2.0"]),
    ("CVE-2026-27124", "fastmcp"): (["3.1.1"], ["3.2.0"]),
    ("CVE-2025-64340", "fastmcp"): (["3.1.1"], ["3.2.0"]),
    ("CVE-2025-69196", "fastmcp"): (["2.14.1"], ["2.14.2"]),
    ("CVE-2025-66416", "mcp"): (["1.22.0"], ["1.23.0"]),
    ("CVE-2025-53365", "mcp"): (["1.9.4"], ["1.10.0"]),
    ("CVE-2025-53366", "mcp"): (["1.9.3"], ["1.9.4"]),
    ("CVE-2026-52869", "mcp"): (["1.27.1"], ["1.27.2"]),
    ("CVE-2026-59950", "mcp"): (["1.28.0"], ["1.28.1"]),
    ("MAL-2025-47604", "postmark-mcp"): (["1.0.16", "1.0.18"], ["1.0.15"]),
    ("JFrog, October 2025", "@lanyer640/mcp-runcommand-server"): (["1.0.0"], []),
    ("JFrog, October 2025", "mcp-runcmd-server"): (["1.0.0"], []),
    ("JFrog, October 2025", "mcp-runcommand-server"): (["1.0.0"], []),
    ("JFrog, October 2025", "mcp-runcommand-server2"): (["1.0.0"], []),
    ("Google, 2026 (UNC6780)", "tiktoken-mcp"): (["1.0.0"], []),
}
SLUGS = {"vulnerable": "vulnerable-package", "malicious": "malicious-package"}


def start(ecosystem, name, version):
    return server("npx", "-y", f"{name}@{version}") if ecosystem == "npm" else server("uvx", f"{name}=={version}")


def test_every_advisory_has_its_edges_here():
    assert {(one.id, one.package) for one in advisories.every()} == EDGES.keys()


@pytest.mark.parametrize("advisory", advisories.every(), ids=lambda one: f"{one.id}-{one.ecosystem}-{one.package}")
def test_an_advisory_is_told_at_the_last_bad_version_and_not_at_the_first_good_one(advisory, tmp_path):
    bad, good = EDGES[advisory.id, advisory.package]
    for version in bad:
        findings = found(tmp_path, start(advisory.ecosystem, advisory.package, version), SLUGS[advisory.kind])
        assert [one for one in findings if advisory.id in one.message and one.severity == Level[advisory.severity.upper()]], (
            version
        )
    for version in good:
        findings = found(tmp_path, start(advisory.ecosystem, advisory.package, version), SLUGS[advisory.kind])
        assert not [one for one in findings if advisory.id in one.message], version


@pytest.mark.parametrize("advisory", advisories.every(), ids=lambda one: f"{one.id}-{one.ecosystem}-{one.package}")
def test_a_row_is_one_that_can_match(advisory):
    assert advisory.ecosystem in ("npm", "pypi")
    assert advisory.severity in ("low", "medium", "high")
    for span in advisory.affected:
        assert span == "*" or re.fullmatch(r"(?:(?:<=|>=|<|>)\d+(?:\.\d+)*(?: |$))+", span), span
    if advisory.ecosystem == "pypi":
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", advisory.package)


@pytest.mark.parametrize("version", ["latest", "^0.1.0", "0.1.x", "", "banana", "1.2.3.4.5", "9" * 200])
def test_a_version_that_is_none_is_never_called_affected(version, tmp_path):
    findings = found(tmp_path, server("npx", "-y", f"mcp-remote@{version}", "https://x.example"), "vulnerable-package")
    assert all(one.severity == Level.INFO for one in findings)


def test_prereleases_come_before_the_version_that_they_are_for(tmp_path):
    entry = server("npx", "-y", "mcp-remote@0.1.16-beta.1", "https://x.example")
    assert [one.severity for one in found(tmp_path, entry, "vulnerable-package")] == [Level.HIGH]
    assert found(tmp_path, line("uvx mcp-server-git==2026.1.14rc1"), "vulnerable-package")
    assert found(tmp_path, line("uvx mcp-server-git==2026.1.14.post1"), "vulnerable-package") == []


def test_without_a_version_an_advisory_informs_and_one_that_nothing_fixes_does_not_only(tmp_path):
    (finding,) = found(tmp_path, line("npx -y mcp-server-kubernetes"), "vulnerable-package")
    assert finding.severity == Level.INFO
    assert "and 4 more" in finding.message or "more" in finding.message
    (finding,) = found(tmp_path, line("npx -y adb-mcp"), "vulnerable-package")
    assert finding.severity == Level.HIGH
    assert found(tmp_path, line("npx -y mcp-server-kubernetes@latest"), "vulnerable-package") == []


def test_names_are_compared_as_their_registry_does(tmp_path):
    assert found(tmp_path, line("uvx awslabs.aws_api_mcp-server==1.3.8"), "vulnerable-package")
    assert found(tmp_path, line("uvx mcp-remote==0.1.0"), "vulnerable-package") == []
    assert found(tmp_path, line("npx mcp-server-git@2025.1.14"), "vulnerable-package") == []


def test_packages_that_are_loaded_beside_a_server_count(tmp_path):
    assert found(tmp_path, line("uvx --with mcp==1.9.3 --from notes-mcp==1.0 notes"), "vulnerable-package")
    assert found(tmp_path, line("npx -y mcp-server-kubernetes@3.9.0"), "vulnerable-package") == []


def test_an_installed_package_is_judged_by_its_own_manifest(tmp_path):
    folder = tmp_path / "modules" / "node_modules" / "mcp-remote"
    folder.mkdir(parents=True)
    (folder / "package.json").write_text('{"version": "0.1.15"}')
    entry = server("node", str(folder / "dist" / "proxy.js"), "https://x.example")
    assert found(tmp_path, entry, "vulnerable-package", here=True)
    assert found(tmp_path, entry, "vulnerable-package") == []


def test_the_snapshot_has_a_day():
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", advisories.date())
