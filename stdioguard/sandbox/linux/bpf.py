"""Classic BPF, as much as seccomp uses: what goes before libseccomp's program, and what a program answers to a call.

libseccomp cannot compare the number of a call with a bound (seccomp/libseccomp#286), so that "newer than our table" and "the x32 ABI" are
said here, in front of its program. Evaluating is for the check that a compiled filter says what the policy says: libseccomp has had bugs
of that kind (CVE-2019-9893, seccomp/libseccomp#112, #370), and there are many versions of it.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from stdioguard.sandbox.linux.filters import Unavailable, architecture_check

if TYPE_CHECKING:
    from collections.abc import Sequence

Instruction = tuple[int, int, int, int]
"""Code, jump if true, jump if false, operand (`struct sock_filter`)."""

# linux/bpf_common.h
_LOAD = 0x20  # BPF_LD | BPF_W | BPF_ABS
_AND = 0x54  # BPF_ALU | BPF_AND | BPF_K
_JUMP = 0x05  # BPF_JMP | BPF_JA
_EQUAL = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_GREATER = 0x25  # BPF_JMP | BPF_JGT | BPF_K
_GREATER_OR_EQUAL = 0x35  # BPF_JMP | BPF_JGE | BPF_K
_BITS_SET = 0x45  # BPF_JMP | BPF_JSET | BPF_K
_RETURN = 0x06  # BPF_RET | BPF_K

_KILL_PROCESS = 0x80000000
_ENOSYS = 0x00050026
_X32_BIT = 0x40000000
_SKIPPED = 0xFFFFFFFF
_DATA = struct.Struct("<IIQ6Q")  # struct seccomp_data


def prologue(machine: str, last: int | None) -> bytes:
    """Return what goes before a program: other architectures and x32 kill the process, numbers above `last` are ENOSYS.

    -1 is no call, but what a debugger writes to have one skipped; killing for it would help nobody.
    """
    lines: list[Instruction] = [(_LOAD, 0, 0, 0)]
    if machine == "x86_64":
        lines += [
            (_GREATER_OR_EQUAL, 0, 3, _X32_BIT),
            (_EQUAL, 0, 1, _SKIPPED),
            (_RETURN, 0, 0, _ENOSYS),
            (_RETURN, 0, 0, _KILL_PROCESS),
        ]
    if last is not None:
        lines += [(_GREATER, 0, 1, last), (_RETURN, 0, 0, _ENOSYS)]
    return architecture_check(machine) + b"".join(struct.pack("<HBBI", *line) for line in lines)


def instructions(program: bytes) -> list[Instruction]:
    """Return the instructions of a program."""
    return [(code, yes, no, operand) for code, yes, no, operand in struct.iter_unpack("<HBBI", program)]


def evaluate(program: Sequence[Instruction], architecture: int, number: int, arguments: Sequence[int]) -> int:
    """Return the action that a program answers to a call. Raises `Unavailable` for an instruction that no filter of ours has."""
    data = _DATA.pack(number & 0xFFFFFFFF, architecture, 0, *arguments)
    at = 0
    register = 0
    while True:
        code, yes, no, operand = program[at]
        at += 1
        if code == _LOAD:
            register = int.from_bytes(data[operand : operand + 4], "little")
        elif code == _EQUAL:
            at += yes if register == operand else no
        elif code == _GREATER_OR_EQUAL:
            at += yes if register >= operand else no
        elif code == _GREATER:
            at += yes if register > operand else no
        elif code == _BITS_SET:
            at += yes if register & operand else no
        elif code == _AND:
            register &= operand
        elif code == _JUMP:
            at += operand
        elif code == _RETURN:
            return operand
        else:
            raise Unavailable(
                f"libseccomp made a filter with an instruction ({code:#x}) that cannot be checked; report it with its version"
            )
