"""The phrases of an injection in other languages: Chinese, Japanese, Spanish, Portuguese, German, French, Russian, Italian, Korean.

A model follows them all; a person who reviews may not. Only phrases that an honest description has no use for, or three kinds together.
"""

from __future__ import annotations

from stdioguard.definitions.findings import HIGH, LOW, MEDIUM
from stdioguard.definitions.patterns import Raw
from stdioguard.definitions.rules.interface import Rule, at, quoted
from stdioguard.definitions.signals import within
from stdioguard.definitions.surface import NAME, PROPERTY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.definitions.findings import Finding
    from stdioguard.definitions.surface import Definition, Text

SLUG = "other-languages"

_GAP = r"[^\x1e]{0,30}?"
# Letters as folding leaves them: without accents, dots and voicing marks.
_OVERRIDE = Raw(
    r"(?:忽略|无视|忘记|無視|忽視|不要理会|抛弃|绕过)" + _GAP + r"(?:指令|指示|提示|规则|說明|说明|命令|要求|限制|設定|设定)",
    r"(?:以前|前|上記|これまて|全て|すへて)の?"
    + _GAP
    + r"(?:指示|命令|フロンフト|ルール|指令)"
    + _GAP
    + r"(?:無視|忘れ|破棄|従わ)",
    r"(?:ignor[ae]|olvid[ae]|omit[ea]|descart[ae]|haz caso omiso|no hagas caso)"
    + _GAP
    + r"(?:instruccion\w{0,4}|indicacion\w{0,4}|reglas|ordenes|directrices|prompt)",
    r"(?:ignor[ea]|esquec[ae]|desconsider[ea]|descart[ea])" + _GAP + r"(?:instruc\w{2,6}|regras|ordens|diretrizes|prompt)",
    r"(?:ignorier\w{0,4}|vergiss|vergessen|missacht\w{0,4}|uberg\w{1,6}|verwirf)"
    + _GAP
    + r"(?:anweisung\w{0,4}|instruktion\w{0,4}|regeln|vorgaben|befehle?|anordnung\w{0,4}|prompt)",
    r"(?:ignor\w{1,4}|oubli\w{1,4}|ne ten\w{1,3} pas compte|fais abstraction|faites abstraction|neglig\w{1,4})"
    + _GAP
    + r"(?:instructions?|consignes?|regles?|directives?|ordres?)"
    + _GAP
    + r"(?:precedent\w{0,3}|anterieur\w{0,3}|ci-dessus|system\w{0,2}|initial\w{0,3}|donne\w{0,3})",
    r"(?:игнориру\w{1,5}|проигнориру\w{1,5}|забуд\w{1,4}|не обраща\w{1,4} внимания|отбрось\w{0,3}|пренебрег\w{1,5})"
    + _GAP
    + r"(?:инструкци\w{1,3}|указани\w{1,3}|правила?|команд\w{0,2}|распоряжени\w{1,3}|промпт\w{0,2}|ограничени\w{1,3})",
    r"(?:ignora\w{0,2}|dimentica\w{0,3}|trascura\w{0,2}|non tener\w{0,2} conto)"
    + _GAP
    + r"(?:istruzion\w|regole|indicazioni|ordini|prompt)",
    "(?:이전|앞의|위의|모든|기존)" + _GAP + "(?:지시|명령|지침|프롬프트)" + _GAP + "(?:무시|잊)",
)
_SECRECY = Raw(
    r"(?:不要|不得|切勿|请勿|別|别|禁止|勿|不能|无需|不必)"
    + _GAP
    + r"(?:告诉|告訴|告知|通知|提及|透露|提醒|让)"
    + _GAP
    + r"(?:用户|用戶|使用者|任何人)|(?:不要|不得|切勿|请勿|禁止|无需|無需|不必|不用)[向对對跟]"
    + _GAP
    + r"(?:用户|用戶|使用者)"
    + _GAP
    + r"(?:说|說|解释|解釋|提|透露)|(?:悄悄|秘密|暗中|偷偷)",
    r"(?:ユーサー|利用者|使用者)に?"
    + _GAP
    + r"(?:知らせ|伝え|教え|通知し|言わ|話さ|明かさ)"
    + _GAP
    + r"(?:ない|す|な|いて|こと)|(?:秘密裏|こっそり|黙って)",
    r"(?:no|nunca|sin)\s(?:le |se lo |lo )?(?:mencion\w{1,4}|dig\w{1,3}|inform\w{1,4}|cuent\w{1,3}|revel\w{1,4}|avis\w{1,4}|"
    r"notifi\w{1,5}|decir\w{0,4})" + _GAP + r"usuari\w{1,2}|en secreto|sin que el usuario",
    r"(?:nao|nunca|sem)\s(?:mencion\w{1,3}|dig\w{1,2}|inform\w{1,3}|cont\w{1,3}|revel\w{1,3}|avis\w{1,3}|notifi\w{1,5})"
    + _GAP
    + r"usuari\w{1,2}|em segredo",
    r"(?:nicht|nie|niemals|ohne|kein wort)"
    + _GAP
    + r"(?:benutzer|nutzer|anwender)\w{0,2}"
    + _GAP
    + (
        r"(?:mitteil\w{0,4}|sag\w{0,3}|informier\w{0,3}|erwahn\w{0,4}|verrat\w{0,3}|zu sagen|wissen)|(?:benutzer|nutzer|"
        r"anwender)\w{0,2}"
    )
    + _GAP
    + r"(?:nicht|nichts|niemals|kein\w{0,2})"
    + _GAP
    + (
        r"(?:mit|sag\w{0,3}|informier\w{0,3}|erwahn\w{0,4}|verrat\w{0,3}|davon|wissen|erfahr\w{0,3})|heimlich|(?:erwahn\w{0,2}|"
        r"sag\w{0,2}|verrat\w{0,2}|informier\w{0,2})"
    )
    + _GAP
    + r"(?:nicht|nichts)"
    + _GAP
    + r"(?:benutzer|nutzer|anwender)",
    r"(?:ne|n'|sans)\s?(?:le |en |l')?(?:dis|dites|mentionn\w{1,3}|inform\w{1,3}|revel\w{1,3}|signal\w{1,3}|parl\w{1,3}|"
    r"avert\w{1,5}|dire)" + _GAP + r"(?:utilisateur|usager)|a l'insu|en secret|secretement",
    r"(?:не|без)\s(?:\w{1,12}\s){0,2}?(?:сообща\w{1,4}|говори\w{0,3}|упомина\w{1,4}|рассказыва\w{1,4}|уведомля\w{1,5}|"
    r"раскрыва\w{1,4}|информиру\w{1,4}|ведома)" + _GAP + r"(?:пользовател\w{1,3}|юзер\w{0,2}|никому)|тайно|скрытно|втаине",
    r"(?:non|senza)\s(?:menzion\w{1,4}|dir\w{1,4}|inform\w{1,4}|rivel\w{1,4}|avvis\w{1,4})" + _GAP + r"utent\w|di nascosto",
)
_MUST = Raw(
    r"必须|必須|务必|務必|一定要|首先|总是|始终|應該|应该|请先|需要先|しなけれは|してくたさい|必す|常に|ます|반드시|항상|먼저",
    r"(?<!\w)(?:debes?|tienes que|siempre|primero|es obligatorio|antes de|deve|sempre|antes|musst|mussen|muss|immer|zuerst|"
    r"bevor|vor jede\w|dois|devez|doit|toujours|d'abord|avant|должен|должны|обязательно|необходимо|всегда|сначала|перед|devi|"
    r"prima di)(?!\w)",
)
_TAKES = Raw(
    r"读取|打开|查看|发送|上传|转发|传递|获取|收集|复制|附加|讀取|傳送|送信|読み|読ん|取得|転送|添付|アッフロート|渡し|읽|보내|전송",
    r"(?<!\w)(?:lee|leer|lea|envia\w{0,3}|reenvia\w{0,3}|incluy\w{1,3}|pasa\w{0,2}|adjunt\w{1,3}|sube|copia|lies|lesen|lese|"
    r"sende\w{0,2}|schick\w{0,3}|ubergib|ubergebe\w{0,2}|lade|fuge|kopier\w{0,3}|ubermittel\w{0,2}|lis|lire|lisez|"
    r"envoie\w{0,2}|envoy\w{1,3}|transmet\w{0,4}|inclu\w{1,4}|joign\w{1,3}|прочит\w{1,5}|читаи\w{0,3}|отправ\w{1,4}|"
    r"перешли\w{0,3}|передаи\w{0,3}|передат\w|скопиру\w{1,4}|включи\w{0,3}|приложи\w{0,3}|загрузи\w{0,3}|leggi\w{0,3}|"
    r"invia\w{0,3}|inoltra\w{0,2}|leia|envie|anexe)(?!\w)",
)
_SECRET = Raw(
    r"密钥|私钥|密码|凭证|凭据|令牌|环境变量|系统提示|对话历史|对话记录|聊天记录|聊天内容|对话内容|会话记录|密碼|秘密鍵|ハスワート|"
    r"認証情報|環境変数|会話履歴|システムフロンフト|鍵|비밀번호|개인 ?키|환경 ?변수|자격 ?증명",
    r"(?<!\w)(?:contrasena\w?|claves?\s(?:privada|api|ssh|secreta)\w?|credencial\w{0,2}|variables de entorno|historial|"
    r"passwor\w{1,4}|schlussel\w{0,2}|zugangsdaten|umgebungsvariablen|kennwort\w{0,3}|anmeldedaten|gesprachsverlauf|"
    r"chatverlauf|systemprompt|mot\w? de passe|cles?\s(?:privee|ssh|api|secrete)\w?|identifiants|variables d'environnement|"
    r"historique|пароль\w?|пароли|парол\w{1,3}|ключ\w{0,3}|учетн\w{1,4} данн\w{1,3}|токен\w{0,3}|переменн\w{1,3} окружения|"
    r"истори\w{1,3} (?:чата|переписки|диалога|разговора)|senh\w{1,2}|chave\w?|credenzial\w)(?!\w)",
)
# Who is written to, by other tools: with an address of the text's own, that is tampering.
_RECIPIENT = Raw(
    r"收件人|抄送|密送|收款人|收款账户|宛先|受取人|送信先|수신자|받는 ?사람|참조",
    r"(?<!\w)(?:destinatari\w|en copia|copia oculta|beneficiari\w|empfanger\w{0,2}|in kopie|blindkopie|kontoinhaber|"
    r"destinataire\w?|en copie|"
    r"beneficiaire|получател\w{1,3}|в копию|копи\w|скрыт\w{2,3} копи\w|адресат\w{0,2}|em copia|alici\w{0,2}|in copia)(?!\w)",
)
_THIS_TOOL = Raw(
    r"本工具|此工具|该工具|這個工具|这个工具|このツール|本ツール|이 도구",
    r"(?<!\w)(?:esta (?:herramienta|funcion|ferramenta)|dieses werkzeug|dieses tool|diese funktion|cet outil|"
    r"cette fonction|questo strumento|"
    r"этот инструмент|этого инструмента|этому инструменту|данный инструмент|bu arac\w{0,2})(?!\w)",
)
_EACH = Raw(
    r"(?:所有|任何|每个|每次|每一|全部|一切)"
    + _GAP
    + r"(?:操作|请求|任务|文件|邮件|工具|调用|消息|回答)|(?:他の|すへての|あらゆる|各)"
    + _GAP
    + r"(?:ツール|操作|ファイル)|(?:모든|다른)"
    + _GAP
    + r"(?:도구|작업|파일)",
    r"(?<!\w)(?:tod[ao]s?|cada|cualquier|qualquer|jede\w|alle\w|chaque|tout\w{0,2}|ogni|qualsiasi|люб\w{2,3}|кажд\w{2,3}|все\w{0,2}|her)"
    r" (?:\w{1,20} ){0,4}?(?:operaci\w{2,5}|archivos?|ficheros?|herramientas?|correos?|mensajes?|operac\w{2,4}|arquivos?|e-mails?|"
    r"vorgang\w{0,2}|datei\w{0,6}|werkzeug\w{0,3}|senden|nachricht\w{0,2}|operations?|fichiers?|outils?|operazion\w|file|messaggi\w?|"
    r"операци\w{1,3}|файл\w{0,4}|письм\w{0,3}|писем|вызов\w{0,3}|инструмент\w{0,3}|сообщени\w{1,3})",
)
_CONTENT = Raw(
    r"内容|全部|完整|参数|記録|内容を|내용|전체",
    r"(?<!\w)(?:contenido|completo|argumentos|conteudo|vollstandig\w{0,2}|inhalt\w{0,2}|betreff|argumente|contenu|complet|"
    r"arguments|contenuto|"
    r"argomenti|содержим\w{2,3}|полн\w{2,3}|аргумент\w{0,3}|icerig\w{0,3})(?!\w)",
)
_PREFER = (
    Raw(r"最好的|最佳|最可靠|最准确|最准的|最高の|最も(?:正確|信頼)|最優秀|가장 ?(?:좋은|정확)"),
    Raw(r"(?:始终|总是|一律|优先|優先|首选|必ず|常に|항상|우선)"),
    Raw(
        r"(?:不要|不应|切勿|请勿|禁止|无需|不得|避免)(?:再)?(?:使用|调用|选择)(?:任何)?(?:其他|其它|同类|别的)|"
        r"他のツールは?(?:使|利用)|다른 ?도구(?:를|는)? ?(?:사용하지|쓰지)"
    ),
)
_BEFORE_ALL = Raw(
    r"在?(?:使用|调用|執行|执行)?(?:任何|所有|每个|每次|其他)"
    + _GAP
    + r"(?:工具|操作|请求|任務|任务|文件)"
    + _GAP
    + r"(?:之前|前)|(?:他の|すへての|あらゆる)"
    + _GAP
    + r"(?:ツール|操作)"
    + _GAP
    + r"前|antes de "
    + _GAP
    + r"(?:cualquier|toda|todos|otra)|(?:vor|bevor) "
    + _GAP
    + r"(?:jede\w|alle\w|andere\w)|avant "
    + _GAP
    + r"(?:tout\w{0,2}|chaque|autre)|(?:перед|до|прежде) "
    + _GAP
    + r"(?:люб\w{1,3}|кажд\w{1,3}|все\w{0,2}|друг\w{1,3})|prima di "
    + _GAP
    + r"(?:qualsiasi|ogni|altr\w)"
)


