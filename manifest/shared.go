package manifest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/ixtrun/ixt/manifest/internal/document"
)

// CheckTopics looks for topics that several modules provide under different rules. Timeout and queue are the topic's: which
// provider a call will meet is not known while it waits. The error is [Problems].
func CheckTopics(ms []*Module) error {
	var problems Problems
	first := map[string]*Module{}
	for _, m := range slices.SortedFunc(slices.Values(ms), func(a, b *Module) int { return cmp.Compare(a.Name, b.Name) }) {
		for _, topic := range slices.Sorted(maps.Keys(m.Services)) {
			other := first[topic]
			if other == nil {
				first[topic] = m
				continue
			}
			differ := func(key, here, there string) {
				if here != there {
					problems = append(problems, m.problem(document.Join(document.Join("services", topic), key),
						fmt.Sprintf("%s says %s, %s says %s", m.Name, here, other.Name, there), "give both the same, for callers do not choose between them"))
				}
			}
			here, there := m.Services[topic], other.Services[topic]
			differ("timeout", here.Timeout.String(), there.Timeout.String())
			differ("queue", fmt.Sprint(here.Queue), fmt.Sprint(there.Queue))
		}
	}
	return problems.Err()
}
