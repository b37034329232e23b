// Package manual is the DNS host that is an operator's hands. It changes nothing: what is
// to be done it says, in the form in which the page of the operator's DNS host wants it.
package manual
