"""Names that people take for one another, and names of tools that change or run something."""

from __future__ import annotations

import re
import unicodedata

_ALIKE = str.maketrans(
    {
        "а": "a", "е": "e", "о": "o", "р": "p", "с": "c", "у": "y", "х": "x", "і": "i", "ј": "j", "ѕ": "s", "ԁ": "d", "һ": "h", "ӏ": "l",  # noqa: RUF001
        "к": "k", "т": "t", "м": "m", "н": "h", "в": "b", "г": "r", "α": "a", "ο": "o", "ρ": "p", "ν": "v", "ι": "i", "κ": "k", "τ": "t",  # noqa: RUF001
        "υ": "u", "ε": "e", "ı": "i", "ɡ": "g", "ℓ": "l", "0": "o", "1": "l",  # noqa: RUF001
    }
)  # fmt: skip
"""Letters of other alphabets, and digits, that look like a Latin letter."""

_DESTROYS = frozenset(
    {
        "bash", "command", "delete", "deploy", "destroy", "drop", "edit", "erase", "eval", "evaluate", "exec", "execute", "kill", "merge",
        "overwrite", "pay", "publish", "purchase", "purge", "push", "remove", "run", "send", "shell", "terminal", "transfer", "truncate",
        "uninstall", "upload", "write",
    }
)  # fmt: skip


def words(name: str) -> set[str]:
    """Return the words in a tool's name: of `deleteRepo_now` these are delete, repo and now."""
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", name)}


def destroys(name: str) -> bool:
    """Tell whether a tool, by its name, runs commands, overwrites, removes, or sends to others."""
    return bool(words(name) & _DESTROYS)


def skeleton(name: str) -> str:
    """Return what a name looks like at a glance: case, separators, invisible characters and look-alikes are gone."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    plain = "".join(char for char in folded if char not in "-_. /:" and unicodedata.category(char) not in ("Cf", "Mn"))
    return plain.translate(_ALIKE)


def spelled(name: str) -> str:
    """Return a name without case and separators: two names that differ in no more are variants, and no imitations."""
    return "".join(char for char in name.casefold() if char not in "-_. /:")


def oddities(name: str) -> str:
    """Return what makes a name look like another one, in words; empty where nothing does."""
    if any(unicodedata.category(char) == "Cf" for char in name):
        return "characters that cannot be seen"
    scripts = {_script(char) for char in name if char.isalpha()}
    if "LATIN" in scripts and scripts & {"CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE"}:
        return "letters of two alphabets that look alike"
    return ""


def _script(char: str) -> str:
    return unicodedata.name(char, "").partition(" ")[0]
