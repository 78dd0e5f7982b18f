// Command generate makes graph/gen and graph/model from the schema: gqlgen's own
// code, and beside it the writers that answer a planned query (package plan).
//
// The writers come from the same bound schema as gqlgen's executor, so that a
// field means the same in both: who resolves it, which arguments it takes, how
// its value is marshalled and what may be null.
package main

import (
	"fmt"
	"go/types"
	"os"
	"path/filepath"
	"slices"
	"strings"

	_ "embed"

	"github.com/99designs/gqlgen/api"
	"github.com/99designs/gqlgen/codegen"
	"github.com/99designs/gqlgen/codegen/config"
	"github.com/99designs/gqlgen/codegen/templates"
	"github.com/vektah/gqlparser/v2/ast"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run() error {
	cfg, err := config.LoadConfigFromDefaultLocations()
	if err != nil {
		return err
	}
	return api.Generate(cfg, api.AddPlugin(writers{}))
}

//go:embed writers.gotpl
var template string

// writers is the plugin of gqlgen that makes the writers.
type writers struct{}

// Name names the plugin.
func (writers) Name() string { return "writers" }

// data is what the template sees.
type data struct {
	*codegen.Data
	Written    []*codegen.Object       // what a query can reach
	Abstract   []*codegen.Interface    // likewise
	References []*config.TypeReference // every type of a field of those, once
}

// GenerateCode writes the writers of everything that a query can reach.
func (writers) GenerateCode(all *codegen.Data) error {
	d := &data{Data: all}
	if err := d.reach(all.QueryRoot); err != nil {
		return err
	}
	slices.SortFunc(d.Written, func(a, b *codegen.Object) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(d.Abstract, func(a, b *codegen.Interface) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(d.References, func(a, b *config.TypeReference) int { return strings.Compare(a.MarshalFunc(), b.MarshalFunc()) })
	return templates.Render(templates.Options{
		PackageName: all.Config.Exec.Package, Template: template, Filename: filepath.Join(all.Config.Exec.Dir(), "writers.generated.go"),
		Data: d, GeneratedHeader: true, Packages: all.Config.Packages,
		Funcs: map[string]any{"writeFunc": writeFunc, "leaf": leaf, "known": known, "fieldsOf": fieldsOf, "keyed": keyed, "plain": plain}})
}

// reach adds an object and all that its fields lead to.
func (d *data) reach(o *codegen.Object) error {
	if slices.Contains(d.Written, o) || strings.HasPrefix(o.Name, "__") {
		return nil
	}
	d.Written = append(d.Written, o)
	for _, f := range fieldsOf(o) {
		if f.HasDirectives() || f.IsBatch() || f.IsMap() || f.HasHaser || f.VOkFunc {
			return fmt.Errorf("%s.%s is bound in a way that the writers do not know", o.Name, f.Name)
		}
		if err := d.reference(f.TypeReference); err != nil {
			return err
		}
	}
	return nil
}

// keys are what names the value of a field before it is resolved: the fields
// that lead from what belongs to somebody to what is shared.
var keys = map[string]string{
	"Assertion.achievement":        "obj.AchievementID",
	"Assertion.achievementVersion": "obj.Pin()",
}

// keyed is the key of a field's value; empty for one that is always resolved.
func keyed(o *codegen.Object, f *codegen.Field) string { return keys[o.Name+"."+f.Name] }

// plain reports whether a field is a member of its object's struct, so that it
// is written where it stands.
func plain(o *codegen.Object, f *codegen.Field) bool {
	return f.IsVariable() && !f.IsResolver && keyed(o, f) == ""
}

// fieldsOf are the fields of an object but for introspection, which is gqlgen's.
func fieldsOf(o *codegen.Object) []*codegen.Field {
	return slices.DeleteFunc(slices.Clone(o.Fields), func(f *codegen.Field) bool { return strings.HasPrefix(f.Name, "__") })
}

// reference adds a type of a field, what it is a list of or points to, and the
// objects that it may be.
func (d *data) reference(ref *config.TypeReference) error {
	if slices.ContainsFunc(d.References, func(r *config.TypeReference) bool { return r.MarshalFunc() == ref.MarshalFunc() }) {
		return nil
	}
	d.References = append(d.References, ref)
	if ref.IsPtrToSlice() || ref.IsPtrToIntf() || ref.IsSlice() || ref.IsPtrToPtr() {
		return d.reference(ref.Elem())
	}
	for _, o := range d.Objects {
		if o.Definition == ref.Definition || slices.Contains(o.Implements, ref.Definition) {
			if err := d.reach(o); err != nil {
				return err
			}
		}
	}
	if i, ok := d.Interfaces[ref.Definition.Name]; ok && !slices.Contains(d.Abstract, i) {
		d.Abstract = append(d.Abstract, i)
	}
	return nil
}

// known reports whether a query can reach an object.
func known(d *data, name string) bool {
	return slices.ContainsFunc(d.Written, func(o *codegen.Object) bool { return o.Name == name })
}

// writeFunc is the name of the writer of a type.
func writeFunc(ref *config.TypeReference) string {
	return "write" + strings.TrimPrefix(ref.MarshalFunc(), "marshal")
}

// leaf is which of the buffer's own writes a leaf has; empty when its marshaler
// is to be asked.
func leaf(ref *config.TypeReference) string {
	if ref.IsMarshaler {
		if basic, ok := ref.Target.Underlying().(*types.Basic); ok && ref.Definition.Kind == ast.Enum && basic.Kind() == types.String {
			return "enum"
		}
		return ""
	}
	if ref.Marshaler == nil || ref.HasEnumValues() || ref.Marshaler.Pkg().Path() != "github.com/99designs/gqlgen/graphql" {
		return ""
	}
	switch ref.Marshaler.Name() {
	case "MarshalString", "MarshalID":
		return "String"
	case "MarshalInt", "MarshalInt64":
		return "Int"
	case "MarshalBoolean":
		return "Bool"
	case "MarshalFloatContext":
		return "Float"
	case "MarshalTime":
		return "Time"
	}
	return ""
}
