package tests

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
)

// station is one module of the campaign. Those with a topic answer it with what [answerOf] tells.
type station struct {
	name       string
	topic      string // "" for one that is only kept running
	role       string // of this binary, campaign_roles_test.go; "": snake, in Python
	instances  int
	idempotent bool
	attempts   int           // of an idempotent call
	limit      time.Duration // the topic's timeout
	queue      int
	spared     bool     // never stopped by command, though restarted
	orders     []string // what callers demand of it beside plain work, some of which does not end well
	large      bool     // takes payloads larger than a socket's buffer
	process    string   // more of [artifacts.process]
	more       string   // more TOML
}

const (
	// tireless is a number of attempts that no call lives to use up.
	tireless = 1000
	// longestRest is the longest wait between two restarts of a module, restart.max.
	longestRest = 200 * time.Millisecond
	// longestMood is the longest time that an order leaves a module sick or away.
	longestMood = 300 * time.Millisecond
	// longestStop is what the limits under [stop] allow the whole fleet: all drain at once, and then those that come after
	// others end before these.
	longestStop = 5*time.Second + 2*(2*time.Second+200*time.Millisecond)
)

// quick restarts a module for ever, and soon; watched finds out soon that it hangs; brief stops it soon, gentle in order.
const (
	quick   = "[restart]\ninitial = \"5ms\"\nmax = \"200ms\"\nforgive = \"1s\"\nwindow = \"10s\"\ngive_up = 1000000\n"
	group   = "group = \"pair\"\n" // of quick
	watched = "[health]\ninterval = \"50ms\"\ntimeout = \"500ms\"\nfailures = 3\noverdue = \"500ms\"\n[start]\ntimeout = \"5s\"\n"
	brief   = "[stop]\ndrain = \"300ms\"\nshutdown = \"300ms\"\nterm = \"100ms\"\n"
	gentle  = "[stop]\ndrain = \"5s\"\nshutdown = \"2s\"\nterm = \"200ms\"\n"
)

// fleetOfCampaign is everything that can be a module, and everything it can do to those around it.
func fleetOfCampaign() []*station {
	usual := quick + watched + brief
	return []*station{
		// Every call to it has to be done in the end.
		{name: "sure", role: "hand 16", instances: 4, idempotent: true, attempts: tireless, limit: 2 * time.Minute, queue: 32, spared: true,
			orders: []string{"nap=5ms", "nap=50ms", "first:exit"}, large: true, more: quick + watched + gentle},
		// No call to it may be delivered twice. Its successor comes up first.
		{name: "post", role: "hand 8", instances: 2, limit: 3 * time.Second, queue: 64,
			orders: []string{"nap=20ms", "nap=300ms", "panic", "exit", "segv"}, large: true, more: "[replace]\nmode = \"start-first\"\n" + usual},
		// Calls others while it is called.
		{name: "relay", role: "hand 16", instances: 2, limit: 4 * time.Second, queue: 64, spared: true,
			orders: []string{"call=sure.do", "call=post.do", "call=sure.do"},
			more:   "[requires]\nservices = [\"sure.do\", \"post.do\"]\n[after]\nsure = \"ready\"\n" + usual},
		// Kills itself with its callers' attempts.
		{name: "frail", role: "hand 4", instances: 2, idempotent: true, attempts: 3, limit: 5 * time.Second, queue: 64,
			orders: []string{"first:exit", "first:segv", "exit", "panic", "nap=10ms"}, more: usual},
		// Speaks the wire by hand, one call at a time, and breaks it in every way, for good or at the first attempt.
		{name: "babbler", role: "brawler 0", instances: 2, limit: 2 * time.Second, queue: 64,
			orders: []string{"garbage", "empty", "attached", "array", "half", "stray", "twice", "shapeless", "spam"}, more: usual},
		{name: "stutterer", role: "brawler 4", instances: 2, idempotent: true, attempts: tireless, limit: 5 * time.Second, queue: 64,
			orders: []string{"first:garbage", "first:empty", "first:half", "stray", "twice"}, more: usual},
		// Stops reading for a while.
		{name: "deaf", role: "brawler 4", instances: 2, limit: 3 * time.Second, queue: 64,
			orders: []string{"deaf=100ms", "deaf=400ms", "deaf=2s"}, large: true,
			more: quick + watched + "[stop]\ndrain = \"100ms\"\nshutdown = \"1s\"\nterm = \"100ms\"\n"},
		// Slow behind a short queue.
		{name: "slow", role: "hand 2", instances: 1, limit: 3 * time.Second, queue: 8,
			orders: []string{"nap=50ms", "nap=200ms", "nap=5s"}, more: usual},
		// Its health turns; it goes down with post.
		{name: "moody", role: "hand 4", instances: 2, idempotent: true, attempts: tireless, limit: 5 * time.Second, queue: 64,
			orders: []string{"sick=300ms", "away=200ms", "away=50ms"}, more: "[after.post]\nrestart = true\n" + usual},
		// Ignores SIGTERM and the end of its connection.
		{name: "stubborn", role: "stubborn 4", instances: 1, limit: 2 * time.Second, queue: 32,
			orders: []string{"nap=100ms"}, more: quick + group + watched + brief},
		// Has children, which hold its output.
		{name: "parent", role: "hand 4", instances: 1, limit: 2 * time.Second, queue: 32,
			orders: []string{"bear"}, more: quick + group + watched + brief},
		// Speaks no protocol.
		{name: "plain", role: "idler", instances: 2, process: "protocol = \"none\"\n", more: usual},
		// In Python.
		{name: "snake", instances: 2, idempotent: true, attempts: tireless, limit: 5 * time.Second, queue: 64,
			orders: []string{"nap=20ms", "first:exit"}, large: true, more: usual},
	}
}

