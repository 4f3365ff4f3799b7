package moduletest

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/module"
)

// Options configure a Harness. The zero value is usable.
type Options struct {
	// Config is the configuration as the supervisor would hand it out: the manifest's defaults are not filled in here.
	Config map[string]any
	// Provide answers what the module calls through its Host, by topic, from Init on. Harness.Provide adds to it.
	Provide map[string]module.HandlerFunc
	// Seed is called before Init, with the harness that Start will return: to put what Init finds into its KV and Blobs.
	Seed func(h *Harness)
	// ID is who the module is. Default: "test:1.0.0/instance-001".
	ID string
	// MaxConcurrency is as in module.Options.
	MaxConcurrency int
	// Grace is how long the module may take to end. Default: 5s.
	Grace time.Duration
}

// Harness is the host of one module under test. It is safe for concurrent use.
type Harness struct {
	t     testing.TB
	opts  Options
	conn  *ipc.Conn
	log   lines
	calls atomic.Int64 // for call ids
	bus   bus

	outlets outlets
	events  published
	kv      stores
	blobs   blobs

	life       context.Context // ends with the module
	endLife    context.CancelFunc
	started    chan struct{}  // closed when Init has returned
	background sync.WaitGroup // what goes on beside requests

	served chan struct{} // closed when Serve has returned
	err    error         // what it returned
	ran    chan struct{} // closed when the host's end has
}

// Start starts m and ends the test at once if Init fails. Call it from the test's own goroutine.
func Start(t testing.TB, m module.Module, opts Options) *Harness {
	t.Helper()
	h, err := TryStart(t, m, opts)
	if err != nil {
		t.Fatalf("the module did not start: %v", err)
	}
	return h
}

// TryStart starts m for a test of failing starts: the error, a *module.Error, is what the supervisor would be answered. The
// Harness is there in either case, for its Log.
func TryStart(t testing.TB, m module.Module, opts Options) (*Harness, error) {
	t.Helper()
	if opts.ID == "" {
		opts.ID = "test:1.0.0/instance-001"
	}
	if opts.Grace <= 0 {
		opts.Grace = 5 * time.Second
	}
	if opts.Config == nil {
		opts.Config = map[string]any{}
	}
	config, err := json.Marshal(opts.Config)
	if err != nil {
		t.Fatalf("the configuration cannot be encoded: %v", err)
	}

	h := &Harness{t: t, opts: opts, served: make(chan struct{}), ran: make(chan struct{}), started: make(chan struct{})}
	h.life, h.endLife = context.WithCancel(context.Background())
	h.bus.provide(opts.Provide)
	if opts.Seed != nil {
		opts.Seed(h)
	}
	host, end := ipc.Pipe()
	h.conn = ipc.NewConn(host, &ipc.Options{Handler: h.serve})
	go func() {
		defer close(h.ran)
		_ = h.conn.Run(context.Background()) // how the conversation ended is the module's to tell
	}()
	go func() {
		defer close(h.served)
		h.err = module.Serve(context.Background(), end, m, &module.Options{
			MaxConcurrency: opts.MaxConcurrency, Log: &h.log, Grace: opts.Grace,
		})
	}()
	_, err = h.conn.Init(t.Context(), ipc.InitParams{
		Protocol: ipc.Version, ModuleID: opts.ID, Config: config, Extensions: []string{ipc.ExtCancel, ipc.ExtRaw}, MaxFrame: ipc.DefaultMaxFrame,
	})
	if err != nil {
		h.conn.Close()
		h.wait()
		return h, h.fromModule(err)
	}
	close(h.started)
	t.Cleanup(h.cleanup)
	return h, nil
}

// Call calls a topic of the module and waits for its answer. ctx's deadline is the call's, and a ctx that is cancelled
// cancels the call. The error is a *module.Error as a caller gets it, with outcome and origin.
func (h *Harness) Call(ctx context.Context, topic string, payload []byte) (*module.Response, error) {
	return h.Send(ctx, &module.Message{Topic: topic, Payload: payload})
}

// Send is Call for a message with a priority or a context of the test's choice. What the context leaves empty but its
// trace id is filled in.
func (h *Harness) Send(ctx context.Context, msg *module.Message) (*module.Response, error) {
	mc := msg.Context
	if mc.SourceModule == "" {
		mc.SourceModule = "host"
	}
	if mc.Timestamp == 0 {
		mc.Timestamp = time.Now().Unix()
	}
	if mc.CallID == "" {
		mc.CallID = strconv.FormatInt(h.calls.Add(1), 10)
	}
	if mc.Attempt == 0 {
		mc.Attempt = 1
	}
	data, err := h.conn.Handle(ctx, &ipc.Message{
		Topic: msg.Topic, Payload: ipc.EncodePayload(msg.Payload), Priority: msg.Priority,
	}, &mc, nil)
	if err != nil {
		return nil, h.fromModule(err)
	}
	return module.ResponseOf(data), nil
}

// CallJSON calls a topic of the module with in as JSON, nil for no input, and decodes the answer's JSON. It waits no longer
// than the test lives.
func CallJSON[Out any](h *Harness, topic string, in any) (Out, error) {
	var out Out
	var payload []byte
	if in != nil {
		var err error
		if payload, err = json.Marshal(in); err != nil {
			return out, fmt.Errorf("the input cannot be encoded: %w", err)
		}
	}
	answer, err := h.Call(h.t.Context(), topic, payload)
	if err != nil {
		return out, err
	}
	if err := answer.Decode(&out); err != nil {
		return out, fmt.Errorf("the answer does not fit: %w", err)
	}
	return out, nil
}

// Health asks the module how it is.
func (h *Harness) Health(ctx context.Context) (module.Health, error) {
	health, err := h.conn.Health(ctx)
	if err != nil {
		return module.Health{}, h.fromModule(err)
	}
	return *health, nil
}

// fromModule puts in what the supervisor would know: which module it was.
func (h *Harness) fromModule(err error) error {
	e := *ipc.AsError(err, ipc.CodeHandlerError)
	switch e.Origin {
	case ipc.FromModule:
		e.Origin = h.opts.ID
	case "":
		e.Origin = ipc.Supervisor
	}
	return &e
}
