package module_test

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/module"
)

// press judges readings against the average of the last hour, which another module knows.
type press struct {
	module.Base
	cfg struct {
		Line  string
		Limit float64
	}
	host *module.Host
}

type temperature struct {
	Line string
	Temp float64
}

type verdict struct{ OK bool }

func (p *press) Init(_ context.Context, in *module.Init) error {
	p.host = in.Host
	module.HandleJSON(in, "press.check", p.check)
	return in.Config.Decode(&p.cfg)
}

func (p *press) check(ctx context.Context, r temperature) (verdict, error) {
	avg, err := module.CallJSON[temperature](ctx, p.host, "historian.avg", temperature{Line: p.cfg.Line})
	if module.OutcomeOf(err) == module.NotDelivered { // nobody was there to ask
		avg, err = temperature{Temp: 80}, nil
	}
	if err != nil {
		return verdict{}, err
	}
	return verdict{OK: r.Temp < avg.Temp+p.cfg.Limit}, nil
}

// The main function of this module is module.Main(&press{}). Here both ends run in one program, with a host that has no other
// module to offer; a unit test would let package moduletest be the host.
func Example() {
	ctx := context.Background()
	host, end := ipc.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- module.Serve(ctx, end, &press{}, nil) }()

	conn := ipc.NewConn(host, &ipc.Options{Handler: func(context.Context, *ipc.Envelope) (ipc.Data, error) {
		return ipc.Data{}, ipc.Errorf(ipc.CodeNoProvider, "there is no historian")
	}})
	go func() { _ = conn.Run(ctx) }()
	_, err := conn.Init(ctx, ipc.InitParams{
		Protocol: ipc.Version,
		ModuleID: "press:1.0.0/instance-001",
		Config:   json.RawMessage(`{"line":"L7","limit":5.5}`),
	})
	fmt.Println("started:", err)

	for _, reading := range []string{`{"Temp":84.5}`, `{"Temp":99}`, `{"Temp":"hot"}`} {
		data, err := conn.Handle(ctx, &ipc.Message{Topic: "press.check", Payload: ipc.EncodePayload([]byte(reading))}, nil, nil)
		var verdict any
		_ = data.Decode(&verdict)
		fmt.Println(verdict, err)
	}

	_ = conn.Shutdown(ctx, time.Second)
	fmt.Println("ended:", <-ended)
	// Output:
	// started: <nil>
	// map[OK:true] <nil>
	// map[OK:false] <nil>
	// map[] INVALID_INPUT: payload.Temp: is a string, expected a number
	// ended: <nil>
}
