// Package process starts child processes, watches them end, kills what they leave behind, and reaps them. It is the only room
// of the project that knows the operating system: Linux and macOS.
//
//	Spawner.Start ──> running ──(leader dies)──> Exited ──> Reap: kill the rest of the group, then collect the leader
//
// # Three promises
//
// No child outlives its parent, nor do its own children. Every process leads a group of its own, and [Process.Reap] kills what is left
// of the group. Should this program die without reaping, even by SIGKILL, Linux kills every process that a [Spawner] started (the
// parent-death signal), and on both systems a guard, one shell per Spawner, kills their groups. That leaves three gaps:
//
//   - A group is known to the guard when its program begins, a moment after its fork. Should this program die in that moment, Linux still
//     kills the process itself, which has hardly had time for children. macOS has no such signal and loses it.
//   - A process can leave its group, as daemons do. [WithEnv] finds those by their environment, on Linux.
//   - Without /bin/sh there is no guard, which [Spawner.Unguarded] says.
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
// All methods are safe for concurrent use. A Spawner has one goroutine, locked to its thread, and two for its guard, which all end in
// [Spawner.Close]; a Process has one goroutine, which ends when the process dies. On Linux that goroutine waits in the runtime's poller
// and costs no thread; on macOS, and on Linux without pidfds (before 5.3), it costs one.
//
// The package relies on being the only one that reaps its children: the program must neither ignore SIGCHLD nor wait for "any
// child".
package process
