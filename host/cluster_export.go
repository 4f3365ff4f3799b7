package host

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/manifest"
	"github.com/ixtrun/ixt/supervisor"
)

// serviceSubject begins the subject of an exported topic; its name follows.
const serviceSubject = "ixt.svc."

// exports are the modules with topics for others. It is safe for concurrent use.
type exports struct {
	mu      sync.Mutex
	modules map[string]*export
	tallies map[string]*tally // by topic
}

// export is one of them.
type export struct {
	module *manifest.Module
	ready  int // instances that take calls
}

// ready lets others call the topics that the caller's module exports, until the caller has gone.
func (c *cluster) ready(caller supervisor.Caller) {
	if c.alone() || len(exported(caller.Module)) == 0 {
		return
	}
	c.exports.count(caller.Module, 1)
	c.kick()
	c.keeps.Go(func() {
		select {
		case <-caller.Gone():
			c.exports.count(caller.Module, -1)
			c.kick()
		case <-c.life.Done():
		}
	})
}

// exported are the topics of a module that others may call, by name.
func exported(m *manifest.Module) (topics []string) {
	for topic, rules := range m.Services {
		if rules.Export {
			topics = append(topics, topic)
		}
	}
	slices.Sort(topics)
	return topics
}

func (x *exports) count(m *manifest.Module, change int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.modules[m.Name] == nil {
		x.modules[m.Name] = &export{module: m}
	}
	x.modules[m.Name].ready += change
}

// ready are the modules that have an instance ready, by name.
func (x *exports) ready() map[string]*manifest.Module {
	x.mu.Lock()
	defer x.mu.Unlock()
	out := map[string]*manifest.Module{}
	for name, e := range x.modules {
		if e.ready > 0 {
			out[name] = e.module
		}
	}
	return out
}

// offers is what the heartbeat says of them.
func (x *exports) offers() map[string]offer {
	ready := x.ready()
	out := map[string]offer{}
	for _, name := range slices.Sorted(maps.Keys(ready)) {
		m := ready[name]
		for _, topic := range exported(m) {
			o, more := out[topic]
			rules := m.Services[topic]
			o.Modules = append(o.Modules, m.Name+":"+m.Version)
			o.Idempotent = rules.Idempotent && (o.Idempotent || !more) // whichever of them gets it
			if o.Attempts = rules.Attempts; more {
				o.Attempts = min(out[topic].Attempts, rules.Attempts)
			}
			out[topic] = o
		}
	}
	return out
}

// tally counts the calls to one exported topic. It is what `nats micro stats` shows under "data".
type tally struct{ done, failed atomic.Uint64 }

func (x *exports) tally(topic string) *tally {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.tallies[topic] == nil {
		x.tallies[topic] = &tally{}
	}
	return x.tallies[topic]
}

// takes reports whether a call to a topic has an instance to go to. What is not exported is for the supervisor to say.
func (x *exports) takes(topic string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	known := false
	for _, e := range x.modules {
		if e.module.Services[topic].Export {
			if known = true; e.ready > 0 {
				return true
			}
		}
	}
	return !known
}

// newService makes a module's exported topics endpoints of a micro service: whoever of all nodes is ready gets a call to one.
func (k *keeper) newService(m *manifest.Module) (micro.Service, error) {
	s, err := micro.AddService(k.conn, micro.Config{
		Name: m.Name, Version: m.Version, Description: m.Description, Metadata: map[string]string{"node": k.node, "ixt": k.version},
		StatsHandler: func(e *micro.Endpoint) any {
			t := k.exports.tally(strings.TrimPrefix(e.Subject, serviceSubject))
			return map[string]uint64{"done": t.done.Load(), "failed": t.failed.Load()}
		},
	})
	if err != nil {
		return nil, err
	}
	for _, topic := range exported(m) {
		about := map[string]string{"topic": topic, "timeout": m.Services[topic].Timeout.String()}
		if m.Services[topic].Idempotent {
			about["idempotent"] = "true"
		}
		handle := func(r micro.Request) {
			k.serveCall(topic, inbound{k.conn, r.Reply(), nats.Header(r.Headers()), r.Data()})
		}
		err := s.AddEndpoint(strings.ReplaceAll(topic, ".", "_"), micro.HandlerFunc(handle),
			micro.WithEndpointSubject(serviceSubject+topic), micro.WithEndpointMetadata(about))
		if err != nil {
			_ = s.Stop()
			return nil, err
		}
	}
	return s, nil
}

// serveHere serves a call to this node.
func (k *keeper) serveHere(m *nats.Msg) {
	topic, in := strings.TrimPrefix(m.Subject, k.here()+topicSubject), inbound{k.conn, m.Reply, m.Header, m.Data}
	if !k.exports.takes(topic) {
		in.refuse(k.signed(ipc.Refuse(ipc.CodeUnavailable, "no instance that provides %s is ready", topic)))
		return
	}
	k.serveCall(topic, in)
}
