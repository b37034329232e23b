// Package lookup asks name servers: which zone a name is in, what each of the zone's own
// servers says, what a resolver says and for how long it will go on saying it.
//
// Here lives everything that speaks DNS for reading. It tells what is there, never
// whether that is good: reading SPF and DMARC is setup/policy, judging is setup/doctor,
// changing a zone is dns/... The library that packs the questions does not show.
package lookup
