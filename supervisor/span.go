package supervisor

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"time"

	"github.com/ixtrun/ixt/ipc"
)

// Span is a finished part of a call, as a trace shows it. A call has one SpanCall, and below it for each attempt a SpanQueue and,
// if an instance was found, a SpanHandle. A call that a module makes in the handling of another one is below that one's SpanHandle.
type Span struct {
	Name       SpanName
	TraceID    [16]byte // W3C trace id
	ID         [8]byte  // W3C span id
	Parent     [8]byte  // zero: none
	Start, End time.Time

	Topic    string
	Source   string // who called: name:version of a module, or "host"
	CallID   string
	Trace    string      // the call's own trace id, where that is no W3C trace id; else ""
	Module   string      // name of who had it last; "" if nobody had
	Instance int         // from 1; 0 if nobody had it
	Attempt  int         // from 1; 0 if the call was refused before there was one. SpanCall: the last
	Outcome  ipc.Outcome // SpanQueue: ipc.Done if an instance was found
	Code     string      // why it failed; "" if it did not
}

// SpanName says which part of a call a Span is.
type SpanName string

// The parts of a call.
const (
	SpanCall   SpanName = "call"   // from when the supervisor took it on until its answer had come, or it had failed
	SpanQueue  SpanName = "queue"  // the wait for an instance that has room; nearly nothing if one had
	SpanHandle SpanName = "handle" // an instance had it: both ways over the wire, and the handler
)

// The ids of a call's spans follow from its own, so that nothing must be kept for them.
const (
	saltQueue  = 0x9e3779b97f4a7c15
	saltHandle = 0xc2b2ae3d27d4eb4f
	saltNode   = 0x165667b19e3779f9
)

// spanID is the id of a call's SpanCall: the call's own, but that is the caller's SpanCall if it comes from another supervisor.
func (f *flight) spanID() uint64 {
	id := f.callID()
	if f.foreign && id != saltNode {
		id ^= saltNode
	}
	return id
}

func (f *flight) callID() uint64 {
	if b, err := hex.DecodeString(f.mc.CallID); err == nil && len(b) == 8 {
		return binary.BigEndian.Uint64(b)
	}
	sum := sha256.Sum256([]byte(f.mc.CallID))
	return binary.BigEndian.Uint64(sum[:])
}

// partID is the id of the latest try's SpanQueue or SpanHandle.
func (f *flight) partID(salt uint64) uint64 {
	id := f.spanID() ^ salt*uint64(f.tries) // distinct tries, distinct products: the salts are odd
	if id == 0 {
		return salt // 0 is no id
	}
	return id
}

// span is what the spans of a call have in common.
func (f *flight) span(name SpanName, p *provider, start, end time.Duration) Span {
	s := Span{Name: name, Start: f.accepted.Add(start), End: f.accepted.Add(end), Topic: f.msg.Topic, Source: f.mc.SourceModule, CallID: strings.Clone(f.mc.CallID), Attempt: f.mc.Attempt, Outcome: ipc.Done}
	if b, err := hex.DecodeString(f.mc.TraceID); err == nil && len(b) == 16 {
		s.TraceID = [16]byte(b)
	}
	if s.TraceID == ([16]byte{}) {
		sum := sha256.Sum256([]byte(f.mc.TraceID))
		s.TraceID, s.Trace = [16]byte(sum[:]), strings.Clone(f.mc.TraceID) // a frame is not kept for it
	}
	if p != nil {
		s.Module, s.Instance = p.instance.id.Name, p.instance.id.Instance
	}
	binary.BigEndian.PutUint64(s.Parent[:], f.spanID())
	return s
}

// traceAttempt hands out the spans of the try that has just ended.
func (r *router) traceAttempt(p *provider, f *flight, e *ipc.Error) {
	if r.spans == nil {
		return
	}
	queue := f.span(SpanQueue, p, f.asked, f.granted)
	binary.BigEndian.PutUint64(queue.ID[:], f.partID(saltQueue))
	if p == nil {
		queue.End = f.accepted.Add(f.ended)
		queue.fail(e)
	}
	r.spans(queue)
	if p == nil {
		return
	}
	handle := f.span(SpanHandle, p, f.granted, f.ended)
	binary.BigEndian.PutUint64(handle.ID[:], f.partID(saltHandle))
	handle.fail(e)
	r.spans(handle)
}

// traceCall hands out the span of a call that has just ended.
func (r *router) traceCall(p *provider, f *flight, e *ipc.Error) {
	if r.spans == nil {
		return
	}
	start, end := time.Duration(0), f.ended
	if end == never { // it was refused
		start = f.age()
		end = start
	}
	s := f.span(SpanCall, p, start, end)
	s.ID, s.Parent = s.Parent, [8]byte{}
	switch {
	case f.parent != nil && f.parent.mc.TraceID == f.mc.TraceID: // a parent is of the same trace
		binary.BigEndian.PutUint64(s.Parent[:], f.parent.handling.Load())
	case f.foreign:
		binary.BigEndian.PutUint64(s.Parent[:], f.callID())
	}
	s.fail(e)
	r.spans(s)
}

func (s *Span) fail(e *ipc.Error) {
	if e != nil {
		s.Outcome, s.Code = e.Outcome, e.Code
	}
}
