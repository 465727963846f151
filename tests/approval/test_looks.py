"""How dialogs and the terminal look: all of a question is on the screen, beside what decides it.

With `STDIOGUARD_SCREENSHOTS=FOLDER` these tests write pictures there; the ones in `docs/images` are made so.
"""

from __future__ import annotations

import html
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stdioguard.approval.approver import Approver
from tests import chromium
from tests.approval import PASSPHRASE, Terminal, ask, cheaply, set_passphrase
from tests.approval.screens import REAL, Person, Screen, skip_without, skip_without_screen, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the displays here are X11's")

PICTURES = os.environ.get("STDIOGUARD_SCREENSHOTS")
SHOWN = {
    "zenity", "zenity-passphrase", "zenity-not-set", "tkinter", "tkinter-high", "tkinter-wrong", "kdialog", "kdialog-choice",
    "kdialog-passphrase",
}  # fmt: skip
"""Of the dialogs, what the documentation has."""
DOCS = Path(__file__).parents[2] / "docs"
KEY = cheaply(PASSPHRASE)
QUESTION: dict[str, Any] = {
    "id": "k7mq2hxa",
    "digest": "a" * 64,
    "server": "filesystem",
    "client": "claude-desktop",
    "tool": "write_file",
    "arguments": {
        "path": "/home/ana/notes/plan.md",
        "content": "# Plan for the week\n\nbuy oat milk\ncall Ben on Monday\nreturn the library books\n",
    },
}


def test_every_picture_is_in_the_documentation() -> None:
    said = "".join(page.read_text() for page in DOCS.glob("*.md"))
    pictures = {path.name for path in (DOCS / "images").iterdir()}
    assert {f"dialog-{name}.png" for name in SHOWN} <= pictures
    assert {name for name in pictures if f"](images/{name})" not in said} == set()


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[Screen]:
    skip_without_screen("openbox", "xwininfo", "xprop")
    made = Screen("openbox", str(tmp_path))
    yield made
    made.close()


@pytest.fixture(params=REAL)
def program(request: pytest.FixtureRequest) -> str:
    skip_without(request.param)
    return str(request.param)


@pytest.fixture
def shot(screen: Screen, tmp_path: Path) -> Callable[[str], None]:
    def take(name: str) -> None:
        """Take a picture of the dialog that is there, which must be wholly on the screen and not empty."""
        screen.do("mousemove", "1279", "899")
        time.sleep(0.7)  # until it is drawn, and what is under the pointer no more
        window = until(screen.windows)[-1]
        left, top, width, height = screen.frame(window)
        assert min(left, top) >= 0
        assert left + width <= 1280
        assert top + height <= 900
        folder = PICTURES if PICTURES and name in SHOWN else str(tmp_path)
        os.makedirs(folder, exist_ok=True)
        assert screen.picture(os.path.join(folder, f"dialog-{name}.png"), left, top, width, height) > 20

    return take


def test_a_question_of_normal_risk(screen: Screen, program: str, shot: Callable[[str], None]) -> None:
    asked = Approver(program, screen.environment)
    try:
        asked.ask({**QUESTION, "risk": "normal", "remember": True})
        person = Person(screen, program)
        pid = person.next("")
        shot(program)
        if program == "kdialog":
            screen.press("Return")
            person.next(pid)
            shot(f"{program}-choice")
    finally:
        asked.close()


def test_a_question_of_high_risk_and_where_the_passphrase_goes(screen: Screen, program: str, shot: Callable[[str], None]) -> None:
    asked = Approver(program, screen.environment)
    try:
        asked.ask({**QUESTION, "risk": "high", "remember": True}, KEY)
        person = Person(screen, program)
        pid = person.see()
        time.sleep(1.5)
        if program == "tkinter":
            screen.type("correct horse")
            shot(f"{program}-high")
            screen.press("Return")
            person.next(pid)
            shot(f"{program}-wrong")
            return
        shot(f"{program}-high")
        person.choose("once")
        pid = person.next(pid)
        screen.type("correct horse")
        shot(f"{program}-passphrase")
        screen.press("Return")
        person.next(pid)
        shot(f"{program}-wrong")
    finally:
        asked.close()


def test_high_risk_without_a_passphrase(screen: Screen, program: str, shot: Callable[[str], None]) -> None:
    asked = Approver(program, screen.environment)
    try:
        asked.ask({**QUESTION, "risk": "high", "remember": True}, None)
        Person(screen, program).next("")
        shot(f"{program}-not-set")
    finally:
        asked.close()


# --- the terminal -------------------------------------------------------------------------------------------------------------------------


PAGE = """<!doctype html><meta charset="utf-8"><style>
body {{ margin: 0; background: #10151c; }}
pre {{ margin: 0; padding: 14px 18px; font: 15px/1.35 "DejaVu Sans Mono", monospace; color: #d6dce5; display: inline-block; }}
.bold {{ font-weight: bold; color: #ffffff; }} .dim {{ color: #8490a0; }} .red {{ color: #ff7b72; font-weight: bold; }}
.yellow {{ color: #e3b341; font-weight: bold; }} .green {{ color: #7ee787; }} .reverse {{ background: #d6dce5; color: #10151c; }}
</style><pre>{}</pre>"""
STYLES = {"1": "bold", "2": "dim", "1;31": "red", "1;33": "yellow", "32": "green", "7": "reverse"}


def drawn(terminal: Terminal) -> str:
    """What is on the screen of a terminal, as a page of a browser."""
    rows = []
    for row in terminal.cells:
        cells = [
            f'<span class="{STYLES.get(style, "")}">{html.escape(char)}</span>' if style else html.escape(char)
            for char, style in row
        ]
        rows.append("".join(cells))
    return PAGE.format("\n".join(rows))


@pytest.fixture
def picture(tmp_path: Path) -> Iterator[Callable[[Terminal, str], None]]:
    with chromium.launched() as browser:
        page = browser.new_page(viewport={"width": 1400, "height": 900})

        def take(terminal: Terminal, name: str) -> None:
            page.set_content(drawn(terminal))
            folder = PICTURES or str(tmp_path)
            os.makedirs(folder, exist_ok=True)
            page.locator("pre").screenshot(path=os.path.join(folder, f"{name}.png"))

        yield take


def test_the_list_in_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, picture: Callable[[Terminal, str], None]
) -> None:
    monkeypatch.setenv("STDIOGUARD_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("NO_COLOR", raising=False)
    set_passphrase()
    high = ask(arguments=QUESTION["arguments"], risk="high", left=290)
    ask(
        tool="fetch",
        server="fetch",
        arguments={"url": "https://api.github.com/repos/ana/notes"},
        risk="low",
        left=412,
        rule="tools.default in /home/ana/p.toml",
    )
    with Terminal("approvals", "watch", rows=26, columns=104) as person:
        person.wait_for("2 questions wait")
        person.wait_for("return the library books")
        assert "passphrase" in person.lines[-1]
        picture(person, "terminal-watch")
        person.read(1.2)
        person.type("a")
        person.wait_for(f"passphrase to approve {high}")
        assert not person.echoes
        picture(person, "terminal-passphrase")
        person.type(f"{PASSPHRASE}\n")
        person.wait_for("approved once")
