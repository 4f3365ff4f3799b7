package host

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/ixtrun/ixt/ipc"
)

// NodeStatus is what is known of a supervisor among those on one NATS server.
type NodeStatus struct {
	Node    string              `json:"node"`
	Self    bool                `json:"self,omitempty"`    // the one that says this
	Version string              `json:"version,omitempty"` // of the program
	Started time.Time           `json:"started"`
	Topics  map[string][]string `json:"topics,omitempty"` // exported, with an instance ready: name:version of those that provide each
	Heard   time.Time           `json:"heard"`            // its last heartbeat; they come every second
	Gone    string              `json:"gone,omitempty"`   // NodeGone or NodeStopped; "": it is there
}

// AdminRequest is a request to the HTTP API of another node.
type AdminRequest struct {
	Method string     `json:"method"`
	Path   string     `json:"path"`
	Query  url.Values `json:"query,omitempty"`
	Body   []byte     `json:"body,omitempty"`
}

type adminAnswer struct {
	Status int    `json:"status"`
	Body   []byte `json:"body,omitempty"`
}

const (
	maxAdminAnswer = 512 << 10 // bytes; as base64 it is within what a NATS server takes
	adminTime      = 5 * time.Minute
)

// nodes are all that are there, and behind them those that were.
func (c *cluster) nodes() []NodeStatus {
	self := NodeStatus{Node: c.node, Self: true, Version: c.version, Started: c.started, Topics: providers(c.exports.offers()), Heard: time.Now()}
	out := []NodeStatus{self}
	for _, m := range c.roster.others(c.node) {
		out = append(out, NodeStatus{Node: m.Node, Version: m.Version, Started: m.Started, Topics: providers(m.Topics), Heard: m.spoke})
	}
	slices.SortFunc(out[1:], func(a, b NodeStatus) int { return a.Started.Compare(b.Started) })
	for _, d := range c.roster.missing(c.node, time.Now()) {
		out = append(out, NodeStatus{Node: d.Node, Version: d.Version, Started: d.Started, Heard: d.spoke, Gone: d.how})
	}
	return out
}

// lastSeen says when a node was there, as the rest of a sentence; "" if that is too long ago.
func (c *cluster) lastSeen(node string) string {
	now := time.Now()
	for _, d := range c.roster.missing(c.node, now) {
		if d.Node == node {
			return fmt.Sprintf(", it was last seen %s ago", now.Sub(d.spoke).Round(time.Second))
		}
	}
	return ""
}

// providers are who provides each of the topics that are offered.
func providers(offers map[string]offer) map[string][]string {
	out := map[string][]string{}
	for topic, o := range offers {
		out[topic] = o.Modules
	}
	return out
}

// forward sends a request to a node and waits for its answer.
func (c *cluster) forward(ctx context.Context, node string, r AdminRequest) (status int, body []byte, err error) {
	if node == c.node {
		answer := c.answer(ctx, r)
		return answer.Status, answer.Body, nil
	}
	to := c.roster.named(c.node, node)
	if to == nil {
		if _, err := c.current(); err != nil {
			return 0, nil, err
		}
		return 0, nil, ipc.Refuse(ipc.CodeNoProvider, "there is no node %s now%s; `ixt ps --all` shows those there are", node, c.lastSeen(node))
	}
	data, err := json.Marshal(r)
	if err != nil {
		return 0, nil, ipc.Refuse(ipc.CodeInvalidInput, "the request cannot be encoded: %v", err)
	}
	m := &nats.Msg{Subject: nodeSubject + node + adminSubject, Data: data, Header: nats.Header{headerCall: {randomID()}}}
	reply, err := c.ask(ctx, to, m)
	if err != nil {
		return 0, nil, err
	}
	if e := errorOf(reply, node); e != nil {
		return 0, nil, e
	}
	var answer adminAnswer
	if err := json.Unmarshal(reply.Data, &answer); err != nil {
		e := ipc.Errorf(ipc.CodeProtocolError, "node %s answered what is no answer: %v", node, err)
		e.Origin = ipc.Supervisor
		return 0, nil, e
	}
	return answer.Status, answer.Body, nil
}

// administer answers a request of another node.
func (k *keeper) administer(m *nats.Msg) {
	in := inbound{k.conn, m.Reply, m.Header, m.Data}
	k.serve(in, func(ctx context.Context) {
		var r AdminRequest
		if err := json.Unmarshal(m.Data, &r); err != nil {
			in.refuse(k.signed(ipc.Refuse(ipc.CodeInvalidInput, "the request cannot be decoded: %v", err)))
			return
		}
		data, err := json.Marshal(k.answer(ctx, r))
		if err == nil {
			err = in.send(&nats.Msg{Data: data})
		}
		if err != nil {
			in.refuse(k.signed(ipc.AsError(unsendable(k.conn, err, len(data)), ipc.CodeTooLarge)))
		}
	})
}

// answer has the handler answer a request as if it had come by HTTP.
func (c *cluster) answer(ctx context.Context, r AdminRequest) adminAnswer {
	c.mu.Lock()
	handler := c.admin
	c.mu.Unlock()
	if handler == nil {
		return failed(http.StatusNotImplemented, ipc.Refuse(ipc.CodeUnavailable, "node %s lets nobody administer it from elsewhere", c.node))
	}
	ctx, cancel := context.WithTimeout(ctx, adminTime)
	defer cancel()
	target := url.URL{Path: r.Path, RawQuery: r.Query.Encode()}
	req, err := http.NewRequestWithContext(ctx, r.Method, target.String(), bytes.NewReader(r.Body))
	if err != nil {
		return failed(http.StatusBadRequest, ipc.Refuse(ipc.CodeInvalidInput, "%v", err))
	}
	w := &recorder{header: http.Header{}}
	handler.ServeHTTP(w, req)
	if w.full {
		return failed(http.StatusRequestEntityTooLarge, ipc.Refuse(ipc.CodeTooLarge, "the answer to %s %s is over %d bytes; ask on node %s itself", r.Method, r.Path, maxAdminAnswer, c.node))
	}
	return adminAnswer{Status: max(w.status, http.StatusOK), Body: w.body.Bytes()}
}

func failed(status int, e *ipc.Error) adminAnswer {
	body, _ := json.Marshal(e) // nothing in it can fail
	return adminAnswer{Status: status, Body: body}
}

// recorder keeps an answer of bounded size. It belongs to one request.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
	full   bool
}

// errNoStream ends what would go on for ever.
var errNoStream = errors.New("host: between nodes an answer comes in one piece")

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *recorder) Write(b []byte) (int, error) {
	if w.full = w.full || w.body.Len()+len(b) > maxAdminAnswer; w.full {
		return 0, errNoStream
	}
	w.WriteHeader(http.StatusOK)
	return w.body.Write(b)
}

// FlushError ends a stream with what there is: whoever flushes may not know when it ends.
func (w *recorder) FlushError() error { return errNoStream }
