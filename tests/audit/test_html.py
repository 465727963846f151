"""The page: it loads nothing and runs nothing, whatever is in it, and a person can read it on a screen and on paper.

With `STDIOGUARD_SCREENSHOTS=FOLDER` a picture is written there; the one in `docs/images` is made so.
"""

from __future__ import annotations

import os
import re

import pytest

from stdioguard.audit import reporters
from stdioguard.audit.interface import Fix, Level
from stdioguard.installs import wrapped
from tests import chromium
from tests.approval.page.test_looks import CONTRAST
from tests.audit.audited import HOSTILE, PINNED, UNPINNED, config, finding, shown


def html(path, findings=None, **more):
    return reporters.report("html", shown(path, findings, **more))


@pytest.fixture(scope="module", name="browser")
def _browser():
    with chromium.launched() as browser:
        yield browser


@pytest.fixture(name="visit")
def _visit(browser, tmp_path):
    """Open a page from a file; it may ask for nothing else and have no errors."""
    problems, pages = [], []

    def visit(text, **options):
        (tmp_path / "report.html").write_text(text, encoding="utf-8")
        address = (tmp_path / "report.html").as_uri()
        page = browser.new_page(**options)
        pages.append(page)
        page.on("request", lambda request: None if request.url == address else problems.append(request.url))
        page.on("console", lambda said: problems.append(said.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("dialog", lambda dialog: (problems.append("a dialog"), dialog.dismiss()))
        page.goto(address)
        return page

    yield visit
    for page in pages:
        page.close()
    assert problems == []


@pytest.fixture(name="scene")
def _scene(tmp_path):
    """A machine as somebody might have it."""
    guarded = wrapped.Wrapped(["npx", "-y", "@modelcontextprotocol/server-filesystem@2026.1.14"], "files", "filesystem").words(
        "/opt/bin/stdioguard"
    )
    servers = {
        "files": {"command": guarded[0], "args": guarded[1:]},
        "everything": UNPINNED,
        "db": {"command": "sh", "args": ["-c", "curl -s https://get.example.com/db.sh | sh"]},
        "time": {"command": "uvx", "args": ["mcp-server-time"]},
        "docs": {"url": "https://mcp.example.com/sse"},
    }
    cursor = config(tmp_path / "ana", servers, ".cursor/mcp.json")
    config(tmp_path / "ana", {"everything": PINNED, "git": {"command": "uvx", "args": ["mcp-server-git"]}}, ".claude.json")
    path = tmp_path / "ana"
    pin = Fix("pin it", "edit", edits=())
    findings = [
        finding(
            cursor,
            rule="download-and-run",
            severity=Level.HIGH,
            message="db starts whatever get.example.com sends at that moment",
            advice="Install it once, look at it, and start the installed program.",
            entry="db",
            client="Cursor",
            path=("mcpServers", "db", "args", 1),
        ),
        finding(
            cursor,
            severity=Level.MEDIUM,
            confidence=Level.MEDIUM,
            message="npm package @modelcontextprotocol/server-everything has no version: each start may run other code",
            entry="everything",
            client="Cursor",
            path=("mcpServers", "everything", "args", 1),
            fix=pin,
        ),
        finding(
            cursor,
            message="pypi package mcp-server-time has no version: each start may run other code",
            entry="time",
            client="Cursor",
            path=("mcpServers", "time", "args", 0),
        ),
    ]
    return path, findings


def test_it_is_one_page_with_a_strict_policy_and_no_script(tmp_path):
    text = html(config(tmp_path))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert "<script" not in text
    assert not re.search(r"(?:src|href)=|url\(|@import", text)


def test_a_title_that_closes_its_tag_closes_nothing(tmp_path):
    text = html(
        config(tmp_path),
        [finding(entry=HOSTILE, message=HOSTILE, advice=HOSTILE, client=HOSTILE, file=HOSTILE, related=(HOSTILE,))],
    )
    assert "<script" not in text
    assert "<img" not in text
    assert text.count("</title>") == 1


def test_nothing_in_a_configuration_acts_in_a_browser(tmp_path, visit):
    path = config(
        tmp_path,
        {HOSTILE: {"command": HOSTILE, "args": [HOSTILE]}, f"{HOSTILE}2": {"url": "javascript:alert(1)"}},
        "<img src=x onerror=alert(1)>/mcp.json",
    )
    page = visit(html(path, [finding(path, entry=HOSTILE, message=HOSTILE)]))
    assert page.evaluate("document.images.length + document.scripts.length + document.links.length") == 0
    assert "alert(1)" in page.inner_text("body")


def test_the_policy_really_stops_a_script(tmp_path, browser):
    text = html(config(tmp_path)).replace("</main>", "<script>document.title='ran'</script></main>")
    (tmp_path / "changed.html").write_text(text)
    page = browser.new_page()
    page.goto((tmp_path / "changed.html").as_uri())
    assert page.title() == "MCP servers: audit"
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_readable_in_light_and_dark(visit, scene, scheme):
    page = visit(
        html(*scene, root=str(scene[0]), ignored=1, hidden=2), color_scheme=scheme, viewport={"width": 1000, "height": 900}
    )
    worst = page.evaluate(CONTRAST)
    assert worst[0] >= 4.5, worst
    pictures = os.environ.get("STDIOGUARD_SCREENSHOTS")
    if pictures and scheme == "light":
        page.screenshot(path=os.path.join(pictures, "audit-report.png"), full_page=True)


def test_it_fits_a_telephone(visit, scene):
    page = visit(html(*scene), viewport={"width": 360, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_on_paper_everything_is_there_in_dark_ink(visit, scene, tmp_path):
    page = visit(html(*scene), color_scheme="dark")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    assert page.locator("article").count() == 3
    assert len(page.pdf()) > 1000


def test_it_says_the_numbers_each_client_and_each_server(visit, scene):
    text = visit(html(*scene)).inner_text("body")
    assert "1 finding of high severity should be looked at first. 1 of 6 local servers run behind a guard." in text
    assert re.search(r"Cursor\s+1\s+5\s+1\s+1\s+1\s+1", text)
    assert re.search(r"files\s+Cursor\s+@modelcontextprotocol/server-filesystem npm\s+guarded filesystem", text)
    assert re.search(r"docs\s+Cursor\s+a remote server\s+-", text)
    assert "Install it once, look at it" in text


def test_a_page_of_very_many_findings_ends(tmp_path):
    path = config(tmp_path)
    text = html(path, [finding(path, message=str(number)) for number in range(6000)])
    assert "And 1000 more" in text
