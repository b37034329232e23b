package mailbox_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/postern-chat/postern/sandbox/mailbox"
)

const ida = "ida@people.example"

// program is a mail program with ida's mailbox in it.
type program struct {
	*imapclient.Client
	t       *testing.T
	arrived chan uint32 // what the server says about the number of mails
	gone    chan uint32
}

func logIn(t *testing.T, s *mailbox.Server) *program {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.Open(ida, "Ida")
	ended := make(chan error, 1)
	go func() { ended <- s.ServeIMAP(ln) }()
	p := &program{t: t, arrived: make(chan uint32, 100), gone: make(chan uint32, 100)}
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	p.Client = imapclient.New(conn, &imapclient.Options{UnilateralDataHandler: &imapclient.UnilateralDataHandler{
		Mailbox: func(d *imapclient.UnilateralDataMailbox) {
			if d.NumMessages != nil {
				p.arrived <- *d.NumMessages
			}
		},
		Expunge: func(n uint32) { p.gone <- n },
	}})
	t.Cleanup(func() {
		_ = p.Close()
		_ = s.Close()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	if err := p.Login(ida, "whatever").Wait(); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *program) selects(name string) *imap.SelectData {
	p.t.Helper()
	d, err := p.Select(name, nil).Wait()
	if err != nil {
		p.t.Fatal(err)
	}
	return d
}

func (p *program) fetch(set imap.NumSet, o *imap.FetchOptions) []*imapclient.FetchMessageBuffer {
	p.t.Helper()
	out, err := p.Fetch(set, o).Collect()
	if err != nil {
		p.t.Fatal(err)
	}
	return out
}

func (p *program) finds(c *imap.SearchCriteria) []uint32 {
	p.t.Helper()
	d, err := p.Search(c, nil).Wait()
	if err != nil {
		p.t.Fatal(err)
	}
	return d.AllSeqNums()
}

func arrives(t *testing.T, s *mailbox.Server, raw string) {
	t.Helper()
	if err := s.Deliver(t.Context(), "gate@gate.example", ida, strings.NewReader(raw)); err != nil {
		t.Fatal(err)
	}
}

func letter(n int, more string) string {
	return fmt.Sprintf("From: Gate <gate@gate.example>\r\nTo: %s\r\nSubject: =?utf-8?q?Letter_n=C2=B0?= %d\r\nMessage-ID: <%d@gate.example>\r\n"+
		"Date: Mon, 02 Nov 2026 09:00:00 +0000\r\nX-Odd line\r\nMIME-Version: 1.0\r\n%s", ida, n, n, more)
}

func both(n int, pixel string) string {
	return letter(n, "Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nGr\xc3\xbc\xc3\x9fe "+
		fmt.Sprint(n)+"\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>Hello<img src=\""+pixel+"\">\r\n--b--\r\n")
}

// TestReadingIsNotOpening: everything that a program reads by IMAP leaves the
// pictures alone.
func TestReadingIsNotOpening(t *testing.T) {
	var fetched atomic.Int32
	pixel := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { fetched.Add(1) }))
	defer pixel.Close()
	s, _, _ := start(t)
	arrives(t, s, both(1, pixel.URL+"/p.gif"))
	p := logIn(t, s)
	if d := p.selects("INBOX"); d.NumMessages != 1 || d.UIDNext != 2 || d.UIDValidity == 0 {
		t.Errorf("%+v", d)
	}
	header := &imap.FetchItemBodySection{Specifier: imap.PartSpecifierHeader, Peek: true}
	p.fetch(imap.SeqSetNum(1), &imap.FetchOptions{Envelope: true, BodySection: []*imap.FetchItemBodySection{header}})
	if m := s.Messages(ida)[0]; m.Seen || m.Opens != 0 {
		t.Errorf("after peeking: seen %v, opens %d", m.Seen, m.Opens)
	}
	whole := &imap.FetchItemBodySection{}
	got := p.fetch(imap.SeqSetNum(1), &imap.FetchOptions{RFC822Size: true, BodySection: []*imap.FetchItemBodySection{whole}})
	want := both(1, pixel.URL+"/p.gif")
	if have := string(got[0].FindBodySection(whole)); have != want || got[0].RFC822Size != int64(len(want)) {
		t.Errorf("%d bytes, said to be %d:\n%s", len(have), got[0].RFC822Size, have)
	}
	if m := s.Messages(ida)[0]; !m.Seen || m.Opens != 0 || fetched.Load() != 0 {
		t.Errorf("after reading: seen %v, opens %d, pictures fetched %d", m.Seen, m.Opens, fetched.Load())
	}
	list, _ := s.Happenings(0)
	if last := list[len(list)-1]; last.What != "seen" || last.Address != ida || last.MessageID != "1@gate.example" {
		t.Errorf("noted: %+v", last)
	}
}

