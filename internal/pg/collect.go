package pg

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// Collect reads rows into structs by the names of the columns, as
// pgx.RowToStructByName does, and ends them. It finds the place of each column
// and how it is read once a connection, not once a row, and reads where the
// struct is to stay; room is how many rows there are likely to be.
func Collect[T any](rows pgx.Rows, room int) ([]T, error) {
	defer rows.Close()
	all := make([]T, 0, room)
	var r *reader
	for rows.Next() {
		if r == nil {
			var err error
			if r, err = readerOf(reflect.TypeFor[T](), rows); err != nil {
				return nil, err
			}
		}
		var none T
		all = append(all, none)
		v, raw := reflect.ValueOf(&all[len(all)-1]).Elem(), rows.RawValues()
		for i := range r.columns {
			c := &r.columns[i]
			if err := c.plan.Scan(raw[i], v.FieldByIndex(c.place).Addr().Interface()); err != nil {
				return nil, pgx.ScanArgError{ColumnIndex: i, FieldName: c.name, Err: err}
			}
		}
	}
	return all, rows.Err()
}

// reader is how the columns of a statement are read into a struct.
type reader struct{ columns []column }

type column struct {
	name   string
	oid    uint32
	format int16
	place  []int // the field
	plan   pgtype.ScanPlan
}

// reads reports whether the reader is for these columns.
func (r *reader) reads(columns []pgconn.FieldDescription) bool {
	return slices.EqualFunc(r.columns, columns, func(c column, d pgconn.FieldDescription) bool {
		return c.name == d.Name && c.oid == d.DataTypeOID && c.format == d.Format
	})
}

// readersKey is where a connection has its readers by type of struct: plans of
// one connection are no other's.
const readersKey = "testamur.readers"

// readerOf is how rows are read into structs of a type.
func readerOf(t reflect.Type, rows pgx.Rows) (*reader, error) {
	conn := rows.Conn()
	kept := conn.PgConn().CustomData()
	readers, ok := kept[readersKey].(map[reflect.Type]*reader)
	if !ok {
		readers = map[reflect.Type]*reader{}
		kept[readersKey] = readers
	}
	columns := rows.FieldDescriptions()
	if r := readers[t]; r != nil && r.reads(columns) {
		return r, nil
	}
	places, err := placesOf(t, columns)
	if err != nil {
		return nil, err
	}
	r, into := &reader{make([]column, len(columns))}, reflect.New(t).Elem()
	for i, d := range columns {
		plan := conn.TypeMap().PlanScan(d.DataTypeOID, d.Format, into.FieldByIndex(places[i]).Addr().Interface())
		r.columns[i] = column{d.Name, d.DataTypeOID, d.Format, places[i], plan}
	}
	readers[t] = r
	return r, nil
}

// CollectOne is Collect for exactly one row: pgx.ErrNoRows or pgx.ErrTooManyRows
// when there is another number.
func CollectOne[T any](rows pgx.Rows) (T, error) {
	all, err := Collect[T](rows, 1)
	var one T
	switch {
	case err != nil:
		return one, err
	case len(all) == 0:
		return one, pgx.ErrNoRows
	case len(all) > 1:
		return one, pgx.ErrTooManyRows
	}
	return all[0], nil
}

// members are the places of a struct's fields by name, of each type once.
var members sync.Map

// placesOf are the fields that columns are read into. Each column has one, and
// each field its column.
func placesOf(t reflect.Type, columns []pgconn.FieldDescription) ([][]int, error) {
	known, ok := members.Load(t)
	if !ok {
		byName := map[string][]int{}
		name(t, nil, byName)
		known, _ = members.LoadOrStore(t, byName)
	}
	byName := known.(map[string][]int)
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
