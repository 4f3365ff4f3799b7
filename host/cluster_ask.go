package host

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/ixtrun/ixt/ipc"
)

const (
	maxPending = 4096            // requests to others that are open at once
	acceptTime = 2 * time.Second // until a node has to say that it has a request
)

// pending are the requests to others that are not answered yet. It is safe for concurrent use.
type pending struct {
	mu    sync.Mutex
	calls map[string]chan *nats.Msg // by token
	last  uint64
}

func (p *pending) add() (token string, answers chan *nats.Msg, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.calls) >= maxPending {
		e := ipc.Refuse(ipc.CodeBusy, "%d calls to other nodes are open, which is the limit", len(p.calls))
		e.RetryAfter = 100 * time.Millisecond
		return "", nil, e
	}
	p.last++
	token, answers = strconv.FormatUint(p.last, 36), make(chan *nats.Msg, 2) // that it has the request, and the answer
	p.calls[token] = answers
	return token, answers, nil
}

func (p *pending) remove(token string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.calls, token)
}

// answer hands over what came for a request; what nobody waits for is dropped.
func (p *pending) answer(token string, m *nats.Msg) {
	p.mu.Lock()
	answers := p.calls[token]
	p.mu.Unlock()
	select {
	case answers <- m:
	default:
	}
}

// ask sends a request to a node and waits for the answer, which may be an error of the node's. The error is an *ipc.Error that says
// what is known about the request.
func (c *cluster) ask(ctx context.Context, to *member, m *nats.Msg) (*nats.Msg, error) {
	l, err := c.current()
	if err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, overBefore(ctx)
	}
	token, answers, err := c.pending.add()
	if err != nil {
		return nil, err
	}
	defer c.pending.remove(token)
	if deadline, limited := ctx.Deadline(); limited {
		m.Header[headerTTL] = []string{strconv.FormatInt(max(int64(time.Until(deadline)/time.Millisecond), 1), 10)}
	}
	m.Header[headerFrom] = []string{c.id}
	m.Reply = l.inbox + token
	if err := l.conn.PublishMsg(m); err != nil {
		return nil, explain(tooLarge(l.conn, err), "sending it to node "+to.Node, false)
	}
	answer, err := c.await(ctx, l, to, answers)
	if err != nil {
		_ = l.conn.Publish(nodeSubject+to.Node+cancelSubject, []byte(m.Reply)) // if it can be told at all
	}
	return answer, err
}

// await waits for a request that was sent to end in one way or the other.
func (c *cluster) await(ctx context.Context, l *link, to *member, answers <-chan *nats.Msg) (*nats.Msg, error) {
	unknown := func(code, format string) error {
		e := ipc.Errorf(code, format, to.Node)
		e.Outcome, e.Origin = ipc.Unknown, ipc.Supervisor
		return e
	}
	timer := time.NewTimer(acceptTime)
	defer timer.Stop()
	silent := timer.C
	for {
		select {
		case a := <-answers:
			switch {
			case len(a.Data) == 0 && a.Header.Get("Status") == "503":
				return nil, ipc.Refuse(ipc.CodeUnavailable, "node %s does not take it any more", to.Node)
			case a.Header.Get(headerAccepted) != "":
				silent = nil
				continue
			}
			return a, nil
		case <-silent:
			return nil, unknown(ipc.CodeUnavailable, "node %s did not take it within "+acceptTime.String()+"; it may have it all the same")
		case <-to.gone:
			return nil, unknown(ipc.CodeModuleGone, "node %s is gone, and had it")
		case <-l.lost:
			return nil, unknown(ipc.CodeUnavailable, "the connection to the NATS server was lost while node %s had it")
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return nil, unknown(ipc.CodeTimeout, "node %s did not answer in time")
			}
			return nil, unknown(ipc.CodeCancelled, "the caller gave up while node %s had it")
		}
	}
}

// overBefore is the error of a request whose time was over before it was sent.
func overBefore(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return ipc.Refuse(ipc.CodeTTLExpired, "the deadline passed before the call was sent to another node")
	}
	return ipc.Refuse(ipc.CodeCancelled, "the caller gave up before the call was sent to another node")
}
