package replytext

// The lists here are folded: lower case, no accents, "ss" for sharp s.

// products are what a device footer names.
var products = []string{
	"iphone", "iphon", "ipad", "ios", "ipod", "apple watch", "icloud", "android", "galaxy", "samsung", "blackberry", "windows phone",
	"windows 10", "windows 11", "mail for windows", "outlook", "hotmail", "yahoo mail", "yahoo! mail", "yahoo", "gmail",
	"gmx", "web.de", "t-online", "telekom", "freenet", "1&1", "ionos", "mail.ru", "yandex", "aol", "protonmail", "proton mail", "proton",
	"tutanota", "tuta", "fastmail", "zoho", "typeapp", "type app", "bluemail", "blue mail", "aqua mail", "aquamail", "k-9", "k9",
	"fairemail", "thunderbird", "airmail", "spark", "superhuman", "mailbird", "em client", "nine", "edison", "canary", "newton",
	"mailspring", "boxer", "myemail", "acompli", "cloudmagic", "mailbox", "huawei", "honor", "xiaomi", "redmi", "poco", "mi phone",
	"oneplus", "oppo", "vivo", "realme", "htc", "nokia", "motorola", "moto", "sony", "xperia", "lg phone", "lg mobile", "pixel", "nexus",
	"verizon", "at&t", "t-mobile", "vodafone", "orange", "o2", "sprint", "xfinity", "comcast", "rogers", "bell", "telus",
	"droid", "treo", "palm", "kindle", "surface", "libero", "virgilio", "tim mail", "seznam", "wp poczta", "onet", "interia",
	"laposte", "sfr", "free mobile", "netease", "163", "qq", "foxmail", "naver", "daum", "hanmail", "docomo", "softbank",
	"mobile mail", "mail app", "mobile app", "mail-app", "mobile device", "mobile phone", "mobile", "smartphone", "smart phone", "cell phone", "cellphone", "phone",
	"tablet", "handy", "mobiltelefon", "handheld", "mobilgerat", "mobiltelefonom", "mobil", "telefoon", "telefon", "telephone", "telefone", "telefono",
	"celular", "movil", "cellulare", "telemovel", "portable", "smartphon", "teléfono", "телефон", "смартфон", "айфон", "мобильн", "мобільн",
	"κινητο", "אייפון", "אנדרואיד", "הנייד", "الجوال", "هاتف", "ايفون", "手机", "手機", "アイフォン", "スマートフォン", "휴대폰", "아이폰", "갤럭시",
	"почты", "почта", "邮箱", "мой мир", "mail",
}

// possessives stand between "sent from" and an unknown product.
var possessives = map[string]bool{
	"my": true, "meinem": true, "meiner": true, "mon": true, "ma": true, "mi": true, "meu": true, "minha": true, "mio": true, "mia": true,
	"mijn": true, "min": true, "mit": true, "mitt": true, "mojego": true, "meho": true, "mojho": true, "моего": true, "мого": true,
	"el": true, "il": true, "saya": true, "的": true,
}

// bannerOutside are what a warning says of the sender.
var bannerOutside = []string{
	"external", "outside", "not known", "unknown sender", "don't often get", "do not often get", "first time you", "extern", "ausserhalb",
	"exterieur", "externe", "externo", "externa", "esterno", "esterna", "ekstern", "ulkopuolelta", "zewnetrz", "extérieur", "внешн", "fuera de",
	"fora da", "di fuori", "buiten", "utanfor", "udefra", "utenfra", "外部", "외부", "harici", "kulso", "unverified", "suspicious", "spoof",
}

// bannerAlone are warnings that need no further words.
var bannerAlone = []string{
	"external", "external email", "external e-mail", "external mail", "external message", "external sender", "extern", "externe e-mail", "externer absender",
	"expediteur externe", "courriel externe", "correo externo", "remitente externo", "e-mail externo", "email externo", "mittente esterno", "email esterna",
	"externe afzender", "ekstern e-mail", "extern avsandare", "外部メール", "外部邮件", "外部郵件", "[외부메일]", "외부메일", "caution external email", "caution: external email",
}

