"""A server's own questions to a person: whose they are is said, what is in them is shown, and what they may not ask is refused.

The guard asks by the same means, and a client shows both alike. So a server's question begins with its name, holds nothing that acts on the
display, has an end, and speaks neither in the guard's words nor of secrets.
"""

from __future__ import annotations

import re

from stdioguard.guard import display
from stdioguard.guard.look_alikes import LOOK_ALIKE
from stdioguard.guard.verdicts import REFUSED, Refuse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MAX_MESSAGE = 4000
"""Characters of a question that are passed on; of a longer one the middle is left out."""

MAX_LABEL = 400
"""Characters of one title or description in a form."""

_OF_THE_GUARD = ("stdioguard", "allowthistoolcall", "argumentschosenbythemodel")
"""What only the guard's own questions say, letters and digits alone."""
_OWN_CHOICE = "allowonce"
_SECRETS = (
    "password", "passphrase", "passcode", "apikey", "accesskey", "secretkey", "privatekey", "clientsecret", "accesstoken", "apitoken",
    "authtoken", "refreshtoken", "bearertoken", "credential", "seedphrase", "recoveryphrase", "recoverycode", "mnemonic", "creditcard",
    "cardnumber", "securitycode", "verificationcode", "onetimecode", "pincode", "socialsecurity", "idrsa", "ided25519",
    "passwort", "kennwort", "contrasena", "motdepasse", "wachtwoord", "\u043f\u0430\u0440\u043e\u043b", "\u5bc6\u7801", "\u5bc6\u78bc",
    "\u30cf\u30b9\u30ef\u30fc\u30c8", "\ube44\ubc00\ubc88\ud638",
)  # fmt: skip
"""What a form may not ask for (2025-11-25, client/elicitation: "Servers MUST NOT use form mode elicitation to request sensitive
information"), letters and digits alone. The words for a password in eight more languages; others are not known here."""

_OWNERS = (
    "access|anthropic|api|app|auth|authentication|authorization|aws|azure|bearer|bot|client|decryption|deploy|discord|encryption|github|gitlab"
    "|google|gpg|hf|huggingface|jwt|login|master|notion|npm|oauth|openai|personal|pgp|private|pypi|refresh|secret|security|service|session"
    "|shared|signing|slack|ssh|stripe|telegram|webhook"
)
_PHRASES = re.compile(
    rf"\b(?:otp|totp|cvv2?|cvc2?|ssn|pwd|passwd)\b|\b(?:{_OWNERS}) (?:token|secret|key)s?\b|\byour (?:token|secret|pin)\b"
    r"|\bpin (?:of|for) your\b|\bpin (?:code|number)\b|\b(?:account|atm|bank|card|credit|debit|digit|sim|unlock) pin\b|\bseed words\b"
    r"|\b(?:2fa|authentication|authenticator|authorization|backup|confirmation|factor|login|mfa|sms) code\b"
)
"""The same in words that are harmless alone: a token may be one of a text, a pin one of a board, a key one of a song."""
_LABELS = re.compile(r"(?:the |your |enter )?(?:bearer|secret|token)")
"""What a field to type in may not be called."""
_HUMPS = re.compile("(?<=[a-z0-9])(?=[A-Z])")
_WORDS = re.compile(r"[^\W_]+")
_LATIN = str.maketrans(LOOK_ALIKE)
_LONGEST = 50_000
"""Characters that are looked at from either end of a text: more than a person gets to see."""
_LEET = str.maketrans("013457@$", "oieastas")

_LINK = re.compile(r"https?://[^\s/?#@\\]+(?:[/?#][^\s\\]*)?", re.IGNORECASE)
"""A link that opens a page (2025-11-25, client/elicitation, URL mode): other schemes run programs, and `https://bank@host` is `host`."""

_SHOWN = frozenset({"title", "description"})


