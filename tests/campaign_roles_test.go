package tests

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/module"
)

// enlist plays a station of the campaign; detail is the ledger's path, the role and what the role wants to know. The modules
// decide nothing: whoever calls them orders what goes wrong.
func enlist(detail string) int {
	path, role, _ := strings.Cut(detail, " ")
	role, detail, _ = strings.Cut(role, " ")
	l, err := openLedger(path)
	if err != nil {
		return 8
	}
	size, _ := strconv.Atoi(detail)
	switch role {
	case "hand":
		return serve(&hand{ledger: l, path: path, concurrency: size})
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
		go serve(&hand{ledger: l, path: path, concurrency: size})
	case "idler":
		if (&hand{path: path}).bear() != nil {
			return 4
		}
	case "brawler":
		return brawl(l, size)
	case "child":
	default:
		fmt.Fprintln(os.Stderr, "no such role:", role)
		return 9
	}
	select {}
}

// job is the payload of a campaign's call, "NUMBER HOP ORDER FILLER". Hop 0 is the call from outside, hop 1 the one that its
// handler makes.
type job struct {
	number uint64
	hop    int
	order  string
}

func (j job) payload(filler string) []byte {
	return fmt.Appendf(nil, "%d %d %s %s", j.number, j.hop, j.order, filler)
}

// readJob takes a payload apart. An order that begins with "first:" is plain work from the second attempt on.
func readJob(payload []byte, attempt int) (j job, err error) {
	if _, err = fmt.Sscan(string(payload[:min(len(payload), 200)]), &j.number, &j.hop, &j.order); err != nil {
		return j, err
	}
	if order, first := strings.CutPrefix(j.order, "first:"); first {
		j.order = order
		if attempt > 1 {
			j.order = "plain"
		}
	}
	return j, nil
}

// answerOf is what a call must be answered: it proves which topic was called with which payload.
func answerOf(topic string, payload []byte) []byte {
	sum := sha256.New()
	fmt.Fprintf(sum, "%s %s", topic, payload)
	return fmt.Appendf(nil, "%x %s", sum.Sum(nil), payload[:min(len(payload), 8192)])
}

// hand is a module with the SDK that does what it is ordered to.
type hand struct {
	module.Base
	ledger      *ledger
	path        string // of the ledger
	concurrency int
	name        string
	host        *module.Host
	sick, away  atomic.Int64 // until when, Unix nanoseconds
	children    atomic.Int32
}

func (h *hand) Init(_ context.Context, in *module.Init) error {
	h.name, h.host, in.MaxConcurrency = in.ID.Name, in.Host, h.concurrency
	return nil
}

func (h *hand) Health(context.Context) module.Health {
	now := time.Now().UnixNano()
	return module.Health{Healthy: now >= h.sick.Load(), Ready: now >= h.away.Load(), Reason: "as ordered"}
}

func (h *hand) Handle(ctx context.Context, m *module.Message) (*module.Response, error) {
	j, err := readJob(m.Payload, m.Context.Attempt)
	if err != nil {
		return nil, module.Errorf(module.CodeInvalidInput, "%v", err)
	}
	h.ledger.delivered(j, m.Context.Attempt, h.name)
	verb, detail, _ := strings.Cut(j.order, "=")
	d, _ := time.ParseDuration(detail)
	switch verb {
	case "plain":
	case "nap":
		err = nap(ctx, d)
	case "exit":
		os.Exit(7)
	case "segv":
		_ = syscall.Kill(os.Getpid(), syscall.SIGSEGV)
		select {}
	case "panic":
		panic("as ordered")
	case "sick":
		h.sick.Store(time.Now().Add(d).UnixNano())
	case "away":
		h.away.Store(time.Now().Add(d).UnixNano())
	case "bear":
		err = h.bear()
	case "call":
		err = h.callOn(ctx, detail, j)
	default:
		return nil, module.Errorf(module.CodeInvalidInput, "no order %s", j.order)
	}
	if err != nil {
		return nil, err
	}
	return module.Payload(answerOf(m.Topic, m.Payload)), nil
}

// nap works for a while: a short time whatever happens, a longer one until nobody waits any more.
func nap(ctx context.Context, d time.Duration) error {
	if d <= 100*time.Millisecond {
		ctx = context.WithoutCancel(ctx)
	}
	pause(ctx, d)
	return ctx.Err()
}

// bear starts a child that lives until somebody kills it, and holds this process's output; a few are enough.
func (h *hand) bear() error {
	if h.children.Add(1) > 3 {
		return nil
	}
	child := exec.Command(os.Args[0], "-test.run=^$")
	child.Env = append(os.Environ(), fmt.Sprintf("%s=campaign %s child", roleVar, h.path))
	child.Stdout, child.Stderr = os.Stdout, os.Stderr
	return child.Start()
}

// callOn makes the nested call and writes down how it ended.
func (h *hand) callOn(ctx context.Context, topic string, j job) error {
	j.hop, j.order = 1, "plain"
	payload := j.payload("")
	answer, err := h.host.Call(ctx, topic, payload)
	if err != nil {
		e := ipc.AsError(err, ipc.CodeHandlerError)
		h.ledger.ended(j, e.Code, ipc.OutcomeOf(err))
		return err
	}
	h.ledger.ended(j, "success", ipc.Done)
	if got, _ := answer.Payload(); string(got) != string(answerOf(topic, payload)) {
		h.ledger.complain("%s answered call %d of %s with %.200q", topic, j.number, h.name, got)
	}
	return nil
}
