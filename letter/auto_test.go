package letter

import (
	"strings"
	"testing"
)

func TestAutomatic(t *testing.T) {
	const person = "From: Ana <ana@example.org>\nTo: token@mail.example.com\nMessage-ID: <x1@example.org>\n"
	empty := ""
	cases := []struct {
		name, raw string
		opt       Options
		class     Class // "" for a person
	}{
		{"person", person + "Subject: Re: Order\nIn-Reply-To: <m1.ours@x>\n\nyes", Options{}, ""},
		{"auto-submitted no", person + "Auto-Submitted: no\n\nyes", Options{}, ""},
		{"auto-replied", person + "Subject: Re: Order\nAuto-Submitted: auto-replied (vacation)\n\naway", Options{}, ClassAutoReply},
		{"exchange out of office", person + "Subject: Automatic reply: Order\nAuto-Submitted: auto-generated\nX-Auto-Response-Suppress: All\n\naway", Options{}, ClassOutOfOffice},
		{"auto-generated", person + "Subject: Build 7\nAuto-Submitted: auto-generated\n\nok", Options{}, ClassGenerated},
		{"auto-notified", person + "Auto-Submitted: auto-notified; owner-email=\"a@b.example\"\n\nok", Options{}, ClassGenerated},
		{"gmail vacation", person + "Subject: Out of office Re: Order\nPrecedence: bulk\nX-Autoreply: yes\nAuto-Submitted: auto-replied\n\naway", Options{}, ClassOutOfOffice},
		{"suppress alone is a person", person + "Subject: Re: Order\nX-Auto-Response-Suppress: DR, OOF, AutoReply\n\nyes", Options{}, ""},
		{"suppress with phrase", person + "Subject: Order (out of office until Monday)\nX-Auto-Response-Suppress: All\n\naway", Options{}, ClassOutOfOffice},
		{"x-autoreply", person + "X-Autoreply: yes\n\nhi", Options{}, ClassAutoReply},
		{"x-autoreply no", person + "X-Autoreply: no\n\nhi", Options{}, ""},
		{"precedence bulk", person + "Precedence: bulk\n\nnews", Options{}, ClassBulk},
		{"precedence junk", person + "Precedence: junk\n\nnews", Options{}, ClassBulk},
		{"precedence list", person + "Precedence: list\nList-Id: <x.example>\n\nnews", Options{}, ClassList},
		{"precedence auto_reply", person + "Precedence: auto_reply\n\nhi", Options{}, ClassAutoReply},
		{"precedence first-class", person + "Precedence: first-class\n\nhi", Options{}, ""},
		{"list", person + "List-Id: <x.example>\n\nnews", Options{}, ClassList},
		{"member answers through a list", person + "In-Reply-To: <m1.ours@x>\nList-Id: <x.example>\n\nyes", Options{}, ""},
		{"newsletter", person + "List-Unsubscribe: <https://x.example/u>\n\nnews", Options{}, ClassBulk},
		{"noreply", "From: Shop <no-reply@shop.example>\n\nhi", Options{}, ClassGenerated},
		{"postmaster", "From: postmaster@x.example\nSubject: notice\n\nhi", Options{}, ClassGenerated},
		{"null sender in header", "Return-Path: <>\n" + person + "Subject: x\n\nhi", Options{}, ClassAutoReply},
		{"null sender by transport", person + "Subject: x\n\nhi", Options{ReturnPath: &empty}, ClassAutoReply},
		{"sender by transport wins", "Return-Path: <>\n" + person + "\nhi", Options{ReturnPath: ptr("ana@example.org")}, ""},
		{"own id", person + "\nhi", Options{OurIDs: func(id string) bool { return id == "x1@example.org" }}, ClassOwn},
		{"own loop header", person + "X-Acme-Loop: one\n\nhi", Options{LoopHeader: "X-Acme-Loop"}, ClassOwn},
		{"another's loop header", person + "X-Acme-Loop: two\n\nhi", Options{LoopHeader: "X-Acme-Loop", LoopValue: "one"}, ""},
		{"read receipt", person + "Content-Type: multipart/report; report-type=disposition-notification; boundary=b\n\n--b\n\nread\n--b\nContent-Type: message/disposition-notification\n\nDisposition: manual-action/MDN-sent-manually; displayed\n--b--\n", Options{}, ClassReceipt},
		{"complaint", person + "Content-Type: multipart/report; report-type=feedback-report; boundary=b\n\n--b\n\nabuse\n--b\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\n--b\nContent-Type: message/rfc822\n\nSubject: x\n\n--b--\n", Options{}, ClassComplaint},
		{"inbox rule", person + "X-MS-Exchange-Inbox-Rules-Loop: ana@example.org\n\nhi", Options{}, ClassAutoReply},
		{"machine generated", person + "X-FC-MachineGenerated: true\n\nhi", Options{}, ClassGenerated},
		{"reaction is a person's", strings.TrimPrefix(reactionSample, "\n"), Options{}, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m, err := ReadBytes(crlf(c.raw), c.opt)
			if err != nil {
				t.Fatal(err)
			}
			got := Class("")
			if m.Auto != nil {
				got = m.Auto.Class
				if m.Auto.Proof == "" {
					t.Error("no proof")
				}
			}
			if got != c.class {
				t.Errorf("class %q (%+v), want %q", got, m.Auto, c.class)
			}
		})
	}
}

