package process

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
)

// Pressure says how short the whole machine was of something in the last 10 seconds: the share of that time, 0 to 1, in which at least
// one process had to wait for it.
type Pressure struct {
	CPU    float64
	Memory float64
	IO     float64
}

// ReadPressure asks the kernel. It is not ok on macOS and where Linux does not keep these figures (before 4.20, or switched off).
func ReadPressure() (p Pressure, ok bool) { return readPressure("/proc/pressure") }

func readPressure(dir string) (Pressure, bool) {
	var p Pressure
	for name, share := range map[string]*float64{"cpu": &p.CPU, "memory": &p.Memory, "io": &p.IO} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return Pressure{}, false
		}
		percent, err := someAvg10(text)
		if err != nil {
			return Pressure{}, false
		}
		*share = percent / 100
	}
	return p, true
}

// someAvg10 reads "some avg10=1.25 avg60=..."; a file without that is an error.
func someAvg10(text []byte) (percent float64, err error) {
	rest, _ := bytes.CutPrefix(text, []byte("some avg10="))
	number, _, _ := bytes.Cut(rest, []byte(" "))
	return strconv.ParseFloat(string(number), 64)
}
