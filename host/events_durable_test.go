package host_test

import (
	"bufio"
	"fmt"
	"net"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/supervisor"
)

func TestStoppingByCommandEndsWhatIsNotDurable(t *testing.T) {
	withEngines(t, func(t *testing.T, r *rig) {
		r.add("plc", publishes)
		r.add("report", subscribes)
		r.start()
		r.subscribe("report", ipc.Subscription{Pattern: "plc.a"})
		r.subscribe("report", ipc.Subscription{Pattern: "plc.b", Durable: "stock"})
		require.NoError(t, r.Stop(r.ctx, "report"))
		r.publish("plc", "plc.a", "lost")
		r.publish("plc", "plc.b", "kept")
		require.NoError(t, r.Start("report"))
		r.subscribe("report", ipc.Subscription{Pattern: "plc.a"})
		r.publish("plc", "plc.a", "new")
		require.Equal(t, "new", r.next("report").Text)
		r.subscribe("report", ipc.Subscription{Pattern: "plc.b", Durable: "stock"})
		require.Equal(t, "kept", r.next("report").Text)
	})
}

func TestDurableResumesAfterTheSupervisorRestarts(t *testing.T) {
	withEngines(t, func(t *testing.T, r *rig) {
		r.add("plc", publishes)
		r.add("report", subscribes)
		r.add("late", subscribes)
		r.start()
		p := ipc.Subscription{Pattern: "plc.n", Durable: "stock"}
		r.subscribe("report", p)
		r.publish("plc", "plc.n", "1")
		require.Equal(t, "1", r.next("report").Text)
		require.NoError(t, r.Stop(r.ctx, "report"))
		r.publish("plc", "plc.n", "2", "3")
		r.halt()
		r.start()
		r.subscribe("late", ipc.Subscription{Pattern: "plc.n", Durable: "kept", From: ipc.FromKept})
		require.Equal(t, []string{"2", "3"}, r.texts("late", 2), "those that another durable subscription still waits for")
		r.subscribe("report", p)
		require.Equal(t, []string{"2", "3"}, r.texts("report", 2))
		r.publish("plc", "plc.n", "4")
		require.Equal(t, "4", r.next("report").Text)
	})
}

func TestFailingHandlerGetsAnEventFiveTimes(t *testing.T) {
	withEngines(t, func(t *testing.T, r *rig) {
		r.add("plc", publishes)
		r.add("report", subscribes)
		r.start()
		r.subscribe("report", ipc.Subscription{Pattern: "plc.n", Durable: "stock"})
		r.mode("report", "fail sour")
		r.publish("plc", "plc.n", "sour", "sweet")
		require.Equal(t, "sour", r.next("report").Text)
		require.Equal(t, "sweet", r.next("report").Text, "later ones go on")
		for attempt := 2; attempt <= 5; attempt++ {
			e := r.next("report")
			require.Equal(t, "sour", e.Text)
			require.Equal(t, attempt, e.Context.Attempt)
		}
		e := r.await("was given up after 5 attempts: SOUR")
		require.Equal(t, supervisor.KindWarning, e.Kind)
		require.Equal(t, "report", e.Module)
		require.Equal(t, "plc.n", e.Topic)
		require.Contains(t, e.Text, "stock:plc.n: an event of plc:1.0.0/instance-001")
		r.publish("plc", "plc.n", "more")
		require.Equal(t, "more", r.next("report").Text)
	})
}

func TestFailingHandlerOfAPlainSubscriptionIsNoted(t *testing.T) {
	r := newRig(t)
	r.add("plc", publishes)
	r.add("report", subscribes)
	r.start()
	r.subscribe("report", ipc.Subscription{Pattern: "plc.n"})
	r.mode("report", "fail sour")
	r.publish("plc", "plc.n", "sour", "sweet")
	require.Equal(t, []string{"sour", "sweet"}, r.texts("report", 2))
	r.await("plc.n: handling an event on plc.n failed: SOUR: it does not taste")
}

func TestAnEventThatKillsItsHandlerComesAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.add("plc", publishes)
	r.add("report", subscribes)
	r.start()
	sub := r.subscribe("report", ipc.Subscription{Pattern: "plc.n", Durable: "stock"})
	r.mode("report", "crash")
	seen := r.Journal().Seq()
	r.publish("plc", "plc.n", "poison")
	r.awaitAfter(seen, "report/001 ready")
	e := r.next("report")
	require.Equal(t, "poison", e.Text)
	require.Equal(t, 2, e.Context.Attempt, "the crash was the first")
	r.await(sub + ": subscription restored, 1 event waited")
}

// An event that is never answered is delivered again.
func TestAHungHandlerGetsTheEventAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.add("plc", publishes)
	r.add("report", subscribes)
	r.start()
	r.subscribe("report", ipc.Subscription{Pattern: "plc.n", Durable: "stock"})
	r.mode("report", "hold")
	r.publish("plc", "plc.n", "1")
	require.Equal(t, 1, r.next("report").Context.Attempt)
	r.await("attempt 1 of 5: TIMEOUT")
	require.Equal(t, 2, r.next("report").Context.Attempt)
	r.mode("report", "")
	r.publish("plc", "plc.n", "2")
	require.Equal(t, "2", r.next("report").Text)
}

// A supervisor that is killed between acknowledged publishes loses none of them.
func TestKilledSupervisorLosesNoAcknowledgedEvent(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.add("report", subscribes)
	r.start()
	p := ipc.Subscription{Pattern: "plc.n", Durable: "stock"}
	r.subscribe("report", p)
	r.halt()

	socket := filepath.Join(filepath.Dir(r.dir), "acks")
	listener, err := net.Listen("unix", socket)
	require.NoError(t, err)
	defer listener.Close()
	alone := &rig{t: t, dir: filepath.Join(filepath.Dir(r.dir), "publisher"), state: r.state}
	alone.addRole("plc", "publisher "+socket, publishes)
	killed := alone.elsewhere("supervisor " + alone.dir + " " + alone.state)
	acks, err := listener.Accept()
	require.NoError(t, err)
	acknowledged := 0
	for lines := bufio.NewScanner(acks); lines.Scan(); {
		acknowledged++
		require.Equal(t, fmt.Sprint(acknowledged), lines.Text())
		if acknowledged == 300 {
			killed.kill()
		}
	}
	require.GreaterOrEqual(t, acknowledged, 300)

	r.start()
	r.subscribe("report", p)
	for n := 1; n <= acknowledged; n++ {
		require.Equal(t, fmt.Sprint(n), r.next("report").Text)
	}
}
