package graph

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/errcode"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/testamur/testamur/graph/model"
	"github.com/testamur/testamur/internal/fault"
)

// found is one thing or null: what does not exist and what the caller may not
// see look the same.
func found[T any](v T, err error) (*T, error) {
	if k := fault.KindOf(err); err != nil && (k == fault.NotFound || k == fault.Forbidden) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &v, nil
}

// changed is what a mutation made, or what was wrong with its input; the last
// is an error of the whole request. What was loaded before is forgotten.
func changed[T any](ctx context.Context, v T, err error) (*T, []model.UserError, error) {
	forget(ctx)
	if err == nil {
		return &v, []model.UserError{}, nil
	}
	if f, ok := fault.Of(err); ok && ofUser(f.Kind) {
		return nil, userErrors(f), nil
	}
	return nil, nil, err
}

// ofUser are the kinds of faults that the payload of a mutation tells.
func ofUser(k fault.Kind) bool {
	switch k {
	case fault.Invalid, fault.NotFound, fault.Conflict, fault.State, fault.Forbidden:
		return true
	}
	return false
}

func userErrors(f *fault.Error) []model.UserError {
	if f == nil {
		return []model.UserError{}
	}
	path := []string{}
	if f.Field != "" {
		path = strings.Split(f.Field, ".")
	}
	return []model.UserError{{Code: f.Kind, Message: f.Message, Path: path, Rule: optional(f.Rule)}}
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// present gives an error the form that a client sees. What the service did not
// foresee goes to the log under the request's id and to nobody else.
func (r *Resolver) present(ctx context.Context, err error) *gqlerror.Error {
	var known *gqlerror.Error
	if f, ok := fault.Of(err); ok {
		e := &gqlerror.Error{Message: f.Message, Path: graphql.GetPath(ctx), Extensions: map[string]any{"code": string(f.Kind)}}
		if f.Field != "" {
			e.Extensions["field"] = f.Field
		}
		if f.Rule != "" {
			e.Extensions["rule"] = f.Rule
		}
		if f.Kind != fault.Internal {
			if f.Kind == fault.Unavailable {
				r.Log.Error("request failed", "request", RequestID(ctx), "path", graphql.GetPath(ctx).String(), "error", err)
			}
			return e
		}
	}
	if errors.As(err, &known) && (known.Err == nil || known.Extensions["code"] == errcode.ValidationFailed) {
		return withCode(known)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return &gqlerror.Error{Message: "The request took too long or was given up.", Path: graphql.GetPath(ctx),
			Extensions: map[string]any{"code": string(fault.Unavailable)}}
	}
	r.Log.Error("request failed", "request", RequestID(ctx), "path", graphql.GetPath(ctx).String(), "error", err)
	return &gqlerror.Error{Message: fmt.Sprintf("Something went wrong in the service. Tell its operator this request id: %s.", RequestID(ctx)),
		Path: graphql.GetPath(ctx), Extensions: map[string]any{"code": string(fault.Internal), "requestId": RequestID(ctx)}}
}

// withCode gives what the parser, the validator or a limit says our codes.
func withCode(e *gqlerror.Error) *gqlerror.Error {
	out := *e
	out.Extensions = map[string]any{"code": string(fault.Invalid)}
	switch e.Extensions["code"] {
	case string(fault.Limit), "COMPLEXITY_LIMIT_EXCEEDED":
		out.Extensions["code"] = string(fault.Limit)
	case string(fault.Unauthenticated):
		out.Extensions["code"] = string(fault.Unauthenticated)
	}
	if strings.Contains(e.Message, "exceeded token limit") {
		out.Extensions["code"] = string(fault.Limit)
	}
	if rule, ok := e.Extensions["rule"]; ok {
		out.Extensions["rule"] = rule
	}
	return &out
}

// recovered makes an error of a panic, with its stack for the log alone.
func (r *Resolver) recovered(ctx context.Context, v any) error {
	return fmt.Errorf("panic: %v\n%s", v, debug.Stack())
}

// limit is the error of a request that is too large to be run.
func limit(rule, format string, args ...any) *gqlerror.Error {
	return &gqlerror.Error{Message: fmt.Sprintf(format, args...), Extensions: map[string]any{"code": string(fault.Limit), "rule": rule}}
}
