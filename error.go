package postern

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Kind says what is to be done about an error. The engine acts on kinds alone and
// never reads an error's text.
type Kind uint8

const (
	// Internal is an error nobody classed: our own defect, or something new. It is
	// tried again like a temporary one, and ends among the dead letters.
	Internal Kind = iota
	// Temporary: it did not happen; the same call may succeed later.
	Temporary
	// Permanent: it did not happen and never will.
	Permanent
	// Unsure: it may have happened. Ask before repeating.
	Unsure
	// Denied: the other side refuses us (key, scope, plan, signature). An operator must act.
	Denied
	// Invalid: what arrived can never be accepted (form, size, encoding).
	Invalid
)

var kindNames = [...]string{"internal", "temporary", "permanent", "unsure", "denied", "invalid"}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Cause narrows a Kind where the caller can do something special about it.
type Cause uint8

// Causes that a caller acts on.
const (
	CauseNone     Cause = iota
	CauseNotFound       // the thing named does not exist (any more)
	CauseTooLong        // a text is longer than the other side takes: split it
	CauseTooLarge       // a file or mail is larger than the other side takes
	CauseStale          // a signature outside its window of time
	CauseReplayed       // a signature already seen with another content
	CauseBusy           // our own queues are full
	CauseChanged        // what is there is no longer what it was when it was looked at
	CauseExists         // the thing is there already
)

// Error is an error with a kind.
type Error struct {
	Kind  Kind
	Cause Cause
	Op    string        // what was tried: "sendbird.send", "mailgun.inbound"
	Code  string        // the other side's own code ("400201", "550"), "" = none
	After time.Duration // Temporary: not to be tried again sooner; 0 = as you like
	Err   error         // for logs; holds no secret, no address and no text of a message
	Said  string        // the other side's own words, which may hold anything: for logs at debug only
}

// Errorf makes an error of a kind. The text is for operators and logs.
func Errorf(k Kind, op, format string, args ...any) *Error {
	return &Error{Kind: k, Op: op, Err: fmt.Errorf(format, args...)}
}

// Because returns e with its cause set, for use at the place where e is made.
func (e *Error) Because(c Cause) *Error { e.Cause = c; return e }

func (e *Error) Error() string {
	s := e.Op + ": " + e.Kind.String()
	if e.Code != "" {
		s += " (" + e.Code + ")"
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// KindOf tells the kind of any error: that of the outermost *Error in its chain,
// Temporary for a cancelled or timed-out context, otherwise Internal.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return Temporary
	}
	return Internal
}

// CauseOf tells the cause of any error, CauseNone if it has none.
func CauseOf(err error) Cause {
	var e *Error
	if errors.As(err, &e) {
		return e.Cause
	}
	return CauseNone
}

// SaidOf gives the other side's own words, "" if there are none.
func SaidOf(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Said
	}
	return ""
}

// RetryAfter tells how long the other side asked us to wait; 0 if it did not.
func RetryAfter(err error) time.Duration {
	var e *Error
	if errors.As(err, &e) {
		return e.After
	}
	return 0
}
