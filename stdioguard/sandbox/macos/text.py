r"""Text that goes into a profile: string literals and regular expressions that mean what they were made from, and nothing else.

Apple documents neither the reader (a TinyScheme) nor the matcher (AppleMatch). What is relied on here is what shipping profiles use:

- in `"..."` a backslash stands for the character after it, and only `\\` and `\"` are written here;
- a string of more than 1,024 bytes is an error of the reader ("Error reading string");
- `(?i)` and `(?:...)` are errors or, worse, match nothing; `^` may only be first, so `$` is only written last here; `[...]`, `[^...]`,
  `(a|b)`, `?`, `*` and `+` are in Apple's own profiles;
- whether a `.` or `[...]` is a byte or a character is not known, so no class holds anything but ASCII.
"""

from __future__ import annotations

from stdioguard.sandbox.macos.errors import MacSandboxError

MAX_BYTES = 1000
"""Below the reader's limit, with a margin."""

# How a case-insensitive APFS volume lets an ASCII name be spelled, besides by case. It compares names after canonical decomposition and
# *full* case folding (xnu, bsd/vfs/vfs_unicode.c): a Kelvin sign is a k, and `.git/con<U+FB01>g` is `.git/config`. The kernel has not seen
# such a name before when it is created, so it is matched as it was spelled. A test holds this table against Python's Unicode data.
SINGLE = {"k": "\u212a", "s": "\u017f"}
LIGATURES = {
    "ff": "\ufb00", "fi": "\ufb01", "fl": "\ufb02", "ffi": "\ufb03", "ffl": "\ufb04", "st": "\ufb05\ufb06", "ss": "\u00df\u1e9e",
}  # fmt: skip

IGNORED_BY_HFS = "\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u206a\u206b\u206c\u206d\u206e\u206f\ufeff"
"""Characters that HFS+ leaves out when it compares names (CVE-2014-9390; the list is git's, utf8.c)."""

_SPECIAL = frozenset(".*+?(){}|$")
_ESCAPED = frozenset("[]^\\")


def problem(text: str) -> str | None:
    """Return what in `text` a profile cannot say, or `None`."""
    if text.isascii() and text.isprintable():
        return None
    for char in text:
        code = ord(char)
        if code < 0x20 or 0x7F <= code < 0xA0:
            return f"holds the control character U+{code:04X}"
        if 0xD800 <= code < 0xE000:
            return "is not UTF-8"
    return None


def quoted(text: str) -> str:
    """Return `text` as a string literal. Raises `MacSandboxError` where it cannot be one."""
    wrong = problem(text)
    if wrong is None and len(literal := text.replace("\\", "\\\\").replace('"', '\\"').encode()) > MAX_BYTES:
        wrong = f"takes {len(literal)} bytes in a sandbox profile, which reads {MAX_BYTES} at most"
    if wrong is not None:
        raise MacSandboxError(f"the path or pattern {text!a:.200} {wrong}: rename it, or take it out of the profile")
    return f'"{literal.decode()}"'


def fits(regex: str) -> bool:
    """Tell whether `regex` can be a string literal."""
    return len(regex.replace("\\", "\\\\").replace('"', '\\"').encode()) <= MAX_BYTES


def escaped(text: str) -> str:
    """Return a regular expression that matches `text` and nothing else."""
    return "".join(_one(char) for char in text)


def _one(char: str) -> str:
    return f"[{char}]" if char in _SPECIAL else f"\\{char}" if char in _ESCAPED else char


def folded(text: str) -> str:
    """Return a regular expression for every spelling of `text` that a case-insensitive, normalising volume takes for the same name.

    Of names beyond ASCII, for those that occur: in both Unicode forms and in every case, and as it was written.
    """
    if text.isascii():
        return _folded_ascii(text.lower())
    import unicodedata  # noqa: PLC0415 - most paths are ASCII, and this is on the way of every launch

    regex = _folded_clusters(text)
    return regex if unicodedata.is_normalized("NFC", text) else f"({regex}|{escaped(text)})"


def _folded_clusters(text: str) -> str:
    parts: list[str] = []
    run = ""
    for cluster in _clusters(text):
        if cluster.isascii():
            run += cluster.lower()
        else:
            parts += [_folded_ascii(run), _any_of(_spellings(cluster))]
            run = ""
    return "".join(parts) + _folded_ascii(run)


def _clusters(text: str) -> list[str]:
    """Split `text` into characters, composed where they can be, with the marks that follow each."""
    import unicodedata  # noqa: PLC0415 - see folded

    clusters: list[str] = []
    for char in unicodedata.normalize("NFC", text):
        if clusters and unicodedata.combining(char):
            clusters[-1] += char
        else:
            clusters.append(char)
    return clusters


def _spellings(cluster: str) -> list[str]:
    import unicodedata  # noqa: PLC0415 - see folded

    cased = {cluster, cluster.lower(), cluster.upper(), cluster.title(), cluster.casefold()}
    both = {unicodedata.normalize(form, spelling) for spelling in cased for form in ("NFC", "NFD")}
    regexes = {escaped(spelling) for spelling in both}
    folding = unicodedata.normalize("NFD", cluster).casefold()
    if folding.isascii():
        regexes.add(_folded_ascii(folding))
    return sorted(regexes)


def _folded_ascii(text: str) -> str:
    """Do it for lower-case ASCII: a class for each letter, and for runs like `ffi` each way to write them with ligatures."""
    if not any(pair in text for pair in _PAIRS):
        return text.translate(_LETTERS)
    parts: list[str] = []
    start = 0
    while start < len(text):
        end = start + 1
        # The run goes on as long as a ligature spans the place where it would end.
        while text[end - 1 : end + 1] in LIGATURES:
            end += 1
        run = text[start:end]
        parts.append(_any_of(_tilings(run)) if len(run) <= _EXACT else _loose(run))
        start = end
    return "".join(parts)


def _tilings(run: str) -> list[str]:
    if not run:
        return [""]
    ways = [_letter(run[0]) + rest for rest in _tilings(run[1:])]
    for length in (2, 3):
        signs = LIGATURES.get(run[:length], "") if len(run) >= length else ""
        ways += [sign + rest for sign in signs for rest in _tilings(run[length:])]
    return ways


def _loose(run: str) -> str:
    """Return an expression for a long run, and for shorter ones too: the exact one would double with every two letters.

    Everything that is made of it only denies.
    """
    starting = ("".join(LIGATURES.get(run[at : at + length], "") for length in (2, 3)) for at in range(len(run)))
    groups = [_any_of([_letter(char), *signs]) for char, signs in zip(run, starting, strict=True)]
    return groups[0] + "".join(f"({group})?" for group in groups[1:])


def _letter(char: str) -> str:
    if not char.isalpha():
        return _one(char)
    both = f"[{char.upper()}{char}]"
    return f"({both}|{SINGLE[char]})" if char in SINGLE else both


def _any_of(regexes: list[str]) -> str:
    return regexes[0] if len(regexes) == 1 else f"({'|'.join(regexes)})"


_EXACT = 3
_PAIRS = tuple(pair for pair in LIGATURES if len(pair) == 2)
_LETTERS = {code: _letter(chr(code)) for code in range(0x20, 0x7F)}
