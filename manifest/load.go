package manifest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/ixtrun/ixt/manifest/internal/document"
	"github.com/ixtrun/ixt/manifest/internal/keys"
)

// maxFile is the size of the largest file that is read, in bytes.
const maxFile = 1 << 20

// The keys of the three kinds of table: manifest.toml, supervisor.toml, and a [module.NAME] of the latter.
var (
	manifestKeys = sync.OnceValue(func() *keys.Key { return keys.Of(reflect.TypeFor[Manifest]()) })
	operatorKeys = sync.OnceValue(func() *keys.Key { return keys.Of(reflect.TypeFor[Operator]()) })
	overrideKeys = sync.OnceValue(func() *keys.Key { return keys.Of(reflect.TypeFor[Override]()) })
)

// Load reads and checks a manifest.toml. The error is [Problems] with all that is wrong in it.
func Load(path string) (*Manifest, error) {
	src, err := read(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, src)
}

// CheckString asks Parse about one string: text is a manifest in which it stands for %s, in quotes. Where it may not, the error is or
// has in it a [Problem].
func CheckString(text, value string) error {
	quoted, err := json.Marshal(value) // a JSON string is a TOML string
	if err != nil {
		return err
	}
	_, err = Parse("", []byte(strings.Replace(text, "%s", string(quoted), 1)))
	return err
}

// Parse is [Load] for a file that has been read already. Paths in it are relative to the directory of file.
func Parse(file string, src []byte) (*Manifest, error) {
	d := newDecoder(file)
	tree, err := d.parse(src)
	if err != nil {
		return nil, err
	}
	m := &Manifest{file: file, tree: tree}
	d.manifest(m)
	d.check(&m.Module)
	d.checkEntries(m.Config)
	m.origins = d.origins
	if err := d.problems.Err(); err != nil {
		return nil, err
	}
	return m, nil
}

// manifest fills a manifest in from its own tree.
func (d *decoder) manifest(m *Manifest) {
	m.File = absolute(m.file)
	m.Dir = filepath.Dir(m.File)
	v := reflect.ValueOf(m).Elem()
	setDefaults(manifestKeys(), v)
	d.decode(manifestKeys(), m.tree, v, "")
	for _, topic := range m.Provides.Services {
		if _, given := m.Services[topic]; !given {
			if m.Services == nil {
				m.Services = map[string]Service{}
			}
			var s Service
			setDefaults(manifestKeys().Find("services").Every, reflect.ValueOf(&s).Elem())
			m.Services[topic] = s
		}
	}
}

// NoOperator is what an empty supervisor.toml says: every default, and nothing about any module.
func NoOperator() *Operator {
	op := &Operator{}
	setDefaults(operatorKeys(), reflect.ValueOf(op).Elem())
	return op
}

// LoadOperator reads and checks a supervisor.toml. The error is [Problems] with all that is wrong in it.
func LoadOperator(path string) (*Operator, error) {
	src, err := read(path)
	if err != nil {
		return nil, err
	}
	return ParseOperator(path, src)
}

// ParseOperator is [LoadOperator] for a file that has been read already. Paths in it are relative to the directory of
// file, and absolute in the result. Whether the modules it names exist is for [CheckOperator] to say, and whether their
// values fit for [Resolve].
func ParseOperator(file string, src []byte) (*Operator, error) {
	d := newDecoder(file)
	tree, err := d.parse(src)
	if err != nil {
		return nil, err
	}
	op := NoOperator()
	op.File, op.file, op.tree = absolute(file), file, tree
	op.Dir = filepath.Dir(op.File)
	d.decode(operatorKeys(), tree, reflect.ValueOf(op).Elem(), "")
	for i, dir := range op.Modules {
		if dir == "" {
			d.blame(fmt.Sprintf("modules[%d]", i), "is empty", `write a directory, "." for the one of this file`)
		}
		op.Modules[i] = within(op.Dir, dir)
	}
	op.State.Dir, op.Admin.Socket = within(op.Dir, op.State.Dir), within(op.Dir, op.Admin.Socket)
	for _, file := range []*string{&op.Engine.Credentials, &op.Engine.NKey, &op.Engine.CA, &op.Engine.Cert, &op.Engine.Key} {
		*file = within(op.Dir, *file)
	}
	for _, bucket := range slices.Sorted(maps.Keys(op.KV.Buckets)) {
		if !bucketName.MatchString(bucket) {
			d.blame(document.Join("kv.buckets", bucket), "is no name for a bucket", "write 1 to 64 letters, digits, - and _")
		}
	}
	for name, override := range op.Module {
		d.checkSecrets(override.Secrets, document.Join("module", name))
	}
	if err := d.problems.Err(); err != nil {
		return nil, err
	}
	return op, nil
}

// within makes a path absolute that is relative to dir; an empty one stays empty.
func within(dir, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// absolute is filepath.Abs, or the path itself where even the working directory is gone.
func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && !info.Mode().IsRegular() {
		if info.IsDir() {
			return nil, Problems{{File: path, Message: "is a directory", Remedy: "name the file in it"}}
		}
		return nil, Problems{{File: path, Message: "is not a regular file", Remedy: "name a file"}}
	}
	src, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, unreadable(path, err)
	}
	return src, nil
}

func unreadable(path string, err error) error {
	p := Problem{File: path, Message: "cannot be read", cause: err}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		p.Message, p.Remedy = "does not exist", "check the path"
	case errors.Is(err, fs.ErrPermission):
		p.Message, p.Remedy = "may not be read by this user", "chmod it, or run as the user who may"
	default:
		p.Message += ": " + err.Error()
	}
	return Problems{p}
}

// parse reads the tree of a file. Keys that are given twice are reported with d, so that the rest is looked at as well;
// the error is a file that cannot be read to its end.
func (d *decoder) parse(src []byte) (*document.Node, error) {
	if len(src) > maxFile {
		return nil, Problems{{File: d.file, Message: fmt.Sprintf("is larger than %s", Size(maxFile)), Remedy: "keep data in files of its own"}}
	}
	tree, faults, whole := document.Parse(src)
	for _, f := range faults {
		d.problem(f.Pos, f.Key, f.Message, f.Remedy)
	}
	if !whole {
		return nil, d.problems.Err()
	}
	return tree, nil
}
