"""One table of what a server may and may not do under one set of grants, for every back end.

Each case is an attack that has to be refused and an honest act, as like it as can be, that has to work: a sandbox that refuses all
passes none. Places are in braces; `acts` does them for real. What one system alone can tell apart says so in `where`.
"""

from __future__ import annotations

from typing import NamedTuple

EVERYWHERE = frozenset({"linux", "macos"})
MACOS = frozenset({"macos"})
LINUX = frozenset({"linux"})


class Act(NamedTuple):
    """Something to do (a key of `acts.DO`) to a path or an address, and the second path of those that take two."""

    kind: str
    path: str
    to: str = ""

    def at(self, places: dict[str, str]) -> Act:
        return Act(self.kind, self.path.format_map(places), self.to.format_map(places))


class Case(NamedTuple):
    name: str
    attack: Act
    honest: Act
    where: frozenset[str] = EVERYWHERE


# {BASE} is the user's home folder, empty but for this. A content of None is a folder; a link is written "-> target".
WORLD: dict[str, str | None] = {
    "{BASE}/.ssh/id_ed25519": "key",
    "{BASE}/.zshrc": "",
    "{BASE}/docs/note.txt": "note",
    "{BASE}/docs/repository/.git/hooks/pre-commit": "exit 0",
    "{BASE}/other/file.txt": "x",
    "{BASE}/other/tool": "#!{PYTHON} -I\n",
    "{BASE}/runtime/tool": "#!{PYTHON} -I\n",
    "{BASE}/runtime/data.txt": "data",
    "{BASE}/server/state/notes.db": "",
    "{BASE}/server/cache": None,
    "{BASE}/server/tmp/prepared/hooks/pre-commit": "exit 1",
    "{BASE}/s": None,
    "{BASE}/work/project-old/readme.md": "old",
    "{BASE}/work/project/readme.md": "hello",
    "{BASE}/work/project/src/main.py": "pass",
    "{BASE}/work/project/empty": None,
    "{BASE}/work/project/tool": "#!{PYTHON} -I\n",
    "{BASE}/work/project/prepared/hooks/pre-commit": "exit 1",
    "{BASE}/work/project/prepared/mcp.json": "{{}}",
    "{BASE}/work/project/.env": "SECRET=1",
    "{BASE}/work/project/env.txt": "",
    "{BASE}/work/project/src/.env": "SECRET=2",
    "{BASE}/work/project/secret/key": "key",
    "{BASE}/work/project/secrets.txt": "",
    "{BASE}/work/project/keys/private/key": "key",
    "{BASE}/work/project/keys/public/key": "key",
    "{BASE}/work/project/.git/HEAD": "ref: refs/heads/main",
    "{BASE}/work/project/.git/config": "[core]",
    "{BASE}/work/project/.git/hooks/pre-commit": "exit 0",
    "{BASE}/work/project/vendor/repository/.git/HEAD": "ref: refs/heads/main",
    "{BASE}/work/project/.vscode/settings.json": "{{}}",
    "{BASE}/work/project/out": "-> {BASE}/.ssh",
    "{BASE}/work/project/in": "-> src",
    "{BASE}/work/project/hooked": "-> .git/hooks",
}

PLACES = {
    "PROJECT": "{BASE}/work/project",
    "READONLY": "{BASE}/docs",
    "OUTSIDE": "{BASE}/other",
    "RUNTIME": "{BASE}/runtime",
    "STATE": "{BASE}/server/state",
    "CACHE": "{BASE}/server/cache",
    "TMP": "{BASE}/server/tmp",
    "SOCKETS": "{BASE}/s",
}
"""Beside {BASE}, {PYTHON} (an interpreter that is in the runtime), {PROXY} (a port that is granted) and {PORT} (one that is not), both
listening on 127.0.0.1; {SOCKETS} holds `granted` and `other`, both listening."""

