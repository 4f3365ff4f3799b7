// Package ringfile keeps the newest lines of something that never ends: JSON lines in files whose size and age are bounded.
//
// A ring is a few segments in one directory. Lines are appended to NAME.jsonl; when that is full or old, every segment moves
// on by one name and the last one falls off:
//
//	NAME.jsonl ──> NAME.1.jsonl ──> NAME.2.jsonl ──> NAME.3.jsonl ──> removed
//
// The ring never takes more than its size, and nothing in it is older than its age; with four segments, three quarters of
// either are kept at least. How old a segment is, its first line says in a member "time", or else the last change of the file. Both bounds are looked at when the ring is opened and with every line; nothing runs in between.
//
// Trouble with the disk costs lines, never more: a line that cannot be written is dropped and counted, and the next one tries
// again, from making the directory on. What a crash tore is mended before anything follows it.
package ringfile
