"""Instructions in a code that a model reads and a person does not: base64, hex, percent, entities, rot13, reversed, spaced, leetspeak.

What looks encoded is decoded and judged by the same rules; what it says counts, not that it is encoded.
"""

from __future__ import annotations

from binascii import Error, a2b_base64

from stdioguard.definitions.findings import HIGH, LOW, MEDIUM, Finding
from stdioguard.definitions.folding import BREAK
from stdioguard.definitions.patterns import Raw
from stdioguard.definitions.rules.interface import MOST, Rule
from stdioguard.definitions.surface import JOINED, NAME, PROPERTY, PROSE, Text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.definitions.surface import Definition

SLUG = "encoded-text"

_BASE64 = Raw(r"(?<![\w+/=-])[A-Za-z0-9+/_-]{20,20000}={0,2}(?![\w+/=])")
_HEX = Raw(r"(?<![0-9A-Za-z])(?:0x)?(?:[0-9a-fA-F]{2}[ :,]?){12,8000}(?![0-9A-Za-z])")
_PERCENT = Raw(r"(?:%[0-9a-fA-F]{2}|[A-Za-z0-9.~_+/-]{1,40}(?=%)){6,4000}(?:[A-Za-z0-9]{0,40})")
_ESCAPES = Raw(r"(?:\\(?:x[0-9a-fA-F]{2}|u\{?[0-9a-fA-F]{4}\}?|[0-7]{3})\s?){5,4000}")
_ENTITIES = Raw(r"(?:&#(?:x[0-9a-fA-F]{2,5}|\d{2,6});?\s?){5,4000}")
_DECIMALS = Raw(r"(?<![\d.])(?:\d{2,3}[ ,;]{1,3}){8,4000}\d{2,3}(?![\d.])")
_BINARY = Raw(r"(?:[01]{8}[ ,]?){5,4000}")
_SPACED = Raw(r"(?<![A-Za-z0-9])(?:[A-Za-z][ .\-_*|]{1,3}){9,2000}[A-Za-z](?![A-Za-z0-9])")
_WORD = Raw(r"[A-Za-z]{2,30}")
_ANY_WORD = Raw(r"[a-z0-9@$!]{3,24}")
_LEET = str.maketrans("013457@$!", "oieastasi")
_LEET_WORD = Raw(r"(?<!\w)(?=[a-z]{0,20}[0134578@$!])(?=[0134578@$!]{0,6}[a-z])[a-z0134578@$!]{3,24}(?!\w)")
_ROT13 = str.maketrans("abcdefghijklmnopqrstuvwxyz", "nopqrstuvwxyzabcdefghijklm")
_ROT13_TELLS = Raw(
    r"(?<!\w)(?:gur|naq|lbh|sebz|jvgu|guvf|vg|bs|gbby|zhfg|orsber|nyy|vtaber|qvfertneq|cerivbhf|vafgehpgvbaf|vafgehpgvba|frperg|"
    r"cnffjbeq|hfre|flfgrz|cebzcg|ernq|fraq|svyr)(?!\w)"
)
_REVERSED_TELLS = Raw(
    r"(?<!\w)(?:erongi|dragersid|suoiverp|snoitcurtsni|noitcurtsni|terces|drowssap|resu|metsys|tpmorp|daer|dnes|elif|eht|dna|"
    r"siht|morf|htiw|uoy|loot|tsum|erofeb|lla)(?!\w)"
)


def _text(text: Text, definition: Definition) -> Iterator[Finding]:
    if text.kind in {NAME, JOINED} or len(text.raw) < 12:
        return
    count = 0
    for how, start, end, said in _candidates(text):
        found = _judged(text, start, end, how, said, definition)
        if found is not None:
            yield found
            count += 1
            if count >= MOST:
                return


def _judged(text: Text, start: int, end: int, how: str, said: str, definition: Definition) -> Finding | None:
    from stdioguard.definitions.rules import TEXT_RULES  # noqa: PLC0415 - the list has this rule in it

    inner = Text(None, "", PROSE, said[:4000].replace(BREAK, "."))
    hits = [found for rule in TEXT_RULES if rule.text is not None and rule.slug != SLUG for found in rule.text(inner, definition)]
    if how == "leetspeak":  # the rest of the text is judged as it is; here only what the digits spell counts
        plain = text.folded.text[:4000]
        hits = [found for found in hits if plain[slice(*found.span)].count(BREAK) < 9 and _changed(plain, said, found.span)]
    span = (text.base + start, text.base + end)
    if any(found.flags for found in hits):
        worst = next(found for found in hits if found.flags)
        return Finding(SLUG, HIGH, HIGH, text.where, span, f"{how} that {worst.message}", said)
    words = sum(1 for _ in _WORD.finditer(said[:4000]))
    if how in {"base64", "hexadecimal", "character codes", "binary digits"} and words >= 4 and " " in said.strip():
        return Finding(SLUG, MEDIUM, MEDIUM if hits or words >= 6 else LOW, text.where, span, f"a readable text in {how}", said)
    tells = {"rot13": _ROT13_TELLS, "reversed letters": _REVERSED_TELLS, "leetspeak": _LEET_WORD}.get(how)
    if (
        tells is not None
        and sum(1 for _ in tells.finditer(text.folded.text[:4000])) >= (5 if how != "leetspeak" else 8)
        and _mostly(text, how)
    ):
        return Finding(SLUG, MEDIUM, MEDIUM, text.where, span, f"a readable text in {how}", said)
    return None


