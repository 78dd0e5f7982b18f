package keyring

import (
	"context"
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/pg"
)

// Derive is a secret for a place, which only the master key gives: the same each
// time, and nothing to keep.
func (m Master) Derive(place string) []byte {
	h := hmac.New(sha256.New, m[:])
	h.Write([]byte("testamur derived secret\n" + place))
	return h.Sum(nil)
}

// Certificate is the X.509 certificate of an ECDSA key of the institution, in DER,
// made the first time it is asked for. It is signed by the key itself and names
// the key's address in the institution's DID document, where a reader finds the
// same key: that, and no authority, is what it rests on. It has no end before the
// key's own, RFC 5280 §4.1.2.5. State when the key signs no more and has none.
func (s *Service) Certificate(ctx context.Context, who access.Actor, key, name, did string) ([]byte, error) {
	if err := access.Check(who, access.Issue); err != nil {
		return nil, err
	}
	der, err := s.certificate(ctx, who, key)
	if !errors.Is(err, pgx.ErrNoRows) {
		return der, err
	}
	made, err := s.certify(ctx, who, key, name, did)
	if err != nil {
		return nil, err
	}
	system := access.SystemOf(who.InstitutionID, "keyring")
	err = s.DB.Tenant(ctx, system, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `
			insert into signing_certificate (institution_id, key_id, der, made_at)
			values (@institution, @key, @der, @now)
			on conflict do nothing`,
			pgx.NamedArgs{"institution": who.InstitutionID, "key": key, "der": made, "now": pg.Instant(s.Now())})
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.certificate(ctx, who, key)
}

func (s *Service) certificate(ctx context.Context, who access.Actor, key string) (der []byte, err error) {
	system := access.SystemOf(who.InstitutionID, "keyring")
	err = s.DB.Snapshot(ctx, system, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, `select der from signing_certificate where institution_id = @institution and key_id = @key`,
			pgx.NamedArgs{"institution": who.InstitutionID, "key": key}).Scan(&der)
	})
	return der, err
}

// noEnd is a certificate without an end, RFC 5280 §4.1.2.5.
var noEnd = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)

// certify makes a certificate.
func (s *Service) certify(ctx context.Context, who access.Actor, key, name, did string) ([]byte, error) {
	method, err := url.Parse(Method(did, key))
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	if r := []rune(name); len(r) > 64 { // RFC 5280 Appendix A: ub-common-name
		name = string(r[:64])
	}
	c := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: s.Now().Add(-time.Hour), NotAfter: noEnd,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment, URIs: []*url.URL{method}, BasicConstraintsValid: true}
	var der []byte
	err = s.opened(ctx, who, key, func(private crypto.Signer, algorithm string) (err error) {
		if _, ok := curves[algorithm]; !ok {
			return &fault.Error{Kind: fault.State, Rule: "key-certifiable", Message: "Only an ECDSA key signs documents."}
		}
		der, err = x509.CreateCertificate(rand.Reader, c, c, private.Public(), private)
		return err
	})
	return der, err
}
