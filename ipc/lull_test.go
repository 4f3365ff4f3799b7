package ipc_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
)

func TestAwaitOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		doors := make(chan struct{})
		c, p := overPipe(t, &ipc.Options{Handler: func(ctx context.Context, _ *ipc.Envelope) (ipc.Data, error) {
			<-doors
			return ipc.Data{}, nil
		}})
		require.NoError(t, c.AwaitOpen(t.Context(), 0))
		p.send(`{"type":"handle","id":1}`, `{"type":"handle","id":2}`, `{"type":"handle","id":3}`)
		synctest.Wait()
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, c.AwaitOpen(ended, 2), context.Canceled)
		require.NoError(t, c.AwaitOpen(t.Context(), 3))

		reached := make(chan int, 2)
		for _, n := range []int{1, 0} {
			go func() {
				if c.AwaitOpen(context.Background(), n) == nil {
					reached <- n
				}
			}()
		}
		for _, want := range [][]int{nil, {1}, {0}} {
			doors <- struct{}{}
			synctest.Wait()
			require.Len(t, reached, len(want))
			for _, n := range want {
				require.Equal(t, n, <-reached)
			}
			p.receive()
		}
	})
}
