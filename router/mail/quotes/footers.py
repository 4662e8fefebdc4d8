"""Recognises the footer of a device or a mail program below a message (`Sent from my iPhone`), in many languages.

A footer consists of known words and model names. A sentence by the sender can start like a footer, but contains other
words.
"""

from __future__ import annotations

import re
import unicodedata

from router.unicode_text import normalize

MAX_FOOTER_LENGTH = 160
_MAX_WORDS = 18
_MAX_DIGITS = 2
_MAX_PIECE_LENGTH = 12  # characters of a known word in a script without spaces
_MAX_MODEL_WORDS = 5  # words in the name of an unknown device


_STROKES = str.maketrans("łøđı", "lodi")  # letters that Unicode does not decompose


def _fold(text: str) -> str:
    if text.isascii():
        return text.casefold()
    decomposed = normalize("NFKD", text.casefold()).translate(_STROKES)
    return "".join(character for character in decomposed if not unicodedata.category(character).startswith("M"))


def _word_set(text: str) -> frozenset[str]:
    return frozenset(_fold(text).split())


_WORD = re.compile(r"[a-z0-9]+|[^\W_a-z0-9]+")
_LINK = re.compile(r"[(<]?(?:https?:|\bwww\.)[^\s<>)]{1,200}[>)]?", re.IGNORECASE)

