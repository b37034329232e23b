package letter

import (
	"testing"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/encoding/unicode"
)

func encode(t testing.TB, e encoding.Encoding, s string) []byte {
	t.Helper()
	b, err := e.NewEncoder().Bytes([]byte(s))
	if err != nil {
		t.Fatalf("encode %q: %v", s, err)
	}
	return b
}

const (
	japaneseText = "お世話になっております。明日の会議は三時からです。"
	chineseText  = "您好，订单已经收到，请问什么时候可以发货？谢谢"
	taiwanText   = "您好，請問這個訂單什麼時候可以出貨？謝謝您"
	koreanText   = "안녕하세요. 주문은 언제 도착합니까? 감사합니다"
	russianText  = "Здравствуйте, когда приедет мой заказ? Спасибо"
	greekText    = "Καλημέρα, πότε θα έρθει η παραγγελία μου;"
	hebrewText   = "שלום, מתי תגיע ההזמנה שלי? תודה"
	arabicText   = "مرحبا متى يصل طلبي شكرا جزيلا"
	thaiText     = "สวัสดีครับ สินค้าจะมาถึงเมื่อไหร่"
	polishText   = "Dzień dobry, kiedy przyjdzie moja paczka? Dziękuję, Łukasz"
	czechText    = "Dobrý den, kdy přijde moje objednávka? Děkuji, Jiří"
	turkishText  = "Merhaba, siparişim ne zaman gelir? Teşekkür ederim, Işıl"
	germanText   = "Schöne Grüße aus Köln, die Straße ist „gesperrt“ – bis März"
	frenchText   = "Bonjour, où est ma commande ? Merci d’avance, à bientôt"
)

type charsetCase struct {
	name     string
	enc      encoding.Encoding
	text     string
	declared string
}

func charsetCases() []charsetCase {
	utf16le := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM)
	utf16be := unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)
	return []charsetCase{
		{"iso-2022-jp declared", japanese.ISO2022JP, japaneseText, "ISO-2022-JP"},
		{"iso-2022-jp undeclared", japanese.ISO2022JP, japaneseText, ""},
		{"iso-2022-jp as ascii", japanese.ISO2022JP, japaneseText, "us-ascii"},
		{"iso-2022-jp as utf-8", japanese.ISO2022JP, japaneseText, "utf-8"},
		{"gb2312 is gb18030", simplifiedchinese.GB18030, "您好，镕基 €〇㐂", "GB2312"},
		{"gbk undeclared", simplifiedchinese.GBK, chineseText, ""},
		{"gbk as latin1", simplifiedchinese.GBK, chineseText, "iso-8859-1"},
		{"gbk as utf-8", simplifiedchinese.GBK, chineseText, "utf-8"},
		{"big5 undeclared", traditionalchinese.Big5, taiwanText, ""},
		{"sjis undeclared", japanese.ShiftJIS, japaneseText, ""},
		{"sjis as cp932", japanese.ShiftJIS, japaneseText, "cp932"},
		{"euc-jp undeclared", japanese.EUCJP, japaneseText, ""},
		{"euc-kr undeclared", korean.EUCKR, koreanText, ""},
		{"ks_c", korean.EUCKR, koreanText, "ks_c_5601-1987"},
		{"1251 undeclared", charmap.Windows1251, russianText, ""},
		{"1251 as latin1", charmap.Windows1251, russianText, "iso-8859-1"},
		{"koi8-r undeclared", charmap.KOI8R, russianText, ""},
		{"koi8-r as utf-8", charmap.KOI8R, russianText, "utf-8"},
		{"1253 undeclared", charmap.Windows1253, greekText, ""},
		{"1255 undeclared", charmap.Windows1255, hebrewText, ""},
		{"1256 undeclared", charmap.Windows1256, arabicText, ""},
		{"874 undeclared", charmap.Windows874, thaiText, ""},
		{"1250 undeclared", charmap.Windows1250, polishText, ""},
		{"1250 undeclared Czech", charmap.Windows1250, czechText, ""},
		{"1254 undeclared", charmap.Windows1254, turkishText, ""},
		{"1252 undeclared", charmap.Windows1252, germanText, ""},
		{"1252 as latin1", charmap.Windows1252, frenchText, "iso-8859-1"},
		{"1252 as utf-8", charmap.Windows1252, frenchText, "utf-8"},
		{"1252 as ascii", charmap.Windows1252, germanText, "us-ascii"},
		{"1252 unknown label", charmap.Windows1252, germanText, "x-unknown"},
		{"utf-8 as latin1", encoding.Nop, germanText, "iso-8859-1"},
		{"utf-8 as gb2312", encoding.Nop, chineseText, "gb2312"},
		{"utf-8 as shift_jis", encoding.Nop, japaneseText, "shift_jis"},
		{"utf-8 undeclared", encoding.Nop, russianText, ""},
		{"utf-8 as koi8-r", encoding.Nop, russianText, "koi8-r"},
		{"utf-16 with mark", utf16le, germanText, "utf-8"},
		{"utf-16 without mark", utf16be, germanText, "utf-16"},
		{"utf-16be", utf16be, chineseText, "UTF-16BE"},
		{"utf-16 declared, is ascii", encoding.Nop, "plain words", "utf-16"},
		{"8859-2 with 1250 letters", charmap.Windows1250, "Šťastný žák „ano“", "iso-8859-2"},
		{"8859-15", charmap.ISO8859_15, "5 € für Öl", "ISO-8859-15"},
		{"hz", simplifiedchinese.HZGB2312, "您好谢谢", "hz-gb-2312"},
		{"quoted label", charmap.Windows1252, frenchText, "\"windows-1252\""},
	}
}

// TestCharsetRepair gives bytes with a declaration, right, wrong or none, and wants the text.
func TestCharsetRepair(t *testing.T) {
	for _, c := range charsetCases() {
		t.Run(c.name, func(t *testing.T) {
			got, used := decodeCharset(encode(t, c.enc, c.text), c.declared, "")
			if got != c.text {
				t.Errorf("got %q by %s, want %q", got, used, c.text)
			}
		})
	}
}

func TestUTF7AndKorean2022(t *testing.T) {
	if got, _ := decodeCharset([]byte("Hi Mom -+Jjo--! A+ImIDkQ. 1 +- 1"), "utf-7", ""); got != "Hi Mom -☺-! A≢Α. 1 + 1" {
		t.Errorf("utf-7: %q", got)
	}
	if got, _ := decodeCharset([]byte("\x1b$)C\x0e>H3gGO<<?d\x0f!"), "", ""); got != "안녕하세요!" {
		t.Errorf("iso-2022-kr: %q", got)
	}
}
