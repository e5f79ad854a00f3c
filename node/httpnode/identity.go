package httpnode

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"strings"
	"time"
)

const (
	identityFile = "identity.pem"
	tokenFile    = "token"
)

// Identity is what makes a server the one its clients know: key, certificate and token. The zero Identity serves nobody.
type Identity struct {
	certificate tls.Certificate
	token       token
	pin         Pin
}

// LoadIdentity reads the identity kept in dir, and makes what is missing, dir included (its parent must exist). What it made is durable
// before it returns, so a pin that was shown stays. A damaged file is an error, never replaced.
func LoadIdentity(dir string) (Identity, error) {
	id, err := loadIdentity(dir)
	if err != nil {
		return Identity{}, fmt.Errorf("load identity of the node: %w", err)
	}
	return id, nil
}

func loadIdentity(dir string) (Identity, error) {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return Identity{}, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Identity{}, err
	}
	defer root.Close()
	keys, err := readOrMake(root, identityFile, makeCertificate)
	if err != nil {
		return Identity{}, err
	}
	secret, err := readOrMake(root, tokenFile, func() ([]byte, error) { return []byte(newToken().text() + "\n"), nil })
	if err != nil {
		return Identity{}, err
	}
	if err := errors.Join(syncDir(dir), syncDir(dir+"/..")); err != nil {
		return Identity{}, err
	}
	return parseIdentity(keys, secret)
}

func parseIdentity(keys, secret []byte) (Identity, error) {
	cert, err := tls.X509KeyPair(keys, keys)
	if err != nil {
		return Identity{}, fmt.Errorf("%s is damaged: %w", identityFile, err)
	}
	text, nl := strings.CutSuffix(string(secret), "\n")
	t, ok := parseToken(text)
	if !ok || !nl {
		return Identity{}, errors.New(tokenFile + " is damaged: it is not 43 characters of base64url and a newline")
	}
	return Identity{certificate: cert, token: t, pin: pinOf(cert.Leaf.RawSubjectPublicKeyInfo)}, nil
}

// URL is the line a person pastes to use the node: it has the token in it. host is what clients reach the server by.
func (i Identity) URL(host string) string { return address{host, i.token, i.pin}.url() }

// Pin is what clients hold the server to. It is no secret.
func (i Identity) Pin() Pin { return i.pin }

// String hides the token.
func (i Identity) String() string { return "node with pin " + i.pin.String() }

// GoString hides it from %#v.
func (i Identity) GoString() string { return i.String() }

// readOrMake reads a file of at most 64 KiB, or makes it. It is written under another name, synced, and linked to its own, so it is whole or
// not there; of two processes at once the first one's counts.
func readOrMake(root *os.Root, name string, content func() ([]byte, error)) ([]byte, error) {
	data, err := root.ReadFile(name)
	if !errors.Is(err, fs.ErrNotExist) {
		return data, err
	}
	if data, err = content(); err != nil {
		return nil, err
	}
	temp := name + "." + rand.Text()
	defer root.Remove(temp)
	if err := writeSynced(root, temp, data); err != nil {
		return nil, err
	}
	err = root.Link(temp, name)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		err = root.Rename(temp, name) // no links here (FAT): two first starts at once are not told apart
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return root.ReadFile(name)
}

func writeSynced(root *os.Root, name string, data []byte) error {
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		return errors.Join(err, f.Close())
	}
	return errors.Join(f.Sync(), f.Close())
}

func syncDir(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// makeCertificate makes a key and a certificate for it. Clients look at the key alone: names and dates are there because X.509 wants them.
func makeCertificate() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: serviceName},
		NotBefore:    time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), // whatever this machine's clock says
		NotAfter:     time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	cert, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return append(
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})...), nil
}
