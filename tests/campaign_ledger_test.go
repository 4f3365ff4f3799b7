package tests

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
)

// ledger is a file in which every module writes down what reaches it, before it does anything else: one line, one write, to
// the end of the file, so that no crash loses or mixes any.
type ledger struct{ file *os.File }

func openLedger(path string) (*ledger, error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	return &ledger{file}, err
}

func (l *ledger) delivered(j job, attempt int, station string) {
	l.write("delivered %d %d %d %s\n", j.number, j.hop, attempt, station)
}

// ended is how a nested call ended.
func (l *ledger) ended(j job, code string, outcome ipc.Outcome) {
	l.write("ended %d %d %s %s\n", j.number, j.hop, code, outcome)
}

// complain is about the host's manners, or another module's.
func (l *ledger) complain(format string, args ...any) { l.write("complaint "+format+"\n", args...) }

// write fails with the module: what cannot be written down must not be done.
func (l *ledger) write(format string, args ...any) {
	if _, err := fmt.Fprintf(l.file, format, args...); err != nil {
		fmt.Fprintln(os.Stderr, "ledger:", err)
		os.Exit(8)
	}
}

// delivery is one attempt at one call that reached a module, packed to be sorted: number, hop, attempt.
type delivery uint64

const attemptBits, hopBits = 16, 4

func packDelivery(number uint64, hop, attempt int) delivery {
	return delivery((number<<hopBits|uint64(hop))<<attemptBits | uint64(attempt))
}

func (d delivery) number() uint64 { return uint64(d) >> (attemptBits + hopBits) }
func (d delivery) hop() int       { return int(d >> attemptBits & (1<<hopBits - 1)) }
func (d delivery) attempt() int   { return int(d & (1<<attemptBits - 1)) }

// audit compares how calls ended with what reached the modules.
func (c *campaign) audit() {
	deliveries, nested := c.readLedger()
	slices.Sort(deliveries)
	for i := range deliveries {
		if i > 0 && deliveries[i] == deliveries[i-1] {
			d := deliveries[i]
			c.violated("attempt %d of %s was delivered twice", d.attempt(), c.describe(d.number(), d.hop()))
		}
	}
	times := func(number uint64, hop int) int {
		from, _ := slices.BinarySearch(deliveries, packDelivery(number, hop, 0))
		to, _ := slices.BinarySearch(deliveries, packDelivery(number, hop+1, 0))
		return to - from
	}
	for number := range uint64(c.book.len()) {
		e := c.book.entry(number)
		c.auditCall(number, 0, e, times(number, 0))
		if e.onward != nil {
			c.auditCall(number, 1, entry{station: e.onward, ending: nested[number]}, times(number, 1))
		}
	}
	c.deliveries = len(deliveries)
	c.requireInnocence()
}

// auditCall holds the outcome of one call against how often it was delivered.
func (c *campaign) auditCall(number uint64, hop int, e entry, times int) {
	switch {
	case e.ending == open && hop == 0:
		c.violated("%s has not ended", c.describe(number, hop))
	case e.ending == untouched && times > 0:
		c.violated("%s ended as not delivered, but was delivered %d times", c.describe(number, hop), times)
	case e.ending == succeeded && times == 0:
		c.violated("%s succeeded, but was never delivered", c.describe(number, hop))
	case e.ending == answered && times == 0:
		c.violated("%s was answered with an error of its handler, but was never delivered", c.describe(number, hop))
	case !e.station.idempotent && times > 1:
		c.violated("%s is not idempotent and was delivered %d times", c.describe(number, hop), times)
	case e.station.idempotent && times > e.station.attempts:
		c.violated("%s was delivered %d times, %d are allowed", c.describe(number, hop), times, e.station.attempts)
	}
}

func (c *campaign) describe(number uint64, hop int) string {
	text := fmt.Sprintf("call %d to %s", number, c.book.entry(number).station.name)
	if hop > 0 {
		text = fmt.Sprintf("the call that %s made", text)
	}
	return text
}

// readLedger returns what reached the modules and how nested calls ended, as far as their callers lived to see it. It checks
// that each call reached the station that it was meant for.
func (c *campaign) readLedger() (deliveries []delivery, nested map[uint64]ending) {
	file, err := os.Open(c.ledger)
	require.NoError(c.t, err)
	defer file.Close()
	nested = map[uint64]ending{}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var number uint64
		var hop, attempt int
		kind, rest, _ := strings.Cut(lines.Text(), " ")
		switch kind {
		case "delivered":
			var name string
			_, err = fmt.Sscan(rest, &number, &hop, &attempt, &name)
			require.NoError(c.t, err, lines.Text())
			if e := c.book.entry(number); hop == 0 && e.station.name != name || hop == 1 && e.onward.name != name {
				c.violated("%s was delivered to %s", c.describe(number, hop), name)
			}
			deliveries = append(deliveries, packDelivery(number, hop, attempt))
		case "ended":
			var code string
			var outcome ipc.Outcome
			_, err = fmt.Sscan(rest, &number, &hop, &code, &outcome)
			require.NoError(c.t, err, lines.Text())
			nested[number] = endingOf(outcome, code)
		default:
			c.violated("a module complains: %s", lines.Text())
		}
	}
	require.NoError(c.t, lines.Err())
	return deliveries, nested
}
