package module_test

import (
	"context"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/module"
	"github.com/ixtrun/ixt/module/moduletest"
)

type limits struct {
	MaxItems uint8
	Wait     time.Duration
}

type settings struct {
	limits
	Line    string
	Limit   float64
	Verbose bool
	Nested  struct{ Deep *limits }
	List    []limits
	ByName  map[string]time.Duration
	Any     map[string]any
	URL     binaryURL
	Renamed int `json:"other_name"`
	Hidden  int `json:"-"`
	private int
	Bytes   []byte
}

// binaryURL decodes itself.
type binaryURL struct{ *url.URL }

func (u *binaryURL) UnmarshalText(b []byte) (err error) {
	u.URL, err = url.Parse(string(b))
	return err
}

// decode starts a module with a configuration and returns what it made of it.
func decode(t *testing.T, config map[string]any, into any) error {
	_, err := moduletest.TryStart(t, &fake{init: func(_ context.Context, in *module.Init) error {
		return in.Config.Decode(into)
	}}, moduletest.Options{Config: config})
	return err
}

func TestConfig(t *testing.T) {
	got := settings{Line: "default", private: 1}
	require.NoError(t, decode(t, map[string]any{
		"limit":      5,
		"VERBOSE":    true,
		"max_items":  200,
		"wait":       "1m30s",
		"nested":     map[string]any{"deep": map[string]any{"maxItems": 3}},
		"list":       []any{map[string]any{"wait": "1s"}, map[string]any{}},
		"by-name":    map[string]any{"a": "1ms"},
		"any":        map[string]any{"x": []any{1, "b", nil}},
		"url":        "http://example.org/",
		"other_name": 7,
		"bytes":      "aGk=",
	}, &got))
	require.Equal(t, "http://example.org/", got.URL.String())
	got.URL = binaryURL{}
	want := settings{
		limits: limits{MaxItems: 200, Wait: 90 * time.Second},
		Line:   "default", Limit: 5, Verbose: true,
		List:    []limits{{Wait: time.Second}, {}},
		ByName:  map[string]time.Duration{"a": time.Millisecond},
		Any:     map[string]any{"x": []any{1.0, "b", nil}},
		Renamed: 7, private: 1, Bytes: []byte("hi"),
	}
	want.Nested.Deep = &limits{MaxItems: 3}
	require.Equal(t, want, got)

	all := map[string]int{"b": 2}
	require.NoError(t, decode(t, map[string]any{"a": 1}, &all))
	require.Equal(t, map[string]int{"a": 1, "b": 2}, all)
	require.NoError(t, decode(t, nil, new(settings)))
}

func TestConfigErrors(t *testing.T) {
	for _, tt := range []struct {
		config map[string]any
		want   string
	}{
		{map[string]any{"limit": "80"}, `config.limit: is a string, expected a number`},
		{map[string]any{"verbose": 1}, `config.verbose: is a number, expected true or false`},
		{map[string]any{"max_items": 300}, `config.max_items: is 300, expected a whole number from 0 to 255`},
		{map[string]any{"max_items": 1.5}, `config.max_items: is 1.5, expected a whole number from 0 to 255`},
		{map[string]any{"other_name": true}, `config.other_name: is a boolean, expected a whole number`},
		{map[string]any{"line": []any{}}, `config.line: is an array, expected a string`},
		{map[string]any{"wait": 5}, `config.wait: is 5, expected a duration like "5s" or "1m30s"`},
		{map[string]any{"wait": "5 apples"}, `config.wait: "5 apples" is not a duration; write it like "5s" or "1m30s"`},
		{map[string]any{"nested": 1}, `config.nested: is a number, expected an object`},
		{map[string]any{"nested": map[string]any{"deep": map[string]any{"max": 1}}}, `config.nested.deep.max: is not known; config.nested.deep has max_items, wait`},
		{map[string]any{"list": "a"}, `config.list: is a string, expected an array`},
		{map[string]any{"list": []any{map[string]any{}, map[string]any{"wait": ""}}}, `config.list[1].wait: "" is not a duration; write it like "5s" or "1m30s"`},
		{map[string]any{"by_name": map[string]any{"a": true}}, `config.by_name.a: is true, expected a duration like "5s" or "1m30s"`},
		{map[string]any{"any": false}, `config.any: is a boolean, expected an object`},
		{map[string]any{"url": "http://%"}, `config.url: parse "http://%": invalid URL escape "%"`},
		{map[string]any{"hidden": 1}, `config.hidden: is not known; config has any, by_name, bytes, limit, line, list, max_items, nested, other_name, url, verbose, wait`},
		{map[string]any{"private": 1}, `config.private: is not known; config has any, by_name, bytes, limit, line, list, max_items, nested, other_name, url, verbose, wait`},
		{map[string]any{"limit": nil}, `config.limit: is null; leave it out instead`},
		{map[string]any{"max_items": 1, "maxItems": 2}, `config.max_items: means the same as config.maxItems; write one of them`},
		{map[string]any{"limit": "a", "line": 5}, `config.limit: is a string, expected a number; config.line: is a number, expected a string`},
	} {
		t.Run(tt.want, func(t *testing.T) {
			err := decode(t, tt.config, new(settings))
			var e *module.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, module.CodeConfigInvalid, e.Code)
			require.Equal(t, tt.want, e.Message)
		})
	}
}

func TestConfigNeedsAPointer(t *testing.T) {
	for _, v := range []any{nil, settings{}, (*settings)(nil)} {
		require.ErrorIs(t, decode(t, nil, v), &module.Error{Code: "INIT_FAILED"})
	}
}

func TestConfigRaw(t *testing.T) {
	moduletest.Start(t, &fake{init: func(_ context.Context, in *module.Init) error {
		require.JSONEq(t, `{"a":1}`, string(in.Config.Raw()))
		require.JSONEq(t, `{}`, string(module.Config{}.Raw()))
		return nil
	}}, moduletest.Options{Config: map[string]any{"a": 1}})
}
