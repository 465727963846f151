"""A person's home of its own for each test, and the commands as that person types them.

Nothing in it is the machine's: HOME and stdioguard's own folders are temporary, no keyring is asked.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stdioguard.cli import app

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).resolve().parents[2]
KEY = "ghp_" + "Zq7rT2" * 6
"""What looks like a key of GitHub, and is none."""

PLACES = {
    "claude-code": ".claude.json", "claude-desktop": ".config/Claude/claude_desktop_config.json", "claude-settings": ".claude/settings.json",
    "codex": ".codex/config.toml", "cursor": ".cursor/mcp.json", "gemini": ".gemini/settings.json",
    "gemini-extension": ".gemini/extensions/one/gemini-extension.json", "kiro": ".kiro/settings/mcp.json",
    "opencode": ".config/opencode/opencode.json",
    "roo": ".config/Code/User/globalStorage/rooveterinaryinc.roo-cline/settings/mcp_settings.json",
    "vscode": ".config/Code/User/mcp.json", "windsurf": ".codeium/windsurf/mcp_config.json", "zed": ".config/zed/settings.json",
}  # fmt: skip
"""Where the files of a family of configurations belong in a home; the others are given by path."""


def configurations() -> Path | None:
    """Return the folder of real configurations, if there is one here: `$STDIOGUARD_DATA/configs-dev`, or beside the repository."""
    for data in (os.environ.get("STDIOGUARD_DATA", ""), str(REPOSITORY.parent / "shared" / "data")):
        if data and (Path(data) / "configs-dev").is_dir():
            return Path(data) / "configs-dev"
    return None


@dataclass
class Done:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def rows(self) -> list[dict[str, Any]]:
        document = self.json
        rows: list[dict[str, Any]] = document["entries"] if isinstance(document, dict) else document
        return rows

    @property
    def row(self) -> dict[str, Any]:
        [row] = self.rows
        return row


class Scene:
    """One person's home."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.home.mkdir(mode=0o700)

    @property
    def environment(self) -> dict[str, str]:
        """The variables of this person's programs, without any of the test run's that move files."""
        kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LANG", "LC_ALL") if name in os.environ}
        return {**kept, "HOME": str(self.home)}

    def put(self, place: str, content: str | bytes | dict[str, Any]) -> Path:
        """Write a file below the home."""
        path = self.home / place
        path.parent.mkdir(parents=True, exist_ok=True)
        data = json.dumps(content, indent=2) + "\n" if isinstance(content, dict) else content
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    def __call__(self, *words: object) -> Done:
        """Run `stdioguard WORDS` in this process."""
        out, err = io.StringIO(), io.StringIO()
        argv = ["stdioguard", *map(str, words)]
        with _instead(sys, argv=argv), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = app.main()
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else 1
        return Done(code, out.getvalue(), err.getvalue())

    def apart(self, *words: object, **more: Any) -> Done:
        """Run it in a process of its own."""
        command = [sys.executable, "-m", "stdioguard", *map(str, words)]
        options: dict[str, Any] = {"env": self.environment, "cwd": REPOSITORY, "stdin": subprocess.DEVNULL, "timeout": 60} | more
        done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
        return Done(done.returncode, done.stdout, done.stderr)

    def own(self, *parts: str) -> Path:
        """Return a place in stdioguard's own configuration folder."""
        return self.home.joinpath(".config", "stdioguard", *parts)

    def state(self, *parts: str) -> Path:
        """Return a place in stdioguard's own state folder."""
        return self.home.joinpath(".local", "state", "stdioguard", *parts)

    def kept(self) -> list[str]:
        """Return the names of the secrets that are kept."""
        folder = self.own("secrets")
        return sorted(path.stem for path in folder.glob("*.json")) if folder.exists() else []

    def clients(self) -> dict[str, list[str]]:
        """Return the servers of each client that is registered and active."""
        listed = self("client", "list", "--format", "json").json
        return {one["name"]: one["servers"] for one in listed if one["state"] == "active"}

    def litter(self, path: Path) -> list[str]:
        """Return what lies beside a file that was not there before."""
        return sorted(name.name for name in path.parent.iterdir() if "stdioguard" in name.name and name.name != "stdioguard")

    def holding(self, text: str) -> list[str]:
        """Return the files, those of secrets apart, that hold a text."""
        secrets = self.own("secrets")
        paths = (path for path in self.folder.rglob("*") if path.is_file() and secrets not in path.parents)
        return sorted(str(path) for path in paths if text.encode() in path.read_bytes())


@contextlib.contextmanager
def _instead(thing: Any, **values: Any) -> Iterator[None]:
    before = {name: getattr(thing, name) for name in values}
    for name, value in values.items():
        setattr(thing, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(thing, name, value)
