// Package once makes a mutation that was sent twice happen once.
//
// The first request with an idempotency key keeps the id of what it made, in
// its own transaction; a replay finds that id and answers with the same thing.
// The same key with another request is a Conflict.
package once

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/pg"
)

// maxKey is the longest key in bytes.
const maxKey = 255

// Request is one mutation with the key its sender gave it. Without a key it
// always happens.
type Request struct {
	Key       *string
	Operation string // name of the mutation
	Input     any    // marshalled to compare replays; must be stable
}

// Find is the id that the first request with this key made; ok is false when
// this is the first, or there is no key.
func Find(ctx context.Context, tx pgx.Tx, who access.Actor, r Request) (target string, ok bool, err error) {
	if r.Key == nil {
		return "", false, nil
	}
	if n := len(*r.Key); n == 0 || n > maxKey {
		return "", false, fault.At("idempotencyKey", "length", "An idempotency key has between 1 and %d bytes.", maxKey)
	}
	var operation string
	var hash []byte
	err = tx.QueryRow(ctx, `
		select operation, request_hash, target
		from idempotency
		where institution_id = @institution and actor_id = @actor and key = @key`,
		pgx.NamedArgs{"institution": who.InstitutionID, "actor": who.ID, "key": *r.Key}).Scan(&operation, &hash, &target)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("find idempotency key: %w", err)
	}
	want, err := r.hash()
	if err != nil {
		return "", false, err
	}
	if operation != r.Operation || string(hash) != string(want) {
		return "", false, conflict()
	}
	return target, true, nil
}

// Keep stores what the request made. Two first requests at the same moment:
// one commits, the other is a Conflict and may be sent again.
func Keep(ctx context.Context, tx pgx.Tx, now time.Time, who access.Actor, r Request, target string) error {
	if r.Key == nil {
		return nil
	}
	hash, err := r.hash()
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `
		insert into idempotency (institution_id, actor_id, key, operation, request_hash, target, created_at)
		values (@institution, @actor, @key, @operation, @hash, @target, @now)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "actor": who.ID, "key": *r.Key, "operation": r.Operation,
			"hash": hash, "target": target, "now": pg.Instant(now)})
	if pg.Constraint(err) == "idempotency_pkey" {
		return conflict()
	}
	if err != nil {
		return fmt.Errorf("keep idempotency key: %w", err)
	}
	return nil
}

func (r Request) hash() ([]byte, error) {
	raw, err := json.Marshal(r.Input)
	if err != nil {
		return nil, fmt.Errorf("hash request %s: %w", r.Operation, err)
	}
	sum := sha256.Sum256(raw)
	return sum[:], nil
}

func conflict() *fault.Error {
	return &fault.Error{Kind: fault.Conflict, Field: "idempotencyKey", Rule: "idempotency-key-reused",
		Message: "This idempotency key was used for another request. Use a new key for each new request."}
}
