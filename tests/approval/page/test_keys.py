"""The page by keys alone, and for who listens to it."""

from __future__ import annotations

from stdioguard.approval import proof, queue
from tests.approval.page.seen import card, ready
from tests.approval.page.served import PASSPHRASE, ask, decided, set_passphrase


def test_everything_can_be_done_by_keys_alone(visit):
    setting = set_passphrase()
    page, first, second = visit(), ask(), ask(risk="high")
    ready(page, second)
    page.keyboard.press("j")
    page.keyboard.press("d")
    assert page.evaluate("document.activeElement.textContent") == "Deny"
    page.keyboard.press("Enter")
    assert decided(first)["approved"] is False
    page.wait_for_timeout(4800)  # the card goes, and what is below it moves up
    page.keyboard.press("j")
    page.keyboard.press("a")
    page.keyboard.press("Enter")
    page.locator("#proof").wait_for()
    page.keyboard.type(PASSPHRASE)
    page.keyboard.press("Enter")
    assert proof.is_signed(setting, decided(second))


def test_no_single_key_decides_anything(visit):
    page, members = visit(), ask()
    ready(page, members)
    for key in [*"abcdefghijklmnopqrstuvwxyzAY0123456789", "Enter", "Space", "Escape", "Delete", "Backspace"]:
        page.evaluate("document.activeElement.blur()")
        page.keyboard.press(key)
        if page.locator("dialog[open]").count():
            page.keyboard.press("Escape")
    page.wait_for_timeout(600)
    assert queue.decision(members["id"]) is None


def test_tab_goes_through_the_buttons_deny_first_and_shows_where_it_is(visit):
    page, members = visit(), ask()
    card(page, members).focus()
    seen = []
    for _ in range(5):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("[document.activeElement.textContent, getComputedStyle(document.activeElement).outlineStyle]"))
    assert [name for name, _ in seen] == [
        "Deny",
        "Deny always…",
        "Always for arguments like these…",
        "Allow for the session…",
        "Allow once",
    ]
    assert {style for _, style in seen} == {"solid"}


def test_the_help_and_the_sections_are_reached_by_keys(visit):
    page = visit()
    page.keyboard.press("?")
    page.get_by_role("heading", name="Keyboard").wait_for(state="visible")
    page.keyboard.press("Escape")
    page.get_by_role("heading", name="Keyboard").wait_for(state="hidden")
    page.keyboard.press("4")
    page.locator("#grants").wait_for(state="visible")
    page.keyboard.press("ArrowLeft")
    page.locator("#sessions").wait_for(state="visible")
    assert page.evaluate("document.activeElement.id") == "tab-sessions"


def test_who_closes_a_dialog_is_where_they_were(visit):
    set_passphrase()
    page, plain, high = visit(), ask(), ask(risk="high")
    for asked, button, dialog in ((plain, "Always for arguments like these…", "#editor"), (high, "Allow once…", "#proof")):
        ready(page, asked).get_by_role("button", name=button, exact=True).focus()
        page.keyboard.press("Enter")
        page.locator(dialog).wait_for(state="visible")
        page.keyboard.press("Escape")
        page.locator(dialog).wait_for(state="hidden")
        page.wait_for_function("(name) => document.activeElement.textContent === name", arg=button)
        page.keyboard.press("Enter")  # and a key that follows is not lost
        page.locator(dialog).wait_for(state="visible")
        page.keyboard.press("Escape")
    assert queue.decision(plain["id"]) is queue.decision(high["id"]) is None


def test_who_listens_is_told_and_every_control_has_a_name(visit):
    set_passphrase()
    page, members = visit(), ask(risk="high")
    ready(page, members)
    assert "write_file of filesystem, High risk" in page.locator("#live").inner_text()
    unnamed = page.evaluate(
        """[...document.querySelectorAll('button, input, select, progress, article, dialog')].filter(
            (one) => one.checkVisibility() && !(one.textContent.trim() || one.labels?.length || one.getAttribute('aria-label') || one.getAttribute('aria-labelledby'))).length"""
    )
    assert unnamed == 0
    assert card(page, members).get_attribute("aria-labelledby") == f"title-{members['id']}"
