package graph

import (
	"net/http"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/testamur/testamur/graph/gen"
)

// NewOrdinaryHandler is NewHandler with every query run by gqlgen's executor.
func NewOrdinaryHandler(c Config) http.Handler {
	c.Ordinary = true
	return NewHandler(c)
}

// Schema is the schema of the API.
func Schema() *ast.Schema { return gen.NewExecutableSchema(gen.Config{}).Schema() }
