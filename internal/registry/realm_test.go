package registry

import (
	"errors"
	"net/url"
	"testing"
)

// T49: which token servers are asked.
func TestCheckRealm(t *testing.T) {
	o := Options{Insecure: []string{"localhost:5000", "plain.example"}, TokenHosts: []string{"tokens.elsewhere", "tokens.elsewhere:8443", "[::1]:5001"}}
	for _, tc := range []struct {
		registry, realm string
		ok              bool
	}{
		{"index.docker.io", "https://auth.docker.io/token", true},
		{"index.docker.io", "https://auth.docker.io:443/token", true},
		{"index.docker.io", "https://docker.io/token", true},
		{"index.docker.io", "https://auth.docker.io.evil.example/token", false},
		{"index.docker.io", "https://evildocker.io/token", false},
		{"index.docker.io", "http://auth.docker.io/token", false},
		{"index.docker.io", "https://auth.docker.io:8443/token", false},
		{"index.docker.io", "https://user:pw@auth.docker.io/token", false},
		{"ghcr.io", "https://ghcr.io/token", true},
		{"lscr.io", "https://ghcr.io/token", true},
		{"lscr.io", "https://ghcr.io.example/token", false},
		{"quay.io", "https://quay.io/v2/auth", true},
		{"registry.gitlab.com", "https://gitlab.com/jwt/auth", true},
		{"registry.example.com", "https://gitlab.example.com/jwt/auth", true},
		{"registry.example.com:5050", "https://gitlab.example.com/jwt/auth", true},
		{"registry.connect.redhat.com", "https://sso.redhat.com/auth", true},
		{"us.icr.io", "https://iam.cloud.ibm.com/token", false},
		{"r.example.co.uk", "https://auth.example.co.uk/", true},
		{"r.example.co.uk", "https://auth.other.co.uk/", false},
		{"example.co.uk", "https://co.uk/", false},
		{"mine.azurecr.io", "https://mine.azurecr.io/oauth2/token", true},
		{"mine.azurecr.io", "https://yours.azurecr.io/oauth2/token", false},
		{"r.example", "https://tokens.elsewhere/token", true},
		{"r.example", "https://tokens.elsewhere:8443/token", true},
		{"r.example", "https://tokens.elsewhere:9000/token", false},
		{"r.example", "http://tokens.elsewhere/token", false},
		{"r.example", "https://127.0.0.1/token", false},
		{"r.example", "https://169.254.169.254/latest/meta-data", false},
		{"r.example", "https://[::1]/token", false},
		{"r.example", "https://[::1]:5001/token", true},
		{"r.example", "https://localhost/token", false},
		{"r.example", "file:///etc/passwd", false},
		{"r.example", "ftp://r.example/", false},
		{"r.example", "token", false},
		{"r.example", "", false},
		{"localhost:5000", "http://localhost:5000/token", true},
		{"localhost:5000", "http://localhost:5001/token", false},
		{"localhost:5000", "http://localhost/token", false},
		{"plain.example", "http://plain.example/token", true},
		{"10.0.0.1:5000", "https://10.0.0.1:5000/token", true},
		{"10.0.0.1:5000", "https://10.0.0.2/token", false},
		{"10.0.0.1:5000", "https://10.0.0.1/token", false},
		{"host", "https://other/token", false},
	} {
		u, err := url.Parse(tc.realm)
		if err != nil {
			t.Fatal(err)
		}
		err = checkRealm(u, tc.registry, &o)
		if (err == nil) != tc.ok || err != nil && !errors.Is(err, ErrRealm) {
			t.Errorf("%s for %s: %v", tc.realm, tc.registry, err)
		}
	}
}
