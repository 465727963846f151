"""A seccomp profile in the OCI format, as runc and Docker read it, as a second filter beside ours.

The format is that of the OCI runtime specification (`linux.seccomp` in config-linux.md) with Docker's additions: `archMap`, `includes` and
`excludes`. The rules are runc's: a name that nobody knows is skipped, conditions on one argument twice are alternatives, and a call that
is newer than every call the profile names is answered with ENOSYS unless the profile allows by default. Two things differ, both to the
strict side: an unknown key or name that would refuse something is an error, and `SCMP_ACT_NOTIFY` is one, because the newest listener is
asked first and could answer for ours. A call must pass both filters, so a profile can take away and never give.

Capabilities in `includes` and `excludes` are judged for a process that has none, which is what a server is.
"""

from __future__ import annotations

import errno
import os
import re
from typing import TYPE_CHECKING

from stdioguard.sandbox.linux import bpf, compiler, libseccomp, syscalls, trapped
from stdioguard.sandbox.linux.filters import Unavailable, WrongProfile
from stdioguard.wire import strict_json
from stdioguard.wire.errors import MalformedError

if TYPE_CHECKING:
    from typing import Any

_ACTIONS = {
    "SCMP_ACT_ALLOW": syscalls.ALLOW,
    "SCMP_ACT_LOG": 0x7FFC0000,
    "SCMP_ACT_TRACE": 0x7FF00000,
    "SCMP_ACT_ERRNO": 0x00050000,
    "SCMP_ACT_TRAP": 0x00030000,
    "SCMP_ACT_KILL": 0x00000000,
    "SCMP_ACT_KILL_THREAD": 0x00000000,
    "SCMP_ACT_KILL_PROCESS": syscalls.KILL_PROCESS,
}
_WITH_NUMBER = ("SCMP_ACT_ERRNO", "SCMP_ACT_TRACE")
_PERMISSIVE = ("SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRACE")
_OPERATORS = {
    "SCMP_CMP_NE": libseccomp.NE,
    "SCMP_CMP_LT": libseccomp.LT,
    "SCMP_CMP_LE": libseccomp.LE,
    "SCMP_CMP_EQ": libseccomp.EQ,
    "SCMP_CMP_GE": libseccomp.GE,
    "SCMP_CMP_GT": libseccomp.GT,
    "SCMP_CMP_MASKED_EQ": libseccomp.MASKED_EQ,
}
_FLAGS = {
    "SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
}  # fmt: skip
"""Known, and without effect here: a launch has one thread, and the others are about logging, speculation and listeners."""
_GO_NAMES = {"x86_64": "amd64", "aarch64": "arm64"}
_LARGEST_ERRNO = 4095

_KEYS = {"comment", "defaultAction", "defaultErrnoRet", "architectures", "archMap", "flags", "syscalls"}
_CALL_KEYS = {"comment", "names", "name", "action", "errnoRet", "args", "includes", "excludes"}
_ARGUMENT_KEYS = {"index", "value", "valueTwo", "op"}
_CONDITION_KEYS = {"caps", "arches", "minKernel"}
_LISTENER = "stdioguard is the listener of this sandbox; remove it"


class _At(Exception):  # noqa: N818 - a mistake on its way to the place that knows the file
    def __init__(self, key: str, problem: str) -> None:
        super().__init__(problem)
        self.key = key
        self.problem = problem


def compile_profile(text: bytes, file: str, machine: str) -> tuple[bytes, str | None]:
    """Return the filter of the profile `text`, and the file of the library that compiled it. `file` is its name in messages.

    Raises `WrongProfile`, and `Unavailable` where there is no library.
    """
    library = libseccomp.Library()
    try:
        profile = strict_json.decode(b" ".join(text.split(b"\r\n")))
        return _compiled(library, _object(profile, "", _KEYS), machine), library.path()
    except MalformedError as error:
        raise WrongProfile(file, "", f"not JSON: {error.detail}") from None
    except _At as mistake:
        raise WrongProfile(file, mistake.key, mistake.problem) from None


def _compiled(library: libseccomp.Library, profile: dict[str, Any], machine: str) -> bytes:
    if "defaultAction" not in profile:
        raise _At("defaultAction", "is missing; SCMP_ACT_ERRNO refuses what the profile does not name")
    default_name = profile["defaultAction"]
    default = _action(default_name, profile.get("defaultErrnoRet"), "defaultAction", "defaultErrnoRet")
    _check_architectures(profile)
    for flag in _list(profile.get("flags"), "flags", str):
        if flag not in _FLAGS:
            raise _At("flags", f'"{flag}" is not known; known: {", ".join(sorted(_FLAGS))}')
    filter_ = library.filter(default, syscalls.KILL_PROCESS, trapped.AUDIT_ARCH[machine])
    last = 0
    for position, call in enumerate(_list(profile.get("syscalls"), "syscalls", dict)):
        at = f"syscalls[{position}]"
        _object(call, at, _CALL_KEYS)
        names, action = _names(call, at), _action(call.get("action"), call.get("errnoRet"), f"{at}.action", f"{at}.errnoRet")
        alternatives = _conditions(call, at)
        if not _applies(call, at, machine):
            continue
        for name in names:
            number = _number(
                library, name, machine, at, must_exist=default_name in _PERMISSIVE and call["action"] not in _PERMISSIVE
            )
            if number is None:
                continue
            last = max(last, number)
            if action == default:
                continue  # as runc does; libseccomp takes it for a mistake
            for conditions in alternatives:
                try:
                    filter_.add(action, number, conditions, name)
                except Unavailable as error:
                    raise _At(at, f"{error}; is the call named twice with different actions?") from None
    unknown_passes = default_name in _PERMISSIVE or default == syscalls.error(errno.ENOSYS) or not last
    program = bpf.prologue(machine, None if unknown_passes else last) + filter_.program()
    if len(program) > 8 * 4096:
        raise _At("syscalls", "the rules make more than 4096 instructions, which is the kernel's limit; use fewer conditions")
    return program


