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
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
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
	Compromised = "compromised" // what it signed since then does not verify
)

// The algorithms of keys.
const (
	Ed25519 = "Ed25519"
	P256    = "P-256"
	P384    = "P-384"
)

// Algorithms are all algorithms; credentials are signed with the first.
func Algorithms() []string { return []string{Ed25519, P256, P384} }

// Key is the public side of a signing key.
type Key struct {
	ID                 string
	Algorithm          string
	PublicKeyMultibase string
	State              string
	CreatedAt          time.Time
	RetiredAt          *time.Time
	CompromisedFrom    *time.Time // what it signed before verifies
}

// Service keeps keys.
type Service struct {
	DB     *pg.DB
	Now    func() time.Time
	NewID  id.Source
	Master Master
}

// Ensure is the active Ed25519 key, made when there is none. Only the service's
// own work signs.
func (s *Service) Ensure(ctx context.Context, who access.Actor) (Key, error) {
	return s.EnsureOf(ctx, who, Ed25519)
}

// EnsureOf is the active key of an algorithm, made when there is none.
func (s *Service) EnsureOf(ctx context.Context, who access.Actor, algorithm string) (Key, error) {
	if err := access.Check(who, access.Issue); err != nil {
		return Key{}, err
	}
	if err := checkAlgorithm(algorithm); err != nil {
		return Key{}, err
	}
	var k Key
	system := access.SystemOf(who.InstitutionID, "keyring")
	err := s.DB.Snapshot(ctx, system, func(tx pgx.Tx) (err error) { k, err = active(ctx, tx, system, algorithm); return err })
	if !errors.Is(err, pgx.ErrNoRows) {
		return k, err
	}
	err = s.DB.Tenant(ctx, system, func(tx pgx.Tx) (err error) { k, err = s.make(ctx, tx, system, algorithm); return err })
	if pg.Constraint(err) == "signing_key_one_active" || fault.KindOf(err) == fault.Conflict {
		err = s.DB.Snapshot(ctx, system, func(tx pgx.Tx) (err error) { k, err = active(ctx, tx, system, algorithm); return err })
	}
	return k, err
}

func checkAlgorithm(algorithm string) error {
	if !slices.Contains(Algorithms(), algorithm) {
		return fault.At("algorithm", "algorithm-known", "%q is not an algorithm of keys here. There are: %s.", algorithm, strings.Join(Algorithms(), ", "))
	}
	return nil
}

// Rotate retires the active key of an algorithm and makes another. A second
// rotation at the same moment is a Conflict.
func (s *Service) Rotate(ctx context.Context, who access.Actor, algorithm string) (Key, error) {
	if err := access.Check(who, access.ManageInstitution); err != nil {
		return Key{}, err
	}
	if err := checkAlgorithm(algorithm); err != nil {
		return Key{}, err
	}
	var k Key
	err := s.DB.Tenant(ctx, who, func(tx pgx.Tx) (err error) {
		if old, err := active(ctx, tx, who, algorithm); err == nil {
			if err := retire(ctx, tx, who, old.ID, pg.Instant(s.Now())); err != nil {
				return err
			}
		} else if !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		k, err = s.make(ctx, tx, who, algorithm)
		return err
	})
	return k, err
}

// Withdraw marks a key as compromised from an instant on, or from its beginning
// when that is not known. What it signed since does not verify; what it signed
// before does. It signs no more, and the next signature is made with a new key.
// A second withdrawal may only put the instant earlier. NotFound when there is
// no such key.
func (s *Service) Withdraw(ctx context.Context, who access.Actor, key string, from *time.Time) (Key, error) {
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
		k = all[i]
		now := pg.Instant(s.Now())
		since, no := k.since(from, now)
		if no != nil {
			return no
		}
		if k.CompromisedFrom != nil && k.CompromisedFrom.Equal(since) {
			return nil
		}
		k.State, k.CompromisedFrom = Compromised, &since
		if k.RetiredAt == nil {
			k.RetiredAt = &now
		}
		if err := compromise(ctx, tx, who, k); err != nil {
			return err
		}
		return audit.Write(ctx, tx, now, who, audit.Entry{Action: access.ManageInstitution, Target: key,
			Detail: map[string]any{"key": Compromised, "from": since.Format(time.RFC3339)}})
	})
	return k, err
}

