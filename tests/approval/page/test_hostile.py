"""Hostile text and hostile sites, in a browser: nothing of it happens."""

from __future__ import annotations

from stdioguard.approval import queue
from stdioguard.wire import strict_json
from tests.approval.page.seen import card, press, ready
from tests.approval.page.served import ask, decided

HOSTILE = [
    "<script>document.title='owned'</script>", "</script><script>document.title='owned'</script>", "<img src=x onerror=\"document.title='owned'\">",
    "\"><svg onload=document.title='owned'>", "javascript:document.title='owned'", "{{7*7}}${7*7}", "<style>*{display:none}</style>",
    "<iframe srcdoc='<script>top.document.title=1</script>'>", "'+document.title+'", "<!--", "]]>", "\u2028document.title='owned'",
    "__proto__", "constructor",
]  # fmt: skip


def test_no_text_of_a_model_or_server_becomes_markup(visit, served):
    page = visit()
    arguments = {f"{hostile} {at}": hostile for at, hostile in enumerate(HOSTILE)} | {
        "nested": {hostile: [hostile] for hostile in HOSTILE},
        "__proto__": "x",
    }
    members = ask(HOSTILE[0], arguments, server=HOSTILE[1], client=HOSTILE[2], rule=HOSTILE[3], cwd="/" + HOSTILE[2])
    found = ready(page, members)
    for hostile in (*HOSTILE[:5], HOSTILE[6], HOSTILE[7]):
        assert found.get_by_text(hostile).count() >= 1
    press(page, members, "Always for arguments like these…")
    assert "owned" not in page.title()
    assert page.locator("main script, main style, main iframe, main img, main svg, dialog script, dialog img").count() == 0
    page.locator("#editor-done").click()
    assert decided(members)["constraints"].keys() == arguments.keys()


def test_text_that_reverses_or_hides_shows_as_what_it_is(visit):
    page, members = visit(), ask("t\u202eool", {"path": "/home/ana/\u202etxt.exe", "note": "a\u200bb\x1b[2Jc\nAllowed once."})
    found = card(page, members)
    shown = found.inner_text()
    assert "\u202e" not in shown
    assert "\\u202e" in shown
    assert "\\u001b[2Jc" in shown
    assert found.locator(".p-escape").count() >= 4
    assert found.locator(".outcome").count() == 0


def test_a_text_cannot_leave_its_box_or_widen_the_page(visit):
    page = visit(viewport={"width": 360, "height": 740})
    members = ask(
        "t" * 500,
        {"a" * 200: "w" * 5000, "marks": "z" + "\u0301" * 500, "lines": "x\n" * 5000},
        server="s" * 400,
        client="c" * 400,
    )
    found = ready(page, members)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert "lines are not shown here" in found.inner_text()
    assert "Show all" in found.inner_text()


def test_a_login_link_is_in_no_address_once_it_was_used(visit, served):
    page = visit()
    assert page.url == f"{served.origin}/"
    page.reload()
    page.wait_for_selector("#link[data-state=live]")


def test_a_browser_without_a_link_is_shown_nothing(browser, served):
    members = ask()
    page = browser.new_page()
    page.goto(served.origin)
    page.get_by_text("This browser is not logged in").wait_for()
    assert members["tool"] not in page.content()
    token = served.page.sessions.link()
    served.raw("POST", "/api/login", {"token": token})
    page.goto("about:blank")
    page.goto(f"{served.origin}/#login={token}")
    page.get_by_text("This login link has been used").wait_for()
    page.close()


def test_another_site_can_neither_frame_nor_read_nor_send(visit, served, browser):
    page, members = visit(), ask()
    card(page, members)
    evil = page.context.new_page()  # in the same browser, with its cookies
    evil.route("http://evil.test/", lambda route: route.fulfill(body="<h1>evil</h1>", content_type="text/html"))
    evil.goto("http://evil.test/")
    got = evil.evaluate(
        """async ([origin, body]) => {
          const tries = [];
          for (const options of [{}, {mode: 'no-cors', credentials: 'include'}, {method: 'POST', mode: 'no-cors', credentials: 'include', body},
                                 {method: 'POST', headers: {'content-type': 'application/json', 'x-stdioguard-key': 'x'}, credentials: 'include', body}]) {
            tries.push(await fetch(origin + (options.method ? '/api/decide' : '/api/waiting'), options).then((answer) => answer.type + answer.status, () => 'refused'));
          }
          return tries;
        }""",
        [served.origin, strict_json.encode({"id": members["id"], "digest": members["digest"], "approved": True})],
    )
    assert set(got) <= {"refused", "opaque0"}
    assert queue.decision(members["id"]) is None
    evil.close()
