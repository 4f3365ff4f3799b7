//go:build !unix

package ipc

import "io"

// hasty writes what a stream takes at once; here no stream can tell.
type hasty struct{}

func newHasty(io.ReadWriteCloser) *hasty { return nil }

func (*hasty) write([]byte) (int, error) { return 0, nil }
