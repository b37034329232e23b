package sendbird

import "fmt"

// Codes of the error table (Platform API, error codes). Nearly all travel with HTTP status 400, not-found included.
const (
	codeNotString       = 400100
	codeNotNumber       = 400101
	codeNotList         = 400102
	codeNotJSON         = 400103
	codeNotBoolean      = 400104
	codeMissing         = 400105
	codeNegative        = 400106
	codeUnauthorized    = 400108
	codeTooLong         = 400110
	codeInvalid         = 400111
	codeIncompatible    = 400112
	codeOutOfRange      = 400113
	codeBadURL          = 400114
	codeBadCharacter    = 400151
	codeNotFound        = 400201
	codeExists          = 400202
	codeTooMany         = 400203
	codeDeactivated     = 400300
	codeUserIDTooLong   = 400305
	codeInvalidToken    = 400401
	codeInvalidJSON     = 400403
	codeBlockedSend     = 400700
	codeBannedEnter     = 400750
	codeUnacceptable    = 400920
	codeInvalidEndpoint = 400930
	codeNotAvailable    = 403100
	codeRateLimit       = 500910
	codeInternal        = 500901
	codeNotMember       = 900020
	codeMuted           = 900041
	codeFrozen          = 900050
	codeProfanity       = 900060
	codeBanned          = 900100
	codeTooManyMessages = 900200
)

// An apiError is an answer {"error":true,"code":...,"message":...}.
type apiError struct {
	status  int
	code    int
	message string
}

func (e *apiError) Error() string { return fmt.Sprintf("%d %d %s", e.status, e.code, e.message) }

func (e *apiError) body() obj {
	return obj{"error": true, "code": e.code, "message": e.message}
}

func fail(code int, format string, a ...any) *apiError {
	status := 400
	switch {
	case code == codeNotAvailable:
		status = 403
	case code == codeRateLimit:
		status = 429
	case code/100 == 5006 || code/100 == 5009:
		status = 500
	}
	return &apiError{status, code, fmt.Sprintf(format, a...)}
}

// notFound words it as the documents do: the noun stands in quotes.
func notFound(noun string) *apiError { return fail(codeNotFound, "\"%s\" not found.", noun) }

func missing(param string) *apiError { return fail(codeMissing, "%s must be required.", param) }
