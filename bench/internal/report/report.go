// Package report is what was measured, beside what was hoped for: as data, as a table and as a picture.
package report

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"time"
)

// Report is one run of the benchmark.
type Report struct {
	Began    time.Time `json:"began"`
	System   string    `json:"system"` // operating system and architecture
	CPUs     int       `json:"cpus"`
	Busy     float64   `json:"load_average"` // of the machine, in the minute before; 0 where it cannot be told
	Go       string    `json:"go"`
	Rounds   int       `json:"rounds"`
	Measures []Measure `json:"measures"`
}

// New is a report that begins now.
func New(rounds int) *Report {
	r := &Report{Began: time.Now(), System: runtime.GOOS + "/" + runtime.GOARCH, CPUs: runtime.NumCPU(), Go: runtime.Version(), Rounds: rounds}
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		_, _ = fmt.Sscan(string(text), &r.Busy)
	}
	return r
}

// Circumstances is a line about how and where it was measured.
func (r *Report) Circumstances() string {
	line := fmt.Sprintf("median of %d rounds, %s, %d cores, %s", r.Rounds, r.System, r.CPUs, r.Go)
	if r.Busy > 0 {
		line += fmt.Sprintf(", load average %.1f before", r.Busy)
	}
	return line
}

// Measure is one question with the answers of those who were asked; the first row is ours.
type Measure struct {
	Name    string `json:"name"`
	Rows    []Row  `json:"rows,omitempty"`
	Skipped string `json:"skipped,omitempty"` // why there are no rows
}

// Row is the median of one peer.
type Row struct {
	Name string `json:"name"`
	// What a load showed.
	Load *Load `json:"load,omitempty"`
	// What was measured otherwise.
	Value *Quantity `json:"value,omitempty"`
	// Ours divided by this row's, 0 if they are not compared: of latencies where those are asked for, else of rates or values.
	Ratio float64 `json:"ratio,omitempty"`
	// What is hoped for.
	Target *Target `json:"target,omitempty"`
}

// Load is how fast calls were.
type Load struct {
	P50       time.Duration `json:"p50_ns"`
	P99       time.Duration `json:"p99_ns"`
	PerSecond float64       `json:"calls_per_second"`
	MBPerSec  float64       `json:"mb_per_second"` // of payload, one way
}

// Quantity is a number with its unit.
type Quantity struct {
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
}

// WriteJSON writes everything into a file.
func (r *Report) WriteJSON(file string) error {
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}

// Verdict is a row that has a target, with the measure it belongs to.
type Verdict struct {
	Measure string
	Row     Row
}

// Verdicts returns the rows that have targets.
func (r *Report) Verdicts() (all []Verdict) {
	for _, m := range r.Measures {
		for _, row := range m.Rows {
			if row.Target != nil {
				all = append(all, Verdict{m.Name, row})
			}
		}
	}
	return all
}