READ = ["{READONLY}"]
WRITE = ["{PROJECT}"]
SOCKET = ["{SOCKETS}/granted"]
DENY = ["**/.env", "{PROJECT}/secret/**", "{PROJECT}/keys/private/key"]
PROTECTED = [
    "**/.git/hooks/**",
    "**/.git/config",
    "**/.vscode/mcp.json",
    "**/.envrc",
    "**/.claude/settings*.json",
    "**/Library/LaunchAgents/**",
    "{PROJECT}/.mcp.json",
    "{PROJECT}/.github/hooks/**",
    "{BASE}/.zshrc",
]


def case(name: str, attack: Act, honest: Act, where: frozenset[str] = EVERYWHERE) -> Case:
    return Case(name, attack, honest, where)


README = Act("read", "{PROJECT}/readme.md")

CASES = [
    # Reading: what is granted, and nothing beside it.
    case("read a key", Act("read", "{BASE}/.ssh/id_ed25519"), README),
    case("read what starts with a grant's name", Act("read", "{BASE}/work/project-old/readme.md"), README),
    case("climb out by ..", Act("read", "{PROJECT}/../../.ssh/id_ed25519"), Act("read", "{PROJECT}/src/../readme.md")),
    case("follow a link out", Act("read", "{PROJECT}/out/id_ed25519"), Act("read", "{PROJECT}/in/main.py")),
    case("list the home folder", Act("list", "{BASE}"), Act("list", "{PROJECT}")),
    case("list the folder above a grant", Act("list", "{BASE}/work"), Act("list", "{READONLY}")),
    case("look at a file outside", Act("stat", "{BASE}/.ssh/id_ed25519"), Act("stat", "{PROJECT}/readme.md"), MACOS),
    case("read beside the server's own", Act("read", "{OUTSIDE}/file.txt"), Act("read", "{STATE}/notes.db")),
    # Writing: where it is granted.
    case("write what is only read", Act("write", "{READONLY}/note.txt"), Act("read", "{READONLY}/note.txt")),
    case("create where is only read", Act("create", "{READONLY}/new.txt"), Act("create", "{PROJECT}/new.txt")),
    case("append to a start-up file", Act("append", "{BASE}/.zshrc"), Act("append", "{PROJECT}/readme.md")),
    case("truncate outside", Act("truncate", "{OUTSIDE}/file.txt"), Act("truncate", "{PROJECT}/readme.md")),
    case("make a folder outside", Act("mkdir", "{OUTSIDE}/new"), Act("mkdir", "{PROJECT}/new")),
    case("remove what is only read", Act("unlink", "{READONLY}/note.txt"), Act("unlink", "{PROJECT}/readme.md")),
    case("change the runtime", Act("write", "{RUNTIME}/data.txt"), Act("read", "{RUNTIME}/data.txt")),
    case("chmod outside", Act("chmod", "{OUTSIDE}/file.txt"), Act("chmod", "{PROJECT}/readme.md")),
    case("set times outside", Act("utime", "{READONLY}/note.txt"), Act("utime", "{PROJECT}/readme.md")),
    case("write through a link", Act("write", "{PROJECT}/out/id_ed25519"), Act("write", "{PROJECT}/in/main.py")),
    # Names that move.
    case("move in from outside", Act("rename", "{OUTSIDE}/file.txt", "{PROJECT}/x"), Act("rename", "{PROJECT}/readme.md", "{PROJECT}/x")),
    case("move out", Act("rename", "{PROJECT}/readme.md", "{OUTSIDE}/x"), Act("rename", "{TMP}/prepared/hooks", "{TMP}/x")),
    case("replace outside", Act("rename", "{PROJECT}/readme.md", "{OUTSIDE}/file.txt"), Act("rename", "{PROJECT}/src/main.py", "{PROJECT}/readme.md")),
    case("link in from outside", Act("link", "{OUTSIDE}/file.txt", "{PROJECT}/x"), Act("link", "{PROJECT}/readme.md", "{PROJECT}/x")),
    case("link in what is only read", Act("link", "{READONLY}/note.txt", "{PROJECT}/x"), Act("read", "{READONLY}/note.txt")),
    case("link in the runtime", Act("link", "{RUNTIME}/data.txt", "{PROJECT}/x"), Act("link", "{STATE}/notes.db", "{STATE}/x")),
    case("take the grant away", Act("rename", "{PROJECT}", "{TMP}/x"), Act("rename", "{PROJECT}/src", "{PROJECT}/x")),
    case("remove the server's own folder", Act("rmdir", "{CACHE}"), Act("rmdir", "{PROJECT}/empty")),
    # Denied within a grant.
    case("read what is denied", Act("read", "{PROJECT}/.env"), Act("read", "{PROJECT}/env.txt")),
    case("read what is denied further down", Act("read", "{PROJECT}/src/.env"), Act("read", "{PROJECT}/src/main.py")),
    case("read it by way of a link", Act("read", "{PROJECT}/in/.env"), Act("read", "{PROJECT}/in/main.py")),
    case("write what is denied", Act("write", "{PROJECT}/.env"), Act("write", "{PROJECT}/env.txt")),
    case("create what is denied", Act("create", "{PROJECT}/empty/.env"), Act("create", "{PROJECT}/empty/.environment")),
    case("create it in the server's own", Act("create", "{TMP}/.env"), Act("create", "{TMP}/env"), MACOS),
    case("give it another name", Act("rename", "{PROJECT}/.env", "{PROJECT}/x"), Act("rename", "{PROJECT}/env.txt", "{PROJECT}/x")),
    case("give it a second name", Act("link", "{PROJECT}/.env", "{PROJECT}/x"), Act("link", "{PROJECT}/env.txt", "{PROJECT}/x")),
    case("remove it", Act("unlink", "{PROJECT}/.env"), Act("unlink", "{PROJECT}/env.txt")),
    case("read a denied folder's file", Act("read", "{PROJECT}/secret/key"), Act("read", "{PROJECT}/secrets.txt")),
    case("list a denied folder", Act("list", "{PROJECT}/secret"), Act("list", "{PROJECT}/src")),
    case("create in a denied folder", Act("create", "{PROJECT}/secret/new"), Act("create", "{PROJECT}/src/new")),
    case("move a denied folder", Act("rename", "{PROJECT}/secret", "{PROJECT}/x"), Act("rename", "{PROJECT}/src", "{PROJECT}/x")),
    case(
        "move a folder above what is denied",
        Act("rename", "{PROJECT}/keys/private", "{PROJECT}/x"),
        Act("rename", "{PROJECT}/keys/public", "{PROJECT}/x"),
    ),
    case("move one further above", Act("rename", "{PROJECT}/keys", "{PROJECT}/x"), Act("rename", "{PROJECT}/src", "{PROJECT}/x")),
    # Protected within a grant: read, and not changed.
    case("write a hook", Act("write", "{PROJECT}/.git/hooks/pre-commit"), Act("read", "{PROJECT}/.git/hooks/pre-commit")),
    case("add a hook", Act("create", "{PROJECT}/.git/hooks/post-merge"), Act("create", "{PROJECT}/.git/index")),
    case("add a folder of hooks", Act("mkdir", "{PROJECT}/.git/hooks/d"), Act("mkdir", "{PROJECT}/.git/objects")),
    case("make a hook executable", Act("chmod", "{PROJECT}/.git/hooks/pre-commit"), Act("chmod", "{PROJECT}/.git/HEAD")),
    case("write a hook by way of a link", Act("write", "{PROJECT}/hooked/pre-commit"), Act("read", "{PROJECT}/hooked/pre-commit")),
    case("make the hooks where none are", Act("mkdir", "{PROJECT}/vendor/repository/.git/hooks"), Act("mkdir", "{PROJECT}/vendor/repository/.git/refs")),
    case("link the hooks elsewhere", Act("symlink", "{PROJECT}/vendor/repository/.git/hooks", "{PROJECT}/src"), Act("symlink", "{PROJECT}/hooks", "{PROJECT}/src")),
    case("move hooks into place", Act("rename", "{PROJECT}/prepared/hooks", "{PROJECT}/vendor/repository/.git/hooks"), Act("rename", "{PROJECT}/prepared/hooks", "{PROJECT}/hooks")),
    case("move hooks out of the way", Act("rename", "{PROJECT}/.git/hooks", "{PROJECT}/x"), Act("rename", "{PROJECT}/prepared", "{PROJECT}/x")),
    case("move the repository away", Act("rename", "{PROJECT}/.git", "{PROJECT}/x"), Act("rename", "{PROJECT}/src", "{PROJECT}/x")),
    case("move a repository into place", Act("rename", "{PROJECT}/prepared", "{PROJECT}/empty/.git"), Act("rename", "{PROJECT}/prepared", "{PROJECT}/empty/git")),
    case("move one in from tmp", Act("rename", "{TMP}/prepared", "{PROJECT}/empty/.git"), Act("rename", "{TMP}/prepared", "{PROJECT}/empty/git")),
    case("write git's settings", Act("write", "{PROJECT}/.git/config"), Act("read", "{PROJECT}/.git/config")),
    case("replace git's settings", Act("rename", "{PROJECT}/readme.md", "{PROJECT}/.git/config"), Act("rename", "{PROJECT}/readme.md", "{PROJECT}/.git/description")),
    case("reach git's settings by a second name", Act("link", "{PROJECT}/.git/config", "{PROJECT}/x"), Act("link", "{PROJECT}/.git/HEAD", "{PROJECT}/x")),
    case("remove git's settings", Act("unlink", "{PROJECT}/.git/config"), Act("unlink", "{PROJECT}/.git/HEAD")),
    case("set times of git's settings", Act("utime", "{PROJECT}/.git/config"), Act("utime", "{PROJECT}/.git/HEAD")),
    case("tag git's settings", Act("setxattr", "{PROJECT}/.git/config"), Act("setxattr", "{PROJECT}/.git/HEAD"), MACOS),
    # Protected, and not there yet.
    case("create a client's settings", Act("create", "{PROJECT}/.mcp.json"), Act("create", "{PROJECT}/mcp.json")),
    case("link a client's settings", Act("symlink", "{PROJECT}/.mcp.json", "{PROJECT}/readme.md"), Act("symlink", "{PROJECT}/mcp.json", "{PROJECT}/readme.md")),
    case("create them as a folder", Act("mkdir", "{PROJECT}/.mcp.json"), Act("mkdir", "{PROJECT}/.mcp.json.d")),
    case("hard-link them into place", Act("link", "{PROJECT}/readme.md", "{PROJECT}/.mcp.json"), Act("link", "{PROJECT}/readme.md", "{PROJECT}/mcp.json")),
    case("create an editor's settings", Act("create", "{PROJECT}/.vscode/mcp.json"), Act("create", "{PROJECT}/.vscode/launch.json")),
    case("move an editor's settings into place", Act("rename", "{PROJECT}/prepared", "{PROJECT}/src/.vscode"), Act("rename", "{PROJECT}/prepared", "{PROJECT}/src/vscode")),
    case("create a start-up file", Act("create", "{PROJECT}/src/.envrc"), Act("create", "{PROJECT}/src/.envrc.example")),
    case("a name by wildcard", Act("rename", "{PROJECT}/prepared", "{PROJECT}/.claude"), Act("rename", "{PROJECT}/prepared", "{PROJECT}/claude")),
    case("move what leads there into place", Act("rename", "{PROJECT}/prepared", "{PROJECT}/.github"), Act("rename", "{PROJECT}/prepared", "{PROJECT}/github")),
    case("make what leads there", Act("mkdir", "{PROJECT}/.github"), Act("mkdir", "{PROJECT}/github"), MACOS),
    case("make an empty repository", Act("mkdir", "{PROJECT}/empty/.git"), Act("mkdir", "{PROJECT}/empty/git"), MACOS),
    # Programs.
    case("run a program outside", Act("exec", "{OUTSIDE}/tool"), Act("exec", "{RUNTIME}/tool")),
    case("run what can be written", Act("exec", "{PROJECT}/tool"), Act("exec", "{RUNTIME}/tool")),
    # Sockets.
    case("connect to another port", Act("connect", "127.0.0.1:{PORT}"), Act("connect", "127.0.0.1:{PROXY}")),
    case("send a datagram", Act("send-udp", "127.0.0.1:{PORT}"), Act("connect", "127.0.0.1:{PROXY}")),
    case("listen", Act("bind", "127.0.0.1:0"), Act("connect", "127.0.0.1:{PROXY}"), MACOS),
    case("connect to another socket", Act("connect-unix", "{SOCKETS}/other"), Act("connect-unix", "{SOCKETS}/granted")),
    case("make a socket in a grant", Act("bind-unix", "{PROJECT}/s"), Act("bind-unix", "{TMP}/s"), MACOS),
]  # fmt: skip

