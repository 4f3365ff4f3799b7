package tests

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/ixtrun/ixt/ipc"
)

// brawler speaks the wire by hand and breaks it as it is ordered.
type brawler struct {
	net.Conn
	ledger *ledger
	name   string
	last   int64 // id of the newest request
}

// brawl is the life of a brawler that takes size calls at once, one after the other; 0: it is serial.
func brawl(l *ledger, size int) int {
	conn, err := net.Dial("unix", os.Getenv(ipc.EnvSocket))
	if err != nil {
		return 5
	}
	id, _ := ipc.ParseModuleID(os.Getenv(ipc.EnvModuleID))
	b := &brawler{conn, l, id.Name, 0}
	b.next()
	if size == 0 {
		b.answer(1, nil)
	} else {
		b.answer(1, map[string]any{"max_concurrency": size, "extensions": []string{ipc.ExtCancel}})
	}
	for {
		e := b.next()
		switch {
		case e == nil:
			return 0
		case e.Type == ipc.TypeHandle:
			if code := b.handle(e); code != 0 {
				return code
			}
		case e.Type == ipc.TypeHealthCheck:
			b.answer(e.ID, nil)
		case e.Type == ipc.TypeShutdown:
			b.answer(e.ID, nil)
			b.checkRest()
			return 0
		}
	}
}

// next reads a frame; nil at the end of the stream. It checks the host's manners: the ids of requests grow.
func (b *brawler) next() *ipc.Envelope {
	e := new(ipc.Envelope)
	if json.Unmarshal([]byte(readFrame(b)), e) != nil {
		return nil
	}
	switch e.Type {
	case ipc.TypeHandle, ipc.TypeHealthCheck, ipc.TypeShutdown:
		if e.ID <= b.last {
			b.ledger.complain("%s was sent request %d after %d", b.name, e.ID, b.last)
		}
		b.last = e.ID
	}
	return e
}

// checkRest looks at what came behind a shutdown: no more work.
func (b *brawler) checkRest() {
	_ = b.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	for e := b.next(); e != nil; e = b.next() {
		if e.Type == ipc.TypeHandle {
			b.ledger.complain("%s was sent handle %d after its shutdown", b.name, e.ID)
		}
	}
}

func (b *brawler) answer(id int64, data map[string]any) {
	text, _ := json.Marshal(data) // nothing in it can fail
	_ = writeFrame(b, fmt.Sprintf(`{"type":"response","id":%d,"status":"success","data":%s}`, id, text))
}

// handle serves one call; what it returns is an exit code, or 0 to go on.
func (b *brawler) handle(e *ipc.Envelope) int {
	payload, err := e.Message.Payload.Decode()
	if err != nil {
		return 6
	}
	j, err := readJob(payload, e.Context.Attempt)
	if err != nil {
		return 6
	}
	b.ledger.delivered(j, e.Context.Attempt, b.name)
	result := map[string]any{"payload": answerOf(e.Message.Topic, payload)}
	verb, detail, _ := strings.Cut(j.order, "=")
	switch verb {
	case "garbage":
		_ = writeFrame(b, "this is not JSON")
	case "empty":
		_, _ = b.Write(make([]byte, 4))
	case "attached":
		_, _ = b.Write([]byte{8, 0, 0, 0x80, 2, 0, 0, 0, '{', '}', 'x', 'x'})
	case "array":
		_ = writeFrame(b, fmt.Sprintf(`[%d]`, e.ID))
	case "half":
		_, _ = b.Write([]byte{200, 0, 0, 0, '{', '"'})
		return 6
	case "stray": // an answer to nothing, and then the right one
		b.answer(e.ID+1000, map[string]any{"payload": "c3RyYXk="})
	case "twice":
		b.answer(e.ID, result)
	case "shapeless": // spoils this call alone
		_ = writeFrame(b, fmt.Sprintf(`{"type":"response","id":%d,"status":"success","data":"text"}`, e.ID))
		return 0
	case "deaf":
		d, _ := time.ParseDuration(detail)
		pause(context.Background(), d)
	case "spam":
		b.spam()
	}
	b.answer(e.ID, result)
	return 0
}

// spam asks the host for more than it may, and reads none of the answers.
func (b *brawler) spam() {
	for id := 1; id <= 20000; id++ {
		frame := fmt.Sprintf(`{"type":"service_request","id":%d,"service":"nobody","method":"call"}`, id)
		if writeFrame(b, frame) != nil {
			return
		}
	}
}
