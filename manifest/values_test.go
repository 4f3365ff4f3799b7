package manifest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/ixtrun/ixt/manifest"
	"github.com/stretchr/testify/require"
)

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, topic string
		want           bool
	}{
		{"echo.say", "echo.say", true},
		{"echo.say", "echo.said", false},
		{"echo.say", "echo.say.loud", false},
		{"echo.say.loud", "echo.say", false},
		{"echo.*", "echo.say", true},
		{"echo.*", "echo", false},
		{"echo.*", "echo.say.loud", false},
		{"*.say", "echo.say", true},
		{"plc.*.temp", "plc.7.temp", true},
		{"plc.*.temp", "plc.7.pressure", false},
		{"plc.>", "plc.7.temp", true},
		{"plc.>", "plc", false},
		{">", "plc.7.temp", true},
		{"*", "plc", true},
		{"*", "plc.7", false},
		{"plc.*.>", "plc.7.temp", true},
		{"plc.*.>", "plc.7", false},
		{"*.*", "a.", false},
		{">", "", false},
		{"", "", false},
		{"", "a", false},
	} {
		require.Equal(t, c.want, manifest.Match(c.pattern, c.topic), "%q %q", c.pattern, c.topic)
	}
}

func TestAllows(t *testing.T) {
	m := &manifest.Module{Requires: manifest.Requires{Services: []string{"historian.avg", "echo.*"}, Events: []string{"plc.>"}}}
	require.True(t, m.Allows("echo.say"))
	require.True(t, m.Allows("historian.avg"))
	require.False(t, m.Allows("plc.7"))
	require.True(t, m.AllowsEvent("plc.7"))
	require.False(t, m.AllowsEvent("echo.say"))
	require.False(t, new(manifest.Module).Allows("echo.say"), "nothing is required, so nothing is allowed")
}

func TestDurationText(t *testing.T) {
	for text, want := range map[string]string{"60s": "1m", "90m": "1h30m", "1h": "1h", "3600s": "1h", "200ms": "200ms", "0": "0s", "1h0m5s": "1h0m5s", "-5m": "-5m"} {
		var d manifest.Duration
		require.NoError(t, d.UnmarshalText([]byte(text)))
		require.Equal(t, want, d.String())
		std, err := time.ParseDuration(text)
		require.NoError(t, err)
		require.Equal(t, std, d.Std())
	}
}

func TestSizeText(t *testing.T) {
	for text, want := range map[string]string{"8MiB": "8MiB", "1024KiB": "1MiB", "2 GB": "2GB", "1000B": "1kB", "1B": "1B", "0B": "0B", "8388607TiB": "8388607TiB"} {
		var s manifest.Size
		require.NoError(t, s.UnmarshalText([]byte(text)))
		require.Equal(t, want, s.String())
	}
	for text, want := range map[string]string{
		"8mib":       `"8mib" is no size; write "8MiB"`,
		"8":          `"8" is no size; write a whole number with its unit (KiB, MiB, GiB, kB, MB or GB), such as "8MiB"`,
		"-8MiB":      `"-8MiB" is no size; write a whole number with its unit (KiB, MiB, GiB, kB, MB or GB), such as "8MiB"`,
		"8388608TiB": `"8388608TiB" is no size; write a whole number with its unit (KiB, MiB, GiB, kB, MB or GB), such as "8MiB"`,
		"":           `"" is no size; write a whole number with its unit (KiB, MiB, GiB, kB, MB or GB), such as "8MiB"`,
	} {
		require.EqualError(t, new(manifest.Size).UnmarshalText([]byte(text)), want)
	}
}

func TestEnviron(t *testing.T) {
	parent := strings.Fields("PATH=/bin HOME=/root SECRET=x LC_ALL=C LANGUAGE=de TZ=UTC PRESS_A=1 PRESS_B=2 OTHER=3 broken")
	p := manifest.Process{Env: map[string]string{"TZ": "CET", "NEW": "a=b"}, EnvPass: []string{"PRESS_*", "OTHER", "ABSENT"}}
	require.Equal(t, strings.Fields("HOME=/root LC_ALL=C NEW=a=b OTHER=3 PATH=/bin PRESS_A=1 PRESS_B=2 TZ=CET"), p.Environ(parent))
	require.Equal(t, strings.Fields("HOME=/root LC_ALL=C PATH=/bin TZ=UTC"), manifest.Process{}.Environ(parent))
}

func TestNearest(t *testing.T) {
	known := []string{"echo.say", "echo.shout", "press.check", "id"}
	for name, want := range map[string]string{"echo.sya": "echo.say", "press.chek": "press.check", "histogram": "", "ids": "id", "": "", strings.Repeat("a", 1<<20): ""} {
		require.Equal(t, want, manifest.Nearest(name, known))
	}
	require.Empty(t, manifest.Nearest("a", nil))
}
