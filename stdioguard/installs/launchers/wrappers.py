"""Programs whose arguments are another command: a new one is one line of the table."""

from __future__ import annotations

import re
from dataclasses import dataclass

from stdioguard.installs.launchers.shells import SHELLS, line, powershell, shell, windows_shell
from stdioguard.installs.launchers.started import PYTHON, Word, options_of, plain_name, values_of


@dataclass(frozen=True)
class Wrapper:
    """A program whose arguments are another command, after its own options."""

    verbs: tuple[str, ...] = ()
    """The sub-command that does so: one of these. Empty if the program itself does."""

    values: frozenset[str] = frozenset()
    """Its options that take the next word as their value."""

    skipped: int = 0
    """How many words of its own come before the command."""

    dashes: bool = False
    """Whether the command comes only after `--`, and all before that is its own."""

    project: bool = False
    """Whether files of a project say which program of that name it is, or which variables it gets."""

    assignments: bool = False
    """Whether `NAME=value` may come before the command."""


WRAPPERS = {
    "env": Wrapper(values=values_of("-u --unset -C --chdir -a --argv0"), assignments=True),
    "nohup": Wrapper(), "setsid": Wrapper(), "command": Wrapper(), "exec": Wrapper(values=values_of("-a")), "chronic": Wrapper(),
    "corepack": Wrapper(), "unbuffer": Wrapper(), "time": Wrapper(values=values_of("-o -f --output --format")),
    "nice": Wrapper(values=values_of("-n --adjustment")),
    "ionice": Wrapper(values=values_of("-c -n -p --class --classdata")),
    "timeout": Wrapper(values=values_of("-s -k --signal --kill-after"), skipped=1),
    "gtimeout": Wrapper(values=values_of("-s -k --signal --kill-after"), skipped=1),
    "stdbuf": Wrapper(values=values_of("-i -o -e --input --output --error")),
    "sudo": Wrapper(values=values_of("-u -g -h -p -C -D -R -T -U -r -t --user --group --chdir"), assignments=True),
    "doas": Wrapper(values=values_of("-u -C")),
    "caffeinate": Wrapper(values=values_of("-t -w")), "arch": Wrapper(values=values_of("-e")),
    "xvfb-run": Wrapper(values=values_of("-n -e -f -p -s -w --server-num --server-args --error-file --auth-file --xauth-protocol")),
    "dbus-run-session": Wrapper(), "systemd-run": Wrapper(values=values_of("-p -u --property --unit --slice -E")),
    "mise": Wrapper(("exec", "x"), values_of("-C --cd -E --env -j --jobs"), dashes=True),
    "rtx": Wrapper(("exec", "x"), dashes=True),
    "asdf": Wrapper(("exec",)),
    "volta": Wrapper(("run",), values_of("--node --npm --yarn --pnpm --env")),
    "fnm": Wrapper(("exec",), values_of("--using --fnm-dir --log-level --node-dist-mirror --arch")),
    "nvm": Wrapper(("exec", "run"), skipped=1), "n": Wrapper(("exec",), skipped=1),
    "nodenv": Wrapper(("exec",)), "rbenv": Wrapper(("exec",)), "pyenv": Wrapper(("exec",)), "goenv": Wrapper(("exec",)),
    "direnv": Wrapper(("exec",), skipped=1, project=True),
    "dotenvx": Wrapper(("run",), values_of("-f --env-file -e --env -fk --env-keys-file -l --log-level --convention"), project=True),
    "op": Wrapper(("run",), values_of("--env-file --account --config --session --environment"), dashes=True),
    "doppler": Wrapper(("run",), values_of("-p --project -c --config -t --token --scope --fallback --mount"), dashes=True),
    "infisical": Wrapper(("run",), values_of("--env --path --projectId --token --tags --domain"), dashes=True),
    "aws-vault": Wrapper(("exec",), dashes=True), "chamber": Wrapper(("exec",), dashes=True), "teller": Wrapper(("run",), dashes=True),
    "varlock": Wrapper(("run",), dashes=True), "secretspec": Wrapper(("run",), dashes=True), "vaulted": Wrapper(dashes=True),
    "envchain": Wrapper(skipped=1),
    "poetry": Wrapper(("run",), values_of("-C --directory -P --project"), project=True),
    "pipenv": Wrapper(("run",), project=True),
    "pdm": Wrapper(("run",), values_of("-p --project -c --config -s --site-packages"), project=True),
    "rye": Wrapper(("run",), values_of("--pyproject"), project=True),
    "hatch": Wrapper(("run",), values_of("-e --env -p --project"), project=True),
    "conda": Wrapper(("run",), values_of("-n --name -p --prefix --cwd"), project=True),
    "mamba": Wrapper(("run",), values_of("-n --name -p --prefix --cwd"), project=True),
    "micromamba": Wrapper(("run",), values_of("-n --name -p --prefix --cwd"), project=True),
    "pixi": Wrapper(("run",), values_of("-e --environment --manifest-path"), project=True),
    "bundle": Wrapper(("exec",), values_of("--gemfile"), project=True),
    "devbox": Wrapper(("run",), values_of("-c --config -e --env"), project=True),
    "flox": Wrapper(("activate",), dashes=True, project=True),
    "cross-env": Wrapper(assignments=True),
    "wsl": Wrapper(values=values_of("-d --distribution -u --user --cd --shell-type")),
    "script": Wrapper(values=values_of("-T -m -E -I -O -B -t"), skipped=1),
    "stdioguard": Wrapper(
        ("run",),
        values_of("--profile --server --client --token-file --environment --allow-degraded --connect --state --log --channel --approver"),
    ),
}  # fmt: skip
"""Programs whose arguments are another command; a new one is one line."""


ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)\+?=")


