package host

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/ixtrun/ixt/supervisor"
)

// reach tells why a NATS server of the user's cannot be reached. It is the client's dialer too, because the client does not say why a
// server could not be dialled at first. It is safe for concurrent use.
type reach struct {
	dialer net.Dialer

	mu    sync.Mutex
	cause error // of the last attempt that failed; nil since one did not
}

func (r *reach) Dial(network, address string) (net.Conn, error) {
	c, err := r.dialer.Dial(network, address)
	if err != nil {
		r.failed(err)
	}
	return c, err
}

func (r *reach) failed(err error) {
	if err == nil || errors.Is(err, nats.ErrNoServers) { // Dial knows better
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cause = err
}

func (r *reach) succeeded() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cause = nil
}

// why is the cause as the rest of a sentence, with its remedy; "" if there is none.
func (r *reach) why(c *nats.Conn) string {
	err := c.LastError()
	if err == nil {
		r.mu.Lock()
		err = r.cause
		r.mu.Unlock()
	}
	if err == nil {
		return ""
	}
	return " (" + err.Error() + remedy(err) + ")"
}

// remedy is what to do about a server that cannot be reached; "" if that says nothing.
func remedy(err error) string {
	text := strings.ToLower(err.Error())
	has := func(part string) bool { return strings.Contains(text, part) }
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var host *net.DNSError
	switch {
	case errors.As(err, &host) && host.IsNotFound:
		return ": is the name right?"
	case has("i/o timeout"), errors.Is(err, nats.ErrNoInfoReceived):
		return ": does the network let it through, and is that the port of a NATS server for clients, 4222 by default?"
	case errors.Is(err, syscall.ECONNREFUSED):
		return ": is it running, and is that its port?"
	case errors.As(err, &authority):
		return ": if that is right, name a file with the certificate of the authority: engine.ca in supervisor.toml"
	case errors.As(err, &name):
		return ": use a name that its certificate has"
	case has("remote error: tls:"), has("closed by remote after tls handshake"):
		return ": does it want a certificate? name one that it trusts: engine.cert and engine.key in supervisor.toml"
	case errors.Is(err, nats.ErrSecureConnWanted):
		return ": it has no TLS; write nats:// if that is right"
	case errors.Is(err, nats.ErrAuthExpired), has("expired"):
		return ": the credentials have expired; ask whoever runs it for new ones"
	case errors.Is(err, nats.ErrAuthorization), has("authorization violation"), has("nkeys not supported"):
		return ": it does not let this user in; name what it knows: --nats-creds, engine.nkey in supervisor.toml, or nats://user:password@host"
	}
	return ""
}

// watch are the client's options that keep the journal informed.
func (e *engine) watch() []nats.Option {
	asides := &throttle{to: e.site.Note}
	return []nats.Option{
		nats.DisconnectErrHandler(func(c *nats.Conn, err error) {
			e.reach.failed(err)
			e.lost(c)
		}),
		nats.ReconnectErrHandler(func(c *nats.Conn, err error) {
			e.reach.failed(err)
			e.lost(c)
		}),
		nats.ConnectHandler(e.back),
		nats.ReconnectHandler(e.back),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			asides.note("the NATS client says: " + err.Error())
		}),
	}
}

// lost notes once that the server cannot be reached.
func (e *engine) lost(c *nats.Conn) {
	e.mu.Lock()
	tell := !e.down && !e.closed && e.opts.URL != "" && !c.IsConnected()
	e.down = e.down || tell
	e.mu.Unlock()
	if tell {
		e.site.Note(supervisor.Entry{Kind: supervisor.KindWarning, Text: "the NATS server at " + redacted(e.opts.URL) + " cannot be reached" +
			e.reach.why(c) + "; events, kv and blob are UNAVAILABLE until it can"})
	}
}

// back notes that the server can be reached again, and what it cannot do.
func (e *engine) back(c *nats.Conn) {
	e.reach.succeeded()
	e.mu.Lock()
	tell := e.down && !e.closed
	e.down = false
	if !e.closed && e.opts.URL != "" {
		e.opens.Go(func() { e.checkStore(c) })
	}
	e.mu.Unlock()
	if tell {
		e.site.Note(supervisor.Entry{Kind: supervisor.KindWarning, Text: "the NATS server at " + c.ConnectedUrlRedacted() + " can be reached: events, kv and blob are back"})
	}
}

// checkStore notes that a server keeps nothing.
func (e *engine) checkStore(c *nats.Conn) {
	js, err := jetstream.New(c)
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(e.life, answerTime)
	defer cancel()
	_, err = js.AccountInfo(ctx)
	for _, off := range []error{jetstream.ErrJetStreamNotEnabled, jetstream.ErrJetStreamNotEnabledForAccount, nats.ErrNoResponders} {
		if errors.Is(err, off) {
			e.site.Note(supervisor.Entry{Kind: supervisor.KindWarning, Text: "the NATS server at " + c.ConnectedUrlRedacted() + " keeps nothing, because JetStream is off" +
				map[bool]string{true: " for this user's account"}[off == jetstream.ErrJetStreamNotEnabledForAccount] +
				": events, kv and blob are UNAVAILABLE and singletons do not run; calls to other nodes do. Start it with nats-server -js, or set jetstream in its configuration"})
			return
		}
	}
}

// newReach dials like the client itself.
func newReach() *reach { return &reach{dialer: net.Dialer{Timeout: dialTime}} }

const dialTime = 2 * time.Second
