package load

import (
	"cmp"
	"slices"
	"time"
)

// Median is the median of each figure over several rounds of the same load.
func Median(rounds []Result) Result {
	var p50, p99 []time.Duration
	var rates []float64
	for _, r := range rounds {
		p50, p99, rates = append(p50, r.P50), append(p99, r.P99), append(rates, r.PerSecond)
	}
	return Result{P50: MedianOf(p50), P99: MedianOf(p99), PerSecond: MedianOf(rates)}
}

// MedianOf is the median of figures; of an even number of them it is the upper one.
func MedianOf[F cmp.Ordered](figures []F) F {
	return slices.Sorted(slices.Values(figures))[len(figures)/2]
}
