"""The server's own process, from fork to exec: the last restrictions, on the thread that executes; the probes; exec by descriptor."""

from __future__ import annotations

import os
import resource
import signal

from stdioguard.sandbox.linux import kernel, landlock, probes
from stdioguard.sandbox.linux.setup import EVENTS, LEASH, Refused, say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from stdioguard.sandbox.linux.setup import Setup
    from stdioguard.sandbox.plan import Plan

_NEW_LISTENER = 1 << 3
_WAIT_KILLABLE = 1 << 5
_KEYCTL_JOIN_SESSION_KEYRING = 1


def run(setup: Setup, to_init: int, from_init: int) -> NoReturn:
    """Be the server: tell init the number of the filter's listener, wait until it is served, probe, execute. Never returns."""
    plan = setup.plan
    try:
        os.close(LEASH)
        os.close(EVENTS)
        os.setsid()
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
        kernel.prctl(kernel.PR_SET_DUMPABLE, 1)  # init must be able to read the arguments of trapped calls
        try:
            kernel.call("keyctl", _KEYCTL_JOIN_SESSION_KEYRING, None)
        except OSError:
            pass  # a kernel without keys has none to join
        for kind, value in setup.limits:
            hard = resource.getrlimit(kind)[1]
            limit = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(kind, (limit, limit))
        landlock.Ruleset(setup.abi, scopes=landlock.SCOPE_SIGNAL | landlock.SCOPE_ABSTRACT_UNIX).enforce()
        os.umask(setup.umask)
        listener = _load_filters(setup.programs) if setup.programs else -1
        os.write(to_init, str(listener).encode())
        if not os.read(from_init, 1):
            os._exit(70)
        if setup.programs:
            os.close(listener)
        os.close(to_init)
        os.close(from_init)
        found = probes.run(plan, setup.abi, isolated=setup.isolated)
        os.chdir(plan.cwd)
        program = _opened(plan)
        say(ready=found)
        kernel.execute(program, plan.argv, plan.environment)
    except Refused as refusal:
        say(failed=refusal.step, why=str(refusal))
    except probes.Failed as failure:
        say(failed=failure.guarantee, why=str(failure))
    except OSError as error:
        say(errno=error.errno or 5, what=error.filename if isinstance(error.filename, str) else plan.program)
    except BaseException as error:  # noqa: BLE001 - nothing may escape into another copy of the guard
        say(failed="sandbox", why=f"{type(error).__name__}: {error}")
    finally:
        os._exit(127)


def _opened(plan: Plan) -> int:
    """Open what is to be executed, as it is in the view, for execveat(2); it must be what was checked before the launch."""
    descriptor = os.open(plan.program, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)  # openat2(2) is refused by now
    status = os.fstat(descriptor)
    if (status.st_dev, status.st_ino) != plan.program_identity:
        raise Refused("files", f"{plan.program} was replaced after it was checked; start again")
    return descriptor


def _load_filters(programs: list[bytes]) -> int:
    """Install the filters, the one with trapped calls first; return its listener."""
    try:
        listener = kernel.load_filter(programs[0], _NEW_LISTENER | _WAIT_KILLABLE)
    except OSError:
        listener = kernel.load_filter(programs[0], _NEW_LISTENER)  # Linux before 5.19
    for program in programs[1:]:
        kernel.load_filter(program)
    return listener
