package tests

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ixtrun/ixt/ipc"
	"github.com/ixtrun/ixt/supervisor"
)

// Calls that are refused before anybody could have had them are journaled as seldom as others, or one caller would wash out
// everything else.
func TestRefusedCallsDoNotFillTheJournal(t *testing.T) {
	const many = 200
	for _, tt := range []struct{ name, topic, payload, code string }{
		{"a topic that nobody provides", "nobody.there", "", ipc.CodeNoProvider},
		{"a topic that the module may not call", "rude.forward", "other.say hello", ipc.CodeDenied},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFleet(t)
			f.add("rude", "polite", []string{"rude.forward"}, "")
			f.add("other", "polite", []string{"other.say"}, "")
			f.start()
			for range many {
				_, err := f.say(tt.topic, tt.payload)
				require.Error(t, err)
			}
			told := 0
			for _, e := range f.Journal().Last(4096) {
				if e.Code == tt.code && (e.Kind == supervisor.KindRefused || e.Kind == supervisor.KindCall) {
					told++
				}
			}
			require.NotZero(t, told)
			require.Less(t, told, many/2)
		})
	}
}
