package admin

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/supervisor"
)

// farewell bounds how long a Server waits, at its end, for answers that are being written.
const farewell = 2 * time.Second

// Info says who answers at the socket.
type Info struct {
	Version  string    `json:"version"`             // of ixt
	Protocol int       `json:"protocol"`            // highest version of the wire that it speaks
	PID      int       `json:"pid"`                 // of the supervisor
	Started  time.Time `json:"started"`             // when it began
	StateDir string    `json:"state_dir,omitempty"` // where it keeps logs and the journal; empty: nowhere for long
}

// Server serves the API of one supervisor.
type Server struct {
	sup      *supervisor.Supervisor
	info     Info
	mux      *http.ServeMux
	cluster  Cluster // nil: this supervisor is alone
	registry *prometheus.Registry
}

// NewServer returns a Server for sup; info is what /v1/version answers.
func NewServer(sup *supervisor.Supervisor, info Info) *Server {
	s := &Server{sup: sup, info: info, mux: http.NewServeMux(), registry: newRegistry(sup, info)}
	s.handle("GET /v1/version", func(*http.Request) (any, error) { return s.info, nil })
	s.handle("GET /v1/modules", func(*http.Request) (any, error) { return sup.Modules(), nil })
	s.handle("GET /v1/modules/{name}", func(r *http.Request) (any, error) { return sup.Module(r.PathValue("name")) })
	s.handle("GET /v1/modules/{name}/config", func(r *http.Request) (any, error) { return sup.Settings(r.PathValue("name")) })
	s.handle("GET /v1/modules/{name}/subscriptions", s.subscriptions)
	s.handle("POST /v1/modules/{name}/{command}", s.command)
	s.handle("GET /v1/topics", s.topics)
	s.handle("POST /v1/call", s.call)
	s.handle("GET /v1/crashes", s.crashes)
	s.handle("GET /v1/crashes/{id}", s.crash)
	s.handle("POST /v1/services/{service}/{method}", s.ask)
	s.mux.HandleFunc("GET /v1/services/{service}/{method}", s.attend)
	s.handle("GET /v1/buckets/{service}", s.buckets)
	s.mux.HandleFunc("GET /v1/blobs/{bucket}/{name}", s.getBlob)
	s.mux.HandleFunc("PUT /v1/blobs/{bucket}/{name}", s.putBlob)
	s.handle("GET /v1/nodes", s.nodes)
	s.mux.HandleFunc("/v1/nodes/{node}/{path...}", s.onNode)
	s.mux.HandleFunc("GET /v1/journal", s.journal)
	s.mux.HandleFunc("GET /v1/logs", s.logs)
	s.mux.Handle("GET /metrics", s.metrics())
	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		refuse(w, ipc.Refuse(ipc.CodeUnknownType, "there is no %s %s", r.Method, r.URL.Path))
	})
	return s
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// Serve answers requests until ctx ends, closes l, and returns when no request is left. End ctx after the supervisor's Run
// has returned: streams then carry its last words, and end by themselves.
func (s *Server) Serve(ctx context.Context, l net.Listener) error { return serve(ctx, l, s) }

func serve(ctx context.Context, l net.Listener, h http.Handler) error {
	requests, cancel := context.WithCancel(context.Background())
	defer cancel()
	server := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          log.New(io.Discard, "", 0), // what goes wrong with a client is the client's to see
		BaseContext:       func(net.Listener) context.Context { return requests },
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	patience, done := context.WithTimeout(context.Background(), farewell)
	defer done()
	err := server.Shutdown(patience)
	if err != nil {
		cancel()
		err = server.Close()
	}
	<-served
	return err
}

// handle registers what answers with one JSON value.
func (s *Server) handle(pattern string, answer func(*http.Request) (any, error)) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		v, err := answer(r)
		if err != nil {
			refuse(w, err)
			return
		}
		reply(w, http.StatusOK, v)
	})
}

// command starts, stops or restarts a module.
func (s *Server) command(r *http.Request) (any, error) {
	name := r.PathValue("name")
	var err error
	switch command := r.PathValue("command"); command {
	case "start":
		err = s.sup.Start(name)
	case "stop":
		err = s.sup.Stop(r.Context(), name)
	case "restart":
		err = s.sup.Restart(r.Context(), name)
	default:
		err = ipc.Refuse(ipc.CodeUnknownType, "there is no command %q; use start, stop or restart", command)
	}
	if err != nil {
		return nil, err
	}
	return s.sup.Module(name)
}

func reply(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		refuse(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // a client that has gone needs no answer
}

// refuse answers with an error.
func refuse(w http.ResponseWriter, err error) {
	var e *ipc.Error
	if !errors.As(err, &e) {
		e = ipc.Refuse(ipc.CodeHandlerError, "%v", err)
	}
	reply(w, statusOf(e), e)
}

// statusOf is the HTTP status that says most of what the error says.
func statusOf(e *ipc.Error) int {
	if e.Outcome == ipc.Done {
		return http.StatusUnprocessableEntity // the module's own answer, whatever its code
	}
	switch e.Code {
	case ipc.CodeNoProvider, ipc.CodeUnknownType, ipc.CodeNotFound:
		return http.StatusNotFound
	case ipc.CodeInvalidInput:
		return http.StatusBadRequest
	case ipc.CodeDenied:
		return http.StatusForbidden
	case ipc.CodeConflict:
		return http.StatusConflict
	case ipc.CodeFrameTooLarge, ipc.CodeTooLarge:
		return http.StatusRequestEntityTooLarge
	case ipc.CodeBusy:
		return http.StatusTooManyRequests
	case ipc.CodeLoop:
		return http.StatusLoopDetected
	case ipc.CodeUnavailable, ipc.CodeQuarantined:
		return http.StatusServiceUnavailable
	case ipc.CodeTimeout, ipc.CodeTTLExpired:
		return http.StatusGatewayTimeout
	case ipc.CodeModuleGone, ipc.CodeProtocolError, ipc.CodeCancelled:
		return http.StatusBadGateway
	}
	return http.StatusInternalServerError
}