_SENDING_WORDS = _word_set(
    "sent emailed mailed written composed typed sending secured gesendet versandt verschickt geschickt "
    "geschrieben gesandt envoye envoyee expedie ecrit provenance enviado enviada enviat enviou inviato inviata spedito "
    "verzonden verstuurd gestuur sendt skickat skickades lahetetty saadetud nosutits issiusta siusta wyslano wyslane "
    "wyslana napisane odeslano poslano odesilano odoslane poslane poslato kuldve elkuldve kuldtem kuldott trimis "
    "expediat gonderildi gonderilmistir εσταλη σταλθηκε αποσταλθηκε απεσταλμενο отправлено отправлена послано написано "
    "надiслано відправлено надіслано изпратено послато адпраўлена נשלח נשלחה أرسلت ارسلت إرسال تم الإرسال مرسل "
    "ارسال شده भेजा गया ส่งจาก ส่ง gui từ đã gửi dikirim dihantar ipinadala から送信 から送信されました から送信しました "
    "より送信 送信 发自我的 发自 从我的 从 发送 发送自 寄自 傳送自 傳送自我的 發自我的 發自 從我的 從 "
    "傳送 發送 來自我的 来自 来自我的 에서 보냄 에서보냄 보냈습니다 보낸 전송 전송됨"
)
_DOWNLOAD_WORDS = _word_set(
    "get download holen sie laden beziehen herunterladen hol dir obtenez obtenir telechargez telecharger obtener "
    "obtenga descargar obtenha obter baixe baixar scarica ottieni scaricare downloaden ophalen hent fa skaff hamta "
    "skaffa hanki lataa pobierz uzyskaj zdobadz ziskat ziskejte stahnout stahnete ziskajte beszerzese letoltes "
    "obtineti descarcati edinin indirin ληψη αποκτηστε скачать получить загрузить отримати завантажити получете השג "
    "קבל الحصول احصل を入手 を入手する 获取 取得 下载 下載 받기 다운로드 dapatkan tải"
)
_PROGRAMS = _word_set(
    "webde mailru k9 outlook bluemail typeapp airmail mailbox newton canary spark mailspring protonmail proton "
    "tutanota tuta thunderbird fairemail aquamail yahoo gmail aol gmx superhuman missive polymail cloudmagic "
    "acompli posteo zimbra roundcube horde squirrelmail rainloop zoho mailbird emclient vivaldi fastmail hushmail "
    "yandex mymail inky unibox postbox claws evolution kmail geary apple icloud почты почта яндекс telekom aqua "
    "libero virgilio tiscali sfr laposte seznam onet interia naver daum qq 邮件 郵件 信箱 邮箱 大师 메일 spicebird "
    "windows touchdown maildroid mailtime tobit sapo sina foxmail netease shortwave "
    "boxer"
)
_BRANDS = _word_set(
    "iphone ipad ipod ios ipados mac macbook imac android samsung galaxy huawei honor xiaomi redmi poco mi oppo "
    "vivo realme oneplus pixel nexus nokia lumia motorola moto htc lg sony xperia ericsson asus zenfone zte alcatel "
    "wiko fairphone lenovo palm treo blackberry verizon vodafone tmobile att sprint telekom surface chromebook "
    "kindle 小米 华为 華為 三星 苹果 айфона айфон האייפון מהאייפון אייפון جوال 아이폰 갤럭시"
)
_DEVICES = _word_set(
    "pc laptop computer pda handheld smartphone phone mobile cell cellphone cellular telephone tablet device handy "
    "watch mobiltelefon mobilgerat mobiltelefons mobil mobilen mobiler mobilem telefon telefons telefoon mobiel "
    "toestel gerat endgerat unterwegs portable appareil movil celular telefono dispositivo telemovel cellulare "
    "telefonino telefonen enhet enhed mobiltelefonen telefonu telefonie komorki komorkowego smartfona smartfonu "
    "tabletu urzadzenia mobilnego telefonom mobilu mobilniho mobilneho zarizeni zariadenia mobitela mobitelu "
    "uredaja telefona telefonului mobilul telefonumdan telefondan cihazimdan mobiltelefonrol telefonrol keszulekrol "
    "τηλεφωνο κινητο συσκευη телефона телефону смартфона смартфону мобильного мобільного устройства пристрою "
    "планшета הנייד הטלפון מהטלפון מהנייד טלפון هاتف هاتفي جهازي 手机 手機 スマートフォン スマホ 携帯 携帯電話 "
    "휴대폰 휴대전화 스마트폰 thoai ponsel telepon"
)
# Stems of words that take endings.
_DEVICE_STEMS = (
    "iphon",
    "ipad",
    "android",
    "samsung",
    "huawei",
    "xiaomi",
    "blackberry",
    "smartphone",
    "puhelim",
    "windows",
)
_FILLERS_BY_LANGUAGE = {
    "en": "this that message email e mail mails was were is has been my mine our the a an from with via using on "
    "for and of in app application client work enterprise wireless network secure encrypted desktop live plus pro "
    "max mini ultra note one se lite all new go at t ru version program enjoy ad free emails workspace",
    "de": "diese dieser dieses nachricht wurde von vom meinem meiner meinen mein einem einer mit dem der auf aus "
    "uber fur im ein und sichere sicher mobilen apps sich die das",
    "fr": "ce cet cette courriel courrier a ete depuis de du des mon ma mes un une avec sur pour partir le la les l d",
    "es, pt, ca": "este esta mensaje correo electronico mensagem fue foi desde el mi mis meu minha o do da dos com con "
    "para en no na pelo pela um uma aplicacao aplicativo aplicacion claro movistar telcel tim entel del meva",
    "it": "questo messaggio stato il lo dal dalla dall mio mia tramite su posta",
    "nl": "dit bericht vanaf vanuit met mijn een van voor op het",
    "da, no, sv": "denne dette besked meddelelse er fra min mit mitt mine med til en et av detta meddelande ar fran "
    "i deg dig post",
    "fi, et, lv, lt": "tama viesti minun kautta minu st ist iga mana mani mano sahkopostista sahkoposti aly",
    "pl": "ta ten wiadomosc zostala z ze mojego moja mojej przy uzyciu za pomoca przez w systemu systemem aplikacji "
    "programu poczty dla",
    "cs, sk": "tato zprava byla sveho meho moji mym pomoci pro mojho moju pomocou aplikace aplikacie posty s",
    "sl, hr, sr": "sa iz mog mojega svog svojega са мог",
    "hu": "az rol rola om omrol umrol emrol urol ezt uzenetet mobil eszkozrol",
    "ro": "pe din pentru ul ului mea prin",
    "tr": "umdan dan den mdan tan u bu ileti mesaj icin uygulamasini uygulamasi araciligiyla ile uzerinden akilli",
    "el": "απο το μου την τον με για αυτο μηνυμα",
    "ru, uk, bg": "с со из моего моей моя мой на через для мобильной мобильное приложение приложения это письмо "
    "сообщение было от з зі мого моєї за допомогою мобільний додаток додатка мое моето помощта",
    "he, ar, fa": "מ מה שלי באמצעות של ה ל עבור את من جهاز باستخدام الخاص بي على لـ ل ال الـ از با",
    "hi, th, vi, id": "मेरे से ของฉัน ของ ผม จาก ฉัน cua toi tu gui dari saya milik menggunakan",
    "ja, zh, ko": "の 私の 版 用 メール 我的 我 内 내 나의 용 및 을 를",
}
_FILLERS = _word_set(" ".join(_FILLERS_BY_LANGUAGE.values()))
# Words for `by`. A footer with one of them must name a brand or a program: `telephone` is not enough.
_BY_WORDS = frozenset({"by", "por", "par", "per"})
_DEVICE_NAMES = _BRANDS | _DEVICES
_KNOWN = _SENDING_WORDS | _DOWNLOAD_WORDS | _PROGRAMS | _BRANDS | _DEVICES | _FILLERS | _BY_WORDS
# A footer may start with `from` or refer to itself (`This mail`). `The mail was sent from Outlook` is a sentence.
_SELF_REFERENCES = _word_set(
    "from this diese dieser ce cet este esta questo dit denne dette detta tama ta ten tato ezt bu"
)
_LAST_WORDS = _SENDING_WORDS | _DOWNLOAD_WORDS
_FIRST_WORDS = _LAST_WORDS | _SELF_REFERENCES
# No footer ends with one of these English verbs: `Samsung tablet sent` is not a footer.
_ENGLISH_VERBS = frozenset({"sent", "emailed", "mailed", "written"})
# After a word for sending, these words introduce what was sent: `Sent the iPhone`, `Gesendet: ein iPad`.
_OBJECT_STARTS = _word_set("the an one two das die den ein eine einen le la les un une el los")
# Verbs of languages in which an ending of the device's name expresses `from`.
_INFLECTED_VERBS = _word_set("lahetetty saadetud kuldve elkuldve kuldtem gonderildi")
_NOT_FIRST_WORDS = _word_set("the my mail e i die der das mein meine il la le un une el o a")
_EXCUSE = re.compile(
    r"\b(?:please|pls|excuse|pardon|sorry|apolog\w*|forgive|bitte|entschuldig\w*|verzeih\w*|merci|desole\w*|veuillez|"
    r"excusez|disculp\w*|perdon\w*|desculp\w*|scus\w*|excuses|beklager|undskyld|ursakta|prosze|przepraszam|prosim|omluv\w*)\b"
)
_EXCUSE_REASON = re.compile(
    r"typo|brevit|autocorrect|auto correct|spelling|misspell|errors?\b|mistake|terse|short|concise|grammar|"
    r"tippfehler|schreibfehler|kurze\b|rechtschreib|faute|brievete|coquille|brevedad|errat|error|ortograf|brevidade|"
    r"concis|refus|battitura|typefout|tikfout|kortheid|slafejl|skrivefeil|stavfel|literowk|bledy|preklep"
)
_SENT_FROM_MY = re.compile(r"(?:sent|mailed|emailed) from my (.{2,60})\Z", re.IGNORECASE)
# Footers that the word lists do not recognise. Some contain a program's name that is also an ordinary word.
_WHOLE_LINES = frozenset(
    {
        "sent from mail",
        "sent from email",
        "sent from em client",
        "sent from nine",
        "sent from front",
        "sent from hey",
        "sent from spike",
        "sent from edison mail",
        "yahoo mail: search, organize, conquer",
        "sent from yahoo mail: search, organize, conquer",
        "envoye depuis mon mobile orange",
        "envoye depuis l'application mail orange",
        "envoye depuis mon application orange mail",
    }
)
_JOINED_NAMES = (("web.de", "webde"), ("mail.ru", "mailru"), ("at&t", "att"), ("t-mobile", "tmobile"), ("k-9", "k9"))
_EDGES = " \t()<>[]{}*_\"'“”„«».,;:!|~-\u2013\u2014\u2022"


