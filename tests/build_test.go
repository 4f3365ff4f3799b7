package tests

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/supervisor"
)

func TestBuildingIsNotTakenOffTheCall(t *testing.T) {
	f := newFleet(t)
	f.opts.OnDemand, f.opts.Build = true, true
	f.add("slow", "polite", []string{"slow.say"}, "[services.\"slow.say\"]\ntimeout = \"2s\"\n")
	f.buildWith("slow", `["sh", "-c", "sleep 2.5"]`)
	f.add("press", "polite", []string{"press.say"}, "[after]\nslow = \"ready\"\n[services.\"press.say\"]\ntimeout = \"2s\"\n")
	f.start()
	got, err := f.say("press.say", "hello")
	require.NoError(t, err)
	require.Equal(t, "hello", got)
	built := f.await("the end of the build", func(e supervisor.Entry) bool { return e.Kind == supervisor.KindBuild })
	require.Regexp(t, `^building .*/slow \.\.\. 2\.\d s$`, built.Text)
}

func TestFailedBuildIsToldAndNotRepeated(t *testing.T) {
	f := newFleet(t)
	f.opts.OnDemand, f.opts.Build = true, true
	f.add("press", "polite", []string{"press.say"}, "")
	f.buildWith("press", `["sh", "-c", "echo press.go:7: undefined: pressure >&2; exit 2"]`)
	f.start()
	_, err := f.say("press.say", "hello")
	requireCode(t, err, ipc.CodeUnavailable, ipc.NotDelivered)
	require.Regexp(t, `(?s)^UNAVAILABLE: press has failed: gave up after 1st failed start: building .*/press: sh -c .*: exit 2\n  press.go:7: undefined: pressure`, err.Error())
}

// buildWith gives a module a build command.
func (f *fleet) buildWith(name, argv string) {
	path := filepath.Join(f.dir, name, "manifest.toml")
	table := "[artifacts.process]\n"
	writeFile(f.t, path, strings.Replace(readFile(f.t, path), table, table+"build = "+argv+"\n", 1))
}