// since is from when on the key is compromised.
func (k Key) since(from *time.Time, now time.Time) (time.Time, *fault.Error) {
	since := k.CreatedAt
	if from != nil && from.After(since) {
		since = pg.Instant(*from)
	}
	switch {
	case since.After(now):
		return since, fault.At("from", "in-the-past", "A key cannot be known to be in other hands from a day that is to come. Withdraw it from now.")
	case k.CompromisedFrom != nil && since.After(*k.CompromisedFrom):
		return since, &fault.Error{Kind: fault.State, Field: "from", Rule: "earlier", Message: "This key was withdrawn from an earlier instant; that can only be put earlier still."}
	}
	return since, nil
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
	signatures := make([][]byte, len(data))
	err := s.opened(ctx, who, key, func(private crypto.Signer, _ string) (err error) {
		for i, d := range data {
			if signatures[i], err = vc.Sign(private, d); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return signatures, nil
}

// opened uses the private half of an active key; nothing of it is left after.
func (s *Service) opened(ctx context.Context, who access.Actor, key string, use func(private crypto.Signer, algorithm string) error) error {
	var sealed []byte
	var algorithm string
	system := access.SystemOf(who.InstitutionID, "keyring")
	err := s.DB.Tenant(ctx, system, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, `
			select s.sealed, k.algorithm
			from signing_key_secret s
			join signing_key k on k.institution_id = s.institution_id and k.id = s.key_id
			where s.institution_id = @institution and s.key_id = @key and k.state = 'active'`,
			pgx.NamedArgs{"institution": who.InstitutionID, "key": key}).Scan(&sealed, &algorithm)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return &fault.Error{Kind: fault.State, Rule: "key-active", Message: "The signing key was retired meanwhile. Try again; the present key will be used."}
	}
	if err != nil {
		return err
	}
	opened, err := s.Master.open(sealed, place(who.InstitutionID, key))
	if err != nil {
		return err
	}
	defer clear(opened)
	private, err := parse(algorithm, opened)
	if err != nil {
		return err
	}
	return use(private, algorithm)
}

// curves are the algorithms of ECDSA.
var curves = map[string]elliptic.Curve{P256: elliptic.P256(), P384: elliptic.P384()}

// generate makes a key: the public half as a Multikey, the private half as the
// bytes that are sealed.
func generate(algorithm string) (public string, private []byte, err error) {
	if algorithm == Ed25519 {
		pub, priv, err := ed25519.GenerateKey(rand.Reader)
		return vc.Multikey(pub), priv, err
	}
	k, err := ecdsa.GenerateKey(curves[algorithm], rand.Reader)
	if err != nil {
		return "", nil, err
	}
	private, err = k.Bytes()
	return vc.Multikey(k.Public()), private, err
}

// parse is an opened private key.
func parse(algorithm string, raw []byte) (crypto.Signer, error) {
	if algorithm == Ed25519 {
		if len(raw) != ed25519.PrivateKeySize {
			return nil, fmt.Errorf("a sealed Ed25519 key of %d bytes", len(raw))
		}
		return ed25519.PrivateKey(raw), nil
	}
	curve, ok := curves[algorithm]
	if !ok {
		return nil, fmt.Errorf("no algorithm %q", algorithm)
	}
	return ecdsa.ParseRawPrivateKey(curve, raw)
}

func place(institution, key string) string { return institution + "/" + key }

// make makes a key and writes both halves.
func (s *Service) make(ctx context.Context, tx pgx.Tx, who access.Actor, algorithm string) (Key, error) {
	public, private, err := generate(algorithm)
	if err != nil {
		return Key{}, err
	}
	defer clear(private)
	k := Key{ID: s.NewID("key"), Algorithm: algorithm, PublicKeyMultibase: public, State: Active, CreatedAt: pg.Instant(s.Now())}
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
	return k, audit.Write(ctx, tx, s.Now(), who, audit.Entry{Action: access.ManageInstitution, Target: k.ID, Detail: map[string]any{"key": "made", "algorithm": algorithm}})
}

const columns = `id, algorithm, public_key_multibase, state, created_at, retired_at, compromised_from`

func active(ctx context.Context, tx pgx.Tx, who access.Actor, algorithm string) (Key, error) {
	rows, _ := tx.Query(ctx, `select `+columns+` from signing_key where institution_id = @institution and state = 'active' and algorithm = @algorithm`,
		pgx.NamedArgs{"institution": who.InstitutionID, "algorithm": algorithm})
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Key])
}

func list(ctx context.Context, tx pgx.Tx, who access.Actor) ([]Key, error) {
	rows, _ := tx.Query(ctx, `select `+columns+` from signing_key where institution_id = @institution order by created_at desc, id desc`,
		pgx.NamedArgs{"institution": who.InstitutionID})
	return pgx.CollectRows(rows, pgx.RowToStructByName[Key])
}

// retire ends the signing of an active key; one that somebody else retired at
// this moment is a Conflict.
func retire(ctx context.Context, tx pgx.Tx, who access.Actor, key string, now time.Time) error {
	done, err := tx.Exec(ctx, `update signing_key set state = 'retired', retired_at = @now where institution_id = @institution and id = @key and state = 'active'`,
		pgx.NamedArgs{"institution": who.InstitutionID, "key": key, "now": now})
	if err == nil && done.RowsAffected() == 0 {
		return &fault.Error{Kind: fault.Conflict, Rule: "rotated-at-once", Message: "Somebody else rotated this key at the same moment. Look at the keys before you rotate again."}
	}
	return err
}

func compromise(ctx context.Context, tx pgx.Tx, who access.Actor, k Key) error {
	done, err := tx.Exec(ctx, `
		update signing_key set state = @state, retired_at = @retired, compromised_from = @since
		where institution_id = @institution and id = @key`,
		pgx.NamedArgs{"institution": who.InstitutionID, "key": k.ID, "state": k.State, "retired": k.RetiredAt, "since": k.CompromisedFrom})
	if err == nil && done.RowsAffected() == 0 {
		return fault.Missing("key")
	}
	return err
}

// JWKs are the keys that verify, as JSON Web Keys, RFC 7517: a set that cannot
// say from when on a key verifies nothing leaves out compromised ones.
func JWKs(did string, keys []Key) ([]vc.JWK, error) {
	all := []vc.JWK{}
	for _, m := range Methods(did, keys) {
		if m.Revoked != "" {
			continue
		}
		k, err := vc.NewJWK(m)
		if err != nil {
			return nil, err
		}
		all = append(all, k)
	}
	return all, nil
}

// Methods are the keys that verify anything, as methods of the institution's
// DID: those in use, those of the past, and those that were compromised later
// than they were made, with the instant from which on they verify nothing.
func Methods(did string, keys []Key) []vc.Method {
	var all []vc.Method
	for _, k := range keys {
		m := vc.Method{ID: Method(did, k.ID), Type: "Multikey", Controller: did, PublicKey: k.PublicKeyMultibase}
		if k.CompromisedFrom != nil {
			if !k.CompromisedFrom.After(k.CreatedAt) {
				continue
			}
			m.Revoked = k.CompromisedFrom.UTC().Format(time.RFC3339)
		}
		all = append(all, m)
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
