"""What a test does on a page in a browser."""

from __future__ import annotations

STEADY = 800
"""Milliseconds after which a card takes presses."""


def card(page, members):
    found = page.locator(f'[data-id="{members["id"]}"]')
    found.wait_for()
    return found


def ready(page, members):
    found = card(page, members)
    page.wait_for_timeout(STEADY)
    return found


def press(page, members, label):
    ready(page, members).get_by_role("button", name=label, exact=True).click()