func TestFetch(t *testing.T) {
	s, _, _ := start(t)
	arrives(t, s, strings.ReplaceAll(both(1, "http://localhost/p"), "\r\n", "\n")) // as many .eml files are
	arrives(t, s, letter(2, "\r\nplain\r\n"))
	p := logIn(t, s)
	p.selects("inbox")
	plain := &imap.FetchItemBodySection{Part: []int{1}, Peek: true}
	mime := &imap.FetchItemBodySection{Part: []int{2}, Specifier: imap.PartSpecifierMIME, Peek: true}
	some := &imap.FetchItemBodySection{Specifier: imap.PartSpecifierHeader, HeaderFields: []string{"SUBJECT", "X-None"}, Peek: true}
	other := &imap.FetchItemBodySection{Specifier: imap.PartSpecifierHeader, HeaderFieldsNot: []string{"Subject", "date", "From", "To", "Message-Id"}, Peek: true}
	cut := &imap.FetchItemBodySection{Partial: &imap.SectionPartial{Offset: 6, Size: 4}, Peek: true}
	beyond := &imap.FetchItemBodySection{Partial: &imap.SectionPartial{Offset: 1 << 40, Size: 1 << 40}, Peek: true}
	text := &imap.FetchItemBodySection{Specifier: imap.PartSpecifierText, Peek: true}
	got := p.fetch(imap.UIDSetNum(1, 2), &imap.FetchOptions{UID: true, Flags: true, Envelope: true, InternalDate: true, RFC822Size: true,
		BodyStructure: &imap.FetchItemBodyStructure{Extended: true}, BodySection: []*imap.FetchItemBodySection{plain, mime, some, other, cut, beyond, text}})
	if len(got) != 2 {
		t.Fatal(len(got))
	}
	for _, c := range []struct{ what, have, want string }{
		{"part", string(got[0].FindBodySection(plain)), "Grüße 1"},
		{"head of a part", string(got[0].FindBodySection(mime)), "Content-Type: text/html\r\n\r\n"},
		{"fields", string(got[0].FindBodySection(some)), "Subject: =?utf-8?q?Letter_n=C2=B0?= 1\r\n\r\n"},
		{"other fields", string(got[1].FindBodySection(other)), "X-Odd line\r\nMIME-Version: 1.0\r\n\r\n"},
		{"cut", string(got[1].FindBodySection(cut)), "Gate"},
		{"beyond", string(got[1].FindBodySection(beyond)), ""},
		{"text", string(got[1].FindBodySection(text)), "plain\r\n"},
		{"subject", got[0].Envelope.Subject, "Letter n° 1"},
		{"id", got[1].Envelope.MessageID, "2@gate.example"},
		{"structure", got[0].BodyStructure.MediaType(), "multipart/alternative"},
		{"structure", got[1].BodyStructure.MediaType(), "text/plain"},
	} {
		if c.have != c.want {
			t.Errorf("%s: %q, want %q", c.what, c.have, c.want)
		}
	}
	if want := len(both(1, "http://localhost/p")); got[0].RFC822Size != int64(want) {
		t.Errorf("size %d, want %d", got[0].RFC822Size, want)
	}
}

