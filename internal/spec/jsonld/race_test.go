//go:build race

package jsonld

// slower is how many times as long the race detector makes things take.
const slower = 10
