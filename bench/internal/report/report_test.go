package report_test

import (
	"encoding/json"
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/bench/internal/report"
)

func times(value float64) report.Quantity { return report.Quantity{Value: value, Unit: "×"} }

func TestTarget(t *testing.T) {
	for name, c := range map[string]struct {
		target report.Target
		margin float64
		holds  bool
		text   string
	}{
		"at least, better":     {report.Target{Got: times(5), Bound: 4, AtLeast: true}, 1.25, true, "≥ 4 ×"},
		"at least, just met":   {report.Target{Got: times(4), Bound: 4, AtLeast: true}, 1, true, "≥ 4 ×"},
		"at least, worse":      {report.Target{Got: times(1), Bound: 4, AtLeast: true}, 0.25, false, "≥ 4 ×"},
		"at most, better":      {report.Target{Got: times(0.4), Bound: 0.5}, 1.25, true, "≤ 0.5 ×"},
		"at most, worse":       {report.Target{Got: times(1), Bound: 0.5}, 0.5, false, "≤ 0.5 ×"},
		"a unit":               {report.Target{Got: report.Quantity{Value: 128, Unit: "KiB"}, Bound: 64}, 0.5, false, "≤ 64 KiB"},
		"nothing used":         {report.Target{Got: report.Quantity{Value: 0, Unit: "%"}, Bound: 1}, report.BestMargin, true, "≤ 1 %"},
		"less than nothing":    {report.Target{Got: report.Quantity{Value: -3, Unit: "KiB"}, Bound: 64}, report.BestMargin, true, "≤ 64 KiB"},
		"nothing reached":      {report.Target{Got: times(0), Bound: 4, AtLeast: true}, 0, false, "≥ 4 ×"},
		"a number and no unit": {report.Target{Got: report.Quantity{Value: 1000}, Bound: 1000, AtLeast: true}, 1, true, "≥ 1000"},
	} {
		t.Run(name, func(t *testing.T) {
			require.InDelta(t, c.margin, c.target.Margin(), 1e-9)
			require.Equal(t, c.holds, c.target.Holds())
			require.Equal(t, c.text, c.target.String())
		})
	}
}

// sample has one target that is met, one that is nearly met, one that is missed by far, and a measure that was not made.
func sample() *report.Report {
	row := func(name string, p50 time.Duration, rate, ratio, bound float64) report.Row {
		r := report.Row{Name: name, Load: &report.Load{P50: p50, P99: 3 * p50, PerSecond: rate, MBPerSec: rate * 64 / 1e6}, Ratio: ratio}
		if bound > 0 {
			r.Target = &report.Target{Got: times(ratio), Bound: bound, AtLeast: true}
		}
		return r
	}
	r := report.New(5)
	r.System, r.CPUs, r.Go, r.Busy = "plan9/mips", 3, "go1.0", 0.25
	r.Measures = []report.Measure{
		{Name: "calls", Rows: []report.Row{
			row("ours", 25*time.Microsecond, 40000, 0, 0),
			row("slow", 100*time.Microsecond, 8000, 5, 4),
			row("middling", 40*time.Microsecond, 33333, 1.2, 1.5),
			row("fast <&>", 5*time.Microsecond, 160000, 0.25, 1),
		}},
		{Name: "heap", Rows: []report.Row{{Name: "each", Value: &report.Quantity{Value: 23.456, Unit: "KiB"}}}},
		{Name: "python", Skipped: "there is none"},
	}
	return r
}

func TestCheck(t *testing.T) {
	r := sample()
	err := r.Check(2)
	require.EqualError(t, err, "off by more than a factor of 2:\n  calls, fast <&>: 0.25 ×, hoped for ≥ 1 ×")
	require.ErrorContains(t, r.Check(1), "middling")
	require.NoError(t, r.Check(4.1))
	for i := range r.Measures {
		for j := range r.Measures[i].Rows {
			if target := r.Measures[i].Rows[j].Target; target != nil {
				target.Reached = 0.6 // of all that are missed and of some that are met
			}
		}
	}
	require.EqualError(t, r.Check(2), "off by more than a factor of 2:\n  calls, fast <&>: 0.25 ×, hoped for ≥ 1 ×, 0.6 × was reached")
	require.NoError(t, r.Check(2.5))
}

func TestTable(t *testing.T) {
	var b strings.Builder
	r := sample()
	for _, m := range r.Measures {
		require.NoError(t, m.WriteTable(&b))
	}
	r.WriteSummary(&b)
	lines := strings.Split(b.String(), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	require.Equal(t, `
calls
                   p50        p99   calls/s   MB/s   ours is    target
       ours    25.0 µs    75.0 µs     40000    2.6
       slow   100.0 µs   300.0 µs      8000    0.5    5.00 ×     ≥ 4 ×    holds
   middling    40.0 µs   120.0 µs     33333    2.1    1.20 ×   ≥ 1.5 ×   MISSED
   fast <&>     5.0 µs    15.0 µs    160000   10.2    0.25 ×     ≥ 1 ×   MISSED

heap
             value   ours is   target
   each   23.5 KiB

python
  not measured: there is none

1 of 3 targets hold
  missed: calls, middling: 1.2 ×, hoped for ≥ 1.5 ×
  missed: calls, fast <&>: 0.25 ×, hoped for ≥ 1 ×
`, strings.Join(lines, "\n"))
}

func TestJSON(t *testing.T) {
	file := filepath.Join(t.TempDir(), "r.json")
	r := sample()
	require.NoError(t, r.WriteJSON(file))
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var back report.Report
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, r.Measures, back.Measures)
}

func TestSVG(t *testing.T) {
	file := filepath.Join(t.TempDir(), "r.svg")
	require.NoError(t, sample().WriteSVG(file))
	picture, err := os.ReadFile(file)
	require.NoError(t, err)

	var texts, colours []string
	dec := xml.NewDecoder(strings.NewReader(string(picture)))
	for {
		token, err := dec.Token()
		if err == io.EOF {
			break
		}
		require.NoError(t, err, "it is well-formed")
		switch token := token.(type) {
		case xml.CharData:
			if s := strings.TrimSpace(string(token)); s != "" {
				texts = append(texts, s)
			}
		case xml.StartElement:
			for _, a := range token.Attr {
				if token.Name.Local == "rect" && a.Name.Local == "fill" && a.Value != "#ffffff" {
					colours = append(colours, a.Value)
				}
			}
		}
	}
	require.Contains(t, texts, "calls · fast <&>")
	require.Contains(t, texts, "5 × (≥ 4 ×)")
	require.Contains(t, texts, "median of 5 rounds, plan9/mips, 3 cores, go1.0, load average 0.2 before")
	require.NotContains(t, texts, "heap · each", "it has no target")
	require.Len(t, colours, 3, "a bar for each target")
	require.NotEqual(t, colours[0], colours[1])
	require.Equal(t, colours[1], colours[2])
}
