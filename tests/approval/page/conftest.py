from __future__ import annotations

import pytest

from tests import chromium
from tests.approval.page.served import serving


@pytest.fixture(scope="module", name="browser")
def _browser():
    with chromium.launched() as browser:
        yield browser


@pytest.fixture(name="served")
def _served(tmp_path, monkeypatch):
    monkeypatch.setenv("STDIOGUARD_HOME", str(tmp_path / "home"))
    with serving() as served:
        yield served


@pytest.fixture(name="visit")
def _visit(browser, served):
    """Open pages that are logged in, each in a browser of its own; none may have had an error when the test ends."""
    contexts, problems = [], []

    def visit(**options):
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.set_default_timeout(8000)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "console",
            lambda said: (
                problems.append(said.text) if "Content Security Policy" in said.text or "TrustedHTML" in said.text else None
            ),
        )
        page.on("dialog", lambda dialog: (problems.append("a dialog"), dialog.dismiss()))
        page.on(
            "request", lambda request: None if request.url.startswith((served.origin, "data:")) else problems.append(request.url)
        )
        page.goto(served.link())
        page.wait_for_selector("#link[data-state=live]")
        return page

    yield visit
    for context in contexts:
        context.close()
    assert problems == []
