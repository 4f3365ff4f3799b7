package admin

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/supervisor"
)

// Cluster reaches the APIs of the supervisors on other nodes.
type Cluster interface {
	// Nodes are all that have been heard lately, this one among them.
	Nodes() []Node
	// Forward has a node answer a request whose answer ends by itself. An error means that there is no answer.
	Forward(ctx context.Context, node string, r NodeRequest) (status int, body []byte, err error)
}

// Node is a supervisor among several that use the same NATS server.
type Node struct {
	Node    string    `json:"node"`
	Self    bool      `json:"self,omitempty"`    // the one that was asked
	Version string    `json:"version,omitempty"` // of ixt
	Started time.Time `json:"started"`
	Topics  []string  `json:"topics,omitempty"` // what it offers to the others
	Heard   time.Time `json:"heard"`            // its last heartbeat
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
}

// Join lets the server's clients see and steer other nodes. It must be called before Serve.
func (s *Server) Join(c Cluster) { s.cluster = c }

// On returns a client of the supervisor on another node, which is asked through this one; "" is this one itself.
func (c *Client) On(node string) *Client {
	far := *c
	far.node = node
	return &far
}

// Nodes returns all nodes that have been heard lately. A supervisor that belongs to no cluster knows none.
func (c *Client) Nodes(ctx context.Context) ([]Node, error) {
	return get[[]Node](ctx, c, "nodes")
}

// AllModules returns the modules of all nodes.
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
		here := NodeModules{Node: n.Node}
		if here.Modules, err = on.Modules(ctx); err != nil {
			here.Error = err.Error()
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

// onNode serves /v1/nodes/{node}/...: the same request, answered by another node.
func (s *Server) onNode(w http.ResponseWriter, r *http.Request) {
	node := r.PathValue("node")
	if s.cluster == nil {
		refuse(w, ipc.Refuse(ipc.CodeNoProvider, "there is no node %s: this supervisor is alone; `ixt run --nats URL` joins it to others", node))
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
