package report

import (
	"fmt"
	"html"
	"math"
	"os"
	"strings"
)

// The picture's measures, in pixels.
const (
	width     = 960
	labels    = 430 // left edge of the bars' room
	bars      = 380 // its width
	line      = 24  // from bar to bar
	thickness = 14
	top       = 84
	most      = 16 // the margin at either edge of the bars' room is 1/most and most
)

// WriteSVG draws a bar for every target: how far the number is from what was hoped for, on a logarithmic scale. Right of the
// line in the middle it is better.
func (r *Report) WriteSVG(file string) error {
	all := r.Verdicts()
	var b strings.Builder
	height := top + len(all)*line + 30
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="system-ui, sans-serif" font-size="13" fill="#1f2328">`+"\n", width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#ffffff"/>`+"\n", width, height)
	text(&b, 20, 30, `font-size="18" font-weight="600"`, "ixt and its peers, against the targets")
	text(&b, 20, 50, `fill="#59636e"`, r.Circumstances())
	r.scale(&b, height)
	for i, v := range all {
		v.draw(&b, top+i*line)
	}
	b.WriteString("</svg>\n")
	return os.WriteFile(file, []byte(b.String()), 0o644)
}

// scale draws the lines behind the bars.
func (r *Report) scale(b *strings.Builder, height int) {
	for margin := 1.0 / most; margin <= most; margin *= 2 {
		colour, label := "#e6e8eb", fmt.Sprintf("%g×", margin)
		if margin < 1 {
			label = fmt.Sprintf("1/%g", 1/margin)
		}
		if margin == 1 {
			colour, label = "#1f2328", "target"
		}
		x := position(margin)
		fmt.Fprintf(b, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="%s"/>`+"\n", x, top-10, x, height-24, colour)
		text(b, x, top-16, `text-anchor="middle" font-size="11" fill="#59636e"`, label)
	}
}

func (v *Verdict) draw(b *strings.Builder, y int) {
	t := v.Row.Target
	colour := "#2da44e"
	if !t.Holds() {
		colour = "#d1572a"
	}
	from, to := position(1), position(t.Margin())
	fmt.Fprintf(b, `<rect x="%.1f" y="%d" width="%.1f" height="%d" rx="2" fill="%s"/>`+"\n",
		min(from, to), y, math.Abs(to-from), thickness, colour)
	text(b, labels-12, y+12, `text-anchor="end"`, v.Measure+" · "+v.Row.Name)
	text(b, labels+bars+12, y+12, ``, fmt.Sprintf("%s (%s)", t.Got, t))
}

// position is the place of a margin; what is beyond the edges is at them.
func position(margin float64) float64 {
	share := (math.Log2(margin)/math.Log2(most) + 1) / 2
	return labels + bars*min(max(share, 0), 1)
}

func text(b *strings.Builder, x float64, y int, attributes, s string) {
	fmt.Fprintf(b, `<text x="%.1f" y="%d" %s>%s</text>`+"\n", x, y, attributes, html.EscapeString(s))
}