// bannerPhrases are what only a warning says.
var bannerPhrases = []string{
	"do not click", "don't click", "originated from outside", "originated outside", "came from outside", "sent from outside", "is from an external", "from an external sender",
	"from an external source", "external sender", "external email", "don't often get email from", "do not often get email from", "be cautious", "exercise caution",
	"klicken sie nicht", "klicken sie keine", "offnen sie keine", "ausserhalb der organisation", "ausserhalb unserer organisation", "ausserhalb des unternehmens", "externen absender",
	"ne cliquez pas", "ne cliquez sur", "n'ouvrez pas", "provient de l'exterieur", "expediteur externe", "no haga clic", "no abra", "fuera de la organizacion", "nao clique",
	"fora da organizacao", "non fare clic", "non cliccare", "dall'esterno", "klik niet", "open geen", "buiten de organisatie", "klicka inte", "utanfor organisationen",
	"klik ikke", "klikk ikke", "ala avaa", "organisaation ulkopuolelta", "nie klikaj", "spoza organizacji", "neklikejte", "не переходите по", "не открывайте", "tiklamayin",
}

// bannerOpeners begin a warning.
var bannerOpeners = []string{
	"caution", "warning", "attention", "external", "achtung", "vorsicht", "warnung", "alert", "notice", "security", "important", "atencion", "precaucion", "advertencia",
	"atencao", "cuidado", "attenzione", "avviso", "avertissement", "let op", "waarschuwing", "varning", "obs", "advarsel", "huomio", "varoitus", "uwaga", "pozor",
	"figyelem", "внимание", "увага", "προσοχη", "dikkat", "uyari", "注意", "주의",
}

// bannerAdvice is what a warning advises.
var bannerAdvice = []string{
	"caution", "cautious", "click", "link", "attachment", "sender", "originated", "unless", "recognize", "recognise", "trust", "organization", "organisation",
	"klick", "anhang", "anhange", "absender", "organisation", "cliquez", "pieces jointes", "expediteur", "liens", "enlaces", "adjuntos", "remitente",
	"clique", "anexos", "remetente", "allegati", "mittente", "collegamenti", "bijlagen", "afzender", "lank", "avsandare", "bilagor",
	"vedhæft", "afsender", "liite", "lahettaj", "zalacznik", "nadawc", "ссылк", "вложени", "отправител", "learn why this is important",
}

// disclaimerTitles stand alone over legal text.
var disclaimerTitles = []string{
	"disclaimer", "confidentiality notice", "confidentiality", "legal notice", "legal disclaimer", "privacy notice", "confidential", "email disclaimer", "e-mail disclaimer",
	"haftungsausschluss", "vertraulichkeitshinweis", "rechtlicher hinweis", "avis de confidentialite", "clause de confidentialite",
	"aviso legal", "aviso de confidencialidad", "aviso de confidencialidade", "nota di riservatezza", "avviso di riservatezza", "vertrouwelijkheid",
	"klauzula poufnosci", "конфиденциальность",
}

// disclaimerOpeners begin legal text.
var disclaimerOpeners = []string{
	"disclaimer:", "confidentiality notice:", "confidentiality note:", "confidential:", "legal notice:", "notice of confidentiality", "important notice:",
	"this e-mail and any", "this email and any", "this message and any", "this e-mail message and any", "this email message and any", "this communication and any",
	"this e-mail, including", "this email, including", "this message, including", "this e-mail (including", "this email (including", "this message (including",
	"this e-mail is confidential", "this email is confidential", "this message is confidential", "this message contains confidential", "this email contains confidential",
	"this e-mail contains confidential", "this email may contain", "this e-mail may contain", "this message may contain", "this communication may contain",
	"this communication is confidential", "this e-mail transmission", "this email transmission", "this transmission", "this e-mail is intended", "this email is intended",
	"this message is intended", "the information contained in this", "the information in this e", "the information transmitted", "the contents of this", "the content of this",
	"if you are not the intended", "if you have received this", "any views or opinions", "unless otherwise stated",
	"diese e-mail enthalt", "diese nachricht enthalt", "diese e-mail kann vertrauliche", "diese email enthalt", "der inhalt dieser e-mail", "diese e-mail ist vertraulich", "die in dieser e-mail",
	"ce message et", "ce courriel et", "ce courriel est", "ce message est confidentiel", "cet e-mail et", "cet email et", "ce message contient", "les informations contenues dans",
	"este mensaje y", "este correo", "este mensaje va dirigido", "este mensaje contiene", "la informacion contenida en", "este e-mail",
	"esta mensagem", "este email e", "as informacoes contidas", "questo messaggio", "questa e-mail", "le informazioni contenute", "il contenuto di questa", "il presente messaggio", "ai sensi del",
	"dit bericht", "deze e-mail", "dit e-mailbericht", "de informatie in dit", "denna e-post", "detta e-post", "detta meddelande", "denne e-mail", "denne e-post", "tama viesti",
	"niniejsza wiadomosc", "ta wiadomosc", "tresc tej wiadomosci", "tato zprava", "obsah tohoto e-mailu", "это сообщение", "данное сообщение", "настоящее сообщение", "bu e-posta", "bu mesaj",
}

