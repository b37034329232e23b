// Package godaddy keeps zones at GoDaddy: the Domains API v3 with a personal access token,
// and v1 for accounts that v3 does not take.
//
// Two calls that exist are never made, and a guard in front of every call sees to it: v3's
// PUT of a record, which was seen to wipe the zone, and v1's PUT of all records or all of
// a type. Facts and sources: GoDaddy's OpenAPI for v3 (spec 3.1.0) and Swagger for v1.
package godaddy
