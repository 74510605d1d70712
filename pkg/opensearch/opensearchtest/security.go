package opensearchtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// SecurityHomeVariable is the environment variable that names the folder of the distribution that
// has the security plugin.
const SecurityHomeVariable = "FACESEARCH_OPENSEARCH_SECURITY_HOME"

// A User of a secured cluster, with the rights of a role of his own.
type User struct {
	Password string
	Cluster  []string // action groups
	// Indices are action groups by patterns of indices.
	Indices map[string][]string
}

// A Security is TLS with certificates of an authority of its own, and who may do what.
type Security struct {
	CA    []byte // PEM
	Users map[string]User
	// Admin may do everything.
	Admin, AdminPassword string

	node, nodeKey []byte
	roots         *x509.CertPool
}

// StartSecured starts one node with the security plugin, its certificates, and users by name.
func StartSecured(users map[string]User) (*Cluster, *Security, error) {
	security := &Security{Users: users, Admin: "owner", AdminPassword: rand.Text()}
	authority, err := NewAuthority()
	if err != nil {
		return nil, nil, err
	}
	security.CA = authority.PEM
	security.roots = x509.NewCertPool()
	security.roots.AppendCertsFromPEM(security.CA)
	if security.node, security.nodeKey, err = authority.sign("node"); err != nil {
		return nil, nil, err
	}
	cluster, err := startTest(1, SecurityHomeVariable, security)
	return cluster, security, err
}

// An Authority signs certificates.
type Authority struct {
	PEM  []byte
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// certificateLife is longer than any test.
const certificateLife = 24 * time.Hour

// NewAuthority makes one that nobody else knows.
func NewAuthority() (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority of a test"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(certificateLife), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return &Authority{pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), cert, key}, err
}

// sign makes a certificate for the loopback address, and its key, in PEM.
func (a *Authority) sign(name string) (certificate, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(certificateLife), KeyUsage: x509.KeyUsageDigitalSignature, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, a.cert, private.Public(), a.key)
	if err != nil {
		return nil, nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), err
}

const securityYAML = `
plugins.security.ssl.transport.pemcert_filepath: node.pem
plugins.security.ssl.transport.pemkey_filepath: node.key
plugins.security.ssl.transport.pemtrustedcas_filepath: ca.pem
plugins.security.ssl.http.enabled: true
plugins.security.ssl.http.pemcert_filepath: node.pem
plugins.security.ssl.http.pemkey_filepath: node.key
plugins.security.ssl.http.pemtrustedcas_filepath: ca.pem
plugins.security.nodes_dn: ["CN=node"]
plugins.security.allow_default_init_securityindex: true
`

// write writes the certificates and what the plugin begins with. JSON is YAML, too.
func (s *Security) write(config string) error {
	users, roles, mapping := object{}, object{}, object{}
	all := map[string]User{s.Admin: {Password: s.AdminPassword, Cluster: []string{"*"}, Indices: map[string][]string{"*": {"*"}}}}
	for name, user := range s.Users {
		all[name] = user
	}
	for name, user := range all {
		hash, err := bcrypt.GenerateFromPassword([]byte(user.Password), bcrypt.MinCost)
		if err != nil {
			return err
		}
		rights := []object{}
		for pattern, actions := range user.Indices {
			rights = append(rights, object{"index_patterns": []string{pattern}, "allowed_actions": actions})
		}
		users[name] = object{"hash": string(hash)}
		roles["role-of-"+name] = object{"cluster_permissions": user.Cluster, "index_permissions": rights}
		mapping["role-of-"+name] = object{"users": []string{name}}
	}
	basic := object{
		"http_enabled": true, "order": 0, "http_authenticator": object{"type": "basic", "challenge": true},
		"authentication_backend": object{"type": "internal"},
	}
	files := map[string][]byte{"node.pem": s.node, "node.key": s.nodeKey, "ca.pem": s.CA}
	for kind, content := range map[string]object{
		"internalusers": users, "roles": roles, "rolesmapping": mapping, "actiongroups": {}, "tenants": {}, "nodesdn": {},
		"config": {"config": object{"dynamic": object{"authc": object{"basic": basic}}}},
	} {
		content["_meta"] = object{"type": kind, "config_version": 2}
		data, err := json.Marshal(content)
		if err != nil {
			return err
		}
		files[filepath.Join("opensearch-security", fileOf[kind])] = data
	}
	failures := []error{os.MkdirAll(filepath.Join(config, "opensearch-security"), 0o755)}
	for name, data := range files {
		failures = append(failures, os.WriteFile(filepath.Join(config, name), data, 0o600))
	}
	return errors.Join(failures...)
}

type object = map[string]any

// fileOf is the file of each kind of content.
var fileOf = map[string]string{
	"internalusers": "internal_users.yml", "roles": "roles.yml", "rolesmapping": "roles_mapping.yml", "actiongroups": "action_groups.yml",
	"tenants": "tenants.yml", "nodesdn": "nodes_dn.yml", "config": "config.yml",
}

// Do sends a request as the administrator; a nil Security sends it to a cluster without users.
func (s *Security) Do(request *http.Request, timeout time.Duration) (*http.Response, error) {
	client := &http.Client{Timeout: timeout}
	if s != nil {
		request.SetBasicAuth(s.Admin, s.AdminPassword)
		client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.roots}, DisableKeepAlives: true}
	}
	return client.Do(request)
}
