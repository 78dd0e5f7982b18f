package credential

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/institution"
	"github.com/testamur/testamur/internal/keyring"
	"github.com/testamur/testamur/internal/pg"
	"github.com/testamur/testamur/internal/spec/bitstring"
	"github.com/testamur/testamur/internal/spec/vc"
)

// A credential has one entry, because Open Badges 3.0 allows credentialStatus
// to be one object only (§B.1.1, 0..1), of purpose revocation, which every
// verifier of this field looks at. Its bit is set while
// the credential is revoked or suspended: whoever reads the list learns that it
// is not to be relied on, and not that there is a hold on somebody, which is
// nobody else's business. Lifting a suspension clears the bit; a revocation is
// never cleared. Which of the two it is, and why, tells the institution itself:
// the credential's address, and its own verification. Lists of suspensions are
// lent to credentials of other kinds alone.
const ownPurpose = bitstring.Revocation

// The size and age of a list.
const (
	listSize    = 1 << 17                  // Bitstring Status List 1.0 §2.2: at least 131,072 places, the herd that one hides in
	listTTL     = 45 * time.Second         // how long others may keep a list
	listLook    = 10 * time.Second         // how long a process may: together below the minute in which a change is public
	listValid   = 7 * 24 * time.Hour       // after which a list nobody renewed says nothing
	listRenewed = listValid - 24*time.Hour // how long before its end a list that is asked for is signed again
)

// place is where a credential's bit is.
type place struct{ List, Index int }

func (p place) entry(base, purpose string) bitstring.Entry {
	return bitstring.NewEntry(ListURL(base, p.List), purpose, p.Index)
}

// ListURL is the address of an institution's status list.
func ListURL(base string, number int) string { return base + "/status/" + strconv.Itoa(number) }

// take hands out n places in lists of a purpose that were never handed out
// before, in an order that nobody can foresee. It commits at once: a place that
// is then not used is lost, and never given to another.
func (s *Service) take(ctx context.Context, who access.Actor, purpose string, n int) ([]place, error) {
	system := access.SystemOf(who.InstitutionID, "status")
	var all []place
	err := s.DB.Tenant(ctx, system, func(tx pgx.Tx) error {
		for len(all) < n {
			var number, size, from, to int
			var secret []byte
			err := tx.QueryRow(ctx, `
				with open as (
					select number, taken from status_list
					where institution_id = @institution and purpose = @purpose and taken < size
					order by number
					limit 1
					for update)
				update status_list l
				set taken = least(l.size, open.taken + @n)
				from open
				where l.institution_id = @institution and l.number = open.number
				returning l.number, l.size, open.taken, l.taken, l.shuffle`,
				pgx.NamedArgs{"institution": who.InstitutionID, "purpose": purpose, "n": n - len(all)}).Scan(&number, &size, &from, &to, &secret)
			if errors.Is(err, pgx.ErrNoRows) {
				if err := s.open(ctx, tx, system, purpose); err != nil {
					return err
				}
				continue
			}
			if err != nil {
				return err
			}
			order := newOrder(secret, size)
			for i := from; i < to; i++ {
				all = append(all, place{number, order.at(i)})
			}
		}
		return nil
	})
	if pg.Constraint(err) == "status_list_pkey" { // somebody else opened it at this moment
		return s.take(ctx, who, purpose, n)
	}
	return all, err
}

// open makes the institution's next list, of a purpose.
func (s *Service) open(ctx context.Context, tx pgx.Tx, who access.Actor, purpose string) error {
	secret := make([]byte, sha256.Size)
	if _, err := rand.Read(secret); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `
		insert into status_list (institution_id, number, purpose, size, shuffle, created_at)
		select @institution, coalesce(max(number), 0) + 1, @purpose, @size, @secret, @now
		from status_list where institution_id = @institution`,
		pgx.NamedArgs{"institution": who.InstitutionID, "purpose": purpose, "size": listSize, "secret": secret, "now": pg.Instant(s.Now())})
	return err
}

// order is a secret permutation of the places of a list: a balanced Feistel
// network over the next even number of bits, walked until it falls inside.
type order struct {
	secret []byte
	size   int
	half   uint // bits
}