func ptr(s string) *string { return &s }

// TestSubjects: what programs write stands alone; what persons write about it does not.
func TestSubjects(t *testing.T) {
	for _, s := range []string{
		"Automatic reply: Order", "Out of Office: Order", "Out of Office AutoReply: Order", "Automatische Antwort: Bestellung", "Abwesenheitsnotiz: Bestellung",
		"Réponse automatique : Commande", "Respuesta automática: Pedido", "Resposta automática: Pedido", "Risposta automatica: Ordine", "Automatisch antwoord: Bestelling",
		"Autosvar: Order", "Automatiskt svar: Order", "Automatisk svar: Ordre", "Automaattinen vastaus: Tilaus", "Autoodpowiedź: Zamówienie", "Odpowiedź automatyczna: Zamówienie",
		"Automatická odpověď: Objednávka", "Automatická odpoveď: Objednávka", "Automatikus válasz: Rendelés", "Răspuns automat: Comanda", "Автоматический ответ: Заказ", "Автоматична відповідь: Замовлення",
		"Автоматичен отговор: Поръчка", "Αυτόματη απάντηση: Παραγγελία", "Otomatik Yanıt: Sipariş", "תשובה אוטומטית: הזמנה", "رد تلقائي: طلب", "پاسخ خودکار: سفارش", "自動応答: 注文", "自动答复: 订单", "自動回覆: 訂單",
		"자동 회신: 주문", "ตอบกลับอัตโนมัติ: คำสั่งซื้อ", "Trả lời tự động: Đơn hàng", "Balasan otomatis: Pesanan", "Automatski odgovor: Narudžba", "Samodejni odgovor: Naročilo", "Automaatvastus: Tellimus", "Automatinis atsakymas: Užsakymas",
		"自动回复：订单", "[EXT] Automatic reply: Order", "Out of office", "Auto-Reply", "Out of Office Re: Order",
	} {
		if m := matchSubject(s); !m.alone {
			t.Errorf("%q does not stand alone: %+v", s, m)
		}
	}
	for _, s := range []string{
		"Re: Out of office party", "Out of office party", "Re: Automatic reply: Order", "Automatic reply feature is broken", "Fwd: Out of Office: Order", "Urlaub: Anfrage", "Abwesenheit", "On vacation", "不在",
		"Vacation", "Question about out of office", "The autoreply button", "", "Re: Order", "Poissa", "Ferie: tilbud",
	} {
		if m := matchSubject(s); m.alone {
			t.Errorf("%q stands alone: %+v", s, m)
		}
	}
}
