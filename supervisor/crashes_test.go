package supervisor

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/internal/crash"
)

// Reports that a slow disk has not taken when everything has stopped keep nobody from ending, and are named.
func TestReportsThatAreLeftOut(t *testing.T) {
	s, err := New(nil)
	require.NoError(t, err)
	s.crashes = crash.Open(t.TempDir(), nil)
	s.reports <- crashed{report: crash.Report{Head: crash.Head{Module: "press", Instance: 2}}}
	close(s.reports)
	s.hurried.Store(true)
	s.keepReports()
	entry := s.Journal().Last(1)[0]
	require.Equal(t, KindWarning, entry.Kind)
	require.Equal(t, "press/002 no crash report: the disk is too slow", entry.String())
	reports, err := s.crashes.List("")
	require.NoError(t, err)
	require.Empty(t, reports)
}
