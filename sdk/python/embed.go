// Package python carries the Python SDK, so that a Go program can write it beside a module that needs it.
package python

import _ "embed"

// FileName is the name under which Python modules import the SDK.
const FileName = "ixt_process_module.py"

//go:embed ixt_process_module.py
var source string

// Source is the text of the SDK: one file that needs Python 3.8 or newer and nothing else.
func Source() string { return source }
