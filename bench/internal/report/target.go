package report

import (
	"strconv"
	"strings"
)

// Target is what is hoped for of a number, and the number. Its unit is "×" for a ratio.
type Target struct {
	Got     Quantity `json:"got"`
	Bound   float64  `json:"bound"`
	AtLeast bool     `json:"at_least"`          // else at most
	Reached float64  `json:"reached,omitempty"` // what has been reached of a target that is missed; 0: it was met
}

// BestMargin is the largest Margin: that of a number which is to be small and is nothing, or less, by what a measurement errs.
const BestMargin = 1000

// Margin is by which factor the number is better than its bound: 1 just meets it, 0.5 misses it by half.
func (t *Target) Margin() float64 { return t.margin(t.Bound) }

// Kept is by which factor the number is better than what has been reached: less than 1 is a step back.
func (t *Target) Kept() float64 {
	if t.Reached == 0 {
		return t.Margin()
	}
	return t.margin(t.Reached)
}

func (t *Target) margin(bound float64) float64 {
	switch {
	case t.AtLeast:
		return min(t.Got.Value/bound, BestMargin)
	case t.Got.Value <= 0:
		return BestMargin
	}
	return min(bound/t.Got.Value, BestMargin)
}

// Holds reports whether the target is met.
func (t *Target) Holds() bool { return t.Margin() >= 1 }

// Verdict is Holds in a word.
func (t *Target) Verdict() string {
	if t.Holds() {
		return "holds"
	}
	return "MISSED"
}

func (t *Target) String() string {
	sign := "≤"
	if t.AtLeast {
		sign = "≥"
	}
	return sign + " " + Quantity{t.Bound, t.Got.Unit}.String()
}

// String writes three digits, or all before the point.
func (q Quantity) String() string {
	number := strconv.FormatFloat(q.Value, 'g', 3, 64)
	if q.Value >= 100 {
		number = strconv.FormatFloat(q.Value, 'f', 0, 64)
	}
	return strings.TrimSpace(number + " " + q.Unit)
}
