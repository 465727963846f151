"""`stdioguard run`: check everything that can be checked before the server exists, then hand over to the relay.

This is the start-up path that a user waits for. It imports what it uses and nothing else; `tests/launch/test_imports.py` holds it to that.
"""

from __future__ import annotations

import gc
import os
import time

from stdioguard import __version__
from stdioguard.guard.session import Session
from stdioguard.launch import child, environment, identity, pins
from stdioguard.launch.errors import CONFIGURATION, REFUSED, LaunchError
from stdioguard.launch.relay import Relay
from stdioguard.ledger import redact
from stdioguard.ledger.record import Record
from stdioguard.policy import load, places
from stdioguard.policy.errors import ProfileError
from stdioguard.sandbox import permissions
from stdioguard.sandbox.grants import GrantRefused
from stdioguard.sandbox.guarantees import ENFORCED
from stdioguard.sandbox.ownership import PermissionRefused
from stdioguard.sandbox.permissions import CommandError
from stdioguard.sandbox.plan import make as make_plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stdioguard.policy.policy import Policy
    from stdioguard.sandbox.plan import Plan


class Options:
    """What the command line asks for. `command` is the server's own command line, not empty."""

    __slots__ = ("client", "command", "environment", "profile", "server", "token_file", "waived")

    def __init__(self, command: list[str]) -> None:
        self.command = command
        self.profile = "default"
        self.server: str | None = None
        self.client: str | None = None
        self.token_file: str | None = None
        self.environment: list[str] = []
        """Variables that the client's entry sets for the server, passed beside those of the profile."""
        self.waived: list[str] = []
        """Guarantees without which the launch goes on."""


def run(options: Options) -> int:
    """Run one guarded session and return the exit code. Every refusal is one line on stderr."""
    try:
        return _run(options)
    except identity.NotAuthenticated as error:
        _say(str(error))
        identity.answer_refusals()
        return error.code
    except LaunchError as error:
        _say(str(error))
        return error.code
    except ProfileError as error:
        _say(str(error))
        return CONFIGURATION
    except CommandError as error:
        _say(str(error))
        return CONFIGURATION
    except (PermissionRefused, GrantRefused) as error:
        _say(str(error))
        return REFUSED
    except OSError as error:
        _say(f"cannot start: {error.strerror or error}: {error.filename or 'the working directory'}")
        return CONFIGURATION
    except Exception as fault:  # noqa: BLE001 - a mistake of the guard's ends the launch, in one line as everything else
        _say(f"cannot go on: {type(fault).__name__} in the guard: {fault}; please report it")
        return REFUSED


def _run(options: Options) -> int:
    _hold_standard_descriptors()
    own = dict(os.environ)
    token = identity.take_token(own)
    umask = os.umask(0o077)
    policy = load.load(options.profile, keep=True)
    name = options.server or (policy.name if options.profile != "default" else os.path.basename(options.command[0]))
    server_environment = environment.for_server(policy, own, options.environment)
    references = None
    if environment.has_references(server_environment, options.command):
        from stdioguard.launch.references import References  # noqa: PLC0415 - where there are some

        references = References(policy, name, options, server_environment, own)
    resolved = permissions.resolve(options.command, server_environment["PATH"], os.getcwd(), environment=own)
    resolved.checker.located(policy.source, "the profile")
    if policy.sandbox["seccomp"] is not None:
        resolved.checker.located(policy.sandbox["seccomp"], "the profile's system-call filter")
    for kind in ("config", "state", "cache"):
        resolved.checker.missing(places.directory(kind), f"stdioguard's own {kind} folder")
    pin = pins.server(policy, resolved)
    try:
        authenticator = identity.authenticator(
            policy, name, only=options.client, token_file=options.token_file, token=token, checker=resolved.checker
        )
    except identity.NotAuthenticated as refusal:
        record = _open_record(policy, options, name, resolved.program, pin)
        record.write([{"event": "identity", "outcome": "refused", "via": "launch", "detail": refusal.why}])
        _close(record, REFUSED, [])
        raise
    server_secret = os.urandom(32).hex() if policy.handshake["server"] else None
    if server_secret is not None:
        server_environment[identity.SERVER_VARIABLE] = server_secret
    if references is not None:
        references.read(resolved)
    plan = _make_plan(policy, resolved, options, name, server_environment, own)
    if references is not None:
        references.reveal(plan, resolved)
    record = _open_record(policy, options, name, resolved.program, pin)
    nonce = os.urandom(5).hex()
    desk = None
    if policy.asks():
        from stdioguard.launch import consent  # noqa: PLC0415 - where a call may have to wait for a person

        desk = consent.desk(policy, pin, nonce, own)
    session = Session(
        policy,
        server_name=name,
        nonce=nonce,
        key=os.urandom(32),
        resolve=os.path.realpath,
        authenticator=authenticator,
        server_secret=server_secret,
        desk=desk,
    )
    child.prepare()
    kept = [*(authenticator.folders() if authenticator is not None else []), *(desk.folders() if desk is not None else [])]
    relay = Relay(session, record, lambda: _start(plan, umask, record, kept), name, desk)
    # Everything up to here lives as long as the session: the collector need not look at it, and the child shares its pages.
    gc.freeze()
    gc.enable()
    status = relay.run()
    code = _exit_code(relay, status)
    if code == 0 and session.state.was_refused and session.state.caller is None:
        _say(f'not authenticated: no client has proved itself to the server "{name}"; see stdioguard client list')
        code = REFUSED
    if relay.left_behind:
        _say(f"processes of the server could not be ended: {', '.join(map(str, relay.left_behind))}; end them by hand")
    _close(record, code, relay.left_behind)
    _remove(plan.tmp)
    return code


