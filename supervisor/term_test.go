package supervisor

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// limited is newTerm until limit at most.
func limited(first, second context.Context, limit time.Time) *term {
	t := newTerm(first, second)
	t.shorten(limit)
	return t
}

func TestTermEnds(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(first, second context.CancelFunc, t *term)
	}{
		{"with the first", func(first, _ context.CancelFunc, _ *term) { first() }},
		{"with the second", func(_, second context.CancelFunc, _ *term) { second() }},
		{"when it is told to", func(_, _ context.CancelFunc, t *term) { t.end() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			first, endFirst := context.WithCancel(t.Context())
			defer endFirst()
			second, endSecond := context.WithCancel(t.Context())
			defer endSecond()
			early, late := newTerm(first, second), limited(first, second, time.Now().Add(time.Hour))
			child, endChild := context.WithCancel(early)
			defer endChild()
			require.NoError(t, early.Err())
			require.NoError(t, child.Err())
			for _, term := range []*term{early, late} {
				c.end(endFirst, endSecond, term)
				require.Equal(t, context.Canceled, term.Err())
				<-term.Done() // also if nobody has asked for it before
			}
			<-child.Done()
			early.end()
			late.end()
		})
	}
}

func TestTermHasTheNearestLimit(t *testing.T) {
	now := time.Now()
	near, far := now.Add(time.Hour), now.Add(2*time.Hour)
	nearby, end := context.WithDeadline(t.Context(), near)
	defer end()
	for _, term := range []*term{
		limited(nearby, nil, far), limited(t.Context(), nearby, far), limited(t.Context(), nil, near),
		limited(newTerm(nearby, nil), nil, far), limited(limited(t.Context(), nearby, far), nil, far),
	} {
		limit, limited := term.Deadline()
		require.True(t, limited)
		require.Equal(t, near, limit)
		_, _, limit = term.Ends()
		require.Equal(t, near, limit)
	}
	_, limited := newTerm(t.Context(), nil).Deadline()
	require.False(t, limited)
}

// What runs out of time together with what it belongs to has run out of time: it was not cancelled.
func TestTermThatIsLate(t *testing.T) {
	parent := limited(t.Context(), nil, time.Now().Add(time.Millisecond))
	child := newTerm(t.Context(), parent)
	defer child.end()
	done := child.Done()
	for !parent.late() {
		<-parent.Done()
	}
	parent.end()
	<-done
	require.Equal(t, context.DeadlineExceeded, parent.Err())
	require.Equal(t, context.DeadlineExceeded, child.Err())
	require.Equal(t, context.DeadlineExceeded, child.whole().Err())
}

func TestTermIsWaitedForByItsParts(t *testing.T) {
	first, endFirst := context.WithCancel(t.Context())
	parent := newTerm(t.Context(), nil)
	a, b, _ := newTerm(newTerm(first, parent), nil).Ends()
	endFirst()
	<-a
	select {
	case <-b:
		t.Fatal("the second has not ended")
	default:
	}
	parent.end()
	<-b
}
