// Package console is the operator's side: the API under /api/v1 and the pages under
// /console/.
//
// What lives here: HTTP for people who hold the admin token. What may not: rules
// (relay), SQL (store), pages for anybody else (door).
package console
