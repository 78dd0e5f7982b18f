package keyring

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/id"
	"github.com/testamur/testamur/internal/institution"
	"github.com/testamur/testamur/internal/pgtest"
	"github.com/testamur/testamur/internal/spec/vc"
)

func setup(t *testing.T) (*Service, access.Actor, access.Actor) {
	t.Helper()
	db := pgtest.New(t)
	now := func() time.Time { return time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC) }
	found := &institution.Service{DB: db, Now: now, NewID: id.New}
	var who [2]access.Actor
	for i, slug := range []string{"lakeview", "hillside"} {
		in, err := found.Found(t.Context(), slug, institution.Profile{Name: slug})
		if err != nil {
			t.Fatal(err)
		}
		who[i] = access.Actor{ID: "cli_" + slug, InstitutionID: string(in.ID), Roles: []access.Role{access.Registrar, access.Administrator}}
	}
	text, err := NewMaster()
	if err != nil {
		t.Fatal(err)
	}
	m, err := ParseMaster(text)
	if err != nil {
		t.Fatal(err)
	}
	return &Service{DB: db, Now: now, NewID: id.New, Master: m}, who[0], who[1]
}

func TestSignAndRotate(t *testing.T) {
	s, who, neighbour := setup(t)
	k, err := s.Ensure(t.Context(), who)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := s.Ensure(t.Context(), who); err != nil || again.ID != k.ID {
		t.Errorf("%v, %v", again, err)
	}
	sig, err := s.Sign(t.Context(), who, k.ID, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	public, err := vc.ParseMultikey(k.PublicKeyMultibase)
	if err != nil || !vc.Signed(public, []byte("x"), sig[0]) {
		t.Errorf("the signature does not verify (%v)", err)
	}
	if _, err := s.Sign(t.Context(), neighbour, k.ID, []byte("x")); fault.KindOf(err) != fault.State {
		t.Errorf("a neighbour signs: %v", err)
	}
	next, err := s.Rotate(t.Context(), who, Ed25519)
	if err != nil || next.ID == k.ID {
		t.Fatalf("%v, %v", next, err)
	}
	if _, err := s.Sign(t.Context(), who, k.ID, []byte("x")); fault.KindOf(err) != fault.State {
		t.Errorf("a retired key signs: %v", err)
	}
	all, err := s.List(t.Context(), access.VisitorOf(who.InstitutionID))
	if err != nil || len(Methods("did:web:x", all)) != 2 {
		t.Errorf("%v, %v", all, err)
	}
	if _, err := s.Withdraw(t.Context(), who, k.ID, nil); err != nil {
		t.Fatal(err)
	}
	all, err = s.List(t.Context(), who)
	if err != nil || len(Methods("did:web:x", all)) != 1 {
		t.Errorf("a compromised key is published: %v, %v", all, err)
	}
	assessor := who
	assessor.Roles = []access.Role{access.Assessor}
	if _, err := s.Sign(t.Context(), assessor, next.ID, []byte("x")); fault.KindOf(err) != fault.Forbidden {
		t.Errorf("an assessor signs: %v", err)
	}
}

func TestASealedKeyOpensOnlyInItsPlace(t *testing.T) {
	s, who, neighbour := setup(t)
	k, err := s.Ensure(t.Context(), who)
	if err != nil {
		t.Fatal(err)
	}
	other, err := s.Ensure(t.Context(), neighbour)
	if err != nil {
		t.Fatal(err)
	}
	var sealed []byte
	err = s.DB.Tenant(t.Context(), access.SystemOf(who.InstitutionID, "test"), func(tx pgx.Tx) error {
		return tx.QueryRow(context.Background(), "select sealed from signing_key_secret where key_id = $1", k.ID).Scan(&sealed)
	})
	if err != nil {
		t.Fatal(err)
	}
	err = s.DB.Tenant(t.Context(), access.SystemOf(neighbour.InstitutionID, "test"), func(tx pgx.Tx) error {
		_, err := tx.Exec(context.Background(), "update signing_key_secret set sealed = $1 where key_id = $2", sealed, other.ID)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Sign(t.Context(), neighbour, other.ID, []byte("x")); err == nil || !strings.Contains(err.Error(), "does not open") {
		t.Errorf("a copied key signs: %v", err)
	}
	s.Master[0] ^= 1
	if _, err := s.Sign(t.Context(), who, k.ID, []byte("x")); err == nil || !strings.Contains(err.Error(), "master key") {
		t.Errorf("another master key opens it: %v", err)
	}
	var seen int
	err = s.DB.Tenant(t.Context(), who, func(tx pgx.Tx) error {
		return tx.QueryRow(context.Background(), "select count(*) from signing_key_secret").Scan(&seen)
	})
	if err != nil || seen != 0 {
		t.Errorf("an administrator reads %d sealed keys, %v", seen, err)
	}
}

func TestKnownMasterKeysAreRefused(t *testing.T) {
	for _, bad := range []string{"", "00", strings.Repeat("00", 32), strings.Repeat("ab", 32), strings.Repeat("zz", 32)} {
		if _, err := ParseMaster(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
