package tests

import (
	"encoding/json"
	"fmt"
	"net"
	"os"

	"github.com/ixtrun/ixt/ipc"
)

// What the roles below answer: to init, and to everything else.
const (
	serial  = `{}`
	wide    = `{"max_concurrency":4}`
	content = `{"payload":"YmFyZQ=="}`
)

// raw speaks the wire by hand, to break it in the way the role says.
func raw(role, detail string) int {
	conn, err := net.Dial("unix", os.Getenv(ipc.EnvSocket))
	if err != nil {
		return 5
	}
	switch role {
	case "garbage": // answers init, and the first call with something else; detail may be "leaves"
		readFrame(conn)
		writeFrame(conn, success(1, serial))
		readFrame(conn)
		writeFrame(conn, `this is not JSON`)
		if detail == "leaves" {
			return 0
		}
	case "partial": // dies in the middle of an answer
		readFrame(conn)
		writeFrame(conn, success(1, serial))
		readFrame(conn)
		_, _ = conn.Write([]byte{200, 0, 0, 0, '{', '"'})
		return 6
	case "deaf": // answers init and reads nothing any more
		readFrame(conn)
		writeFrame(conn, success(1, `{"max_concurrency":1000}`))
	case "hang": // takes the first frame and does not answer
		readFrame(conn)
	case "decline": // refuses init; detail is the code and "stays" or "leaves"
		var code, then string
		_, _ = fmt.Sscan(detail, &code, &then)
		readFrame(conn)
		writeFrame(conn, fmt.Sprintf(`{"type":"response","id":1,"status":"error","error":{"code":%q,"message":"not like this"}}`, code))
		if then == "leaves" {
			return 1
		}
	case "asking": // asks its host for services, as it is told
		return converseAsking(conn)
	case "bare": // the simplest module: no SDK, serial
		return converse(conn, serial, func(string, int) string { return content })
	case "shapeless": // its first answer to a call has data that is no object
		first := true
		return converse(conn, wide, func(kind string, _ int) string {
			if kind == ipc.TypeHandle && first {
				first = false
				return `"text"`
			}
			return content
		})
	case "wedged": // serial; hangs in its first call
		return converse(conn, serial, func(kind string, _ int) string {
			if kind == ipc.TypeHandle {
				select {}
			}
			return content
		})
	case "absorbed": // answers no health check while it works on a call; the call is done when it has ignored five
		call, ignored := 0, 0
		return converse(conn, wide, func(kind string, id int) string {
			switch {
			case kind == ipc.TypeHandle:
				call = id
				return ""
			case kind != ipc.TypeHealthCheck || call == 0:
				return content
			}
			if ignored++; ignored == 5 {
				writeFrame(conn, success(call, content))
				call = 0
			}
			return ""
		})
	case "petitioner": // has the host do what detail names, a method of its service "office", at its first call
		return converse(conn, wide, func(kind string, _ int) string {
			switch kind {
			case ipc.TypeHandle:
				writeFrame(conn, fmt.Sprintf(`{"type":"service_request","id":1,"service":"office","method":%q}`, detail))
			case ipc.TypeServiceResponse:
				return ""
			}
			return content
		})
	case "flood": // asks the host for more than it may, and reads none of the answers
		readFrame(conn)
		writeFrame(conn, success(1, serial))
		for id := 1; ; id++ {
			frame := fmt.Sprintf(`{"type":"service_request","id":%d,"service":"message_bus","method":"call","params":{"topic":"nobody.there"}}`, id)
			if writeFrame(conn, frame) != nil {
				break
			}
		}
	default:
		fmt.Fprintln(os.Stderr, "no such role:", role)
		return 9
	}
	select {}
}

// converse answers init, and then frame after frame with the data that answer gives for it, or not if that is empty, until
// it has answered shutdown.
func converse(conn net.Conn, init string, answer func(kind string, id int) string) int {
	readFrame(conn)
	writeFrame(conn, success(1, init))
	for {
		var head struct {
			Type string
			ID   int
		}
		if json.Unmarshal([]byte(readFrame(conn)), &head) != nil {
			return 0
		}
		if data := answer(head.Type, head.ID); data != "" {
			writeFrame(conn, success(head.ID, data))
		}
		if head.Type == ipc.TypeShutdown {
			return 0
		}
	}
}

func success(id int, data string) string {
	return fmt.Sprintf(`{"type":"response","id":%d,"status":"success","data":%s}`, id, data)
}

func readFrame(conn net.Conn) string {
	var header [4]byte
	if _, err := readFull(conn, header[:]); err != nil {
		return ""
	}
	body := make([]byte, int(header[0])|int(header[1])<<8|int(header[2])<<16)
	_, _ = readFull(conn, body)
	return string(body)
}

func readFull(conn net.Conn, b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		var k int
		k, err = conn.Read(b[n:])
		n += k
	}
	return n, err
}

func writeFrame(conn net.Conn, body string) error {
	frame := append([]byte{byte(len(body)), byte(len(body) >> 8), 0, 0}, body...)
	_, err := conn.Write(frame)
	return err
}
