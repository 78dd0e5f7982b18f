package house

import (
	"go/ast"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
)

// signedBytes is SQL that reads what was signed of a credential.
var signedBytes = regexp.MustCompile(`(?s)\bc\.document\b|\bdocument\b.*\b(from|join)\s+credential\b|\b(from|join)\s+credential\b.*\bdocument\b`)

// readers are the packages that read signed bytes, and why no hold is forgotten
// there. No way out stands among them: rest, web and graph have the bytes Sealed,
// and open them with what release says.
var readers = map[string]string{
	"internal/credential": "signs, and gives them out Sealed",
	"internal/record":     "puts them into records; what it gives out is no signed bytes",
	"internal/transcript": "gives a print out through release.HandOver",
	"internal/sharing":    "asks release.InTx at each opening, in its transaction",
	"internal/archive":    "writes the institution's own archive, for its operator alone",
}

// sealers may say of what payment periods bytes tell.
var sealers = map[string]bool{"internal/credential": true, "internal/transcript": true}

func TestSignedBytesLeaveThroughRelease(t *testing.T) {
	found := map[string]bool{}
	eachFile(t, func(path string, file *ast.File, fset *token.FileSet) {
		dir := filepath.ToSlash(filepath.Dir(path))
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BasicLit:
				text, err := strconv.Unquote(n.Value)
				if n.Kind != token.STRING || err != nil || !signedBytes.MatchString(text) {
					return true
				}
				if found[dir] = true; readers[dir] == "" {
					t.Errorf("%s reads signed bytes: have them from credential.Sealed, and hand them out through package release", fset.Position(n.Pos()))
				}
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && x.Name == "release" && n.Sel.Name == "Seal" && !sealers[dir] {
					t.Errorf("%s closes bytes of its own: only a noun that knows their payment periods does", fset.Position(n.Pos()))
				}
			}
			return true
		})
	})
	for dir := range readers {
		if !found[dir] {
			t.Errorf("%s reads no signed bytes any more: take it off the list", dir)
		}
	}
}
