package manifest

import (
	"maps"
	"reflect"
	"runtime"
	"slices"

	"github.com/ixtrun/ixt/manifest/internal/document"
	"github.com/ixtrun/ixt/manifest/internal/keys"
)

// platforms are those a supervisor runs on, in the names of Go: GOOS-GOARCH.
func platforms() []string {
	return []string{
		"darwin-amd64", "darwin-arm64", "freebsd-amd64", "freebsd-arm64",
		"linux-386", "linux-amd64", "linux-arm", "linux-arm64", "linux-loong64", "linux-ppc64le", "linux-riscv64", "linux-s390x",
	}
}

// platform lays the keys for one platform over a process. Every platform's are checked, wherever this runs; those of
// another platform go no further.
func (d *decoder) platform(k *keys.Key, name string, n *document.Node, v reflect.Value, path string) {
	at := document.Join(path, name)
	if !slices.Contains(platforms(), name) {
		d.problem(n.Key, at, "unknown platform", suggest(name, platforms()))
		return
	}
	if !d.is(document.Table, k, n, at) {
		return
	}
	bare := *k
	bare.Platforms = false
	process := v.Interface().(Process)
	process.Env, process.Digests = maps.Clone(process.Env), maps.Clone(process.Digests)
	here := newDecoder(d.file)
	here.source = d.source
	here.source.prefix = d.key(at)
	here.decode(&bare, n, reflect.ValueOf(&process).Elem(), "")
	if name != runtime.GOOS+"-"+runtime.GOARCH {
		here.checkProcess(&process, "")
		d.problems = append(d.problems, here.problems...)
		return
	}
	d.problems = append(d.problems, here.problems...)
	v.Set(reflect.ValueOf(process)) // which is checked with all the rest
	for key, o := range here.origins {
		if key != "" {
			d.origins[path+"."+key] = o
		}
	}
}

// layered makes a layer that names one way to run the program replace the other one of the layers below.
func (p *Process) layered(names []string) {
	interpreted := slices.Contains(names, "interpreter") || slices.Contains(names, "entry")
	switch direct := slices.Contains(names, "path"); {
	case direct && !interpreted:
		p.Interpreter, p.Entry = "", ""
	case interpreted && !direct:
		p.Path = ""
	}
}
