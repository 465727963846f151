"""`stdioguard run`: check everything that can be checked before the server exists, then hand over to the relay.

This is the start-up path that a user waits for. It imports what it uses and nothing else; `tests/launch/test_imports.py` holds it to that.
"""

from __future__ import annotations

import gc
import os
import time

from stdioguard import __version__
from stdioguard.guard.display import visible
from stdioguard.guard.session import Session
from stdioguard.launch import child, environment
from stdioguard.launch.errors import CONFIGURATION, REFUSED, LaunchError
from stdioguard.launch.relay import Relay
from stdioguard.ledger import redact
from stdioguard.ledger.record import Record
from stdioguard.policy import load, places, variables
from stdioguard.policy.errors import ProfileError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stdioguard.policy.policy import Policy

NO_SANDBOX = "no OS sandbox is applied: the server has all your files and your network"


class Options:
    """What the command line asks for. `command` is the server's own command line, not empty."""

    __slots__ = ("client", "command", "profile", "server", "token_file")

    def __init__(self, command: list[str]) -> None:
        self.command = command
        self.profile = "default"
        self.server: str | None = None
        self.client: str | None = None
        self.token_file: str | None = None


def run(options: Options) -> int:
    """Run one guarded session and return the exit code. Every refusal is one line on stderr."""
    try:
        return _run(options)
    except LaunchError as error:
        _say(str(error))
        return error.code
    except ProfileError as error:
        _say(str(error))
        return CONFIGURATION
    except OSError as error:
        _say(f"cannot start: {error.strerror or error}: {error.filename or 'the working directory'}")
        return CONFIGURATION


def _run(options: Options) -> int:
    _hold_standard_descriptors()
    own = dict(os.environ)
    own.pop("STDIOGUARD_TOKEN", None)
    umask = os.umask(0o077)
    policy = load.load(options.profile)
    _check_identity(options, policy)
    name = options.server or (policy.name if options.profile != "default" else os.path.basename(options.command[0]))
    server_environment = environment.for_server(policy, own)
    program = _program(options.command[0], server_environment["PATH"])
    _expand(policy, options.command, name)
    wanted = child.limits(policy.sandbox["memory"], policy.sandbox["processes"])
    record = _open_record(policy, options, name, program)
    session = Session(policy, server_name=name, nonce=os.urandom(5).hex(), key=os.urandom(32), resolve=os.path.realpath)
    _say(NO_SANDBOX)
    child.adopt_orphans()
    relay = Relay(session, record, lambda: child.start(program, options.command, server_environment, wanted, umask), name)
    # Everything up to here lives as long as the session: the collector need not look at it, and the child shares its pages.
    gc.freeze()
    gc.enable()
    status = relay.run()
    code = _exit_code(relay, status)
    if relay.left_behind:
        _say(f"processes of the server could not be ended: {', '.join(map(str, relay.left_behind))}; end them by hand")
    _close(record, code, relay.left_behind)
    return code


def _hold_standard_descriptors() -> None:
    """Put /dev/null where a standard descriptor is missing, so that no file of the guard's takes its number and is written to."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free


def _check_identity(options: Options, policy: Policy) -> None:
    """Refuse what asks for a proof of identity: this version has none to give or to take, and silence would be a promise."""
    for asked, what in (
        (options.client is not None, "--client"),
        (options.token_file is not None, "--token-file"),
        (policy.handshake["client"] == "required", f'[handshake] client = "required" in {policy.source}'),
        (policy.handshake["server"], f"[handshake] server = true in {policy.source}"),
    ):
        if asked:
            raise LaunchError(REFUSED, f"{what}: client identity cannot be checked in this version; remove it to run without")


def _program(name: str, path: str) -> str:
    """Return the absolute path of the program that the server's command names."""
    folders = [os.getcwd()] if "/" in name else [folder for folder in path.split(":") if folder]
    for folder in folders:
        candidate = os.path.join(folder, name)
        if os.path.isfile(candidate) and os.access(candidate, os.X_OK):
            return candidate
    where = "it is not there, or not for this user to run" if "/" in name else "it is in no folder of PATH"
    raise LaunchError(CONFIGURATION, f"cannot run {visible(name)}: {where}; give its absolute path or install it")


def _expand(policy: Policy, command: list[str], name: str) -> None:
    """Put this launch's paths in place of the profile's variables."""
    safe = "".join(char if (char.isalnum() and char.isascii()) or char in "-_." else "_" for char in name)[:64]
    private = os.path.join(places.directory("state"), "servers", safe)
    values = {
        "HOME": [os.path.expanduser("~")],
        "CWD": [os.getcwd()],
        "ARG_PATHS": variables.argument_paths(command, os.getcwd()),
        "STATE": [os.path.join(private, "state")],
        "CACHE": [os.path.join(places.directory("cache"), "servers", safe)],
        "TMP": [os.path.join(private, "tmp")],
    }
    for entries in policy.path_lists():
        for entry in entries:
            for reference in ("STATE", "CACHE", "TMP"):
                if f"${{{reference}}}" in entry:
                    places.private_directory(values[reference][0])
        entries[:] = variables.expand(entries, values)
        if entries is not policy.sandbox["deny"]:
            # What is compared with these is resolved, so they are too; a deny entry may be a pattern.
            entries[:] = [os.path.realpath(entry) for entry in entries]


def _open_record(policy: Policy, options: Options, name: str, program: str) -> Record:
    try:
        record = Record(name)
        record.write(
            [
                {
                    "event": "launch",
                    "stdioguard": __version__,
                    "server": name,
                    "program": program,
                    "command": redact.command(options.command),
                    "profile": {"name": policy.name, "source": policy.source, "sha256": policy.digest},
                    "user": os.getuid(),
                    "parent": os.getppid(),
                    "sandbox": "none",
                    "detail": NO_SANDBOX,
                }
            ]
        )
    except OSError as error:
        raise LaunchError(
            REFUSED, f"the record cannot be written, so nothing may run: {error.filename or ''} {error.strerror or error}"
        ) from None
    return record


def _exit_code(relay: Relay, status: int | None) -> int:
    if relay.spawn_error is not None:
        _say(f"the server could not be started: {relay.spawn_error.strerror}: {relay.spawn_error.filename}; check its command")
        return CONFIGURATION
    if relay.failure is not None:
        _say(f"session ended: {relay.failure}")
        return REFUSED
    if status is None:
        return 0
    code = os.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code


def _close(record: Record, code: int, left_behind: list[int]) -> None:
    try:
        record.write([{"event": "end", "exit": code} | ({"left": left_behind} if left_behind else {})])
    except OSError:
        pass  # what happened is on record; that it ended is told by there being no more
    record.close()


def _say(text: str) -> None:
    try:
        os.write(2, f"stdioguard: {' '.join(text.split())}\n".encode("utf-8", "backslashreplace"))
    except OSError:
        time.sleep(0)  # nobody listens; the exit code says it too
