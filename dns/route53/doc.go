// Package route53 keeps zones at Amazon Route 53.
//
// Route 53 knows record sets only: all values of a type at a name together. Every change
// here is one batch that deletes the set as it was read and creates the new one. Batches
// are all or nothing and a delete has to match to the letter, so a set that somebody else
// changed meanwhile is never overwritten. The libdns module for Route 53 upserts instead,
// which overwrites, may pick a private zone of the same name, ends the program when its
// configuration is odd, and brings the AWS SDK along; four calls and a signature need none.
package route53
