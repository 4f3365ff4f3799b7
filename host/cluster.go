package host

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/supervisor"
)

// cluster makes this supervisor one of several on a NATS server: docs/cluster.md.
//
//	exports ──> micro services ──> served ──> Site.Serve      calls of others
//	Host.Call ──> roster: who offers it ──> pending ──> NATS  calls to others
//	keeper: the connection, heartbeats, the name, what is offered
//
// All methods are safe for concurrent use.
type cluster struct {
	engine  *engine
	node    string
	id      string // tells two supervisors of one name apart
	version string
	started time.Time
	note    func(supervisor.Entry)
	site    supervisor.Site

	roster  roster
	exports exports
	served  served
	pending pending
	leases  leases

	life   context.Context // ended by close
	end    context.CancelFunc
	keeps  sync.WaitGroup // the keeper, and who waits for instances to end
	kicked chan struct{}  // holds one: something has changed that the keeper should see to now

	mu    sync.Mutex
	link  *link        // nil while the server cannot be reached
	admin http.Handler // nil: nobody can be administered from elsewhere
}

// link is the connection from one time it came up to when it goes down.
type link struct {
	conn  *nats.Conn
	inbox string        // where answers are awaited; a token follows
	lost  chan struct{} // closed when it goes down
}

func newCluster(e *engine) (*cluster, error) {
	node, err := nodeName(e.opts.Node)
	if err != nil {
		return nil, err
	}
	c := &cluster{
		engine: e, node: node, id: randomID(), version: e.opts.Version, started: time.Now(),
		kicked: make(chan struct{}, 1),
	}
	c.roster.members, c.roster.news = map[string]*member{}, make(chan struct{})
	c.exports.modules, c.exports.tallies = map[string]*export{}, map[string]*tally{}
	c.served.open = map[string]waiter{}
	c.pending.calls = map[string]chan *nats.Msg{}
	c.leases.mine = map[string]bool{}
	c.life, c.end = context.WithCancel(context.Background())
	return c, nil
}

// maxNode is how many bytes the name of a node has at most.
const maxNode = 64

// nodeName is the name as it was given, or one made of the machine's.
func nodeName(given string) (string, error) {
	if given != "" {
		if len(given) > maxNode || strings.ContainsFunc(given, notInBucket) {
			return "", invalid("node %.80q: write up to %d letters, digits, - and _", given, maxNode)
		}
		return given, nil
	}
	machine, err := os.Hostname()
	if err != nil || machine == "" {
		machine = "node"
	}
	name := strings.Map(func(r rune) rune {
		if notInBucket(r) {
			return '-'
		}
		return r
	}, machine)
	return name[:min(len(name), maxNode)], nil
}

func randomID() string { return fmt.Sprintf("%016x", rand.Uint64()) }

// alone reports whether no other supervisor can be met: nobody else reaches the engine.
func (c *cluster) alone() bool { return c.engine.opts.URL == "" && c.engine.opts.Listen == "" }

// open is called once, with the engine's.
func (c *cluster) open(site supervisor.Site) {
	c.site, c.note = site, site.Note
	if c.alone() {
		return
	}
	k := &keeper{cluster: c}
	c.keeps.Go(k.run)
}

// close takes leave of the others. What is being served has ended when it returns.
func (c *cluster) close() {
	c.end()
	c.keeps.Wait()
	c.served.close()
}

// kick has the keeper look now.
func (c *cluster) kick() {
	select {
	case c.kicked <- struct{}{}:
	default:
	}
}

// current is the connection that is up. The error is an *ipc.Error.
func (c *cluster) current() (*link, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.link != nil:
		return c.link, nil
	case c.life.Err() != nil:
		return nil, errClosed
	case c.alone():
		return nil, ipc.Refuse(ipc.CodeNoProvider, "this supervisor is alone; `ixt run --nats URL` joins it to others")
	}
	return nil, ipc.Refuse(ipc.CodeUnavailable, "the NATS server at %s cannot be reached now, and so no other node can; it is tried again", c.address())
}

// address is where the others are met, for people.
func (c *cluster) address() string {
	if c.engine.opts.URL != "" {
		return redacted(c.engine.opts.URL)
	}
	return c.engine.opts.Listen
}

func (c *cluster) setLink(l *link) {
	c.mu.Lock()
	old := c.link
	c.link = l
	c.mu.Unlock()
	if old != nil {
		close(old.lost)
	}
}
