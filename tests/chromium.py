"""Chromium for the tests of pages: the system's own, which pip cannot bring, driven by Playwright."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest


@contextlib.contextmanager
def launched() -> Iterator[Any]:
    """Give a browser without a screen, or skip the test where there is none."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("chromium is not installed")  # a browser of the system, which pip cannot bring
    with sync_api.sync_playwright() as playwright:
        # Chromium's own sandbox does not work for root.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"] if os.geteuid() == 0 else [])
        try:
            yield browser
        finally:
            browser.close()
