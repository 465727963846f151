"""The table of attacks on tokens: each is a change to the draft of a genuine token, its twin, or to what that is checked by."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from stdioguard.identity import credentials, keys, revocations
from tests.identity import forge
from tests.identity.forge import ISSUER, NOW, OTHER, SECRET, SERVER, Draft, jwk, private

Change = Callable[[Draft], None]


@dataclass
class Attack:
    """`prepare` makes a genuine token of a draft of this kind; `change` is the attack, and `reason` a part of why it is refused."""

    name: str
    kind: str
    change: Change
    reason: str
    prepare: Change = lambda draft: None
    untimely: bool = False


# --- what can be changed -----------------------------------------------------------------------------------------------------------


def claim(name: str, value: Any) -> Change:
    return lambda draft: draft.claims.update({name: value})


def without(name: str) -> Change:
    return lambda draft: draft.claims.pop(name) and None


def header(name: str, value: Any) -> Change:
    return lambda draft: draft.header.update({name: value})


def body(change: Callable[[str], str]) -> Change:
    """Change the text of the claims before they are signed."""

    def act(draft: Draft) -> None:
        draft.body = change(json.dumps(draft.claims)).encode("utf-8", "surrogatepass")

    return act


def head(change: Callable[[str], str]) -> Change:
    def act(draft: Draft) -> None:
        draft.head = change(json.dumps(draft.header)).encode("utf-8", "surrogatepass")

    return act


def last(change: Callable[[str], str]) -> Change:
    """Change the token when it is written out, and signed."""
    return lambda draft: draft.last.append(change)


def part(index: int, change: Callable[[str], str]) -> Change:
    def act(token: str) -> str:
        parts = token.split(".")
        parts[index] = change(parts[index])
        return ".".join(parts)

    return last(act)


def signed(sign: Callable[[], forge.Signer], **members: Any) -> Change:
    """Sign with another key or in another way, under a header that says so."""

    def act(draft: Draft) -> None:
        draft.header.update(members)
        draft.sign = sign()

    return act


def key_set(*entries: Callable[[], Any]) -> Change:
    return lambda draft: draft.world.set_keys(*(entry() for entry in entries))


def both(*changes: Change) -> Change:
    def act(draft: Draft) -> None:
        for change in changes:
            change(draft)

    return act


def other_spelling(part: str) -> str:
    """Return a base64url text of the same bytes, with another last character: its left-over bits are not zero."""
    for character in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_":
        other = part[:-1] + character
        if other != part and forge.unb64(other) == forge.unb64(part):
            return other
    raise AssertionError("no left-over bits")


def old_alphabet(draft: Draft) -> None:
    while "-" not in draft.text() or "_" not in draft.text():
        draft.claims["jti"] += "x"
    draft.last.append(lambda token: token.replace("-", "+").replace("_", "/"))


def another_signature(draft: Draft) -> None:
    other = draft.copy()
    other.claims["jti"] = "another"
    draft.last.append(lambda token: f"{token.rpartition('.')[0]}.{other.text().rpartition('.')[2]}")


def widened(draft: Draft) -> None:
    """Put other claims under the signature of the first ones."""
    other = draft.copy()
    other.claims["scope"] = "files:write"
    draft.last.append(lambda token: f"{other.text().rpartition('.')[0]}.{token.rpartition('.')[2]}")


def revoked(draft: Draft) -> None:
    claims = draft.claims
    draft.after.append(lambda: revocations.revoke(claims["iss"], claims["jti"], claims["exp"], NOW))


def replaced_key(draft: Draft) -> None:
    def act() -> None:
        os.unlink(os.path.join(keys.folder(), "signing.pem"))
        keys.signing_key()

    draft.after.append(act)


def text_of_key(form: str) -> bytes:
    public = private("rsa").public_key()
    if form == "jwk":
        return json.dumps(jwk("rsa")).encode()
    encoding = {"pem": Encoding.PEM, "der": Encoding.DER}[form]
    return public.public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)


def allow_hs256(draft: Draft) -> None:
    draft.world.issuers[ISSUER]["algorithms"] = ["RS256", "HS256"]


def with_secret(secret: Callable[[], bytes]) -> Change:
    def act(draft: Draft) -> None:
        draft.world.set_secret(secret())
        draft.sign = forge.hs(secret())

    return act


def as_ours(draft: Draft) -> None:
    draft.claims.update({"iss": "stdioguard", "client_id": draft.world.client.id, "sub": draft.world.client.name})


def own_kid(draft: Draft) -> None:
    draft.header["kid"] = draft.world.kid


def zero_key(draft: Draft) -> None:
    draft.world.set_keys(jwk("ed", x=forge.b64(bytes(32))))
    forge.weakly_signed(draft, bytes(32))


def fixed(signature: bytes) -> Callable[[], forge.Signer]:
    return lambda: lambda data: signature


def fitted(draft: Draft) -> None:
    """Make the genuine token as long as one may be."""
    draft.claims["pad"] = ""
    draft.claims["pad"] = "x" * ((credentials.MAX_LENGTH - len(draft.text())) * 3 // 4 - 2)
    assert credentials.MAX_LENGTH - 8 < len(draft.text()) <= credentials.MAX_LENGTH


FORM, BASE64 = "three parts", "base64url as it is written"
ALGORITHM, NO_KEY, SIGNATURE = "algorithm that the issuer may not use", "no key of that id", "a wrong signature"
UNFIT, WEAK, DAMAGED, HEADER = "not for that algorithm", "the key is weak", "is damaged", "more than alg, typ and kid"
SERVERS, NO_ISSUER = "for another server", "no issuer that is known"

SPACES = {
    "newline": "\n",
    "CR": "\r",
    "space": " ",
    "tab": "\t",
    "NUL": "\0",
    "BOM": "\ufeff",
    "U+2028": "\u2028",
    "ZWSP": "\u200b",
}
PLACES: dict[str, Callable[[str], int]] = {
    "before": lambda token: 0,
    "after": len,
    "before a dot": lambda token: token.index("."),
    "inside": lambda token: 10,
}

# fmt: off
ATTACKS = [
    # --- the algorithm: whatever the header says, it is the profile's and the key's to say
    *(
        Attack(f"alg {name!r}, signature {shape}", "own", both(header("alg", name), part(2, lambda old, new=new: new)), reason)
        for name in ("none", "None", "nOnE", "NONE", "")
        for shape, new, reason in (("empty", "", FORM), ("of one byte", "AA", ALGORITHM))
    ),
    Attack("alg missing", "own", lambda draft: draft.header.pop("alg") and None, "without an algorithm"),
    Attack("alg null", "own", header("alg", None), "without an algorithm"),
    Attack("alg a list", "own", header("alg", ["EdDSA"]), "without an algorithm"),
    Attack("alg in lower case", "own", header("alg", "eddsa"), ALGORITHM),
    *(
        Attack(f"HS256 with the public key as {form}", "rsa",
            signed(lambda form=form: forge.hs(text_of_key(form)), alg="HS256"), ALGORITHM)
        for form in ("pem", "der", "jwk")
    ),
    *(
        Attack(
            f"HS256 with the public key as {form}, where a profile allows both",
            "rsa",
            signed(lambda form=form: forge.hs(text_of_key(form)), alg="HS256"),
            "not that of a public key",
            allow_hs256,
        )
        for form in ("pem", "der", "jwk")
    ),
    *(Attack(f"a public key as {form} for a shared secret", "hs", with_secret(lambda form=form: text_of_key(form)), SIGNATURE)
      for form in ("pem", "jwk")),
    Attack("HS256 with an empty key", "hs", signed(lambda: forge.hs(b"")), SIGNATURE),
    Attack("HS256 with an empty key, and the file empty", "hs", with_secret(lambda: b""), "is empty"),
    Attack("HS256 with a short key", "hs", with_secret(lambda: b"x" * 31), "shorter than 32 bytes"),
    Attack("HS512 with the secret for HS256", "hs", signed(lambda: forge.hs(SECRET.encode(), "sha512"), alg="HS512"),
        ALGORITHM),
    Attack("a public-key algorithm of an issuer with a secret", "hs", signed(lambda: forge.rs(private("rsa")), alg="RS256"),
        ALGORITHM),
    Attack("HS256 of an issuer with public keys", "hs", claim("iss", ISSUER), ALGORITHM),
    Attack("HS256 with our public key", "own",
        signed(lambda: forge.hs(private("ed").public_key().public_bytes_raw()), alg="HS256"), ALGORITHM),
    Attack("PS256", "rsa", signed(lambda: forge.ps(private("rsa")), alg="PS256"), ALGORITHM),
    Attack("PS256 called RS256", "rsa", signed(lambda: forge.ps(private("rsa"))), SIGNATURE),
    Attack("RS512", "rsa", signed(lambda: forge.rs(private("rsa"), hashes.SHA512()), alg="RS512"), ALGORITHM),
    Attack("RS256 with another hash", "rsa", signed(lambda: forge.rs(private("rsa"), hashes.SHA512())), SIGNATURE),
    Attack("ES256K", "ec", signed(lambda: forge.ecdsa(private("k256")), alg="ES256K"), ALGORITHM),
    Attack("ES384", "ec", signed(lambda: forge.ecdsa(private("p384"), hashes.SHA384()), alg="ES384"), ALGORITHM),
    Attack("ES256 with another hash", "ec", signed(lambda: forge.ecdsa(private("ec"), hashes.SHA384())), SIGNATURE),
    Attack("ES256 with the signature as DER", "ec", signed(lambda: forge.ecdsa(private("ec"), der=True)), SIGNATURE),
    Attack("the psychic signature, r = s = 0 (CVE-2022-21449)", "ec", signed(fixed(bytes(64))), SIGNATURE),
    Attack("r = 0, s = 1", "ec", signed(fixed(bytes(63) + b"\x01")), SIGNATURE),
    Attack("r = s = 1", "ec", signed(fixed((bytes(31) + b"\x01") * 2)), SIGNATURE),
    Attack("RS256 with a signature of zeros", "rsa", signed(fixed(bytes(256))), SIGNATURE),
    Attack("EdDSA with a signature of zeros", "ed", signed(fixed(bytes(64))), SIGNATURE),
    # --- the key
    Attack("the key id of a path", "ed", header("kid", "../../../../../../dev/null"), NO_KEY),
    Attack("the key id of a path, for a secret of nothing", "ed", signed(lambda: forge.hs(b""), alg="HS256", kid="/dev/null"),
        ALGORITHM),
    Attack("the key id of a query", "ed", header("kid", "x' UNION SELECT 'ed"), NO_KEY),
    Attack("the key id of a command", "ed", header("kid", "ed|id"), NO_KEY),
    Attack("the key id as a list", "ed", header("kid", ["ed"]), "a key id that is none"),
    Attack("the key id as an object", "ed", header("kid", {"ed": 1}), "a key id that is none"),
    Attack("the key id null", "ed", header("kid", None), "a key id that is none"),
    Attack("the key id with a NUL", "ed", header("kid", "ed\0"), NO_KEY),
    Attack("the key id in another case", "ed", header("kid", "ED"), NO_KEY),
    Attack("the key id empty", "ed", header("kid", ""), NO_KEY),
    Attack("the key id too long", "ed", header("kid", "e" * 257), "a key id that is none"),
    Attack("another issuer's key and its id", "ed", signed(lambda: forge.eddsa(private("ed-other")), kid="ed-other"), NO_KEY),
    Attack("another issuer's key", "ed", signed(lambda: forge.eddsa(private("ed-other"))), SIGNATURE),
    Attack("another issuer's name", "ed", claim("iss", OTHER), NO_KEY),
    Attack("no key id, two keys that fit", "ed", lambda draft: draft.header.pop("kid") and None, "not exactly one",
        key_set(lambda: jwk("ed"), lambda: jwk("ed-2"))),
    Attack("no key id for our own", "own", lambda draft: draft.header.pop("kid") and None, NO_KEY),
    Attack("the key id of a key of another kind", "ec", header("kid", "ed"), UNFIT),
    Attack("two keys of one id", "ed", key_set(lambda: jwk("ed"), lambda: jwk("ed-2", kid="ed")), NO_KEY),
    Attack("two keys of one id, of different kinds", "ed", key_set(lambda: jwk("ed"), lambda: jwk("ec", kid="ed")), NO_KEY),
    Attack("another key under the same id", "ed", key_set(lambda: jwk("ed-2", kid="ed")), SIGNATURE),
    Attack("a key for encryption", "ed", key_set(lambda: jwk("ed", use="enc")), UNFIT, key_set(lambda: jwk("ed", use="sig"))),
    Attack("a key for signing only", "ed", key_set(lambda: jwk("ed", key_ops=["sign"])), UNFIT,
        key_set(lambda: jwk("ed", key_ops=["verify"]))),
    Attack("a key for operations in a text", "ed", key_set(lambda: jwk("ed", key_ops="verify")), UNFIT),
    Attack("a key for another algorithm", "rsa", key_set(lambda: jwk("rsa", alg="PS256")), UNFIT,
        key_set(lambda: jwk("rsa", alg="RS256"))),
    Attack("a secret among public keys", "rsa",
        both(key_set(lambda: {"kty": "oct", "k": forge.b64(SECRET.encode()), "kid": "rsa"}),
        signed(lambda: forge.hs(SECRET.encode()), alg="HS256")), "not that of a public key", allow_hs256),
    Attack("P-384 under ES256", "ec",
        both(key_set(lambda: jwk("p384", kid="ec")), signed(lambda: forge.ecdsa(private("p384")))), UNFIT),
    Attack("secp256k1 under ES256", "ec",
        both(key_set(lambda: jwk("k256", kid="ec")), signed(lambda: forge.ecdsa(private("k256")))), UNFIT),
    Attack("secp256k1 called P-256", "ec",
        both(key_set(lambda: jwk("k256", kid="ec", crv="P-256")), signed(lambda: forge.ecdsa(private("k256")))), DAMAGED),
    Attack("a point at no place of the curve", "ec",
        key_set(lambda: jwk("ec", x=forge.b64(bytes(32)), y=forge.b64(bytes(32)))), DAMAGED),
    Attack("Ed448 under EdDSA", "ed",
        both(key_set(lambda: jwk("ed448", kid="ed")), signed(lambda: forge.eddsa(private("ed448")))), UNFIT),
    Attack("Ed448 called Ed25519", "ed",
        both(key_set(lambda: jwk("ed448", kid="ed", crv="Ed25519")), signed(lambda: forge.eddsa(private("ed448")))), DAMAGED),
    Attack("X25519 under EdDSA", "ed", key_set(lambda: jwk("x25519", kid="ed")), UNFIT),
    Attack("a key of zeros, under which anybody signs", "ed", zero_key, WEAK),
    Attack("RSA with 1024 bits", "rsa",
        both(key_set(lambda: jwk("rsa1024", kid="rsa")), signed(lambda: forge.rs(private("rsa1024")))), WEAK),
    Attack("RSA with the exponent 3", "rsa",
        both(key_set(lambda: jwk("rsa_e3", kid="rsa")), signed(lambda: forge.rs(private("rsa_e3")))), WEAK),
    Attack("RSA with the exponent 1: every text is its own signature", "rsa", key_set(lambda: jwk("rsa", e="AQ")), WEAK),
    Attack("a key in another spelling of base64", "ed", key_set(lambda: jwk("ed", x=jwk("ed")["x"] + "=")), DAMAGED),
    Attack("a key that is a number", "ed", key_set(lambda: jwk("ed", x=7)), DAMAGED),
    *(
        Attack(f"a header with {name}", "ed", signed(lambda: forge.eddsa(private("ed-evil")), **{name: value}), HEADER)
        for name, value in {
            "jku": "https://evil.example/jwks",
            "x5u": "https://evil.example/cert",
            "x5c": ["MIIB"],
            "x5t": "AA",
            "crit": ["exp"],
            "zip": "DEF",
            "cty": "JWT",
            "iss": ISSUER,
            "": "x",
        }.items()
    ),
    Attack("a header with its own key", "ed",
        both(signed(lambda: forge.eddsa(private("ed-evil"))), lambda draft: draft.header.update(jwk=jwk("ed-evil"))), HEADER),
    Attack("b64 false", "ed", both(header("b64", False), header("crit", ["b64"])), HEADER),
    Attack("crit empty", "ed", header("crit", []), HEADER),
    *(Attack(f"typ {name!r}", "ed", header("typ", name), "another type than JWT")
      for name in ("JWE", "", "dpop+jwt", "JWT\0", 5, None, ["JWT"])),
    # --- the form
    *(Attack(f"part {index} without its end", "ed", part(index, lambda text: forge.b64(forge.unb64(text)[:-3])), reason)
      for index, reason in ((0, "strict JSON"), (1, "strict JSON"), (2, SIGNATURE))),
    *(Attack(f"part {index} empty", "ed", part(index, lambda text: ""), FORM) for index in range(3)),
    Attack("no signature, and no dot before it", "ed", last(lambda token: token.rpartition(".")[0]), FORM),
    Attack("a fourth part", "ed", last(lambda token: token + ".AAAA"), FORM),
    Attack("a fourth part that is empty", "ed", last(lambda token: token + "."), FORM),
    Attack("the five parts of a JWE", "ed", last(lambda token: token + ".AAAA.AAAA"), FORM),
    Attack("the JSON form of a JWS", "ed",
        last(lambda token: json.dumps(dict(zip(("protected", "payload", "signature"), token.split("."), strict=True)))), FORM),
    Attack("nothing", "ed", last(lambda token: ""), FORM),
    Attack("Bearer before it", "ed", last(lambda token: "Bearer " + token), FORM),
    Attack("the signature of another token", "ed", another_signature, SIGNATURE),
    Attack("other claims under the signature", "ed", widened, SIGNATURE),
    Attack("one bit of the signature", "ed",
        part(2, lambda text: forge.b64(bytes([forge.unb64(text)[0] ^ 1]) + forge.unb64(text)[1:])), SIGNATURE),
    Attack("the signature with another last character", "ed", part(2, other_spelling), BASE64),
    Attack("the claims with another last character", "ed", part(1, other_spelling), BASE64,
        lambda draft: draft.claims.update(pad="x" * (-len(json.dumps(draft.claims | {"pad": ""})) % 3 + 1))),
    *(Attack(f"padding after part {index}", "ed", part(index, lambda text: text + "="), FORM) for index in range(3)),
    Attack("the alphabet of plain base64", "ed", old_alphabet, FORM),
    *(Attack(f"{name} {where}", "ed",
        last(lambda token, at=at, space=space: token[: at(token)] + space + token[at(token) :]), FORM)
      for name, space in SPACES.items()
      for where, at in PLACES.items()),
    Attack("half a surrogate pair", "ed", last(lambda token: token + "\ud800"), FORM),
    Attack("letters of another width", "ed", last(lambda token: token.replace(token[0], chr(ord(token[0]) + 0xFEE0), 1)), FORM),
    Attack("oversized by a claim", "ed", claim("more", "x"), "too long", fitted),
    Attack("nesting without end", "ed", body(lambda text: text[:-1] + ',"x":' + "[" * 300 + "]" * 300 + "}"), "too-deep",
        body(lambda text: text[:-1] + ',"x":' + "[" * 3 + "]" * 3 + "}")),
    # --- JSON that two readers read differently
    Attack("exp twice", "ed", body(lambda text: text[:-1] + ',"exp": 4000000000}'), "duplicate-key"),
    Attack("exp twice, first", "ed", body(lambda text: '{"exp": 4000000000,' + text[1:]), "duplicate-key"),
    Attack("exp twice, once in escapes", "ed", body(lambda text: text[:-1] + ',"\\u0065xp": 4000000000}'), "duplicate-key"),
    Attack("exp in another case too", "ed", body(lambda text: text[:-1] + ',"EXP": 4000000000}'), "colliding-keys"),
    Attack("a key twice below", "ed", body(lambda text: text[:-1] + ',"x":{"a":1,"a":2}}'), "duplicate-key"),
    Attack("alg twice", "ed", head(lambda text: '{"alg":"none",' + text[1:]), "duplicate-key"),
    Attack("Alg beside alg", "ed", head(lambda text: '{"Alg":"none",' + text[1:]), "colliding-keys"),
    Attack("claims that are a list", "ed", body(lambda text: f"[{text}]"), "payload that is no object"),
    Attack("claims that are null", "ed", body(lambda text: "null"), "payload that is no object"),
    Attack("claims that are a text", "ed", body(json.dumps), "payload that is no object"),
    Attack("a header that is a list", "ed", head(lambda text: f"[{text}]"), "header that is no object"),
    Attack("two objects", "ed", body(lambda text: text + text), "strict JSON"),
    Attack("a comma too many", "ed", body(lambda text: text[:-1] + ",}"), "strict JSON"),
    Attack("a BOM before the claims", "ed", body(lambda text: "\ufeff" + text), "strict JSON"),
    Attack("UTF-16", "ed", lambda draft: setattr(draft, "body", json.dumps(draft.claims).encode("utf-16")), "strict JSON"),
    Attack("invalid UTF-8", "ed",
        lambda draft: setattr(draft, "body", json.dumps(draft.claims).encode()[:-1] + b',"x":"\xff"}'), "invalid-utf8"),
    Attack("half a pair in a claim", "ed", body(lambda text: text[:-1] + ',"x":"\\ud800"}'), "lone-surrogate"),
    # --- the times
    Attack("exp missing", "own", without("exp"), "claim exp"),
    Attack("exp missing, of another issuer", "ed", without("exp"), "claim exp"),
    *(Attack(f"exp {value!r:.40}", "ed", claim("exp", value), "claim exp")
      for value in (str(NOW + 600), True, None, -1, 10**12, 1e300, [NOW + 600], {}, "", "never")),
    Attack("exp of 5,000 digits", "ed", body(lambda text: text[:-1].replace('"exp"', '"was"') + f',"exp": {"9" * 5000}}}'),
        "claim exp"),
    Attack("exp NaN", "ed", body(lambda text: text[:-1].replace('"exp"', '"was"') + ',"exp": NaN}'), "not-a-number"),
    Attack("exp Infinity", "ed", body(lambda text: text[:-1].replace('"exp"', '"was"') + ',"exp": Infinity}'), "not-a-number"),
    Attack("exp 1e400", "ed", body(lambda text: text[:-1].replace('"exp"', '"was"') + ',"exp": 1e400}'), "number-overflow"),
    Attack("exp in milliseconds", "ed", claim("exp", (NOW + 600) * 1000), "claim exp"),
    Attack("exp zero", "ed", claim("exp", 0), "has expired", untimely=True),
    Attack("exp in the past", "own", claim("exp", NOW - 1), "has expired", untimely=True),
    Attack("exp now", "own", claim("exp", NOW), "has expired", claim("exp", NOW + 1), untimely=True),
    Attack("exp a fraction ago", "ed", claim("exp", NOW - 0.001), "has expired", claim("exp", NOW + 0.001), untimely=True),
    Attack("nbf in a second", "own", claim("nbf", NOW + 1), "not valid yet", claim("nbf", NOW), untimely=True),
    Attack("nbf missing from our own", "own", without("nbf"), "claim nbf"),
    Attack("iat missing from our own", "own", without("iat"), "claim iat"),
    *(Attack(f"nbf {value!r}", "ed", claim("nbf", value), "claim nbf") for value in ("0", False, None, -5)),
    *(Attack(f"iat {value!r}", "ed", claim("iat", value), "claim iat") for value in ("0", True, None)),
    Attack("iat in the future", "ed", claim("iat", NOW + 61), "issued in the future", claim("iat", NOW + 60)),
    # --- for whom
    Attack("aud missing", "own", without("aud"), SERVERS),
    *(Attack(f"aud {value!r} of our own", "own", claim("aud", value), SERVERS)
      for value in ("mail", "Files", "files/", "file", "files2", "files ", "", "*", None, ["files"], ["mail", "files"],
          {"files": 1}, 5)),
    *(Attack(f"aud {value!r}", "ed", claim("aud", value), SERVERS, claim("aud", ["mail", "files"]))
      for value in ("mail", "FILES", ["mail"], [], ["files/"], "mail files", "[\"files\"]")),
    *(Attack(f"aud {value!r}", "ed", claim("aud", value), "claim aud")
      for value in (None, {"files": 1}, ["files", 5], [["files"]], True)),
    Attack("aud the server, where the profile names another audience", "ed", claim("aud", SERVER), SERVERS,
        both(lambda draft: draft.world.issuers[ISSUER].update(audience="api://x"), claim("aud", "api://x"))),
    # --- from whom
    Attack("iss missing", "ed", without("iss"), NO_ISSUER),
    *(Attack(f"iss {value!r}", "ed", claim("iss", value), NO_ISSUER)
      for value in ("https://evil.example", ISSUER + "/", ISSUER.upper(), ISSUER + " ", ISSUER.replace("o", "\u043e"),
          [ISSUER], {ISSUER: 1}, None, "", 5)),
    *(Attack(f"iss {value!r}, signed by us", "own", claim("iss", value), NO_ISSUER)
      for value in ("Stdioguard", "stdioguard ", "stdioguard\0", "stdi\u043eguard")),
    Attack("ours, signed by another issuer", "own", signed(lambda: forge.eddsa(private("ed"))), SIGNATURE),
    Attack("ours, signed by another issuer, with its key id", "own", signed(lambda: forge.eddsa(private("ed")), kid="ed"),
        NO_KEY),
    Attack("another issuer's that calls itself ours", "ed", as_ours, NO_KEY),
    Attack("another issuer's that calls itself ours, with our key id", "ed", both(as_ours, own_kid), SIGNATURE),
    Attack("another issuer's that calls itself ours, as RS256", "rsa", as_ours, ALGORITHM),
    Attack("signed by us, as another issuer's", "own", claim("iss", ISSUER), NO_KEY),
    Attack("the secret of one issuer for another's tokens", "hs", both(claim("iss", OTHER), header("kid", "ed-other")),
        ALGORITHM),
    # --- who
    *(Attack(f"sub {value!r:.40}", "own", claim("sub", value), "claim sub")
      for value in ("cl\u0430ude-code", "claude-code\n", "claude-code ", "claude\u200b-code", "../claude", "", "x" * 65, None,
          5, ["claude-code"])),
    *(Attack(f"sub {value!r:.40} of another issuer", "ed", claim("sub", value), "claim sub")
      for value in ("\u0430gent-7", "agent-7\n", "agent 7", "agent-7\0", "agent\u202e7", "", "x" * 129, None, 7, True, {})),
    Attack("sub missing", "own", without("sub"), "claim sub"),
    Attack("the client claim missing", "ed", without("azp"), "claim azp",
        both(lambda draft: draft.world.issuers[ISSUER].update(client_claim="azp"), claim("azp", "app"))),
    Attack("client_id missing from our own", "own", without("client_id"), "claim client_id"),
    Attack("client_id with white space", "own", claim("client_id", "claude-code #1"), "claim client_id"),
    Attack("jti missing from our own", "own", without("jti"), "claim jti"),
    *(Attack(f"jti {value!r:.20}", "own", claim("jti", value), "claim jti")
      for value in ("", 5, None, "x" * 257, "a b", "a\n", ["x"])),
    Attack("jti a number, of another issuer", "ed", claim("jti", 5), "claim jti"),
    *(Attack(f"scope {value!r} of our own", "own", claim("scope", value), "claim scope")
      for value in (None, ["files:read"], {}, 5, True)),
    *(Attack(f"scope {value!r}", "ed", claim("scope", value), "claim scope")
      for value in (["files:read"], {"files:read": 1}, 5, True)),
    # --- when it is over
    Attack("replayed after it was revoked", "own", revoked, "was revoked", untimely=True),
    Attack("another issuer's, replayed after it was revoked", "ed", revoked, "was revoked", untimely=True),
    Attack("of a key that was replaced", "own", replaced_key, NO_KEY),
]
# fmt: on
