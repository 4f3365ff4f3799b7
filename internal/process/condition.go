package process

// Traced reports whether a debugger holds the process, so that a silence of it means nothing. A debugger that this program cannot see,
// as one outside of its container, goes unnoticed. After Reap it is false.
func (p *Process) Traced() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.reaped && traced(p.pid)
}

// Stopped reports whether the process is suspended, as by SIGSTOP, and waits for SIGCONT; one that a debugger has halted is not. After
// Reap it is false.
func (p *Process) Stopped() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.reaped && stopped(p.pid)
}
