package host

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/supervisor"
)

// startTime is how long the embedded server may take to read its store.
const startTime = time.Minute

// embedded is a NATS server in this process.
type embedded struct {
	server *natsserver.Server
	disk   *disk // nil: the server syncs every write by itself
}

// startEmbedded opens the store in dir. The server syncs every write, unless there is a disk that does where it has to be. What it has to
// say of its own is noted, errors only.
func startEmbedded(opts *Options, dir string, disk *disk, note func(supervisor.Entry)) (*embedded, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("host: making room for the engine: %w", err)
	}
	config := &natsserver.Options{
		ServerName: "ixt",
		DontListen: opts.Listen == "",
		NoSigs:     true,
		NoLog:      true,
		JetStream:  true,
		StoreDir:   dir,
		// What is stored takes three quarters of the free disk at most, the server's default.
		JetStreamMaxMemory: 16 << 20, // nothing of ours is kept in memory alone
		MaxPayload:         maxPayload,
		SyncAlways:         disk == nil,
		SyncInterval:       2 * time.Minute,
	}
	if opts.Listen != "" {
		config.Host, config.Port = splitListen(opts.Listen)
	}
	server, err := natsserver.NewServer(config)
	if err != nil {
		return nil, fmt.Errorf("host: opening the engine in %s: %w", dir, err)
	}
	log := &engineLog{errors: throttle{to: note}}
	server.SetLoggerV2(log, false, false, false)
	e := &embedded{server, disk}
	started := make(chan struct{})
	go func() { // Start returns as soon as everything is up, or when it has told the log why not
		defer close(started)
		server.Start()
	}()
	timer := time.NewTimer(startTime)
	defer timer.Stop()
	select {
	case <-started:
	case <-timer.C:
		return nil, errors.Join(fmt.Errorf("host: the engine in %s is not open after %s", dir, startTime), e.stop())
	}
	if why := log.fatal(); why != "" {
		return nil, errors.Join(listenError(opts.Listen, fmt.Errorf("host: opening the engine in %s: %s", dir, why)), e.stop())
	}
	if opts.Listen != "" {
		note(supervisor.Entry{Kind: supervisor.KindSupervisor, Text: "the engine listens at " + server.Addr().String()})
	}
	return e, nil
}

// maxPayload leaves room for headers beside the largest payload.
const maxPayload = ipc.MaxChunk + 128<<10

// stop ends the server within stopTime.
func (e *embedded) stop() error {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		e.server.Shutdown()
		e.server.WaitForShutdown()
		if e.disk != nil {
			e.disk.close()
		}
	}()
	timer := time.NewTimer(stopTime)
	defer timer.Stop()
	select {
	case <-ended:
		return nil
	case <-timer.C:
		return fmt.Errorf("host: the engine did not stop within %s and is left behind", stopTime)
	}
}

// splitListen takes a checked host:port apart. The server takes a free port for -1 and one of its own choice for 0.
func splitListen(listen string) (host string, port int) {
	host, text, _ := net.SplitHostPort(listen)
	if port, _ = strconv.Atoi(text); port == 0 {
		port = -1
	}
	return host, port
}

func listenError(listen string, err error) error {
	if listen == "" {
		return err
	}
	return fmt.Errorf("%w (does another program listen at %s?)", err, listen)
}

// engineLog is what the embedded server writes its log to: errors are noted, and the rest is nobody's business.
type engineLog struct {
	errors throttle

	mu   sync.Mutex
	died string
}

func (l *engineLog) Noticef(string, ...any) {}
func (l *engineLog) Warnf(string, ...any)   {}
func (l *engineLog) Debugf(string, ...any)  {}
func (l *engineLog) Tracef(string, ...any)  {}

func (l *engineLog) Errorf(format string, args ...any) {
	l.errors.note("the engine says: " + fmt.Sprintf(format, args...))
}

// Fatalf is what the server says before it gives up; the process is not its to end.
func (l *engineLog) Fatalf(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.died = fmt.Sprintf(format, args...)
}

func (l *engineLog) fatal() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.died
}
