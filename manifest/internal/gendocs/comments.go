package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/ixtrun/ixt/manifest"
	"github.com/ixtrun/ixt/manifest/internal/keys"
)

// roots are the trees of keys, by the name of the file that holds them.
func roots() map[string]*keys.Key {
	return map[string]*keys.Key{
		"manifest":   keys.Of(reflect.TypeFor[manifest.Manifest]()),
		"supervisor": keys.Of(reflect.TypeFor[manifest.Operator]()),
	}
}

// comments are the doc comments of fields, by "Struct.Field".
type comments map[string]string

func readComments(dir string) (comments, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	texts := comments{}
	for _, path := range paths {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok {
				if struc, ok := spec.Type.(*ast.StructType); ok {
					texts.fields(spec.Name.Name, struc)
				}
			}
			return true
		})
	}
	return texts, nil
}

func (c comments) fields(struc string, t *ast.StructType) {
	for _, f := range t.Fields.List {
		for _, name := range f.Names {
			c[struc+"."+name.Name] = strings.Join(strings.Fields(f.Doc.Text()), " ")
		}
	}
}

// of is the meaning of a key; a key that is declared somewhere has to have one.
func (c comments) of(k *keys.Key) (string, error) {
	text := c[k.Struct+"."+k.Field]
	if text == "" && k.Struct != "" {
		return "", fmt.Errorf("%s.%s has no doc comment to say what the key %s is for", k.Struct, k.Field, k.Name)
	}
	return text, nil
}
