package seal

import (
	"fmt"

	"github.com/minio/sio"
	"golang.org/x/sys/cpu"
)

// Suite is the AEAD of a segment, as DARE 2.0 numbers them. The numbers are on other people's disks.
type Suite uint8

// The two suites of DARE 2.0.
const (
	AES256GCM        Suite = Suite(sio.AES_256_GCM)       // 0
	ChaCha20Poly1305 Suite = Suite(sio.CHACHA20_POLY1305) // 1
)

// DefaultSuite is the faster suite on this machine: AES-256-GCM where the processor has instructions for it (there
// it also has no timing that depends on the key), else ChaCha20-Poly1305.
func DefaultSuite() Suite {
	x86 := cpu.X86.HasAES && cpu.X86.HasPCLMULQDQ
	arm := cpu.ARM64.HasAES && cpu.ARM64.HasPMULL
	s390 := cpu.S390X.HasAES && cpu.S390X.HasAESGCM && cpu.S390X.HasGHASH
	if x86 || arm || s390 {
		return AES256GCM
	}
	return ChaCha20Poly1305
}

// Valid tells whether this version of dfsmount knows the suite. Callers that read one from a disk or a node ask first.
func (s Suite) Valid() bool { return s == AES256GCM || s == ChaCha20Poly1305 }

// String is the suite's name in volume.json.
func (s Suite) String() string {
	switch s {
	case AES256GCM:
		return "aes-256-gcm"
	case ChaCha20Poly1305:
		return "chacha20-poly1305"
	}
	return fmt.Sprintf("suite-%d", uint8(s))
}

// ParseSuite is the inverse of String for suites that are Valid.
func ParseSuite(name string) (Suite, error) {
	for _, s := range []Suite{AES256GCM, ChaCha20Poly1305} {
		if s.String() == name {
			return s, nil
		}
	}
	return 0, fmt.Errorf("%w: cipher suite %q", ErrFeature, name)
}
