package document_test

import (
	"testing"

	"github.com/ixtrun/ixt/manifest/internal/document"
	"github.com/pelletier/go-toml/v2"
	"github.com/stretchr/testify/require"
)

func TestPositions(t *testing.T) {
	tree, faults, whole := document.Parse([]byte("a = [ 1,\n  'ö', 2 ]\n[t]\n  x.y = { z = [] }\n"))
	require.Empty(t, faults)
	require.True(t, whole)
	a := tree.Keys["a"]
	require.Equal(t, document.Pos{Line: 1, Column: 5}, a.Pos)
	require.Equal(t, document.Pos{Line: 1, Column: 7}, a.Items[0].Pos)
	require.Equal(t, document.Pos{Line: 2, Column: 8}, a.Items[2].Pos)
	require.Equal(t, document.Pos{Line: 3, Column: 2}, tree.Keys["t"].Key)
	y := tree.Keys["t"].Keys["x"].Keys["y"]
	require.Equal(t, document.Pos{Line: 4, Column: 5}, y.Key)
	require.Equal(t, document.Pos{Line: 4, Column: 9}, y.Pos)
	require.Equal(t, document.Pos{Line: 4, Column: 15}, y.Keys["z"].Pos)
}

func TestValues(t *testing.T) {
	src := `i = [1_000, 0x1F, 0o17, 0b11, -5, +7]
f = [1.5, 6e3, 1_0.0_1]
b = [true, false]
s = ["a\tb", 'c\d', """
e""", "\u00e9"]
t = { a.b = 1 }
[[l]]
x = 1
[l.m]
y = 1
[[l]]
"q k" = 2
`
	tree, faults, _ := document.Parse([]byte(src))
	require.Empty(t, faults)
	var want map[string]any
	require.NoError(t, toml.Unmarshal([]byte(src), &want))
	require.Equal(t, want, tree.Value())
}

func TestJoin(t *testing.T) {
	require.Equal(t, `services."press.check"`, document.Join("services", "press.check"))
	require.Equal(t, `a-b_C1`, document.Join("", "a-b_C1"))
	require.Equal(t, `a.""`, document.Join("a", ""))
}

// FuzzParse holds the tree against go-toml's own decoder: both take the same files.
func FuzzParse(f *testing.F) {
	for _, src := range []string{
		"", "a = 1\na = 2", "[a]\n[a]", "[a.b]\n[a]\n[a]", "a.b = 1\n[a]\n", "a.b = 1\n[a.c]\n", "[a]\nb.c = 1\n[a.b.d]\n", "[a.b.c]\n[a]\nb.d = 1",
		"a = {}\n[a.b]", "a = {b = 1, b = 2}", "a = []\n[[a]]", "[[a]]\n[a]", "[a]\n[[a]]", "[[a.b]]\n[a]\n[[a.b]]\n[a.b.c]", "a = {b.c = 1, b.d = 2}", "[a]\n[[a.b]]\n[a.b]",
		"x = 1979-05-27T07:32:00Z", "x = 0x_1", "x = 1e400", "x = [\n1,\n#c\n2]", "\ufeffa = 1", "a = 1\r\n", "a = 1\r", "a = '''\n'''", "x = -0x1", "x = 1e",
	} {
		f.Add([]byte(src))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		_, faults, _ := document.Parse(src)
		var want map[string]any
		err := toml.Unmarshal(src, &want)
		require.Equal(t, err == nil, len(faults) == 0, "%q\nerror %v\nfaults %v", src, err, faults)
		for _, fault := range faults {
			require.Positive(t, fault.Line)
			require.Positive(t, fault.Column)
			require.NotEmpty(t, fault.Message)
		}
	})
}
