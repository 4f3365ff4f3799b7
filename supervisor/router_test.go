package supervisor

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/manifest"
)

// instant answers every call at once, as the wire would.
type instant struct {
	silence
	known bool  // a request of the module belonged to the call
	hangs bool  // a ctx was hung below the call's
	err   error // instead of an answer
}

func (i *instant) Handle(ctx context.Context, _ *ipc.Message, _ *ipc.Context, watch ipc.Watch) (ipc.Data, error) {
	if i.hangs {
		_, cancel := context.WithCancel(ctx)
		defer cancel()
	}
	watch.Written(1)
	s := ipc.Settlement{Known: i.known}
	if i.err == nil {
		s.Answered = time.Now()
	}
	watch.Settled(s)
	return ipc.Data{}, i.err
}

// instantRouter is a router with one provider that answers at once.
func instantRouter() *router {
	r := newRouter(newJournal())
	r.outlook = func([]string, time.Time) outlook { return outlook{} }
	r.demand = func([]string) {}
	r.awaitBuilds = func(context.Context, []string) {}
	m := &manifest.Module{Services: map[string]manifest.Service{"echo.say": {Timeout: manifest.Duration(time.Minute)}}}
	m.Name, m.Version, m.Scale.Instances = "echo", "1.0.0", 1
	r.declare(m, false)
	r.attach(&provider{
		instance: &instance{module: m, id: ipc.ModuleID{Name: "echo", Version: "1.0.0", Instance: 1}},
		talk:     &instant{}, limit: 1 << 20,
	})
	return r
}

// fresh is what is told of a call that begins a trace.
var fresh = ipc.Context{TraceID: "0af7651916cd43ddb7ad6b7169203331", CallID: "b7ad6b7169203331", SourceModule: fromHost}

func (r *router) mustCall(tb testing.TB, mc ipc.Context) {
	f := r.landed.get()
	f.msg.Topic, f.mc = "echo.say", mc
	if err := r.call(context.Background(), f); err != nil {
		tb.Error(err)
	}
	r.reuse(f)
}

func TestNobodyTracesForFree(t *testing.T) {
	r := instantRouter()
	f := &flight{msg: ipc.TargetedMessage{Message: ipc.Message{Topic: "echo.say"}}, accepted: time.Now()}
	f.identify(fromHost, "")
	echo, failed := r.topics["echo.say"], ipc.Errorf(ipc.CodeTimeout, "too late")
	r.finish(echo, nil, f, failed) // makes room for the code
	require.Zero(t, testing.AllocsPerRun(100, func() {
		r.finish(echo, nil, f, nil)
		r.finish(echo, nil, f, failed)
		r.repeat(echo, nil, f, failed, 1)
	}))
}

func TestSpansOfACall(t *testing.T) {
	r := instantRouter()
	var spans []Span
	r.spans = func(s Span) { spans = append(spans, s) }
	r.mustCall(t, ipc.Context{TraceID: "0af7651916cd43dd8448eb211c80319c", CallID: "b7ad6b7169203331", SourceModule: fromHost})
	r.mustCall(t, ipc.Context{TraceID: "mine", CallID: "b7ad6b7169203332"})
	r.mustCall(t, ipc.Context{TraceID: "00000000000000000000000000000000", CallID: "b7ad6b7169203333"})
	require.Len(t, spans, 9)
	for i, name := range []SpanName{SpanQueue, SpanHandle, SpanCall} {
		require.Equal(t, name, spans[i].Name)
		require.Equal(t, byte(0x0a), spans[i].TraceID[0])
		require.Empty(t, spans[i].Trace)
		require.Equal(t, ipc.Done, spans[i].Outcome)
		require.Equal(t, 1, spans[i].Attempt)
		require.False(t, spans[i].End.Before(spans[i].Start))
	}
	require.Equal(t, [8]byte{0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31}, spans[2].ID)
	require.Equal(t, [8]byte{}, spans[2].Parent)
	require.Equal(t, spans[2].ID, spans[0].Parent)
	require.Equal(t, spans[2].ID, spans[1].Parent)
	require.NotEqual(t, spans[0].ID, spans[1].ID)
	require.Equal(t, "mine", spans[5].Trace)
	require.Equal(t, spans[3].TraceID, spans[5].TraceID)
	require.NotEqual(t, [16]byte{}, spans[8].TraceID, "zeros are no trace id")
}

// The ids of a call stand in memory that the next one uses.
func TestSpansKeepTheirIDs(t *testing.T) {
	r := instantRouter()
	ids := map[string]bool{}
	var kept []Span
	r.spans = func(s Span) {
		if s.Name == SpanCall {
			ids[strings.Clone(s.CallID)] = true
			kept = append(kept, s)
		}
	}
	for range 50 {
		f := r.landed.get()
		f.msg.Topic = "echo.say"
		f.identify(fromHost, "")
		require.NoError(t, r.call(t.Context(), f))
		r.reuse(f)
	}
	require.Len(t, ids, 50)
	for _, s := range kept {
		require.Contains(t, ids, s.CallID)
		delete(ids, s.CallID)
	}
}

func TestHistogram(t *testing.T) {
	var h Histogram
	for _, d := range []time.Duration{-1, 0, Bounds[0], Bounds[0] + 1, time.Second, time.Minute} {
		h.observe(d)
	}
	require.Equal(t, []uint64{3, 1}, h.Counts[:2])
	require.Equal(t, uint64(1), h.Counts[12])
	require.Equal(t, uint64(1), h.Counts[len(Bounds)])
	require.Equal(t, uint64(6), h.Count())
	require.Equal(t, 2*Bounds[0]+1+time.Second+time.Minute, h.Sum)
}

func TestCodesOfModulesAreBounded(t *testing.T) {
	c := newCounts()
	for i := range 1000 {
		c.fail(ipc.Done, string(rune('A'+i%26))+string(rune('A'+i/26)))
	}
	c.fail(ipc.NotDelivered, ipc.CodeBusy)
	require.Len(t, c.failures(), ownCodes+2)
	var sum uint64
	for _, f := range c.failures() {
		sum += f.Calls
	}
	require.EqualValues(t, 1001, sum)
}

func BenchmarkRouter(b *testing.B) {
	for _, traced := range []bool{false, true} {
		name := "untraced"
		if traced {
			name = "traced"
		}
		b.Run(name, func(b *testing.B) {
			r := instantRouter()
			if traced {
				r.spans = func(Span) {}
			}
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					r.mustCall(b, fresh)
				}
			})
		})
	}
}
