package ipc

import "encoding/json"

// The services of a host and their methods: docs/host-services.md.
const (
	ServiceMessageBus = "message_bus"
	MethodCall        = "call"
	MethodSend        = "send"

	ServiceLog  = "log"
	MethodWrite = "write"

	ServiceEvents     = "events"
	MethodPublish     = "publish"
	MethodSubscribe   = "subscribe"
	MethodUnsubscribe = "unsubscribe"

	ServiceKV     = "kv"
	MethodGet     = "get"
	MethodSet     = "set"
	MethodAdd     = "add"
	MethodDelete  = "delete"
	MethodExists  = "exists"
	MethodKeys    = "keys"
	MethodWatch   = "watch"
	MethodUnwatch = "unwatch"

	ServiceBlob = "blob" // with get and delete
	MethodPut   = "put"
	MethodStat  = "stat"
	MethodList  = "list"
)

// TargetedMessage is the params of message_bus.call and send.
type TargetedMessage struct {
	Message
	Target string `json:"target,omitempty"` // name, name:version or name:version/instance-002; "": whoever provides the topic
}

// LogLine is the params of log.write.
type LogLine struct {
	Level   string                     `json:"level,omitempty"` // "": info
	Message string                     `json:"message"`
	Fields  map[string]json.RawMessage `json:"fields,omitempty"`
}

// Publication is the params of events.publish.
type Publication struct {
	Topic   string  `json:"topic"`
	Payload Payload `json:"payload,omitzero"`
}

// Subscription is the params of events.subscribe.
type Subscription struct {
	Pattern string `json:"pattern"`
	Group   bool   `json:"group,omitempty"`   // one instance of the module gets each event
	Durable string `json:"durable,omitempty"` // a name by which it is kept
	From    string `json:"from,omitempty"`    // FromNew or FromKept; "": FromNew
	Buffer  int    `json:"buffer,omitempty"`  // events that wait; 0: DefaultBuffer
}

// Where a new durable subscription begins.
const (
	FromNew  = "new"
	FromKept = "kept"
)

// The bounds of a subscription's buffer, in events.
const (
	DefaultBuffer = 256
	MaxBuffer     = 65536
)

// Subscribed is the result of events.subscribe and kv.watch, and the params of events.unsubscribe and kv.unwatch.
type Subscribed struct {
	Subscription string `json:"subscription"`
}

// KVParams are the params of kv's methods but unwatch; each uses its own.
type KVParams struct {
	Bucket   string  `json:"bucket,omitempty"`   // "": the module's own
	Key      string  `json:"key,omitempty"`      // get, set, add, delete, exists
	Payload  Payload `json:"payload,omitzero"`   // set
	Revision *uint64 `json:"revision,omitempty"` // set, delete: the one there must be; 0: none
	TTLMS    int64   `json:"ttl_ms,omitempty"`   // set: how long the key lives; 0: for ever
	Delta    int64   `json:"delta,omitempty"`    // add
	Pattern  string  `json:"pattern,omitempty"`  // keys, watch; "": all
	Buffer   int     `json:"buffer,omitempty"`   // watch: changes that wait; 0: DefaultBuffer
}

// KVEntry is the result of kv.get.
type KVEntry struct {
	Payload  Payload `json:"payload,omitzero"`
	Revision uint64  `json:"revision"`
	TimeMS   int64   `json:"time"` // when it was set, Unix milliseconds
}

// KVWritten is the result of kv.set.
type KVWritten struct {
	Revision uint64 `json:"revision"`
}

// KVCounted is the result of kv.add.
type KVCounted struct {
	Value    int64  `json:"value"`
	Revision uint64 `json:"revision"`
}

// KVExists is the result of kv.exists.
type KVExists struct {
	Exists bool `json:"exists"`
}

// KVKeys is the result of kv.keys.
type KVKeys struct {
	Keys []string `json:"keys"`
}

// BlobParams are the params of blob's methods; each uses its own.
type BlobParams struct {
	Bucket   string  `json:"bucket,omitempty"`   // "": the module's own
	Name     string  `json:"name,omitempty"`     // put, get, stat, delete
	Payload  Payload `json:"payload,omitzero"`   // put: one chunk
	Last     bool    `json:"last,omitempty"`     // put: there is no further chunk
	Upload   string  `json:"upload,omitempty"`   // put: which of those that were begun
	SHA256   string  `json:"sha256,omitempty"`   // put, with the last chunk: of the whole, hex
	Download string  `json:"download,omitempty"` // get: which of those that were begun
	Prefix   string  `json:"prefix,omitempty"`   // list
}

// BlobInfo is what blob.stat says, and the result of the last blob.put.
type BlobInfo struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`   // bytes
	SHA256 string `json:"sha256"` // hex
	TimeMS int64  `json:"time"`   // when it was stored, Unix milliseconds
}

// BlobUpload is the result of every blob.put but the last.
type BlobUpload struct {
	Upload string `json:"upload"`
}

// BlobChunk is the result of blob.get.
type BlobChunk struct {
	Download string  `json:"download,omitempty"` // to be named in the next get; absent with the last
	Payload  Payload `json:"payload,omitzero"`
	Last     bool    `json:"last"`
	Size     int64   `json:"size"`   // of the whole
	SHA256   string  `json:"sha256"` // of the whole, hex
}

// BlobList is the result of blob.list.
type BlobList struct {
	Blobs []BlobInfo `json:"blobs"`
}

// DecodeParams reads the params of a service request into v, which points to their struct; absent ones are those of an empty
// object. The error is INVALID_INPUT.
func DecodeParams(service, method string, params Data, v any) error {
	if err := params.Unpack(v); err != nil {
		return Refuse(CodeInvalidInput, "the params of %s.%s cannot be decoded: %v", service, method, err)
	}
	return nil
}

func (m *TargetedMessage) carried() (*Payload, bool) { return &m.Payload, false }
func (p *Publication) carried() (*Payload, bool)     { return &p.Payload, false }
func (p *KVParams) carried() (*Payload, bool)        { return &p.Payload, false }
func (e *KVEntry) carried() (*Payload, bool)         { return &e.Payload, true }
func (p *BlobParams) carried() (*Payload, bool)      { return &p.Payload, false }
func (c *BlobChunk) carried() (*Payload, bool)       { return &c.Payload, true }

// ChunkSize is how many bytes of a blob best travel at a time.
const ChunkSize = 256 << 10

// MaxChunk is how many bytes a value of kv, an event or a chunk of a blob has at most.
const MaxChunk = 1 << 20
