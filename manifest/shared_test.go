package manifest_test

import (
	"testing"

	"github.com/ixtrun/ixt/manifest"
	"github.com/stretchr/testify/require"
)

func TestTopicOfSeveralModulesHasOneRule(t *testing.T) {
	provider := func(name, rules string) *manifest.Module {
		m, err := manifest.Parse("/"+name+"/manifest.toml", []byte("schema_version = \"3.0\"\nmodule = { name = \""+name+
			"\", version = \"1.0.0\" }\nprovides.services = [\"x.y\"]\n"+rules))
		require.NoError(t, err)
		out, err := manifest.Resolve(m, manifest.NoOperator())
		require.NoError(t, err)
		return out
	}
	plain := provider("aa", "")
	require.NoError(t, manifest.CheckTopics([]*manifest.Module{
		plain, provider("bb", "services.\"x.y\" = { timeout = \"30s\", concurrency = 2, idempotent = true }"),
	}), "what each provider decides for itself may differ")
	require.EqualError(t, manifest.CheckTopics([]*manifest.Module{
		provider("bb", "[services.\"x.y\"]\ntimeout = \"200ms\"\nqueue = 1"), plain,
	}), `/bb/manifest.toml:5:11: services."x.y".timeout: bb says 200ms, aa says 30s; give both the same, for callers do not choose between them
/bb/manifest.toml:6:9: services."x.y".queue: bb says 1, aa says 64; give both the same, for callers do not choose between them`)
}
