package moduletest_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/module"
	"github.com/ixtrun/ixt/module/moduletest"
)

func TestKVOfTheTest(t *testing.T) {
	s := &subject{}
	h := moduletest.Start(t, s, moduletest.Options{ID: "press:1.0.0/instance-001", Seed: func(h *moduletest.Harness) {
		h.KV().Set("b", []byte("1"))
		h.KV("line-state").Set("c", nil)
	}})
	_, err := s.host.KV().Set(t.Context(), "a", []byte("2"))
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b"}, h.KV("press").Keys())
	value, ok := h.KV().Get("a")
	require.True(t, ok)
	require.Equal(t, "2", string(value))
	h.KV().Delete("a")
	_, ok = h.KV().Get("a")
	require.False(t, ok)
	require.Equal(t, []string{"c"}, h.KV("line-state").Keys())
}

func TestTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &subject{}
		h := moduletest.Start(t, s, moduletest.Options{})
		set := func(opts ...module.SetOption) {
			_, err := s.host.KV().Set(t.Context(), "a", nil, opts...)
			require.NoError(t, err)
		}
		set(module.TTL(time.Second))
		<-time.After(time.Second)
		require.Empty(t, h.KV().Keys())
		set(module.TTL(time.Second))
		set() // for ever
		<-time.After(time.Hour)
		require.Equal(t, []string{"a"}, h.KV().Keys())
		set(module.TTL(time.Hour)) // outlives the module
	})
}

// A slow watcher misses what has been overtaken, and never the present value of a key.
func TestASlowWatcher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		gate := make(chan struct{})
		s := &subject{}
		h := moduletest.Start(t, s, moduletest.Options{})
		require.NoError(t, s.host.KV().Watch(t.Context(), "", func(_ context.Context, c *module.KVChange) error {
			<-gate
			got = append(got, fmt.Sprintf("%s=%s lost %d", c.Key, c.Value, c.Lost))
			return nil
		}))
		for i := range 300 {
			_, err := s.host.KV().Set(t.Context(), "a", fmt.Append(nil, i))
			require.NoError(t, err)
			if i == 0 {
				synctest.Wait() // it is with the watcher, and no more in the row
			}
		}
		h.KV("other").Set("b", nil) // not watched
		close(gate)
		synctest.Wait()
		require.Len(t, got, 257)
		require.Equal(t, []string{"a=0 lost 0", "a=44 lost 43", "a=45 lost 0"}, got[:3])
		require.Equal(t, "a=299 lost 0", got[256])
	})
}
