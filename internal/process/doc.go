// Package process starts child processes, watches them end, kills what they leave behind, and reaps them. It is the only room
// of the project that knows the operating system: Linux and macOS.
//
//	Spawner.Start ──> running ──(leader dies)──> Exited ──> Reap: kill the rest of the group, then collect the leader
//
// # Three promises
//
// No child outlives its parent. Every process leads a group of its own, and [Process.Reap] kills what is left of the group. Should
// this program die without reaping, even by SIGKILL, Linux kills every process that a [Spawner] started (the parent-death signal).
// That signal reaches the started process alone, not the children it made, and a set-user-ID program is exempt from it. macOS has
// no such signal: there, a process has to notice by itself, such as by the end of a connection.
//
// No wrong process is signalled. A process id is free for reuse only once the process has been reaped, so the end of a process is
// observed without reaping it, and whoever signals holds the lock under which it is reaped. Where there is a pidfd, the leader is
// signalled through that. After Reap every signal is refused with [ErrGone].
//
// No zombie is left, as long as the owner reaps each process it started. Orphans of a process go to the system's init, which
// reaps them; a program that is itself process 1 of a container wants a small init in front of it.
//
// # Concurrency
//
// All methods are safe for concurrent use. A Spawner has one goroutine, locked to its thread, which ends in [Spawner.Close]; a
// Process has one goroutine, which ends when the process dies. On Linux that goroutine waits in the runtime's poller and costs no
// thread; on macOS, and on Linux without pidfds (before 5.3), it costs one.
//
// The package relies on being the only one that reaps its children: the program must neither ignore SIGCHLD nor wait for "any
// child".
package process
