package host_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/supervisor"
)

// The manifests of those who publish and those who subscribe.
const (
	publishes  = `events = ["plc.>"]`
	subscribes = "[requires]\nevents = [\"plc.>\"]\n"
)

func TestEventsReachWhoHasSubscribed(t *testing.T) {
	withEngines(t, func(t *testing.T, r *rig) {
		r.add("plc", publishes)
		r.add("report", subscribes+"[scale]\ninstances = 2\n")
		r.add("other", subscribes)
		r.start()
		require.Equal(t, "plc.*.temp", r.subscribe("report/1", ipc.Subscription{Pattern: "plc.*.temp"}))
		require.Equal(t, "plc.*.temp", r.subscribe("report/2", ipc.Subscription{Pattern: "plc.*.temp"}))
		require.Equal(t, "plc.l7.>", r.subscribe("other", ipc.Subscription{Pattern: "plc.l7.>"}))
		r.publish("plc", "plc.l8.temp", "cold")
		r.publish("plc", "plc.l7.temp", "hot")
		r.publish("plc", "plc.l7.state.door", "")
		for _, who := range []string{"report/1", "report/2"} {
			require.Equal(t, []string{"cold", "hot"}, r.texts(who, 2))
		}
		e := r.next("other")
		require.Equal(t, ipc.Delivery{Subscription: "plc.l7.>", Seq: 1}, e.Delivery)
		require.Equal(t, "plc.l7.temp", e.Topic)
		require.Equal(t, "hot", e.Text)
		require.Equal(t, "plc:1.0.0/instance-001", e.Context.SourceModule)
		require.Equal(t, "trace-of-plc", e.Context.TraceID)
		require.Equal(t, 1, e.Context.Attempt)
		require.NotZero(t, e.Context.Timestamp)
		e = r.next("other")
		require.Equal(t, uint64(2), e.Seq)
		require.Equal(t, "plc.l7.state.door", e.Topic)
	})
}

func TestUnsubscribingEndsASubscription(t *testing.T) {
	withEngines(t, func(t *testing.T, r *rig) {
		r.add("plc", publishes)
		r.add("report", subscribes)
		r.start()
		for _, p := range []ipc.Subscription{{Pattern: "plc.a"}, {Pattern: "plc.a", Durable: "stock"}} {
			name := r.subscribe("report", p)
			r.subscribe("report", ipc.Subscription{Pattern: "plc.b"})
			_, err := r.ask("report", ipc.ServiceEvents, ipc.MethodUnsubscribe, ipc.Subscribed{Subscription: name})
			require.NoError(t, err)
			r.publish("plc", "plc.a", "1")
			require.Equal(t, name, r.subscribe("report", p), "the same again, and new")
			r.publish("plc", "plc.a", "2")
			require.Equal(t, "2", r.next("report").Text)
			_, err = r.ask("report", ipc.ServiceEvents, ipc.MethodUnsubscribe, ipc.Subscribed{Subscription: name})
			require.NoError(t, err)
			_, err = r.ask("report", ipc.ServiceEvents, ipc.MethodUnsubscribe, ipc.Subscribed{Subscription: name})
			requireCode(t, err, ipc.CodeNotFound)
		}
	})
}

