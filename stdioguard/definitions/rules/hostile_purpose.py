"""Tools that say of themselves that they attack: exfiltrate, log keys, open a reverse shell, evade detection, switch safety off.

Tools that defend speak of the same things; what a sentence detects, tests or prevents is not what the tool does.
"""

from __future__ import annotations

from stdioguard.definitions.findings import HIGH, LOW, MEDIUM, Finding
from stdioguard.definitions.folding import words_of_name
from stdioguard.definitions.patterns import Pattern
from stdioguard.definitions.rules.interface import MOST, Rule, at, quoted
from stdioguard.definitions.signals import within
from stdioguard.definitions.surface import DATA, NAME, PROPERTY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.definitions.surface import Definition, Text

SLUG = "hostile-purpose"

_ATTACKS = Pattern(
    r"(?:covert|hidden|stealth|side) (?:timing )?(?:channel|communication|exfiltration|transfer|transmission|tunnel|"
    r"execution|access|persistence)s?",
    r"(?:steal|steals|stealing|harvest|harvests|harvesting|dump|dumps|dumping|siphon|siphons|phish|phishes|phishing for|"
    r"scrape|loot|skim) (?:\w{1,14} ){0,3}?(?:credentials?|passwords?|tokens?|cookies?|keys?|secrets?|accounts?|sessions?|"
    r"hashes|wallets?|data|memory|lsass|sam|personal|browser|information|pii)",
    r"(?:credential|password|token|cookie|session|identity|data|memory|secret|hash) (?:harvest(?:er|ing)?|theft|steal(?:er|"
    r"ing)?|dump(?:er|ing)?|stuffing|spray(?:ing)?|hijack(?:ing|er)?|smuggling|grabber)",
    r"(?:privilege|privileges) escalation|escalat(?:e|es|ing) (?:\w{1,14} ){0,2}?privileges?",
    r"(?:evade|evades|evading|bypass|bypasses|bypassing|defeat|defeats|disable|disables|disabling|circumvent|kill|kills|"
    r"tamper with|subvert)s? (?:\w{1,14} ){0,3}?(?:detection|antivirus|anti-virus|edr|defender|firewalls?|monitoring|"
    r"forensics?|security (?:controls?|software|tools?|validation|checks?|measures?|restrictions?|filters?)|safety "
    r"(?:\w{1,14} )?(?:restrictions?|validation|checks?|filters?|controls?|protocols?|measures?|guidelines)|all (?:safety|"
    r"security|restrictions|filters|validation|checks|access controls)|content (?:filters?|filtering|policy)|access "
    r"controls?|guardrails?|sandbox(?:es)?|audit (?:logs?|logging|trail))",
    r"(?:clear|clears|delete|deletes|wipe|wipes|erase|erases|tamper with|falsify|falsifies|forge|forges|manipulate|"
    r"manipulates|destroy) (?:\w{1,14} ){0,2}?(?:audit (?:logs?|trail)|event logs?|system logs?|security logs?|forensic|"
    r"evidence|traces?|log entries)",
    r"(?:establish|establishes|maintain|maintains|install|installs|achieve|gain|create|creates|add|adds|set up|plant|"
    r"plants)(?:ing)? (?:\w{1,14} ){0,3}?(?:persistence|persistent access|persistent backdoor|backdoor|unauthori[sz]ed "
    r"access|remote control|initial access|hidden account|rogue)",
    r"lateral movement|(?:move|spread|propagate)s? laterally|self-propagat\w{1,5}",
    r"(?:escape|escapes|escaping|break out of|breaks out of|breakout from) (?:\w{1,14} ){0,3}?(?:sandbox|container|jail|"
    r"chroot|vm|virtual machine|isolation|restricted environment)",
    r"(?:inject|injects|injecting) (?:\w{1,14} ){0,3}?(?:code|shellcode|commands?|payloads?|dlls?|keystrokes|malicious|"
    r"prompts?|sql|scripts?|process|instructions|hidden)",
    r"(?:process|dll|code|shellcode|prompt|command|sql|template|ldap|xpath|memory) (?:injection|hollowing|poisoning|"
    r"hijacking) (?:attack|payload|exploit|into|via|to|through|vector)s?",
    r"(?:exploit|exploits|exploiting|weaponi[sz]es?|abuse|abuses) (?:\w{1,14} ){0,3}?(?:vulnerabilit(?:y|ies)|cve|flaws?|"
    r"weakness(?:es)?|zero days?|deserialization|buffer overflow|target|misconfigurations?|trust|race condition|ssrf|xxe|"
    r"path traversal)",
    r"(?:attacker|adversary|hacker|threat actor)(?:s)? (?:controlled|owned|supplied|specified|server|machine|host|endpoint|"
    r"infrastructure)|(?:to|from|for|by) (?:the |an )?(?:attackers?|adversar(?:y|ies)|hackers?)",
    r"(?:arp|dns|ip|mac|email|sender|caller id|certificate|identity) (?:spoof(?:ing|er|s)?|poison(?:ing|er)?)|spoof(?:s|"
    r"ing)? (?:\w{1,14} ){0,2}?(?:addresses|address|identity|sender|emails?|dns|arp|certificate|headers|user)",
    r"(?:ddos|denial of service|syn flood(?:ing)?|flood(?:s|ing)? (?:the )?(?:target|server|network|host)|fork bomb|resource "
    r"exhaustion|exhaust(?:s|ing)? (?:\w{1,14} ){0,2}?(?:resources|memory|cpu|disk))",
    r"(?:brute ?forc(?:e|es|ing)|crack|cracks|cracking) (?:\w{1,14} ){0,3}?(?:passwords?|hash(?:es)?|logins?|credentials?|"
    r"pins?|ssh|accounts?|authentication|encryption|keys?)",
    r"(?:man in the middle|mitm|session hijack(?:ing)?|clickjacking|watering hole|phishing (?:page|emails?|site|campaign|kit|"
    r"message)s?)",
    r"(?:covertly|secretly|silently|stealthily|surreptitiously) (?!without |not |no |fail|drop|skip|ignor|miss)(?:\w{1,14} "
    r")?(?:record|monitor|capture|copy|send|upload|collect|track|transmit|intercept|install|execute|modify|access|read|store|"
    r"forward|download|log)(?:s|ing)?",
    r"(?:intercept|intercepts|eavesdrop|eavesdrops|sniff|sniffs|wiretap|spy|spies)(?:ing)? (?:on )?(?:\w{1,14} "
    r"){0,3}?(?:traffic|communications?|messages?|users?|passwords?|credentials|calls|conversations|packets|network|victim|"
    r"keystrokes)",
    r"(?:unrestricted|arbitrary|unsanitized|unfiltered|unvalidated|unchecked|unauthori[sz]ed) (?:\w{1,14} ){0,3}?(?:code|"
    r"command|shell|system|root|file|sql|script|process|os|memory|data|network|database|admin|access)s? (?:execution|access|"
    r"injection|commands?|evaluation|write|read|exfiltration)? ?(?:without|bypassing|regardless|as root|with root|with "
    r"elevated|with (?:no|admin)) (?:\w{1,14} ){0,2}?(?:validation|sanitization|checks?|authori[sz]ation|authentication|"
    r"restrictions?|privileges?|permission|safety|security|approval|root)?",
    r"without (?:any |proper |further )?(?:input )?(?:validation|sanitization|authori[sz]ation|authentication|escaping|"
    r"safety checks?|security checks?|verification or|access controls?)",
    r"(?:elevated|root|admin|system|superuser|kernel) (?:privileges?|permissions?|access) .. (?:ignore|bypass|without|"
    r"override|unrestricted|all restrictions|disabl\w{1,4}|skip)",
    r"(?:victims?'?s?) (?:\w{1,14} ){0,2}?(?:machine|computer|system|device|browser|account|data|files?|credentials|"
    r"host|network|wallet|session)",
    r"exfil(?:trat(?:e|es|ed|ing|ion))?",
    r"(?:key ?loggers?|keystroke (?:logging|logger|capture)|log(?:s|ging)? (?:all |every |user )?keystrokes?|captur(?:e|es|"
    r"ing) (?:all |every |user )?keystrokes?)",
    r"(?:spawn|open|create|start|launch|establish|deploy|connect|execute|initiate|generate)(?:s|es|ing)? (?:\w{1,14} "
    r"){0,2}?(?:reverse|bind|web) ?shells?",
    r"(?:install|deploy|drop|deliver|plant|inject|execute|run|launch|spread|activate|embed|build|create|load|act)(?:s|es|"
    r"ing)? (?:\w{1,14} ){0,2}?(?:back ?doors?|root ?kits?|ransomware|spyware|malware|trojan|botnet|crypto ?min(?:er|ing)|"
    r"keylogger)s?",
)
# Nouns of the trade: what is done with them decides.
_NOUNS = Pattern(
    r"(?:reverse|bind|web) ?shells?",
    r"(?:back ?doors?|root ?kits?|ransomware|spyware|malware|trojan|botnet|crypto ?min(?:er|ers|ing)|worm payload|dropper|"
    r"stager|implant)",
    r"(?:command and control|c2|c&c) (?:server|channel|beacon|communication|callback|infrastructure)s?",
)
# A switch by which the caller, a model that reads untrusted text, takes a safeguard away.
_SWITCHES = Pattern(
    r"(?:bypass|override|disable|skip|ignore|no|without|turn off|suppress|evade|circumvent)(?: all)? (?:safety|security|"
    r"filters?|filtering|safeguards?|guard ?rails?|restrictions?|content filters?|access controls?|audit|sandbox|policy|"
    r"policies|moderation|detection|consent|auth|authentication|authorization|permissions?|safety checks?|security checks?|"
    r"content policy|approval)(?: \w{1,12})?",
    r"(?:jailbreak|god|dan|unrestricted|uncensored|developer override|emergency override|stealth|covert|evil|malicious)(?: "
    r"mode| enabled)?",
    r"(?:emergency|admin|master|system|safety|security|instruction|prompt) override(?: \w{1,12})?|override (?:instructions?|"
    r"safety|system|code|prompt|security|rules)",
    r"(?:context|prompt|code|payload|shellcode|command|instruction|sql) injection",
    r"attacker (?:\w{1,12})|victim(?: \w{1,12})?|exfil\w{0,10}(?: \w{1,12})?|reverse shell|listener (?:host|port)|c2 "
    r"(?:server|url|host)|bypass (?:mode|level|code)|evasion(?: \w{1,12})?|(?:use )?stealth|hide (?:traces|process|from "
    r"\w{1,12})|shellcode|backdoor(?: \w{1,12})?|persistence(?: method)?|keylog\w{0,6}",
)
_DEFENDS = Pattern(
    r"(?:detect|detects|detecting|detection of|detector|scan|scans|scanning|scanner|prevents?|preventing|prevention|"
    r"protects?|protecting|protection|mitigat\w{1,6}|defend\w{0,4}|defense|analy[sz]\w{1,4}|analysis|investigat\w{1,6}|"
    r"monitor for|monitors for|audit(?:s|ing)?|assess\w{0,6}|report(?:s)? on|check(?:s|ing)? (?:for|if|whether|against)|"
    r"lookup|enrich\w{0,4}|classif\w{1,4}|block(?:s|ed|ing)?|quarantin\w{1,4}|remov\w{1,4}|remediat\w{1,4}|intelligence|"
    r"threat|alert(?:s)?|incident\w{0,2}|cve|owasp|mitre|siem|yara|sigma|virustotal|pentest\w{0,6}|penetration test\w{0,4}|"
    r"red team\w{0,4}|ctf|metasploit|burp|nuclei|honeypot|vulnerabilit\w{1,4}|against|avoid\w{0,4}|risk(?:s)? of|may|could|"
    r"e\.g\.|such as|security (?:review|testing|scan\w{0,4}|research|headers?|findings?|posture|hub|events?|issues?)|"
    r"train\w{0,4}|learn|explain\w{0,2}|documentation|hash(?:es)?)"
)
_ONLY_LOOKS = Pattern(
    r"(?:check|look up|looks up|search|searches|find|finds|list|lists|get|gets|fetch|fetches|retrieves?|quer(?:y|ies)|show|shows|"
    r"returns?|tags?|filter|rules?|families|groups?|samples?)"
)


