package policy

import "net/netip"

// The limits of RFC 7208 section 4.6.4.
const (
	MaxLookups = 10
	MaxVoid    = 2
)

// Term is one mechanism or modifier of an SPF record.
type Term struct {
	Text      string // as written
	Modifier  bool
	Qualifier byte   // '+', '-', '~' or '?'; '+' if none is written; 0 of a modifier
	Name      string // lower case: "include", "ip4", "redirect"
	Domain    string // as written, macros and all; "" = the domain itself
	Prefix    netip.Prefix
	Bits4     int // of a and mx; 32 and 128 if none are written
	Bits6     int
}

// SPF is a parsed record.
type SPF struct {
	Text  string
	Terms []Term
}

// SPFOutcome is what a receiver makes of the records of a domain.
type SPFOutcome string

// The values of SPFOutcome (RFC 7208 section 2.6, as far as it does not depend on the mail).
const (
	SPFNone      SPFOutcome = "none"      // there is no record
	SPFValid     SPFOutcome = "valid"     // there is one, and it can be evaluated
	SPFPermError SPFOutcome = "permerror" // it cannot be evaluated: no mail passes
	SPFTempError SPFOutcome = "temperror" // could not be found out
)

// SPFCode says why a tree is no good.
type SPFCode string

// The values of SPFCode.
const (
	SPFFine       SPFCode = ""
	SPFSyntax     SPFCode = "syntax"
	SPFSeveral    SPFCode = "several-records"
	SPFLookups    SPFCode = "over-ten-lookups"
	SPFVoids      SPFCode = "over-two-void-lookups"
	SPFLoop       SPFCode = "loop"
	SPFMissing    SPFCode = "include-of-nothing" // an include or redirect leads to a domain without SPF
	SPFManyMX     SPFCode = "over-ten-mx"
	SPFUnanswered SPFCode = "unanswered"
)

// SPFNode is one domain of a tree.
type SPFNode struct {
	Domain   string
	Via      string   // the term that led here; "" of the root
	Pass     bool     // all includes on the way here let pass what they match
	Texts    []string // the SPF records found
	Record   *SPF     // nil if there is none, several, or a broken one
	Lookups  int      // that this record and those below it cost
	Code     SPFCode  // what is wrong here
	Detail   string
	Children []*SPFNode
}

// SPFReport is the outcome of a walk through the whole tree, as a receiver would do it
// for a mail that matches nothing before the end: the costliest case.
type SPFReport struct {
	Domain  string
	Outcome SPFOutcome
	Code    SPFCode // the first thing that is wrong, with PermError and TempError
	Detail  string
	Root    *SPFNode
	Lookups int // all terms that cost one; over MaxLookups is a permerror
	Voids   int // of those, that found nothing
	// Networks that pass, as far as they do not depend on the mail.
	Networks []netip.Prefix
	Remarks  []Remark
}
