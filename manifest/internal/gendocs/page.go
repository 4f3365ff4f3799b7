package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"strings"
	"text/template"

	"github.com/ixtrun/ixt/manifest/internal/keys"
)

// The text around the tables of keys.
//
//go:embed page.md
var pageText string

// page is docs/manifest.md.
func (c comments) page() ([]byte, error) {
	rooms := roots()
	page, err := template.New("page.md").Funcs(template.FuncMap{
		"manifest":   func() (string, error) { return c.sections(rooms["manifest"], "") },
		"supervisor": func() (string, error) { return c.sections(withoutModules(rooms["supervisor"]), "") },
		"module": func() (string, error) {
			override := rooms["supervisor"].Find("module").Every
			return c.list([]*keys.Key{override.Find("config"), override.Find("secrets")}, "")
		},
		"secret": func() (string, error) {
			return c.list(rooms["supervisor"].Find("module").Every.Find("secrets").Every.Keys, "secrets.NAME")
		},
		"changeable": func() string { return changeable(rooms["supervisor"].Find("module").Every) },
	}).Parse(pageText)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = page.Execute(&b, nil)
	return b.Bytes(), err
}

// withoutModules is the keys of supervisor.toml but for [module.NAME], which has a chapter of its own.
func withoutModules(root *keys.Key) *keys.Key {
	bare := *root
	bare.Keys = nil
	for _, k := range root.Keys {
		if k.Name != "module" {
			bare.Keys = append(bare.Keys, k)
		}
	}
	return &bare
}

// changeable names the tables of a manifest that an operator may change.
func changeable(override *keys.Key) string {
	var names []string
	for _, k := range override.Keys {
		if k.Go == nil {
			names = append(names, "`"+k.Name+"."+k.Keys[0].Name+"`")
		} else if k.Name != "config" && k.Name != "secrets" {
			names = append(names, "`"+k.Name+"`")
		}
	}
	return strings.Join(names, ", ")
}

// sections is a list of the keys that stand in a table themselves, then one for each table in it.
func (c comments) sections(table *keys.Key, path string) (string, error) {
	var own, tables []*keys.Key
	for _, k := range table.Keys {
		if k.Kind == keys.Table || k.Kind == keys.Map && k.Every.Kind == keys.Table {
			tables = append(tables, k)
		} else {
			own = append(own, k)
		}
	}
	var b strings.Builder
	if path != "" && len(own) > 0 {
		text, err := c.of(table)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "\n### [%s]\n\n", path)
		if text != "" {
			fmt.Fprintf(&b, "%s\n\n", text)
		}
	}
	if len(own) > 0 {
		list, err := c.list(own, path)
		if err != nil {
			return "", err
		}
		b.WriteString(list)
	}
	for _, k := range tables {
		sub, name := k, strings.TrimPrefix(path+"."+k.Name, ".")
		if k.Kind == keys.Map {
			// The entries of a map have no declaration of their own; the map's says what they are.
			every := *k.Every
			every.Struct, every.Field = k.Struct, k.Field
			sub, name = &every, name+`.NAME`
		}
		section, err := c.sections(sub, name)
		if err != nil {
			return "", err
		}
		b.WriteString(section)
	}
	return b.String(), nil
}

// list is a table with a line for each key.
func (c comments) list(all []*keys.Key, path string) (string, error) {
	var b strings.Builder
	b.WriteString("| Key | Type | Default | Meaning |\n|---|---|---|---|\n")
	for _, k := range all {
		text, err := c.of(k)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", strings.TrimPrefix(path+"."+k.Name, "."), kind(k), fallback(k), strings.ReplaceAll(text, "|", `\|`))
	}
	return b.String(), nil
}

// kind is the type of a key with its limits.
func kind(k *keys.Key) string {
	switch {
	case len(k.Enum) > 0:
		return "`" + strings.Join(k.Enum, "`, `") + "`"
	case k.Min != "" && k.Max != "":
		return fmt.Sprintf("%s, %s to %s", k.TypeName(), k.Min, k.Max)
	case k.Min != "":
		return fmt.Sprintf("%s, at least %s", k.TypeName(), k.Min)
	}
	return k.TypeName()
}

// fallback is the default of a key as the file would say it.
func fallback(k *keys.Key) string {
	switch {
	case k.Required:
		return "required"
	case k.Default == "":
		return "none"
	case k.Kind == keys.String || k.Kind == keys.Text:
		return fmt.Sprintf("`%q`", k.Default)
	}
	return "`" + k.Default + "`"
}
