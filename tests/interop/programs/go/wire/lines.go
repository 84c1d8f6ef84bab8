package wire

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"time"
)

// In the programs' own lines, whatever the codec of the call: bytes are lower-case hex, a moment is
// RFC 3339 in UTC, and a 64-bit integer outside ±2⁵³ is a decimal string.

var (
	typeOfTime  = reflect.TypeFor[time.Time]()
	typeOfBytes = reflect.TypeFor[[]byte]()
)

// Assign sets the Go value that to points to from JSON that was decoded with UseNumber. A field
// that to lacks, or a value that does not fit, is an error that names it.
func Assign(to any, from any) error {
	return assign(reflect.ValueOf(to).Elem(), from, "args")
}

func assign(to reflect.Value, from any, path string) error {
	misfit := func() error { return fmt.Errorf("%s: %v does not fit %s", path, from, to.Type()) }
	switch {
	case to.Type() == typeOfTime:
		text, ok := from.(string)
		if !ok {
			return misfit()
		}
		moment, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		to.Set(reflect.ValueOf(moment.UTC()))
		return nil
	case to.Type() == typeOfBytes && from != nil:
		text, ok := from.(string)
		if !ok {
			return misfit()
		}
		data, err := hex.DecodeString(text)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		to.SetBytes(data)
		return nil
	}
	switch to.Kind() {
	case reflect.Bool:
		v, ok := from.(bool)
		if !ok {
			return misfit()
		}
		to.SetBool(v)
	case reflect.String:
		v, ok := from.(string)
		if !ok {
			return misfit()
		}
		to.SetString(v)
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v, err := strconv.ParseInt(digits(from), 10, to.Type().Bits())
		if err != nil {
			return misfit()
		}
		to.SetInt(v)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v, err := strconv.ParseUint(digits(from), 10, to.Type().Bits())
		if err != nil {
			return misfit()
		}
		to.SetUint(v)
	case reflect.Float32, reflect.Float64:
		number, ok := from.(json.Number)
		if !ok {
			return misfit()
		}
		v, err := strconv.ParseFloat(number.String(), to.Type().Bits())
		if err != nil {
			return misfit()
		}
		to.SetFloat(v)
	case reflect.Pointer:
		if from == nil {
			return nil
		}
		to.Set(reflect.New(to.Type().Elem()))
		return assign(to.Elem(), from, path)
	case reflect.Slice:
		if from == nil {
			return nil
		}
		list, ok := from.([]any)
		if !ok {
			return misfit()
		}
		to.Set(reflect.MakeSlice(to.Type(), len(list), len(list)))
		for i, v := range list {
			if err := assign(to.Index(i), v, fmt.Sprintf("%s[%d]", path, i)); err != nil {
				return err
			}
		}
	case reflect.Map:
		if from == nil {
			return nil
		}
		object, ok := from.(map[string]any)
		if !ok {
			return misfit()
		}
		to.Set(reflect.MakeMap(to.Type()))
		for key, v := range object {
			value := reflect.New(to.Type().Elem()).Elem()
			if err := assign(value, v, path+"."+key); err != nil {
				return err
			}
			to.SetMapIndex(reflect.ValueOf(key), value)
		}
	case reflect.Struct:
		if from == nil { // no arguments: every field is zero
			return nil
		}
		object, ok := from.(map[string]any)
		if !ok {
			return misfit()
		}
		for key, v := range object {
			field := to.FieldByName(key)
			if !field.IsValid() {
				return fmt.Errorf("%s.%s: %s has no such field", path, key, to.Type().Name())
			}
			if err := assign(field, v, path+"."+key); err != nil {
				return err
			}
		}
	default:
		return misfit()
	}
	return nil
}

// digits is the text of a number or of a decimal string; anything else does not parse.
func digits(v any) string {
	switch v := v.(type) {
	case json.Number:
		return v.String()
	case string:
		return v
	}
	return ""
}

// Dynamic turns JSON that was decoded with UseNumber into plain Go values with int64, uint64 and
// float64 for numbers, for codecs that have types of their own.
func Dynamic(v any) any {
	switch v := v.(type) {
	case json.Number:
		if i, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
			return i
		}
		if u, err := strconv.ParseUint(v.String(), 10, 64); err == nil {
			return u
		}
		f, err := v.Float64()
		if err != nil {
			return v.String()
		}
		return f
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = Dynamic(v[i])
		}
		return list
	case map[string]any:
		object := make(map[string]any, len(v))
		for key := range v {
			object[key] = Dynamic(v[key])
		}
		return object
	}
	return v
}

// Line is the form of any Go value in the programs' lines, ready for json.Marshal.
func Line(v any) any {
	if v == nil {
		return nil
	}
	return line(reflect.ValueOf(v))
}

const exact = 1 << 53 // integers up to here are exact as JSON numbers everywhere

func line(v reflect.Value) any {
	switch t := v.Interface().(type) {
	case json.Number:
		return number(t)
	case time.Time:
		return t.UTC().Format(time.RFC3339Nano)
	case []byte:
		return hex.EncodeToString(t)
	}
	switch v.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if i := v.Int(); i < -exact || i > exact {
			return strconv.FormatInt(i, 10)
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if u := v.Uint(); u > exact {
			return strconv.FormatUint(u, 10)
		}
	case reflect.Float32, reflect.Float64:
		if f := v.Float(); math.IsNaN(f) || math.IsInf(f, 0) {
			return fmt.Sprint(f)
		}
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		return line(v.Elem())
	case reflect.Slice, reflect.Array:
		list := make([]any, v.Len())
		for i := range list {
			list[i] = line(v.Index(i))
		}
		return list
	case reflect.Map:
		object := make(map[string]any, v.Len())
		for it := v.MapRange(); it.Next(); {
			object[fmt.Sprint(it.Key().Interface())] = line(it.Value())
		}
		return object
	case reflect.Struct:
		object := make(map[string]any, v.NumField())
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				object[f.Name] = line(v.Field(i))
			}
		}
		return object
	}
	return v.Interface()
}

func number(n json.Number) any {
	if i, err := n.Int64(); err == nil {
		return line(reflect.ValueOf(i))
	}
	if u, err := strconv.ParseUint(n.String(), 10, 64); err == nil {
		return line(reflect.ValueOf(u))
	}
	return n
}
