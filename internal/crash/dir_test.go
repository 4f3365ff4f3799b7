package crash_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/internal/crash"
)

func TestFinding(t *testing.T) {
	dir := crash.Dir(t.TempDir())
	_, err := dir.Get(crash.Last)
	require.EqualError(t, err, "there is no crash report: no module has ended abnormally")
	s := crash.Open(string(dir), nil)
	add(t, s, "press", "mill", "press-2", "press", "mill")
	require.Equal(t, []string{"0005-mill", "0004-press", "0003-press-2", "0002-mill", "0001-press"}, list(t, dir, ""))
	require.Equal(t, []string{"0004-press", "0001-press"}, list(t, dir, "press"))
	require.Empty(t, list(t, dir, "saw"))
	for id, want := range map[string]string{
		"0004-press": "0004-press", "4": "0004-press", "0004": "0004-press", "4-pr": "0004-press", "4-": "0004-press",
		"3-press-2": "0003-press-2", "3-press-": "0003-press-2",
		"last": "0005-mill", "mill": "0005-mill", "press": "0004-press", "press-2": "0003-press-2",
		"6": "", "4-mill": "", "0004-press.json": "", "saw": "", "": "", "-4": "", "../crashes/0004-press": "", "pres": "",
	} {
		r, err := dir.Get(id)
		if want == "" {
			var unknown *crash.UnknownError
			require.ErrorAs(t, err, &unknown, id)
			require.Equal(t, id, unknown.ID)
			continue
		}
		require.NoError(t, err, id)
		require.Equal(t, want, r.ID)
	}
	_, err = dir.Get("77")
	require.EqualError(t, err, "there is no crash report 77, nor one of a module of that name; `ixt crash` lists them")
}

func TestDamageIsNamedAndPassedOver(t *testing.T) {
	dir := t.TempDir()
	s := crash.Open(dir, &crash.Limits{Reports: 4})
	add(t, s, "press", "mill", "press")
	path := filepath.Join(dir, "0003-press.json")
	require.NoError(t, os.WriteFile(path, []byte(`{"id":"0003-pr`), 0o600))
	for _, stranger := range []string{"README", "0004-.json", "00005-press.json", "0000-press.json", "12345678901234567890-press.json"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, stranger), nil, 0o600))
	}

	heads, err := s.List("")
	require.NoError(t, err)
	require.Len(t, heads, 3)
	require.Equal(t, crash.Head{ID: "0003-press", Module: "press", Damaged: path + " holds no crash report any more: unexpected end of JSON input; remove it"}, heads[0])
	require.Equal(t, "0002-mill", heads[1].ID)

	_, err = s.Get("3")
	var damaged *crash.DamagedError
	require.ErrorAs(t, err, &damaged)
	require.Equal(t, path, damaged.Path)
	for id, want := range map[string]string{crash.Last: "0002-mill", "press": "0001-press"} {
		r, err := s.Get(id)
		require.NoError(t, err)
		require.Equal(t, want, r.ID)
	}
	require.Equal(t, []string{"0004-mill", "0005-mill", "0006-mill", "0007-mill"}, add(t, s, "mill", "mill", "mill", "mill"), "it goes when its turn comes")
	require.Len(t, list(t, s.Dir, ""), 4)
	require.Len(t, files(t, dir), 4+5, "what is not ours stays")
}
