// Package serve is a registry on a store: an http.Handler of the OCI distribution specification, version 1.1.
//
//	route    the request's path, taken apart and judged
//	catalog  the store's names as repositories and tags
//	reach    what the names of a repository lead to
//	uploads  blobs that are coming in
//
// # Names
//
// The store's names are whole references, "docker.io/library/alpine:latest"; a client asks a registry for a repository
// without a host, "library/alpine". A repository R of a request stands for the following of the store's, and a tag of it
// is taken from the first that has it:
//
//  1. Options.Host + "/" + R: what was pushed here, so that a push is followed by a pull of the same.
//  2. R itself, if its first component is a host: "docker.io/library/alpine".
//  3. R on any other host. If several have the tag, for different images, the request is refused, and told the names
//     under 2 that are not ambiguous.
//  4. "docker.io/library/" + R, or for "docker.io/R" likewise, if R is a single component.
//
// A manifest is found by its digest if any name of those repositories leads to it, through an index or not.
// What is pushed gets the names under 1, whatever R is: nobody can push what another host's name stands for.
//
// The grammar of the specification has no colon, so few clients can ask for a host with a port as under 2.
//
// # What the program has to see to
//
// Slow clients, large headers and too many connections are for http.Server: set ReadHeaderTimeout, IdleTimeout and
// MaxHeaderBytes. Who may do what is for Options.Auth; without it everybody may do what the Options allow.
package serve