def peeled(program: str, words: list[Word]) -> tuple[list[Word], str] | None:
    """Return the command inside another, and why it may not be all that is started; `None` where there is nothing inside.

    An empty command with a reason is one that cannot be told.
    """
    if ASSIGNMENT.match(words[0]) and len(words) > 1:
        return words[1:], ""
    if program == "cmd":
        return windows_shell(words)
    if program in SHELLS:
        return shell(words)
    if program in ("powershell", "pwsh"):
        return powershell(words)
    if program == "dotenv":
        return _dotenv(words)
    if program in ("nix", "nix-shell", "sops", "eval"):
        return _line_in(program, words)
    if PYTHON.fullmatch(program) and words[1:4] == ["-m", "stdioguard", "run"]:
        return _wrapped(WRAPPERS["stdioguard"], words[2:])
    wrapper = WRAPPERS.get(program)
    return None if wrapper is None else _wrapped(wrapper, words)


def _wrapped(wrapper: Wrapper, words: list[Word]) -> tuple[list[Word], str] | None:
    rest = words[1:]
    if wrapper.verbs:
        _, rest = options_of(rest, wrapper.values)
        if not rest or rest[0] not in wrapper.verbs:
            return None
        rest = rest[1:]
    if wrapper.dashes:
        rest = rest[list(map(str, rest)).index("--") + 1 :] if "--" in rest else []
        return rest, "" if rest else "its command does not follow --"
    if plain_name(words[0]) == "env":
        split = next((place for place, word in enumerate(rest) if word.startswith(("-S", "--split-string"))), None)
        if split is not None and all(word.startswith("-") for word in rest[:split]):
            word, after = rest[split], rest[split + 1 :]
            if word in ("-S", "--split-string"):
                word, after = (after[0], after[1:]) if after else (Word.at("", None), [])
            inner, reason = line(re.sub(r"^(-S|--split-string=)", "", word))
            return [*inner, *after] if inner else [], reason
    dashed = "--" in rest
    _, rest = options_of(rest, wrapper.values)
    if wrapper.skipped:
        rest = rest[wrapper.skipped :]
        if dashed and rest[:1] == ["--"]:
            rest = rest[1:]
    while wrapper.assignments and rest and ASSIGNMENT.match(rest[0]):
        rest = rest[1:]
    return rest, "" if rest else "it names no command"


def _line_in(program: str, words: list[Word]) -> tuple[list[Word], str] | None:
    """Peel `nix-shell --run LINE`, `nix develop --command X`, `sops exec-env FILE LINE` and `eval LINE`."""
    rest = words[1:]
    if program == "sops":
        return line(rest[2]) if rest[:1] == ["exec-env"] and len(rest) > 2 else None
    if program == "eval":
        return line(" ".join(rest))
    option = next((place for place, word in enumerate(rest) if word in ("--run", "--command", "-c")), None)
    if option is None or not rest[option + 1 :]:
        return None
    return line(rest[option + 1]) if program == "nix-shell" else (rest[option + 1 :], "")


def _dotenv(words: list[Word]) -> tuple[list[Word], str] | None:
    """Peel `dotenv`, of which there are two: python-dotenv's (`dotenv run -- ...`) and dotenv-cli's (`dotenv -e FILE -- ...`)."""
    _, rest = options_of(words[1:], values_of("-f --file -e -p -v -c -q --quote --export"))
    if rest[:1] == ["run"]:
        _, rest = options_of(rest[1:], frozenset())
    return rest, "" if rest else "it names no command"
