// Package host gives modules what they keep and what they tell each other: the services events, kv and blob of
// docs/host-services.md. It is a supervisor.Engine; nothing else of ixt knows what stands behind those services.
//
//	h, err := host.New(nil)
//	s, err := supervisor.New(&supervisor.Options{Dirs: dirs, Engine: h})
//
// What stands behind them is NATS: without Options.URL a server in this process that keeps its files in the supervisor's state
// directory and can be reached by nobody else, with it a server or cluster of the user's. Either is used in the same way, and
// the modules see no difference but UNAVAILABLE while a server of the user's cannot be reached.
//
// A Host whose server others reach is one of a cluster: it is a supervisor.Remote, which lets others call what modules export and takes
// calls to them, and a supervisor.Leases, by which one of several supervisors runs a singleton: docs/cluster.md.
//
// # Names
//
// Exported topics are endpoints of micro services on "ixt.svc.<topic>"; a node has "ixt.node.<node>." and what follows. Leases are keys
// of the bucket "ixt_leases".
//
// Events travel on the subjects "ixt.ev.<topic>"; those that durable subscriptions wait for are kept in the stream "ixt_events".
//
// # Concurrency
//
// A Host serves one supervisor. Its services are safe for concurrent use. Every goroutine that it starts has ended when Close
// returns.
package host