// TestDeep: a mail of many levels costs neither memory nor time.
func TestDeep(t *testing.T) {
	s, _, _ := start(t)
	arrives(t, s, letter(1, strings.Repeat("content-type: message/rfc822\r\n\r\n", 50_000)+"end\r\n"))
	p := logIn(t, s)
	p.selects("INBOX")
	got := p.fetch(imap.SeqSetNum(1), &imap.FetchOptions{BodyStructure: &imap.FetchItemBodyStructure{}})
	if len(got) != 1 || got[0].BodyStructure.MediaType() != "text/plain" {
		t.Errorf("%+v", got)
	}
}

func TestSearchAndFlags(t *testing.T) {
	s, _, _ := start(t)
	for n := range 3 {
		arrives(t, s, both(n+1, "http://localhost/p"))
	}
	p := logIn(t, s)
	p.selects("INBOX")
	if _, err := p.Store(imap.SeqSetNum(2), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagSeen, imap.FlagAnswered, "$Own"}}, nil).Collect(); err != nil {
		t.Fatal(err)
	}
	if !s.Messages(ida)[1].Seen {
		t.Error("not seen")
	}
	s.Open(ida, "")
	for _, c := range []struct {
		what string
		c    imap.SearchCriteria
		want []uint32
	}{
		{"all", imap.SearchCriteria{}, []uint32{1, 2, 3}},
		{"unseen", imap.SearchCriteria{NotFlag: []imap.Flag{imap.FlagSeen}}, []uint32{1, 3}},
		{"a keyword in other case", imap.SearchCriteria{Flag: []imap.Flag{"$own"}}, []uint32{2}},
		{"decoded subject", imap.SearchCriteria{Header: []imap.SearchCriteriaHeaderField{{Key: "subject", Value: "N° 3"}}}, []uint32{3}},
		{"body", imap.SearchCriteria{Body: []string{"grüsse"}}, nil},
		{"body, decoded", imap.SearchCriteria{Body: []string{"grüße 2"}}, []uint32{2}},
		{"text", imap.SearchCriteria{Text: []string{"1@gate"}}, []uint32{1}},
		{"not", imap.SearchCriteria{Not: []imap.SearchCriteria{{Text: []string{"1@gate"}}}}, []uint32{2, 3}},
		{"last by *", imap.SearchCriteria{SeqNum: []imap.SeqSet{{{Start: 0, Stop: 0}}}}, []uint32{3}},
		{"uids", imap.SearchCriteria{UID: []imap.UIDSet{{{Start: 2, Stop: 0}}}}, []uint32{2, 3}},
		{"larger", imap.SearchCriteria{Larger: 1 << 20}, nil},
	} {
		if got := p.finds(&c.c); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.what, got, c.want)
		}
	}
	got := p.fetch(imap.SeqSetNum(2), &imap.FetchOptions{Flags: true})
	if want := []imap.Flag{"$Own", imap.FlagAnswered, imap.FlagSeen}; !slices.Equal(got[0].Flags, want) {
		t.Errorf("flags %v, want %v", got[0].Flags, want)
	}
}

// TestIdle: what comes, goes or is read elsewhere shows while a program waits.
func TestIdle(t *testing.T) {
	s, _, _ := start(t)
	p := logIn(t, s)
	p.selects("INBOX")
	arrives(t, s, letter(1, "\r\n")) // between two commands
	idle, err := p.Idle()
	if err != nil {
		t.Fatal(err)
	}
	for n := range uint32(3) {
		if have := <-p.arrived; have != n+1 {
			t.Fatalf("%d mails, want %d", have, n+1)
		}
		arrives(t, s, letter(int(n)+2, "\r\n"))
	}
	<-p.arrived
	s.Reset()
	for range 4 {
		<-p.gone
	}
	arrives(t, s, letter(9, "\r\n"))
	if have := <-p.arrived; have != 1 {
		t.Errorf("%d mails after a reset", have)
	}
	if err := idle.Close(); err != nil {
		t.Fatal(err)
	}
	if err := idle.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := p.fetch(imap.SeqSetNum(1), &imap.FetchOptions{UID: true}); got[0].UID != 5 {
		t.Errorf("UID %d after a reset; they must rise", got[0].UID)
	}
}

