// Package admin is the door to a running supervisor: an HTTP API on a Unix socket, and its client. The command line uses
// nothing else, so whatever `ixt` shows or does, a program can.
//
// # Who may use it
//
// Whoever can open the socket: the supervisor's user, and the members of one group where the operator names it. [SocketPaths]
// says where the socket is.
//
// # Endpoints
//
// Everything is JSON over HTTP/1.1. An error has a fitting status and one body everywhere, an [ipc.Error]:
//
//	{"code":"NO_PROVIDER","message":"...","outcome":"not_delivered","origin":"supervisor","retry_after_ms":0}
//
//	GET  /v1/version                    [Info]
//	GET  /v1/modules                    [supervisor.ModuleStatus] of every module, an array
//	GET  /v1/modules/{name}             the same of one
//	GET  /v1/modules/{name}/config      every effective value with its origin, an array of [manifest.Setting]; secrets masked
//	GET  /v1/modules/{name}/subscriptions
//	                                    [supervisor.SubscriptionStatus]: what its instances have subscribed to, an array
//	POST /v1/modules/{name}/start       makes the module run, overrules a stop, retries at once what rests; does not wait
//	POST /v1/modules/{name}/stop        stops it and answers when nothing of it is left
//	POST /v1/modules/{name}/restart     replaces its processes and answers when the new ones are ready
//	                                    all three: no body; the answer is the module's status
//	GET  /v1/topics                     [Topic], every one that is known here or offered by another node, an array
//	POST /v1/call                       calls a topic: a [CallRequest] for a [CallAnswer]; who goes away cancels the call
//	POST /v1/services/{service}/{method}
//	                                    asks a host service with every right: its params for its result (docs/host-services.md)
//	GET  /v1/services/{service}/{method}?params=P
//	                                    subscribes to events or watches keys: [ipc.Event], one per line, the first of them
//	                                    empty, when the subscription stands
//	GET  /v1/buckets/{service}          names of the buckets of kv or blob, an array
//	GET  /v1/blobs/{bucket}/{name}      the bytes of a blob, with their sum in the header Ixt-Sha256
//	PUT  /v1/blobs/{bucket}/{name}      stores the body, of any size, as a blob: an [ipc.BlobInfo]
//	GET  /v1/nodes                      [Node]: the supervisors of a cluster, and those that were there within the last
//	                                    hour, an array
//	ANY  /v1/nodes/{node}/...           the same below /v1, answered by another node; no streams
//	GET  /v1/journal?after=S&last=N&follow=1
//	                                    [supervisor.Entry], one per line: those after number S, at most the newest N,
//	                                    and with follow whatever comes. A gap in seq means that the reader was too slow
//	GET  /v1/logs?module=M&last=N&follow=1
//	                                    [LogLine], one per line: the newest N (default 100) of module M, or of all
//	                                    modules, and with follow whatever comes
//	GET  /v1/crashes?module=M           [CrashHead] of every crash report of module M, or of all modules, an array, the newest
//	                                    first
//	GET  /v1/crashes/{id}               [CrashReport] with that ID, of which the number is enough; or "last"; or, by the
//	                                    name of a module, its newest
//	GET  /metrics                       everything that is measured, in the text format of Prometheus (docs/observability.md)
//
// Bodies of requests but blobs are bounded by the largest frame (16 MiB) with some room for what is around the payload. A stream ends
// when the supervisor stops.
//
// # Concurrency
//
// Server and Client are safe for concurrent use. A Client holds nothing open between requests.
package admin