def _make_plan(
    policy: Policy,
    resolved: permissions.Resolved,
    options: Options,
    name: str,
    server_environment: dict[str, str],
    own: dict[str, str],
) -> Plan:
    try:
        hidden = [os.path.realpath(options.token_file)] if options.token_file is not None else []
        plan = make_plan(policy, resolved, options.command, name, server_environment, own=own, hidden=hidden)
    except OSError as error:
        why = f"{error.filename or ''} {error.strerror or error}"
        raise LaunchError(REFUSED, f"the server's private folders cannot be made, so it may not run: {why}") from None
    plan.waived = frozenset(options.waived)
    return plan


def _start(plan: Plan, umask: int, record: Record, kept: list[str]) -> child.Child:
    """Start the server, record what is in force, and give up what the guard needs no longer: of folders to write in, it keeps `kept`."""
    started = child.start(plan, umask)
    states = started.states
    record.write(
        [
            {
                "event": "sandbox",
                "configuration": started.configuration,
                "guarantees": {
                    name: {"state": state, "by" if state == ENFORCED else "why": how} for name, (state, how) in states.items()
                },
            }
        ]
    )
    weaker = [f"{name} {state} ({how})" for name, (state, how) in states.items() if state != ENFORCED]
    if weaker:
        _say(f"sandbox: {'; '.join(weaker)}")
    child.confine_guard([os.path.dirname(record.path), os.path.dirname(plan.tmp), *kept])
    return started


def _remove(folder: str) -> None:
    """Remove the session's temporary files. What cannot be removed is removed by nobody: the folder has a name that is not used again."""
    try:
        if os.listdir(folder):
            import shutil  # noqa: PLC0415 - after the session, and only where something was left

            shutil.rmtree(folder, ignore_errors=True)
        else:
            os.rmdir(folder)
    except OSError:
        pass


def _hold_standard_descriptors() -> None:
    """Put /dev/null where a standard descriptor is missing, so that no file of the guard's takes its number and is written to."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free


def _open_record(policy: Policy, options: Options, name: str, program: str, pin: str) -> Record:
    try:
        record = Record(name)
        record.write(
            [
                {
                    "event": "launch",
                    "stdioguard": __version__,
                    "server": name,
                    "program": program,
                    "pin": pin,
                    "command": redact.command(options.command),
                    "profile": {"name": policy.name, "source": policy.source, "sha256": policy.digest},
                    "user": os.getuid(),
                    "parent": os.getppid(),
                }
            ]
        )
    except OSError as error:
        raise LaunchError(
            REFUSED, f"the record cannot be written, so nothing may run: {error.filename or ''} {error.strerror or error}"
        ) from None
    return record


def _exit_code(relay: Relay, status: int | None) -> int:
    if relay.refusal is not None:
        _say(relay.refusal)
        return REFUSED
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
