package extract

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"reflect"
	"strconv"
	"strings"

	"github.com/testamur/testamur/internal/fault"
	"github.com/testamur/testamur/internal/tabular"
)

// The forms of an extract.
const (
	CSV    = "text/csv"
	NDJSON = "application/x-ndjson"
)

// flushEvery is after how many rows what was written goes out.
const flushEvery = 100

// sheet writes rows of one type, in UTF-8. The columns of CSV are the members of
// NDJSON under the same names; what is not known is an empty cell and no member.
type sheet[T any] struct {
	write func(T) error
	end   func() error
}

func newSheet[T any](form string, w io.Writer) (*sheet[T], error) {
	switch form {
	case NDJSON:
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		return &sheet[T]{write: func(row T) error { return enc.Encode(row) }, end: func() error { return nil }}, nil
	case CSV:
		out := csv.NewWriter(w)
		out.UseCRLF = true // RFC 4180
		rows, cells := 0, make([]string, 0, 24)
		return &sheet[T]{
			write: func(row T) error {
				if rows == 0 {
					if err := out.Write(head[T]()); err != nil {
						return err
					}
				}
				if err := out.Write(cellsOf(row, cells[:0])); err != nil {
					return err
				}
				if rows++; rows%flushEvery == 0 {
					out.Flush()
				}
				return out.Error()
			},
			end: func() error {
				if rows == 0 {
					if err := out.Write(head[T]()); err != nil {
						return err
					}
				}
				out.Flush()
				return out.Error()
			},
		}, nil
	}
	return nil, fault.At("format", "format", "An export is text/csv or application/x-ndjson.")
}

// head are the names of the columns.
func head[T any]() []string {
	var all []string
	t := reflect.TypeFor[T]()
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		all = append(all, name)
	}
	return all
}

// cellsOf are the cells of a row. Its fields are text, numbers, truths, lists of
// text and pointers to those.
func cellsOf[T any](row T, cells []string) []string {
	v := reflect.ValueOf(row)
	for i := range v.NumField() {
		cells = append(cells, cell(v.Field(i)))
	}
	return cells
}

func cell(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return ""
		}
		return cell(v.Elem())
	case reflect.Bool:
		return strconv.FormatBool(v.Bool())
	case reflect.Int:
		return strconv.FormatInt(v.Int(), 10)
	case reflect.Float64:
		return strconv.FormatFloat(v.Float(), 'f', -1, 64)
	case reflect.Slice:
		all := make([]string, v.Len())
		for i := range all {
			all[i] = v.Index(i).String()
		}
		return tabular.Cell(strings.Join(all, "; "))
	}
	return tabular.Cell(v.String())
}
