package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/supervisor"
)

// JournalQuery selects entries of the journal. The zero value is all that the supervisor still remembers.
type JournalQuery struct {
	After  uint64 // those after this number
	Last   int    // at most so many of the newest, of those that are there; 0: all, negative: none
	Follow bool   // and whatever comes, until the supervisor stops
}

func (q JournalQuery) values() url.Values {
	v := url.Values{"after": {strconv.FormatUint(q.After, 10)}}
	if q.Last != 0 {
		v.Set("last", strconv.Itoa(max(q.Last, 0)))
	}
	if q.Follow {
		v.Set("follow", "1")
	}
	return v
}

// Journal yields entries of the journal until they end, ctx ends or there is an error, which is then the last it yields.
func (c *Client) Journal(ctx context.Context, q JournalQuery) iter.Seq2[supervisor.Entry, error] {
	return lines[supervisor.Entry](ctx, c, q.values(), "journal")
}

func (s *Server) journal(w http.ResponseWriter, r *http.Request) {
	after, err := number(r, "after", 0)
	if err != nil {
		refuse(w, err)
		return
	}
	last, err := number(r, "last", math.MaxInt)
	if err != nil {
		refuse(w, err)
		return
	}
	journal, out := s.sup.Journal(), newLineWriter(w)
	seen := max(after, journal.Seq())
	for _, e := range journal.Last(int(last)) {
		if e.Seq > after && out.write(e) != nil {
			return
		}
		seen = max(seen, e.Seq)
	}
	if out.flush() != nil || r.FormValue("follow") == "" {
		return
	}
	for e := range journal.Follow(r.Context(), seen) {
		if errors.Join(out.write(e), out.flush()) != nil {
			return
		}
	}
}

// number reads a parameter that counts.
func number(r *http.Request, name string, absent uint64) (uint64, error) {
	text := r.FormValue(name)
	if text == "" {
		return absent, nil
	}
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return 0, ipc.Refuse(ipc.CodeInvalidInput, "%s=%s is not a number; write 0 or more", name, text)
	}
	return n, nil
}

// lineWriter answers with one JSON value per line.
type lineWriter struct {
	json *json.Encoder
	http *http.ResponseController
}

func newLineWriter(w http.ResponseWriter) *lineWriter {
	w.Header().Set("Content-Type", "application/jsonl")
	return &lineWriter{json.NewEncoder(w), http.NewResponseController(w)}
}

func (w *lineWriter) write(v any) error { return w.json.Encode(v) }
func (w *lineWriter) flush() error      { return w.http.Flush() }

// lines yields the values of a stream.
func lines[T any](ctx context.Context, c *Client, query url.Values, path ...string) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		u := c.endpoint(path...)
		u.RawQuery = query.Encode()
		response, err := c.send(ctx, http.MethodGet, u, nil)
		if err != nil {
			yield(none, err)
			return
		}
		defer response.Body.Close()
		decoder := json.NewDecoder(response.Body)
		for {
			var v T
			switch err := decoder.Decode(&v); {
			case err == nil:
				if !yield(v, nil) {
					return
				}
			case ctx.Err() != nil:
				yield(none, ctx.Err())
				return
			case errors.Is(err, io.EOF):
				return
			default:
				yield(none, fmt.Errorf("the supervisor's %s broke off: %w", strings.Join(path, " "), err))
				return
			}
		}
	}
}
