package tests

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/supervisor"
)

// TestHighPrioritiesGoFirstAndStarveNobody queues one low call before many high ones at a module that is busy.
func TestHighPrioritiesGoFirstAndStarveNobody(t *testing.T) {
	f := newFleet(t)
	f.add("work", "serial", []string{"work.gate", "work.count"}, "")
	f.start()
	require.Eventually(t, func() bool { return f.topic("work.gate").Ready == 1 }, patience, time.Millisecond) // or the first call would wait in the queue, too
	g := newGate(t)
	first := f.later("work.gate", g.path)
	a := g.arrival()
	turns := make(chan int, 21)
	queue := func(priority ipc.Priority, already int) {
		go func() {
			answer, err := f.Call(f.ctx, supervisor.Message{Topic: "work.count", Priority: priority})
			if err != nil {
				turns <- 0
				return
			}
			payload, _ := answer.Payload()
			n, _ := strconv.Atoi(string(payload))
			if priority == ipc.Low {
				n = -n
			}
			turns <- n
		}()
		require.Eventually(t, func() bool { return f.topic("work.count").Queued == already+1 }, patience, time.Millisecond)
	}
	queue(ipc.Low, 0)
	for i := range 20 {
		queue(ipc.Urgent, i+1)
	}
	a.pass()
	require.NoError(t, <-first)
	var low int
	high := map[int]bool{}
	for range 21 {
		if n := <-turns; n < 0 {
			low = -n
		} else {
			high[n] = true
		}
	}
	require.Equal(t, 9, low, "every eighth slot is for whoever has waited longest; the first call was at the gate")
	require.Len(t, high, 20)
	require.True(t, high[2])
}

func (f *fleet) topic(name string) supervisor.TopicStatus {
	for _, topic := range f.Topics() {
		if topic.Topic == name {
			return topic
		}
	}
	f.t.Fatalf("there is no topic %s", name)
	return supervisor.TopicStatus{}
}
