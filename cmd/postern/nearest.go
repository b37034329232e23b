package main

import "slices"

func contains(words []string, s string) bool { return slices.Contains(words, s) }

// nearest gives the word that is most like s, "" if none is within a third of its
// length in single-letter changes.
func nearest(s string, words []string) string {
	best, bestDistance := "", len(s)/3+1
	for _, w := range words {
		if d := editDistance(s, w); d < bestDistance {
			best, bestDistance = w, d
		}
	}
	return best
}

func didYouMean(s string, words []string) string {
	if w := nearest(s, words); w != "" {
		return "; did you mean " + w + "?"
	}
	return ""
}

// editDistance counts insertions, deletions and replacements of bytes from a to b.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
