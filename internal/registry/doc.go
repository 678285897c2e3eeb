// Package registry pulls images from registries into a store.
//
// A registry, and whoever can answer in its place, is hostile. What it sends is bounded in size, checked against its
// digest before it becomes visible, and refused where it could be read in two ways. The client goes to the registry
// that the reference names, by HTTPS unless the caller lists the host as insecure; layers are fetched from that registry
// by digest, never from addresses that a manifest gives.
package registry