func TestFolders(t *testing.T) {
	s, x, _ := start(t)
	for n := range 3 {
		arrives(t, s, letter(n+1, "\r\n"))
	}
	p := logIn(t, s)
	names := []string{}
	list, err := p.List("", "*", nil).Collect()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range list {
		names = append(names, d.Mailbox+fmt.Sprint(d.Attrs))
	}
	if want := `INBOX[\HasNoChildren],Sent[\HasNoChildren \Sent],Drafts[\HasNoChildren \Drafts],Junk[\HasNoChildren \Junk],Trash[\HasNoChildren \Trash]`; strings.Join(names, ",") != want {
		t.Errorf("%s", names)
	}
	p.selects("INBOX")
	if _, err := p.Move(imap.SeqSetNum(1), "Trash").Wait(); err != nil {
		t.Fatal(err)
	}
	if n := <-p.gone; n != 1 {
		t.Errorf("%d is gone, want 1", n)
	}
	if _, err := p.Move(imap.UIDSetNum(3), "Junk").Wait(); err != nil {
		t.Fatal(err)
	}
	if want := []string{ida + " 3@gate.example"}; !slices.Equal(x.complaints, want) {
		t.Errorf("complaints %q", x.complaints)
	}
	if all := s.Messages(ida); len(all) != 2 || all[0].MessageID != "2@gate.example" || !all[1].Spam {
		t.Errorf("%+v", all)
	}
	if c, err := p.Copy(imap.SeqSetNum(1), "Trash").Wait(); err != nil || c.DestUIDs.String() != "2" {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := p.Store(imap.SeqSetNum(1), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagDeleted}}, nil).Collect(); err != nil {
		t.Fatal(err)
	}
	if gone, err := p.Expunge().Collect(); err != nil || !slices.Equal(gone, []uint32{1}) {
		t.Errorf("expunged %v, %v", gone, err)
	}
	p.selects("Trash")
	if _, err := p.Move(imap.SeqSetNum(1), "INBOX").Wait(); err != nil {
		t.Fatal(err)
	}
	if all := s.Messages(ida); len(all) != 2 || all[0].MessageID != "1@gate.example" {
		t.Errorf("back out of the trash: %+v", all)
	}
	for name, err := range map[string]error{
		"login":  p.Create("Mine", nil).Wait(),
		"rename": p.Rename("Sent", "Gone", nil).Wait(),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := p.Select("Mine", nil).Wait(); err == nil {
		t.Error("a folder that is not there can be opened")
	}
}

// TestAppend: the copy that a program puts into Sent after sending by SMTP is not a
// second mail; a draft is nobody's mail.
func TestAppend(t *testing.T) {
	s, _, _ := start(t)
	p := logIn(t, s)
	mail := "From: " + ida + "\r\nTo: jo@people.example\r\nMessage-ID: <own@people.example>\r\n\r\nHello\r\n"
	if err := s.Submit(t.Context(), ida, []string{"jo@people.example"}, strings.NewReader(mail)); err != nil {
		t.Fatal(err)
	}
	puts := func(folder string) *imap.AppendData {
		c := p.Append(folder, int64(len(mail)), &imap.AppendOptions{Flags: []imap.Flag{imap.FlagSeen}})
		if _, err := io.WriteString(c, mail); err != nil {
			t.Fatal(err)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		d, err := c.Wait()
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	if d := puts("Sent"); d.UID != 1 {
		t.Errorf("kept as %d", d.UID)
	}
	puts("Drafts")
	if all := s.Messages(ida); len(all) != 1 || !all[0].Sent {
		t.Errorf("%+v", all)
	}
	n, err := p.Status("Drafts", &imap.StatusOptions{NumMessages: true, NumUnseen: true}).Wait()
	if err != nil || *n.NumMessages != 1 || *n.NumUnseen != 0 {
		t.Errorf("%+v, %v", n, err)
	}
}

func TestLogin(t *testing.T) {
	s, _, _ := start(t)
	p := logIn(t, s)
	if err := p.Logout().Wait(); err != nil {
		t.Error(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.ServeIMAP(ln) }()
	c, err := imapclient.DialInsecure(ln.Addr().String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if err := c.Login("nobody@people.example", "x").Wait(); err == nil || !strings.Contains(err.Error(), "Nobody has") {
		t.Errorf("a stranger's log-in: %v", err)
	}
}
