package admin

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"

	"github.com/ixtrun/ixt/internal/logs"
	"github.com/ixtrun/ixt/ipc"
)

// LogLine is one line that a module wrote, with what its logger said about it.
type LogLine struct {
	logs.Entry
	// Lost is how many lines right before this one are missing, because the reader was too slow.
	Lost int `json:"lost,omitempty"`
}

// defaultLogLines is how many of the newest lines a LogQuery selects.
const defaultLogLines = 100

// LogQuery selects lines of the modules' logs.
type LogQuery struct {
	Module string // default: all modules
	Last   int    // so many of the newest; 0: 100, negative: none
	Follow bool   // and whatever comes, until the supervisor stops
}

func (q LogQuery) values() url.Values {
	v := url.Values{}
	if q.Module != "" {
		v.Set("module", q.Module)
	}
	if q.Last != 0 {
		v.Set("last", strconv.Itoa(max(q.Last, 0)))
	}
	if q.Follow {
		v.Set("follow", "1")
	}
	return v
}

// Logs yields lines that modules wrote until they end, ctx ends or there is an error, which is then the last it yields.
func (c *Client) Logs(ctx context.Context, q LogQuery) iter.Seq2[LogLine, error] {
	return lines[LogLine](ctx, c, q.values(), "logs")
}

func (s *Server) logs(w http.ResponseWriter, r *http.Request) {
	store, module := s.sup.Logs(), r.FormValue("module")
	last, err := number(r, "last", defaultLogLines)
	if err == nil && module != "" {
		_, err = s.sup.Module(module)
	}
	if err == nil && store == nil {
		err = ipc.Refuse(ipc.CodeUnavailable, "the supervisor is not up yet; try again")
	}
	if err != nil {
		refuse(w, err)
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	coming := store.Follow(ctx, module, 0) // before looking back, so that nothing falls between the two
	out := newLineWriter(w)
	kept, _ := store.Tail(module, int(last)) // what can be read is shown, whatever the disk says of the rest
	var seen uint64
	for _, e := range kept {
		if out.write(LogLine{Entry: e}) != nil {
			return
		}
		seen = e.Seq
	}
	if out.flush() != nil || r.FormValue("follow") == "" {
		return
	}
	for e, lost := range coming {
		if e.Seq <= seen {
			continue
		}
		if out.write(LogLine{e, lost}) != nil || out.flush() != nil {
			return
		}
	}
}
