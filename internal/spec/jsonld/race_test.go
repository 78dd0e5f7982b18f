//go:build race

package jsonld

// slower is how much longer the race detector lets everything take.
const slower = 20
