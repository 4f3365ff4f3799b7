package admin

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/ixtrun/ixt/internal/crash"
	"github.com/ixtrun/ixt/ipc"
)

// CrashHead is what a list shows of a crash report.
type CrashHead = crash.Head

// CrashReport is all that is known of one abnormal end.
type CrashReport = crash.Report

// Crashes returns the heads of a module's crash reports, or of all if that is "", the newest first. One whose file cannot be
// read has the reason in Damaged.
func (c *Client) Crashes(ctx context.Context, module string) (heads []CrashHead, err error) {
	u := c.endpoint("crashes")
	if module != "" {
		u.RawQuery = url.Values{"module": {module}}.Encode()
	}
	err = c.exchange(ctx, http.MethodGet, u, nil, &heads)
	return heads, err
}

// Crash returns one crash report: that with the ID, of which the number is enough; "last"; or, by the name of a module, the
// newest of that module.
func (c *Client) Crash(ctx context.Context, id string) (*CrashReport, error) {
	return get[*CrashReport](ctx, c, "crashes", id)
}

func (s *Server) crashes(r *http.Request) (any, error) {
	store, err := s.crashStore()
	if err != nil {
		return nil, err
	}
	module := r.FormValue("module")
	if module != "" {
		if _, err := s.sup.Module(module); err != nil {
			return nil, err
		}
	}
	return store.List(module)
}

func (s *Server) crash(r *http.Request) (any, error) {
	store, err := s.crashStore()
	if err != nil {
		return nil, err
	}
	report, err := store.Get(r.PathValue("id"))
	var unknown *crash.UnknownError
	if errors.As(err, &unknown) {
		return nil, ipc.Refuse(ipc.CodeNoProvider, "%v", unknown)
	}
	return report, err
}

func (s *Server) crashStore() (*crash.Store, error) {
	if store := s.sup.Crashes(); store != nil {
		return store, nil
	}
	return nil, ipc.Refuse(ipc.CodeUnavailable, "the supervisor is not up yet; try again")
}
