package main

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/ixtrun/ixt/manifest/internal/keys"
	"github.com/pelletier/go-toml/v2"
)

// object is a part of a schema; encoding/json sorts its keys.
type object = map[string]any

// schema is the JSON Schema of a file.
func (c comments) schema(name string, root *keys.Key) ([]byte, error) {
	s, err := c.schemaOf(root)
	if err != nil {
		return nil, err
	}
	s["$schema"] = "http://json-schema.org/draft-07/schema#"
	s["title"] = name + ".toml of ixt"
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err = encoder.Encode(s)
	return b.Bytes(), err
}

func (c comments) schemaOf(k *keys.Key) (object, error) {
	s, err := c.value(k)
	if err != nil {
		return nil, err
	}
	text, err := c.of(k)
	if err != nil {
		return nil, err
	}
	if text != "" {
		s["description"] = text
	}
	if k.Default != "" {
		s["default"], err = value(k, k.Default)
	}
	return s, err
}

// value is what a key's values look like.
func (c comments) value(k *keys.Key) (object, error) {
	switch k.Kind {
	case keys.Table:
		return c.table(k)
	case keys.Map:
		every, err := c.schemaOf(k.Every)
		return object{"type": "object", "additionalProperties": every}, err
	case keys.List:
		every, err := c.schemaOf(k.Every)
		return object{"type": "array", "items": every}, err
	case keys.Text:
		_, pattern := k.Form()
		return object{"type": "string", "pattern": pattern}, nil
	case keys.Any:
		if k.Number {
			return object{"type": "number"}, nil
		}
		return object{}, nil
	}
	s := object{"type": map[keys.Kind]string{keys.String: "string", keys.Integer: "integer", keys.Float: "number", keys.Boolean: "boolean"}[k.Kind]}
	if len(k.Enum) > 0 {
		s["enum"] = k.Enum
	}
	for word, text := range map[string]string{"minimum": k.Min, "maximum": k.Max} {
		if text != "" {
			s[word] = json.Number(text)
		}
	}
	return s, nil
}

func (c comments) table(k *keys.Key) (object, error) {
	properties, required := object{}, []string{}
	for _, sub := range k.Keys {
		s, err := c.schemaOf(sub)
		if err != nil {
			return nil, err
		}
		properties[sub.Name] = s
		if needed(sub) {
			required = append(required, sub.Name)
		}
	}
	s := object{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		s["required"] = required
	}
	if k.Platforms {
		bare := *k
		bare.Platforms = false
		platform, err := c.table(&bare)
		if err != nil {
			return nil, err
		}
		s["patternProperties"] = object{"^[a-z]+-[a-z0-9]+$": platform}
	}
	if short := k.ShortKey(); short != nil {
		text, err := c.schemaOf(short)
		if err != nil {
			return nil, err
		}
		return object{"anyOf": []object{text, s}}, nil
	}
	return s, nil
}

// needed reports whether a file without the key is refused.
func needed(k *keys.Key) bool {
	if k.Go == nil {
		for _, sub := range k.Keys {
			if needed(sub) {
				return true
			}
		}
	}
	return k.Required
}

// value is a default as JSON has it.
func value(k *keys.Key, text string) (any, error) {
	if k.Kind == keys.String || k.Kind == keys.Text {
		return text, nil
	}
	var file struct{ Value any }
	if err := toml.Unmarshal([]byte("value = "+text), &file); err != nil {
		return nil, fmt.Errorf("default of %s.%s: %w", k.Struct, k.Field, err)
	}
	return file.Value, nil
}
