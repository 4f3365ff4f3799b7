package manifest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/manifest"
)

func TestWhoMayLookIn(t *testing.T) {
	op, err := manifest.ParseOperator("supervisor.toml", []byte("admin.metrics = \"127.0.0.1:9464\"\ntrace.endpoint = \"http://127.0.0.1:4318\""))
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:9464", op.Admin.Metrics)
	require.Equal(t, "http://127.0.0.1:4318", op.Trace.Endpoint)
	op, err = manifest.ParseOperator("supervisor.toml", nil)
	require.NoError(t, err)
	require.Empty(t, op.Admin.Metrics, "nobody, unless the operator says so")
	require.Empty(t, op.Trace.Endpoint)
}
