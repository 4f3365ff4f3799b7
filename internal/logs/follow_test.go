package logs_test

import (
	"context"
	"iter"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/internal/logs"
)

func collect(entries iter.Seq2[logs.Entry, int]) []string {
	out := []string{}
	for e := range entries {
		out = append(out, e.Message)
	}
	return out
}

func TestFollowOneOrAll(t *testing.T) {
	s := openStore(t, t.TempDir())
	write(s, "press", 1, 1, 3)
	all, press := s.Follow(t.Context(), "", 0), s.Follow(t.Context(), "press", 0)
	write(s, "press", 1, 4, 5)
	write(s, "mill", 1, 6, 7)
	require.NoError(t, s.Close())
	require.Equal(t, count(4, 7), collect(all))
	require.Equal(t, count(4, 5), collect(press))
	require.Empty(t, collect(press), "only once")
	require.Empty(t, collect(s.Follow(t.Context(), "", 0)), "the store is closed")
}

func TestSlowFollowerIsToldWhatItLost(t *testing.T) {
	s := openStore(t, t.TempDir())
	next, stop := iter.Pull2(s.Follow(t.Context(), "", 2))
	defer stop()
	expect := func(message string, lost int) {
		t.Helper()
		e, n, ok := next()
		require.True(t, ok)
		require.Equal(t, message, e.Message)
		require.Equal(t, lost, n)
	}
	write(s, "press", 1, 1, 5)
	expect("1", 0)
	write(s, "press", 1, 6, 7)
	expect("2", 0)
	expect("6", 3)
	write(s, "press", 1, 8, 8)
	expect("8", 1)
	require.Equal(t, count(1, 8), tail(t, s, "press", 10))
}

func TestFollowEnds(t *testing.T) {
	for _, test := range []struct {
		name string
		end  func(cancel context.CancelFunc, s *logs.Store)
	}{
		{"with its context", func(cancel context.CancelFunc, _ *logs.Store) { cancel() }},
		{"with the store", func(_ context.CancelFunc, s *logs.Store) { _ = s.Close() }},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := openStore(t, t.TempDir())
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			following := s.Follow(ctx, "", 0)
			write(s, "press", 1, 1, 1)
			started, ended := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(ended)
				for range following {
					close(started)
				}
			}()
			<-started
			test.end(cancel, s)
			<-ended
		})
	}
}

func TestFollowerThatBreaksOff(t *testing.T) {
	s := openStore(t, t.TempDir())
	following := s.Follow(context.Background(), "", 0)
	write(s, "press", 1, 1, 2)
	for e := range following {
		require.Equal(t, "1", e.Message)
		break
	}
	write(s, "press", 1, 3, 4)
	require.Equal(t, []string{"2"}, collect(following), "nothing came after it broke off")
}
