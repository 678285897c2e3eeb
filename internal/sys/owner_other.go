//go:build !unix

package sys

import "os"

// OwnedByCaller is not decided by user ids here; the access control list of the directory rules.
func OwnedByCaller(os.FileInfo) bool { return true }