// build writes the manifests.
func (c *campaign) build() (built []*station) {
	for _, s := range fleetOfCampaign() {
		if s.limit > 0 {
			s.topic = s.name + ".do"
		}
		run, env := c.binary(s)
		if s.role == "" {
			if _, err := exec.LookPath("python3"); err != nil {
				c.t.Log("no module in Python: there is no python3 in PATH")
				continue
			}
			run, env = c.script(s)
		}
		c.write(s.name, fmt.Sprintf("schema_version = \"3.0\"\n[module]\nname = %q\nversion = \"1.0.0\"\n[artifacts.process]\n%s%senv = { %s }\n"+
			"[scale]\ninstances = %d\n%s%s", s.name, run, s.process, env, s.instances, s.rules(), s.more))
		built = append(built, s)
	}
	return built
}

// rules is what the manifest says about the station's topic.
func (s *station) rules() string {
	if s.topic == "" {
		return ""
	}
	text := fmt.Sprintf("[provides]\nservices = [%q]\n[services.%q]\ntimeout = %q\nqueue = %d\n", s.topic, s.topic, s.limit, s.queue)
	if s.idempotent {
		text += fmt.Sprintf("idempotent = true\nattempts = %d\n", s.attempts)
	}
	return text
}

// binary plays the station by this binary. The ledger's path in the environment also marks its processes and their children.
func (c *campaign) binary(s *station) (run, env string) {
	exe, err := os.Executable()
	require.NoError(c.t, err)
	role := fmt.Sprintf("campaign %s %s", c.ledger, s.role)
	return fmt.Sprintf("path = %q\nargs = [\"-test.run=^$\"]\n", exe),
		fmt.Sprintf("%s = %q, GOTRACEBACK = \"single\", GORACE = \"atexit_sleep_ms=0\"", roleVar, role)
}

// script plays the station in Python.
func (c *campaign) script(s *station) (run, env string) {
	sdk, err := filepath.Abs("../sdk/python")
	require.NoError(c.t, err)
	dir := filepath.Join(c.dir, s.name)
	require.NoError(c.t, os.MkdirAll(dir, 0o755))
	writeFile(c.t, filepath.Join(dir, "snake.py"), strings.Replace(snake, "SDK", sdk, 1))
	return "interpreter = \"python3\"\nentry = \"snake.py\"\n", fmt.Sprintf("LEDGER = %q, PYTHONDONTWRITEBYTECODE = \"1\"", c.ledger)
}

// snake does in Python what hand does in Go.
const snake = `import hashlib, os, sys, time
sys.path.insert(0, "SDK")
from ixt_process_module import IxtProcessModule

ledger = os.open(os.environ["LEDGER"], os.O_WRONLY | os.O_APPEND)

class Snake(IxtProcessModule):
    max_concurrency = 4

    def on_init(self, config):
        pass

    def on_handle(self, message, context):
        payload = self.decode_payload(message["payload"])
        number, hop, order = payload.split(b" ", 3)[:3]
        os.write(ledger, b"delivered %s %s %d snake\n" % (number, hop, context["attempt"]))
        order = order.decode()
        if order.startswith("first:"):
            order = order[6:] if context["attempt"] == 1 else "plain"
        if order == "exit":
            os._exit(7)
        if order.startswith("nap="):
            time.sleep(int(order[4:-2]) / 1000)
        digest = hashlib.sha256(message["topic"].encode() + b" " + payload).hexdigest().encode()
        return self.success({"payload": self.encode_payload(digest + b" " + payload[:8192])})

Snake().run()
`