def from_server(params: dict[str, Any], server: str) -> Refuse | None:
    """Check a question of a server's, and mark it as one."""
    if _speaks_as_guard(params) or _offers_the_guards_choice(params.get("requestedSchema")):
        return Refuse(REFUSED, "elicitation.imitation", "a server's question may not speak in the guard's name")
    if _asks_for_a_secret(params):
        return Refuse(
            REFUSED, "elicitation.secret", "a form may not ask for a password, key or the like; a server has URL mode for that"
        )
    if not _is_plain({key: member for key, member in params.items() if key not in ("message", "_meta")}):
        return Refuse(REFUSED, "elicitation.invisible", "a key, choice or link of a server's question holds what nobody can see")
    if "url" in params and not (isinstance(params["url"], str) and _LINK.fullmatch(params["url"])):
        return Refuse(
            REFUSED, "elicitation.link", "a link that a person is to open is http or https, and names no user before its host"
        )
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
        return any(words in letters for letters in _spellings(value) for words in _OF_THE_GUARD)
    if isinstance(value, dict):
        return any(_speaks_as_guard(key) or _speaks_as_guard(member) for key, member in value.items() if key != "_meta")
    return isinstance(value, list) and any(map(_speaks_as_guard, value))


def _offers_the_guards_choice(value: Any) -> bool:
    """Tell whether a form has the guard's own answer among its choices, whichever way they are listed."""
    if isinstance(value, list):
        return any(map(_offers_the_guards_choice, value))
    if not isinstance(value, dict):
        return False
    return any(
        any(_OWN_CHOICE in _spellings(choice) for choice in _choices(key, member)) or _offers_the_guards_choice(member)
        for key, member in value.items()
    )


def _choices(key: str, member: Any) -> list[str]:
    """Return the choices that a member of a schema lists: `enum`, `enumNames`, and `const` and `title` of each of `oneOf`, `anyOf`."""
    if not isinstance(member, list):
        return []
    if key in ("enum", "enumNames"):
        return [choice for choice in member if isinstance(choice, str)]
    if key not in ("oneOf", "anyOf"):
        return []
    listed = [choice.get(name) for choice in member if isinstance(choice, dict) for name in ("const", "title")]
    return [choice for choice in listed if isinstance(choice, str)]


def _asks_for_a_secret(params: dict[str, Any]) -> bool:
    """Tell whether a form has a field to type in, and its message or that field speaks of a secret."""
    schema = params.get("requestedSchema")
    fields = schema.get("properties") if type(schema) is dict else None
    if params.get("mode", "form") != "form" or type(fields) is not dict:
        return False
    said = _typed({"properties": fields})
    # Each by itself: what one ends with and the next begins with is no word of either.
    return bool(said) and any(map(_speaks_of_a_secret, (str(params.get("message")), *said)))


def _speaks_of_a_secret(text: str) -> bool:
    if any(secret in letters for letters in _spellings(text) for secret in _SECRETS):
        return True
    return any(_LABELS.fullmatch(words) or _PHRASES.search(words) for words in _words(text))


def _typed(schema: Any) -> list[str]:
    """Return the names and texts of every field that is typed in, however deep; none of one that is chosen, or a yes or no."""
    if isinstance(schema, list):
        return [text for member in schema for text in _typed(member)]
    if (
        not isinstance(schema, dict)
        or schema.get("type") == "boolean"
        or schema.keys() & {"enum", "const"}
        or schema.get("oneOf")
    ):
        return []
    found = []
    for key, member in schema.items():
        if key == "properties" and isinstance(member, dict):
            for name, field in member.items():
                said = _typed(field if isinstance(field, dict) and field else {"type": "string"})
                found += [name, *said] if said else []
        elif isinstance(member, str):
            found.append(member)
        else:
            found += _typed(member)
    return found


def _spellings(text: str) -> set[str]:
    """Return the letters and digits of a text alone: in one case and form, as they look in Latin, and with digits for letters."""
    folded = _folded(text)
    latin = folded.translate(_LATIN)
    return {"".join(filter(str.isalnum, one)) for one in (folded, latin, latin.translate(_LEET))}


def _words(text: str) -> set[str]:
    """Return the words of a text, in one case and with one space between them: `github_token` and `githubToken` are `github token`."""
    texts = [_folded(one).translate(_LATIN) for one in {text, _HUMPS.sub(" ", text)}]
    return {" ".join(_WORDS.findall(one)) for latin in texts for one in (latin, latin.translate(_LEET))}


def _folded(text: str) -> str:
    import unicodedata  # noqa: PLC0415 - for elicitations only

    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]} {text[-_LONGEST:]}"
    if text.isascii():
        return text.casefold()
    # Without marks first: normalising a long run of them takes quadratic time.
    bare = "".join(char for char in text if not unicodedata.combining(char) and (char.isspace() or display.visible(char) == char))
    folded = "".join(char for char in unicodedata.normalize("NFKD", bare) if not unicodedata.combining(char))
    return unicodedata.normalize("NFC", folded.casefold())
