package replytext

import (
	"strings"
	"testing"
)

func families() []language {
	var all []language
	for _, f := range [][]language{germanic, romance, slavic, asian} {
		all = append(all, f...)
	}
	return all
}

func TestThirtyLanguages(t *testing.T) {
	all := families()
	if len(all) < 30 || len(all) > 64 {
		t.Fatalf("%d languages: at least 30 are wanted, and a langSet has 64", len(all))
	}
	seen := map[string]bool{}
	for _, l := range all {
		if seen[l.code] {
			t.Errorf("%s stands twice", l.code)
		}
		seen[l.code] = true
		for field, v := range map[string]string{
			"wrote": l.wrote, "from": l.from, "sent": l.sent, "to": l.to, "subject": l.subject,
			"original": l.original, "forwarded": l.forwarded, "device": l.device, "bye": l.bye,
		} {
			if v == "" {
				t.Errorf("%s has no %s", l.code, field)
			}
		}
	}
}

// Every language's labels make a header block, plain, bold and under each of its
// titles.
func TestHeaderBlocks(t *testing.T) {
	const own = "Yes, that suits me."
	for _, l := range families() {
		first := func(s string) string { w, _, _ := strings.Cut(s, "|"); return w }
		block := func(bold string) string {
			return bold + first(l.from) + ":" + bold + " Ann Lee <ann@example.org>\n" +
				bold + first(l.sent) + ":" + bold + " 5.01.2026 10:15\n" +
				bold + first(l.to) + ":" + bold + " Omar Haddad\n" +
				bold + first(l.subject) + ":" + bold + " Friday\n\n"
		}
		mails := map[string]string{
			"plain":     own + "\n\n" + block("") + "Shall we meet?\n",
			"bold":      own + "\n\n" + block("*") + "Shall we meet?\n",
			"ruled":     own + "\n________________________________\n" + block("") + "Shall we meet?\n",
			"spaced":    own + "\n\n" + strings.ReplaceAll(block(""), "\n", "\n\n") + "Shall we meet?\n",
			"marked":    own + "\n\n" + quote(block("")+"Shall we meet?\n", "> "),
			"no spaces": own + "\n\n" + strings.ReplaceAll(block(""), ": ", ":") + "Shall we meet?\n",
		}
		for _, title := range strings.Split(l.original, "|") {
			mails["title "+title] = own + "\n\n-----" + title + "-----\n" + block("") + "Shall we meet?\n"
			mails["bare title "+title] = own + "\n\n-------- " + title + " --------\nShall we meet?\n"
		}
		for form, text := range mails {
			if r := Extract(Input{Text: text}); r.Text != own {
				t.Errorf("%s, %s:\n%s\n--- got %q, cuts %v", l.code, form, text, r.Text, r.Cuts)
			}
		}
	}
}

