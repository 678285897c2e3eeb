// Package registry pulls images from registries into a store, pushes them, and lists what registries have.
//
// A registry, and whoever can answer in its place, is hostile. What it sends is bounded in size and time, checked against
// its digest before it becomes visible, and refused where it could be read in two ways.
//
// # Who is asked
//
// The registry that the reference names, by HTTPS unless the caller lists the host as insecure; before it, to read, the
// mirrors that the caller lists for it. Layers are fetched by digest, never from addresses that a manifest gives. A
// registry may redirect to storage of its own, but not to an address that is nearer to this machine than itself: a
// registry on the internet leads to the internet, one in a private network also to private addresses, one on this
// machine also to this machine, and none to link-local addresses. The address counts, when it is connected to, not the
// name. Behind a proxy, and with a caller's own transport, it is only the addresses that stand in the URL that can be
// looked at.
//
// # Secrets
//
// Credentials are asked for when a registry wants them, and are sent to its scheme, host and port, and nowhere else.
// checkRealm has the rule for the token servers that a registry may name.
//
// # Faults
//
// What may pass is tried again, five times at most, after pauses that grow, and as long as Retry-After says up to a
// minute. A blob that breaks off goes on where it broke off, if the server can do ranges. An answer that brings nothing
// for 30 seconds, or less than 1 KiB per second over a minute, is given up.
package registry
