"""The part of a profile that every server has: what a process needs of the system to run at all, each line with its reason.

The reasons come from profiles that ship: Chromium's `common.sb`, Firefox's `SandboxPolicyContent.h`, Codex's `seatbelt_base_policy.sbpl`,
`@anthropic-ai/sandbox-runtime`, nono, Microsoft's MXC and Apple's own in /System/Library/Sandbox/Profiles. Nothing of Apple's is
imported: a profile that grows with the system is one that nobody has read.

Two readings of the language are in circulation, and a profile of ours must mean the same in both: that of all rules which match the last
one wins; and that a rule for `file-write-unlink` beats every rule for `file-write*`, and a rule with a filter every rule without. So a rule
without a filter only ever refuses, and stands first; and what an allow rule names, a later deny rule names as well.
"""

from __future__ import annotations

# What `(deny default)` does not deny (crbug.com/799149; Firefox: "These are not included in (deny default)"). Left open,
# `process-info*` gives away the environment of each of the user's processes, whatever is said about the sysctl (xnu, sysctl_procargsx).
# A clone and a hard link are other names for the same bytes, and a cloned folder brings along what nobody checked; links are
# allowed again where both ends may be written. The last is an fcntl that can lock a user out of a file that was opened for reading.
OPENING = """\
(version 1)
(deny default)
(deny process-info* nvram* iokit-get-properties file-map-executable file-link)
(when (defined? 'file-clone) (deny file-clone))
(when (defined? 'F_SETPROTECTIONCLASS) (deny system-fcntl (fcntl-command F_SETPROTECTIONCLASS)))
"""

SYSTEM_CODE = (
    "/System/Library", "/usr/lib",
    # Where the shared cache of the system's libraries lies (dyld-support.sb of macOS 13).
    "/System/Cryptexes", "/System/Volumes/Preboot/Cryptexes",
)  # fmt: skip
"""Read and mapped as code. Not executed: `/System/Library` holds programs."""

SYSTEM_DATA = (
    "/usr/share/icu", "/usr/share/locale", "/usr/share/zoneinfo", "/usr/share/zoneinfo.default", "/private/var/db/timezone",
    "/private/var/db/dyld", "/private/etc/ssl",
)  # fmt: skip
SYSTEM_FILES = (
    # Without the root folder's entry dyld aborts every program on macOS 26.
    "/", "/private/etc/localtime",
    # Looked up by programs that resolve names by themselves; the first is also what getpwuid falls back to (crbug.com/792228).
    "/private/etc/passwd", "/private/etc/hosts", "/private/etc/protocols", "/private/etc/services",
    # Which shell /bin/sh is: a link that it reads when it starts.
    "/private/var/select/sh",
    "/dev/random", "/dev/urandom",
    # Translates programs for Intel; dyld maps it into each of them.
    "/Library/Apple/usr/libexec/oah/libRosettaRuntime",
)  # fmt: skip
ALIASES = ("/etc", "/tmp", "/var")  # noqa: S108 - nothing is kept there
"""Links into /private: following one asks for its metadata."""

# One service, answering who a user id is: without it getpwuid fails, and with it git, ssh and Node's os.userInfo. Chromium allows it to
# its renderers. On a Mac that belongs to a directory, the question goes to that directory's server.
# Left out, each on purpose:
#   trustd, ocspd                    fetch the addresses that a certificate names: a way out (Go's TLS on macOS does not work without)
#   mDNSResponder, dnssd             resolve any name: a way out
#   SecurityServer, secd, securityd  the keychain
#   launchservicesd, coreservices.*  start programs outside of the sandbox, as `open` does; so does the event server (osascript)
#   cfprefsd                         writes preferences, which programs obey
#   pasteboard                       the clipboard
#   notification_center, distributed notifications, logd, system.logger, diagnosticd, FSEvents   messages to others, in anyone's name
#   windowserver, fonts, audio, tccd, PowerManagement   nothing that a server on stdio needs
MACH_SERVICES = ("com.apple.system.opendirectoryd.libinfo",)

# What CPython, libuv and V8 ask when they start. Not `kern.proc*` (other processes), `kern.procargs2` (their arguments and environments),
# `net.*` (addresses of the machine) or `kern.uuid`.
SYSCTLS = (
    "hw.activecpu", "hw.byteorder", "hw.cacheconfig", "hw.cachelinesize", "hw.cachelinesize_compat", "hw.cpufamily", "hw.cpufrequency",
    "hw.cpufrequency_compat", "hw.cpusubtype", "hw.cputype", "hw.l1dcachesize", "hw.l1dcachesize_compat", "hw.l1icachesize",
    "hw.l1icachesize_compat", "hw.l2cachesize", "hw.l2cachesize_compat", "hw.l3cachesize", "hw.l3cachesize_compat", "hw.logicalcpu",
    "hw.logicalcpu_max", "hw.machine", "hw.memsize", "hw.model", "hw.ncpu", "hw.nperflevels", "hw.packages", "hw.pagesize",
    "hw.pagesize_compat", "hw.physicalcpu", "hw.physicalcpu_max", "hw.tbfrequency", "hw.tbfrequency_compat", "hw.vectorunit",
    "kern.argmax", "kern.boottime", "kern.bootargs", "kern.clockrate", "kern.hostname", "kern.iossupportversion", "kern.maxfiles",
    "kern.maxfilesperproc", "kern.maxproc", "kern.ngroups", "kern.osproductversion", "kern.osproductversioncompat", "kern.osrelease",
    "kern.ostype", "kern.osvariant_status", "kern.osversion", "kern.secure_kernel", "kern.tcsm_available", "kern.usrstack64",
    "kern.version", "kern.willshutdown", "machdep.cpu.brand_string", "security.mac.lockdown_mode_state", "sysctl.name2oid",
    "sysctl.proc_cputype", "sysctl.proc_native", "sysctl.proc_translated", "vm.loadavg", "vm.malloc_ranges",
)  # fmt: skip
SYSCTL_PREFIXES = ("hw.optional.", "hw.perflevel", "machdep.cpu.")

# Semaphores and shared memory under the names that Python's multiprocessing makes up, and under no other: those of other programs have
# other names. A pair of sockets is how asyncio and libuv wake themselves; a UNIX socket reaches nobody before it is connected or bound.
PROCESSES = """\
(allow process-fork)
(allow process-info* (target self))
(allow signal (target self) (target same-sandbox))
(allow system-socket (socket-domain AF_UNIX))
(allow ipc-posix-sem* (ipc-posix-name-prefix "/mp-"))
(allow ipc-posix-shm* (ipc-posix-name-prefix "/psm_"))
(allow file-read* file-write-data (literal "/dev/null") (literal "/dev/zero"))
"""
