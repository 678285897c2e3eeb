package registry

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// checkRealm refuses a token server that the registry has no say about. Allowed are
//
//   - the registry itself, the same host and port;
//   - the hosts that the caller lists as token hosts;
//   - by HTTPS on its usual port, a host of the registry's own site, such as auth.docker.io for index.docker.io and
//     gitlab.example.com for registry.example.com;
//   - the servers in realmsElsewhere.
//
// Plain HTTP is for hosts that are listed as insecure, of all these. What is allowed by name is checked once more by
// its address when it is connected to.
func checkRealm(realm *url.URL, registry string, o *Options) error {
	refuse := func(why string) error {
		return fmt.Errorf("%w: %.200q %s", ErrRealm, realm.Redacted(), why)
	}
	switch {
	case realm.User != nil || realm.Opaque != "" || realm.Hostname() == "":
		return refuse("is no plain address")
	case realm.Scheme == "http" && !contains(o.Insecure, realm.Host):
		return refuse("is of plain HTTP")
	case realm.Scheme != "http" && realm.Scheme != "https":
		return refuse("is not of HTTPS")
	}
	host := strings.ToLower(realm.Host)
	usual := realm.Scheme == "https" && (realm.Port() == "" || realm.Port() == "443")
	own := strings.ToLower(registry)
	switch {
	case host == own, strings.TrimSuffix(host, ":443") == own, contains(o.TokenHosts, host):
		return nil
	case usual && realmsElsewhere(hostname(own)) == realm.Hostname():
		return nil
	case usual && site(hostname(own)) != "" && site(hostname(own)) == site(strings.ToLower(realm.Hostname())):
		return nil
	}
	return refuse("is not of this registry")
}

// realmsElsewhere is the token server of a registry that is only another name for a well-known one.
func realmsElsewhere(registry string) string {
	if registry == "lscr.io" {
		return "ghcr.io"
	}
	return ""
}

// site is the part of a host's name that one owner has, or "" for an address or a name without a dot. Where it begins is
// a convention of each top-level domain. Known here are the forms like co.uk, and domains whose subdomains belong to
// different customers; of the rest it is the last two labels.
func site(host string) string {
	host = strings.TrimSuffix(host, ".")
	labels := strings.Split(host, ".")
	n := len(labels)
	if n < 2 || reachOfHost(host) != internet || strings.Contains(host, ":") || digits(labels[n-1]) {
		return ""
	}
	last := strings.Join(labels[n-2:], ".")
	switch {
	case slices.Contains(sharedDomains(), last):
		return ""
	case len(labels[n-1]) != 2 || !slices.Contains(secondLevel(), labels[n-2]):
		return last
	case n < 3:
		return ""
	}
	return labels[n-3] + "." + last
}

func digits(s string) bool { return strings.Trim(s, "0123456789") == "" }

// secondLevel are the labels that countries register below.
func secondLevel() []string {
	return []string{"ac", "co", "com", "ed", "edu", "go", "gob", "gov", "ltd", "mil", "ne", "net", "nom", "or", "org", "plc", "sch"}
}

// sharedDomains give their customers names next to each other.
func sharedDomains() []string {
	return []string{"azurecr.io", "azurewebsites.net", "cloudapp.net", "cloudfront.net", "duckdns.org", "fly.dev", "github.io",
		"gitlab.io", "herokuapp.com", "netlify.app", "ngrok.app", "ngrok.io", "ngrok-free.app", "onrender.com", "pages.dev",
		"pkg.dev", "run.app", "vercel.app", "web.app", "workers.dev", "amazonaws.com", "windows.net", "trycloudflare.com"}
}
