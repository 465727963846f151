"""The host's side of the suite, in the world that `world.py` made: the stage, the sessions, and a loop that does what the tests ask.

It is executed by file name, as the user whom the configuration names, so that everything it makes belongs to that user and everything it
sees is what that user sees. Requests and answers are one JSON object a line.
"""

from __future__ import annotations

import contextlib
import copy
import fcntl
import json
import os
import socket
import subprocess
import sys
import time
import traceback
from binascii import crc32
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .catalogue import Attempt, Launch
    from .session import Session

FOLDERS = ("home", "home/project", "home/library", "elsewhere", "stdioguard", "cwd", "profiles", "shared", "logs", "empty")
# A home as it is found: what every one of these holds is worth stealing or worth changing.
HOME = {
    ".ssh/id_ed25519": 0o600, ".ssh/authorized_keys": 0o600, ".aws/credentials": 0o600, ".netrc": 0o600,
    ".git-credentials": 0o600, ".gitconfig": 0o644, ".bashrc": 0o644, ".profile": 0o644, ".npmrc": 0o600,
    ".claude.json": 0o600, ".cursor/mcp.json": 0o600, ".config/Claude/claude_desktop_config.json": 0o600,
    ".codex/config.toml": 0o600, ".kube/config": 0o600, ".docker/config.json": 0o600, ".pypirc": 0o600,
    ".config/gh/hosts.yml": 0o600, ".mozilla/firefox/default/cookies.sqlite": 0o600, ".gnupg/private-keys-v1.d/key": 0o600,
    ".bash_history": 0o600, ".config/systemd/user/ours.service": 0o644, ".local/bin/tool": 0o755,
}  # fmt: skip


CONTENT = {".gitconfig": "[user]\n\tname = {}\n", ".claude.json": '{{"key": "{}"}}\n'}


