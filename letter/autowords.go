package letter

import (
	"strings"
	"unicode/utf8"
)

// Phrases in the subjects of automatic answers, as mail programs and their users word them, in lower case.
// "answer" phrases name an automatic answer, "away" phrases an absence; "word" phrases are everyday words, which count
// only before a colon.

type phraseKind byte

const (
	answer phraseKind = iota
	away
	everyday // an everyday word that means absence
)

type subjectPhrase struct {
	kind  phraseKind
	words []string
}

// subjectPhrases is read only.
var subjectPhrases = [3]subjectPhrase{
	{answer, []string{
		"automatic reply", "automatic response", "automated reply", "automated response", "autoreply", "auto reply", "auto-reply", "auto response", "auto-response", "autoresponse", // en
		"automatische antwort", "automatische rückantwort", "autom. antwort", // de
		"réponse automatique",                                           // fr
		"respuesta automática", "respuesta automatica", "autorespuesta", // es
		"resposta automática", "resposta automàtica", // pt, gl, ca
		"risposta automatica",                                // it
		"automatisch antwoord", "automatische beantwoording", // nl
		"autosvar", "automatiskt svar", "automatisk svar", "sjálfvirkt svar", // sv, da, nb, is
		"automaattinen vastaus", "automaattivastaus", "automaatvastus", "automaatne vastus", // fi, et
		"autoodpowiedź", "odpowiedź automatyczna", "automatyczna odpowiedź", // pl
		"automatická odpověď", "automatická odpoveď", // cs, sk
		"automatikus válasz", "răspuns automat", "raspuns automat", // hu, ro
		"автоматичен отговор", "автоматический ответ", "автоответ", "автоматична відповідь", "автовідповідь", // bg, ru, uk
		"аутоматски одговор", "automatski odgovor", "samodejni odgovor", // sr, hr, sl
		"automātiska atbilde", "automātiskā atbilde", "automatinis atsakymas", // lv, lt
		"αυτόματη απάντηση", "otomatik yanıt", "otomatik cevap", // el, tr
		"תשובה אוטומטית", "מענה אוטומטי", "رد تلقائي", "الرد التلقائي", "پاسخ خودکار", // he, ar, fa
		"自動応答", "自動返信", "自动答复", "自动回复", "自動回覆", "自動回复", // ja, zh
		"자동 회신", "자동회신", "자동 응답", "자동응답", "자동 답장", // ko
		"ตอบกลับอัตโนมัติ", "การตอบกลับอัตโนมัติ", "trả lời tự động", "thư trả lời tự động", // th, vi
		"balasan otomatis", "balasan automatik", "स्वचालित उत्तर", "erantzun automatikoa", // id, ms, hi, eu
	}},
	{away, []string{
		"out of office autoreply", "out of office reply", "out of office", "out-of-office", "out of the office", "vacation reply", "away from the office", // en
		"abwesenheitsnotiz", "abwesenheitsmeldung", "abwesenheitsbenachrichtigung", "abwesenheitsassistent", "nicht im büro", "urlaubsnotiz", // de
		"absence du bureau", "absent du bureau", "message d'absence", "notification d'absence", "en dehors du bureau", // fr
		"fuera de la oficina", "fuera de oficina", "ausente de la oficina", "fora de l'oficina", // es, ca
		"fora do escritório", "ausência do escritório", "ausência temporária", // pt
		"fuori sede", "fuori ufficio", "assenza dall'ufficio", "avviso di assenza", // it
		"afwezigheidsbericht", "afwezigheidsmelding", "niet op kantoor", "afwezig tot", // nl
		"frånvaromeddelande", "inte på kontoret", "fraværsmeddelelse", "ikke på kontoret", "fraværsmelding", // sv, da, nb
		"poissaoloviesti", "poissa toimistolta", "kontorist väljas", // fi, et
		"poza biurem", "nieobecność w biurze", "nieobecny w biurze", "mimo kancelář", "mimo kancelárie", // pl, cs, sk
		"házon kívül", "irodán kívül", "în afara biroului", "absent de la birou", "извън офиса", // hu, ro, bg
		"вне офиса", "отсутствие на рабочем месте", "поза офісом", "не на робочому місці", // ru, uk
		"ван канцеларије", "izvan ureda", "van kancelarije", "odsoten iz pisarne", // sr, hr, sl
		"ārpus biroja", "ne biure", "εκτός γραφείου", "ofis dışında", "ofis dışındayım", // lv, lt, el, tr
		"מחוץ למשרד", "خارج المكتب", "خارج از دفتر", // he, ar, fa
		"不在通知", "不在のお知らせ", "不在连絡", "外出自动答复", "不在办公室", "不在辦公室", // ja, zh
		"부재 중", "부재중", "ไม่อยู่ที่สำนักงาน", "ไม่อยู่ที่ทำงาน", "vắng mặt tại văn phòng", "di luar kantor", "di luar pejabat", "कार्यालय से बाहर", "bulegotik kanpo", // ko, th, vi, id, ms, hi, eu
	}},
	{everyday, []string{
		"abwesenheit", "abwesend", "absence", "absent", "ausente", "ausencia", "ausência", "assente", "assenza", "afwezig", "afwezigheid", "frånvarande", "frånvaro",
		"fravær", "poissa", "poissaolo", "nieobecność", "nieobecny", "nepřítomnost", "neprítomnosť", "távollét", "absență", "отсутствие", "нет на месте", "odsotnost", "odsutnost",
		"απουσία", "不在", "外出", "休暇", "ooo", "on vacation", "on annual leave", "on leave", "vacation", "urlaub", "vacances", "vacaciones", "ferie", "férias", "vakantie", "semester", "loma", "urlop", "dovolená", "izin", "vắng mặt", "cuti",
	}},
}