def is_footer(line: str) -> bool:
    """Whether the line names only the device or mail program of the message. The line may also apologise for typos."""
    if not 4 <= len(line) <= MAX_FOOTER_LENGTH:
        return False
    shown = _LINK.sub(" ", line.replace("](", " (")).strip(_EDGES)
    text = _fold(shown)
    if "?" in text:
        return False
    excuse = _EXCUSE.search(text, 8)
    if excuse is not None:
        if _EXCUSE_REASON.search(text, excuse.start()) is None:
            return False
        text, shown = text[: excuse.start()].strip(_EDGES), shown[: excuse.start()].strip(_EDGES)
    return text in _WHOLE_LINES or _is_device_line(text) or _is_unknown_model_line(shown)


def _is_device_line(text: str) -> bool:
    for name, joined in _JOINED_NAMES:
        text = text.replace(name, joined)
    words = [piece for word in _WORD.findall(text) for piece in _split_known_words(word)]
    if not 2 <= len(words) <= _MAX_WORDS:
        return False
    if len(words) == 2 and text.isascii() and words[0] not in _SENDING_WORDS:
        return False
    before_object = words[0].isascii() and words[0] in _SENDING_WORDS and words[0] not in _INFLECTED_VERBS
    if before_object and (words[1].isdigit() or words[1] in _OBJECT_STARTS or words[1] in _DEVICE_NAMES):
        return False
    sent = not _SENDING_WORDS.isdisjoint(words) or words[:2] == ["from", "my"]
    program = not _PROGRAMS.isdisjoint(words)
    brand = program or any(word in _BRANDS or _has_stem(word) for word in words)
    device = brand or not _DEVICES.isdisjoint(words)
    if not (
        words[0] in _FIRST_WORDS
        or (words[-1] in _LAST_WORDS and words[-1] not in _ENGLISH_VERBS and words[0] not in _NOT_FIRST_WORDS)
    ):
        return False
    if not all(_is_allowed(word) for word in words) or (not brand and not _BY_WORDS.isdisjoint(words)):
        return False
    return device and (sent or (program and not _DOWNLOAD_WORDS.isdisjoint(words)))


