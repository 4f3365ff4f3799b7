package host_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/host"
	"github.com/ixtrun/ixt/ipc"
)

// access is one way to ask a server, and what becomes of it: says is in the journal, or what was set is kept if that is empty.
type access struct {
	name    string
	options host.Options // but for the address in URL, which is its scheme
	says    string
}

// requireAccess tries each with a server that has a configuration.
func requireAccess(t *testing.T, config string, tries ...access) {
	s := newServer(t, "-c", file(t, "nats.conf", config))
	for _, a := range tries {
		t.Run(a.name, func(t *testing.T) {
			r := newRig(t)
			r.options = a.options
			r.options.URL += s.addr
			r.add("a", "")
			r.start()
			if a.says == "" {
				r.set("a", ipc.KVParams{Key: "k", Payload: text("kept")})
				return
			}
			e := r.await("cannot be reached (")
			require.Contains(t, e.Text, a.says)
			require.NotContains(t, e.Text, "secret")
		})
	}
}

// file writes one for the test and returns its path.
func file(t *testing.T, name, text string) string {
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestTLS(t *testing.T) {
	t.Parallel()
	ca, other := newAuthority(t), newAuthority(t)
	serverCert, serverKey := ca.issue(t, "127.0.0.1")
	cert, key := ca.issue(t, "ixt")
	strange, strangeKey := other.issue(t, "ixt")
	named, namedKey := ca.issue(t, "10.1.2.3")
	tls := fmt.Sprintf("cert_file: %q\nkey_file: %q\nca_file: %q\n", serverCert, serverKey, ca.file)
	t.Run("of the server", func(t *testing.T) {
		t.Parallel()
		requireAccess(t, "tls {\n"+tls+"}",
			access{"its authority is known", host.Options{URL: "tls://", CA: ca.file}, ""},
			access{"asked for by the server", host.Options{URL: "nats://", CA: ca.file}, ""},
			access{"its authority is not known", host.Options{URL: "tls://"}, "engine.ca in supervisor.toml"},
			access{"another authority", host.Options{URL: "tls://", CA: other.file}, "engine.ca in supervisor.toml"},
		)
	})
	t.Run("of both", func(t *testing.T) {
		t.Parallel()
		requireAccess(t, "tls {\n"+tls+"verify: true\n}",
			access{"with a certificate", host.Options{URL: "tls://", CA: ca.file, Cert: cert, Key: key}, ""},
			access{"without", host.Options{URL: "tls://", CA: ca.file}, "engine.cert and engine.key in supervisor.toml"},
			access{"with one of another authority", host.Options{URL: "tls://", CA: ca.file, Cert: strange, Key: strangeKey}, "engine.cert and engine.key in supervisor.toml"},
		)
	})
	t.Run("of another name", func(t *testing.T) {
		t.Parallel()
		requireAccess(t, fmt.Sprintf("tls {\ncert_file: %q\nkey_file: %q\n}", named, namedKey),
			access{"than the URL's", host.Options{URL: "tls://", CA: ca.file}, "use a name that its certificate has"})
	})
	t.Run("not at all", func(t *testing.T) {
		t.Parallel()
		requireAccess(t, "", access{"but asked for", host.Options{URL: "tls://", CA: ca.file}, "write nats:// if that is right"})
	})
}

func TestNKey(t *testing.T) {
	t.Parallel()
	known, public := newUser(t)
	unknown, _ := newUser(t)
	requireAccess(t, fmt.Sprintf("authorization { users: [ { nkey: %q } ] }", public),
		access{"known", host.Options{URL: "nats://", NKey: file(t, "nk", known)}, ""},
		access{"unknown", host.Options{URL: "nats://", NKey: file(t, "nk", unknown)}, "engine.nkey in supervisor.toml"},
		access{"none", host.Options{URL: "nats://"}, "engine.nkey in supervisor.toml"},
	)
}

func TestPassword(t *testing.T) {
	t.Parallel()
	requireAccess(t, `authorization { user: ixt, password: "secret" }`,
		access{"right", host.Options{URL: "nats://ixt:secret@"}, ""},
		access{"wrong", host.Options{URL: "nats://ixt:secrets@"}, "nats://user:password@host"},
	)
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	operator, account, stranger := newKey(t, nkeys.CreateOperator), newKey(t, nkeys.CreateAccount), newKey(t, nkeys.CreateAccount)
	oc := jwt.NewOperatorClaims(public(t, operator))
	oc.Name = "plant"
	operatorJWT, err := oc.Encode(operator)
	require.NoError(t, err)
	ac := jwt.NewAccountClaims(public(t, account))
	ac.Limits.JetStreamLimits = jwt.JetStreamLimits{MemoryStorage: -1, DiskStorage: -1, Streams: -1, Consumer: -1}
	accountJWT, err := ac.Encode(operator)
	require.NoError(t, err)
	system := public(t, newKey(t, nkeys.CreateAccount))
	systemJWT, err := jwt.NewAccountClaims(system).Encode(operator)
	require.NoError(t, err)
	creds := func(of nkeys.KeyPair, expires time.Time) string {
		user := newKey(t, nkeys.CreateUser)
		uc := jwt.NewUserClaims(public(t, user))
		uc.Expires = expires.Unix()
		token, err := uc.Encode(of)
		require.NoError(t, err)
		seed, err := user.Seed()
		require.NoError(t, err)
		text, err := jwt.FormatUserConfig(token, seed)
		require.NoError(t, err)
		return file(t, "user.creds", string(text))
	}
	later := time.Now().Add(time.Hour)
	requireAccess(t, fmt.Sprintf("operator: %q\nresolver: MEMORY\nresolver_preload: { %s: %q, %s: %q }\nsystem_account: %s", operatorJWT, public(t, account), accountJWT, system, systemJWT, system),
		access{"valid", host.Options{URL: "nats://", Credentials: creds(account, later)}, ""},
		access{"of another account", host.Options{URL: "nats://", Credentials: creds(stranger, later)}, "--nats-creds"},
		access{"expired", host.Options{URL: "nats://", Credentials: creds(account, time.Now().Add(-time.Hour))}, "--nats-creds"},
		access{"none", host.Options{URL: "nats://"}, "--nats-creds"},
	)
}

func newKey(t *testing.T, create func() (nkeys.KeyPair, error)) nkeys.KeyPair {
	key, err := create()
	require.NoError(t, err)
	return key
}

func public(t *testing.T, key nkeys.KeyPair) string {
	p, err := key.PublicKey()
	require.NoError(t, err)
	return p
}

func newUser(t *testing.T) (seed, name string) {
	key := newKey(t, nkeys.CreateUser)
	s, err := key.Seed()
	require.NoError(t, err)
	return string(s), public(t, key)
}

// authority signs certificates; its own is in file.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

func newAuthority(t *testing.T) *authority {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, &key.PublicKey, key)
	require.NoError(t, err)
	return &authority{cert, key, file(t, "ca.pem", block("CERTIFICATE", der))}
}

// issue returns the files of a certificate for a name or address, and of its key.
func (a *authority) issue(t *testing.T, name string) (cert, key string) {
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	of := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if ip := net.ParseIP(name); ip != nil {
		of.IPAddresses = []net.IP{ip}
	}
	der, err := x509.CreateCertificate(rand.Reader, of, a.cert, &own.PublicKey, a.key)
	require.NoError(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(own)
	require.NoError(t, err)
	return file(t, "cert.pem", block("CERTIFICATE", der)), file(t, "key.pem", block("PRIVATE KEY", keyDER))
}

func block(kind string, der []byte) string {
	return strings.TrimSpace(string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))) + "\n"
}

// Whoever answers at the address and says nothing is no NATS server.
func TestServerThatSaysNothing(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer silent.Close()
	r := newRig(t)
	r.options.URL = "nats://" + silent.Addr().String()
	r.add("a", "")
	r.start()
	require.Contains(t, r.await("cannot be reached (").Text, "is that the port of a NATS server for clients, 4222 by default?")
}
