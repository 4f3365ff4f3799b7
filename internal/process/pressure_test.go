package process

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPressure(t *testing.T) {
	const full = "full avg10=99.00 avg60=99.00 avg300=99.00 total=99\n"
	good := map[string]string{
		"cpu":    "some avg10=38.16 avg60=22.58 avg300=12.82 total=1075222928\n" + full,
		"memory": "some avg10=0.00 avg60=1.00 avg300=1.00 total=1\n" + full,
		"io":     "some avg10=100.00 avg60=1.00 avg300=1.00 total=1\n" + full,
	}
	for _, c := range []struct {
		name  string
		spoil map[string]string // file to what it says instead; "" removes it
		want  Pressure
		ok    bool
	}{
		{"all there", nil, Pressure{CPU: 0.3816, Memory: 0, IO: 1}, true},
		{"without the line of full", map[string]string{"cpu": "some avg10=50.00 avg60=0.00 avg300=0.00 total=1\n"}, Pressure{CPU: 0.5, IO: 1}, true},
		{"a file missing", map[string]string{"io": ""}, Pressure{}, false},
		{"another line first", map[string]string{"memory": full}, Pressure{}, false},
		{"no number", map[string]string{"memory": "some avg10=much avg60=0.00\n"}, Pressure{}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range good {
				if other, spoilt := c.spoil[name]; spoilt {
					text = other
				}
				if text != "" {
					require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
				}
			}
			got, ok := readPressure(dir)
			require.Equal(t, c.ok, ok)
			require.InDelta(t, c.want.CPU, got.CPU, 1e-9)
			require.InDelta(t, c.want.Memory, got.Memory, 1e-9)
			require.InDelta(t, c.want.IO, got.IO, 1e-9)
		})
	}
}

func TestPressureOfThisMachine(t *testing.T) {
	p, ok := ReadPressure()
	if !ok {
		require.Zero(t, p)
		t.Skip("this machine does not say")
	}
	for _, share := range []float64{p.CPU, p.Memory, p.IO} {
		require.GreaterOrEqual(t, share, 0.0)
		require.LessOrEqual(t, share, 1.0)
	}
}
