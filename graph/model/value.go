package model

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/99designs/gqlgen/graphql"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/institution"
	"github.com/testamur/testamur/internal/learner"
)

// Node is any noun that has an id.
type Node any

// Viewer is whoever asks.
type Viewer struct {
	ID          string
	Roles       []access.Role
	Scopes      []access.Scope
	Institution *institution.Institution
	Learner     *learner.Learner
}

// Result is what was reached, with what its ids mean.
type Result struct {
	ResultDescription *ResultDescription
	AchievedLevel     *RubricCriterionLevel
	Value             *string
	Status            *string
}

// MarshalLower writes a word of the domain as a value of an enum.
func MarshalLower(word string) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) { io.WriteString(w, strconv.Quote(strings.ToUpper(word))) })
}

// UnmarshalLower reads a value of an enum as the domain's word; the schema has
// checked that there is such a value.
func UnmarshalLower(v any) (string, error) {
	s, ok := v.(string)
	if !ok {
		return "", fmt.Errorf("%T is not a value of an enum", v)
	}
	return strings.ToLower(s), nil
}
