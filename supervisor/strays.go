package supervisor

import (
	"fmt"
	"time"

	"github.com/ixtrun/ixt/internal/process"
)

// envRun is the environment variable that marks all that one incarnation starts, whatever process group that moves to.
const envRun = "IXT_RUN"

// mark is the value of envRun for the next incarnation of the instance. No other has the same, and none has one that this is the
// beginning of.
func (in *instance) mark() string {
	return fmt.Sprintf("%s.%d/", in.s.sockets.Socket(fmt.Sprintf("%s-%03d", in.id.Name, in.id.Instance)), in.s.incarnations.Add(1))
}

// pendingMarks is how many ended incarnations may wait for the next search.
const pendingMarks = 1024

// searches bounds how often the same marks are searched for: what forks faster than it is found is reported.
const searches = 10

// killStrays kills what ended incarnations left behind outside of their process groups, until there will be no more. A
// search looks at the whole machine, so one serves all that have ended meanwhile.
func (s *Supervisor) killStrays() {
	for mark := range s.marks {
		prefixes := []string{envRun + "=" + mark}
		for len(s.marks) > 0 {
			prefixes = append(prefixes, envRun+"="+<-s.marks)
		}
		strays := process.WithEnv(prefixes...)
		for n := 1; len(strays) > 0 && n <= searches; n++ {
			<-time.After(time.Duration(n) * 10 * time.Millisecond) // what was killed with its group may still be dying
			strays = process.WithEnv(prefixes...)
			s.killEach(strays)
		}
		if len(strays) > 0 {
			s.journal.add(Entry{Kind: KindWarning, PID: strays[0].PID,
				Text: fmt.Sprintf("process %d of an ended module, and %d more, did not die of SIGKILL; left behind", strays[0].PID, len(strays)-1)})
		}
	}
}

func (s *Supervisor) killEach(strays []process.Stray) {
	for _, stray := range strays {
		if stray.Kill() == nil {
			s.journal.add(Entry{Kind: KindWarning, PID: stray.PID, Text: fmt.Sprintf("killed process %d, which an ended module had left behind", stray.PID)})
		}
	}
}
