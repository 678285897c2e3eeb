// Package treediff compares trees of files as an image means them: names, types, permissions, owners, times, extended
// attributes, content and hard links.
//
// Trees that were unpacked by different programs tell removed names in different ways. Each is read in its own Form, and
// what they say is compared, not how.
package treediff
