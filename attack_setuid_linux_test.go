package caisson_test

import "testing"

const setuidEnv = "CAISSON_ATTACK_SETUID"

func setuidRoot(t *testing.T, dir string) string { return "" }
