// Package cgroup makes, limits, kills and removes control groups, of version 1, version 2 and on hosts with both.
//
// A machine has one tree of groups in version 2, and one for each controller in version 1; on a hybrid host
// some controllers are in the one and some in the others. A Group is one directory of the same name in each
// of the trees that it needs.
//
// Kernel: admin-guide/cgroup-v2.rst, admin-guide/cgroup-v1/cgroups.rst; cgroups(7).
package cgroup
