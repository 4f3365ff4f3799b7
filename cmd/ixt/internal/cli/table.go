package cli

import (
	"strings"
	"unicode/utf8"
)

// table lines up columns with two spaces between them. The last column is cut to the width that is left.
type table struct {
	head []string
	rows [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// lines returns the table with every line at most width characters long.
func (t *table) lines(width int) []string {
	all := append([][]string{t.head}, t.rows...)
	widths := make([]int, len(t.head))
	for _, row := range all {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	lines := make([]string, len(all))
	for n, row := range all {
		var b strings.Builder
		for i, cell := range row {
			b.WriteString(cell)
			if i < len(row)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2))
			}
		}
		lines[n] = cut(strings.TrimRight(b.String(), " "), width)
	}
	return lines
}

// cut shortens s to width characters, the last of which then says so.
func cut(s string, width int) string {
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	if width < 1 {
		return ""
	}
	return string([]rune(s)[:width-1]) + "…"
}

// print writes the table to a terminal or a file.
func (o *output) table(t *table) error {
	width, _ := o.size()
	_, err := o.Write([]byte(strings.Join(t.lines(width), "\n") + "\n"))
	return err
}
