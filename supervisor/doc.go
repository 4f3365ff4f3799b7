// Package supervisor runs modules: it starts their processes, routes calls to them by topic, watches their health,
// restarts what ends and stops everything without leaving anything behind.
//
// # A call
//
//	Supervisor.Call ─> router: topic, queue, deadline, slot ─> Conversation.Call ─> the module
//
// A module's own calls take the same way, through the service "message_bus" (bus.go). How a call can end, and what is known
// about it then, is in docs/protocol.md, "Errors": the router's verdict is the one place that decides it.
//
// # An instance
//
// Every process belongs to an instance, and every instance to one goroutine that takes it through its states in a straight
// line (instance.go). Decisions with time in them are pure functions beside it: restart.go, health.go, topic.go.
//
// # What is seen
//
// Everything the supervisor sees and does becomes an Entry of its Journal; what the modules write becomes the log; each abnormal
// end becomes a report (Crashes). Libraries do not print: a program that embeds a Supervisor reads them.
//
// # What is left
//
// Nothing: groups are killed before their leader is reaped (stop.go), what left its group is found by its environment
// (strays.go), and should this program be killed, a guard kills the groups (internal/process).
//
// # Concurrency
//
// All methods of Supervisor and Journal are safe for concurrent use. Run returns when nothing is left: no process, no socket,
// no goroutine.
package supervisor