var subjectCleaner = strings.NewReplacer("’", "'", "\u00a0", " ", "\u200e", "", "\u200f", "", "：", ":")

// subjectMatch is what a subject says about an automatic answer.
type subjectMatch struct {
	phrase string
	found  bool
	alone  bool // the phrase leads the subject and is set off, so that it needs no other evidence
	away   bool
}

// matchSubject looks for the phrases. found alone is a weak sign: "Re: Out of office party" contains one too.
func matchSubject(subject string) (m subjectMatch) {
	s := strings.ToLower(clip(strings.TrimSpace(subject), 300))
	s = subjectCleaner.Replace(s)
	for strings.HasPrefix(s, "[") { // "[EXT] Automatic reply: ..."
		_, rest, ok := strings.Cut(s, "]")
		if !ok {
			break
		}
		s = strings.TrimSpace(rest)
	}
	for _, group := range subjectPhrases {
		for _, p := range group.words {
			i := strings.Index(s, p)
			if i < 0 || !wholeWords(s, i, len(p)) {
				continue
			}
			loose, firm := setOff(s[i+len(p):])
			hit := subjectMatch{phrase: p, found: true, away: group.kind != answer}
			switch {
			case group.kind == answer:
				hit.alone = i == 0 && loose
			case group.kind == away:
				hit.alone = i == 0 && firm
			case i != 0 || !firm:
				continue
			}
			if !m.found || hit.alone && !m.alone {
				m = hit
			}
		}
	}
	return m
}

// wholeWords refuses matches inside of longer words of alphabets that part their words.
func wholeWords(s string, i, n int) bool {
	before, _ := utf8.DecodeLastRuneInString(s[:i])
	after, _ := utf8.DecodeRuneInString(s[i+n:])
	return !(i > 0 && wordRune(before)) && !(i+n < len(s) && wordRune(after))
}

func wordRune(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 0xc0 && r < 0x600
}

// setOff tells how what follows a phrase sets it off from the rest of the subject: firm by a colon, an end or the subject
// that is answered; loose by a dash or bracket as well.
func setOff(rest string) (loose, firm bool) {
	rest = strings.TrimLeft(rest, " ")
	if rest == "" || rest[0] == ':' || strings.HasPrefix(rest, "re:") || strings.HasPrefix(rest, "aw:") {
		return true, true
	}
	switch rest[0] {
	case '-', '(', '[', '|', '.', '!':
		return true, false
	}
	return strings.HasPrefix(rest, "–") || strings.HasPrefix(rest, "—"), false
}