def _number(library: libseccomp.Library, name: str, machine: str, at: str, *, must_exist: bool) -> int | None:
    try:
        return compiler.number_of(library, name, machine)
    except Unavailable:
        if must_exist:
            raise _At(f"{at}.names", f'"{name}" is not known, so it would not be refused; correct it or remove it') from None
        return None  # newer than this libseccomp: it stays refused


def _action(name: Any, number: Any, at: str, number_at: str) -> int:
    if name == "SCMP_ACT_NOTIFY":
        raise _At(at, f"SCMP_ACT_NOTIFY: {_LISTENER}")
    if not isinstance(name, str) or name not in _ACTIONS:
        raise _At(at, f"expected one of {', '.join(_ACTIONS)}, got {name!a:.40}")
    if number is None:
        return _ACTIONS[name] | (errno.EPERM if name in _WITH_NUMBER else 0)
    if name not in _WITH_NUMBER:
        raise _At(number_at, f"only {' and '.join(_WITH_NUMBER)} have a number")
    return _ACTIONS[name] | _integer(number, number_at, _LARGEST_ERRNO)


def _names(call: dict[str, Any], at: str) -> list[str]:
    if call.get("name") and call.get("names"):
        raise _At(f"{at}.name", "name and names exclude each other; keep names")
    names: list[str] = _list(call.get("names"), f"{at}.names", str) or _list([call.get("name")], f"{at}.names", str)
    for name in names:
        if not re.fullmatch(r"[a-z0-9_]{1,64}", name):
            raise _At(f"{at}.names", f"{name!a:.40} is not the name of a system call")
    return names


def _conditions(call: dict[str, Any], at: str) -> list[list[tuple[int, int, int, int]]]:
    """Return the alternatives, each a list of what must hold together."""
    conditions: list[tuple[int, int, int, int]] = []
    for position, argument in enumerate(_list(call.get("args"), f"{at}.args", dict)):
        here = f"{at}.args[{position}]"
        _object(argument, here, _ARGUMENT_KEYS)
        operator = argument.get("op")
        if not isinstance(operator, str) or operator not in _OPERATORS:
            raise _At(f"{here}.op", f"expected one of {', '.join(_OPERATORS)}, got {operator!a:.40}")
        index = _integer(argument.get("index"), f"{here}.index", 5)
        first = _integer(argument.get("value"), f"{here}.value", (1 << 64) - 1)
        second = _integer(argument.get("valueTwo") or 0, f"{here}.valueTwo", (1 << 64) - 1)
        conditions.append((index, _OPERATORS[operator], first, second))
    if len({index for index, *_ in conditions}) < len(conditions):
        return [[condition] for condition in conditions]
    return [conditions]


def _applies(call: dict[str, Any], at: str, machine: str) -> bool:
    """Tell whether an entry is for this machine, this kernel and a process without capabilities, as Docker decides it."""
    verdict = True
    for key, wanted in (("includes", True), ("excludes", False)):
        here = f"{at}.{key}"
        condition = _object(call.get(key) or {}, here, _CONDITION_KEYS)
        capabilities = _list(condition.get("caps"), f"{here}.caps", str)
        arches = _list(condition.get("arches"), f"{here}.arches", str)
        oldest = condition.get("minKernel")
        if capabilities and wanted:
            verdict = False
        if arches and (_GO_NAMES[machine] in arches) is not wanted:
            verdict = False
        if oldest is not None and _kernel_is_at_least(oldest, f"{here}.minKernel") is not wanted:
            verdict = False
    return verdict


def _kernel_is_at_least(version: Any, at: str) -> bool:
    found = re.fullmatch(r"(\d{1,4})\.(\d{1,4})", version) if isinstance(version, str) else None
    if found is None:
        raise _At(at, f'expected a version such as "4.8", got {version!a:.40}')
    here = re.match(r"(\d+)\.(\d+)", os.uname().release)
    return here is not None and (int(here[1]), int(here[2])) >= (int(found[1]), int(found[2]))


def _check_architectures(profile: dict[str, Any]) -> None:
    """Look only at the form: a call of another architecture than the machine's own never gets this far."""
    named = _list(profile.get("architectures"), "architectures", str)
    for position, entry in enumerate(_list(profile.get("archMap"), "archMap", dict)):
        _object(entry, f"archMap[{position}]", {"architecture", "subArchitectures"})
        if named:
            raise _At("archMap", "architectures and archMap exclude each other; keep one")
        _list(entry.get("subArchitectures"), f"archMap[{position}].subArchitectures", str)
    for name in named:
        if not name.startswith("SCMP_ARCH_"):
            raise _At("architectures", f'"{name}" is not an architecture, such as SCMP_ARCH_X86_64')


def _object(value: Any, at: str, known: set[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _At(at, "expected an object")
    for key in value:
        if key in ("listenerPath", "listenerMetadata") and not at:
            raise _At(key, _LISTENER)
        if key not in known:
            raise _At(f"{at}.{key}" if at else key, f"unknown key; known: {', '.join(sorted(known))}")
    return value


def _list(value: Any, at: str, kind: type) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(member, kind) for member in value):
        raise _At(at, f"expected a list of {'texts' if kind is str else 'objects'}")
    return value


def _integer(value: Any, at: str, largest: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= largest:
        raise _At(at, f"expected a whole number from 0 to {largest}, got {value!a:.40}")
    return value
