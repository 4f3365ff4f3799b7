package process

import (
	"fmt"
	"slices"
	"sync"
	"syscall"
	"time"
)

// guardPause is how long to wait before yet another guard is started. A guard that has lived that long was a good one.
const guardPause = time.Second

// A keeper knows the groups of a [Spawner] and keeps a guard on duty that knows them too. Telling it of a group costs one write to a
// pipe and waits for nothing. Its goroutine alone starts and ends guards:
//
//	start ──> on duty ──(dies, or misses a message)──> end ──> start, at once or, if that too was short-lived, after a pause
//
// A guard is started with all groups there are; those that come and go meanwhile are in its pipe.
type keeper struct {
	shell   string
	news    chan error // holds one
	closing chan struct{}
	closed  chan struct{}

	mu     sync.Mutex // held for moments only
	groups []int      // by slot; 0: the slot is free
	guard  *guard     // the one to tell; nil if there is none
}

// newKeeper starts the first guard itself, so that it is there before any process is.
func newKeeper(shell string) *keeper {
	k := &keeper{shell: shell, news: make(chan error, 1), closing: make(chan struct{}), closed: make(chan struct{})}
	g, err := k.post()
	go k.run(g, err)
	return k
}

// close kills the groups that are still listed and ends the guard. It is called once, when no more groups can come.
func (k *keeper) close() {
	k.killGroups()
	close(k.closing)
	<-k.closed
}

// announce lists a group whose leader has just been started.
func (k *keeper) announce(group int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	slot := slices.Index(k.groups, 0)
	if slot < 0 {
		slot = len(k.groups)
		k.groups = append(k.groups, 0)
	}
	k.set(slot, group)
}

// withdraw takes a group from the list; its leader may be collected then. A process that no Spawner started has no keeper.
func (k *keeper) withdraw(group int) {
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if slot := slices.Index(k.groups, group); slot >= 0 {
		k.set(slot, 0)
	}
}

func (k *keeper) set(slot, group int) {
	k.groups[slot] = group
	if k.guard != nil && k.guard.tell(slot, group) != nil {
		close(k.guard.deaf)
		k.guard = nil
	}
}

// run begins with the outcome of the first post.
func (k *keeper) run(g *guard, err error) {
	defer close(k.closed)
	defer close(k.news)
	for failures := 0; ; g, err = k.post() {
		posted := time.Now()
		if err == nil {
			err = k.attend(g)
		}
		if time.Since(posted) >= guardPause {
			failures = 0
		}
		failures++
		if !k.rest(failures, err) {
			return
		}
	}
}

// post puts a guard on duty.
func (k *keeper) post() (*guard, error) {
	g, err := newGuard()
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	k.guard = g
	groups := slices.Clone(k.groups)
	k.mu.Unlock()
	proc, err := g.start(k.shell, groups)
	if err != nil {
		k.dismiss(g)
		return nil, err
	}
	k.mu.Lock()
	g.proc = proc
	k.mu.Unlock()
	return g, nil
}

// attend returns when the guard has ended, at the latest soon after the keeper is closing.
func (k *keeper) attend(g *guard) error {
	select {
	case <-g.proc.Exited():
	case <-g.deaf:
	case <-k.closing:
	}
	return fmt.Errorf("it ended: %v", k.dismiss(g))
}

func (k *keeper) dismiss(g *guard) Exit {
	k.mu.Lock()
	if k.guard == g {
		k.guard = nil
	}
	k.mu.Unlock()
	return g.end()
}

// rest passes the time until the next guard; false means that the keeper is closing. The first of several failures in a row may have
// been bad luck, the second is said.
func (k *keeper) rest(failures int, err error) bool {
	if isClosed(k.closing) {
		return false
	}
	if failures == 1 {
		return true
	}
	if failures == 2 {
		k.complain(err)
	}
	timer := time.NewTimer(guardPause)
	defer timer.Stop()
	select {
	case <-k.closing:
		return false
	case <-timer.C:
		return true
	}
}

// complain is heard by whoever listens to [Spawner.Unguarded]; one unheard complaint is enough.
func (k *keeper) complain(err error) {
	err = fmt.Errorf("no guard can be kept: %w; should this program be killed, what its processes have started may live on; "+
		"see that %s works", err, k.shell)
	select {
	case k.news <- err:
	default:
	}
}

// killGroups kills what is left on the list. None of it is collected before it is withdrawn, which waits for us.
func (k *keeper) killGroups() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, group := range k.groups {
		if group != 0 {
			_ = signalGroup(group, syscall.SIGKILL) // may have died
		}
	}
}
