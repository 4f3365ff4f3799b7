package host

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/supervisor"
)

const (
	answerTime = 5 * time.Second  // how long the engine may take to answer a request that has no deadline of its own
	stopTime   = 10 * time.Second // how long its end may take
	retryAfter = time.Second      // between attempts to open the embedded server
)

// engine is the connection to NATS, embedded or not. It is opened by whoever needs it first.
//
// All methods are safe for concurrent use.
type engine struct {
	opts    Options
	connect []nats.Option // what the options mean to the client
	site    supervisor.Site
	syncing syncing
	fsync   func(*os.File) error
	reach   *reach

	opens sync.WaitGroup // attempts, and looks at what was opened
	life  context.Context
	end   context.CancelFunc // by close

	mu     sync.Mutex // never held across I/O
	last   *opening
	closed bool
	down   bool // the journal says that the server cannot be reached
}

// opening is an attempt to open the engine. Its results are set when done is closed.
type opening struct {
	done   chan struct{}
	conn   *nats.Conn
	js     jetstream.JetStream
	server *embedded // nil with Options.URL
	err    error
	failed time.Time
}

func newEngine(opts *Options) (*engine, error) {
	e := &engine{fsync: (*os.File).Sync, reach: newReach()}
	e.life, e.end = context.WithCancel(context.Background())
	if opts != nil {
		e.opts = *opts
	}
	if e.opts.KVSync == "" {
		e.opts.KVSync = SyncAlways
	}
	var err error
	e.connect, err = e.opts.check()
	return e, err
}

// open is called once, before anything else. A server in this process that cannot be opened now is an error, because it could
// be later only if somebody did something about it.
func (e *engine) open(ctx context.Context, site supervisor.Site) error {
	e.site, e.syncing = site, newSyncing(&e.opts, site.Modules)
	if e.opts.URL == "" && e.opts.Listen == "" {
		if _, err := os.Stat(e.storeDir()); err != nil {
			return nil // nothing was kept, and perhaps nothing will be
		}
	}
	o := e.attempt()
	if o == nil {
		return errClosed
	}
	select {
	case <-o.done:
		return o.err
	case <-ctx.Done():
		return nil // the supervisor is told to stop, and will close the engine
	}
}

func (e *engine) storeDir() string { return filepath.Join(e.site.StateDir, "engine") }

var errClosed = ipc.Refuse(ipc.CodeUnavailable, "the host is stopping")

// line returns the connection, and opens it if nobody has yet; it may be down. What is subscribed on it meanwhile stands when it
// is back. The error is an *ipc.Error.
func (e *engine) line(ctx context.Context) (*opening, error) {
	o := e.attempt()
	if o == nil {
		return nil, errClosed
	}
	select {
	case <-o.done:
	case <-ctx.Done():
		return nil, explain(ctx.Err(), "opening the engine", false)
	}
	if o.err != nil {
		return nil, ipc.Refuse(ipc.CodeUnavailable, "%v", o.err)
	}
	return o, nil
}

// use is line for who needs the engine now. While a server of the user's cannot be reached it is UNAVAILABLE at once.
func (e *engine) use(ctx context.Context) (*nats.Conn, jetstream.JetStream, error) {
	o, err := e.line(ctx)
	if err != nil {
		return nil, nil, err
	}
	if !o.conn.IsConnected() {
		e.mu.Lock()
		closed := e.closed
		e.mu.Unlock()
		if closed {
			return nil, nil, errClosed
		}
		return nil, nil, ipc.Refuse(ipc.CodeUnavailable, "the NATS server at %s cannot be reached now%s; it is tried again", redacted(e.opts.URL), e.reach.why(o.conn))
	}
	return o.conn, o.js, nil
}

// attempt returns the opening that counts: the one under way or done, or a new one. It is nil once the engine is closed.
func (e *engine) attempt() *opening {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil
	}
	if o := e.last; o != nil {
		select {
		case <-o.done:
			if o.err == nil || time.Since(o.failed) < retryAfter {
				return o
			}
		default:
			return o
		}
	}
	o := &opening{done: make(chan struct{})}
	e.last = o
	e.opens.Go(func() {
		defer close(o.done)
		e.run(o)
	})
	return o
}

// run makes the attempt.
func (e *engine) run(o *opening) {
	options := e.connect
	if e.opts.URL == "" {
		var d *disk
		if e.leavesSyncing() {
			d = newDisk(e.storeDir(), e.fsync)
		}
		o.server, o.err = startEmbedded(&e.opts, e.storeDir(), d, e.site.Note)
		if o.err != nil {
			o.failed = time.Now()
			return
		}
		options = append(options[:len(options):len(options)], nats.InProcessServer(o.server.server))
	} else {
		options = append(options[:len(options):len(options)], nats.SetCustomDialer(e.reach))
	}
	if o.conn, o.err = nats.Connect(e.opts.URL, append(options[:len(options):len(options)], e.watch()...)...); o.err == nil {
		o.js, o.err = jetstream.New(o.conn, jetstream.WithDefaultTimeout(answerTime))
	}
	if o.err != nil {
		o.failed = time.Now()
		if o.conn != nil {
			o.conn.Close()
		}
		if o.server != nil {
			_ = o.server.stop()
		}
	}
}

// close ends the connection and the embedded server. Whoever needs them afterwards gets UNAVAILABLE. What was sent before has
// arrived, unless the server is slower than answerTime.
func (e *engine) close() error {
	e.mu.Lock()
	e.closed = true
	o := e.last
	e.mu.Unlock()
	e.end()
	e.opens.Wait() // an attempt has its own bounds
	if o == nil || o.err != nil {
		return nil
	}
	if o.conn.IsConnected() {
		_ = o.conn.FlushTimeout(answerTime) // acknowledgements nobody waits for; without them an event comes again
	}
	o.conn.Close()
	if o.server == nil {
		return nil
	}
	return o.server.stop()
}
