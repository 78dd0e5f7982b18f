// Package keyring is an institution's signing keys: made here, sealed at rest,
// rotated, and published as a did:web document and a JWKS.
//
// The private half of a key is sealed with AES-256-GCM under the master key,
// bound to its institution and id, so that a row copied elsewhere does not open.
// It is opened for one signature, inside a transaction that only the service's
// own work can read, and is never logged. Protected: keys in a stolen database
// or backup without the master key. Not protected: a host that is taken over
// while it runs.
package keyring

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/audit"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/id"
	"github.com/testamur/testamur/internal/pg"
	"github.com/testamur/testamur/internal/spec/vc"
)

// Master seals private keys. It is 32 bytes from the operator's file or
// environment.
type Master [32]byte

// ParseMaster reads a master key in hexadecimal, and refuses those that
// everybody knows.
func ParseMaster(text string) (Master, error) {
	var m Master
	raw, err := hex.DecodeString(strings.TrimSpace(text))
	if err != nil || len(raw) != len(m) {
		return m, errors.New("a master key is 64 hexadecimal digits")
	}
	copy(m[:], raw)
	if slices.Equal(raw, make([]byte, len(m))) || len(slices.Compact(slices.Clone(raw))) < 8 {
		return m, errors.New("this master key can be guessed: make one at random")
	}
	return m, nil
}

// NewMaster is a random master key in hexadecimal.
func NewMaster() (string, error) {
	var m Master
	_, err := rand.Read(m[:])
	return hex.EncodeToString(m[:]), err
}

// seal encrypts a private key for its place.
func (m Master) seal(private []byte, place string) ([]byte, error) {
	aead, err := m.aead()
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, aead.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return nil, err
	}
	return aead.Seal(nonce, nonce, private, []byte(place)), nil
}

// open decrypts a private key in its place.
func (m Master) open(sealed []byte, place string) ([]byte, error) {
	aead, err := m.aead()
	if err != nil {
		return nil, err
	}
	if len(sealed) < aead.NonceSize() {
		return nil, errors.New("sealed key is too short")
	}
	private, err := aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], []byte(place))
	if err != nil {
		return nil, fmt.Errorf("the signing key does not open: the master key is not the one it was sealed with, or the key was tampered with: %w", err)
	}
	return private, nil
}

func (m Master) aead() (cipher.AEAD, error) {
	block, err := aes.NewCipher(m[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// The states of a key.
const (
	Active      = "active"
	Retired     = "retired"     // signs no more; what it signed still verifies
	Compromised = "compromised" // published no more; what it signed does not verify
)

// Key is the public side of a signing key.
type Key struct {
	ID                 string
	Algorithm          string
	PublicKeyMultibase string
	State              string
	CreatedAt          time.Time
	RetiredAt          *time.Time
}

// Service keeps keys.
type Service struct {
	DB     *pg.DB
	Now    func() time.Time
	NewID  id.Source
	Master Master
}

// Ensure is the active key, made when there is none. Only the service's own
// work signs.
func (s *Service) Ensure(ctx context.Context, who access.Actor) (Key, error) {
	if err := access.Check(who, access.Issue); err != nil {
		return Key{}, err
	}
	var k Key
	system := access.SystemOf(who.InstitutionID, "keyring")
	err := s.DB.Tenant(ctx, system, func(tx pgx.Tx) (err error) {
		k, err = active(ctx, tx, system)
		if !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		k, err = s.make(ctx, tx, system)
		return err
	})
	if pg.Constraint(err) == "signing_key_one_active" || fault.KindOf(err) == fault.Conflict {
		err = s.DB.Tenant(ctx, system, func(tx pgx.Tx) (err error) { k, err = active(ctx, tx, system); return err })
	}
	return k, err
}

// Rotate retires the active key and makes another.
func (s *Service) Rotate(ctx context.Context, who access.Actor) (Key, error) {
	if err := access.Check(who, access.ManageInstitution); err != nil {
		return Key{}, err
	}
	var k Key
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) (err error) {
		if old, err := active(ctx, tx, who); err == nil {
			if err := setState(ctx, tx, who, old.ID, Retired, pg.Instant(s.Now())); err != nil {
				return err
			}
		} else if !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		k, err = s.make(ctx, tx, who)
		return err
	})
	return k, err
}

// Withdraw marks a key as compromised: it is published no more. NotFound when
// there is none such.
func (s *Service) Withdraw(ctx context.Context, who access.Actor, key string) (Key, error) {
	if err := access.Check(who, access.ManageInstitution); err != nil {
		return Key{}, err
	}
	var k Key
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) error {
		all, err := list(ctx, tx, who)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(all, func(k Key) bool { return k.ID == key })
		if i < 0 {
			return fault.Missing("key")
		}
		now := pg.Instant(s.Now())
		k = all[i]
		k.State, k.RetiredAt = Compromised, &now
		if err := setState(ctx, tx, who, key, Compromised, now); err != nil {
			return err
		}
		return audit.Write(ctx, tx, now, who, audit.Entry{Action: access.ManageInstitution, Target: key, Detail: map[string]any{"key": Compromised}})
	})
	return k, err
}

