package module_test

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

func TestKV(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, host := start(t, &fake{}, moduletest.Options{})
		ctx, kv := t.Context(), host.KV()
		_, err := kv.Get(ctx, "a")
		require.True(t, module.IsNotFound(err))

		first, err := kv.Create(ctx, "a", []byte("1"))
		require.NoError(t, err)
		_, err = kv.Create(ctx, "a", []byte("2"))
		require.True(t, module.IsConflict(err))
		require.JSONEq(t, fmt.Sprintf(`{"revision":%d}`, first), string(err.(*module.Error).Details))
		second, err := kv.Update(ctx, "a", []byte("2"), first)
		require.NoError(t, err)
		require.Greater(t, second, first)
		_, err = kv.Update(ctx, "a", []byte("3"), first)
		require.True(t, module.IsConflict(err))
		e, err := kv.Get(ctx, "a")
		require.NoError(t, err)
		require.Equal(t, &module.KVEntry{Key: "a", Value: []byte("2"), Revision: second, Time: time.UnixMilli(time.Now().UnixMilli())}, e)

		require.True(t, module.IsConflict(kv.DeleteRevision(ctx, "a", first)))
		require.NoError(t, kv.DeleteRevision(ctx, "a", second))
		require.NoError(t, kv.Delete(ctx, "a"))
		exists, err := kv.Exists(ctx, "a")
		require.NoError(t, err)
		require.False(t, exists)

		for want := range 3 {
			n, err := kv.Add(ctx, "seen", 2)
			require.NoError(t, err)
			require.EqualValues(t, 2*(want+1), n)
		}
		_, err = kv.Set(ctx, "line.7", []byte("x"), module.TTL(time.Minute))
		require.NoError(t, err)
		_, err = kv.Add(ctx, "line.7", 1)
		require.ErrorIs(t, err, &module.Error{Code: module.CodeInvalidInput})
		keys, err := kv.Keys(ctx, "")
		require.NoError(t, err)
		require.Equal(t, []string{"line.7", "seen"}, keys)
		<-time.After(time.Minute)
		keys, err = kv.Keys(ctx, "line.*")
		require.NoError(t, err)
		require.Empty(t, keys)
	})
}

func TestBucketsAreApart(t *testing.T) {
	h, host := start(t, &fake{}, moduletest.Options{ID: "press:1.0.0/instance-001"})
	_, err := host.KV("line-state").Set(t.Context(), "a", []byte("1"))
	require.NoError(t, err)
	_, err = host.KV("press").Get(t.Context(), "a")
	require.True(t, module.IsNotFound(err))
	value, ok := h.KV("line-state").Get("a")
	require.True(t, ok)
	require.Equal(t, "1", string(value))
}

func TestJSONInKV(t *testing.T) {
	_, host := start(t, &fake{}, moduletest.Options{})
	ctx, kv := t.Context(), host.KV()
	revision, err := module.SetJSON(ctx, kv, "limits", temperature{Line: "L7", Temp: 80}, module.IfRevision(0))
	require.NoError(t, err)
	got, at, err := module.GetJSON[temperature](ctx, kv, "limits")
	require.NoError(t, err)
	require.Equal(t, revision, at)
	require.Equal(t, temperature{Line: "L7", Temp: 80}, got)

	_, _, err = module.GetJSON[int](ctx, kv, "limits")
	require.ErrorContains(t, err, "limits does not fit")
	require.Equal(t, module.Done, module.OutcomeOf(err))
	_, _, err = module.GetJSON[int](ctx, kv, "other")
	require.True(t, module.IsNotFound(err))
	_, err = module.SetJSON(ctx, kv, "limits", make(chan int))
	require.ErrorIs(t, err, &module.Error{Code: module.CodeInvalidInput})
	_, err = module.SetJSON(ctx, kv, "limits", 1, module.IfRevision(0))
	require.True(t, module.IsConflict(err))
}

func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		h, host := start(t, &fake{init: func(ctx context.Context, in *module.Init) error {
			return in.Host.KV("line-state").Watch(ctx, "l7.*", func(_ context.Context, c *module.KVChange) error {
				got = append(got, fmt.Sprintf("%s=%s %d %v", c.Key, c.Value, c.Revision, c.Deleted))
				return nil
			})
		}}, moduletest.Options{Seed: func(h *moduletest.Harness) {
			h.KV("line-state").Set("l7.temp", []byte("80"))
			h.KV("line-state").Set("l8.temp", []byte("70"))
		}})
		kv := host.KV("line-state")
		h.KV("line-state").Set("l7.hum", []byte("5"))
		_, err := kv.Set(t.Context(), "l7.temp", []byte("81"), module.TTL(time.Second))
		require.NoError(t, err)
		<-time.After(2 * time.Second)
		h.KV("line-state").Delete("l7.hum")
		require.Equal(t, []string{"l7.temp=80 1 false", "l7.hum=5 3 false", "l7.temp=81 4 false", "l7.temp= 5 true", "l7.hum= 6 true"}, got)

		require.NoError(t, kv.Unwatch(t.Context(), "l7.*"))
		h.KV("line-state").Set("l7.temp", nil)
		require.Len(t, got, 5)
		require.True(t, module.IsNotFound(kv.Unwatch(t.Context(), "l7.*")))
	})
}
