package sys

import (
	"os"
	"strings"
)

// BootID tells one run of the kernel from every other; proc_sys_kernel(5), "random". It is "" where there is no /proc.
func BootID() string {
	b, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(b))
}
