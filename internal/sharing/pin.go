package sharing

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"
)

// The cost of a PIN: argon2id as OWASP has it for interactive use. What is kept
// names its own, so that a later cost does not break an earlier PIN.
const (
	pinMemory = 19 << 10 // KiB
	pinPasses = 2
	pinLanes  = 1
	pinSalt   = 16
	pinLen    = 32
)

// A wrong PIN closes a share for a while, and in the end for good: what is left
// to somebody who guesses is maxTries of the PINs there are.
const (
	triesAtOnce = 5
	maxTries    = 25
	lockedFor   = 15 * time.Minute
)

// hashPIN is what is kept of a PIN, in the form of the PHC.
func hashPIN(pin string) (string, error) {
	salt := make([]byte, pinSalt)
	if _, err := rand.Read(salt); err != nil {
		return "", err
	}
	sum := argon2.IDKey([]byte(pin), salt, pinPasses, pinMemory, pinLanes, pinLen)
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, pinMemory, pinPasses, pinLanes, b64(salt), b64(sum)), nil
}

// matchPIN reports whether a PIN is the one that is kept, in the same time
// whatever it is.
func matchPIN(kept, pin string) (bool, error) {
	parts := strings.Split(kept, "$")
	var version, memory, passes, lanes int
	if len(parts) != 6 || parts[1] != "argon2id" {
		return false, fmt.Errorf("read PIN: not a form that is known")
	}
	if _, err := fmt.Sscanf(parts[2]+" "+parts[3], "v=%d m=%d,t=%d,p=%d", &version, &memory, &passes, &lanes); err != nil || version != argon2.Version {
		return false, fmt.Errorf("read PIN: %q is not a cost that is known", parts[3])
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	if err != nil {
		return false, fmt.Errorf("read PIN: %w", err)
	}
	want, err := base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil {
		return false, fmt.Errorf("read PIN: %w", err)
	}
	if len(pin) > maxPIN {
		return false, nil
	}
	got := argon2.IDKey([]byte(pin), salt, uint32(passes), uint32(memory), uint8(lanes), uint32(len(want)))
	return subtle.ConstantTimeCompare(got, want) == 1, nil
}
