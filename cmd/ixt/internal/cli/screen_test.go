package cli

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/supervisor"
)

func TestScreenKeepsItsTableUnderTheLines(t *testing.T) {
	var terminal bytes.Buffer
	s := newScreen(newOutput(&terminal, func(error) {}))
	s.say("before there is a table")
	require.Equal(t, "before there is a table\n", terminal.String())
	terminal.Reset()

	s.modules = func() []supervisor.ModuleStatus {
		return []supervisor.ModuleStatus{{Name: "press", Version: "1.0.0", Instances: []supervisor.InstanceStatus{{Instance: 1, State: supervisor.Waiting}}}}
	}
	table := string(bytes.Repeat([]byte("─"), 100)) + "\n" +
		"MODULE  VERSION  INST  STATE    PID  UP  RESTARTS  IN FLIGHT  WHY\n" +
		"press   1.0.0    001   waiting  -    -   0         0\n"
	s.draw()
	require.Equal(t, table, terminal.String())
	terminal.Reset()

	s.line("one")
	s.line("two")
	require.Empty(t, terminal.String(), "lines wait for the next drawing")
	s.draw()
	require.Equal(t, "\r\x1b[3A\x1b[Jone\ntwo\n"+table, terminal.String())
	terminal.Reset()

	s.modules = nil
	s.draw()
	require.Equal(t, "\r\x1b[3A\x1b[J", terminal.String())
	s.line("after it")
	require.Equal(t, "\r\x1b[3A\x1b[Jafter it\n", terminal.String())
}

func TestScreenFitsTheTerminal(t *testing.T) {
	s := newScreen(newOutput(&bytes.Buffer{}, func(error) {}))
	s.modules = func() (all []supervisor.ModuleStatus) {
		for range 10 {
			all = append(all, supervisor.ModuleStatus{Name: "press", Instances: []supervisor.InstanceStatus{{Instance: 1}}})
		}
		return all
	}
	area := s.area(40, 6)
	require.Len(t, area, 6)
	require.Equal(t, "and 7 more; `ixt ps` shows all", area[5])
	for _, line := range area {
		require.LessOrEqual(t, len([]rune(line)), 40)
	}
	require.Equal(t, 6, height([]int{0, 40, 41, 79}, 40), "a narrower terminal has wrapped the longer lines")
}

func TestShort(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"1.6s": 1600 * time.Millisecond, "12s": 12 * time.Second, "3m20s": 200 * time.Second, "5h2m": 5*time.Hour + 2*time.Minute, "12d": 12*24*time.Hour + time.Hour,
	} {
		require.Equal(t, want, short(d))
	}
}
