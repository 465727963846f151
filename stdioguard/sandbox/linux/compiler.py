"""From the policy to a program, by libseccomp, and the check that the one says what the other says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stdioguard.sandbox.linux import bpf, libseccomp, syscalls, trapped
from stdioguard.sandbox.linux.filters import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.sandbox.linux.filters import Options
    from stdioguard.sandbox.linux.syscalls import Rule

_ALL_ONES = (1 << 64) - 1


def policy(options: Options) -> tuple[bytes, str | None]:
    """Return the filter that `options` describe, and the file of the library that compiled it. Raises `Unavailable`."""
    library = libseccomp.Library()
    architecture = trapped.AUDIT_ARCH[options.machine]
    filter_ = library.filter(syscalls.DEFAULT, syscalls.KILL_PROCESS, architecture)
    calls: dict[int, list[Rule]] = {}
    for rule in syscalls.rules(options):
        name, action, conditions = rule
        number = number_of(library, name, options.machine)
        if number is None:
            continue  # a call that this machine does not have
        calls.setdefault(number, []).append(rule)
        if action != syscalls.DEFAULT:  # it says nothing new, and libseccomp takes it for a mistake
            filter_.add(action, number, [(at, libseccomp.MASKED_EQ, mask, value) for at, mask, value in conditions], name)
    program = bpf.prologue(options.machine, syscalls.LAST) + filter_.program()
    _check(program, architecture, calls)
    return program, library.path()


def number_of(library: libseccomp.Library, name: str, machine: str) -> int | None:
    """Return the number of a call on `machine`, or `None` where it has none. Raises `Unavailable` for a name that nobody knows."""
    if name in syscalls.NEW:
        return syscalls.NEW[name]
    if name in syscalls.NEW_ON_X86_64:
        return syscalls.NEW_ON_X86_64[name] if machine == "x86_64" else None
    number = library.number(name)
    if number is None:
        raise Unavailable(f"{libseccomp.NAME} does not know the system call {name}; upgrade libseccomp")
    return number if number >= 0 else None


def decide(rules: list[Rule], arguments: tuple[int, ...]) -> int:
    """Return what the policy says of a call with these arguments; `rules` are those of the call. This is the policy's meaning."""
    for _, action, conditions in rules:
        if all(arguments[at] & mask == value for at, mask, value in conditions):
            return action
    return syscalls.DEFAULT


def _check(program: bytes, architecture: int, calls: dict[int, list[Rule]]) -> None:
    """Ask the program about every call of the policy, with arguments that meet each condition in turn and others that meet none."""
    lines = bpf.instructions(program)
    for number in range(-1, syscalls.LAST + 3):
        rules = calls.get(number, [])
        for arguments in _witnesses(rules):
            wanted = decide(rules, arguments) if 0 <= number <= syscalls.LAST else syscalls.UNKNOWN
            if bpf.evaluate(lines, architecture, number, arguments) != wanted:
                name = rules[0][0] if rules else str(number)
                raise Unavailable(
                    f"{libseccomp.NAME} compiled {name} wrongly; upgrade libseccomp, and report it with the version of both"
                )
    for foreign, number in ((0, 0), (0x40000003, 1), (architecture, 0x40000000)):
        if foreign == architecture != trapped.AUDIT_ARCH["x86_64"]:
            continue
        if bpf.evaluate(lines, foreign, number, (0,) * 6) != syscalls.KILL_PROCESS:
            raise Unavailable(f"{libseccomp.NAME} lets calls of another architecture pass; upgrade libseccomp, and report it")


def _witnesses(rules: list[Rule]) -> Iterator[tuple[int, ...]]:
    """Yield arguments: all bits off, all on, and for each rule those that meet it with all other bits off and on, and just miss it."""
    for rest in (0, _ALL_ONES):
        yield (rest,) * 6
        for _, _, conditions in rules:
            if not conditions:
                continue
            arguments = [rest] * 6
            for at, mask, value in conditions:
                arguments[at] = arguments[at] & ~mask | value
            yield tuple(arguments)
            for at, mask, _ in conditions:
                for bit in {mask & -mask, 1 << mask.bit_length() - 1}:
                    yield (*arguments[:at], arguments[at] ^ bit, *arguments[at + 1 :])