// List are all keys, newest first; they are public.
func (s *Service) List(ctx context.Context, who access.Actor) ([]Key, error) {
	if err := access.Check(who, access.ReadProfile); err != nil {
		return nil, err
	}
	var all []Key
	err := s.DB.Snapshot(ctx, who, func(tx pgx.Tx) (err error) {
		all, err = list(ctx, tx, who)
		return err
	})
	return all, err
}

// Sign signs each of the data with one key of the institution, in order. What
// is signed was checked by the caller. State when the key signs no more.
func (s *Service) Sign(ctx context.Context, who access.Actor, key string, data ...[]byte) ([][]byte, error) {
	if err := access.Check(who, access.Issue); err != nil {
		return nil, err
	}
	var sealed []byte
	system := access.SystemOf(who.InstitutionID, "keyring")
	err := s.DB.Tenant(ctx, system, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, `
			select s.sealed
			from signing_key_secret s
			join signing_key k on k.institution_id = s.institution_id and k.id = s.key_id
			where s.institution_id = @institution and s.key_id = @key and k.state = 'active'`,
			pgx.NamedArgs{"institution": who.InstitutionID, "key": key}).Scan(&sealed)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, &fault.Error{Kind: fault.State, Rule: "key-active", Message: "The signing key was retired meanwhile. Try again; the present key will be used."}
	}
	if err != nil {
		return nil, err
	}
	private, err := s.Master.open(sealed, place(who.InstitutionID, key))
	if err != nil {
		return nil, err
	}
	defer clear(private)
	signatures := make([][]byte, len(data))
	for i, d := range data {
		signatures[i] = ed25519.Sign(ed25519.PrivateKey(private), d)
	}
	return signatures, nil
}

func place(institution, key string) string { return institution + "/" + key }

// make makes a key and writes both halves.
func (s *Service) make(ctx context.Context, tx pgx.Tx, who access.Actor) (Key, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return Key{}, err
	}
	defer clear(private)
	k := Key{ID: s.NewID("key"), Algorithm: "Ed25519", PublicKeyMultibase: vc.Multikey(public), State: Active, CreatedAt: pg.Instant(s.Now())}
	sealed, err := s.Master.seal(private, place(who.InstitutionID, k.ID))
	if err != nil {
		return Key{}, err
	}
	_, err = tx.Exec(ctx, `
		insert into signing_key (institution_id, id, algorithm, public_key_multibase, state, created_at)
		values (@institution, @id, @algorithm, @public, @state, @created)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": k.ID, "algorithm": k.Algorithm, "public": k.PublicKeyMultibase, "state": k.State, "created": k.CreatedAt})
	if err != nil {
		return Key{}, err
	}
	_, err = tx.Exec(ctx, `insert into signing_key_secret (institution_id, key_id, sealed) values (@institution, @id, @sealed)`,
		pgx.NamedArgs{"institution": who.InstitutionID, "id": k.ID, "sealed": sealed})
	if err != nil {
		return Key{}, err
	}
	return k, audit.Write(ctx, tx, s.Now(), who, audit.Entry{Action: access.ManageInstitution, Target: k.ID, Detail: map[string]any{"key": "made"}})
}

const columns = `id, algorithm, public_key_multibase, state, created_at, retired_at`

func active(ctx context.Context, tx pgx.Tx, who access.Actor) (Key, error) {
	rows, _ := tx.Query(ctx, `select `+columns+` from signing_key where institution_id = @institution and state = 'active' and algorithm = 'Ed25519'`,
		pgx.NamedArgs{"institution": who.InstitutionID})
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Key])
}

func list(ctx context.Context, tx pgx.Tx, who access.Actor) ([]Key, error) {
	rows, _ := tx.Query(ctx, `select `+columns+` from signing_key where institution_id = @institution order by created_at desc, id desc`,
		pgx.NamedArgs{"institution": who.InstitutionID})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Key])
}

func setState(ctx context.Context, tx pgx.Tx, who access.Actor, key, state string, now time.Time) error {
	done, err := tx.Exec(ctx, `update signing_key set state = @state, retired_at = coalesce(retired_at, @now) where institution_id = @institution and id = @key`,
		pgx.NamedArgs{"institution": who.InstitutionID, "key": key, "state": state, "now": now})
	if err == nil && done.RowsAffected() == 0 {
		return fault.Missing("key")
	}
	return err
}

// Methods are the keys that verify, as methods of the institution's DID.
func Methods(did string, keys []Key) []vc.Method {
	var all []vc.Method
	for _, k := range keys {
		if k.State != Compromised && k.Algorithm == "Ed25519" {
			all = append(all, vc.Method{ID: Method(did, k.ID), Type: "Multikey", Controller: did, PublicKey: k.PublicKeyMultibase})
		}
	}
	return all
}

// Method is the address of a key in the institution's DID document.
func Method(did, key string) string { return did + "#" + key }

// Resolver gives the institution's own keys, without asking the network.
func Resolver(did string, keys []Key) vc.Resolver {
	document, err := json.Marshal(vc.NewController(did, Methods(did, keys)))
	return func(method, purpose string) (vc.Key, error) {
		if err != nil {
			return vc.Key{}, err
		}
		return vc.KeyOf(document, method, purpose)
	}
}
