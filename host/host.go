package host

import (
	"context"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/supervisor"
)

// The values of Options.KVSync.
const (
	SyncAlways   = "always"   // a write is on the disk before it is answered
	SyncInterval = "interval" // it gets there within 2 minutes; until then a power cut costs it, a crash of ixt does not
)

// Options configure a Host. The zero value and nil are usable.
type Options struct {
	// URL of a NATS server, or of several with commas between. Default: a server in this process.
	URL string
	// Credentials is a file with a user's JWT and key, for URL. Default: none.
	Credentials string
	// NKey is a file with a user's seed, for URL. Default: none.
	NKey string
	// CA is a PEM file with the authorities that URL's certificate is checked by. Default: the system's.
	CA string
	// Cert and Key are PEM files by which this host proves itself to URL. Default: none.
	Cert, Key string
	// Listen is the host:port where the server in this process can also be reached, by the nats tool say; port 0 takes a free
	// one, and the journal has it. Whoever reaches it may read and change everything. Default: nobody can reach it.
	Listen string
	// KVSync is SyncAlways or SyncInterval, for those buckets of the server in this process that neither KVBuckets nor the manifest
	// of the module whose own they are speak of. A server that others reach syncs always. Default: SyncAlways.
	KVSync string
	// KVBuckets is the same for single buckets, by their names. Default: none.
	KVBuckets map[string]string
	// Node is the name of this supervisor among those on one NATS server: letters, digits, - and _. Default: the machine's name.
	Node string
	// Version of the program, for other nodes to show. Default: none.
	Version string
}

// Host is the engine behind the services events, kv and blob. It serves one supervisor, once.
type Host struct {
	engine   *engine
	events   *events
	kv       *kv
	blob     *blob
	cluster  *cluster
	requests *requests
}

// New checks the options and reads the files they name; nothing is opened and nobody is asked yet. What cannot be is a
// CONFIG_INVALID error with the remedy. opts may be nil.
func New(opts *Options) (*Host, error) {
	e, err := newEngine(opts)
	if err != nil {
		return nil, err
	}
	c, err := newCluster(e)
	if err != nil {
		return nil, err
	}
	return &Host{engine: e, events: newEvents(e), kv: newKV(e), blob: newBlob(e), cluster: c, requests: newRequests()}, nil
}

// Services are events, kv and blob.
func (h *Host) Services() []supervisor.Service {
	return []supervisor.Service{counted{h.events, h.requests}, counted{h.kv, h.requests}, counted{h.blob, h.requests}}
}

// Open opens the server in this process if there is something in its store or somebody may reach it; otherwise that waits for
// the first who needs it. With Options.URL it connects, and an unreachable server is an entry in the journal: it is tried again
// until Close.
func (h *Host) Open(ctx context.Context, site supervisor.Site) error {
	if err := h.engine.open(ctx, site); err != nil {
		return err
	}
	h.cluster.open(site)
	return nil
}

// Ready lets what was kept for an instance go on to its new process.
func (h *Host) Ready(c supervisor.Caller) {
	h.events.ready(c)
	h.kv.ready(c)
	h.cluster.ready(c)
}

// Retired drops what was kept for an instance alone.
func (h *Host) Retired(id ipc.ModuleID) {
	h.events.retired(id)
	h.kv.retired(id)
}

// Close ends every subscription and the engine, within stopTime.
func (h *Host) Close() error {
	h.cluster.close()
	h.events.close()
	h.kv.close()
	h.blob.close()
	return h.engine.close()
}
