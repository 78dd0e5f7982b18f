package keyring

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
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
	"github.com/testamur/testamur/internal/standards"
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

func TestEveryAlgorithmSigns(t *testing.T) {
	s, who, _ := setup(t)
	for _, algorithm := range Algorithms() {
		k, err := s.EnsureOf(t.Context(), who, algorithm)
		if err != nil || k.Algorithm != algorithm {
			t.Fatal(algorithm, err)
		}
		sigs, err := s.Sign(t.Context(), who, k.ID, []byte("x"), []byte("y"), []byte("x"))
		if err != nil {
			t.Fatal(algorithm, err)
		}
		public, err := vc.ParseMultikey(k.PublicKeyMultibase)
		if err != nil || vc.KindOf(public) != algorithm {
			t.Errorf("%s: %s %v", algorithm, vc.KindOf(public), err)
		}
		if !vc.Signed(public, []byte("x"), sigs[0]) || !vc.Signed(public, []byte("y"), sigs[1]) || vc.Signed(public, []byte("y"), sigs[0]) {
			t.Errorf("%s: a signature does not fit", algorithm)
		}
		if string(sigs[0]) != string(sigs[2]) {
			t.Errorf("%s: signing again gives other bytes", algorithm)
		}
		next, err := s.Rotate(t.Context(), who, algorithm)
		if err != nil || next.ID == k.ID || next.Algorithm != algorithm {
			t.Errorf("%s: %v %v", algorithm, next, err)
		}
	}
	if _, err := s.EnsureOf(t.Context(), who, "RSA"); fault.KindOf(err) != fault.Invalid {
		t.Errorf("%v", err)
	}
	all, err := s.List(t.Context(), who)
	if err != nil {
		t.Fatal(err)
	}
	set, err := JWKs("did:web:x", all)
	if err != nil || len(set) != 6 || len(Methods("did:web:x", all)) != 6 {
		t.Errorf("%v %v", set, err)
	}
}

func TestAKeyIsWithdrawnFromAnInstantOn(t *testing.T) {
	s, who, _ := setup(t)
	clock := s.Now()
	s.Now = func() time.Time { return clock }
	k, err := s.Ensure(t.Context(), who)
	if err != nil {
		t.Fatal(err)
	}
	made := clock
	clock = clock.Add(48 * time.Hour)
	late := clock.Add(time.Hour)
	if _, err := s.Withdraw(t.Context(), who, k.ID, &late); fault.KindOf(err) != fault.Invalid {
		t.Errorf("from a day to come: %v", err)
	}
	from := made.Add(24 * time.Hour)
	w, err := s.Withdraw(t.Context(), who, k.ID, &from)
	if err != nil || w.State != Compromised || !w.CompromisedFrom.Equal(from) || w.RetiredAt == nil {
		t.Fatalf("%+v %v", w, err)
	}
	if _, err := s.Sign(t.Context(), who, k.ID, []byte("x")); fault.KindOf(err) != fault.State {
		t.Errorf("it signs: %v", err)
	}
	if _, err := s.Withdraw(t.Context(), who, k.ID, &clock); fault.KindOf(err) != fault.State {
		t.Errorf("the instant is put later: %v", err)
	}
	next, err := s.Ensure(t.Context(), who)
	if err != nil || next.ID == k.ID {
		t.Errorf("%v %v", next, err)
	}
	all, err := s.List(t.Context(), who)
	if err != nil {
		t.Fatal(err)
	}
	const did = "did:web:x"
	key, err := Resolver(did, all)(Method(did, k.ID), "assertionMethod")
	if err != nil || key.Revoked == nil || !key.Revoked.Equal(from) {
		t.Errorf("%+v %v", key, err)
	}
	if set, err := JWKs(did, all); err != nil || len(set) != 1 {
		t.Errorf("a set that cannot say since when has the key: %v %v", set, err)
	}
	if _, err := s.Withdraw(t.Context(), who, k.ID, nil); err != nil {
		t.Fatal(err)
	}
	if all, err = s.List(t.Context(), who); err != nil || len(Methods(did, all)) != 1 {
		t.Errorf("a key that never was alone is published: %v", err)
	}
}

// TestTheTestKeysOfTheStandardsAreKnown reads the official examples: whatever
// key stands in them is refused.
func TestTheTestKeysOfTheStandardsAreKnown(t *testing.T) {
	word := regexp.MustCompile(`z[1-9A-HJ-NP-Za-km-z]{45,80}`)
	found := map[string]bool{}
	for _, dir := range []string{"examples/w3c-vectors/*.json", "examples/ob3/*.json"} {
		for _, f := range standards.Glob(t, dir) {
			for _, k := range word.FindAllString(string(standards.Read(t, f[strings.Index(f, "examples/"):])), -1) {
				if _, err := vc.ParseMultikey(k); err == nil {
					found[k] = true
				}
			}
		}
	}
	if len(found) < 8 {
		t.Fatalf("only %d keys in the examples", len(found))
	}
	for k := range found {
		if !IsTestKey(k) {
			t.Errorf("%s is not known", k)
		}
	}
	s, who, _ := setup(t)
	own, err := s.Ensure(t.Context(), who)
	if err != nil || IsTestKey(own.PublicKeyMultibase) || s.Check(t.Context(), who) != nil {
		t.Errorf("a key of our own is refused: %v", err)
	}
	err = s.DB.Tenant(t.Context(), access.SystemOf(who.InstitutionID, "test"), func(tx pgx.Tx) error {
		_, err := tx.Exec(context.Background(), "update signing_key set public_key_multibase = $1", slices.Sorted(maps.Keys(found))[0])
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Check(t.Context(), who); fault.KindOf(err) != fault.State || !strings.Contains(err.Error(), own.ID) {
		t.Errorf("a test key signs: %v", err)
	}
}

func TestTheMasterKeyComesFromAFileOrACommand(t *testing.T) {
	text, err := NewMaster()
	if err != nil {
		t.Fatal(err)
	}
	want, err := ParseMaster(text)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "master")
	if err := os.WriteFile(name, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if m, err := MasterFile(name); err != nil || m != want {
		t.Errorf("%v", err)
	}
	if m, err := MasterCommand(t.Context(), "cat", name); err != nil || m != want {
		t.Errorf("%v", err)
	}
	if err := os.Chmod(name, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := MasterFile(name); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a file that all may read: %v", err)
	}
	if _, err := MasterFile(filepath.Dir(name)); err == nil {
		t.Error("a directory is a key")
	}
	for _, bad := range [][]string{{"false"}, {"echo", "secret-but-no-key"}, {"no-such-program-here"}, {"yes"}} {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		_, err := MasterCommand(ctx, bad[0], bad[1:]...)
		cancel()
		if err == nil || strings.Contains(err.Error(), "secret-but-no-key") && bad[0] != "echo" {
			t.Errorf("%v: %v", bad, err)
		}
	}
	_, err = MasterCommand(t.Context(), "sh", "-c", "echo 0123-the-output; echo the key service is away >&2; exit 1")
	if err == nil || !strings.Contains(err.Error(), "the key service is away") || strings.Contains(err.Error(), "0123-the-output") {
		t.Errorf("%v", err)
	}
}
