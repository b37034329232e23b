package letter

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// candidate is a charset that undeclared text may be in, with the letters that betray its languages.
type candidate struct {
	label    string
	frequent string // the commonest letters beyond ASCII
	bonus    int    // added to the score; breaks ties in favour of what is common in mail
}

// The letters come from general knowledge of the languages: a few dozen characters make up half of any text.
const (
	hanziBoth   = "的一是不在有人我他来上大和地到出也子那得里下自之年生可小本天日分行前多心同三月好心你能作用道会看文发后家成方定面无事高手"
	hanziSimple = "这个们时说国为对们过还开问样关没动经现学实长见两进种从间东西给让请谢请您电话询问题订单"
	hanziTrad   = "這個們時說國為對過還開問樣關沒動經現學實長見兩進種從間東西給讓請謝您電話詢題訂單會來後"
	kana        = "のにはをたがでてとしれさいるなもすあかりこまうくきらんっよどそけせおみちつつめやえわひばじごアイウエオカキクケコサシスセソタチツテトナニハヒフマミムメモラリルレロンーッャュョドジバパプグブ、。"
	hangul      = "이다는을의에가고하지은사기로인아어한자나서리시대일그도정들해수안보게부요라니제전으만녕세습합입과있었니까감"
	cyrillic    = "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэф"
	greek       = "αοιετσνηυρπκμλςόίάέήώύδγχθφβξζψω"
	hebrew      = "יוהלאתברמשנכדקעםחפגטסצזןךףץ"
	arabic      = "اليمنوترهبسدعفكقحجطشصخةذثزضغىأئء"
	thai        = "านรอกเงมลวสยตทดปคั่ี้"
	west        = "éèêëàâäáåãæçñíìîïóòôöõøœúùûüßÉÄÖÜ–—’‘“”…•€«»°¿¡"
	central     = "ąćęłńóśźżčšžřěůýáíéúťďľĺőűăâîșţđŁŚŻČŠŽ„”–"
	turkish     = "ığşçöüİŞÇÖÜ"
	baltic      = "āčēģīķļņšūžąęėįųŠŽ"
)

func candidates() []candidate {
	return []candidate{
		{"gb18030", hanziBoth + hanziSimple, 0},
		{"big5", hanziBoth + hanziTrad, 0},
		{"shift_jis", kana + "日本語様会社月年人", 0},
		{"euc-jp", kana + "日本語様会社月年人", 0},
		{"euc-kr", hangul, 0},
		{"windows-1251", cyrillic, 0},
		{"koi8-r", cyrillic, 0},
		{"iso-8859-5", cyrillic, -3},
		{"cp866", cyrillic, -4},
		{"windows-1253", greek, 0},
		{"windows-1255", hebrew, 0},
		{"windows-1256", arabic, 0},
		{"iso-8859-6", arabic, -2},
		{"windows-874", thai, 0},
		{"windows-1252", west, 4},
		{"windows-1250", central, 0},
		{"iso-8859-2", central, -1},
		{"windows-1254", turkish + west, 0},
		{"windows-1257", baltic, -4},
		{"macintosh", west, -6},
		{"cp850", west, -6},
	}
}

const guessSample = 2 << 10

// guess finds the charset of 8-bit text that names none of use: it decodes a sample in each candidate and takes the one
// that gives the most likely text. hint wins if it decodes without an error.
func guess(b []byte, hint string) (text, used string) {
	if e := lookup(charsetLabel(hint)); e != nil {
		if t := decodeWith(e, b); !hasBad(t) {
			return t, charsetLabel(hint)
		}
	}
	sample := highStretch(b)
	best, bestScore := "windows-1252", -1<<30
	for _, c := range candidates() {
		if s := c.score(sample); s > bestScore {
			best, bestScore = c.label, s
		}
	}
	return decodeWith(lookup(best), b), best
}

// highStretch takes lines with 8-bit characters, so that a long English head does not hide them.
func highStretch(b []byte) []byte {
	out := make([]byte, 0, min(len(b), guessSample))
	for len(b) > 0 && len(out) < guessSample {
		line := firstLine(b, '\n')
		b = b[len(line):]
		if !is7bit(line) {
			out = append(out, line[:min(len(line), guessSample-len(out))]...)
		}
	}
	return out
}

// score rates the decoded sample in tenths per 8-bit byte of the source: frequent letters up, impossible ones down.
func (c candidate) score(sample []byte) int {
	enc := lookup(c.label)
	if enc == nil {
		return -1 << 30
	}
	text := decodeWith(enc, sample)
	width := 1
	if multibyte(c.label) {
		width = 2
	}
	score, high := 0, 0
	letters := 0
	latin := c.latin()
	var prev rune
	for _, r := range text {
		ascii := r|0x20 >= 'a' && r|0x20 <= 'z'
		switch {
		case r >= 0x80:
			high += width
			score += width * c.rate(r, prev)
			if !latin && width == 1 && prev < 0x80 && unicode.IsLetter(prev) && unicode.IsLetter(r) {
				score -= 10 // two alphabets in one word
			}
		case ascii:
			letters++
			if !latin && width == 1 && prev >= 0x80 && unicode.IsLetter(prev) || prev >= 0x80 && r <= 'Z' && unicode.IsLower(prev) {
				score -= 10
			}
		}
		prev = r
	}
	if high == 0 {
		return -1 << 30
	}
	if latin && high > letters {
		score -= 10 * high // no Latin language has mostly accents
	}
	score += c.commonPairs(sample)
	return score*10/high + c.bonus
}

func (c candidate) latin() bool {
	switch c.label {
	case "windows-1252", "windows-1250", "iso-8859-2", "windows-1254", "windows-1257", "macintosh", "cp850":
		return true
	}
	return false
}

// commonPairs rewards the rows of the double-byte sets that hold the everyday characters: level 1 of GB 2312 and of
// Big5, and Hangul in KS X 1001.
func (c candidate) commonPairs(sample []byte) (score int) {
	var lo, hi byte
	switch c.label {
	case "gb18030":
		lo, hi = 0xb0, 0xd7
	case "big5":
		lo, hi = 0xa4, 0xc6
	case "euc-kr":
		lo, hi = 0xb0, 0xc8
	default:
		return 0
	}
	for i := 0; i+1 < len(sample); i++ {
		if sample[i] < 0x80 {
			continue
		}
		if sample[i] >= lo && sample[i] <= hi && (sample[i+1] >= 0xa1 || c.label == "big5") {
			score += 8
		}
		i++
	}
	return score
}

func (c candidate) rate(r, prev rune) int {
	switch {
	case r == utf8.RuneError:
		return -60
	case r < 0xa0, r >= 0xe000 && r < 0xf900: // C1 controls, private use
		return -40
	case strings.ContainsRune(c.frequent, r):
		return 10
	case unicode.IsUpper(r):
		switch {
		case unicode.IsLower(prev): // "пРИВЕТ": another Cyrillic charset
			return -10
		case strings.ContainsRune(c.frequent, unicode.ToLower(r)):
			return 6
		}
		return -2
	case unicode.IsLetter(r), unicode.IsMark(r):
		if c.label == "windows-1252" || c.label == "windows-1250" || r < 0x250 {
			return 0
		}
		return 1
	case unicode.IsLetter(prev): // a sign within or after a word
		return -6
	case unicode.IsPunct(r), unicode.IsSpace(r):
		return 2
	}
	return -3
}
