package keyring

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/fault"
)

// testKeys are the fingerprints of public keys whose private halves are printed
// in standards and test suites (W3C VC-DI-EDDSA, VC-DI-ECDSA, CID; 1EdTech): the
// first 16 bytes of the SHA-256 of their Multikey. Whoever has read those can
// sign with them.
var testKeys = []string{
	"10ceef713037ae8f03a0d3749d8a43e4", "2b46f3af0aa023f2fe544013bd5c2c2b", "3911bedde5d0f131f42ff0b27f0e1e22", "5205135fc3a60cfd1e2f20ae3ba11459",
	"5d1167193b7913cb25a6e504bfe80895", "748ebeb06487fd405472901df77b2532", "74b14474cdd5f411b15dfc0a4aff4960", "8169bc52d9555a437e07b4ef0e15ce76",
	"9fa2ae40760751bd9650b5e9edd7b9cd", "a8a4df90da361d46be25b1adeb6b2ea8", "b412273342f64c7a99d8a709a8c9be2a", "b94537dd64af3199b0ad58b8f3ee75d0",
	"ecbeddfa2ee307b94b3042a15f18bba0", "f1d03252826cfb80610f79316eb5e91e", "f5dbcaa4096f48fad788b06664c175c7", "f780c36cb962381476d9d7e02656c9fd",
	"fc67a9fde0bd90b1a631522076396a9a",
}

// IsTestKey reports whether everybody has the private half of a public key,
// given as a Multikey.
func IsTestKey(multikey string) bool {
	sum := sha256.Sum256([]byte(multikey))
	return slices.Contains(testKeys, hex.EncodeToString(sum[:16]))
}

// Check refuses to let an institution sign with a key that everybody has. The
// service calls it before it begins to serve.
func (s *Service) Check(ctx context.Context, who access.Actor) error {
	all, err := s.List(ctx, who)
	if err != nil {
		return err
	}
	for _, k := range all {
		if k.State == Active && IsTestKey(k.PublicKeyMultibase) {
			return &fault.Error{Kind: fault.State, Rule: "not-a-test-key", Message: fmt.Sprintf(
				"The key %s is one whose private half is printed in a standard, so everybody can sign with it. Withdraw it before the service is started.", k.ID)}
		}
	}
	return nil
}
