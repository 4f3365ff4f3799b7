// Package statedir gives a supervisor its two directories and makes sure that it alone has them.
//
//	Dir     what is kept: logs, journal         where the operator says, or a temporary one
//	RunDir  the sockets of running modules      BASE/<six characters>/, a short path that nobody has to know
//
// A lock says who lives: the system frees it however its holder dies. A state directory in use is refused. A run directory, or
// a temporary state directory, whose lock is free belongs to a dead supervisor; the next one to open its own removes it.
package statedir
