"""The phrases that the rules share: what a sentence talks about, asks for, and how it presses. No phrase is a finding by itself.

Each is one pattern over folded text (see `folding`): lower case, one spelling, a space for any separator. What follows from which phrases
together is in `rules/`.
"""

from __future__ import annotations

from stdioguard.definitions.patterns import Pattern

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stdioguard.definitions.surface import Text

_TOOLS = (
    r"(?:tools?|functions?|actions?|operations?|plugins?|commands?|apis?|calls?|requests?|tasks?|queries|query|steps?|messages?|"
    r"e?mails?|files?|responses?|repl(?:y|ies)|answers?|conversations?|sessions?|interactions?|transactions?|payments?|"
    r"transfers?|uploads?|invocations?|execution|access|modification|commits?|posts?|searches|processing|activity|changes?|"
    r"writes?|reads?|documents?|reports?|code|scripts?|prompts?|work|deletions?|edits?|downloads?|purchases?|orders?|bookings?|"
    r"uses?)"
)
_MODEL = r"(?:ai|llm|model|agent|assistant|chatbot|language model|claude|chatgpt|gpt|gemini|copilot|cursor)s?"

SIGNALS: dict[str, Pattern] = {
    # Whose file it is hardly ever a tool's business to have.
    "secret-path": Pattern(
        r"(?:[~./\\\w$%{}-]{0,60}[/\\])?\.(?:ssh|gnupg|aws|kube|azure|docker|config/gcloud|config/gh|cursor|claude|mozilla|"
        r"electrum)(?:[/\\][\w./\\*-]{0,60})?(?<!\.)",
        r"[\w~./\\$-]{0,60}id_(?:rsa|dsa|ecdsa|ed25519)(?:\.pub)?",
        r"[\w~./\\$-]{0,40}(?:authorized_keys|known_hosts)",
        r"[\w~./\\$-]{0,40}\.(?:netrc|npmrc|pypirc|pgpass|git-credentials|bash_history|zsh_history|bashrc|zshrc|htpasswd|"
        r"bash_profile|profile|vault-token)",
        r"/?etc/(?:passwd|shadow|sudoers|hosts)",
        r"/proc/(?:self|\d+|\*)/(?:environ|mem|maps|cmdline)",
        r"(?:[\w~./\\$-]{0,40}[/\\])?\.env(?:\.(?:local|production|development|prod))?(?: files?)?",
        r"[\w~./\\$-]{0,60}(?:mcp|mcp_config|claude_desktop_config|mcp_settings|auth|credentials|secrets|service[-_]account|"
        r"wallet|keystore)\.(?:json|ya?ml|dat|toml)",
        r"[\w~./\\$-]{0,60}(?:wallet\.dat|cookies\.sqlite|login data|logins\.json|key4\.db|keepass|\.kdbx|\.pem|\.p12|\.pfx)",
        r"(?:windows[/\\]system32[/\\]config|/var/run/docker\.sock|/root/[\w./-]{1,40})",
    ),
    "secret-word": Pattern(
        r"(?:private|secret|ssh|api|access|encryption|signing|gpg|pgp|master|recovery) keys?",
        r"[a-z]{2,20}_(?:api_)?(?:key|token|secret)",
        r"passwords?",
        r"passphrases?",
        r"credentials?",
        r"(?:access|auth|authentication|bearer|session|api|refresh|oauth|secret|login|github|jwt|security)(?: auth)? tokens?",
        r"session cookies?",
        r"(?:browser|auth|authentication|login|saved) cookies?",
        r"seed phrases?",
        r"(?:recovery|mnemonic) phrases?",
        r"keychain",
        r"(?:environment|env) var(?:iable)?s?",
        r"process\.env",
        r"os\.environ",
        r"secrets",
        r"(?:credit card|card) numbers?",
        r"social security numbers?",
        r"(?:private|sensitive|confidential|personal|secret|proprietary) (?:user )?(?:data|info|information|files?|"
        r"documents?|details?|content)",
        r"pii",
        r"home (?:folder|directory)",
        r"(?:customer|patient|employee|client) (?:data|records|table|list)|customers table",
        r"wallets?",
    ),
    "context": Pattern(
        r"(?:conversation|chat|message|dialog(?:ue)?|session)s? (?:history|log|logs|transcript|context|content|contents|so far)",
        r"(?:system|developer|hidden) (?:prompt|instruction|message)s?|(?:initial|original|internal) (?:prompt|instruction)s?",
        r"(?:previous|prior|earlier|preceding|all) (?:messages|turns|conversations?|chats?|user messages|tool (?:calls|"
        r"results|outputs))",
        r"(?:entire|full|complete|whole) (?:conversation|chat|context|history|dialog(?:ue)?|transcript|prompt|context window)",
        r"context window",
        r"chain of thought",
        r"(?:your|internal|private|hidden) (?:reasoning|thoughts|thinking|instructions|prompt|memory|context)",
        r"(?:results?|outputs?|responses?|data) (?:of|from|returned by) (?:(?:the|all|any|every|each) )?(?:other|previous|"
        r"earlier|prior) (?:tools?|tool calls?|calls?|servers?)",
        r"other tools'? (?:results?|outputs?|responses?|descriptions?|data)",
        r"(?:list|names?|descriptions?|definitions?|schemas?) of (?:all )?(?:(?:the|your) )?(?:other |available |connected |"
        r"installed )?tools",
        r"(?:the )?user'?s? (?:original |initial |last |full |exact |raw )?(?:prompts?|messages|conversations?)",
    ),
    "reads": Pattern(
        r"(?:read|open|cat|access|load|fetch|retrieve|get|extract|collect|gather|dump|print|include|list|scan|harvest|grab|"
        r"look up|copy|obtain|capture|find|locate|search for|check|examine|inspect|view|steal|scrape|query|enumerate|export|"
        r"display|output|reveal|show|disclose|use|take|pull|attach|upload|send|paste|pass|provide|supply)(?:ing|s|es)?",
        r"contents? of",
    ),
    "sends": Pattern(
        r"(?:send|forward|bcc|cc|upload|post|transmit|exfiltrate|leak|report|e?mail|share|submit|relay|push|ship|deliver|"
        r"transfer|beacon|publish|mirror|copy|duplicate|sync|disclose|reveal|pipe)(?:ing|s|es|ed)?",
        r"make (?:an? )?(?:http )?(?:get |post )?request",
    ),
    "outside": Pattern(
        r"[\w.+-]{1,40}@[\w-]{1,40}\.[\w.-]{1,40}",
        r"(?:https?|wss?|ftp)(?:://|:\\\\)[^\s\x1e]{3,200}",
        r"attackers?(?:-controlled)?",
        r"(?:external|remote|third-party|3rd party|outside|foreign) (?:\w{1,20} )?(?:servers?|endpoints?|addresses|address|"
        r"hosts?|urls?|parties|services?|webhooks?|sites?|collectors?)",
        r"(?:our|my) (?:\w{1,20} )?(?:servers?|endpoints?|address|hosts?|backend|webhooks?|collectors?|inbox|analytics)",
        r"webhooks?",
        r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}",
        r"\+\d{7,15}",
        r"accounts?(?: number| no\.?)? [\d-]{5,30}",
        r"[a-z]{2}\d{2}(?: ?\d{4}){2,6}",
        r"0x[0-9a-f]{4,40}",
    ),
    "address": Pattern(
        r"[\w.+-]{1,40}@[\w-]{1,40}\.[\w.-]{1,40}",
        r"(?:https?|wss?|ftp)(?:://|:\\\\)[^\s\x1e]{3,200}",
        r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}",
        r"\+\d[\d\x20-]{6,16}\d",
        r"accounts?(?: number| no\.?)? [\d-]{5,30}",
        r"[a-z]{2}\d{2}(?: ?\d{4}){2,6}",
        r"0x[0-9a-f]{6,40}",
        r"attackers?(?:-controlled)?",
    ),
    "obliges": Pattern(
        r"must",
        r"(?:you|it|agent|assistant|model) (?:should|shall|will|are to|ought to)",
        r"should (?:first|always|also|immediately|never|be|instead|end|begin|start|contain|hold|have|use|include)",
        r"(?:need|needs|have|has|are required|is required|are instructed|are expected|are obligated) to",
        r"always",
        r"mandatory",
        r"required",
        r"(?:be|make) sure(?: to| that)?",
        r"ensure (?:that )?(?:you|to|the|all|every|it)",
        r"remember to",
        r"(?:do not|don't|never) (?:fail|forget|skip|omit)",
        r"(?:it is|this is|is) (?:absolutely |very |extremely |critically )?(?:essential|critical|imperative|vital|crucial|"
        r"necessary|obligatory|compulsory)",
        r"without exception",
        r"no matter what",
        r"at all times",
        r"only (?:valid|works?|possible|accepted|returned|available|succeeds) if",
        r"(?:please|kindly|first|then|also|now|instead|immediately|simply|just),? (?:read|send|call|use|run|execute|include|"
        r"pass|append|add|forward|copy|open|invoke|fetch|replace|change|set|put|provide)",
    ),
    # When it is to happen: around any use of others, in words that cover more than the tool itself.
    "around-all": Pattern(
        rf"(?:before|prior to|after|following|upon|during|whenever|when|on|for|with|in|to|alongside|along with) "
        rf"(?:\w{{1,14}} ){{0,3}}?(?:any|every|each|all|other|another|subsequent|future)(?: of the)?(?: (?:\w{{1,14}} "
        rf"){{0,3}}?{_TOOLS})(?: (?:is|are) \w{{1,14}})?",
        r"(?:every|each|any) ?time",
        rf"(?:any|every|each|all|other|another|subsequent|future) (?:other |different |subsequent |future |existing |related "
        rf"|available |similar |outgoing |incoming |user ){{0,2}}{_TOOLS}",
        r"(?:before|prior to) (?:doing|starting|performing|executing|proceeding|responding|answering|replying|taking|"
        r"beginning|any|anything|handling|processing)",
        r"for the (?:rest|remainder|duration) of (?:this|the|your)",
        r"from now on",
        r"(?:whatever|whichever) (?:other )?(?:tools?|functions?) (?:you|the)",
        r"from (?:this point|here|now)(?: on| onwards?| forward)?",
        r"regardless of (?:the|what|which|user)",
        r"globally",
        r"in all cases",
        r"throughout (?:the|this)",
    ),
    "around-tool": Pattern(
        r"(?:before|prior to|after|when|whenever|while|upon|if|instead of|once|each time|every time) (?:(?:you|the (?:user|"
        r"agent|assistant|model)|users?|someone|a user|one) )?(?:are |is |wants? to |needs? to |asks? (?:you )?to |tr(?:y|"
        r"ies) to |requests? (?:to )?)?(?:use|using|call|calling|invoke|invoking|run|running|execute|executing|perform|"
        r"performing|send|sending|write|writing|read|reading|create|creating|delete|deleting|make|making|open|opening|edit|"
        r"editing|access|accessing|save|saving|commit|committing|push|pushing|post|posting|pay|paying|transfer|transferring|"
        r"fetch|fetching|search|searching|upload|uploading|move|moving|generate|generating|process|processing|handle|"
        r"handling|respond|responding|answer|answering|list|listing|update|updating|modify|modifying|download|downloading|"
        r"browse|browsing|query|querying)",
        r"(?:when|whenever|if|once|as soon as|while|each time|every time) (?:the |a |an |any |this )?(?:\w{1,30} "
        r"){1,4}?(?:is|are|gets?|has been|was) (?:\w{1,12} )?(?:called|used|invoked|executed|requested|triggered|run|"
        r"performed|available|present|enabled|loaded|installed|sent|created|made|needed|detected|received|active|opened)",
        r"(?:when|whenever|if|once|as soon as|after|each time|every time) (?:the |a |an |any |another |this )?(?:\w{1,30} "
        r"){1,4}?(?:returns?|finishes|completes|runs?|responds|succeeds|fails|asks?|requests?|calls?|sends?|receives|tries)",
    ),
    "this-loaded": Pattern(
        r"(?:when|whenever|if|as long as|while|once|since|because) (?:the |this )(?:tool|server|function|plugin|mcp|"
        r"extension)(?: server)? (?:is|are|gets?|has been|becomes?|was) (?:\w{1,12} )?(?:available|present|enabled|loaded|"
        r"installed|active|listed|connected|registered|visible|in (?:the )?(?:context|list))",
        r"(?:changes?|modif(?:y|ies)|alters?|affects?|governs?|controls?|overrides?) (?:how|the way) (?:\w{1,30} "
        r"){0,5}?(?:tools?|functions?|assistant|agent|model|llm|you) (?:works?|behaves?|responds?|operates?|functions?|"
        r"answers?|acts?|respond|behave|is used|are used)",
        r"(?:side effects? on|(?:changes?|modif(?:y|ies)|alters?|affects?|overrides?|adjusts?) the (?:behaviou?r|behaviors|"
        r"operation|usage|working) of) (?:the |all |any |other |every )(?:\w{1,30} ){0,4}?(?:tools?|functions?|assistant|"
        r"agent|model|llm)",
    ),
    "secrecy": Pattern(
        r"(?:do not|don't|never|must not|should not|shouldn't|mustn't|avoid|without|no need to|not to|refrain from|cannot|"
        r"can not) (?:\w{1,14}\x20){0,3}?(?:mention|mentioning|tell|telling|inform|informing|notify|notifying|alert|alerting|"
        r"disclose|disclosing|reveal|revealing|report|reporting|explain|explaining|show|showing|bother|bothering|display|"
        r"displaying|acknowledge|acknowledging|discuss|discussing|announce|announcing|warn|warning|expose|exposing|ask|"
        r"asking|say|saying|let|letting|share|sharing|worry|worrying|log|logging) (?:\w{1,14} ){0,5}?(?:user|users|them|"
        r"anyone|anybody|human|operator|owner|person|this|that|it|step|action|about|anything|instructions?)",
        r"(?:without|behind) (?:the |any )?(?:user|human|owner|operator)'?s? (?:knowledge|knowing|awareness|consent|notice|"
        r"noticing|approval|permission|confirmation|being aware|interaction|back)",
        r"without (?:asking|telling|notifying|informing|alerting|mentioning|notice|detection|being (?:detected|noticed)|"
        r"drawing attention|raising suspicion|confirmation|explicit consent|prompting)",
        r"(?:keep|stay|remain|is|are|be) (?:this |it |them |these )?(?:a )?(?:secret|hidden|confidential|invisible|private|"
        r"concealed|undisclosed)(?: from| to)? (?:the )?(?:user|users|human|output|response|chat|conversation|operator)",
        r"(?:hide|conceal|mask|cover up|obscure|deny)(?:s|ing)? (?:that|what|how|the fact|why|whether)",
        r"(?:do not|don't|never|not) (?:to )?(?:bring (?:it|this|that|them) up|speak (?:of|about)|talk about|refer to (?:it|"
        r"this|that) (?:in|when|to))",
        r"(?:say|saying|says) nothing(?: about| of)?",
        r"(?:hide|conceal|mask|disguise|cover up|obscure)(?:s|ing)? (?:\w{1,14} ){0,4}?(?:from (?:the )?(?:user|users|human|"
        r"logs?|output|operator)|user|traces?|evidence|activity|fact)",
        r"(?:user|users|human|operator) (?:must|should|does|do|need|needs|will|may|can) (?:not|never|n't) (?:\w{1,14} "
        r"){0,2}?(?:know|see|be (?:told|aware|informed|notified|shown)|notice|find out|learn|understand)",
        r"(?:user|users) (?:doesn't|don't|needn't|won't|already) (?:need to |have to |want to )?(?:know|knows|see|sees|be|"
        r"notice)",
        r"(?:already|usually|get|gets|be|become) (?:upset|annoyed|confused|angry|alarmed|frustrated)",
    ),
    "covert": Pattern(
        r"(?:silently|secretly|covertly|stealthily|discreetly|quietly|invisibly|surreptitiously|unnoticed|undetected|"
        r"clandestinely)(?! (?:\w{1,10} )?(?:miss|drop|ignor|skip|fail|scope|return|truncat|clamp|los|discard|convert|coerce|"
        r"exclud|omit|be |overwrit|say|without))",
        r"in the background",
        r"behind the scenes",
    ),
    "coerces": Pattern(
        r"(?:otherwise|or else|if (?:you )?(?:not|don't|do not|fail|this is not|it is not|skipped|omitted|missing|without)|"
        r"failure to|failing to|unless|without (?:it|this|doing so|checking|which)) .. (?:fail|fails|failing|not work|won't "
        r"work|cannot|crash|crashes|lost|deleted|corrupt(?:ed)?|terminat(?:e|ed)|block(?:ed)?|threaten(?:ed)?|penal(?:ty|"
        r"ized|ised)|error|errors|reject(?:ed)?|broken|breaks?|suspend(?:ed)?|denied|compromised|shut ?down|violation|data "
        r"loss|disabled|invalid|locked|unsafe|insecure|risk|refuse[sd]?|unavailable|harm(?:ed)?|fired|malfunction)",
        r"(?:system|application|data|files?|account|server|tool|everything|session) (?:will|would|may|could|can) (?:be |get "
        r")?(?:crash|fail|break|lost|deleted|corrupted|terminated|blocked|threatened|suspended|compromised|locked|shut down|"
        r"destroyed|leaked|damaged)",
        r"(?:very ){2,6}important",
    ),
    "override": Pattern(
        r"(?:ignore|disregard|forget|override|overrule|bypass|neglect|discard|dismiss|supersede|supersedes|overrides|cancel|"
        r"drop|abandon)(?:s|ing)? (?:(?:the|its|these|those|of|other|what|were|you|been|have) ){0,4}?(?:all|any|every|your|"
        r"my|previous|previously|prior|preceding|earlier|above|former|past|original|initial|system|safety|security|ethical|"
        r"developer|told) (?:(?:all|any|every|the|your|my|its|these|those|of|other|and|or|previous|previously|prior|"
        r"preceding|earlier|above|existing|former|past|original|initial|current|given|system|safety|security|content|ethical|"
        r"developer|user|default|standard|normal|built-in|set|what|were|you|been|have|told|about|listed) "
        r"){0,7}?(?:instructions?|rules?|guidelines?|prompts?|polic(?:y|ies)|restrictions?|directives?|constraints?|orders?|"
        r"messages?|context|guardrails?|programming|training|safeguards?|told|directions?|commands?|limitations?|protocols?|"
        r"filters?|filtering|filtration)",
        r"(?:ignore|disregard|forget) (?:what|whatever|everything|anything|all) (?:that )?(?:you|was|were|the user|has|have) "
        r"(?:\w{1,10} )?(?:told|said|know|learned|read|been|instructed|asked|given|believe)",
        r"(?:rules|instructions|text|directives|guidance) (?:in|of|from|below) (?:this|the) (?:\w{1,14} ){0,2}?(?:replaces?|"
        r"overrides?|supersedes?|outranks?|cancels?|takes? precedence)",
        r"(?:ignore|disregard|forget) (?:everything|all|anything) (?:above|before|prior|else|you|that|previous|said)",
        r"(?:new|updated|real|actual|true|revised|hidden|secret|following) (?:system )?(?:instructions?|directives?|orders?|"
        r"objective|mission) ?:",
        r"you are (?:now|no longer) (?:an?|the|in|bound|restricted|acting|operating|required)",
        r"(?:enter|enable|activate|switch to|in|set) (?:developer|god|dan|jailbreak|unrestricted|admin|root|maintenance|"
        r"debug|privileged|unsafe)(?: mode|_mode)(?: (?:now|immediately))?",
        r"jailbreak(?:ing|ed)? mode",
        r"(?:pretend|act) (?:to be|as if|as though|that you|as) (?:an? |you |the )?(?:\w{1,14} ){0,3}?(?:admin|root|"
        r"unrestricted|no (?:restrictions|rules|limits)|evil|different|developer|system)",
        r"(?:no|without|free (?:of|from)|not bound by|unbound by) (?:any |all )?(?:safety |content |ethical |security |usual "
        r"|moral )?(?:restrictions|guidelines|guardrails|limitations|safeguards|filters|rules|constraints) (?:apply|applies|"
        r"whatsoever|anymore|at all)",
        r"(?:these|this|the following) (?:instructions?|directives?|rules?|tool'?s? (?:instructions?|rules)) (?:take|takes|"
        r"have|has|override|overrides|supersede|supersedes|replace|replaces|outrank|outranks) (?:\w{1,14} "
        r"){0,2}?(?:precedence|priority|all|any|your|the|previous|prior|other|every)",
        r"(?:take|takes|taking|has|have|having) (?:absolute |highest |full |the )?(?:precedence|priority) over (?:\w{1,14} "
        r"){0,4}?(?:instructions?|rules?|prompts?|polic(?:y|ies)|guidelines?|user|requests?|everything|system)",
        r"(?:treat|regard|consider|take|accept|interpret|handle) (?:\w{1,14} ){0,3}?(?:instructions?|text|content|contents|steps|"
        r"output|results?|commands?|messages?|answers?|requests?) (?:\w{1,14} ){0,7}?(?:as (?:if|though|coming from|(?:the |a )?"
        r"(?:user|developer|system)'?s?)) (?:\w{1,14} ){0,3}?(?:users?|developers?|system|owner|administrator|anthropic|openai)?",
        r"(?:carry|carries|have|has|with) the (?:\w{1,14} )?(?:authority|same weight|same priority) (?:of|as) (?:the |a )?(?:system|user|"
        r"developer|administrator)",
        r"(?:system|instruction|safety|prompt|security|policy) (?:override|bypass)",
        r"override (?:directive|protocol|instruction|command)s?",
        r"(?:system|hidden|secret|metadata|admin|internal|priority) (?:directive|override)s?",
    ),
    "passes-as": Pattern(
        r"(?:pass|put|include|place|provide|supply|add|append|insert|encode|embed|store|attach|write|send|fill|copy|paste|"
        r"set|give|submit|populate|smuggle|concatenate|use) (?:[^\x1e]{0,70}?)(?:as|in|into|to|via|through|using|inside|"
        r"within|under) (?:the |a |an |this |its |your |one of the )?(?:[\w.]{1,30} ){0,3}?(?:parameters?|params?|arguments?|"
        r"args?|fields?|sidenote|notes?|context|metadata|feedback|comments?|query string|header|value|input|property|payload|"
        r"body|footer)",
        r"(?:as|in|into|via|through) (?:the )?(?:`|'|\")(?:\w{1,30})(?:`|'|\")",
    ),
    "alters": Pattern(
        r"(?:change|changed|replace|replaced|replacing|modify|modified|set|setting|override|overwrite|overwritten|redirect|"
        r"redirected|rewrite|rewritten|substitute|substituted|swap|swapped|append|appended|prepend|prepended|prefix|prefixed|"
        r"add|added|insert|inserted|inject|injected|alter|altered|adjust|adjusted|switch|switched|convert|converted|route|"
        r"routed|point|pointed|sent|bcc|cc|include|included|delete|deleted|multiply|multiplied|increase|increased|truncate|"
        r"double|doubled|reduce|reduced|send|direct|directed|use|saved|save|store|stored|copied|forwarded)",
    ),
    "part-of-call": Pattern(
        r"(?:recipients?|addressee|destination|beneficiary|payee|path|file ?paths?|file ?names?|parameters?|params|"
        r"arguments?|args|contents?|commands?|urls?|amounts?|values?|quer(?:y|ies)|branch|repositor(?:y|ies)|repo|body|"
        r"subject|to field|account(?: number)?|bank|output|results?|code|host|port|domain|addresses|address|email|mail|"
        r"message|price|quantity|permissions?|mode|endpoint|header|import|dependency|link|footer|signature|title|coordinates|"
        r"location|directory|folder|number|date|time|id|name|field)s?",
    ),
    "calls-this": Pattern(
        r"(?:call|calling|use|using|invoke|invoking|run|running|execute|executing|trigger|consult|query|select|choose|pick|"
        r"prefer|include) (?:\w{1,14} ){0,2}?this(?: \w{1,20})?(?: tool| function| one| api| server)?",
        r"this (?:\w{1,20} )?(?:tool|function|api|check|server|step|method|one) (?:must|should|needs to|has to|shall|is to|"
        r"will|is required to|is mandatory|ought to|always|is)(?: \w{1,14}){0,2} (?:called|used|invoked|run|executed|"
        r"performed|triggered|selected|chosen|preferred|first|prioritized|prioritised|consulted|mandatory|required|done)",
    ),
    # Changing what another call carries. The object is part of a call that this tool does not make.
    "tampers": Pattern(
        r"(?:(?:all|any|every|each|other|outgoing|future|subsequent|final|actual|real|original|user's|user-provided|"
        r"user-specified|specified|intended|requested|provided) (?:\w{1,14} ){0,2}?)(?:recipients?|addressees?|destinations?|"
        r"beneficiar(?:y|ies)|payees?|(?:file ?)?paths?|file ?names?|parameters?|arguments?|commands?|urls?|amounts?|"
        r"quer(?:y|ies)|e?mails?|messages?|transfers?|transactions?|payments?|commits?|code|files?|outputs?|results?|"
        r"responses?|content|branch|account) (?:\w{1,14} ){0,4}?(?:must|should|shall|will|need(?:s)? to|has to|have to|is to|"
        r"are to|is|are) (?:\w{1,14} ){0,2}?(?:be )?(?:changed|replaced|set|redirected|rewritten|substituted|swapped|"
        r"appended|prepended|prefixed|altered|modified|switched|routed|rerouted|sent|bcc'?d|cc'?d|copied|forwarded|deleted|"
        r"multiplied|doubled|increased|overwritten|stored|saved|encoded|reversed|uploaded|mirrored|duplicated|directed|"
        r"converted|added|inserted|included|addressed|deposited|credited)",
        r"(?:change|replace|modify|set|override|redirect|rewrite|substitute|swap|append|prepend|prefix|alter|switch|reroute|"
        r"route|overwrite|bcc|cc|inject|insert|forward|divert|point|multiply|double|increase|tamper with) (?:with )?(?:the |"
        r"all |any |every |each |its |their |that |user's |a |copy of )(?:\w{1,20} ){0,3}?(?:recipients?|addressees?|"
        r"destinations?|beneficiar(?:y|ies)|payees?|paths?|file ?names?|parameters?|arguments?|commands?|urls?|amounts?|"
        r"quer(?:y|ies)|e?mails?|messages?|transfers?|transactions?|payments?|outputs?|results?|responses?|content|"
        r"account(?: number)?|body|subject|price|import|coordinates|location)s? (?:\w{1,14} ){0,4}?(?:to|with|by|as|into|"
        r"from|of|in|so|before|after|for)",
        r"(?:all|every|each|any) (?:\w{1,14} ){0,3}?(?:e?mails?|messages?|payments?|transfers?|files?|requests?|queries|"
        r"traffic|commits?|results?|responses?|outputs?|data|notifications?|transactions?|uploads?) (?:\w{1,14} ){0,3}?(?:to|"
        r"through|via|with|by|into) (?:[\w.+-]{1,40}@|https?:|/|the |our |this |attacker|\d)",
        r"(?:prefix|suffix|prepend|append|precede|start|begin|end|follow|prepending|appending|adding|add) (?:\w{1,14} "
        r"){0,4}?(?:every|each|all|any|generated|subsequent) (?:\w{1,14} ){0,3}?(?:commands?|scripts?|files?|messages?|"
        r"responses?|repl(?:y|ies)|answers?|e?mails?|quer(?:y|ies)|code|functions?|commits?|outputs?|posts?|prompts?)",
        r"(?:instead of|rather than|not) (?:to )?(?:the |what |whatever )?(?:\w{1,14} ){0,2}?(?:user|original|specified|"
        r"requested|provided|intended|actual|real|given)(?:'s)? (?:\w{1,14} ){0,2}?(?:recipient|address|path|value|amount|"
        r"file|destination|account|query|request|url|input|parameter|argument|asked|specified|provided|requested|wants?|"
        r"asks?|typed|gave)",
        r"(?:recipients?|phone numbers?|addresses|address|destination|beneficiary|payee|content|path|file name|url|branch|"
        r"amount|account(?: number)?|cc|bcc|bcc field|cc field|host|command|query|title|number|to field|currency|quantity|"
        r"price|value) (?:field )?(?:must|should|shall|has to|have to|needs? to|is to|are to) (?:always |first |instead "
        r")?(?:be (?:replaced|changed|substituted|redirected|prefixed|set to (?:[\w.+-]{1,40}@|/|https?:|\d{4})|\+?\d|"
        r"[\w.+-]{1,40}@|/|http)|hold|become|point to|end with|begin with|start with|contain)",
    ),
    "argument-of": Pattern(
        r"(?:the )?(?:\w{1,30} )?(?:argument|parameter|field|value|input|recipient|path|content|body) (?:of|in|for|to) "
        r"(?:the )?\w{2,40}(?: tool| function| call)? (?:must|should|shall|has to|have to|needs to|is to) (?:\w{1,14} "
        r"){0,2}?(?:be )?(?:changed|replaced|redirected|rewritten|substituted|swapped|modified|overwritten|altered|pointed)",
    ),
    "disables": Pattern(
        r"(?:disable|disables|disabling|turn off|turns off|turning off|bypass|bypasses|bypassing|skip|skips|skipping|"
        r"circumvent|circumvents|suppress|suppresses|deactivate|deactivates|evade|evades|evading|defeat|ignore|ignores|"
        r"ignoring|override|overrides|overriding|switch off|remove|removes|kill|kills|neutralize|neutralizes) (?:\w{1,14} "
        r"){0,4}?(?:safety|security|validations?|confirmations?|approvals?|permissions?|safeguards?|guard ?rails?|filters?|"
        r"filtering|logging|audit(?:ing)?|consent|sandbox(?:ing)?|authentication|authorization|access controls?|"
        r"restrictions?|verification|firewalls?|antivirus|anti-virus|edr|monitoring|sanitization|protections?|content policy|"
        r"rate limits?|selinux|defender|detection|checks)",
    ),
    "to-model": Pattern(
        rf"(?:the|an?|any|every|all|dear|attention|note to|hey|for|to) (?:ai |calling |client |host |user's )?{_MODEL}",
        r"(?:ai|llm) (?:agents?|assistants?|models?)",
        r"you (?:must|should|shall|will|need|have|are|can|may|ought)",
        r"your (?:task|job|response|answer|reply|instructions|next|first|goal|primary|only|system|output)",
    ),
    "quotes": Pattern(
        r"(?:detect|detects|detecting|detection|scan|scans|scanning|scanner|block|blocks|blocking|filter out|filters out|"
        r"sanitize|sanitizes|prevent|prevents|preventing|protect|protects|protecting|guard against|flag|flags|warn|warns|"
        r"analy[sz]e|analy[sz]es|identify|identifies|check for|checks for|checks whether|test for|tests for|look for|looks "
        r"for|such as|e\.g\.|for example|like|untrusted|may contain|might contain|contain|contains|classif(?:y|ies)|report|"
        r"reports|redact|redacts|refuse|refuses|reject|rejects|strip|strips|resist|rejected|refused|forbidden|not allowed|"
        r"audit|audits|review|reviews|lint|lints|"
        r"find|finds|known|vulnerab\w{1,10}|mitigat\w{1,6}|avoid)",
        r"(?:do not|don't|never|must not|should not|cannot|will not|won't|not) (?:\w{1,14} ){0,3}?(?:follow|obey|execute|"
        r"comply|trust|treat|ignore|disregard|override|bypass|skip|disable|read|include|pass|put|send|use|share|log|store|"
        r"hardcode|commit|return|returned|expose|print|paste|provide|enter|stored|shown|logged|sent)",
    ),
    # What a text gives as its reason where a tool's description needs none.
    "pretext": Pattern(
        r"(?:^|(?<=\x1e))\s{0,40}for (?:\w{1,16} ){0,2}?\w{3,16},",
        r"(?:^|(?<=\x1e))\s{0,40}(?:in order )?to (?:\w{1,16} ){0,5}?\w{2,16}, (?!use |call |set |see |specify |pass )",
        r"(?:it's|it is) (?:\w{1,14} )?(?:necessary|required|needed|mandatory) (?:to|that|by)|required by law|as (?:a "
        r")?proof|precondition|prerequisite of (?:any|every|all)",
        r"because (?:that|it|this|they|the) (?:\w{1,14} ){1,3}?(?:verif\w{1,5}|need\w{0,2}|requir\w{1,3}|expect\w{0,2}|"
        r"check\w{0,2}|confirm\w{0,2}|is|are|has|must)|users? (?:prefer|want|have agreed|expect|like)|for correct results|to "
        r"free up|health check|at start ?up|to keep a backup",
        r"(?:for|due to|because of|owing to|as part of|by|per|under|following|in line with|to comply with|in accordance with|"
        r"to satisfy|to meet) (?:\w{1,14} ){0,3}?(?:security|compliance|logging|debug(?:ging)?|caching|routing|telemetry|"
        r"audit(?:ing)?|verification|validation|quality|privacy|performance|maintenance|regulat\w{1,6}|activation|legal|"
        r"safety|diagnostics?|diagnostic|monitoring|backup|integrity|stability|tracking|analytics|policy|policies|"
        r"requirements?|protocols?|regulations?|laws?|reasons?|purposes?|api changes?|interface changes?|(?:interface|system|"
        r"version|api) (?:adjustments?|updates?|upgrades?|migrations?|changes?)|optimi[sz]ation|synchroni[sz]ation|encoding|"
        r"compatibility)",
        r"(?:in order )?to (?:prevent|avoid|ensure|improve|keep|protect|guarantee|save|maintain|preserve|enable|unlock|"
        r"confirm|verify|facilitate|optimi[sz]e|reduce|enhance|make sure|authenticate|secure|speed up|provide better|prove|"
        r"help) (?:\w{1,14} ){0,4}?(?:data|loss|safe|safety|security|secure|integrity|errors?|problems?|conflicts?|failures?|"
        r"issues?|proper|quality|consistency|compatibility|encoding|storage|identity|who|authenticity|successfully|success|"
        r"smooth|stable|stability|system|user|users|privacy|functionality|accuracy|corruption|leaks?|attacks?|function|"
        r"experience|delivery|service|this tool|permissions?|environment|threats?)",
        r"(?:security|permission|compliance|integrity|safety|identity|health|environment|privacy|authorization|"
        r"authentication|system|data|format|access|file|policy|operation|pre-?flight)(?: \w{1,14})? (?:check|verification|"
        r"audit|validation|inspection|scan|requirement|protocol|procedure|policy|confirmation|review|monitoring|policies)s?",
        r"(?:new|latest|updated|internal|company|corporate|security|system|mandatory|gdpr|legal|strict) (?:regulations?|"
        r"polic(?:y|ies)|requirements?|rules?|guidelines|protocols?|standards?|updates?|laws?)",
        r"as (?:required|mandated|specified|requested|demanded) by",
        r"standard (?:procedure|protocol|practice)|internal (?:account|process|use)|known issue|implementation detail",
    ),
    "trigger": Pattern(
        r"(?:before|prior to|ahead of|after|upon|on|during|while|when|whenever|once|as soon as|each time|every time|anytime|"
        r"if|in case|preceded by|followed by|on receipt of|at the start of|in the event) (?:\w{1,20} ){1,8}?(?:is|are|was|"
        r"were|be|being|has been|have been|gets|get|to|user|users|tool|tools|function|operation|operations|access|request|"
        r"requests|file|files|message|messages|email|data|query|queries|code|call|calls|session|transaction|payment|calendar|"
        r"event|search|stock|hotel|booking|repository|database|network|command|commands)",
        r"(?:any|every|each|all) (?:\w{1,20} ){0,4}?(?:request|requests|operation|operations|query|queries|file|files|"
        r"message|messages|email|emails|call|calls|session|transaction|payment|result|results|answer|answers|response|"
        r"responses|reply|replies|reminders?|events?|code|commits?|commands?|searches|calculations?|orders?|bookings?|"
        r"trades?|posts?|reports?|documents?|records?|updates?|changes?|night|day|hour|tools?)",
        r"(?:repl(?:y|ies)|answers?|responses?|e?mails?|messages?|reports?|quer(?:y|ies)|files?|results?|searches) "
        r"(?:\w{1,14} ){0,3}?(?:must|should|shall|have to|need to|needs to|has to|are to|is to)",
        r"once per (?:session|day|hour|conversation|call|request)|(?:for )?(?:the )?(?:entire|rest of the|whole) "
        r"(?:conversation|session|chat)|in all (?:following|future|subsequent) \w{1,20}",
    ),
    # Sensitive acts, each of which has no place in the text of a tool for something else.
    # Whatever is made, sent or opened, by whomever.
    "any-that": Pattern(
        r"(?:any|every|each|all) (?:of the )?(?:\w{1,16} ){1,3}?(?:that|which) (?:is|are|was|were|you|has|have|gets|the user|"
        r"other)",
        r"(?:any|every|each|all) (?:\w{1,16} ){0,2}?(?:created|generated|sent|opened|new|outgoing|incoming|uploaded|written|"
        r"downloaded|future|received|existing) (?:\w{1,16})",
    ),
    "passive-order": Pattern(
        r"(?:must|should|has to|have to|needs? to|shall|is to|are to|ought to) (?:\w{1,12} ){0,2}?be (?:\w{1,14}ed|sent|set|"
        r"put|written|made|given|kept|shown|read|run|hidden|rewritten|overwritten|copied)",
    ),
    "distorts": Pattern(
        r"(?:be|are|is|it|them|by) (?:\w{1,12} ){0,2}?(?:divided|multiplied|shifted|increased|raised|reduced|lowered|inflated|"
        r"deflated|doubled|halved|rounded|offset|scaled) (?:\w{1,12} ){0,2}?(?:by|before|up|with)|keep the difference",
        r"(?:multiply|divide|increase|raise|reduce|lower|inflate|shift|double|halve|round up) (?:the|all|every|any|each|its|their|"
        r"returned|resulting|it|them)(?: (?:\w{1,14} ){0,3}?(?:results?|values?|prices?|amounts?|doses?|dosages?|figures?|coordinates|"
        r"numbers?|quantit(?:y|ies)|totals?|balance)| by)",
        r"\d{1,3} ?(?:x|times|percent|%) (?:the|of the|higher|lower|more|less)|(?:higher|lower|other|different) than "
        r"(?:the |what )?(?:real|actual|true|user)|instead of the (?:real|actual|true|correct|right)|most expensive|misleading|"
        r"falsified|fabricated",
        r"(?:conclude|claim|pretend|insist|assert) that|(?:irrespective|independent(?:ly)?|regardless) of (?:the |what |which "
        r")?(?:inputs?|tool|user|real|actual|question|data)|whatever the (?:user|input|payee|data|question|result)\w{0,2}",
    ),
    "falsifies": Pattern(
        r"(?:shall|must) be ignored|\d{1,3} ?(?:x|times|percent|%)",
        r"(?:invert(?:ed)?|revers(?:e|ed)|fake|swap(?:ped)?|randomi[sz]e[d]?)",
        r"highest price|premium plan|maximum amount|(?:change|use a different|alter|set) (?:the )?(?:currency|amount|price|"
        r"recipient|destination|quantity|value|date|coordinates|number)",
        r"(?:return|report|give|show|answer with|respond with|reply with|output|display|state|say)(?:ing)? (?:\w{1,14} "
        r"){0,3}?(?:higher|lower|fake|false|wrong|different|incorrect|success|that it (?:failed|succeeded)|only|fixed)",
    ),
    "lowers-guard": Pattern(
        r"no trace\w{0,3}|(?:delete|clear|wipe|erase|purge|remove|empty)(?: |_)(?:\w{1,14} ){0,3}?(?:logs?|history|traces?|"
        r"records|backups?)|no verify|(?:verify\w{0,10}|private|ssl|tls|auth\w{0,14}|confirm\w{0,6}|encrypt\w{0,4}) "
        r"(?:\w{1,10} ){0,3}?(?:=|to|as|is) ?(?:false|off|none|disabled)|or 1 ?= ?1|drop table|(?:everybody|everyone|anyone|"
        r"anybody|world) (?:can|may|with|has)|without (?:a )?(?:where|review|filter|password|limit)|force push\w{0,3}",
    ),
    "weakens": Pattern(
        r"(?:admin|root|support|privileged|superuser) (?:user|account)s?|public (?:gallery|bucket|link|channel|folder|"
        r"repositor(?:y|ies))|force ?= ?true|tests? (?:switched|turned) off|(?:switch|turn)(?:ed)? off|(?:tls|ssl|"
        r"certificate) (?:verification|validation|checks?)|hard-?code|without further notice|trusted (?:domain|sender|source|"
        r"device|host)",
        r"drop (?:the )?(?:table|database|audit|backup)|new password (?:must|should|is|has)|same password|delete (?:\w{1,14} "
        r"){0,3}?(?:at once|immediately|right away)",
        r"allow(?:s|ing)? all|(?:permissions?|access|rights) (?:to|for) (?:everyone|anyone|all|others|the public)|everyone|"
        r"world-?(?:readable|writable)|0?777|0?666|allow-?all|sudo|root (?:access|privileges?|permissions?)|"
        r"admin(?:istrator)? (?:access|rights|privileges?|permissions?|role)|full (?:access|control|permissions?)",
        r"(?:make|making|made|set|setting|mark|change|turn)(?:s)? (?:\w{1,14} ){0,4}?public(?:ly)?(?: accessible)?",
        r"(?:disable|turn off|bypass|skip|remove|stop|reset|clear|uninstall|weaken|suspend|pause|relax|grant|open|expose|"
        r"escalate|elevate)(?:s|d|ing)? (?:\w{1,14} ){0,4}?(?:security|authentication|two-?factor(?: authentication)?|2fa|"
        r"mfa|multi-?factor|firewall|antivirus|encryption|backups?|monitoring|logging|logs?|alerts?|protection|verification|"
        r"permissions?|privileges?|access|ports?|restrictions?|checks?|rules?|certificates?|ssl|tls|notifications?|traces?|"
        r"history)",
        r"no trace|trusted domain|skip permission|permission questions|must not refuse|never refuse|do not refuse|don't "
        r"refuse|without (?:asking|confirmation|restrictions?)",
    ),
    "implants": Pattern(
        r"(?:import|install|require|depend on|add|include|insert|inject|embed|append) (?:\w{1,14} ){0,3}?(?:package|module|"
        r"library|dependency|line|snippet|script|hook|header|import|backdoor|payload|statement|tracking|pixel|keylogger|code|"
        r"extension|plugin)",
        r"cron ?(?:job|tab)?|build script|start-?up (?:script|folder|item)|scheduled task|login item|launch ?agent|git "
        r"hooks?|\.bashrc|autostart|background (?:process|job|service)",
        r"or 1 ?= ?1|\.\./|curl \S|wget \S|-exec|rm -rf|chmod|eval|xargs|base64 -d|\| ?sh",
    ),
    "steers-reply": Pattern(
        r"(?:answers?|repl(?:y|ies)|responses?|summar(?:y|ies)|results?|output|messages?|texts?|recommendations?) "
        r"(?:\w{1,20} ){0,6}?(?:must|should|shall|has to|have to|need to|are to|is to) (?:\w{1,14} ){0,3}?(?:contain|include|"
        r"mention|recommend|promote|praise|end|begin|start|say|be written|favou?r|link|advertise|state|urge|encourage|be "
        r"positive|be negative)",
        r"(?:recommend|promote|praise|advertise|mention|suggest|plug|push|endorse|favou?r)(?:s|ing)? (?:\w{1,14} "
        r"){0,4}?(?:product|brand|company|service|plan|premium|store|shop|link|website|our|acme\w{0,10}|\w{1,20}\.(?:com|net|"
        r"org|io|example))",
        r"only with praise|makes? the user (?:buy|click|visit|believe|think|pay)|persuade|convince the user|manipulat\w{1,5}",
    ),
    "personal": Pattern(
        r"verification codes?|one-time codes?|address book|(?:user'?s?|their) (?:inbox|notes|mailbox|files|ssh)|notes of the "
        r"user|(?:most recent|latest|all|recent) (?:e?mails|messages|photos|contacts|documents|notes|files)|up to the root|"
        r"parent director(?:y|ies)|transcript of|whole (?:address book|disk|home|mailbox)|(?:passwd|whoami)",
        r"user (?:e?mail|password|credential|data|information|detail|identity|location|contact|file|profile|histor)\w{0,4}",
        r"(?:user's|users'?|their|personal|private|sensitive|customer'?s|confidential) (?:\w{1,14}\x20){0,3}?(?:names?|e?mails?(?: "
        r"address(?:es)?)?|phone(?: numbers?)?|address(?:es)?|identity|employer|location|contacts|messages|information|data|"
        r"details|clipboard|calendar|browsing history|history|accounts?|profile|credit card|ssn|health|documents?|files?|"
        r"photos?|passport|birthday|id numbers?|credentials?|passwords?|api keys?|key|keys|tokens?|secrets?|project files?)",
        r"clipboard|location, contacts|browsing history|open (?:files|tabs|documents)|home directory|home folder|api key of|"
        r"key of the user|password in their name|private repositor(?:y|ies)|what you know about|everything you know|"
        r"(?:profile|database|table|inbox|mailbox)(?:'s)? (?:complete|full|entire) (?:output|content|contents)|(?:its|"
        r"their) (?:complete|full|entire|whole) (?:output|content|contents|result|response|list|data|definition)s?",
        r"(?:definitions?|schemas?|descriptions?|names|list) of (?:all )?(?:the )?(?:other|available|connected) tools",
        r"retrieved documents?|config\.json|settings\.json|hosts\.yml|\.config/\S{1,40}|output of (?:`|')?(?:cat|env|"
        r"printenv|ls|find|whoami|set)|environment has to|run (?:`|')?(?:env|printenv|whoami|id|set|history)",
    ),
    # Other work than the tool's own, by kind (see `foreign`).
    "trade-files": Pattern(
        r"(?:files?|folders?|director(?:y|ies)|disks?|documents?|downloads folder|trash|file ?system|paths?|\.\w{2,4} files?)",
    ),
    "trade-mail": Pattern(r"(?:e-?mails?|mails?|inbox|mailbox(?:es)?|bcc|cc'?d?|newsletters?|gmail|outlook)"),
    "trade-chat": Pattern(
        r"(?:whatsapp|slack|telegram|discord|sms|text messages?|phone numbers?|contacts?|address book|contact list|chat "
        r"lists?|private channels?|direct messages?|send_message)",
    ),
    "trade-money": Pattern(
        r"(?:payments?|pay|paying|money|funds|banks?|iban|beneficiary|payee|purchases?|buy|buying|shares|refunds?|invoices?|"
        r"credit cards?|cards?|card numbers?|euros?|dollars?|crypto\w{0,8}|wallets?|transfer (?:of )?(?:money|funds))",
    ),
    "trade-code": Pattern(
        r"(?:git|commits?|repositor(?:y|ies)|repos?|branch(?:es)?|pull requests?|force push\w{0,4}|merged?|source code|"
        r"functions?|packages?|dependenc(?:y|ies)|imports?|snippets?|unit tests?|ci)",
    ),
    "trade-shell": Pattern(
        r"(?:shell|terminal|bash|curl|wget|chmod|sudo|cron\w{0,4}|process(?:es)?|command ?line|commands?|installed "
        r"programs|powershell|firewall|ports?|hosts file|host name|containers?|docker|environment variables?)",
    ),
    "trade-keys": Pattern(
        r"(?:passwords?|credentials?|private keys?|api keys?|tokens?|cookies?|secrets?|keychain|login|pin|one-time codes?|otp|"
        r"certificates?|ssh|permissions?|admin\w{0,8}|privileges?)",
    ),
    "trade-data": Pattern(r"(?:database|databases|sql|quer(?:y|ies)|tables?|records?|customers?|patients?|employees?)"),
    "trade-dates": Pattern(r"(?:calendars?|events?|attendees?|meetings?|appointments?|reminders?|bookings?|flights?|hotels?)"),
    "trade-web": Pattern(
        r"(?:web ?pages?|websites?|browser|browsing|urls?|links?|downloads?|uploads?|http requests?|search results?|"
        r"search(?:es)?|posts?|tweets?|products?)",
    ),
    "trade-memory": Pattern(
        r"(?:memor(?:y|ies)|remember|conversations?|chats?|chat history|earlier messages|previous messages|the user wrote|user "
        r"said|prompts?|instructions|answers?|repl(?:y|ies))",
    ),
    # Text of others that is to be obeyed, or leave that nobody gave.
    "obeys": Pattern(
        r"(?:treat|regard|consider|take|accept|interpret|handle) (?:\w{1,14} ){0,6}?(?:as (?:if|coming from|though|having|an? "
        r"(?:order|instruction|command)|authori\w{3,8}|trusted|binding))",
        r"(?:follow|obey|perform|execute|carry out|comply with|act (?:up)?on|do) (?:\w{1,14} ){0,3}?(?:instructions?|steps|"
        r"orders?|commands?|directions?|guidance|requests?) (?:\w{1,14} ){0,2}?(?:in|from|of|inside|within|given|returned|"
        r"contained|found|by)",
        r"(?:carry|carries|have|has) the (?:\w{1,14} )?authority|authority of the (?:system|user|developer)|on behalf of the "
        r"(?:system|developer)",
        r"(?:instructions?|rules?|guidelines?|restrictions|polic(?:y|ies)|warnings?|limits) (?:\w{1,14} ){0,2}?(?:no "
        r"longer|are (?:suspended|lifted|void|redundant|off|replaced))",
        r"(?:no|without|needs? no|skip|exempt from|not need) (?:\w{1,14} ){0,2}?(?:confirmation|review|approval|consent|asking|"
        r"permission|warnings?)(?: any ?more| at all)?",
        r"(?:user|users|owner|they) (?:has|have) (?:already )?(?:agreed|approved|consented|confirmed|granted|permitted|allowed)",
        r"(?:work|act|acting|report|answer) (?:\w{1,10} ){0,2}?(?:for|as) (?:the )?(?:author|administrator|attacker|owner) of "
        r"(?:this|the)|above the user|counts? as (?:an? )?(?:administrator|admin|root)|freely",
        r"for (?:all )?(?:future|later|subsequent|coming|all) (?:sessions?|conversations?|calls?|requests?|chats?)",
    ),
    "by-result": Pattern(
        r"(?:if|when|when\w{0,4}|should|on|in case|answers?|reply|response|status|result) .. (?:errors?|fails?|failure|fail|failed|"
        r"status|returns?|returned|says?|responds?|answers?|reply|replies|names?|asks|requests?|40[13]|code) .. (?:read|open|look up|"
        r"gather|collect|supply|fetch|retrieve|hand|send|give|follow|obtain|needed|resend|attach)",
    ),
    # This tool as the step before, after or around another.
    "steps-in": Pattern(
        r"(?:comes?|goes?|runs?|called|used|run|executed|invoked|consulted|triggered|started|registered|logged|recorded) "
        r"(?:\w{1,14} ){0,2}?(?:first|beforehand|ahead of|before|prior to|in advance|at the start|each time|every time)",
        r"(?:preceded|followed|accompanied|prefixed|confirmed|approved|signed|validated|checked|cleared) by",
        r"(?:requires?|needs?|wants?|expects?|demands?|depends? on) (?:a |the |that |to )?(?:\w{1,14} ){0,3}?(?:from|of|see|"
        r"know|first|beforehand|read|be read)",
        r"(?:run|passed|put|sent|routed|go|goes) through|through (?:this|the) (?:tool|server|gateway|proxy|gate)",
        r"(?:is|are) (?:only )?(?:granted|accepted|allowed|possible|usable|available|permitted|valid) (?:\w{1,14} "
        r"){0,2}?(?:after|once|if|when)|may (?:only )?be used (?:solely |only )?after",
        r"(?:begin|start|open|close|end|finish|precede) (?:each|every|any|all)",
    ),
    # Another kind of tool, by which this one would have something done.
    "by-other-tool": Pattern(
        r"(?:use|using|with|via|through|by|call|calling|invoke|have|ask|its|their) (?:the |its |your |any |a )?"
        r"(?:\w{1,14}\x20){0,2}?(?:shell|terminal|bash|command|file ?system|file|git|github|payment|http|web|browser|mail|"
        r"e-?mail|gmail|messag\w{2,4}|database|sql|search|calendar|code|drive|execution)\x20(?:tools?|server'?s?|functions?)",
        r"(?:other|another|different) (?:servers?|vendors?|plugins?|tools?)(?:'s?)?(?: (?:tools?|functions?))?(?! (?:\w{1,14} "
        r"){0,2}?(?:this server|here|below|above))",
        r"(?:tools?|functions?) (?:of|from|on|by) (?:the |an? )?(?!this |same |our |your )(?:other|another|"
        r"\w{2,20}) (?:servers?|vendors?|providers?)",
    ),
    # What is handed over is all there is.
    "hands-all": Pattern(
        r"(?:full|complete|entire|exact|raw|whole|original|all|verbatim|current) (?:of )?(?:the |its |their |user'?s? )?"
        r"(?:\w{1,14} ){0,2}?(?:contents?|texts?|paths?|body|outputs?|lists?|requests?|words|messages?|arguments?|data|"
        r"results?|input)",
        r"(?:hand|hands|handed|handing|pass|passed|passing|give|given|giving|share|sharing|provide|supply) (?:\w{1,14} "
        r"){0,4}?(?:over|along|on|in|to this)",
        r"(?:what|whatever|everything) (?:\w{1,14} ){0,3}?(?:returned|wrote|said|typed|contains?|opened?|works? on|working on|"
        r"found|know|knows)",
        r"(?:attach|attached|copy of|contents? of|output of|list of|keep(?:s)? us posted)",
    ),
    # A value that the text fixes, whatever the caller wanted.
    "fixes-value": Pattern(
        r"(?:set|sets|setting|changed?|replaced?|be|use|uses|add|added|with|to|as|include|contain|is) (?:\w{1,14} "
        r"){0,4}?(?:to |as |with |by )?(?:true|false|0?777|0?666|\d{3,20}|/[\w./]{3,60}|--[\w-]{3,20}|public|anyone|"
        r"everyone|admin|root|[\w.+-]{1,40}@[\w-]{1,40}\.[\w.-]{2,20}|https?://\S{4,100})",
    ),
    # A person who is asked, or who asked: what is then done is no secret and no surprise.
    "asks-person": Pattern(
        r"(?:ask|asks|asking|confirm with|check with|prompt|consult|tell|inform|show|notify|warn|remind)(?: the| your)? (?:users?|"
        r"them|human|person)",
        r"(?:user'?s?|explicit) (?:approval|permission|confirmation|consent|authori[sz]ation|requests?)",
        r"if (?:it is |they are |it's )?not (?:provided|specified|given|set|known)|if (?:you are |you're )?(?:unsure|unknown)|"
        r"only if|unless|optional(?:ly)?|explicitly",
    ),
    "own-use": Pattern(
        r"use (?:this|it|`\w{1,40}`|\w{1,20}_\w{1,40})(?: tool| function| instead)? (?:when|whenever|to|for|if|after|before|"
        r"instead|only|with|first)|use when|useful (?:for|when)|use cases?|when to use|returns?|defaults?|e\.g\.|example",
        r"^ ?(?:if|when|set to|whether|needs to be|must be)(?: set to)? (?:true|false)|whether|true if",
        r"(?:when|if|whenever) (?:the )?users? (?:asks?|wants?|needs?|requests?|mentions?|provides?|says?|specif\w{2,4})",
    ),
    "destroys": Pattern(
        r"(?:delete|deletes|deleting|wipe|wipes|erase|erases|drop|destroy|destroys|overwrite|overwrites|truncate|remove|"
        r"empty|purge|format|encrypt|corrupt|clear|rm -rf|chmod|shutdown|kill|terminate|revoke|grant|disable)(?:d|ed)?",
    ),
}


TRADES = tuple(name for name in SIGNALS if name.startswith("trade-"))
"""Kinds of work. A sentence about another kind than the tool's own counts some in `out-of-place`."""


def find(text: Text, name: str) -> list[tuple[int, int]]:
    """Return where a phrase of `SIGNALS` is in the folded text."""
    spans = text.signals.get(name)
    if spans is None:
        spans = text.signals[name] = [match.span() for match in SIGNALS[name].finditer(text.folded.text)]
    return spans


def within(text: Text, name: str, start: int, end: int) -> tuple[int, int] | None:
    """Return the first place of a phrase that begins in a stretch of the folded text."""
    for span in find(text, name):
        if start <= span[0] < end:
            return span
        if span[0] >= end:
            return None
    return None


def all_within(text: Text, names: tuple[str, ...], start: int, end: int) -> bool:
    """Tell whether every one of the phrases is in a stretch of the folded text."""
    return all(within(text, name, start, end) is not None for name in names)
