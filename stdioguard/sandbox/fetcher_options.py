"""The options of programs that fetch packages: which of them take a value, and how a package is named."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NPM_VALUES = frozenset({"--registry", "--cache", "--prefix", "-w", "--workspace", "--loglevel", "--userconfig"})
UV_VALUES = frozenset(
    {
        "--allow-insecure-host", "--build-constraints", "--cache-dir", "--color", "--config-file", "--config-setting", "--constraints",
        "--default-index", "--directory", "--env-file", "--exclude-newer", "--extra", "--extra-index-url", "--find-links", "--from",
        "--group", "--index", "--index-strategy", "--index-url", "--keyring-provider", "--link-mode", "--module", "--only-group",
        "--overrides", "--package", "--prerelease", "--project", "--python", "--python-platform", "--refresh-package", "--resolution",
        "--upgrade-package", "--with", "--with-editable", "--with-requirements", "-C", "-P", "-c", "-f", "-i", "-m", "-p", "-w",
    }
)  # fmt: skip


def split_options(words: Sequence[str], takes_value: frozenset[str]) -> tuple[dict[str, list[str]], list[str]]:
    """Split arguments into options, by name with every value, and what begins with the first word that is none."""
    options: dict[str, list[str]] = {}
    rest = list(words)
    while rest and rest[0].startswith("-") and rest[0] != "-":
        word = rest.pop(0)
        if word == "--":
            break
        name, equals, value = word.partition("=")
        if not equals and name in takes_value:
            value = rest.pop(0) if rest else ""
        options.setdefault(name, []).append(value)
    return options, rest


def joined_options(one: dict[str, list[str]], other: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return the options of both, the values of `other` behind those of `one`."""
    return {name: one.get(name, []) + other.get(name, []) for name in one.keys() | other.keys()}


def last_value(options: Mapping[str, list[str]], *names: str) -> str:
    """Return the last value of the first of these options that is there, or the empty text."""
    return next((options[name][-1] for name in names if options.get(name)), "")


def npm_name(spec: str) -> tuple[str, str]:
    """Split `@scope/name@version`; the name is empty if it is not one of the registry's."""
    name, _, version = (spec[0] + spec[1:].replace("@", "\0", 1)).partition("\0") if spec else ("", "", "")
    plain = name.removeprefix("@")
    is_name = plain.count("/") == (1 if name.startswith("@") else 0) and not plain.startswith((".", "/")) and ":" not in spec
    return (name, version) if is_name and plain and ".." not in plain else ("", "")