def _text(text: Text, definition: Definition) -> Iterator[Finding]:
    if text.kind in {NAME, PROPERTY, DATA}:
        return
    said = text.folded.text
    matches = [(False, found) for found in _ATTACKS.finditer(said)] + [(True, found) for found in _NOUNS.finditer(said)]
    for noun, match in matches[:MOST]:
        start, end = match.span()
        begin = max(text.folded.text.rfind("\x1e", 0, start), 0)
        stop = text.folded.text.find("\x1e", end)
        stop = len(text.folded.text) if stop < 0 else stop
        defends = _DEFENDS.search(text.folded.text, begin, start) is not None or _DEFENDS.search(_purpose(definition)) is not None
        # What a switch like `force` does is said of the switch; the tool is no attack for it.
        defends = defends or (
            bool(text.parameter) and said[start:end].startswith(("bypass", "override", "skip", "ignor", "disabl"))
        )
        defends = defends or (noun and _ONLY_LOOKS.search(text.folded.text, begin, stop) is not None)
        sure = LOW if defends or within(text, "quotes", begin, start) else MEDIUM
        yield at(text, (start, end), SLUG, HIGH, sure, f"says that it attacks: {quoted(text, start, end)}")


def _purpose(definition: Definition) -> str:
    """Return what a tool says that it is for, up to the first word of an attack: of "scans for reverse shells" it is "scans for"."""
    match = _ATTACKS.search(definition.words) or _NOUNS.search(definition.words)
    return definition.words[: match.start()] if match else definition.words


def _whole(definition: Definition) -> Iterator[Finding]:
    name = words_of_name(definition.name)
    defends = _DEFENDS.search(_purpose(definition)) is not None
    match = _ATTACKS.search(name)
    if match is not None and not defends:
        yield Finding(SLUG, HIGH, MEDIUM, "/name", (0, len(definition.name)), f"is named for an attack: {match[0]!r}")
    for text in definition.parameters:
        words = words_of_name(text.raw)
        match = _SWITCHES.search(words)
        if match is not None:
            sure = LOW if defends or match.end() - match.start() + 8 < len(words) else MEDIUM
            yield Finding(
                SLUG,
                MEDIUM,
                sure,
                text.where,
                (0, len(text.raw)),
                f"a parameter takes a safeguard away or names an attack: {words!r}",
            )
            return


RULE = Rule(SLUG, "Tools that say of themselves that they attack", text=_text, whole=_whole)
