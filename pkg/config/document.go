package config

import (
	"fmt"
	"reflect"
	"strings"
)

// Key is one key of the configuration, for its document.
type Key struct {
	Path    string // lapi.credentials; sources[].filenames
	Form    string // text, number, true or false, duration, network, list of …
	Default string // as in a file; "" if there is none
	Meaning string
	Group   bool // holds other keys
}

// Keys returns every key, in the order of the configuration.
func Keys() []Key {
	return keysOf("", reflect.ValueOf(Default()))
}

// keysOf lists the keys of a struct and of its parts, for docs/configuration.md.
func keysOf(prefix string, v reflect.Value) []Key {
	var keys []Key
	for i := range v.NumField() {
		field := v.Type().Field(i)
		k := Key{Path: prefix + field.Tag.Get("yaml"), Meaning: field.Tag.Get("doc"), Form: formOf(field.Type)}
		value := v.Field(i)
		switch {
		case value.Kind() == reflect.Struct && field.Type != reflect.TypeFor[Network]():
			k.Group = true
			keys = append(keys, k)
			keys = append(keys, keysOf(k.Path+".", value)...)
			continue
		case field.Type == reflect.TypeFor[[]Source]():
			k.Group = true
			keys = append(keys, k)
			keys = append(keys, keysOf(k.Path+"[].", reflect.Zero(reflect.TypeFor[Source]()))...)
			continue
		case !value.IsZero() || value.Kind() == reflect.Bool:
			k.Default = defaultText(value)
		}
		keys = append(keys, k)
	}
	return keys
}

// defaultText returns a default value in the form of the file.
func defaultText(v reflect.Value) string {
	if list, ok := v.Interface().([]string); ok {
		return "[" + strings.Join(list, ", ") + "]"
	}
	return fmt.Sprint(v.Interface())
}

// formOf describes the form of a type's values.
func formOf(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[Duration]():
		return "duration"
	case t == reflect.TypeFor[Network]():
		return "network"
	case t.Kind() == reflect.Slice:
		return "list of " + formOf(t.Elem())
	case t.Kind() == reflect.Map:
		return "map"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Int:
		return "number"
	case t.Kind() == reflect.Struct:
		return "keys"
	}
	return "text"
}