def _mostly(text: Text, how: str) -> bool:
    """Tell whether leetspeak is how a good part of a text is written; digits in words have other reasons."""
    if how != "leetspeak":
        return True
    words = _ANY_WORD.compiled.findall(text.folded.text[:4000])
    spelled = sum(1 for word in words if any(char.isdigit() for char in word) and word.translate(_LEET).isalpha())
    return spelled * 3 >= len(words)


def _changed(plain: str, said: str, span: tuple[int, int]) -> bool:
    """Tell whether words in a span, of three letters or more, are what they are by their digits only."""
    pairs = zip(plain[slice(*span)], said[slice(*span)], strict=False)
    return sum(one not in (two, BREAK) for one, two in pairs) >= 3


def _candidates(text: Text) -> Iterator[tuple[str, int, int, str]]:
    """Find what may be encoded: how, from and to in the text, and what it says."""
    raw = text.raw
    for match in _BASE64.finditer(raw):
        said = _of_bytes(_base64(match[0]))
        if said is not None:
            yield "base64", *match.span(), said
    for match in _HEX.finditer(raw):
        digits = "".join(char for char in match[0].removeprefix("0x") if char.isalnum())
        said = _of_bytes(bytes.fromhex(digits[: len(digits) // 2 * 2]))
        if said is not None:
            yield "hexadecimal", *match.span(), said
    if "%" in raw:
        for match in _PERCENT.finditer(raw):
            from urllib.parse import unquote_plus  # noqa: PLC0415 - only where there is something to decode

            yield "percent encoding", *match.span(), unquote_plus(match[0])
    if "\\" in raw:
        for match in _ESCAPES.finditer(raw):
            codes = [part.strip("{} ") for part in match[0].split("\\") if part.strip()]
            yield (
                "escapes",
                *match.span(),
                "".join(_char(int(part[1:].strip("{}"), 16) if part[0] in "xu" else int(part, 8)) for part in codes),
            )
    if "&#" in raw:
        for match in _ENTITIES.finditer(raw):
            codes = [part.strip("; ") for part in match[0].split("&#") if part.strip()]
            yield "entities", *match.span(), "".join(_char(int(part[1:], 16) if part[0] == "x" else int(part)) for part in codes)
    for match in _BINARY.finditer(raw):
        digits = match[0].replace(" ", "").replace(",", "")
        said = _of_bytes(bytes(int(digits[at : at + 8], 2) for at in range(0, len(digits) - 7, 8)))
        if said is not None:
            yield "binary digits", *match.span(), said
    for match in _DECIMALS.finditer(raw):
        codes = match[0].replace(",", " ").replace(";", " ").split()
        said = _of_bytes(bytes(code for part in codes if (code := int(part)) < 256))
        if said is not None:
            yield "character codes", *match.span(), said
    for match in _SPACED.finditer(raw):
        wide = "".join("\x00" if len(part) > 1 or part in "|_" else "" if part in " .-_*" else part for part in _pieces(match[0]))
        yield (
            "spaced letters",
            *match.span(),
            wide.replace("\x00", " ") if "\x00" in wide else _split_words("".join(filter(str.isalpha, match[0])).lower()),
        )
    plain = text.folded.text
    if len(list(_ROT13_TELLS.finditer(plain))) >= 2:
        yield "rot13", 0, len(raw), plain.translate(_ROT13)
    if len(list(_REVERSED_TELLS.finditer(plain))) >= 2:
        yield "reversed letters", 0, len(raw), plain[::-1]
    leet = list(_LEET_WORD.finditer(plain))
    if len(leet) >= 2 and text.kind != PROPERTY:
        yield "leetspeak", 0, len(raw), plain.translate(_LEET)


def _pieces(spaced: str) -> Iterator[str]:
    """Split spaced letters into letters and what is between them."""
    start = 0
    while start < len(spaced):
        end = start + 1
        if not spaced[start].isalpha():
            while end < len(spaced) and not spaced[end].isalpha():
                end += 1
        yield spaced[start:end]
        start = end


_VOCABULARY = (
    "ignore", "disregard", "previous", "instructions", "instruction", "all", "the", "and", "your", "system", "prompt", "read",
    "send", "file", "files", "secret", "password", "to", "user", "do", "not", "tell", "any", "contents", "content", "of", "api",
    "key", "keys", "ssh", "before", "using", "this", "tool", "call", "always", "reveal", "forward", "pass", "as",
)  # fmt: skip


def _split_words(letters: str) -> str:
    """Put spaces into letters that were spaced evenly, by the words that would matter."""
    out, at = [], 0
    words = sorted(_VOCABULARY, key=len, reverse=True)
    while at < len(letters) and at < 2000:
        word = next((word for word in words if letters.startswith(word, at)), letters[at])
        out.append(word if len(word) == 1 else f" {word} ")
        at += len(word)
    return " ".join("".join(out).split())


def _char(code: int) -> str:
    return chr(code) if 0 < code < 0x110000 and not 0xD800 <= code < 0xE000 else "\ufffd"


def _base64(run: str) -> bytes:
    run = run.rstrip("=").replace("-", "+").replace("_", "/")
    if len(run) % 4 == 1:
        run = run[:-1]
    try:
        return a2b_base64(run + "=" * (-len(run) % 4))
    except Error:
        return b""


def _of_bytes(data: bytes) -> str | None:
    """Return bytes as text, if they are one."""
    if len(data) < 8:
        return None
    wide = data[1::2].count(0) * 4 > len(data)
    try:
        said = data[: len(data) // 2 * 2].decode("utf-16-le") if wide else data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    good = sum(char.isalpha() or char in " \n.,:;/~_-'\"`!?()<>=" for char in said)
    return said if said and good >= 0.9 * len(said) else None


RULE = Rule(SLUG, "Instructions in a code that a person does not read", text=_text)
