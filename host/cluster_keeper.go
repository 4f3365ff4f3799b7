package host

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/ixtrun/ixt/supervisor"
)

// trialTime is how long a supervisor listens whether its name is taken before it serves under it.
const trialTime = beatEvery / 2

// The subjects of a node; its name is in the middle.
const (
	nodeSubject   = "ixt.node."
	topicSubject  = ".svc." // a topic follows
	aliveSubject  = ".alive"
	cancelSubject = ".cancel" // the data is the subject where the answer is awaited
	adminSubject  = ".admin"
)

// keeper is one goroutine: it keeps the connection watched, the heart beating, the name, and what is offered in step with what is
// ready. What it does comes from what is, never from what has happened, so that nothing can be missed:
//
//	tick, kick, the connection ─> step ─> expire ─> decide ─> offer ─> beat
type keeper struct {
	*cluster
	conn     *nats.Conn       // nil until the first time it is up
	status   chan nats.Status // of conn
	inbox    string           // where answers are awaited
	since    time.Time        // when heartbeats began to be heard
	looked   time.Time        // when the latest step was
	trial    *time.Timer      // nil: it has not begun
	tried    bool             // the trial is over
	serving  bool
	rival    string                   // id of whoever has the name, when that was noted
	stands   []*nats.Subscription     // while serving
	services map[string]micro.Service // by module
}

func (k *keeper) run() {
	k.services = map[string]micro.Service{}
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	defer k.leave()
	for {
		k.step()
		var trial <-chan time.Time
		if k.trial != nil && !k.tried {
			trial = k.trial.C
		}
		select {
		case <-k.life.Done():
			return
		case <-tick.C:
		case <-k.kicked:
		case <-trial:
			k.tried = true
		case s := <-k.status:
			k.follow(s)
		}
	}
}

func (k *keeper) step() {
	now := time.Now()
	if k.conn == nil && !k.connect() {
		return
	}
	if _, err := k.current(); err != nil {
		return
	}
	if now.Sub(k.looked) >= 2*beatEvery { // it was this process that stood still: what others said has not been read yet
		k.roster.pardon(now)
		k.since = now
	}
	k.looked = now
	if now.Sub(k.since) >= echoTime && now.Sub(k.roster.heard(k.id)) >= echoTime {
		k.note(supervisor.Entry{Kind: supervisor.KindWarning, Text: "the NATS server at " + k.address() + " has not answered for " + echoTime.String() + "; it is connected to anew"})
		k.setLink(nil)
		_ = k.conn.ForceReconnect() // it fails on a closed connection only, and then all is over
		return
	}
	k.part(k.roster.expire(now, k.id))
	b := &beat{Node: k.node, ID: k.id, Serving: k.serving, Version: k.version, Started: k.started}
	k.decide(b)
	if k.serving {
		k.offer()
		b.Serving, b.Topics = true, k.exports.offers()
	}
	k.beat(b)
}

// connect takes the connection up once it is there. Subscriptions outlive its ups and downs.
func (k *keeper) connect() bool {
	conn, _, err := k.engine.use(k.life)
	if err != nil {
		return false
	}
	inbox := conn.NewInbox() + "."
	if _, err = conn.Subscribe(inbox+"*", func(m *nats.Msg) { k.pending.answer(strings.TrimPrefix(m.Subject, inbox), m) }); err == nil {
		_, err = conn.Subscribe(nodeSubject+"*"+aliveSubject, k.hear)
	}
	if err != nil {
		return false // the connection was closed
	}
	k.status = conn.StatusChanged(nats.CONNECTED, nats.RECONNECTING, nats.DISCONNECTED, nats.CLOSED)
	k.conn, k.inbox = conn, inbox
	k.trial = time.NewTimer(trialTime)
	k.linkUp()
	return true
}

func (k *keeper) linkUp() {
	k.since = time.Now()
	k.looked = k.since
	k.setLink(&link{conn: k.conn, inbox: k.inbox, lost: make(chan struct{})})
}

// follow takes over what has become of the connection.
func (k *keeper) follow(s nats.Status) {
	l, _ := k.current()
	switch {
	case s != nats.CONNECTED:
		k.setLink(nil)
	case l == nil:
		k.roster.pardon(time.Now())
		k.linkUp()
	}
}

