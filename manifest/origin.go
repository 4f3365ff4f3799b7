package manifest

import (
	"path/filepath"
	"strconv"
	"strings"

	"github.com/ixtrun/ixt/manifest/internal/document"
)

// origin is where a value comes from.
type origin struct {
	layer string // what people are shown: "manifest.toml:12", "flag --set", "env PRESS_TOKEN"
	file  string // what problems name
	pos   document.Pos
	key   string // the key as that file has it
}

// origins holds an origin for each key that was written somewhere; a key without one has its default.
type origins map[string]origin

// source is the layer that is being read.
type source struct {
	file   string
	prefix string // of its keys, such as module.press in supervisor.toml
	flag   bool   // a --set flag, which has no positions
}

func (s source) origin(path string, pos document.Pos) origin {
	o := origin{layer: "flag --set", file: s.file, key: s.key(path)}
	if !s.flag {
		o.layer, o.pos = filepath.Base(s.file)+":"+strconv.Itoa(pos.Line), pos
	}
	return o
}

func (s source) key(path string) string {
	return strings.Trim(s.prefix+"."+path, ".")
}

// of is the origin of the key or, where that was not written, of the nearest table around it.
func (os origins) of(path string) origin {
	around := path
	for {
		o, ok := os[around]
		if ok || around == "" {
			rest := path[len(around):]
			if around == "" {
				rest = "." + rest // any other table leaves its dot or bracket in front
			}
			o.key = strings.Trim(o.key+rest, ".")
			return o
		}
		around = around[:max(0, strings.LastIndexAny(around, ".["))]
	}
}

// layer is the origin of the key as people are shown it.
func (os origins) layer(path string) string {
	if o, ok := os[path]; ok {
		return o.layer
	}
	return "default"
}
