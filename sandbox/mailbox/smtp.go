package mailbox

import (
	"errors"
	"io"
	"net"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/postern-chat/postern/sandbox/mailbox/spool"
)

// newSMTP is a server without authentication that takes mail for anybody; it
// belongs on loopback.
func (s *Server) newSMTP() *smtp.Server {
	srv := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &session{s: s}, nil }))
	srv.Domain = "sandbox.localhost"
	srv.MaxMessageBytes = s.cfg.MaxBytes
	srv.MaxRecipients = 1000
	srv.MaxLineLength = 64 << 10 // strangers' mails have such lines; losing them is not the sandbox's point
	srv.ReadTimeout, srv.WriteTimeout = 2*time.Minute, 2*time.Minute
	srv.EnableSMTPUTF8 = true
	srv.ErrorLog = discardLog{}
	return srv
}

// ServeSMTP takes mail on l until Close. Whatever is mailed to an address that
// the Exchange hosts arrives there; all else in that person's mailbox.
func (s *Server) ServeSMTP(l net.Listener) error {
	if !s.listens(l) {
		return l.Close()
	}
	defer s.serving.Done()
	err := s.smtp.Serve(l)
	if errors.Is(err, smtp.ErrServerClosed) || s.ctx.Err() != nil {
		return nil
	}
	return err
}

// listens notes that l is served until Close; false if that was called already. The
// libraries know of a listener only once they serve it, and the SMTP one does not look
// whether it was closed before.
func (s *Server) listens(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		return false
	}
	s.listeners = append(s.listeners, l)
	s.serving.Add(1)
	return true
}

// hangUp closes the listeners; from here on there are no new ones.
func (s *Server) hangUp() {
	s.mu.Lock()
	s.stop()
	for _, l := range s.listeners {
		_ = l.Close() // its only error is that it is closed already
	}
	s.mu.Unlock()
}

type discardLog struct{}

func (discardLog) Printf(string, ...any) {}
func (discardLog) Println(...any)        {}

type session struct {
	s    *Server
	from string
	to   []string
}

func (x *session) Reset()        { x.from, x.to = "", nil }
func (x *session) Logout() error { return nil }

func (x *session) Mail(from string, _ *smtp.MailOptions) error {
	x.from = from
	return nil
}

func (x *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	x.to = append(x.to, to)
	return nil
}

// coded is an error that knows its SMTP reply; the Mailgun emulator's
// DeliveryError is told apart by this method alone.
type coded interface {
	SMTPCode() (code int, text string)
}

func (x *session) Data(r io.Reader) error {
	err := x.s.Submit(x.s.ctx, x.from, x.to, r)
	var c coded
	var protocol *smtp.SMTPError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &protocol): // the library's own, such as a mail above the limit
		return protocol
	case errors.Is(err, spool.ErrTooLarge):
		return &smtp.SMTPError{Code: 552, EnhancedCode: smtp.EnhancedCode{5, 3, 4}, Message: "Message too large"}
	case errors.As(err, &c):
		code, text := c.SMTPCode()
		return &smtp.SMTPError{Code: code, EnhancedCode: smtp.NoEnhancedCode, Message: text}
	default:
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: err.Error()}
	}
}
