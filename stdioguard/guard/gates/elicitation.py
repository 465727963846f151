"""A server's own questions to a person: whose they are is said, what is in them is shown, and what they may not ask is refused.

The guard asks by the same means, and a client shows both alike. So a server's question begins with its name, holds nothing that acts on the
display, has an end, and speaks neither in the guard's words nor of secrets.
"""

from __future__ import annotations

from stdioguard.guard import display
from stdioguard.guard.verdicts import REFUSED, Refuse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MAX_MESSAGE = 4000
"""Characters of a question that are passed on; of a longer one the middle is left out."""

MAX_LABEL = 400
"""Characters of one title or description in a form."""

_OF_THE_GUARD = ("stdioguard", "allowthistoolcallonce")
"""What only the guard's own questions say, letters and digits alone."""
_DECISIONS = frozenset({"allowonce", "deny"})
_SECRETS = (
    "password", "passphrase", "passcode", "apikey", "accesskey", "secretkey", "privatekey", "clientsecret", "accesstoken", "apitoken",
    "authtoken", "refreshtoken", "bearertoken", "credential", "seedphrase", "recoveryphrase", "recoverycode", "mnemonic", "creditcard",
    "cardnumber", "securitycode", "verificationcode", "onetimecode", "pincode", "socialsecurity",
)  # fmt: skip
"""What a form may not ask for (2025-11-25, client/elicitation: "Servers MUST NOT use form mode elicitation to request sensitive
information"), letters and digits alone."""

_SHOWN = frozenset({"title", "description"})


def from_server(params: dict[str, Any], server: str) -> Refuse | None:
    """Check a question of a server's, and mark it as one."""
    if _speaks_as_guard(params):
        return Refuse(REFUSED, "elicitation.imitation", "a server's question may not speak in the guard's name")
    if _asks_for_a_secret(params):
        return Refuse(
            REFUSED, "elicitation.secret", "a form may not ask for a password, key or the like; a server has URL mode for that"
        )
    if not _is_plain({key: member for key, member in params.items() if key not in ("message", "_meta")}):
        return Refuse(REFUSED, "elicitation.invisible", "a key, choice or link of a server's question holds what nobody can see")
    mark(params, server)
    return None


def mark(params: dict[str, Any], server: str) -> None:
    """Say in a question whose it is, and make its texts visible and finite."""
    message = params.get("message")
    if isinstance(message, str):
        params["message"] = f"The server {display.name(server)} asks: {_lines(message, MAX_MESSAGE)}"
    if "requestedSchema" in params:
        params["requestedSchema"] = _labelled(params["requestedSchema"])


def _labelled(value: Any) -> Any:
    if isinstance(value, list):
        return [_labelled(member) for member in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _lines(member, MAX_LABEL) if key in _SHOWN and isinstance(member, str) else _labelled(member)
        for key, member in value.items()
    }


def _is_plain(value: Any) -> bool:
    """Tell whether every text that goes back to the server, or that a person opens, is what it looks like."""
    if isinstance(value, str):
        return display.visible(value) == value
    if isinstance(value, list):
        return all(map(_is_plain, value))
    if not isinstance(value, dict):
        return True
    return all(_is_plain(key) and (key in _SHOWN or _is_plain(member)) for key, member in value.items())


def _lines(text: str, limit: int) -> str:
    if len(text) > limit:
        text = f"{text[: limit * 2 // 3]} [... {len(text)} characters ...] {text[-limit // 3 :]}"
    return "\n".join(map(display.visible, text.split("\n")))


def _speaks_as_guard(value: Any) -> bool:
    if isinstance(value, str):
        letters = _letters(value)
        return any(words in letters for words in _OF_THE_GUARD)
    if isinstance(value, dict):
        return any(_speaks_as_guard(key) or _speaks_as_guard(member) for key, member in value.items() if key != "_meta")
    if not isinstance(value, list):
        return False
    choices = {_letters(member) for member in value if isinstance(member, str)}
    return choices == _DECISIONS or any(_speaks_as_guard(member) for member in value)


def _asks_for_a_secret(params: dict[str, Any]) -> bool:
    """Tell whether a form has a field to type in, and its message or that field speaks of a secret."""
    schema = params.get("requestedSchema")
    fields = schema.get("properties") if type(schema) is dict else None
    if params.get("mode", "form") != "form" or type(fields) is not dict:
        return False
    said = ""
    for key, field in fields.items():
        about = field if type(field) is dict else {}
        if about.get("type") != "boolean" and not about.keys() & {"enum", "oneOf", "const"}:
            said += "".join(f" {text}" for text in (key, *about.values()) if isinstance(text, str))
    letters = _letters(f"{params.get('message')} {said}") if said else ""
    return any(words in letters for words in _SECRETS)


def _letters(text: str) -> str:
    """Return the letters and digits of a text alone, in one case and one form."""
    import unicodedata  # noqa: PLC0415 - for elicitations only

    # Without marks first: normalising a long run of them takes quadratic time.
    bare = "".join(char for char in text if not unicodedata.combining(char))
    folded = unicodedata.normalize("NFKC", bare).casefold()
    return "".join(char for char in folded if char.isalnum())
