"""The page in a browser while something else happens: another answer, a withdrawal, a lost server."""

from __future__ import annotations

import time

from stdioguard.approval import queue
from tests.approval.page.seen import card, press, ready
from tests.approval.page.served import PASSPHRASE, ask, decided, set_passphrase


def test_of_two_pages_the_first_answer_counts_and_the_other_page_says_so(visit):
    one, other, members = visit(), visit(), ask()
    ready(one, members)
    press(other, members, "Deny")
    card(other, members).get_by_text("Denied.").wait_for()
    card(one, members).get_by_text("Withdrawn: it was answered elsewhere").wait_for()
    assert decided(members)["approved"] is False


def test_a_question_that_is_withdrawn_while_its_dialog_is_open_closes_it(visit):
    set_passphrase()
    page, members = visit(), ask(risk="high")
    press(page, members, "Allow once…")
    page.locator("#proof-secret").fill(PASSPHRASE)
    queue.remove(members["id"])
    page.locator("#proof").wait_for(state="hidden")
    card(page, members).get_by_text("Withdrawn").wait_for()
    assert card(page, members).locator(".actions").count() == 0
    assert page.locator("#proof-secret").input_value() == ""


def test_a_question_whose_time_is_over_goes(visit):
    page, members = visit(), ask(left=1.5)
    card(page, members).get_by_text("Withdrawn").wait_for()


def test_a_press_on_what_has_only_just_appeared_counts_for_nothing(visit):
    page, members = visit(), ask()
    card(page, members).get_by_role("button", name="Allow once", exact=True).click()
    card(page, members).get_by_text("did not count").wait_for()
    assert queue.decision(members["id"]) is None
    press(page, members, "Allow once")
    assert decided(members)["approved"] is True


def test_a_decision_that_the_session_did_not_accept_is_said(visit):
    page, members = visit(), ask()
    press(page, members, "Allow once")
    until = time.monotonic() + 5
    while queue.decision(members["id"]) is None and time.monotonic() < until:
        time.sleep(0.02)
    page.get_by_text("did not accept this decision").wait_for()  # the guard took it and asks still


def test_a_page_whose_server_is_gone_decides_nothing_and_says_so(visit, served):
    page, members = visit(), ask()
    ready(page, members)
    page.route("**/api/**", lambda route: route.abort())
    queue.write(members["id"], {key: value for key, value in (members | {"times": 2}).items() if key != "id"})
    page.wait_for_selector("#link[data-state=gone]")
    page.locator(".card .allow:disabled").wait_for()
    page.unroute("**/api/**")
    page.wait_for_selector("#link[data-state=live]")
    press(page, members, "Allow once")
    assert decided(members)["approved"] is True
