package moduletest_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/module"
	"github.com/ixtrun/ixt/module/moduletest"
)

func TestOpenTransfersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &subject{}
		h := moduletest.Start(t, s, moduletest.Options{Seed: func(h *moduletest.Harness) {
			h.Blobs("images").Put("large", make([]byte, 257<<10))
			h.Blobs("images").Put("small", nil)
		}})
		for range 16 {
			_, err := s.host.Blob("images").Get(t.Context(), "large")
			require.NoError(t, err)
		}
		_, err := s.host.Blob("images").Get(t.Context(), "large")
		require.ErrorIs(t, err, &module.Error{Code: module.CodeBusy})
		_, err = s.host.Blob("images").Get(t.Context(), "small") // one chunk is no transfer
		require.NoError(t, err)
		<-time.After(5 * time.Minute)
		_, err = s.host.Blob("images").Put(t.Context(), "b", strings.NewReader("x"))
		require.NoError(t, err)
		_, err = s.host.Blob("images").Get(t.Context(), "large")
		require.NoError(t, err)
		require.Equal(t, []string{"b", "large", "small"}, h.Blobs("images").Names())
	})
}
