package main

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/module"
	"github.com/ixtrun/ixt/module/moduletest"
)

func TestEcho(t *testing.T) {
	h := moduletest.Start(t, &echo{}, moduletest.Options{})
	h.Provide("greet.hello", func(_ context.Context, msg *module.Message) (*module.Response, error) {
		return module.Payload(append([]byte("hello, "), msg.Payload...)), nil
	})
	for _, tt := range []struct{ topic, payload, want string }{
		{"echo.say", "hello", "hello"},
		{"echo.say", "", ""},
		{"echo.say", "\x00\xff", "\x00\xff"},
		{"echo.shout", "grün", "GRÜN"},
		{"echo.greet", "Ada", "hello, Ada"},
	} {
		answer, err := h.Call(t.Context(), tt.topic, []byte(tt.payload))
		require.NoError(t, err, tt.topic)
		got, ok := answer.Payload()
		require.True(t, ok, tt.topic)
		require.Equal(t, tt.want, string(got), tt.topic)
	}
}

func TestGreetTellsWhatWentWrong(t *testing.T) {
	h := moduletest.Start(t, &echo{}, moduletest.Options{})
	_, err := h.Call(t.Context(), "echo.greet", []byte("Ada"))
	require.ErrorIs(t, err, &module.Error{Code: module.CodeNoProvider})
}

func TestShoutTakesText(t *testing.T) {
	h := moduletest.Start(t, &echo{}, moduletest.Options{})
	_, err := h.Call(t.Context(), "echo.shout", []byte("\xff"))
	require.ErrorIs(t, err, &module.Error{Code: module.CodeInvalidInput})
}
