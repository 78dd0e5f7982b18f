package pg

import (
	"fmt"
	"reflect"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
)

// Collect reads rows into structs by the names of the columns, as
// pgx.RowToStructByName does, and ends them. It finds the place of each column
// once, not once a row, and reads where the struct is to stay; room is how many
// rows there are likely to be.
func Collect[T any](rows pgx.Rows, room int) ([]T, error) {
	defer rows.Close()
	all := make([]T, 0, room)
	var places [][]int
	var into []any
	for rows.Next() {
		if places == nil {
			var err error
			if places, err = placesOf(reflect.TypeFor[T](), rows); err != nil {
				return nil, err
			}
			into = make([]any, len(places))
		}
		var none T
		all = append(all, none)
		v := reflect.ValueOf(&all[len(all)-1]).Elem()
		for i, p := range places {
			into[i] = v.FieldByIndex(p).Addr().Interface()
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
	}
	return all, rows.Err()
}

// members are the places of a struct's fields by name, of each type once.
var members sync.Map

// placesOf are the fields that columns are read into. Each column has one, and
// each field its column.
func placesOf(t reflect.Type, rows pgx.Rows) ([][]int, error) {
	known, ok := members.Load(t)
	if !ok {
		byName := map[string][]int{}
		name(t, nil, byName)
		known, _ = members.LoadOrStore(t, byName)
	}
	byName := known.(map[string][]int)
	columns := rows.FieldDescriptions()
	places := make([][]int, len(columns))
	for i, c := range columns {
		if places[i], ok = byName[plainName(c.Name)]; !ok {
			return nil, fmt.Errorf("%v has no field for the column %s", t, c.Name)
		}
	}
	if len(columns) != len(byName) {
		return nil, fmt.Errorf("%v has %d fields, and the statement %d columns", t, len(byName), len(columns))
	}
	return places, nil
}

// name notes where the fields of a struct and of what it embeds are.
func name(t reflect.Type, above []int, into map[string][]int) {
	for i := range t.NumField() {
		f := t.Field(i)
		at := append(append([]int(nil), above...), i)
		tag, tagged := f.Tag.Lookup("db")
		switch {
		case f.Anonymous && f.Type.Kind() == reflect.Struct:
			name(f.Type, at, into)
		case !f.IsExported() || tag == "-":
		case tagged:
			into[plainName(tag)] = at
		default:
			into[plainName(f.Name)] = at
		}
	}
}

// plainName is a name in lower case without underscores.
func plainName(s string) string { return strings.ToLower(strings.ReplaceAll(s, "_", "")) }
