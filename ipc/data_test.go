package ipc_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
)

// A struct that is packed has one payload in its JSON, and is the same when it is unpacked, from either form.
func TestPack(t *testing.T) {
	for _, payload := range []string{"", "hi"} {
		e := ipc.KVEntry{Payload: ipc.EncodePayload([]byte(payload)), Revision: 7, TimeMS: 1}
		for _, v := range []any{&e, e} {
			d, err := ipc.Pack(v)
			require.NoError(t, err)
			var members map[string]any
			require.NoError(t, json.Unmarshal(d.JSON(), &members))
			if v == any(&e) || payload != "" {
				require.Equal(t, e.Payload.Text(), members["payload"], "%s", d.JSON())
			}
			require.Equal(t, 7., members["revision"])
			for _, d := range []ipc.Data{d, ipc.ObjectData(d.JSON())} {
				var back ipc.KVEntry
				require.NoError(t, d.Unpack(&back))
				require.Equal(t, e.Payload.Text(), back.Payload.Text())
				require.Equal(t, e.Revision, back.Revision)
				_, alone := d.Payload()
				require.False(t, alone, "there is more than a payload")
			}
		}
	}
}
