package pdf_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/testamur/testamur/internal/cost"
	"github.com/testamur/testamur/internal/spec/pdf"
)

// withFields is a file of which many fields of the form are the same large object.
func withFields(object string, fields int) []byte {
	var b bytes.Buffer
	b.WriteString("%PDF-1.7\n")
	var offsets []int
	for i, body := range []string{
		"<< /Type /Catalog /AcroForm << /Fields [" + strings.Repeat("2 0 R ", fields) + "] >> >>",
		object,
	} {
		offsets = append(offsets, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, body)
	}
	at := b.Len()
	b.WriteString("xref\n0 3\n0000000000 65535 f \n")
	for _, o := range offsets {
		fmt.Fprintf(&b, "%010d 00000 n \n", o)
	}
	fmt.Fprintf(&b, "trailer << /Size 3 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", at)
	return b.Bytes()
}

// An object that is named often is read often: what that costs is bounded by the
// bytes that are gone over, not by the number of objects alone.
func TestALargeObjectThatIsNamedOftenIsNotReadForEver(t *testing.T) {
	for name, object := range map[string]func(n int) string{
		"text":    func(n int) string { return "<< /X (" + strings.Repeat("a", n) + ") >>" },
		"hex":     func(n int) string { return "<< /X <" + strings.Repeat("a", n) + "> >>" },
		"comment": func(n int) string { return "%" + strings.Repeat("a", n) + "\n<< /X 1 >>" },
		"blanks":  func(n int) string { return strings.Repeat(" ", n) + "<< /X 1 >>" },
	} {
		file := withFields(object(4<<20), 2000)
		// Without a bound it goes over 8 GB, which takes minutes.
		spent := cost.Spent(func() {
			f, err := pdf.Read(file)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			_, _ = f.Signatures()
		})
		if spent > 20*time.Second {
			t.Errorf("%s: a file of %d MB took %v", name, len(file)>>20, spent)
		}
	}
}
