package supervisor

import (
	"context"

	"github.com/ixtrun/ixt/ipc"
)

// messageBus is the service by which modules call each other's topics.
type messageBus struct{ s *Supervisor }

func (messageBus) Name() string { return ipc.ServiceMessageBus }

func (b messageBus) Call(ctx context.Context, caller Caller, method string, params ipc.Data) (ipc.Data, error) {
	if method != ipc.MethodCall && method != ipc.MethodSend {
		return ipc.Data{}, ipc.Refuse(ipc.CodeUnknownType, "%s has no method %q; it has %q and %q", ipc.ServiceMessageBus, method, ipc.MethodCall, ipc.MethodSend)
	}
	f := new(flight)
	if err := b.prepare(f, caller, method, params); err != nil {
		if ipc.IsCode(err, ipc.CodeDenied) {
			b.s.router.report(nil, Entry{Kind: KindRefused, Module: caller.ID.Name, Instance: caller.ID.Instance,
				Text: "called a topic its manifest does not require", Topic: f.msg.Topic, Code: ipc.CodeDenied})
		}
		return ipc.Data{}, err
	}
	if method == ipc.MethodSend {
		return ipc.Data{}, b.send(f)
	}
	err := b.s.router.call(ctx, f)
	return f.take(), err
}

// prepare makes a call of what a caller asks for. With an error that it may not, f knows at least the topic.
func (b messageBus) prepare(f *flight, caller Caller, method string, params ipc.Data) error {
	m := &f.msg
	if err := ipc.DecodeParams(ipc.ServiceMessageBus, method, params, m); err != nil {
		return err
	}
	m.Payload = m.Payload.Own() // a guest's
	m.Target, f.node = local(m.Target)
	if f.parent = caller.parent; f.parent != nil {
		f.depth = f.parent.depth + 1
	}
	if err := caller.Deny(caller.Module.Allows(m.Topic), "call "+m.Topic, "requires", "services", caller.Module.Requires.Services, m.Topic); err != nil {
		return err
	}
	f.roams = caller.open || caller.Module.AllowsRemote(m.Topic)
	f.identify(caller.ID.Module(), caller.TraceID)
	return nil
}

// maxSends is how many calls that nobody waits for may be open.
const maxSends = 1024

// send takes on a call whose end only the journal tells. It belongs to nobody else's call.
func (b messageBus) send(f *flight) error {
	f.parent = nil
	if err := b.s.router.check(f); err != nil {
		return err
	}
	if b.s.sending.Add(1) > maxSends {
		b.s.sending.Add(-1)
		return ipc.Refuse(ipc.CodeBusy, "%d calls that were sent are still open, which is the limit", maxSends)
	}
	b.s.sends.Go(func() {
		defer b.s.sending.Add(-1)
		_ = b.s.router.call(b.s.patience, f) // which has journaled its error
	})
	return nil
}
