"""What a person does on the page, in a browser."""

from __future__ import annotations

import time

from stdioguard.approval import proof, queue
from tests.approval.page.seen import card, press, ready
from tests.approval.page.served import PASSPHRASE, ask, decided, set_passphrase


def test_a_question_appears_by_itself_and_is_allowed_once(visit):
    page = visit()
    assert page.get_by_text("Nothing waits.").is_visible()
    members = ask()
    press(page, members, "Allow once")
    written = decided(members)
    assert len(written.pop("seen")) == 64
    assert written == {"id": members["id"], "digest": members["digest"], "approved": True, "channel": "page"}
    card(page, members).get_by_text("Allowed once.").wait_for()
    page.get_by_text("Nothing waits.").wait_for()


def test_a_question_is_denied(visit):
    page, members = visit(), ask()
    press(page, members, "Deny")
    assert decided(members)["approved"] is False
    card(page, members).get_by_text("Denied.").wait_for()


def test_a_call_is_allowed_for_the_session(visit):
    page, members = visit(), ask(arguments={"path": "/home/ana/notes/a", "n": 1})
    press(page, members, "Allow for the session…")
    assert not page.locator("#editor-time").is_visible()
    page.locator("#editor-done").click()
    found = decided(members)
    assert (found["scope"], found["constraints"]) == ("session", {"path": {"equals": "/home/ana/notes/a"}, "n": {"equals": 1}})


def test_calls_are_allowed_always_inside_a_folder(visit):
    page, members = visit(), ask(arguments={"path": "/home/ana/notes/a", "content": 5})
    press(page, members, "Always for arguments like these…")
    summary = page.locator("#editor-summary")
    assert "path is exactly /home/ana/notes/a" in summary.inner_text()
    page.get_by_role("combobox", name="Folder").select_option("/home/ana")
    page.locator("fieldset", has_text="content").get_by_label("anything").check()
    page.get_by_label("Until").select_option("")
    assert "until you revoke it" in summary.inner_text()
    assert "path is inside /home/ana" in summary.inner_text()
    assert page.get_by_text("One argument is not looked at").is_visible()
    page.locator("#editor-done").click()
    found = decided(members)
    assert (found["scope"], "until" in found, found["constraints"]) == (
        "always",
        False,
        {"path": {"inside": "/home/ana"}, "content": {"any": True}},
    )


def test_a_lasting_grant_ends_in_seven_days_unless_told_otherwise(visit):
    page, members = visit(), ask()
    press(page, members, "Always for arguments like these…")
    page.locator("#editor-done").click()
    found = decided(members)
    assert found["scope"] == "until"
    assert abs(found["until"] - time.time() - 7 * 86400) < 60


def test_calls_are_denied_always(visit):
    page, members = visit(), ask()
    press(page, members, "Deny always…")
    page.locator("#editor-done").click()
    found = decided(members)
    assert (found["approved"], found["scope"], found["constraints"]) == (
        False,
        "always",
        {"path": {"equals": "/home/ana/notes/plan.txt"}},
    )


def test_a_dialog_that_is_closed_decides_nothing(visit):
    set_passphrase()
    page, plain, high = visit(), ask(), ask(risk="high")
    press(page, plain, "Always for arguments like these…")
    page.keyboard.press("Escape")
    press(page, high, "Allow once…")
    page.locator("#proof-secret").fill(PASSPHRASE)
    page.get_by_role("button", name="Cancel").click()
    page.wait_for_timeout(300)
    assert queue.decision(plain["id"]) is None
    assert queue.decision(high["id"]) is None
    press(page, plain, "Allow once")  # and everything works as before
    assert decided(plain)["approved"] is True


def test_high_risk_wants_the_passphrase_and_a_wrong_one_decides_nothing(visit):
    setting = set_passphrase()
    page, members = visit(), ask(risk="high")
    press(page, members, "Allow once…")
    secret = page.locator("#proof-secret")
    secret.fill("not the passphrase")
    secret.press("Enter")
    page.get_by_text("That is not the passphrase.").wait_for()
    assert queue.decision(members["id"]) is None
    assert secret.input_value() == ""
    secret.fill(PASSPHRASE)
    page.get_by_role("button", name="Sign and allow").click()
    found = decided(members)
    assert proof.is_signed(setting, found)
    card(page, members).get_by_text("Allowed once.").wait_for()
    assert secret.input_value() == ""


def test_high_risk_for_a_session_is_signed_with_its_limits(visit):
    setting = set_passphrase()
    page, members = visit(), ask(risk="high")
    assert ready(page, members).get_by_text("Always for arguments like these…").count() == 0
    press(page, members, "Allow for the session…")
    page.locator("#editor-done").click()
    page.locator("#proof-secret").fill(PASSPHRASE)
    page.locator("#proof-done").click()
    found = decided(members)
    assert found["scope"] == "session"
    assert proof.is_signed(setting, found)


def test_without_a_passphrase_high_risk_shows_deny_alone_and_how_to_set_one(visit):
    page, members = visit(), ask(risk="high")
    found = ready(page, members)
    assert [one.strip() for one in found.locator(".actions button").all_inner_texts()] == ["Deny", "Deny always…"]
    assert "stdioguard approvals passphrase" in found.inner_text()
    press(page, members, "Deny")
    assert decided(members)["approved"] is False


def test_what_may_not_be_remembered_offers_once_and_deny_alone(visit):
    page, members = visit(), ask(remember=False)
    assert ready(page, members).locator(".actions button").all_inner_texts() == ["Deny", "Allow once"]


def test_what_is_folded_in_a_call_of_high_risk_is_seen_before_it_is_allowed(visit):
    set_passphrase()
    page, members = visit(), ask("note", {"body": "\n".join(f"line {n}" for n in range(100))}, risk="high")
    press(page, members, "Allow once…")
    assert not page.locator("#proof").is_visible()
    card(page, members).get_by_text("it is unfolded now").wait_for()
    press(page, members, "Allow once…")
    page.locator("#proof").wait_for()


def test_denying_all_denies_all(visit):
    page, first, second = visit(), ask(), ask(risk="high")
    ready(page, second)
    page.get_by_role("button", name="Deny all 2").click()
    assert decided(first)["approved"] is decided(second)["approved"] is False
