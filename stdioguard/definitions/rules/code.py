"""Code where a description or a default should be: commands that fetch and run, that send data out, that open a shell or destroy.

A tool that runs commands shows examples of commands. What no example needs is a pipe from the network into a shell, or a secret in one.
"""

from __future__ import annotations

from stdioguard.definitions.findings import HIGH, LOW, MEDIUM, Finding
from stdioguard.definitions.patterns import Raw
from stdioguard.definitions.rules.interface import MOST, Rule
from stdioguard.definitions.signals import within
from stdioguard.definitions.surface import DATA, NAME, PROPERTY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.definitions.surface import Definition, Text

SLUG = "code"

_SECRETS = (
    r"(?:\.ssh|id_rsa|id_ed25519|\.env(?!\w)|\.aws|passwd|shadow|credentials|process\.env|os\.environ|document\.cookie|"
    r"localStorage|\$\(?env\)?|printenv|api[_-]?key|token|password|secret|\$HOME|~/|/etc/|history|\.netrc|wallet|keychain)"
)
_DEADLY = Raw(
    r"(?i)(?<!\w)(?:curl|wget|iwr|invoke-webrequest|fetch)(?!\w)[^\n|;]{0,200}\|\s{0,4}(?:sudo\s{1,4})?(?:ba|z|k|da|"
    r"fi)?(?:sh|python3?|node|perl|ruby|php|iex)(?!\w)",
    r"(?i)(?:ba|z)?sh\s{1,4}(?:-c\s{1,4})?[\"']?(?:<\(|\$\(|`)\s{0,4}(?:curl|wget)",
    r"(?i)/dev/(?:tcp|udp)/[\w.$\{-]{1,80}/",
    r"(?i)(?<!\w)(?:nc|ncat|netcat)(?:\s{1,4}-\w{1,6}){0,4}\s[^\n]{0,60}\s-(?:e|c)\s{0,4}\S{0,6}sh(?!\w)|"
    r"(?<!\w)nc(?:at)?\s{1,4}-e\s",
    r"(?i)bash\s{1,4}-i\s{0,4}[>&|]",
    rf"(?i)(?<!\w)(?:curl|wget|nc|ncat|invoke-(?:webrequest|restmethod)|requests\.(?:post|get|put)\(|urllib\.request|"
    rf"axios(?:\.\w{{1,6}})?\(|fetch\(\s?[\"'`hu]|https?\.(?:post|request)\(|navigator\.sendBeacon|XMLHttpRequest|scp\s|"
    rf"rsync\s|sendmail\s|mailx?\s-s)(?![^\W_]{{40}})[^\n]{{0,200}}{_SECRETS}[^\n]{{0,120}}",
    rf"(?i)(?<!\w)(?:cat|type|less|head|tar|zip|base64|xxd|env|printenv|gpg|"
    rf"open)(?!\w)[^\n]{{0,120}}{_SECRETS}?[^\n|]{{0,80}}\|[^\n]{{0,60}}(?:curl|wget|nc|ncat|netcat|openssl s_client|ssh|"
    rf"mail|telnet|xargs)(?!\w)",
    r"(?i)base64\s{1,4}(?:-d|-D|--decode)[^\n]{0,60}\|\s{0,4}(?:ba|z)?(?:sh|python3?|node|perl)(?!\w)",
    r"(?i)powershell(?:\.exe)?[^\n]{0,80}\s-(?:e|enc|encodedcommand|ec)\s|(?:iex|"
    r"invoke-expression)\s{0,4}\(?[^\n]{0,80}(?:downloadstring|webclient|iwr|invoke-webrequest)",
    r"(?i)rm\s{1,4}-(?:rf|fr|r\s{1,4}-f)\w{0,4}\s{1,4}(?:--no-preserve-root\s{1,4})?(?:/|~/?|\$HOME/?|\*)(?:\s|$|[*;&|\"'`)])",
    r"(?i)chmod\s{1,4}(?:-R\s{1,4})?(?:0?777|0?666|a\+rwx|\+s|u\+s|4755)\s{1,4}(?:-R\s{1,4})?(?:/|~|\.|\$HOME|\*)",
    r"(?i):\(\)\s{0,2}\{\s{0,2}:\|:&\s{0,2}\};:|mkfs\.\w{2,5}\s{1,4}/dev/|dd\s{1,4}if=/dev/(?:zero|u?random)\s{1,4}of=/dev/",
    r"(?i)(?:exec|eval)\s{0,3}\(\s{0,3}(?:base64|atob|bytes\.fromhex|codecs|requests|urllib|compile|__import__|zlib|marshal|"
    r"Buffer\.from)",
    r"(?i)__import__\s{0,3}\(\s{0,3}[\"'](?:os|subprocess|socket|ctypes|shutil|pty)[\"']\s{0,3}\)",
    r"(?i)(?:echo|printf|tee|cat)[^\n]{0,200}>{1,2}\s{0,4}[^\s]{0,60}(?:authorized_keys|\.bashrc|\.zshrc|\.profile|crontab|"
    r"/etc/(?:passwd|sudoers|cron)|\.git/hooks|launchagents|autostart|mcp\.json)",
    r"(?i)(?:crontab\s{1,4}-|\(crontab\s{1,4}-l)[^\n]{0,120}(?:curl|wget|nc|sh)(?!\w)",
    r"(?i)(?:\{\{|<%=?|\$\{)[^}\n%]{0,80}(?:__class__|__globals__|__subclasses__|__mro__|popen|os\.system|require\(|"
    r"process\.mainModule|Runtime\.getRuntime|child_process|constructor\.constructor)",
    r"(?i)<script(?:[^>\n]{1,200}src\s{0,3}=|[^>\n]{0,200}>[^<\n]{0,200}[\w.]\([^\s)])|(?:src|href)\s{0,3}=\s{0,3}[\"']?javascript:|"
    r"(?<!\w)on(?:error|load|click)\s{0,3}=\s{0,3}[\"'][^\"'\n]{1,200}\(",
    r"(?i)(?:'|\")\s{0,4}(?:or|and)\s{1,4}(?:'?1'?\s{0,3}=\s{0,3}'?1|true)|;\s{0,4}(?:drop|truncate)\s{1,4}(?:table|"
    r"database)\s{1,4}\w|union\s{1,4}(?:all\s{1,4})?select\s[^\n]{0,60}(?:password|passwd|secret|users)",
    r"(?:\.\./){3,40}(?:etc|root|home|proc|windows|\.ssh)",
)
_HEAVY = Raw(
    r"(?i)(?<!\w)(?:os\.(?:system|popen|exec[lv]\w{0,2})|subprocess\.(?:run|popen|call|check_output)|child_process|execSync|"
    r"spawnSync|Runtime\.getRuntime|ctypes\.|pickle\.loads?|shell\s{0,2}=\s{0,2}True|eval|exec)\s{0,3}\(",
    r"(?:`|\$\()\s{0,3}(?:curl|wget|cat|nc|id|whoami|env|bash|sh|python3?|rm|ls|echo|uname|hostname)(?!\w)[^`)\n]{0,120}(?:`|\))",
    r"(?:;|&&|\|\|?)\s{0,3}(?:curl|wget|nc|cat|rm|bash|sh|python3?|whoami|id)\s[^\n]{0,120}",
)


def _text(text: Text, definition: Definition) -> Iterator[Finding]:
    if text.kind in {NAME, PROPERTY}:
        return
    count = 0
    for match in _DEADLY.finditer(text.raw):
        begin = max(text.folded.text.rfind("\x1e", 0, match.start()), 0)
        quoted = within(text, "quotes", begin, match.start()) is not None
        yield _found(
            text, match.span(), HIGH, LOW if quoted else HIGH, f"code that fetches, sends or destroys: {_shown(match[0])}"
        )
        count += 1
        if count >= MOST:
            return
    heavy = _HEAVY.search(text.raw) if count == 0 else None
    if heavy is not None:
        data = text.kind == DATA and text.member in {"default", "const", "enum", "examples", "example"}
        yield _found(text, heavy.span(), MEDIUM, MEDIUM if data else LOW, f"code that runs: {_shown(heavy[0])}")


def _shown(said: str) -> str:
    return repr(said.strip()[:80])


def _found(text: Text, span: tuple[int, int], severity: str, sure: str, message: str) -> Finding:
    return Finding(SLUG, severity, sure, text.where, (text.base + span[0], text.base + span[1]), message)


RULE = Rule(SLUG, "Code that fetches and runs, sends out or destroys", text=_text)