func newOrder(secret []byte, size int) order {
	bits := uint(1)
	for 1<<bits < size {
		bits++
	}
	return order{secret: secret, size: size, half: (bits + 1) / 2}
}

// at is the place that is handed out as the i-th.
func (o order) at(i int) int {
	x := uint32(i)
	for {
		if x = o.round(x); int(x) < o.size {
			return int(x)
		}
	}
}

// rounds of the network; four make it a strong pseudo-random permutation (Luby
// and Rackoff), the rest is margin.
const rounds = 6

func (o order) round(x uint32) uint32 {
	mask := uint32(1)<<o.half - 1
	l, r := x>>o.half&mask, x&mask
	var in [sha256.Size + 5]byte
	copy(in[:], o.secret)
	for i := range byte(rounds) {
		in[sha256.Size] = i
		binary.BigEndian.PutUint32(in[sha256.Size+1:], r)
		sum := sha256.Sum256(in[:])
		l, r = r, l^binary.BigEndian.Uint32(sum[:])&mask
	}
	return l<<o.half | r
}

// List is a published status list.
type List struct {
	Document    []byte    // a signed BitstringStatusListCredential
	ETag        string    // changes with the document
	PublishedAt time.Time // when it was signed
	MaxAge      time.Duration
}

// published are lists as this process served them last.
type published struct {
	mu  sync.Mutex
	all map[listKey]seen
}

type listKey struct {
	institution string
	number      int
}

type seen struct {
	list List
	at   time.Time
}

// maxSeen is how many lists a process remembers; a list is some 20 KB.
const maxSeen = 1000

// StatusList is an institution's list by number, signed and up to date, for
// everyone. NotFound when there is none. A change is public within the minute.
func (s *Service) StatusList(ctx context.Context, who access.Actor, number int) (List, error) {
	if err := access.Check(who, access.ReadProfile); err != nil {
		return List{}, err
	}
	key := listKey{who.InstitutionID, number}
	now := s.Now()
	s.published.mu.Lock()
	known, ok := s.published.all[key]
	s.published.mu.Unlock()
	if ok && now.Sub(known.at) < listLook && !now.Before(known.at) {
		return known.list, nil
	}
	l, err := s.publish(ctx, access.SystemOf(who.InstitutionID, "status"), number)
	if err != nil {
		return List{}, err
	}
	s.published.mu.Lock()
	defer s.published.mu.Unlock()
	if s.published.all == nil || len(s.published.all) >= maxSeen {
		s.published.all = map[listKey]seen{}
	}
	s.published.all[key] = seen{l, now}
	return l, nil
}

// kept is a list in the database.
type kept struct {
	Purpose     string
	Size        int
	ContentHash []byte
	Document    *string
	PublishedAt *time.Time
}

// publish is the list as it is to be shown now: what was signed last if it
// still says the truth, signed again if not.
func (s *Service) publish(ctx context.Context, system access.Actor, number int) (List, error) {
	var k kept
	var in institution.Institution
	var set []int32
	err := s.DB.Snapshot(ctx, system, func(tx pgx.Tx) (err error) {
		if in, err = institution.InTx(ctx, tx, system); err != nil {
			return err
		}
		k, set, err = listed(ctx, tx, system, number)
		return err
	})
	if err != nil {
		return List{}, err
	}
	hash := contentOf(set)
	now := pg.Instant(s.Now()).Truncate(time.Second)
	if k.Document != nil && bytes.Equal(hash, k.ContentHash) && now.Before(k.PublishedAt.Add(listRenewed)) {
		return asList(*k.Document, *k.PublishedAt), nil
	}
	bits, err := k.bits(set)
	if err != nil {
		return List{}, err
	}
	document, err := s.signList(ctx, system, in, number, k.Purpose, bits, now)
	if err != nil {
		return List{}, err
	}
	err = s.DB.Tenant(ctx, system, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `
			update status_list set content_hash = @hash, document = @document, published_at = @now
			where institution_id = @institution and number = @number and (published_at is null or published_at <= @now)`,
			pgx.NamedArgs{"institution": system.InstitutionID, "number": number, "hash": hash, "document": string(document), "now": now})
		return err
	})
	return asList(string(document), now), err
}

