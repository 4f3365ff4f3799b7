package report

import (
	"fmt"
	"strings"
)

// Check returns an error that names the targets missed by more than the factor slack.
func (r *Report) Check(slack float64) error {
	var missed []string
	for _, v := range r.Verdicts() {
		if t := v.Row.Target; t.Margin()*slack < 1 {
			missed = append(missed, fmt.Sprintf("%s, %s: %s, hoped for %s", v.Measure, v.Row.Name, t.Got, t))
		}
	}
	if len(missed) == 0 {
		return nil
	}
	return fmt.Errorf("off by more than a factor of %g:\n  %s", slack, strings.Join(missed, "\n  "))
}
