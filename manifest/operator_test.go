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

func TestHowBucketsAreSynced(t *testing.T) {
	op, err := manifest.ParseOperator("supervisor.toml", []byte("[kv]\nsync = \"interval\"\nbuckets = { line-state = \"always\" }\n[module.press]\nkv.sync = \"interval\"\n"))
	require.NoError(t, err)
	require.Equal(t, "interval", op.KV.Sync)
	require.Equal(t, map[string]string{"line-state": "always"}, op.KV.Buckets)
	require.Equal(t, "interval", op.Module["press"].KV.Sync)
	_, err = manifest.ParseOperator("supervisor.toml", []byte("kv.buckets = { line-state = \"sometimes\" }"))
	require.ErrorContains(t, err, "always")
	_, err = manifest.ParseOperator("supervisor.toml", []byte("kv.buckets = { \"a b\" = \"always\", Line_2 = \"always\" }"))
	require.ErrorContains(t, err, `kv.buckets."a b": is no name for a bucket; write 1 to 64 letters`)
	require.NotContains(t, err.Error(), "Line_2")
}