class Host:
    """One configuration's stage and sessions."""

    def __init__(self, configuration: str, root: str, setup: dict[str, Any]) -> None:
        from .catalogue import load

        self.configuration = configuration
        self.sandboxed = not configuration.endswith("-bare")
        self.setup = setup
        self.paths = {
            "root": root, "unique": os.path.basename(root), "python": "%d.%d" % sys.version_info[:2], "home": f"{root}/home", "project": f"{root}/home/project", "library": f"{root}/home/library",
            "elsewhere": f"{root}/elsewhere", "guard": f"{root}/stdioguard", "cwd": f"{root}/cwd", "shared": f"{root}/shared",
            "run": setup["run"], "venv": setup["venv"], "empty": f"{root}/empty", "server": setup["server"],
            "environment_secret": self.secret(), "descriptor_secret": self.secret(),
            "shm": "/dev/shm" if os.path.isdir("/dev/shm") else f"{root}/shm",
        }  # fmt: skip
        self.sessions: dict[str, Session] = {}
        self.current: Session | None = None
        self.attempts: dict[str, Attempt] = {}
        self.launches = 0
        self.serving = False
        self.modes: dict[str, int] = {}
        self.upstreams: dict[tuple[str, int], socket.socket] = {}
        if setup["world"]:
            self._elsewhere = socket.socket(fileno=int(os.environ.pop("ELSEWHERE")))
            self._elsewhere.set_inheritable(False)
        self._make_stage()
        for name, attempt in load().items():
            if attempt.world and not setup["world"]:
                continue
            attempt.stake = copy.copy(attempt.stake)
            attempt.stake.place(self, name)
            self.attempts[name] = attempt
        for folder, _, files in os.walk(self.paths["guard"]):
            os.chmod(folder, 0o700)
            for file in files:
                os.chmod(f"{folder}/{file}", 0o600)

    def secret(self) -> str:
        """Return a word that is nowhere else."""
        return "secret-" + os.urandom(9).hex()

    def expand(self, text: str, slug: str = "") -> str:
        """Put the stage's paths in place of `{project}` and the like."""
        return text.format(**self.paths, slug=slug, short=f"{crc32(slug.encode()):x}")

    def _make_stage(self) -> None:
        root = self.paths["root"]
        for folder in FOLDERS:
            os.makedirs(f"{root}/{folder}", exist_ok=True)
        for folder in ("home", "elsewhere", "stdioguard"):
            os.chmod(f"{root}/{folder}", 0o700)
        for name, mode in HOME.items():
            path = f"{self.paths['home']}/{name}"
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w") as file:
                # Programs read some of these: the text must be a comment, or a setting, to them.
                file.write(CONTENT.get(name, "# {}\n").format(self.paths["environment_secret"]))
            os.chmod(path, mode)
        with open(f"{root}/elsewhere/descriptor.txt", "w") as file:
            file.write(self.paths["descriptor_secret"])
        self._descriptors = [
            os.open(f"{root}/elsewhere/descriptor.txt", os.O_RDWR),
            os.open(f"{root}/elsewhere", os.O_RDONLY | os.O_DIRECTORY),
        ]
        self._ours, theirs = socket.socketpair()
        self._ours.setblocking(False)
        self._descriptors.append(theirs.detach())
        # High numbers: inside, low ones are the attacker's own.
        self._descriptors = [fcntl.fcntl(number, fcntl.F_DUPFD, 500) for number in self._descriptors]

    def socket_of(self, address: str, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """Return a socket of the machine that has this address: this one, or the one at the other end of the wire (`world.py`)."""
        from .stakes import METADATA, PUBLIC, PUBLIC6

        if not self.setup["world"] or address not in (PUBLIC, PUBLIC6, METADATA):
            return socket.socket(family, kind, protocol)
        self._elsewhere.send(json.dumps([family, kind, protocol]).encode())
        code, descriptors, _, _ = socket.recv_fds(self._elsewhere, 16, 1)
        if not descriptors:
            raise OSError(int(code), os.strerror(int(code)))
        return socket.socket(family, kind, protocol, descriptors[0])

    def heard_on_the_passed_socket(self) -> bool:
        """Tell whether something came through the socket that was left open to the guard."""
        try:
            return bool(self._ours.recv(64))
        except BlockingIOError:
            return False

    # Sessions

    def environment(self) -> dict[str, str]:
        """Return the environment of a client that keeps its secrets where many do."""
        run, home = self.paths["run"], self.paths["home"]
        return {
            "HOME": home, "USER": "victim", "LOGNAME": "victim", "SHELL": "/bin/sh", "TERM": "xterm", "LANG": "C.UTF-8",
            "PATH": f"{self.paths['venv']}/bin:/usr/local/bin:/usr/bin:/bin", "STDIOGUARD_HOME": self.paths["guard"],
            "XDG_RUNTIME_DIR": f"{run}/user", "DBUS_SESSION_BUS_ADDRESS": f"unix:path={run}/user/bus",
            "SSH_AUTH_SOCK": f"{run}/user/agent.sock", "DOCKER_HOST": f"unix://{run}/docker.sock",
            "AWS_SECRET_ACCESS_KEY": self.paths["environment_secret"], "GITHUB_TOKEN": self.paths["environment_secret"],
        }  # fmt: skip

    def profile(self, launch: Launch, slug: str) -> str:
        """Write a profile and return its path."""
        lists = {
            key: [self.expand(entry, slug) for entry in getattr(launch, key)] for key in ("read", "write", "deny", "network")
        }
        lists["environment"] = launch.passed
        lines = ["schema = 1", 'name = "escape"', 'description = "An attacker."', "[sandbox]"]
        lines += [f"{key} = {json.dumps(value)}" for key, value in lists.items()]
        lines += [f'memory = "{MEMORY}M"', f"processes = {PROCESSES}"]
        if launch.seccomp is not None:
            lines.append(f"seccomp = {json.dumps(self.expand(launch.seccomp, slug))}")
        lines += ["[tools]", 'default = "allow"', ""]
        path = f"{self.paths['root']}/profiles/{slug}.toml"
        with open(path, "w") as file:
            file.write("\n".join(lines))
        os.chmod(path, self.modes.get(slug, 0o600))
        return path

    def start(self, launch: Launch, slug: str) -> Session:
        """Start a session and shake hands. Raises `EndedError` where that is refused; `self.current` is the session all the same."""
        from . import container
        from .session import Session

        server = [f"{self.paths['venv']}/bin/python", self.expand(launch.server or "{server}/escape/attacker.py", slug)]
        command = server
        before = None
        if self.sandboxed:
            command = [*self.setup["guard"], "--profile", self.profile(launch, slug), "--server", slug[:60], "--", *server]
            if self.configuration.endswith("-plain"):
                before = container.enter
        self.launches += 1
        added = {key: self.expand(value, slug) for key, value in launch.environment.items()}
        self.current = Session(
            command,
            environment={**self.environment(), **added},
            cwd=self.expand(launch.cwd, slug),
            log=f"{self.paths['root']}/logs/{slug}-{self.launches}.txt",
            passed=self._descriptors,
            before=before,
        )
        self.current.open()
        return self.current

    def session(self, attempt_profile: str) -> Session:
        """Return the open session with this profile, started where it is not."""
        found = self.sessions.get(attempt_profile)
        if found is not None and found.process.poll() is None:
            self.current = found
            return found
        self.sessions.pop(attempt_profile, None)
        found = self.start(PROFILES[attempt_profile](), attempt_profile)
        self.sessions[attempt_profile] = found
        return found

    # Requests

    def attempt(self, name: str) -> dict[str, Any]:
        """Have one attempt made, and look at its stake."""
        from .session import EndedError

        attempt = self.attempts[name]
        own = attempt.launch
        session = None
        words: dict[str, Any] = {}
        try:
            try:
                session = self.start(own, name) if own is not None else self.session(attempt.profile)
                words = {**self.paths, **attempt.stake.arguments()}
                words = {key: value for key, value in words.items() if key in attempt.parameters}
                outcome = session.call("attempt", {"name": name, "words": words}, attempt.timeout + 5)
            except EndedError:
                assert self.current is not None
                code = self.current.finish()
                errors = self.current.errors()
                if session is None:
                    attempt.stake.arguments()
                outcome = {
                    "ok": False, "errno": f"exit-{code}" if session is None else "session-ended", "detail": "", "stderr": errors,
                }  # fmt: skip
                session = None
            except TimeoutError:
                outcome = {"ok": False, "errno": "no-answer", "detail": ""}
                assert self.current is not None
                self.current.process.kill()
            if session is not None and (own is not None or attempt.ends):
                session.finish()
                self.sessions.pop(attempt.profile, None) if own is None else None
                session = None
            happened = attempt.stake.happened(outcome)
        finally:
            if session is not None and own is not None:
                session.finish()
        return {"outcome": outcome, "happened": happened}

    def case(self, name: str, profile: str) -> dict[str, Any]:
        """Run one compatibility case."""
        from .compatibility import CASES

        case = CASES[name]
        work = f"{self.paths['project']}/case-{name}"
        os.makedirs(work, exist_ok=True)
        case.prepare(work)
        words: dict[str, Any] = {**self.paths, "work": work}
        if "repository" in case.parameters:
            words["repository"] = f"{work}/repository"
            subprocess.run(["git", "init", "--quiet", "--initial-branch=main", words["repository"]], check=True)
        if "port" in case.parameters:
            words["port"] = self.web()
        words = {key: value for key, value in words.items() if key in case.parameters}
        return {"outcome": self.session(profile).call("case", {"name": name, "words": words}, case.timeout + 5)}

    def web(self) -> int:
        """Serve one page at a public address, for as long as this world lasts, and return the port."""
        from .attempts.proxy import WEB
        from .stakes import PUBLIC

        if not self.serving:
            self.serving = True
            listener = self.socket_of(PUBLIC, socket.AF_INET, socket.SOCK_STREAM)
            listener.bind((PUBLIC, WEB))
            listener.listen(16)
            if os.fork() == 0:
                # The sessions' pipes among others: while they are open here the sessions see no end of their input.
                os.closerange(3, listener.fileno())
                os.closerange(listener.fileno() + 1, 4096)
                while True:
                    client, _ = listener.accept()
                    client.recv(4096)
                    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\nthe page\r\n")
                    client.close()
            listener.close()
        return WEB

    def leftovers(self) -> dict[str, Any]:
        """Open and end a session and return what it has added to the granted and the ungranted folders, or taken away."""
        before = self._tree()
        self.start(PROFILES["closed"](), "leftovers").finish()
        after = self._tree()
        return {"added": sorted(after - before), "gone": sorted(before - after)}

    def _tree(self) -> set[str]:
        found = set()
        for top in (self.paths["home"], self.paths["elsewhere"], self.paths["cwd"]):
            for folder, folders, files in os.walk(top):
                found |= {os.path.join(folder, name) for name in (*folders, *files)}
        return found

    def close(self) -> dict[str, Any]:
        """End all sessions."""
        codes = {name: session.finish() for name, session in self.sessions.items()}
        for attempt in self.attempts.values():
            with contextlib.suppress(OSError):
                attempt.stake.release()
        return {"codes": codes, "launches": self.launches}


MEMORY, PROCESSES = 352, 160
"""The limits of every session: mebibytes, and processes."""


def _closed() -> Launch:
    from .catalogue import Launch

    return Launch(read=["{library}"], write=["{project}"], deny=["**/.env", "{project}/denied/**", "**/*.pem"])


def _proxied() -> Launch:
    from .attempts.proxy import HOSTS

    launch = _closed()
    launch.network = list(HOSTS)
    return launch


PROFILES = {"closed": _closed, "proxied": _proxied}


def main() -> None:
    """Serve requests until the input ends."""
    configuration, root, setup = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    host: Host | None = None
    for line in sys.stdin:
        request = json.loads(line)
        began = time.monotonic()
        try:
            if host is None:
                host = Host(configuration, root, setup)
            what = request.pop("do")
            answer = {"attempts": sorted(host.attempts)} if what == "open" else getattr(host, what)(**request)
        except Exception:
            log = host.current.errors() if host is not None and host.current is not None else ""
            answer = {"failed": traceback.format_exc() + log}
        answer["seconds"] = time.monotonic() - began
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
    os._exit(0)


if __name__ == "__main__":
    _here = os.path.dirname(os.path.realpath(__file__))
    sys.path.insert(0, os.path.dirname(_here))
    sys.dont_write_bytecode = True
    __import__(f"{os.path.basename(_here)}.host", fromlist=["main"]).main()