// hear is called for every heartbeat, this supervisor's too.
func (k *keeper) hear(m *nats.Msg) {
	t := k.roster.hear(m.Data, time.Now())
	k.part(t.left)
	if t.joined != nil && t.joined.Node != k.node {
		k.note(supervisor.Entry{Kind: supervisor.KindSupervisor, Text: "node " + t.joined.Node + " is there"})
	}
	if t.isNew {
		k.kick()
	}
}

// part takes note of those who have gone.
func (k *keeper) part(left []*member) {
	for _, m := range left {
		k.served.cancelFrom(m.ID)
		if !m.Serving || m.Node == k.node {
			continue
		}
		text := "node " + m.Node + " is gone"
		if k.roster.named(k.node, m.Node) != nil {
			text = "node " + m.Node + " was started anew: the process before is gone"
		}
		k.note(supervisor.Entry{Kind: supervisor.KindSupervisor, Text: text})
	}
}

// decide whether this supervisor serves under its name: b is what it would say now.
func (k *keeper) decide(b *beat) {
	rival := k.roster.rival(b)
	if rival != nil && k.rival != rival.ID {
		k.rival = rival.ID
		k.note(supervisor.Entry{Kind: supervisor.KindWarning, Text: fmt.Sprintf("another supervisor is node %s, too, since %s: no other node reaches this one; give it a name of its own: `ixt run --node NAME`",
			k.node, rival.Started.Local().Format(time.DateTime))})
	}
	switch serve := rival == nil && k.tried; {
	case serve && !k.serving:
		if k.rival != "" {
			k.rival = ""
			k.note(supervisor.Entry{Kind: supervisor.KindSupervisor, Text: "the name " + k.node + " is free again: other nodes reach this one"})
		}
		k.serving = k.take()
	case !serve && k.serving:
		k.giveUp()
	}
}

// here begins the subjects of this node.
func (k *keeper) here() string { return nodeSubject + k.node }

// take takes the subjects of the name. They have no queue group: a connection that the server has not yet given up after a cut would
// get half of the calls.
func (k *keeper) take() bool {
	for subject, handle := range map[string]nats.MsgHandler{
		cancelSubject:      func(m *nats.Msg) { k.served.cancel(string(m.Data)) },
		adminSubject:       k.administer,
		topicSubject + ">": k.serveHere,
	} {
		sub, err := k.conn.Subscribe(k.here()+subject, handle)
		if err != nil {
			return false // the connection was closed
		}
		k.stands = append(k.stands, sub)
	}
	return true
}

// giveUp leaves the name to somebody else.
func (k *keeper) giveUp() {
	for name, s := range k.services {
		_ = s.Stop() // the connection is closed, or it can
		delete(k.services, name)
	}
	for _, sub := range k.stands {
		_ = sub.Unsubscribe()
	}
	k.stands, k.serving = nil, false
}

// offer makes a micro service of each module that exports topics and is ready, and ends those of others.
func (k *keeper) offer() {
	ready := k.exports.ready()
	for name, s := range k.services {
		if ready[name] == nil {
			_ = s.Stop()
			delete(k.services, name)
		}
	}
	for name, m := range ready {
		if k.services[name] != nil {
			continue
		}
		s, err := k.newService(m)
		if err != nil {
			k.note(supervisor.Entry{Kind: supervisor.KindWarning, Module: name, Text: "cannot be offered to other nodes: " + err.Error()})
			continue // the next step tries again
		}
		k.services[name] = s
	}
}

// beat says what there is to say.
func (k *keeper) beat(b *beat) {
	data, err := json.Marshal(b)
	if err == nil {
		err = k.conn.Publish(k.here()+aliveSubject, data)
	}
	if err != nil && k.conn.IsConnected() {
		k.note(supervisor.Entry{Kind: supervisor.KindWarning, Text: "other nodes cannot be told about this one: " + err.Error()})
	}
}

// leave says good-bye.
func (k *keeper) leave() {
	if k.trial != nil {
		k.trial.Stop()
	}
	if k.conn == nil {
		return
	}
	k.giveUp()
	k.beat(&beat{Node: k.node, ID: k.id, Started: k.started, Leaving: true})
	k.conn.RemoveStatusListener(k.status)
	k.setLink(nil)
}
