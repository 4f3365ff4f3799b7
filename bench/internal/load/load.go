// Package load calls something as fast as a number of callers can and tells how long the calls took.
package load

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Call sends payload to an echo in another process and returns what came back. The answer is the caller's until its next
// call; payload may be changed once Call has returned.
type Call func(ctx context.Context, payload []byte) ([]byte, error)

// Spec is a load.
type Spec struct {
	Size    int           // bytes of payload, at least 8
	Callers int           // each makes one call after the other
	Warmup  time.Duration // not counted
	For     time.Duration // counted; longer if too few calls end in it
}

// least is how many calls are counted at least, for each caller: slow calls are given the time they need.
const least = 3

// patience is how much longer than its time a load may take.
const patience = 30 * time.Second

// Limit is the most a load takes before it fails.
func (s Spec) Limit() time.Duration { return s.Warmup + s.For + patience }

// Result is what a load showed.
type Result struct {
	P50       time.Duration // latency of the median call
	P99       time.Duration
	PerSecond float64 // calls
}

// Run loads call with spec. An answer that is not the payload it was asked with is an error, and so is any failed call.
func Run(ctx context.Context, call Call, spec Spec) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, spec.Limit())
	defer cancel()
	var (
		running sync.WaitGroup
		window  = window{opens: time.Now().Add(spec.Warmup), shortest: spec.For, least: int64(least * spec.Callers)}
		taken   = make([][]time.Duration, spec.Callers)
		errs    = make([]error, spec.Callers)
	)
	for i := range spec.Callers {
		running.Go(func() {
			if taken[i], errs[i] = one(ctx, call, spec.Size, uint32(i), &window); errs[i] != nil {
				cancel()
			}
		})
	}
	running.Wait()
	if err := cause(errs); err != nil {
		return Result{}, err
	}
	return summarize(slices.Concat(taken...), window.length()), nil
}

// one is one caller; it returns the latencies of its calls that ended in the window.
func one(ctx context.Context, call Call, size int, caller uint32, in *window) (taken []time.Duration, err error) {
	payload := bytes.Repeat([]byte("payload!"), size/8+1)[:size]
	binary.LittleEndian.PutUint32(payload, caller)
	for n := uint32(0); ; n++ {
		binary.LittleEndian.PutUint32(payload[4:], n)
		asked := time.Now()
		answer, err := call(ctx, payload)
		answered := time.Now()
		if err != nil {
			return nil, err
		}
		if !bytes.Equal(answer, payload) {
			return nil, fmt.Errorf("an answer of %d bytes is not the payload of %d bytes it was asked with", len(answer), size)
		}
		counts, more := in.add(answered)
		if counts {
			taken = append(taken, answered.Sub(asked))
		}
		if !more {
			return taken, nil
		}
	}
}

// cause is the error that ended a load; the other callers were then told to stop.
func cause(errs []error) error {
	var first error
	for _, err := range errs {
		if err != nil && !errors.Is(err, context.Canceled) {
			return err
		}
		first = errors.Join(first, err)
	}
	return first
}

// summarize expects the latencies of at least one call.
func summarize(taken []time.Duration, elapsed time.Duration) Result {
	slices.Sort(taken)
	return Result{
		P50:       taken[len(taken)/2],
		P99:       taken[len(taken)*99/100],
		PerSecond: float64(len(taken)) / elapsed.Seconds(),
	}
}
