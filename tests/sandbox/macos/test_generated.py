"""What macOS alone can spell, and what a profile must not let through whatever the plan says."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stdioguard.sandbox import patterns, protected
from stdioguard.sandbox.macos import base, globs, paths, sbpl
from stdioguard.sandbox.macos.errors import MacSandboxError
from stdioguard.sandbox.plan import Plan
from tests.sandbox import cases
from tests.sandbox.cases import Act
from tests.sandbox.macos import plans
from tests.sandbox.macos.asks import asks
from tests.sandbox.macos.disk import Disk
from tests.sandbox.macos.evaluator import Ask, Profile
from tests.sandbox.macos.test_table import AT, DISK, PROFILE, allowed

PROJECT = AT["PROJECT"]


def profile(plan: Plan, disk: Disk = DISK) -> Profile:
    return Profile(sbpl.profile(plan, disk.kernel))


# Spellings. Each row: an attack in a spelling that APFS or HFS+ takes for the protected name, and an honest name that looks like it.
SPELLINGS = [
    (Act("create", f"{PROJECT}/.GIT/HOOKS/pre-commit2"), Act("create", f"{PROJECT}/.GITS")),
    (Act("create", f"{PROJECT}/.MCP.JSON"), Act("create", f"{PROJECT}/.MCP_JSON")),
    (Act("write", f"{PROJECT}/.Git/Config"), Act("write", f"{PROJECT}/.Git/head")),
    (Act("mkdir", f"{PROJECT}/vendor/repository/.git/HOOKS"), Act("mkdir", f"{PROJECT}/vendor/repository/.git/HOOK")),
    (Act("create", f"{PROJECT}/vendor/repository/.git/con\ufb01g"), Act("create", f"{PROJECT}/vendor/repository/.git/con\ufb02ict")),
    (Act("mkdir", f"{PROJECT}/vendor/repository/.git/hoo\u212as"), Act("mkdir", f"{PROJECT}/vendor/repository/.git/hoo\u0138s")),
    (Act("create", f"{PROJECT}/.v\u017fcode/mcp.json"), Act("create", f"{PROJECT}/.vscode/tasks.json")),
    (Act("mkdir", f"{PROJECT}/.g\u200cit"), Act("mkdir", f"{PROJECT}/\U0001f468\u200d\U0001f469")),
    (Act("rename", f"{PROJECT}/prepared", f"{PROJECT}/empty/\ufeff.git"), Act("rename", f"{PROJECT}/prepared", f"{PROJECT}/empty/\u0645\u06cc\u200c\u062e")),
    (Act("rename", f"{PROJECT}/prepared", f"{PROJECT}/.GITHUB"), Act("rename", f"{PROJECT}/prepared", f"{PROJECT}/.GITHUBS")),
    (Act("read", f"{PROJECT}/.ENV"), Act("read", f"{PROJECT}/ENV.TXT")),
    (Act("read", f"{PROJECT}/SECRET/KEY"), Act("read", f"{PROJECT}/SECRETS.TXT")),
    (Act("create", f"{PROJECT}/Secret/new"), Act("create", f"{PROJECT}/Secretary")),
    (Act("rename", f"{PROJECT}/Secret", f"{PROJECT}/x"), Act("rename", f"{PROJECT}/Src", f"{PROJECT}/x")),
    (Act("read", "/users/ANN/.SSH/id_ed25519"), Act("read", "/users/ANN/Work/Project/README.md")),
    # Firmlinks and the links that every Mac has.
    (Act("read", "/System/Volumes/Data/Users/ann/.ssh/id_ed25519"), Act("read", f"/System/Volumes/Data{PROJECT}/readme.md")),
    (Act("write", f"/System/Volumes/Data{PROJECT}/.git/config"), Act("write", f"/System/Volumes/Data{PROJECT}/.git/HEAD")),
    (Act("create", f"/System/Volumes/Data{PROJECT}/.mcp.json"), Act("create", f"/System/Volumes/Data{PROJECT}/mcp.json")),
    (Act("read", f"/System/Volumes/Data{PROJECT}/.env"), Act("read", f"/System/Volumes/Data{PROJECT}/env.txt")),
    (Act("create", "/tmp/x"), Act("create", f"{AT['TMP']}/x")),
    (Act("read", "/System/Volumes/Data/mnt/disk/file"), Act("read", "/System/Library/Frameworks")),
    # A folder that is cloned brings along what is in it.
    (Act("clone", f"{AT['READONLY']}/repository", f"{PROJECT}/x"), Act("create", f"{PROJECT}/x")),
    (Act("clone", f"{PROJECT}/.env", f"{PROJECT}/x"), Act("read", f"{PROJECT}/env.txt")),
    # Code that is loaded.
    (Act("map", f"{PROJECT}/tool"), Act("map", f"{AT['RUNTIME']}/tool")),
    (Act("exec", "/usr/bin/open"), Act("map", "/usr/lib/libSystem.B.dylib")),
    (Act("exec", "/System/Library/Frameworks"), Act("exec", AT["PYTHON"])),
]  # fmt: skip


@pytest.mark.parametrize(
    ("attack", "honest"), SPELLINGS, ids=[ascii(f"{attack.kind} {attack.path} {attack.to}") for attack, _ in SPELLINGS]
)
def test_a_name_is_the_name_however_it_is_spelled(attack: Act, honest: Act) -> None:
    assert not allowed(attack)
    assert allowed(honest)


@pytest.mark.parametrize("kernel_form", ["\u00e9", "e\u0301"])
@pytest.mark.parametrize("plan_form", ["\u00e9", "e\u0301"])
def test_a_home_beyond_ascii_is_protected_in_both_forms(kernel_form: str, plan_form: str) -> None:
    at = plans.places(f"/Users/jos{kernel_form}")
    disk = Disk(plans.world(at))
    given = plans.places(f"/Users/jos{plan_form}")
    generated = profile(plans.plan(given), disk)
    for act_form in ("\u00e9", "e\u0301", "\u00c9"):
        project = f"/Users/jos{act_form}/work/project"
        assert not allowed(Act("create", f"{project}/.mcp.json"), generated, disk)
        assert not allowed(Act("read", f"{project}/.env"), generated, disk)
        assert allowed(Act("create", f"{project}/mcp.json"), generated, disk)


# Names that mean something to the profile's language.


@pytest.mark.parametrize("name", cases.NASTY_NAMES)
def test_a_granted_folder_is_that_folder_whatever_its_name_says(name: str) -> None:
    granted = f"/Users/ann/{name}"
    disk = Disk(
        {**plans.world(AT), f"{granted}/file": "", f"{granted}/.git/config": "", "/Users/ann/a/file": "", "/Users/ann/file": ""}
    )
    generated = profile(plans.plan(write=[granted]), disk)
    assert allowed(Act("read", f"{granted}/file"), generated, disk)
    assert allowed(Act("create", f"{granted}/new"), generated, disk)
    assert not allowed(Act("write", f"{granted}/.git/config"), generated, disk)
    for outside in ("/Users/ann/.ssh/id_ed25519", "/Users/ann/a/file", "/Users/ann/file", f"{PROJECT}/readme.md"):
        assert not allowed(Act("read", outside), generated, disk)
        assert not allowed(Act("write", outside), generated, disk)
    assert not allowed(Act("rename", granted, f"{AT['TMP']}/x"), generated, disk)


@pytest.mark.parametrize("kind", ["read", "write", "deny", "protected", "runtime", "sockets", "home", "cwd"])
@pytest.mark.parametrize("name", cases.REFUSED_NAMES)
def test_a_name_that_cannot_be_said_refuses_the_launch(kind: str, name: str) -> None:
    path = f"{PROJECT}/{name}"
    value = path if kind in ("home", "cwd") else [path]
    with pytest.raises(MacSandboxError) as refusal:
        sbpl.profile(plans.plan(**{kind: value}), lambda path: path)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(("pattern", "covered", "other"), cases.PATTERNS)
def test_a_pattern_covers_what_it_says(pattern: str, covered: str, other: str) -> None:
    generated = profile(plans.plan(deny=[pattern.format_map(AT) if "{PROJECT}" in pattern else pattern], protected=[]))
    assert not allowed(Act("read", f"{PROJECT}/{covered}"), generated)
    assert not allowed(Act("create", f"{PROJECT}/{covered}"), generated)
    assert not allowed(Act("read", f"{PROJECT}/{covered}/below"), generated)
    assert allowed(Act("read", f"{PROJECT}/{other}"), generated)
    assert allowed(Act("create", f"{PROJECT}/{other}"), generated)


@pytest.mark.parametrize(
    "pattern", ["/", "**", "**/", "/**", "**/**", "relative", "a/**", "../x", "/a/../b", "**/a**", "", "/a\nb"]
)
def test_a_pattern_that_means_nothing_or_everything_is_refused(pattern: str) -> None:
    with pytest.raises(MacSandboxError):
        sbpl.profile(plans.plan(deny=[pattern]), lambda path: path)


NAMES = st.one_of(
    st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="/"), min_size=1, max_size=12),
    st.sampled_from(cases.NASTY_NAMES),
    st.text(st.sampled_from("()[]{}\"\\.*?+|^$ ;#'a"), min_size=1, max_size=12),
).filter(lambda name: name not in (".", "..") and not re.fullmatch(r"\*\*", name) and "**" not in name)


@settings(max_examples=60, deadline=None)
@given(granted=NAMES, denied=NAMES, kept=NAMES)
def test_no_text_of_a_path_changes_the_verdict_on_another(granted: str, denied: str, kept: str) -> None:
    folder = f"/Users/ann/granted/{granted}"
    disk = Disk({**plans.world(AT), f"{folder}/file": ""})
    plan = plans.plan(
        read=[folder], deny=[f"/Users/ann/denied/{denied}"], protected=[f"/Users/ann/kept/{kept}", *cases.PROTECTED[:2]]
    )
    generated = profile(plan, disk)
    for act in FIXED:
        assert allowed(act, generated, disk) == allowed(act), act
    assert allowed(Act("read", f"{folder}/file"), generated, disk)


FIXED = [
    Act("read", "/Users/ann/.ssh/id_ed25519"),
    Act("write", "/Users/ann/.zshrc"),
    Act("read", f"{PROJECT}/readme.md"),
    Act("create", f"{PROJECT}/new"),
    Act("unlink", f"{PROJECT}/.git/config"),
    Act("create", f"{PROJECT}/.git/hooks/x"),
    Act("rename", f"{PROJECT}/.git", f"{PROJECT}/x"),
    Act("exec", "/bin/sh"),
    Act("connect", "127.0.0.1:18080"),
    Act("connect", "127.0.0.1:18081"),
    Act("connect-unix", "/var/run/mDNSResponder"),
]


# Against the matcher that the other back end uses.


PARTS = st.sampled_from(
    [".git", "hooks", "config", "modules", "x", "a.git", ".vscode", "mcp.json", "settings.json", "CLAUDE.md", ".claude", "worktrees", "HEAD",
     "refs", "remotes", "origin", "logs", "Hooks", ".github", "instructions", ".npmrc", "readme.md", ".envrc", ".husky", "_", ".cargo"]
)  # fmt: skip
PATHS = st.lists(PARTS, min_size=1, max_size=4).map(lambda parts: "/".join([PROJECT, *parts]))


@settings(max_examples=150, deadline=None)
@given(PATHS)
def test_what_the_fence_forbids_the_profile_refuses(path: str) -> None:
    fence = REAL.fence()
    verdicts = {
        act.kind: allowed(act, REAL_PROFILE)
        for act in (Act("write", path), Act("create", path), Act("unlink", path), Act("mkdir", path))
    }
    if fence.forbids_making(path):
        assert not any(verdicts.values()), (path, verdicts)
    elif fence.forbids_writing(path):
        # A folder on the way, or a HEAD: it is neither made nor taken away. A plain file may be where only a wildcard names a folder:
        # `a.git` and `.git/worktrees/a` point nowhere, `.git` does.
        assert not verdicts["create"] or path.endswith("a.git") or path.rpartition("/")[0].endswith(".git/worktrees")
        assert path.endswith("HEAD") or not verdicts["mkdir"]
    elif not any(at in path.casefold() for at in (".git/", "refs/remotes", "head")):
        assert all(verdicts.values()), (path, verdicts)
    assert fence.forbids_reading(path) is None
    assert allowed(Act("read", path), REAL_PROFILE)


@settings(max_examples=150, deadline=None)
@given(PATHS, PATHS)
def test_a_folder_that_the_fence_does_not_let_move_stays(path: str, to: str) -> None:
    disk = Disk({**plans.world(AT), path: None})
    # Behind a `**` within a pattern (`.git/modules/**/config`) a prepared folder can be put: see `globs.leading_to`.
    if REAL.fence().forbids_moving(path, to) and not any(".git/modules" in one.casefold() for one in (path, to)):
        assert not allowed(Act("rename", path, to), REAL_PROFILE, disk), REAL.fence().forbids_moving(path, to)


REAL = plans.plan(protected=protected.patterns("/Users/ann", ["/Users/ann/Library/Application Support/stdioguard"], {}), deny=[])
REAL_TEXT = sbpl.profile(REAL, DISK.kernel)
REAL_PROFILE = Profile(REAL_TEXT)

# A repository that git obeys in whatever folder it lies.
EMBEDDED = [
    (Act("create", f"{PROJECT}/x/HEAD"), Act("create", f"{PROJECT}/.git/HEAD")),
    (Act("create", f"{PROJECT}/HEAD"), Act("create", f"{PROJECT}/vendor/repository/.git/refs/remotes/origin/HEAD")),
    (
        Act("rename", f"{PROJECT}/readme.md", f"{PROJECT}/src/head"),
        Act("rename", f"{PROJECT}/.git/HEAD.lock", f"{PROJECT}/.git/HEAD"),
    ),
    (Act("create", f"{PROJECT}/.git/x/HEAD"), Act("create", f"{PROJECT}/.git/logs/HEAD")),
    (Act("rename", f"{PROJECT}/.git/logs", f"{PROJECT}/x"), Act("rename", f"{PROJECT}/.git/objects", f"{PROJECT}/.git/x")),
    (Act("rename", f"{PROJECT}/.git/modules/a", f"{PROJECT}/x"), Act("unlink", f"{PROJECT}/.git/modules/a/index.lock")),
]


@pytest.mark.parametrize(("attack", "honest"), EMBEDDED)
def test_no_folder_becomes_a_repository(attack: Act, honest: Act) -> None:
    folders = dict.fromkeys([f"{PROJECT}/.git/logs", f"{PROJECT}/.git/objects", f"{PROJECT}/.git/modules/a"])
    disk = Disk({**plans.world(AT), **folders, f"{PROJECT}/.git/modules/a/index.lock": "", f"{PROJECT}/.git/HEAD.lock": ""})
    assert not allowed(attack, REAL_PROFILE, disk)
    assert allowed(honest, REAL_PROFILE, disk)


def test_all_that_is_protected_by_default_fits_a_command_line_many_times() -> None:
    assert len(REAL.protected) > 300
    assert len(REAL_TEXT.encode()) < 128 * 1024


def test_nothing_is_protected_in_the_server_s_own_folders_where_nothing_can_be_moved_to() -> None:
    generated = profile(plans.plan(write=[]))
    assert allowed(Act("mkdir", f"{AT['TMP']}/.git"), generated)
    assert not allowed(Act("mkdir", f"{AT['TMP']}/.git"))
    assert not allowed(Act("create", f"{AT['TMP']}/.env"), generated)


# All that is no file.


@pytest.mark.parametrize(
    ("operation", "values"),
    [
        ("mach-lookup", {"global-name": "com.apple.SecurityServer"}),
        ("mach-lookup", {"global-name": "com.apple.securityd.xpc"}),
        ("mach-lookup", {"global-name": "com.apple.trustd.agent"}),
        ("mach-lookup", {"global-name": "com.apple.dnssd.service"}),
        ("mach-lookup", {"global-name": "com.apple.coreservices.launchservicesd"}),
        ("mach-lookup", {"global-name": "com.apple.coreservices.appleevents"}),
        ("mach-lookup", {"global-name": "com.apple.pasteboard.1"}),
        ("mach-lookup", {"global-name": "com.apple.cfprefsd.agent"}),
        ("mach-lookup", {"global-name": "com.apple.system.opendirectoryd.libinfo2"}),
        ("mach-lookup", {"local-name": "com.apple.system.opendirectoryd.libinfo"}),
        ("mach-register", {"global-name": "com.apple.system.opendirectoryd.libinfo"}),
        ("mach-priv-task-port", {"target": "same-sandbox"}),
        ("mach-task-read", {"target": "others"}),
        ("appleevent-send", {}),
        ("lsopen", {}),
        ("job-creation", {}),
        ("authorization-right-obtain", {}),
        ("user-preference-read", {}),
        ("user-preference-write", {}),
        ("process-info-pidinfo", {"target": "others"}),
        ("process-info-pidinfo", {"target": "same-sandbox"}),
        ("process-info-listpids", {"target": "others"}),
        ("signal", {"target": "others"}),
        ("sysctl-read", {"sysctl-name": "kern.procargs2.1"}),
        ("sysctl-read", {"sysctl-name": "kern.proc.all"}),
        ("sysctl-read", {"sysctl-name": "net.routetable.0.0.3.0"}),
        ("sysctl-write", {"sysctl-name": "kern.hostname"}),
        ("iokit-open-user-client", {}),
        ("iokit-get-properties", {}),
        ("nvram-get", {}),
        ("nvram-set", {}),
        ("device-camera", {}),
        ("device-microphone", {}),
        ("darwin-notification-post", {}),
        ("distributed-notification-post", {}),
        ("ipc-posix-shm-read-data", {"ipc-posix-name": "apple.shm.notification_center"}),
        ("ipc-posix-sem-open", {"ipc-posix-name": "/other"}),
        ("ipc-sysv-shm", {}),
        ("system-socket", {"socket-domain": "AF_INET", "socket-type": "SOCK_DGRAM"}),
        ("system-socket", {"socket-domain": "AF_INET", "socket-type": "SOCK_RAW"}),
        ("system-socket", {"socket-domain": "AF_SYSTEM"}),
        ("system-socket", {"socket-domain": "AF_ROUTE"}),
        ("network-outbound", {"remote": "tcp 192.0.2.1:443"}),
        ("network-outbound", {"remote": "tcp 192.0.2.1:18080"}),
        ("network-outbound", {"remote": "udp localhost:18080"}),
        ("network-inbound", {"local": "tcp localhost:80"}),
        ("system-fcntl", {"fcntl-command": "F_SETPROTECTIONCLASS"}),
        ("file-mount", {}),
        ("system-set-time", {}),
        ("pseudo-tty", {}),
    ],
)
def test_what_is_no_file_is_refused(operation: str, values: dict[str, str]) -> None:
    assert not PROFILE.allows(Ask(operation, values=values))


@pytest.mark.parametrize(
    ("operation", "values"),
    [
        ("mach-lookup", {"global-name": "com.apple.system.opendirectoryd.libinfo"}),
        ("process-fork", {}),
        ("process-info-pidinfo", {"target": "self"}),
        ("signal", {"target": "self"}),
        ("signal", {"target": "same-sandbox"}),
        ("sysctl-read", {"sysctl-name": "hw.ncpu"}),
        ("sysctl-read", {"sysctl-name": "hw.optional.arm.FEAT_LSE"}),
        ("ipc-posix-sem-create", {"ipc-posix-name": "/mp-abcdefgh"}),
        ("ipc-posix-shm-write-create", {"ipc-posix-name": "/psm_1234"}),
        ("system-socket", {"socket-domain": "AF_UNIX"}),
        ("system-socket", {"socket-domain": "AF_INET6", "socket-type": "SOCK_STREAM"}),
        ("network-outbound", {"remote": "tcp localhost:18080"}),
    ],
)
def test_what_a_runtime_needs_is_allowed(operation: str, values: dict[str, str]) -> None:
    assert PROFILE.allows(Ask(operation, values=values))


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/private/etc/hosts",
        "/usr/lib/libSystem.B.dylib",
        "/System/Library/OpenSSL/openssl.cnf",
        "/usr/share/zoneinfo/UTC",
        "/dev/urandom",
    ],
)
def test_the_system_s_own_files_are_read(path: str) -> None:
    assert PROFILE.allows(Ask("file-read-data", path))
    assert not PROFILE.allows(Ask("file-write-data", path))


@pytest.mark.parametrize(
    "path",
    [
        "/private/etc/master.passwd",
        "/private/etc/sudoers",
        "/Library/Preferences/x",
        "/usr/bin/x",
        "/Users",
        "/private/tmp/x",
        "/dev/disk0",
        "/dev/tty",
        "/private/var/db/x",
        "/Library/Keychains/System.keychain",
    ],
)
def test_what_else_is_on_the_system_is_not_read(path: str) -> None:
    assert not PROFILE.allows(Ask("file-read-data", path))


@pytest.mark.parametrize(
    "folder",
    ["/Users", "/Users/ann", "/Users/ann/work", "/Users/ann/server", "/opt/homebrew", "/etc", "/tmp", "/System/Volumes/Data"],
)
def test_the_folders_above_a_grant_are_seen_and_not_listed(folder: str) -> None:
    assert PROFILE.allows(Ask("file-read-metadata", folder))
    assert not PROFILE.allows(Ask("file-read-data", folder))


def test_a_link_by_which_a_path_was_named_is_seen() -> None:
    generated = profile(plans.plan(links=[("/Users/ann/bin/python", "/opt/homebrew/bin/python3")]))
    assert generated.allows(Ask("file-read-metadata", "/Users/ann/bin/python"))
    assert generated.allows(Ask("file-read-metadata", "/Users/ann/bin"))
    assert not PROFILE.allows(Ask("file-read-metadata", "/Users/ann/bin/python"))


def test_the_working_directory_is_no_grant() -> None:
    generated = profile(plans.plan(cwd="/Users/ann/.ssh"))
    assert generated.allows(Ask("file-read-metadata", "/Users/ann/.ssh"))
    assert not generated.allows(Ask("file-read-data", "/Users/ann/.ssh"))
    assert not generated.allows(Ask("file-read-metadata", "/Users/ann/.ssh/id_ed25519"))


# The network is none, or the proxy.


def test_without_hosts_there_is_no_network_whatever_the_port() -> None:
    generated = profile(plans.plan(network=[]))
    assert not generated.allows(Ask("network-outbound", values={"remote": "tcp localhost:18080"}))
    assert not generated.allows(Ask("system-socket", values={"socket-domain": "AF_INET", "socket-type": "SOCK_STREAM"}))


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_hosts_without_a_proxy_are_refused(port: int) -> None:
    with pytest.raises(MacSandboxError, match="no proxy"):
        sbpl.profile(plans.plan(proxy_port=port), DISK.kernel)


def test_a_socket_that_is_denied_is_not_connected_to_though_it_is_granted() -> None:
    assert allowed(Act("connect-unix", f"{AT['SOCKETS']}/granted"))
    generated = profile(plans.plan(deny=["**/granted"]))
    assert not allowed(Act("connect-unix", f"{AT['SOCKETS']}/granted"), generated)


# Plans that cannot be.


@pytest.mark.parametrize("path", ["/", "/System/Volumes/Data", "//", "/.", "relative", "", "/a/../b"])
@pytest.mark.parametrize("kind", ["read", "write", "runtime"])
def test_a_grant_of_everything_or_of_nothing_known_is_refused(kind: str, path: str) -> None:
    with pytest.raises(MacSandboxError):
        sbpl.profile(plans.plan(**{kind: [path]}), lambda path: path)


def test_the_data_volume_beside_its_firmlinks_has_two_names() -> None:
    generated = profile(plans.plan(read=["/System/Volumes/Data/mnt/disk"]))
    for path in ("/System/Volumes/Data/mnt/disk/file", "/mnt/disk/file"):
        assert generated.allows(Ask("file-read-data", path))
    assert paths.lexical("/System/Volumes/Data/Users/ann/x") == "/Users/ann/x"
    assert paths.lexical("/tmp//./x/") == "/private/tmp/x"
    assert paths.lexical("/tmpx") == "/tmpx"


def test_what_is_denied_on_the_data_volume_is_denied_under_both_names() -> None:
    denied = ["/System/Volumes/Data/mnt/disk/*.key", "/System/Volumes/Data/mnt/disk/secret", "**/.env"]
    generated = profile(
        plans.plan(write=["/System/Volumes/Data/mnt/disk"], deny=denied, protected=["/System/Volumes/Data/mnt/disk/.mcp.json"])
    )
    for folder in ("/System/Volumes/Data/mnt/disk", "/mnt/disk"):
        for name in ("a.key", "A.KEY", "secret", "Secret/x", ".env", ".mcp.json", ".MCP.JSON"):
            assert not generated.allows(Ask("file-write-create", f"{folder}/{name}"))
        for name in ("a.txt", "secrets", ".mcp"):
            assert generated.allows(Ask("file-write-create", f"{folder}/{name}"))


# Each layer by itself.


@pytest.mark.parametrize(
    ("layer", "missed"),
    [
        (r"\(deny file-write\* file-write-create file-write-data", "write git's settings"),
        (r"\(deny file-write-create file-write-unlink\n", "move a repository into place"),
        (r"\(deny file-read\* ", "read what is denied"),
        (r"\(deny [^)]*file-link\)", None),
    ],
)
def test_without_a_layer_a_named_case_goes_through(layer: str, missed: str | None) -> None:
    text = sbpl.profile(plans.plan(), DISK.kernel)
    rules = re.split(r"\n(?=\()", text)
    without = Profile(
        "\n".join(rule for rule in rules if not re.match(layer, rule)) + ("\n" if not re.match(layer, rules[-1]) else "\n")
    )
    failing = {case.name for case in cases.CASES if "macos" in case.where and _any_reading(case.attack.at(AT), without)}
    if missed is None:
        # What is not denied by default on a Mac is by the evaluator: the rule is there by name.
        assert any("file-map-executable" in rule for rule in rules if re.match(layer, rule))
    else:
        assert missed in failing


def _any_reading(act: Act, generated: Profile) -> bool:
    from tests.sandbox.macos.evaluator import READINGS

    return any(all(generated.verdict(ask, reading) for ask in asks(act, DISK)) for reading in READINGS)


def test_every_operation_that_is_allowed_is_denied_by_its_own_name_where_names_are_denied() -> None:
    by_file = {
        rule.operation
        for rule in PROFILE.rules
        if rule.allows and rule.filters and rule.operation.startswith(("file", "process-exec", "network"))
    }
    denied = set(sbpl._NOTHING.split())
    by_file.discard("file-lock")  # asked of an open file, and not known to older systems
    changes = {operation for operation in by_file if operation.startswith(("file-write", "file-link", "network-bind"))}
    assert by_file <= denied
    assert changes <= set(sbpl._NO_CHANGE.split())


def test_a_file_that_can_be_read_can_be_locked() -> None:
    assert PROFILE.allows(Ask("file-lock", f"{AT['STATE']}/notes.db"))
    assert PROFILE.allows(Ask("file-lock", f"{AT['READONLY']}/note.txt"))
    assert not PROFILE.allows(Ask("file-lock", "/Users/ann/.ssh/id_ed25519"))


def test_no_rule_without_a_filter_allows_and_they_come_first() -> None:
    bare = [index for index, rule in enumerate(PROFILE.rules) if not rule.filters and not rule.allows]
    assert bare == list(range(len(bare)))
    assert {rule.operation for rule in PROFILE.rules if not rule.filters and rule.allows} == {"process-fork"}


def test_what_is_left_out_on_purpose_is_left_out() -> None:
    assert base.MACH_SERVICES == ("com.apple.system.opendirectoryd.libinfo",)
    assert not any(name.startswith(("kern.proc", "net.")) for name in (*base.SYSCTLS, *base.SYSCTL_PREFIXES))
    assert patterns.EMBEDDED_REPOSITORY in REAL.protected
    assert globs.Glob("**/a/**").components == ["a"]