func TestForwards(t *testing.T) {
	const comment = "Can you take this one?"
	for _, l := range families() {
		first := func(s string) string { w, _, _ := strings.Cut(s, "|"); return w }
		for _, title := range strings.Split(l.forwarded, "|") {
			text := comment + "\n\n---------- " + title + " ---------\n" +
				first(l.from) + ": Ann Lee <ann@example.org>\n" +
				first(l.sent) + ": 5.01.2026 10:15\n" +
				first(l.subject) + ": Friday\n" +
				first(l.to) + ": Omar Haddad <omar@example.org>\n\n\nShall we meet?\n\nAnn\n"
			r := Extract(Input{Text: text})
			want := Forward{
				Comment: comment, From: "Ann Lee <ann@example.org>", Date: "5.01.2026 10:15",
				Subject: "Friday", To: "Omar Haddad <omar@example.org>", Text: "Shall we meet?\n\nAnn",
			}
			if r.Forward == nil || *r.Forward != want || r.Text != comment {
				t.Errorf("%s, %s: text %q, forward %+v", l.code, title, r.Text, r.Forward)
			}
		}
	}
	outlook := "Von: Ann Lee <ann@example.org>\nGesendet: Montag, 5. Januar 2026 10:15\nAn: Omar\nBetreff: Friday\n\nShall we meet?\n"
	want := Forward{Comment: comment, From: "Ann Lee <ann@example.org>", Date: "Montag, 5. Januar 2026 10:15", To: "Omar", Subject: "Friday", Text: "Shall we meet?"}
	if r := Extract(Input{Subject: "WG: Friday", Text: comment + "\n\n" + outlook}); r.Forward == nil || *r.Forward != want || r.Text != comment {
		t.Errorf("Outlook: text %q, forward %+v", r.Text, r.Forward)
	}
	if r := Extract(Input{Subject: "AW: WG: Friday", Text: comment + "\n\n" + outlook}); r.Forward != nil || r.Text != comment {
		t.Errorf("an answer to a forward: text %q, forward %+v", r.Text, r.Forward)
	}
	page := "<div>" + comment + `</div><div id="appendonsend"></div><hr tabindex="-1"><div id="divRplyFwdMsg">` + strings.ReplaceAll(outlook, "\n", "<br>") + `</div>`
	page = strings.ReplaceAll(page, "<ann@example.org>", "&lt;ann@example.org&gt;")
	if r := Extract(Input{Subject: "Fw: Friday", HTML: page}); r.Forward == nil || *r.Forward != want || r.Text != comment {
		t.Errorf("Outlook on the web: text %q, forward %+v", r.Text, r.Forward)
	}
	r := Extract(Input{Text: "---------- Forwarded message ---------\nFrom: Ann <ann@example.org>\nDate: 5.01.2026 10:15\nSubject: Friday\n\nShall we meet?\n"})
	if r.Forward == nil || r.Forward.Comment != "" || !strings.Contains(r.Text, "Shall we meet?") {
		t.Errorf("without a comment: text %q, forward %+v", r.Text, r.Forward)
	}
}

func TestDeviceFooters(t *testing.T) {
	for _, footer := range []string{
		"Sent from my iPhone", "Sent from my Galaxy", "Sent via the Samsung Galaxy S24, an AT&T 5G smartphone", "Get Outlook for iOS",
		"Get Outlook for Android <https://aka.ms/AAb9ysg>", "Sent from Yahoo Mail on Android", "Sent from Mail for Windows", "Sent from Outlook for Mac",
		"Sent with Proton Mail secure email.", "Sent from Proton Mail for iOS", "Sent from my BlackBerry 10 smartphone.", "Sent from my Pixel 9 Pro",
		"Sent from my Doogee S98", "Sent with Spark", "Sent from Gmail Mobile", "Sent from AOL on Android", "Sent from my T-Mobile 5G Device",
		"Von meinem iPhone gesendet", "Gesendet von Outlook für iOS", "Von meinem Samsung Galaxy Smartphone gesendet.", "Gesendet mit der GMX Mail App",
		"Diese Nachricht wurde von meinem Android Mobiltelefon mit GMX Mail gesendet.", "Diese Nachricht wurde von meinem Android-Gerät mit K-9 Mail gesendet.",
		"Envoyé de mon iPhone", "Envoyé depuis mon appareil Galaxy", "Télécharger Outlook pour Android", "Envoyé à partir de Yahoo Mail pour iPhone", "Envoyé de mon mobile Orange",
		"Enviado desde mi iPhone", "Enviado desde mi Galaxy", "Obtener Outlook para iOS", "Enviado desde Yahoo Mail con Android", "Enviado do meu iPhone", "Enviado do meu Galaxy",
		"Inviato da iPhone", "Inviato dal mio Galaxy", "Ottieni Outlook per iOS", "Inviato da Libero Mail per Android",
		"Verstuurd vanaf mijn iPhone", "Verzonden vanaf mijn Galaxy", "Outlook voor Android downloaden",
		"Skickat från min iPhone", "Hämta Outlook för iOS", "Sendt fra min iPhone", "Hent Outlook til iOS", "Sendt fra min Galaxy",
		"Lähetetty iPhonesta", "Hanki Outlook for iOS", "Wysłane z iPhone'a", "Wysłano z urządzenia Galaxy", "Pobierz aplikację Outlook dla systemu iOS",
		"Odesláno z iPhonu", "Odesláno ze Seznamu", "Odoslané z iPhonu", "Az iPhone-omról küldve", "Poslano iz mojega iPhone", "Poslano s mog iPhonea",
		"Отправлено с iPhone", "Отправлено из мобильной Почты Mail.ru", "Отправлено из мобильного приложения Яндекс.Почты", "Надіслано з iPhone", "Изпратено от моя iPhone",
		"Στάλθηκε από το iPhone μου", "iPhone'umdan gönderildi", "Trimis de pe iPhone-ul meu", "أُرسلت من الـ iPhone", "נשלח מה-iPhone שלי",
		"iPhoneから送信", "发自我的 iPhone", "從我的iPhone傳送", "나의 iPhone에서 보냄", "ส่งจาก iPhone ของฉัน", "Đã gửi từ iPhone của tôi", "Dikirim dari iPhone saya",
		"مرسل من هاتفي", "ارسال شده از iPhone من", "Saadetud minu iPhone'ist", "Nosūtīts no mana iPhone", "Išsiųsta iš mano iPhone",
	} {
		r := Extract(Input{Text: "See you at eight.\n\n" + footer + "\n"})
		if r.Text != "See you at eight." {
			t.Errorf("%q stays", footer)
		}
	}
	for _, own := range []string{
		"Sent from my desk, which is easier.", "I sent it from my iPhone.", "Sent the phone back yesterday.", "The mail was sent from Outlook, not from Gmail.",
		"Get Outlook for me, please, and a phone", "Gesendet habe ich es am Montag mit der Post.", "Sent from a small island",
	} {
		r := Extract(Input{Text: "See you at eight.\n\n" + own + "\n"})
		if r.Text != "See you at eight.\n\n"+own {
			t.Errorf("%q is cut", own)
		}
	}
}

