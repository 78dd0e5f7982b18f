package pdf

import (
	"bytes"
	"compress/zlib"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/testamur/testamur/internal/cost"
	"github.com/testamur/testamur/internal/interop"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

const holds = `{"type":["VerifiableCredential"]}`

// signer is a key with its certificate.
type signer struct {
	key *ecdsa.PrivateKey
	der []byte
}

func newSigner(t testing.TB) signer {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	method, err := url.Parse("did:web:x.example#key-1")
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "X"}, NotBefore: noon, NotAfter: noon.AddDate(9, 0, 0), URIs: []*url.URL{method}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	return signer{k, der}
}

func (s signer) sign(m []byte) ([]byte, error) {
	der, err := s.key.Sign(nil, digest(m), digests["2.16.840.1.101.3.4.2.1"])
	if err != nil {
		return nil, err
	}
	var pair struct{ R, S *big.Int }
	_, err = asn1.Unmarshal(der, &pair)
	out := make([]byte, 64)
	pair.R.FillBytes(out[:32])
	pair.S.FillBytes(out[32:])
	return out, err
}

func digest(m []byte) []byte {
	h := digests["2.16.840.1.101.3.4.2.1"].New()
	h.Write(m)
	return h.Sum(nil)
}

// example is a document of two pages with a file, to be sealed.
func example(t testing.TB) []byte {
	t.Helper()
	d := New(Info{Title: "A record: Ž (山)", Author: "X", Subject: "s", Producer: "Testamur", Lang: "en", Created: noon})
	d.Attach(Attachment{Name: "record.json", Description: "d", Media: "application/ld+json", Relationship: "Source", Modified: noon, Data: []byte(holds)})
	for range 2 {
		p := d.Page(612, 792)
		p.In(d.Root().Add("P"))
		p.Fill(Rect{10, 10, 20, 20}, Color{1, 0, 0})
		p.Artifact(true)
		p.Rule(0, 0, 9, 9, 1, Color{})
	}
	d.Field(d.PageAt(1), d.Root().Add("Form"), Rect{10, 10, 90, 40}, Signing{Name: "X", Reason: "r", At: noon})
	raw, err := d.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func sealed(t testing.TB) []byte {
	t.Helper()
	s := newSigner(t)
	raw, err := Seal(example(t), [][]byte{s.der}, s.sign)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// verdict is what comes of the one signature of a file, in a word.
func verdict(raw []byte) string {
	f, err := Read(raw)
	if err != nil {
		return "unreadable"
	}
	all, err := f.Signatures()
	switch {
	case err != nil:
		return "range"
	case len(all) == 0:
		return "unsigned"
	}
	_, err = all[0].Check()
	switch {
	case err != nil:
		return "broken"
	case !all[0].Whole:
		return "added"
	}
	return "holds"
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	raw := sealed(t)
	if got := verdict(raw); got != "holds" {
		t.Fatalf("the signature %s", got)
	}
	f, err := Read(raw)
	if err != nil {
		t.Fatal(err)
	}
	files := f.Files()
	if len(files) != 1 || string(files[0].Data) != holds || files[0].Name != "record.json" || files[0].Relationship != "Source" || files[0].Media != "application/ld+json" {
		t.Errorf("files: %+v", files)
	}
	all, _ := f.Signatures()
	c, err := all[0].Check()
	if err != nil || Method(c) != "did:web:x.example#key-1" || all[0].At != "D:20261124120000Z" || all[0].Name != "X" {
		t.Errorf("%+v %v", all[0].At, err)
	}
}

func TestTheSameDocumentHasTheSameBytes(t *testing.T) {
	if !bytes.Equal(example(t), example(t)) {
		t.Error("two documents of one content differ")
	}
	s := newSigner(t)
	a, err := Seal(example(t), [][]byte{s.der}, s.sign)
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := Seal(example(t), [][]byte{s.der}, s.sign); !bytes.Equal(a, b) {
		t.Error("two signatures of one document differ")
	}
}

// Whichever byte is changed, the signature does not hold any more. Within the
// signature itself some bytes mean nothing: they stand behind its end.
func TestNoByteCanBeChanged(t *testing.T) {
	raw := sealed(t)
	from := bytes.Index(raw, []byte("/Contents <30")) + len("/Contents <")
	to := from + bytes.IndexByte(raw[from:], '>')
	for at := 0; at < len(raw); at += 13 {
		if at >= from && at < to {
			continue
		}
		changed := slices.Clone(raw)
		changed[at] ^= 1
		if got := verdict(changed); got == "holds" {
			t.Fatalf("byte %d (%q) was changed and the signature holds", at, raw[at])
		}
	}
	f, err := Read(raw)
	if err != nil {
		t.Fatal(err)
	}
	all, _ := f.Signatures()
	var outer asn1.RawValue
	if _, err := asn1.Unmarshal(all[0].CMS, &outer); err != nil {
		t.Fatal(err)
	}
	end := from + 2*len(outer.FullBytes)
	for at := end - 100; at < end; at++ { // the signature proper stands last
		changed := slices.Clone(raw)
		if changed[at] = '0'; raw[at] == '0' {
			changed[at] = '1'
		}
		if got := verdict(changed); got == "holds" {
			t.Fatalf("digit %d of the signature was changed and it holds", at-from)
		}
	}
}

func TestWhatIsAddedShows(t *testing.T) {
	raw := sealed(t)
	blank := bytes.Index(raw, []byte("/ByteRange [0 "))
	gap := func(format string, values ...any) []byte {
		changed := slices.Clone(raw)
		copy(changed[blank:], fmt.Sprintf(format, values...))
		return changed
	}
	var from, to, rest int
	if _, err := fmt.Sscanf(string(raw[blank:]), "/ByteRange [0 %d %d %d", &from, &to, &rest); err != nil {
		t.Fatal(err)
	}
	last := bytes.LastIndex(raw, []byte("startxref"))
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"a comment at the end":       {append(slices.Clone(raw), "% more\n"...), "added"},
		"a revision":                 {append(slices.Clone(raw), []byte("1 0 obj\n<<>>\nendobj\nxref\n1 1\n"+fmt.Sprintf("%010d 00000 n \n", len(raw))+"trailer\n<</Root 1 0 R /Prev "+strings.Fields(string(raw[last:]))[1]+">>\nstartxref\n"+fmt.Sprint(len(raw)+len("1 0 obj\n<<>>\nendobj\n"))+"\n%%EOF\n")...), "unsigned"},
		"a wider gap":                {gap("/ByteRange [0 %-10d %-10d %-10d]", from-40, to, rest), "range"},
		"a gap behind":               {gap("/ByteRange [0 %-10d %-10d %-10d]", from, to+40, rest-40), "range"},
		"a shorter range":            {gap("/ByteRange [0 %-10d %-10d %-10d]", from, to, rest-40), "broken"},
		"a range beyond the end":     {gap("/ByteRange [0 %-10d %-10d %-10d]", from, to, rest+40), "range"},
		"a range that begins later":  {gap("/ByteRange [9 %-10d %-10d %-10d]", from, to, rest), "range"},
		"a range that is turned":     {gap("/ByteRange [0 %-10d %-10d %-10d]", to, from, rest), "range"},
		"a range of other things":    {gap("/ByteRange [0 /a /b /c ]               "), "range"},
		"cut off":                    {raw[:len(raw)-200], "unreadable"},
		"nothing behind the heading": {[]byte("%PDF-1.7\n"), "unreadable"},
	} {
		if got := verdict(c.file); !slices.Contains(strings.Split(c.want, "|"), got) {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// hostile is a file of objects with whatever table.
func hostile(objects ...string) []byte {
	var b bytes.Buffer
	b.WriteString("%PDF-1.7\n")
	var offsets []int
	for i, o := range objects {
		offsets = append(offsets, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	at := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(objects)+1)
	for _, o := range offsets {
		fmt.Fprintf(&b, "%010d 00000 n \n", o)
	}
	fmt.Fprintf(&b, "trailer\n<</Size %d /Root 1 0 R /Prev %d>>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, at, at)
	return b.Bytes()
}

func packed(data []byte, dict string) string {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	_, _ = z.Write(data)
	_ = z.Close()
	return fmt.Sprintf("<<%s /Filter /FlateDecode /Length %d>>\nstream\n%s\nendstream", dict, b.Len(), b.String())
}

func TestReadingIsBounded(t *testing.T) {
	bomb := packed(make([]byte, maxStream+10), "/Type /EmbeddedFile")
	many := strings.Repeat("2 0 R ", 1000)
	for name, file := range map[string][]byte{
		"a bomb":                   hostile("<</AF [2 0 R]>>", "<</UF (a) /EF <</F 3 0 R>>>>", bomb),
		"many names of a bomb":     hostile("<</AF ["+many+"] /Names <</EmbeddedFiles 4 0 R>>>>", "<</UF (a) /EF <</F 3 0 R>>>>", bomb, "<</Names [(a) 2 0 R (b) <</EF <</F 3 0 R>>>>] /Kids [4 0 R 4 0 R 4 0 R]>>"),
		"an object that is itself": hostile("1 0 R"),
		"a circle":                 hostile("<</AF 2 0 R /AcroForm <</Fields [3 0 R]>>>>", "2 0 R", "<</FT /Sig /Kids [3 0 R 3 0 R 3 0 R 3 0 R]>>"),
		"deep arrays":              hostile(strings.Repeat("[", 100_000)),
		"deep dictionaries":        hostile(strings.Repeat("<</A ", 100_000)),
		"a length that is a loop":  hostile("<</AF [2 0 R]>>", "<</EF <</F 3 0 R>>>>", "<</Length 3 0 R>>\nstream\n\nendstream"),
		"a filter upon filters":    hostile("<</AF [2 0 R]>>", "<</EF <</F 3 0 R>>>>", "<</Filter ["+strings.Repeat("/AHx ", 9)+"] /Length 1>>\nstream\nx\nendstream"),
		"a table of millions":      []byte("%PDF-1.7\nxref\n0 99999999\ntrailer\n<<>>\nstartxref\n9\n"),
		"a table that is itself":   []byte("%PDF-1.7\n1 0 obj\n<</Type /XRef /W [1 2 1] /Size 1 /Prev 9 /Length 4>>\nstream\n\x01\x00\x09\x00\nendstream\nendobj\nstartxref\n9\n"),
		"wide columns":             []byte("%PDF-1.7\n1 0 obj\n<</Type /XRef /W [99999999 2 1] /Size 1 /Length 4>>\nstream\n\x01\x00\x09\x00\nendstream\nendobj\nstartxref\n9\n"),
	} {
		f, err := Read(file)
		if err != nil {
			continue
		}
		for _, a := range f.Files() {
			if a.Err == nil && len(a.Data) > 0 {
				t.Errorf("%s: it gave %d bytes", name, len(a.Data))
			}
		}
		if s, err := f.Signatures(); err == nil && len(s) > 0 {
			t.Errorf("%s: it gave a signature", name)
		}
	}
	cost.Linear(t, "deep arrays", 50_000, func(n int) { _, _ = Read(hostile(strings.Repeat("[", n))) })
	cost.Linear(t, "deep dictionaries", 50_000, func(n int) { _, _ = Read(hostile(strings.Repeat("<</A ", n))) })
	cost.Linear(t, "names of a bomb", 1_000, func(n int) {
		if f, err := Read(hostile("<</AF ["+strings.Repeat("2 0 R ", n)+"]>>", "<</UF (a) /EF <</F 3 0 R>>>>", bomb)); err == nil {
			f.Files()
		}
	})
}

// Other programs write tables of objects as streams; what they make of our file
// has the attachment, and no good signature.
func TestFilesOfOtherPrograms(t *testing.T) {
	dir := t.TempDir()
	in := filepath.Join(dir, "in.pdf")
	if err := os.WriteFile(in, sealed(t), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, how := range [][]string{{"--object-streams=generate"}, {"--qdf", "--object-streams=disable"}, {"--linearize"}, {"--encrypt", "a", "b", "256", "--"}} {
		out := filepath.Join(dir, "out.pdf")
		if said, ok := interop.Run(t, "qpdf", append(slices.Clone(how), in, out)...); !ok {
			t.Fatalf("qpdf: %s", said)
		}
		raw, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		f, err := Read(raw)
		if how[0] == "--encrypt" {
			if err != ErrEncrypted {
				t.Errorf("%s: %v", how[0], err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", how[0], err)
			continue
		}
		if files := f.Files(); len(files) != 1 || string(files[0].Data) != holds {
			t.Errorf("%s: %+v", how[0], files)
		}
		if got := verdict(raw); got == "holds" {
			t.Errorf("%s: it was written again and the signature holds", how[0])
		}
	}
}

func FuzzRead(f *testing.F) {
	whole := sealed(f)
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add(hostile("<</AF [2 0 R] /AcroForm <</Fields [<</FT /Sig /V <</ByteRange [0 1 2 3] /Contents <00>>>>>]>>>>", "<</UF <FEFF0041> /EF <</F 3 0 R>>>>", packed([]byte("x"), "/DecodeParms <</Predictor 12 /Columns 3>>")))
	f.Add([]byte("%PDF-1.5\n1 0 obj\n<</Type /XRef /W [1 2 1] /Size 3 /Index [0 3] /Length 12 /Root 2 0 R>>\nstream\n\x00\x00\x00\x00\x01\x00\x09\x00\x02\x00\x01\x00\nendstream\nendobj\nstartxref\n9\n%%EOF"))
	f.Add([]byte("%PDF-1.4 (\\053\\\r\n\\() startxref 5"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		file, err := Read(raw)
		if err != nil {
			return
		}
		file.Files()
		all, _ := file.Signatures()
		for _, s := range all {
			if _, err := s.Check(); err == nil && s.Whole && len(raw) != len(whole) {
				t.Error("a signature holds for another file")
			}
		}
	})
}