# What a file's name can hold, as a folder that is granted: whatever it says, it is a name.
NASTY_NAMES = [
    'a")(allow default)(deny file-write* (literal "',
    'a") (subpath "',
    '"',
    '""',
    "\\",
    "\\\\",
    'a\\"',
    "a\\",
    "';",
    "; comment",
    "#| block |#",
    "(",
    ")",
    "[a-z]",
    "[^/]*",
    "a.b",
    "a*b",
    "a?b",
    "a{2}",
    "^a$",
    "a|b",
    "a+",
    "%s",
    "{HOME}",
    "$HOME",
    "${CWD}",
    "a b",
    " ",
    "-p",
    "--",
    "caf\u00e9",
    "cafe\u0301",
    "\u65e5\u672c",
    "\U0001f468\u200d\U0001f469",
    "STRASSE",
    "stra\u00dfe",
    "\u2028",
    "\u202etxt",
]

REFUSED_NAMES = ["a\nb", "a\rb", "a\tb", "a\0b", "a\x7fb", "a\x1bb", "\x85", "a\udc80b"]
"""Names that a profile cannot say: the launch is refused."""

# A pattern that is denied, a name that it covers, and one that it must not cover.
PATTERNS = [
    ("**/a+b.txt", "a+b.txt", "aab.txt"),
    ("**/a.txt", "a.txt", "abtxt"),
    ("**/(a|b)", "(a|b)", "a"),
    ("**/[ab]", "[ab]", "a"),
    ("**/[^a]", "[^a]", "b"),
    ("**/a{2}", "a{2}", "aa"),
    ("**/^a$", "^a$", "a"),
    ("**/a\\b", "a\\b", "ab"),
    ('**/a"b', 'a"b', "ab"),
    ("**/*.pem", "x.pem", "x.pem.txt"),
    ("**/*.pem", "dir.pem/x", "pem"),
    ("**/id_?", "id_1", "id_"),
    ("**/id_?", "id_\u65e5", "id"),
    ("{PROJECT}/a*z", "abz", "a/z"),
    ("**/a/**/z", "a/z", "z"),
    ("**/a/**/z", "a/b/c/z", "a/b/cz"),
    ("{PROJECT}/x/*/y", "x/1/y", "x/y"),
    ("{PROJECT}/x/*/y", "x/1/y/2", "x/1/2/y"),
    ("{PROJECT}/x/**", "x", "xx"),
    ("{PROJECT}/x/**", "x/y/z", "y/x"),
    ("**/caf\u00e9", "caf\u00e9", "cafe"),
    ("**/\u65e5\u672c*", "\u65e5\u672c\u8a9e", "\u65e5"),
]