// noticeOpeners begin lines that mail systems set below legal text.
var noticeOpeners = []string{
	"please consider the environment", "think before you print", "before printing", "consider the environment", "save a tree", "avast", "virus-free", "virenfrei", "sans virus", "libre de virus",
	"this email has been scanned", "this e-mail has been scanned", "this message has been scanned", "this email has been checked", "this e-mail was scanned", "scanned by",
}

// legalWords make a paragraph legal text when several of them meet.
var legalWords = []string{
	"confidential", "privileged", "intended recipient", "intended solely", "intended only", "addressee", "unauthorized", "unauthorised", "disclos", "dissemination",
	"prohibited", "notify the sender", "in error", "delete this", "delete it", "copying", "liabilit", "viruses", "proprietary", "solely for the use", "legally",
	"vertraulich", "unbefugt", "irrtumlich", "empfanger", "informieren sie", "loschen", "vernichten", "weitergabe", "untersagt",
	"confidentiel", "destinataire", "par erreur", "detruire", "divulgation", "diffusion", "confidencial", "destinatario", "por error", "divulgacion", "prohibid",
	"confidenciais", "por engano", "eliminar", "riservat", "confidenzial", "per errore", "distrugger", "vietat", "vertrouwelijk", "geadresseerde", "abusievelijk",
	"konfidentiell", "fortrolig", "mottagare", "luottamuksellinen", "poufn", "adresat", "duvern", "конфиденциальн", "gizli",
}

// listOpeners begin a mailing list's, a group's or a scanner's footer.
var listOpeners = []string{
	"you received this message because you", "you are receiving this", "you received this email because", "you're receiving this", "to unsubscribe from this", "to unsubscribe from these", "to unsubscribe, ", "to unsubscribe: ", "to unsubscribe send", "to unsubscribe visit", "to unsubscribe click", "unsubscribe:",
	"this email has been checked for viruses", "this e-mail has been checked for viruses", "this email has been scanned", "virus-free. ", "virus-free.www", "virenfrei.", "diese e-mail wurde von avast", "l'absence de virus dans ce", "libre de virus.",
	"this message has been scanned", "this e-mail was checked", "garanti sans virus", "este correo electronico ha sido comprobado", "privo di virus", "livre de virus", "virusvrij", "без вирусов", "wolny od wirusow",
	"sie erhalten diese nachricht, weil", "sie haben diese nachricht erhalten, weil", "vous recevez ce message, car", "vous recevez ce message car", "has recibido este mensaje porque", "voce recebeu esta mensagem porque", "hai ricevuto questo messaggio perche", "je ontvangt dit bericht omdat",
	"mailing list -", "list-unsubscribe", "posting guidelines:", "homepage, info and", "please do not reply below this line",
}

// listWords stand in the later lines of such footers.
var listWords = []string{
	"unsubscribe", "subscription", "mailing list", "archive", "google groups", "groups.io", "view this discussion", "visit this group", "for more options", "abbestellen", "desabonner", "avast", "antivirus",
}

// replyLines stand in the line above which a ticket system wants the answer.
var replyLines = []string{
	"reply above this line", "respond above this line", "type your reply above", "above this line to reply", "above this line to add", "above this line to leave", "answer above this line",
	"above this line to respond", "write your reply above", "uber dieser zeile", "oberhalb dieser zeile", "oberhalb dieser linie", "uber dieser linie", "au-dessus de cette ligne", "por encima de esta linea",
	"encima de esta linea", "sobre esta linea", "acima desta linha", "sopra questa riga", "sopra questa linea", "boven deze lijn", "boven deze regel", "ovanfor denna rad",
	"ovanfor den har raden", "over denne linje", "over denne linjen", "taman rivin ylapuolelle", "powyzej tej linii", "nad tuto linku", "nad timto radkem", "над этой строкой", "выше этой линии",
	"выше этой строки", "bu satirin ustune", "この線より上", "この行より上", "在此行上方", "在此线上方", "在這行上方", "이 줄 위에",
}
