package report

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// WriteTable writes a measure for people.
func (m *Measure) WriteTable(w io.Writer) error {
	var b strings.Builder
	b.WriteString("\n" + m.Name + "\n")
	if m.Skipped != "" {
		b.WriteString("  not measured: " + m.Skipped + "\n")
		_, err := io.WriteString(w, b.String())
		return err
	}
	columns := tabwriter.NewWriter(&b, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintln(columns, strings.Join(m.header(), "\t")+"\t")
	for _, r := range m.Rows {
		fmt.Fprintln(columns, strings.Join(r.cells(), "\t")+"\t")
	}
	if err := columns.Flush(); err != nil {
		return err
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (m *Measure) header() []string {
	figures := []string{"value"}
	if len(m.Rows) > 0 && m.Rows[0].Load != nil {
		figures = []string{"p50", "p99", "calls/s", "MB/s"}
	}
	return append(append([]string{""}, figures...), "ours is", "target", "")
}

func (r *Row) cells() []string {
	cells := []string{r.Name}
	if l := r.Load; l != nil {
		cells = append(cells, micros(l.P50), micros(l.P99), fmt.Sprintf("%.0f", l.PerSecond), fmt.Sprintf("%.1f", l.MBPerSec))
	} else {
		cells = append(cells, r.Value.String())
	}
	ratio, target, verdict := "", "", ""
	if r.Ratio > 0 {
		ratio = fmt.Sprintf("%.2f ×", r.Ratio)
	}
	if r.Target != nil {
		target, verdict = r.Target.String(), r.Target.Verdict()
	}
	return append(cells, ratio, target, verdict)
}

func micros(d time.Duration) string {
	return fmt.Sprintf("%.1f µs", float64(d)/float64(time.Microsecond))
}

// WriteSummary writes how many targets hold and which do not.
func (r *Report) WriteSummary(w io.Writer) {
	all := r.Verdicts()
	var missed []Verdict
	for _, v := range all {
		if !v.Row.Target.Holds() {
			missed = append(missed, v)
		}
	}
	fmt.Fprintf(w, "\n%d of %d targets hold\n", len(all)-len(missed), len(all))
	for _, v := range missed {
		t := v.Row.Target
		fmt.Fprintf(w, "  missed: %s, %s: %s, hoped for %s\n", v.Measure, v.Row.Name, t.Got, t)
	}
}