def _is_allowed(word: str) -> bool:
    """Whether the word can be part of a footer. Long numbers could be content."""
    if word.isdigit():
        return len(word) <= _MAX_DIGITS
    return len(word) == 1 or word in _KNOWN or _has_stem(word) or _has_digit(word)


def _has_stem(word: str) -> bool:
    return any(stem in word for stem in _DEVICE_STEMS)


def _split_known_words(word: str) -> list[str]:
    """Splits a word of a script without spaces into known words.

    A word that cannot be split is returned whole.
    """
    if word.isascii() or word in _KNOWN:
        return [word]
    pieces: list[str] = []
    position = 0
    while position < len(word):
        ends = range(min(len(word), position + _MAX_PIECE_LENGTH), position, -1)
        end = next((end for end in ends if word[position:end] in _KNOWN), 0)
        if end == 0:
            return [word]
        pieces.append(word[position:end])
        position = end
    return pieces


def _has_digit(word: str) -> bool:
    return any(character.isdigit() for character in word)


def _is_unknown_model_line(shown: str) -> bool:
    """Whether the line is `Sent from my` with a name that looks like a device model.

    Only English is supported: in German, for example, nouns are capitalised like model names.
    """
    match = _SENT_FROM_MY.match(shown)
    if match is None:
        return False
    words = match[1].split()
    if len(words) > _MAX_MODEL_WORDS or not all(word[0].isupper() or _has_digit(word) for word in words):
        return False
    return any(
        _has_digit(word) or (word.isupper() and len(word) > 1) or word.lower() in _DEVICE_NAMES for word in words
    )
