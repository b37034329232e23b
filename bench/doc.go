// Package bench measures the house as a whole: what needs several packages at once.
// What needs one package is measured beside it.
package bench
