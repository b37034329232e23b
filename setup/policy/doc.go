// Package policy reads what domains publish about their mail: who may send it (SPF,
// RFC 7208), with which keys it is signed (DKIM, RFC 6376), and what becomes of mail that
// is neither (DMARC, RFC 9989).
//
// Here lives reading, evaluating and merging of such records. Who is asked for them is a
// small interface; what follows from them is setup/doctor's and the plan's business.
package policy