func TestFooters(t *testing.T) {
	const own = "See you at eight."
	for name, around := range map[string]string{
		"signature":       "%\n\n-- \nAnn Lee\nLee & Daughters\n+353 1 555 0100",
		"long dash":       "%\n\n—\nAnn Lee",
		"disclaimer":      "%\n\nThis e-mail and any attachments are confidential and intended solely for the addressee. If you have received it in error, notify the sender and delete it.",
		"titled":          "%\n\nDISCLAIMER\nThe sender is not liable for anything at all, whatever happens to whomever.",
		"German legal":    "%\n\nDiese E-Mail enthält vertrauliche Informationen. Wenn Sie nicht der richtige Empfänger sind, informieren Sie bitte den Absender und vernichten Sie diese Mail.",
		"banner":          "CAUTION: This email came from outside of the company. Do not click links or open attachments unless you know the sender.\n\n%",
		"short banner":    "[EXTERNAL]\n\n%",
		"French banner":   "ATTENTION : ce courriel provient de l'extérieur. Ne cliquez pas sur les liens.\n\n%",
		"unusual":         "You don't often get email from ann@example.org. Learn why this is important\n\n%",
		"list":            "%\n\n_______________________________________________\nkettles mailing list\nkettles@lists.example.org\nhttps://lists.example.org/kettles",
		"group":           "%\n\n-- \nYou received this message because you are subscribed to the Google Groups \"kettles\" group.\nTo unsubscribe from this group and stop receiving emails from it, send an email to kettles+unsubscribe@example.org.",
		"virus":           "%\n\nThis email has been checked for viruses by Avast antivirus software.\nwww.avast.com",
		"device and sign": "%\n\nSent from my iPhone\n\n-- \nAnn Lee",
	} {
		if r := Extract(Input{Text: strings.ReplaceAll(around, "%", own)}); r.Text != own {
			t.Errorf("%s: %q, cuts %v", name, r.Text, r.Cuts)
		}
	}
}
