// Package logs turns what modules write to stdout and stderr into entries, and keeps them: the newest few in memory, more of
// them in bounded files, and all as they come for whoever follows.
//
//	stdout ──┐
//	stderr ──┴─ Read ──> Entry ──> Store.Append ──┬──> memory      Recent   why did it die?
//	                                              ├──> followers   Follow   ixt logs -f
//	                                              └──> ring file   Tail     ixt logs
//
// A module may write anything: lines without end, bytes that are no text, sequences that drive a terminal. None of it takes
// more than bounded memory, and no entry's text can garble the terminal it is printed on.
//
// # Concurrency
//
// A Store is safe for concurrent use. It has no goroutines of its own. A slow follower loses entries and holds nobody
// up. A disk that fails costs what should be on it; one that hangs holds up the output of modules, but none of what is in memory.
package logs
