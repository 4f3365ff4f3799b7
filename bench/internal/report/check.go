package report

import (
	"fmt"
	"strings"
)

// Check returns an error that names the targets missed by more than the factor slack; of those that have never been met, the ones
// that are so much further off than they were.
func (r *Report) Check(slack float64) error {
	var missed []string
	for _, v := range r.Verdicts() {
		if t := v.Row.Target; t.Kept()*slack < 1 {
			text := fmt.Sprintf("%s, %s: %s, hoped for %s", v.Measure, v.Row.Name, t.Got, t)
			if t.Reached != 0 {
				text += fmt.Sprintf(", %s was reached", Quantity{t.Reached, t.Got.Unit})
			}
			missed = append(missed, text)
		}
	}
	if len(missed) == 0 {
		return nil
	}
	return fmt.Errorf("off by more than a factor of %g:\n  %s", slack, strings.Join(missed, "\n  "))
}
