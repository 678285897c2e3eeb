// Package inflate decompresses gzip, the format of almost all image layers, at a multiple of the speed of the packages
// that are written for every use. Inflating a layer costs more than anything else that happens to it.
//
// What makes the difference: bits are loaded eight bytes at a time and codes looked up in tables whose entries hold all
// there is to know about a symbol; while enough of the input and of the room is left, nothing else is checked; the
// output goes straight into the caller's buffer, of which the last 32 KiB are kept apart for later matches; matches are
// copied by words.
package inflate
