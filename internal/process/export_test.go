package process

// NewSpawnerWith has the guard run by another shell than the system's.
func NewSpawnerWith(shell string) *Spawner { return newSpawner(shell) }

// GuardPID is the process id of the guard, 0 if there is none.
func (s *Spawner) GuardPID() int {
	s.keeper.mu.Lock()
	defer s.keeper.mu.Unlock()
	if s.keeper.guard == nil || s.keeper.guard.proc == nil {
		return 0
	}
	return s.keeper.guard.proc.PID()
}

// Guarded is the list of groups by slot.
func (s *Spawner) Guarded() []int {
	s.keeper.mu.Lock()
	defer s.keeper.mu.Unlock()
	return append([]int(nil), s.keeper.groups...)
}

func (s *Spawner) Announce(group int) { s.keeper.announce(group) }

func (s *Spawner) Withdraw(group int) { s.keeper.withdraw(group) }
