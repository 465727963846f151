"""Time spans as people write them: a number and a unit, `30s`, `15m`, `12h`, `90d`, `2w`."""

from __future__ import annotations

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def seconds(text: str) -> int:
    """Return the seconds of a time span. Raises `ValueError`, in words for people."""
    number, unit = text[:-1], text[-1:]
    if unit not in _UNITS or not (number.isascii() and number.isdigit()) or len(number) > 6:
        raise ValueError(f"{text!a} is no time span; write a number and s, m, h, d or w, such as 30m or 90d")
    return int(number) * _UNITS[unit]
