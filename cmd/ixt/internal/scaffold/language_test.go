package scaffold_test

import (
	"testing"

	"github.com/ixtrun/ixt/cmd/ixt/internal/scaffold"
	"github.com/stretchr/testify/require"
)

func TestParseLanguage(t *testing.T) {
	for _, lang := range scaffold.Languages() {
		got, err := scaffold.ParseLanguage(string(lang))
		require.NoError(t, err)
		require.Equal(t, lang, got)
	}
	tests := map[string]string{
		"pyhton": `"pyhton" is no language that a module can be made in; choose one of go, python (did you mean python?)`,
		"py":     `"py" is no language that a module can be made in; choose one of go, python (did you mean python?)`,
		"Golang": `"Golang" is no language that a module can be made in; choose one of go, python (did you mean go?)`,
		"rust":   `"rust" is no language that a module can be made in; choose one of go, python`,
		"":       `"" is no language that a module can be made in; choose one of go, python`,
	}
	for given, want := range tests {
		_, err := scaffold.ParseLanguage(given)
		require.EqualError(t, err, want)
	}
}