def _text(text: Text, definition: Definition) -> Iterator[Finding]:
    if text.kind in {NAME, PROPERTY}:
        return
    plain = text.folded.plain
    match = _OVERRIDE.search(plain)
    if match is not None:
        is_quoted = within(text, "quotes", max(0, match.start() - 80), match.start()) is not None
        yield at(
            text,
            match.span(),
            SLUG,
            HIGH,
            LOW if is_quoted else HIGH,
            f"sets the model's own instructions aside: {quoted(text, *match.span())}",
        )
    for start, end in text.sentences:
        secret = _SECRET.search(plain, start, end) or within(text, "secret-path", start, end)
        hides = _SECRECY.search(plain, start, end)
        must = _MUST.search(plain, start, end)
        takes = _TAKES.search(plain, start, end)
        foreign = hides or must or takes
        if within(text, "outside", start, end) is not None and _RECIPIENT.search(plain, start, end):
            yield at(text, (start, end), SLUG, HIGH, MEDIUM, f"changes where other calls go: {quoted(text, start, end)}")
            return
        if _THIS_TOOL.search(plain, start, end) and _EACH.search(plain, start, end) and _CONTENT.search(plain, start, end):
            yield at(text, (start, end), SLUG, HIGH, MEDIUM, f"wants what other calls carry: {quoted(text, start, end)}")
            return
        if sum(pattern.search(plain, start, end) is not None for pattern in _PREFER) >= 2 and _THIS_TOOL.search(plain):
            yield at(text, (start, end), SLUG, MEDIUM, MEDIUM, f"presses to be chosen: {quoted(text, start, end)}")
            return
        if not foreign:
            continue
        score = (
            bool(secret)
            + bool(hides) * 2
            + bool(must)
            + bool(takes)
            + bool(_BEFORE_ALL.search(plain, start, end))
            + (within(text, "outside", start, end) is not None)
        )
        if score >= 3 and (secret or hides) and (takes or hides):
            sure = HIGH if score >= 4 else MEDIUM
            if within(text, "secret-path", start, end) is None and not hides and score < 4:
                sure = LOW
            yield at(text, (start, end), SLUG, HIGH, sure, f"asks for a secret, or for silence: {quoted(text, start, end)}")
            return
        if hides and score >= 2:
            yield at(
                text,
                hides.span(),
                SLUG,
                HIGH,
                MEDIUM if len(hides[0]) > 6 else LOW,
                f"keeps something from the person: {quoted(text, *hides.span())}",
            )
            return


RULE = Rule(SLUG, "The phrases of an injection in other languages", text=_text)
