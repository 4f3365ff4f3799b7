package supervisor

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"github.com/ixtrun/ixt/internal/logs"
	"github.com/ixtrun/ixt/ipc"
)

// logWriter is the service by which modules write log entries with structure: each becomes what the same line would be on the
// module's standard error.
type logWriter struct{ s *Supervisor }

func (logWriter) Name() string { return ipc.ServiceLog }

func (w logWriter) Call(_ context.Context, caller Caller, method string, params ipc.Data) (ipc.Data, error) {
	if method != ipc.MethodWrite {
		return ipc.Data{}, ipc.Refuse(ipc.CodeUnknownType, "%s has no method %q; it has %q", ipc.ServiceLog, method, ipc.MethodWrite)
	}
	var l ipc.LogLine
	if err := ipc.DecodeParams(ipc.ServiceLog, method, params, &l); err != nil {
		return ipc.Data{}, err
	}
	if l.Level == "" {
		l.Level = logs.LevelInfo
	}
	line := make(map[string]any, len(l.Fields)+2)
	for name, value := range l.Fields {
		line[name] = value
	}
	line["level"], line["message"] = l.Level, l.Message
	text, err := json.Marshal(line)
	if err != nil {
		return ipc.Data{}, ipc.Refuse(ipc.CodeInvalidInput, "the log line cannot be encoded: %v", err)
	}
	source := logs.Source{Module: caller.ID.Name, Instance: caller.ID.Instance, Stream: logs.Stderr}
	return ipc.Data{}, logs.Read(bytes.NewReader(text), source, time.Now, w.s.logs.Append)
}
