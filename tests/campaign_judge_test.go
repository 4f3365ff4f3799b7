package tests

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/ixtrun/ixt/ipc"
)

// lateness is how long after its time a call, a command or a stop may end on a machine that has better things to do.
const lateness = 10 * time.Second

// hostOutcomes are the codes that the supervisor may end a call of the campaign with, and their outcomes: docs/protocol.md,
// "Errors". The other codes there cannot come about: every topic is provided, allowed, and small enough.
var hostOutcomes = map[string][]ipc.Outcome{
	ipc.CodeUnavailable:   {ipc.NotDelivered},
	ipc.CodeBusy:          {ipc.NotDelivered},
	ipc.CodeTTLExpired:    {ipc.NotDelivered},
	ipc.CodeTimeout:       {ipc.Unknown},
	ipc.CodeCancelled:     {ipc.Unknown, ipc.NotDelivered},
	ipc.CodeModuleGone:    {ipc.Unknown},
	ipc.CodeProtocolError: {ipc.Unknown},
}

// moduleCodes are the codes that a module may answer with.
var moduleCodes = []string{ipc.CodeHandlerPanic, ipc.CodeCancelled, ipc.CodeTimeout, ipc.CodeUnavailable}

// judgeAnswer checks that the answer is the one that this call demands: no other call's, no earlier attempt's of another.
func (c *campaign) judgeAnswer(x *call, payload []byte, answer ipc.Data) {
	c.book.close(x, ipc.Done, "success")
	got, ok := answer.Payload()
	if want := answerOf(x.station.topic, payload); !ok || string(got) != string(want) {
		c.violated("%s was answered %.300s, want a payload of %.300q", c.describe(x.number, 0), answer.JSON(), want)
	}
	c.judgeTime(x)
}

// judgeError checks that the error is honest.
func (c *campaign) judgeError(x *call, err error) {
	e := new(ipc.Error)
	if !errors.As(err, &e) {
		c.violated("%s ended with an error of another type: %v", c.describe(x.number, 0), err)
		return
	}
	c.book.close(x, e.Outcome, e.Code)
	c.judgeTime(x)
	if lie := c.lie(x, e); lie != "" {
		c.violated("%s (%s, ttl %s, patience %s) ended after %s with %v, outcome %s, origin %s: %s", c.describe(x.number, 0), x.order,
			x.ttl, x.patience, x.took, e, e.Outcome, e.Origin, lie)
	}
}

// judgeTime checks that the call ended in time.
func (c *campaign) judgeTime(x *call) {
	limit := x.limit()
	if x.patience > 0 {
		limit = min(limit, x.patience)
	}
	if x.took > limit+lateness {
		c.violated("%s took %s, %s were allowed", c.describe(x.number, 0), x.took, limit)
	}
}

// lie is what is wrong with an error, "" if it may be as it is.
func (c *campaign) lie(x *call, e *ipc.Error) string {
	if e.Origin != ipc.Supervisor {
		return moduleLie(x, e)
	}
	outcomes, known := hostOutcomes[e.Code]
	late, gaveUp := x.took >= x.limit(), x.patience > 0 && x.took >= x.patience
	retried := x.station.idempotent && e.Outcome == ipc.Unknown // then an earlier attempt may have been delivered
	switch {
	case !known:
		return "this code cannot come about"
	case !slices.Contains(outcomes, e.Outcome) && !retried:
		return "the code does not go with the outcome"
	case x.mustSucceed && e.Code != ipc.CodeBusy:
		return "nothing stood in its way"
	case e.Code == ipc.CodeBusy && e.RetryAfter <= 0:
		return "it does not say when to try again"
	case c.isEnding():
		return "" // there is nobody left to wait for
	case (e.Code == ipc.CodeTimeout || e.Code == ipc.CodeTTLExpired) && !late:
		return "it had time left"
	case e.Code == ipc.CodeCancelled && !gaveUp:
		return "nobody gave up"
	case e.Code == ipc.CodeUnavailable && x.station.spared && x.took < x.limit()-longestRest:
		return "the module was not stopped and never rests that long"
	case e.Code == ipc.CodeProtocolError && !strings.HasPrefix(x.station.role, "brawler"):
		return "the module does not break the wire"
	case e.Code == ipc.CodeModuleGone || e.Code == ipc.CodeProtocolError:
		return c.goneLie(x, late || gaveUp)
	}
	return ""
}

// goneLie: an idempotent call goes to another instance when its own is gone, as long as it has attempts and time.
func (c *campaign) goneLie(x *call, over bool) string {
	if !x.station.idempotent || over {
		return ""
	}
	if x.station.attempts < tireless {
		c.exhausted.count(x.station.topic)
		return ""
	}
	return "it was not sent to another instance"
}

// moduleLie judges what a module answered; a module that calls others passes on what they ended with.
func moduleLie(x *call, e *ipc.Error) string {
	_, passedOn := hostOutcomes[e.Code]
	switch {
	case !strings.HasPrefix(e.Origin, x.station.name+":1.0.0/instance-"):
		return "its origin does not provide the topic"
	case e.Outcome != ipc.Done:
		return "what a module answered is done"
	case e.Code == ipc.CodeHandlerPanic && !strings.HasSuffix(x.order, "panic") && !strings.HasPrefix(x.order, "call="):
		return "nobody ordered it to panic"
	case slices.Contains(moduleCodes, e.Code):
		return ""
	case passedOn && strings.HasPrefix(x.order, "call="):
		return ""
	}
	return "the module has no such code"
}

// account is how often a station was called from outside, how often with success, and whether modules called it too.
type account struct {
	begun, done uint64
	nested      bool
}

func (b *book) accounts() map[string]*account {
	b.mu.Lock()
	defer b.mu.Unlock()
	accounts := map[string]*account{}
	of := func(s *station) *account {
		if accounts[s.topic] == nil {
			accounts[s.topic] = &account{}
		}
		return accounts[s.topic]
	}
	for _, e := range b.entries {
		a := of(e.station)
		a.begun++
		if e.ending == succeeded {
			a.done++
		}
		if e.onward != nil {
			of(e.onward).nested = true
		}
	}
	return accounts
}

// compareCounts holds the supervisor's own figures against the book.
func (c *campaign) compareCounts() {
	accounts := c.book.accounts()
	for _, s := range c.stations {
		a := accounts[s.topic]
		if s.topic == "" || a == nil {
			continue
		}
		t := c.topic(s.topic)
		if !a.nested && (t.Done != a.done || t.Done+t.Failed != a.begun) {
			c.violated("%s: the supervisor counts %d done and %d failed calls; callers made %d, of which %d succeeded", s.topic, t.Done, t.Failed, a.begun, a.done)
		}
		if n := c.exhausted.sum(s.topic); s.idempotent && t.Retried < uint64(n*(s.attempts-1)) {
			c.violated("%s: %d calls used up their %d attempts, but calls were sent again only %d times", s.topic, n, s.attempts, t.Retried)
		}
		c.retried += t.Retried
	}
	c.requireInnocence()
}
