// Gendocs writes the list of keys, docs/manifest.md, and the JSON Schemas for editors, docs/schema/*.json, from the types of
// package manifest and their doc comments.
//
//	go run ./internal/gendocs ../docs
//
// It is run by go generate in the directory of package manifest.
package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: gendocs DIRECTORY, where the documents go")
		os.Exit(2)
	}
	if err := write(".", os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "gendocs:", err)
		os.Exit(1)
	}
}

func write(source, target string) error {
	files, err := generate(source)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path := filepath.Join(target, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			return err
		}
		if err := os.WriteFile(path, files[name], 0o666); err != nil {
			return err
		}
	}
	return nil
}

// generate makes the documents, by path below docs, from the package in the source directory.
func generate(source string) (map[string][]byte, error) {
	texts, err := readComments(source)
	if err != nil {
		return nil, err
	}
	page, err := texts.page()
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{"manifest.md": page}
	for name, root := range roots() {
		if files["schema/"+name+".schema.json"], err = texts.schema(name, root); err != nil {
			return nil, err
		}
	}
	return files, nil
}
