package load

import (
	"slices"
	"time"
)

// Median is the median of each figure over several rounds of the same load.
func Median(rounds []Result) Result {
	return Result{
		P50:       MedianOf(rounds, func(r Result) time.Duration { return r.P50 }),
		P99:       MedianOf(rounds, func(r Result) time.Duration { return r.P99 }),
		PerSecond: MedianOf(rounds, func(r Result) float64 { return r.PerSecond }),
	}
}

// MedianOf is the median of one figure; of an even number of them it is the upper one.
func MedianOf[R any, F ~int64 | ~float64](rounds []R, figure func(R) F) F {
	figures := make([]F, 0, len(rounds))
	for _, r := range rounds {
		figures = append(figures, figure(r))
	}
	slices.Sort(figures)
	return figures[len(figures)/2]
}
