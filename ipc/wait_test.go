package ipc_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
)

// inParts is a ctx that is to be waited for by its parts alone, which it has once the request has been read.
type inParts struct {
	context.Context
	t             *testing.T
	read          chan struct{}
	first, second chan struct{}
	limit         time.Time
	reason        error
	asked         bool
}

func (c *inParts) Deadline() (time.Time, bool) { return time.Time{}, false }

func (c *inParts) Ends() (first, second <-chan struct{}, limit time.Time) {
	<-c.read
	c.asked = true
	return c.first, c.second, c.limit
}

func (c *inParts) Done() <-chan struct{} {
	c.t.Error("it was not waited for by its parts")
	return nil
}

func (c *inParts) Err() error {
	if c.asked {
		return c.reason
	}
	return nil
}

func TestCallsEndWithAnyPartOfTheirContext(t *testing.T) {
	ended := make(chan struct{})
	close(ended)
	for name, c := range map[string]struct {
		ctx  inParts
		code string
	}{
		"the first":   {inParts{first: ended, limit: time.Now().Add(time.Hour), reason: context.Canceled}, ipc.CodeCancelled},
		"the second":  {inParts{second: ended, reason: context.Canceled}, ipc.CodeCancelled},
		"the limit":   {inParts{limit: time.Now(), reason: context.DeadlineExceeded}, ipc.CodeTimeout},
		"none of all": {inParts{limit: time.Now().Add(time.Hour)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			host, module := overPipe(t, nil)
			for range 2 { // the second with what the first has left
				ctx := c.ctx
				ctx.Context, ctx.t, ctx.read = t.Context(), t, make(chan struct{})
				p := host.begin(&ctx, handle(4))
				id := module.envelope().ID
				close(ctx.read)
				if c.code == "" {
					module.send(fmt.Sprintf(`{"type":"response","id":%d,"status":"success"}`, id))
					_, err := p.wait()
					require.NoError(t, err)
					continue
				}
				_, err := p.wait()
				requireError(t, err, c.code, ipc.Unknown)
			}
		})
	}
}