// bits is the list with the bits of its places set.
func (k kept) bits(set []int32) (bitstring.List, error) {
	bits, err := bitstring.New(k.Size, 1)
	for _, i := range set {
		if err == nil {
			err = bits.Set(int(i), 1)
		}
	}
	return bits, err
}

// EachList signs every status list of the institution as it stands at the moment
// that the context's view sees, from an instant on, and hands each out with its
// number. Nothing of it is kept or published.
func (s *Service) EachList(ctx context.Context, who access.Actor, at time.Time, told func(number int, document []byte) error) error {
	if err := access.Check(who, access.Archive); err != nil {
		return err
	}
	var in institution.Institution
	var numbers []int
	err := s.DB.Snapshot(ctx, who, func(tx pgx.Tx) (err error) {
		if in, err = institution.InTx(ctx, tx, who); err != nil {
			return err
		}
		rows, _ := tx.Query(ctx, `select number from status_list where institution_id = @institution order by number`, pgx.NamedArgs{"institution": who.InstitutionID})
		numbers, err = pgx.CollectRows(rows, pgx.RowTo[int])
		return err
	})
	for _, n := range numbers {
		var k kept
		var set []int32
		if err == nil {
			err = s.DB.Snapshot(ctx, who, func(tx pgx.Tx) (err error) { k, set, err = listed(ctx, tx, who, n); return err })
		}
		if err != nil {
			return err
		}
		bits, err := k.bits(set)
		if err != nil {
			return err
		}
		document, err := s.signList(ctx, access.SystemOf(who.InstitutionID, "status"), in, n, k.Purpose, bits, at)
		if err != nil {
			return err
		}
		if err := told(n, document); err != nil {
			return err
		}
	}
	return err
}

// listed is a list with the places of what does not stand.
func listed(ctx context.Context, tx pgx.Tx, who access.Actor, number int) (k kept, set []int32, err error) {
	rows, _ := tx.Query(ctx, `select purpose, size, content_hash, document, published_at from status_list where institution_id = @institution and number = @number`,
		pgx.NamedArgs{"institution": who.InstitutionID, "number": number})
	k, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[kept])
	if errors.Is(err, pgx.ErrNoRows) {
		return k, nil, fault.Missing("status list")
	}
	if err != nil {
		return k, nil, err
	}
	rows, _ = tx.Query(ctx, `
		select status_index from credential
		where institution_id = @institution and status_list = @number and status <> 'active'
		union
		select index from lent_place
		where institution_id = @institution and list = @number and revoked_at is not null
		order by 1`, pgx.NamedArgs{"institution": who.InstitutionID, "number": number})
	set, err = pgx.CollectRows(rows, pgx.RowTo[int32])
	return k, set, err
}

func contentOf(set []int32) []byte {
	h := sha256.New()
	for _, i := range set {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], uint32(i))
		h.Write(b[:])
	}
	return h.Sum(nil)
}

func asList(document string, at time.Time) List {
	sum := sha256.Sum256([]byte(document))
	return List{Document: []byte(document), ETag: fmt.Sprintf(`"%x"`, sum[:16]), PublishedAt: at, MaxAge: listTTL}
}

// signList signs a list with the institution's present key.
func (s *Service) signList(ctx context.Context, system access.Actor, in institution.Institution, number int, purpose string, bits bitstring.List, now time.Time) ([]byte, error) {
	key, err := s.Keys.Ensure(ctx, system)
	if err != nil {
		return nil, err
	}
	did, err := in.DID(s.Origin)
	if err != nil {
		return nil, err
	}
	document, err := bitstring.Compose(bitstring.Credential{ID: ListURL(in.Base(s.Origin), number), Issuer: did, ValidFrom: Instant(now),
		ValidUntil: Instant(now.Add(listValid)), Purposes: []string{purpose}, List: bits, TTL: listTTL})
	if err != nil {
		return nil, err
	}
	d, err := vc.Prepare(document, vc.EdDSARDFC, keyring.Method(did, key.ID), now)
	if err != nil {
		return nil, err
	}
	signatures, err := s.Keys.Sign(ctx, system, key.ID, d.Hash)
	if err != nil {
		return nil, err
	}
	return vc.Secure(document, d.Attach(signatures[0]))
}
