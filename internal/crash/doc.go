// Package crash keeps what is known of every abnormal end of a process: one JSON file each, the newest of them within a limit.
//
//	DIR/0041-press.json   a [Report]; 0041-press is its ID
//	DIR/0042-mill.json
//	DIR/new.tmp           the one being written
//
// An ID is a number and the module's name. The number grows by one with every report of the directory, whatever the clock does:
// IDs sort in the order of arrival, `ixt crash 42` is all there is to type, and who lists the directory sees whose crash it was.
// When the limit is reached the oldest reports go.
//
// The disk is asked for, never relied on: a report that cannot be written is an error and leaves those that are there as they
// are, and a file that cannot be read is named and passed over.
//
// # Concurrency
//
// All of it is safe for concurrent use. One [Store] at a time may write to a directory; anybody may read it meanwhile as a
// [Dir], in another process too. Nothing runs in between calls. A disk that hangs holds up whoever calls, and nobody else.
package crash
