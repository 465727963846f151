"""The question in a window of Tk's: a program of its own, for an interpreter that has tkinter, which need not be the guard's.

It reads `{"title", "heading", "text", "risk", "choices", "passphrase", "wrong"}` from its standard input. When the person has decided it
writes `deny`, `once` or `session`; to allow what `passphrase` says takes one, it follows on a line of its own. Without a decision it writes
nothing. It imports nothing of stdioguard's, and needs Python 3.8.

Nothing in `text` is interpreted. Enter, Escape and closing the window deny; to allow takes a button that is off for the first second, so
that a key meant for another window cannot press it, or the passphrase, after which Enter allows once.
"""

from __future__ import annotations

import json
import sys
import tkinter as tk
from tkinter import font, ttk

PATIENCE = 1000
"""Milliseconds for which nothing can be allowed."""
LABELS = {"once": "Allow once", "session": "Allow for the session"}

_LIGHT, _PANEL, _INK, _LINE, _QUIET = "#f6f7f9", "#ffffff", "#1c2430", "#cdd3dc", "#5b6676"
_RISK = {"low": "#2f7d4f", "normal": "#2f5fa8", "high": "#b3261e"}
_MARGIN = 18


class Window:
    """The window, and what the person has decided in it."""

    def __init__(self, question: dict[str, object]) -> None:
        self.answer = ""
        self.root = tk.Tk(className="stdioguard")
        self.root.tk.call(
            "rename", "send", ""
        )  # by which any program of the desktop could have this one run its commands (send(n))
        self.root.withdraw()
        self.root.title(str(question["title"]))
        self.root.configure(background=_LIGHT)
        self._secret: tk.Entry | None = None
        self._note = tk.StringVar(self.root)
        self._style()
        accent = _RISK.get(str(question["risk"]), _RISK["high"])
        tk.Frame(self.root, background=accent, height=5).pack(fill="x")
        self._heading(str(question["heading"]), str(question["risk"]), accent)
        choices = question["choices"]
        allow = self._buttons(choices if isinstance(choices, list) else [])
        if question["passphrase"] is True:
            self._passphrase(str(question["wrong"]))
        self._text(str(question["text"]))
        self.root.bind("<Escape>", lambda _: self.decide("deny"))
        self.root.protocol("WM_DELETE_WINDOW", lambda: self.decide("deny"))
        self._place()
        self.root.after(PATIENCE, lambda: [button.state(["!disabled"]) for button in allow])

    def decide(self, decision: str) -> None:
        """Take the decision, and close the window. To allow without the passphrase that it takes is none."""
        if decision != "deny" and self._secret is not None:
            typed = self._secret.get()
            if not typed:
                self._note.set("Type your passphrase first.")
                self._secret.focus_set()
                return
            decision = f"{decision}\n{typed}"
        self.answer = decision
        self.root.destroy()

    def _style(self) -> None:
        style = ttk.Style(self.root)
        style.theme_use("clam")
        style.configure("TButton", padding=(16, 8), background=_PANEL, foreground=_INK, bordercolor=_LINE, focuscolor=_INK)
        style.map("TButton", foreground=[("disabled", "#9aa3b0")], background=[("disabled", _LIGHT), ("active", "#e9edf3")])
        style.configure("Deny.TButton", background=_INK, foreground=_PANEL, bordercolor=_INK, focuscolor=_PANEL)
        style.map("Deny.TButton", foreground=[("disabled", _PANEL)], background=[("active", "#38455a")])
        style.configure("TScrollbar", background="#dfe3e9", troughcolor=_PANEL, bordercolor=_LINE, arrowcolor=_QUIET)

    def _heading(self, heading: str, risk: str, accent: str) -> None:
        row = tk.Frame(self.root, background=_LIGHT)
        row.pack(fill="x", padx=_MARGIN, pady=(14, 10))
        size = font.nametofont("TkDefaultFont").actual()["size"]
        big = font.Font(family=font.nametofont("TkDefaultFont").actual()["family"], size=size + 4, weight="bold")
        tk.Label(row, text=heading, font=big, background=_LIGHT, foreground=_INK, anchor="w").pack(side="left")
        badge = tk.Label(row, text=f"{risk} risk".capitalize(), background=accent, foreground=_PANEL, padx=10, pady=3)
        badge.pack(side="right")

    def _buttons(self, choices: list[str]) -> list[ttk.Button]:
        row = tk.Frame(self.root, background=_LIGHT)
        row.pack(side="bottom", fill="x", padx=_MARGIN, pady=(0, 16))
        self._note.set("Enter, Escape and closing deny.")
        tk.Label(row, textvariable=self._note, background=_LIGHT, foreground=_QUIET, anchor="w").pack(side="left")
        deny = ttk.Button(row, text="Deny", style="Deny.TButton", command=lambda: self.decide("deny"))
        made = [self._allowing(row, choice) for choice in choices]
        for button in [*reversed(made), deny]:  # made in the order of Tab, placed from the right
            button.pack(side="right", padx=(8, 0))
        for button in made:
            button.state(["disabled"])
        deny.focus_set()
        for button in [*made, deny]:
            button.bind("<Return>", lambda event: event.widget.invoke())
            button.bind("<KP_Enter>", lambda event: event.widget.invoke())
        return made

    def _allowing(self, row: tk.Frame, choice: str) -> ttk.Button:
        return ttk.Button(row, text=LABELS[choice], command=lambda: self.decide(choice))

    def _passphrase(self, wrong: str) -> None:
        """Make the field, which has the keyboard: what was meant for another window allows and denies nothing there."""
        row = tk.Frame(self.root, background=_LIGHT)
        row.pack(side="bottom", fill="x", padx=_MARGIN, pady=(0, 14))
        tk.Label(row, text="Passphrase", background=_LIGHT, foreground=_INK).pack(side="left", padx=(0, 10))
        entry = tk.Entry(
            row,
            show="\u2022",
            width=34,
            exportselection=False,  # what is marked here is nobody else's to paste
            background=_PANEL,
            foreground=_INK,
            insertbackground=_INK,
            relief="flat",
            highlightthickness=1,
            highlightbackground=_LINE,
            highlightcolor=_INK,
        )
        entry.pack(side="left", ipady=5, padx=(0, 10))
        note = wrong or "It signs this one decision and is kept nowhere."
        ink = _RISK["high"] if wrong else _QUIET
        tk.Label(row, text=note, background=_LIGHT, foreground=ink, anchor="w").pack(side="left")
        entry.bind("<Return>", lambda _: self.decide("once"))
        entry.bind("<KP_Enter>", lambda _: self.decide("once"))
        entry.focus_set()
        self._secret = entry
        row.lower()  # before the buttons, in the order of Tab
        self._note.set("Enter in the field allows once; Escape and closing deny.")

    def _text(self, content: str) -> None:
        frame = tk.Frame(self.root, background=_PANEL, highlightbackground=_LINE, highlightthickness=1)
        frame.pack(fill="both", expand=True, padx=_MARGIN, pady=(0, 14))
        lines = content.count("\n") + 1
        text = tk.Text(
            frame,
            width=84,
            height=max(8, min(lines, 26)),
            wrap="char",
            font="TkFixedFont",
            background=_PANEL,
            foreground=_INK,
            relief="flat",
            highlightthickness=0,
            padx=12,
            pady=10,
            spacing1=2,
            takefocus=False,
            cursor="arrow",
        )
        bar = ttk.Scrollbar(frame, command=text.yview)
        text.configure(yscrollcommand=bar.set)
        if lines > 26:
            bar.pack(side="right", fill="y")
        text.pack(side="left", fill="both", expand=True)
        text.insert("1.0", content)
        text.configure(state="disabled")
        for key, amount, unit in (("Up", -1, "units"), ("Down", 1, "units"), ("Prior", -1, "pages"), ("Next", 1, "pages")):
            self.root.bind(f"<{key}>", lambda _, n=amount, u=unit: text.yview_scroll(n, u))  # type: ignore[misc]  # defaults bind the loop's values; mypy infers no such lambda

    def _place(self) -> None:
        root = self.root
        root.update_idletasks()
        width, height = root.winfo_reqwidth(), root.winfo_reqheight()
        left, top = (root.winfo_screenwidth() - width) // 2, (root.winfo_screenheight() - height) // 3
        root.geometry(f"{width}x{height}+{max(left, 0)}+{max(top, 0)}")
        root.minsize(min(width, 480), 260)
        root.attributes("-topmost", True)
        root.deiconify()
        root.lift()


def main() -> None:
    """Ask, and tell what the person has decided."""
    window = Window(json.loads(sys.stdin.buffer.read().decode("utf-8")))
    window.root.mainloop()
    sys.stdout.buffer.write(window.answer.encode("utf-8", "replace"))
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
