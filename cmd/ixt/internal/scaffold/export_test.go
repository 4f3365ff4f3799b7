package scaffold

// Released is released, for tests: the version of a running test binary is always that of a checkout.
var Released = released
