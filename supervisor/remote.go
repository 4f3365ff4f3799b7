package supervisor

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ixtrun/ixt/ipc"
)

// Remote reaches the modules of other supervisors, and lets theirs reach ours. An Engine that is one is used as such.
type Remote interface {
	// Node is the name of this supervisor among the others.
	Node() string
	// Provides reports whether another supervisor offers the topic now; node "" is any.
	Provides(topic, node string) bool
	// Call sends a call to another supervisor and returns the answer's data. The error is an *ipc.Error with the outcome and
	// origin that the other supervisor decided, or this one's own: not_delivered if nobody has seen the call.
	Call(ctx context.Context, c RemoteCall) (ipc.Data, error)
}

// RemoteCall is a call on its way between supervisors. The time it may take is its ctx's.
type RemoteCall struct {
	Message ipc.Message
	Context ipc.Context
	Node    string // the only one that may get it; "": any
	Target  string // as in Message
	Depth   int    // calls that wait for it
}

// local splits what a caller names as its target into the module and the node: "press@box-7", "press" or "@box-7".
func local(target string) (module, node string) {
	module, node, _ = strings.Cut(target, "@")
	return module, node
}

// serveRemote takes a call from another supervisor, for topics that are exported only.
func (s *Supervisor) serveRemote(ctx context.Context, c RemoteCall) (ipc.Data, error) {
	if err := s.awaitUp(ctx); err != nil {
		return ipc.Data{}, err
	}
	f := &flight{msg: ipc.TargetedMessage{Message: c.Message, Target: c.Target}, mc: c.Context, depth: c.Depth, foreign: true}
	err := s.router.call(ctx, f)
	return f.take(), err
}

// errElsewhere says of a call that nobody here can take it now, and another supervisor can.
var errElsewhere = errors.New("another supervisor provides the topic")

// elsewhere reports whether the call may go to another supervisor, and there is one for it.
func (r *router) elsewhere(f *flight) bool {
	return r.remote != nil && f.roams && r.remote.Provides(f.msg.Topic, f.node)
}

// hintElsewhere adds to the refusal of a call what would let it go to another node that offers the topic.
func (r *router) hintElsewhere(f *flight, err error) error {
	e := *ipc.AsError(err, ipc.CodeNoProvider)
	if e.Code == ipc.CodeNoProvider && !f.foreign && !f.roams && r.remote != nil && r.remote.Provides(f.msg.Topic, "") {
		e.Message = fmt.Sprintf("no module here provides %s; another node does: put it into remote under [requires] of %s to let the call go there", f.msg.Topic, f.mc.SourceModule)
	}
	return &e
}

// away reports whether the call names another node than this one; an error says that it cannot go there.
func (r *router) away(f *flight) (bool, error) {
	switch {
	case f.node == "" || r.remote != nil && f.node == r.remote.Node():
		return false, nil
	case r.remote == nil:
		return true, ipc.Errorf(ipc.CodeNoProvider, "there is no node %s: this supervisor is alone; `ixt run --nats URL` joins it to others", f.node)
	case !f.roams:
		return true, ipc.Errorf(ipc.CodeDenied, "%s may not be called on other nodes; put it into remote under [requires]", f.msg.Topic)
	}
	return true, nil
}

// callRemote hands a call over to another supervisor, whose verdict stands.
func (r *router) callRemote(f *flight) (err error) {
	defer f.term.end()
	f.msg.TTLMS = 0 // which a try here has set
	f.data, err = r.remote.Call(&f.term, RemoteCall{Message: f.msg.Message, Context: f.mc, Node: f.node, Target: f.msg.Target, Depth: f.depth})
	f.ended = f.age()
	var e *ipc.Error
	_ = errors.As(err, &e)
	r.mu.Lock()
	r.abroad.remote(f, e)
	r.mu.Unlock()
	r.traceCall(nil, f, e)
	if e != nil {
		r.report(nil, Entry{Kind: KindCall, Text: e.Error(), Topic: f.msg.Topic, Code: e.Code, CallID: f.mc.CallID, TraceID: f.mc.TraceID})
	}
	return err
}
