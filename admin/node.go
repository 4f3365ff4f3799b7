package admin

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/supervisor"
)

// Cluster reaches the APIs of the supervisors on other nodes.
type Cluster interface {
	// Nodes are all that are there, this one among them, and those that were there lately.
	Nodes() []Node
	// Forward has a node answer a request whose answer ends by itself. An error means that there is no answer.
	Forward(ctx context.Context, node string, r NodeRequest) (status int, body []byte, err error)
}

// Node is a supervisor among several that use the same NATS server.
type Node struct {
	Node    string              `json:"node"`
	Self    bool                `json:"self,omitempty"`    // the one that was asked
	Version string              `json:"version,omitempty"` // of ixt
	Started time.Time           `json:"started"`
	Topics  map[string][]string `json:"topics,omitempty"` // what it offers to the others, each with the modules, name:version
	Heard   time.Time           `json:"heard"`            // its last heartbeat
	Gone    string              `json:"gone,omitempty"`   // "gone" without a word, or "stopped" in order; "": it is there
}

// NodeRequest is a request to the API of another node.
type NodeRequest struct {
	Method string     `json:"method"`
	Path   string     `json:"path"` // as here: /v1/modules
	Query  url.Values `json:"query,omitempty"`
	Body   []byte     `json:"body,omitempty"`
}

// NodeModules is what runs on one node.
type NodeModules struct {
	Node    string                    `json:"node"`
	Modules []supervisor.ModuleStatus `json:"modules"`
	Error   string                    `json:"error,omitempty"` // why it cannot be said
	Gone    string                    `json:"gone,omitempty"`  // as in Node; nothing is said of it then
	Heard   time.Time                 `json:"heard"`           // its last heartbeat
}

// Join lets the server's clients see and steer other nodes. It must be called before Serve.
func (s *Server) Join(c Cluster) { s.cluster = c }

// On returns a client of the supervisor on another node, which is asked through this one; "" is this one itself.
// Blobs and what goes on (Attend, and Journal and Logs that follow) cannot be had through another node and are refused.
func (c *Client) On(node string) *Client {
	far := *c
	far.node = node
	return &far
}

// Nodes returns all nodes that are there, and those that were within the last hour. A supervisor without a cluster knows at most itself.
func (c *Client) Nodes(ctx context.Context) ([]Node, error) {
	return get[[]Node](ctx, c, "nodes")
}

// AllModules returns the modules of all nodes, and the nodes that are not there any more without theirs.
func (c *Client) AllModules(ctx context.Context) ([]NodeModules, error) {
	nodes, err := c.Nodes(ctx)
	if err != nil {
		return nil, err
	}
	var all []NodeModules
	for _, n := range nodes {
		on := c
		if !n.Self {
			on = c.On(n.Node)
		}
		here := NodeModules{Node: n.Node, Gone: n.Gone, Heard: n.Heard}
		if n.Gone == "" {
			if here.Modules, err = on.Modules(ctx); err != nil {
				here.Error = err.Error()
			}
		}
		all = append(all, here)
	}
	return all, nil
}

func (s *Server) nodes(*http.Request) (any, error) {
	if s.cluster == nil {
		return []Node{}, nil
	}
	return s.cluster.Nodes(), nil
}

// inPieces says why a request cannot be passed on to another node, whose answer comes in one piece without headers; "" if it can.
func inPieces(r *http.Request) string {
	path := r.PathValue("path")
	switch {
	case strings.HasPrefix(path, "blobs/"):
		return "blobs are shared by all nodes on the NATS server; ask for them without a node"
	case r.Method == http.MethodGet && strings.HasPrefix(path, "services/"):
		return "events and keys are shared by all nodes on the NATS server; ask for them without a node"
	case r.URL.Query().Get("follow") != "":
		return "an answer that goes on cannot be passed on; ask on the node itself, or without follow"
	}
	return ""
}

// onNode serves /v1/nodes/{node}/...: the same request, answered by another node.
func (s *Server) onNode(w http.ResponseWriter, r *http.Request) {
	node := r.PathValue("node")
	if s.cluster == nil {
		refuse(w, ipc.Refuse(ipc.CodeNoProvider, "there is no node %s: this supervisor is alone; `ixt run --nats URL` joins it to others", node))
		return
	}
	if why := inPieces(r); why != "" {
		refuse(w, ipc.Refuse(ipc.CodeInvalidInput, "%s %s cannot be asked of node %s from here: %s", r.Method, r.PathValue("path"), node, why))
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		refuse(w, ipc.Refuse(ipc.CodeFrameTooLarge, "the request's body: %v", err))
		return
	}
	status, answer, err := s.cluster.Forward(r.Context(), node, NodeRequest{
		Method: r.Method, Path: "/v1/" + r.PathValue("path"), Query: r.URL.Query(), Body: body,
	})
	if err != nil {
		refuse(w, err)
		return
	}
	if status == http.StatusOK && !json.Valid(answer) {
		w.Header().Set("Content-Type", "application/octet-stream")
	} else {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(status)
	_, _ = w.Write(answer) // a client that has gone needs no answer
}
