"""Request states that only one session can have written: encrypted, authenticated, for one use, until a deadline.

A 2026-07-28 client carries `requestState` for the server between two requests and may do with it what it likes, so the server must
protect it (2026-07-28, basic/utilities/mrtr). The key lives as long as the session; nonces are counted, which is safe
under a key that is never used again (NIST SP 800-38D, 8.2.1).
"""

from __future__ import annotations

from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64

from stdioguard.wire import strict_json
from stdioguard.wire.errors import MalformedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LIFETIME = 600.0
"""Seconds for which a state can be redeemed."""

MAX_OUTSTANDING = 1024
_PREFIX = "sg1."
_PURPOSE = b"stdioguard request state"


class Sealer:
    """Seal values, and open each of them at most once."""

    def __init__(self, key: bytes) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - loaded when a person is asked

        self._cipher = AESGCM(key)
        self._count = 0
        self._deadlines: dict[int, float] = {}

    def seal(self, value: Any, now: float) -> str:
        """Return `value` (JSON) as an opaque text that `redeem` takes back once, within `LIFETIME`."""
        self._count += 1
        self._deadlines[self._count] = now + LIFETIME
        while len(self._deadlines) > MAX_OUTSTANDING:
            self._deadlines.pop(next(iter(self._deadlines)))
        nonce = self._count.to_bytes(12, "big")
        sealed = self._cipher.encrypt(nonce, strict_json.encode(value).encode("ascii"), _PURPOSE)
        return _text(nonce + sealed)

    def outstanding(self, now: float) -> int:
        """Return how many states can still be redeemed."""
        for count in [count for count, deadline in self._deadlines.items() if now > deadline]:
            del self._deadlines[count]
        return len(self._deadlines)

    def redeem(self, text: str, now: float) -> Any:
        """Return the sealed value. Raises `ValueError` for what was not sealed here, was redeemed before, or has expired."""
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415

        if not text.startswith(_PREFIX) or not text.isascii():
            raise ValueError("not a state that the session gave out")
        try:
            raw = a2b_base64(text[len(_PREFIX) :].replace("-", "+").replace("_", "/"), strict_mode=True)
            if len(raw) < 28 or _text(raw) != text:  # one sealed value has one text: base64 itself reads several
                raise ValueError("not a state that the session gave out")
            value = strict_json.decode(self._cipher.decrypt(raw[:12], raw[12:], _PURPOSE))
        except (InvalidTag, Base64Error, MalformedError):
            raise ValueError("not a state that the session gave out") from None
        deadline = self._deadlines.pop(int.from_bytes(raw[:12], "big"), None)
        if deadline is None:
            raise ValueError("used before, or expired")
        if now > deadline:
            raise ValueError("expired")
        return value


def _text(raw: bytes) -> str:
    return _PREFIX + b2a_base64(raw, newline=False).decode("ascii").replace("+", "-").replace("/", "_")
