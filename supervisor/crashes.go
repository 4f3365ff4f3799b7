package supervisor

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ixtrun/ixt/internal/crash"
	"github.com/ixtrun/ixt/internal/logs"
	"github.com/ixtrun/ixt/ipc"
)

// Crashes returns the reports about processes that ended abnormally, those of earlier runs too; nil until Run has set up.
func (s *Supervisor) Crashes() *crash.Store {
	select {
	case <-s.up:
		return s.crashes
	default:
		return nil
	}
}

// crashed is a report on its way to the disk.
type crashed struct {
	report crash.Report
	lost   []*delivery // the calls that went down with it
	born   time.Time   // zero: there was no process
	dumped time.Time   // when it was asked where it hangs; zero: it was not
	end    time.Time
}

const (
	pendingReports = 64              // may wait for the disk
	reportTime     = 5 * time.Second // for those that still wait when everything has stopped
)

// keepReports writes reports until there will be no more. A slow disk costs reports and holds nobody up.
func (s *Supervisor) keepReports() {
	for c := range s.reports {
		if s.hurried.Load() {
			s.journal.add(Entry{Kind: KindWarning, Module: c.report.Module, Instance: c.report.Instance, Text: noReport})
			continue
		}
		for _, d := range c.lost {
			c.report.Calls = append(c.report.Calls, describeCall(d, c.end))
		}
		s.quote(&c)
		entry := Entry{Kind: KindCrash, Module: c.report.Module, Instance: c.report.Instance}
		id, err := s.crashes.Add(c.report)
		switch {
		case err == nil:
			entry.Text = "crash report " + id
		case id == "":
			entry.Kind, entry.Text = KindWarning, "no crash report: "+err.Error()
		default:
			entry.Text = fmt.Sprintf("crash report %s: %v", id, err)
		}
		s.journal.add(entry)
	}
}

const (
	remembered = 100  // lines of an instance that are in memory
	quoted     = 4000 // lines of its module that are looked at if that is not all
)

const noReport = "no crash report: the disk is too slow"

// quote adds what the process wrote: the last lines, its panic or its dump.
func (s *Supervisor) quote(c *crashed) {
	if len(c.report.Lines) == remembered || !c.dumped.IsZero() {
		lines, _ := s.logs.Tail(c.report.Module, quoted) // what cannot be read is of an earlier run
		c.report.Lines = slices.DeleteFunc(lines, func(e logs.Entry) bool {
			return e.Instance != c.report.Instance || e.Time.Before(c.born) || e.Time.After(c.end)
		})
	}
	if c.dumped.IsZero() {
		c.report.Panic = crash.PanicText(c.report.Lines)
		return
	}
	var text strings.Builder
	before := c.report.Lines[:0]
	for _, e := range c.report.Lines {
		switch {
		case e.Time.Before(c.dumped):
			before = append(before, e)
		case e.Stream == logs.Stderr:
			text.WriteString(e.Message + "\n")
		}
	}
	c.report.Lines, c.report.Dump = before, text.String()
}

func describeCall(d *delivery, end time.Time) crash.Call {
	c := crash.Call{
		Topic: d.msg.Topic, CallID: strings.Clone(d.mc.CallID), TraceID: strings.Clone(d.mc.TraceID), AgeMS: end.Sub(d.accepted).Milliseconds(), Attempt: d.attempt,
	}
	d.kept.Lock()
	defer d.kept.Unlock()
	if payload, err := d.msg.Payload.Decode(); err == nil {
		sum := sha256.Sum256(payload)
		c.PayloadBytes, c.PayloadSHA256 = int64(len(payload)), hex.EncodeToString(sum[:])
	}
	return c
}

// reportCrash puts down all that is known of an abnormal end.
func (in *instance) reportCrash(end ending, d decision) {
	now, r := time.Now(), in.snapshot()
	c := crashed{end: now}
	c.report = crash.Report{
		Head: crash.Head{
			Time: now, Module: in.id.Name, Version: in.id.Version, Instance: in.id.Instance, Cause: end.describe(), Why: end.what,
		},
		Restarts: r.Restarts, Decision: d.why,
	}
	if d.delay != forever {
		c.report.NextAttempt = now.Add(d.delay)
	}
	if p := end.of; p != nil {
		in.describeProcess(&c.report, p)
		c.born, c.dumped = p.born, p.dumped
		c.report.Lines = slices.DeleteFunc(in.s.logs.Recent(in.id.Name, in.id.Instance, remembered),
			func(e logs.Entry) bool { return e.Received.Before(p.born) })
		if p.provider != nil {
			c.lost = in.s.router.lostWith(p.provider)
		}
	}
	select {
	case in.s.reports <- c:
	default:
		in.warn(noReport)
	}
}

// describeProcess adds what is known of the process.
func (in *instance) describeProcess(r *crash.Report, p *incarnation) {
	r.SDK, r.ReadyAt = p.sdk, p.ready
	if p.proc != nil {
		r.PID, r.SpawnedAt, r.UptimeMS = p.proc.PID(), p.born, time.Since(p.born).Milliseconds()
	}
	r.MaxRSSBytes, r.CPUUserMS, r.CPUSystemMS = p.exit.MaxRSS, p.exit.UserTime.Milliseconds(), p.exit.SystemTime.Milliseconds()
}

// describe is the cause as a report has it.
func (e ending) describe() crash.Cause {
	c := crash.Cause{Code: -1, Text: e.what}
	if p := e.of; p != nil && !p.ended.IsZero() {
		c.Code = p.exit.Code
		c.Signal = unix.SignalName(p.exit.Signal)
		if broken := new(ipc.ProtocolError); p.talk != nil && errors.As(p.talk.Err(), &broken) {
			c.FrameHead = crash.FrameHead(broken.Head)
		}
	}
	switch closest := e.cause[0]; {
	case strings.HasPrefix(closest, "exit"):
		c.Kind = crash.KindExit
	case strings.HasPrefix(closest, "SIG"):
		c.Kind = crash.KindSignal
	default:
		c.Kind = crash.Kind(closest)
	}
	return c
}

// lostWith are the first of the calls that a provider will never answer.
func (r *router) lostWith(p *provider) []*delivery {
	r.mu.Lock()
	defer r.mu.Unlock()
	return p.lost
}
