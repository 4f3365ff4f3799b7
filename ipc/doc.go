// Package ipc is the wire between a supervisor (the host) and a module: frames, messages, errors and one Conn that both
// ends use. docs/protocol.md is its normative text.
//
// # Layers
//
//	Conn       calls both ways, matched by id          conn.go, call.go, inbound.go, outbound.go
//	Envelope   the JSON object of a frame              envelope.go, message.go, error.go
//	frame      u32 little-endian length, then JSON     frame.go
//	stream     a Unix socket, or Pipe in memory        pipe.go
//
// # Concurrency
//
// A Conn is read by one goroutine at a time, its own or a caller's (turn.go), and written by who has something to say or, when the peer
// is slow, by one of its own (write.go). Requests of the peer are served by goroutines of their own, by who has read them
// (direct.go), or passed on without any (relay.go). Run returns when all of its goroutines have ended. All that changes lives in one
// struct behind one lock (state.go), which is never held across I/O. A peer that stops reading costs at most Options.MaxQueued bytes
// beside the frames being written, and blocks only its own callers, each until its ctx ends. A peer that announces a huge frame costs
// what it has sent of it.
//
// # How a call ends
//
// Always, once: with the answer, or with an *Error whose Outcome says whether the peer can have seen the call.
package ipc