func TestWhatCannotBeSaysWhatCan(t *testing.T) {
	r := newRig(t)
	r.add("plc", publishes+"\n"+subscribes)
	r.add("mute", "")
	r.start()
	tests := map[string]struct {
		do   func() error
		code string
		text string
	}{
		"topic with a wildcard": {func() error { return r.tryPublish("plc", "plc.*", "") }, ipc.CodeInvalidInput, "wildcard"},
		"empty segment":         {func() error { return r.tryPublish("plc", "plc..a", "") }, ipc.CodeInvalidInput, "empty segment"},
		"no payload": {func() error {
			_, err := r.ask("plc", ipc.ServiceEvents, ipc.MethodPublish, map[string]string{"topic": "plc.a", "payload": "?"})
			return err
		}, ipc.CodeInvalidInput, "base64"},
		"wrong type": {func() error {
			_, err := r.ask("plc", ipc.ServiceEvents, ipc.MethodPublish, map[string]int{"topic": 1})
			return err
		}, ipc.CodeInvalidInput, "events.publish"},
		"too large":           {func() error { return r.tryPublish("plc", "plc.a", strings.Repeat("x", ipc.MaxChunk+1)) }, ipc.CodeTooLarge, "1048576"},
		"publish not allowed": {func() error { return r.tryPublish("mute", "plc.a", "") }, ipc.CodeDenied, `put this under [provides] in`},
		"> inside":            {subscribing(r, "plc", ipc.Subscription{Pattern: "plc.>.a"}), ipc.CodeInvalidInput, "> before its end"},
		"not covered":         {subscribing(r, "plc", ipc.Subscription{Pattern: ">"}), ipc.CodeDenied, `events = ["plc.>", ">"]`},
		"buffer":              {subscribing(r, "plc", ipc.Subscription{Pattern: "plc.a", Buffer: 65537}), ipc.CodeInvalidInput, "1 to 65536"},
		"durable":             {subscribing(r, "plc", ipc.Subscription{Pattern: "plc.a", Durable: "a b"}), ipc.CodeInvalidInput, "letters"},
		"from":                {subscribing(r, "plc", ipc.Subscription{Pattern: "plc.a", Durable: "a", From: "old"}), ipc.CodeInvalidInput, `"kept"`},
		"kept, not durable":   {subscribing(r, "plc", ipc.Subscription{Pattern: "plc.a", From: "kept"}), ipc.CodeInvalidInput, "durable"},
		"no such method": {func() error {
			_, err := r.ask("plc", ipc.ServiceEvents, "listen", struct{}{})
			return err
		}, ipc.CodeUnknownType, `"subscribe"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var e *ipc.Error
			require.ErrorAs(t, test.do(), &e)
			require.Equal(t, test.code, e.Code)
			require.Contains(t, e.Message, test.text)
			require.Equal(t, ipc.NotDelivered, e.Outcome)
		})
	}
	require.NoError(t, r.tryPublish("plc", "plc.a", strings.Repeat("x", ipc.MaxChunk)))
}

func subscribing(r *rig, who string, p ipc.Subscription) func() error {
	return func() error {
		_, err := r.trySubscribe(who, p)
		return err
	}
}

func TestAnInstanceHasSoManySubscriptions(t *testing.T) {
	r := newRig(t)
	r.add("report", subscribes)
	r.start()
	for n := range 256 {
		r.subscribe("report", ipc.Subscription{Pattern: fmt.Sprintf("plc.n%d", n)})
	}
	_, err := r.trySubscribe("report", ipc.Subscription{Pattern: "plc.more"})
	requireCode(t, err, ipc.CodeBusy)
	r.subscribe("report", ipc.Subscription{Pattern: "plc.n7"}) // is there already
}

func TestASlowSubscriberLosesOnlyItsOwn(t *testing.T) {
	withEngines(t, func(t *testing.T, r *rig) {
		const many = 50
		r.add("plc", publishes)
		r.add("slow", subscribes)
		r.add("fast", subscribes)
		r.start()
		r.subscribe("slow", ipc.Subscription{Pattern: "plc.n", Buffer: 4})
		r.subscribe("fast", ipc.Subscription{Pattern: "plc.n"})
		r.mode("slow", "hold")
		r.publish("plc", "plc.n", "1")
		require.Equal(t, "1", r.next("slow").Text)
		for n := 2; n <= many; n++ {
			r.publish("plc", "plc.n", fmt.Sprint(n))
		}
		for n := 1; n <= many; n++ {
			e := r.next("fast")
			require.Equal(t, fmt.Sprint(n), e.Text)
			require.Equal(t, uint64(n), e.Seq)
			require.Zero(t, e.Lost)
		}
		r.mode("slow", "")
		lost, last := uint64(0), event{Delivery: ipc.Delivery{Seq: 1}}
		for last.Seq < many {
			e := r.next("slow")
			require.Equal(t, fmt.Sprint(e.Seq), e.Text)
			require.Equal(t, e.Seq-last.Seq-1, e.Lost)
			lost, last = lost+e.Lost, e
		}
		require.NotZero(t, lost)
	})
}

func TestGroupDeliversToOneInstance(t *testing.T) {
	for name, durable := range map[string]string{"plain": "", "durable": "stock"} {
		t.Run(name, func(t *testing.T) {
			withEngines(t, func(t *testing.T, r *rig) {
				const many = 60
				r.add("plc", publishes)
				r.add("report", subscribes+"[scale]\ninstances = 3\n")
				r.start()
				instances := []string{"report/1", "report/2", "report/3"}
				for _, who := range instances {
					r.subscribe(who, ipc.Subscription{Pattern: "plc.*", Group: true, Durable: durable})
				}
				for n := range many {
					r.publish("plc", "plc.n", fmt.Sprint(n))
				}
				texts := make(chan string)
				ctx, cancel := context.WithCancel(r.ctx)
				defer cancel()
				for _, who := range instances {
					go func() {
						for {
							data, err := r.callWithin(ctx, who, "next", nil)
							if err != nil {
								return
							}
							_, text, _ := strings.Cut(string(data), `"text":"`)
							text, _, _ = strings.Cut(text, `"`)
							texts <- text
						}
					}()
				}
				seen := map[string]bool{}
				for range many {
					text := <-texts
					require.False(t, seen[text], "%s came twice", text)
					seen[text] = true
				}
				total := 0
				for _, who := range instances {
					total += r.count(who)
				}
				require.Equal(t, many, total)
			})
		})
	}
}

func TestRestartKeepsSubscriptions(t *testing.T) {
	for name, p := range map[string]ipc.Subscription{"plain": {Pattern: "plc.*.temp"}, "durable": {Pattern: "plc.*.temp", Durable: "stock"}} {
		t.Run(name, func(t *testing.T) {
			withEngines(t, func(t *testing.T, r *rig) {
				r.add("plc", publishes)
				r.add("report", subscribes)
				r.start()
				sub := r.subscribe("report", p)
				r.mode("report", "hold")
				r.publish("plc", "plc.l7.temp", "1")
				require.Equal(t, "1", r.next("report").Text)
				r.publish("plc", "plc.l7.temp", "2", "3", "4")
				require.NoError(t, r.Restart(r.ctx, "report"))
				seen := map[string]int{}
				for range 3 {
					e := r.next("report")
					require.Equal(t, sub, e.Subscription)
					seen[e.Text] = e.Context.Attempt
				}
				if p.Durable != "" { // what was not answered comes again
					e := r.next("report")
					seen[e.Text] = e.Context.Attempt
					require.Equal(t, map[string]int{"1": 2, "2": 1, "3": 1, "4": 1}, seen)
					r.await(sub + ": subscription restored, 4 events waited")
				} else {
					require.Equal(t, map[string]int{"2": 1, "3": 1, "4": 1}, seen)
					e := r.await(sub + ": subscription restored, 3 events waited")
					require.Equal(t, supervisor.KindSubscription, e.Kind)
				}
				r.publish("plc", "plc.l7.temp", "5")
				require.Equal(t, "5", r.next("report").Text)
			})
		})
	}
}
