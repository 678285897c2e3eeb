// Package testroot builds root filesystems for tests.
//
// Their only program is the probe of testdata/probe: static, without dependencies, many commands under many names. It
// looks at what a program in a container can see and tries what such a program must not manage. It is built with the
// go command that runs the test, so a test needs nothing of the machine but Go.
package testroot
