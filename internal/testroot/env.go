package testroot

// ProgramEnv is the environment variable that names a probe built before, for a test binary that runs where none can be
// built: as another user, or in a guest without Go.
const ProgramEnv = "CAISSON_TEST_PROBE"
