package cli

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/ixtrun/ixt/admin"
	"github.com/ixtrun/ixt/internal/crash"
)

// showCrash tells what a report says: what happened, then the figures, then everything that may explain it.
func showCrash(out *output, r *admin.CrashReport) {
	fmt.Fprintln(out, whatHappened(r))
	fact(out, "why", oneLine(r.Why))
	fact(out, "decision", oneLine(r.Decision))
	fact(out, "next", whatFollowed(r))
	fact(out, "report", r.ID)
	fact(out, "ended", date(r.Time))
	fact(out, "module", oneLine(r.Module+" "+r.Version))
	fact(out, "sdk", oneLine(r.SDK))
	if r.PID != 0 {
		fact(out, "process", processFacts(r))
		fact(out, "memory", fmt.Sprintf("%.1f MiB at most", float64(r.MaxRSSBytes)/(1<<20)))
		fact(out, "processor", fmt.Sprintf("%s in the program, %s in the kernel", short(ms(r.CPUUserMS)), short(ms(r.CPUSystemMS))))
	}
	fact(out, "restarts", strconv.Itoa(r.Restarts))
	if r.Cause.Text != r.Why {
		fact(out, "detail", oneLine(r.Cause.Text))
	}
	fact(out, "frame", oneLine(r.Cause.FrameHead))
	showCalls(out, r)
	showText(out, "its own words", r.Panic)
	showText(out, "where it hung", r.Dump)
	if len(r.Lines) > 0 {
		fmt.Fprintln(out, "\nlast log lines")
	}
	for _, e := range r.Lines {
		fmt.Fprintln(out, "  "+logLine(e, r.Time))
	}
}

// whatHappened is the report in one sentence.
func whatHappened(r *admin.CrashReport) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s/%03d %s", oneLine(r.Module), r.Instance, deed(r.Cause))
	if r.UptimeMS != 0 {
		fmt.Fprintf(&b, " after %s", short(ms(r.UptimeMS)))
	}
	if r.PID != 0 && r.ReadyAt.IsZero() {
		b.WriteString(", before it was ready")
	}
	switch r.InFlight {
	case 0:
	case 1:
		b.WriteString(", with a call in flight")
	default:
		fmt.Fprintf(&b, ", with %d calls in flight", r.InFlight)
	}
	return b.String()
}

// deed is what a module did to deserve a report.
func deed(c crash.Cause) string {
	switch c.Kind {
	case crash.KindExit:
		return fmt.Sprintf("exited with code %d", c.Code)
	case crash.KindSignal:
		return "was ended by " + oneLine(c.String())
	case crash.KindOOM:
		return "was killed for lack of memory"
	case crash.KindHealth:
		return "was found sick and was ended"
	case crash.KindProtocol:
		return "broke the protocol"
	case crash.KindClosed:
		return "closed its connection and lived on"
	case crash.KindStart:
		return "could not be started"
	case crash.KindConfig:
		return "refused its configuration"
	case crash.KindBuild:
		return "could not be built"
	}
	return "ended abnormally: " + oneLine(c.String())
}

// whatFollowed says when the next attempt was due.
func whatFollowed(r *admin.CrashReport) string {
	switch rest := r.NextAttempt.Sub(r.Time); {
	case r.NextAttempt.IsZero():
		return fmt.Sprintf("it is not started again by itself; `ixt start %s` does so", oneLine(r.Module))
	case rest <= 0:
		return "it is started again at once"
	default:
		return fmt.Sprintf("it is started again after %s, at %s", short(rest), clock(r.NextAttempt, r.Time))
	}
}

func processFacts(r *admin.CrashReport) string {
	text := strconv.Itoa(r.PID)
	if !r.SpawnedAt.IsZero() {
		text += ", spawned at " + clock(r.SpawnedAt, r.Time)
	}
	if !r.ReadyAt.IsZero() {
		text += ", ready at " + clock(r.ReadyAt, r.Time)
	}
	return text
}

func showCalls(out *output, r *admin.CrashReport) {
	if len(r.Calls) == 0 {
		return
	}
	head := "\ncalls in flight"
	if more := r.InFlight - len(r.Calls); more > 0 {
		head += fmt.Sprintf(" (and %d younger ones)", more)
	}
	fmt.Fprintln(out, head)
	t := &table{head: []string{"TOPIC", "AGE", "ATTEMPT", "BYTES", "SHA256", "CALL", "TRACE"}}
	for _, c := range r.Calls {
		t.add(oneLine(c.Topic), short(ms(c.AgeMS)), strconv.Itoa(c.Attempt), strconv.FormatInt(c.PayloadBytes, 10),
			oneLine(c.PayloadSHA256[:min(len(c.PayloadSHA256), 12)]), oneLine(c.CallID), oneLine(c.TraceID))
	}
	width, _ := out.size()
	for _, line := range t.lines(width - 2) {
		fmt.Fprintln(out, "  "+line)
	}
}

// showText is a section of the page with text of the module's.
func showText(w io.Writer, head, text string) {
	if text != "" {
		fmt.Fprintf(w, "\n%s\n  %s\n", head, strings.ReplaceAll(printable(text), "\n", "\n  "))
	}
}
