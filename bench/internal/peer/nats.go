package peer

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/ixtrun/ixt/bench/internal/load"
	"github.com/ixtrun/ixt/bench/internal/role"
)

const (
	natsPeer      = "NATS request/reply"
	natsResponder = "NATS responder"
	natsRequester = "NATS requester"
)

// NATS is request/reply from one process to another through a server embedded in this one: two hops, like a routed call.
// NATS has no Unix sockets; it goes over the loopback interface.
func NATS() Peer {
	return Peer{Name: natsPeer, Start: func(ctx context.Context, _ string) (*Running, error) {
		broker, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true})
		if err != nil {
			return nil, err
		}
		broker.Start()
		if !broker.ReadyForConnections(10 * time.Second) {
			return nil, errors.New("the embedded nats-server did not come up in 10 s")
		}
		running, err := natsAround(ctx, broker)
		if err != nil {
			broker.Shutdown()
		}
		return running, err
	}}
}

// natsAround starts the two processes on either side of the server.
func natsAround(ctx context.Context, broker *server.Server) (*Running, error) {
	responder, err := role.Start(ctx, natsResponder, broker.ClientURL())
	if err != nil {
		return nil, err
	}
	requester, err := role.Start(ctx, natsRequester, broker.ClientURL())
	if err != nil {
		return nil, errors.Join(err, responder.Stop())
	}
	control, err := nats.Connect("", nats.InProcessServer(broker))
	if err != nil {
		return nil, errors.Join(err, requester.Stop(), responder.Stop())
	}
	stop := func() error {
		control.Close()
		err := errors.Join(requester.Stop(), responder.Stop())
		broker.Shutdown()
		broker.WaitForShutdown()
		return err
	}
	return &Running{Load: natsLoad(control), Stop: stop}, nil
}

// natsLoad lets the requester put the load on the responder.
func natsLoad(control *nats.Conn) func(context.Context, load.Spec) (load.Result, error) {
	return func(ctx context.Context, spec load.Spec) (out load.Result, err error) {
		ask, err := json.Marshal(spec)
		if err != nil {
			return out, err
		}
		ctx, cancel := context.WithTimeout(ctx, spec.Limit())
		defer cancel()
		reply, err := control.RequestWithContext(ctx, "drive.load", ask)
		if err != nil {
			return out, err
		}
		if text := reply.Header.Get("Error"); text != "" {
			return out, errors.New(text)
		}
		return out, json.Unmarshal(reply.Data, &out)
	}
}

func serveNATS(url string, ready func()) error {
	return natsSubscriber(url, "echo.say", ready, func(_ *nats.Conn, msg *nats.Msg) error { return msg.Respond(msg.Data) })
}

func driveNATS(url string, ready func()) error {
	return natsSubscriber(url, "drive.load", ready, func(client *nats.Conn, msg *nats.Msg) error {
		result, err := natsDrive(client, msg.Data)
		if err != nil {
			return msg.RespondMsg(&nats.Msg{Header: nats.Header{"Error": {err.Error()}}})
		}
		data, err := json.Marshal(result)
		return errors.Join(err, msg.Respond(data))
	})
}

func natsDrive(client *nats.Conn, ask []byte) (out load.Result, err error) {
	var spec load.Spec
	if err := json.Unmarshal(ask, &spec); err != nil {
		return out, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), spec.Limit())
	defer cancel()
	return load.Run(ctx, func(ctx context.Context, payload []byte) ([]byte, error) {
		reply, err := client.RequestWithContext(ctx, "echo.say", payload)
		if err != nil {
			return nil, err
		}
		return reply.Data, nil
	}, spec)
}

// natsSubscriber serves one subject until its connection ends.
func natsSubscriber(url, subject string, ready func(), serve func(*nats.Conn, *nats.Msg) error) error {
	ended := make(chan error, 1)
	client, err := nats.Connect(url, nats.NoReconnect(), nats.ClosedHandler(func(*nats.Conn) { ended <- nil }))
	if err != nil {
		return err
	}
	_, err = client.Subscribe(subject, func(msg *nats.Msg) {
		if err := serve(client, msg); err != nil {
			ended <- err
		}
	})
	if err := errors.Join(err, client.Flush()); err != nil {
		return err
	}
	ready()
	return <-ended
}
