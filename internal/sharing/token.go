package sharing

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/mail"
	"strings"

	"github.com/google/uuid"

	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/id"
)

// A token is the institution's 16 bytes and 20 random ones, in base64url: it
// leads to where its hash is kept without a table that all institutions share.
const (
	placeLen  = 16
	secretLen = 20
	tokenLen  = (placeLen + secretLen) / 3 * 4
)

// newSecret is the bytes of a new token.
func newSecret(institution string) ([]byte, error) {
	place, err := id.UUID(institution)
	if err != nil {
		return nil, err
	}
	raw := append(place[:], make([]byte, secretLen)...)
	_, err = rand.Read(raw[placeLen:])
	return raw, err
}

// tokenText is a token as it stands in a link.
func tokenText(secret []byte) string { return base64.RawURLEncoding.EncodeToString(secret) }

// hashOf is what is kept of a token.
func hashOf(secret []byte) []byte {
	sum := sha256.Sum256(secret)
	return sum[:]
}

// parseToken is where a token leads, and its hash; ok is false for what cannot
// be one.
func parseToken(token string) (institution string, hash []byte, ok bool) {
	if len(token) != tokenLen {
		return "", nil, false
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil {
		return "", nil, false
	}
	var place uuid.UUID
	copy(place[:], raw)
	return id.Of("ins", place), hashOf(raw), true
}

// address is an e-mail address alone, or nothing.
func address(text string) (string, *fault.Error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return "", nil
	}
	a, err := mail.ParseAddress(text)
	if err != nil || a.Address != text || len(text) > maxRecipient || strings.ContainsAny(text, "\r\n<> ") {
		return "", fault.At("address", "email", "This is not an e-mail address. Write it as name@example.org.")
	}
	return text, nil
}
