package archive

import (
	"archive/zip"
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// folder is an archive that is being written, a file at a time: each is hashed as
// it goes by. Nothing stands under the archive's name before all of it is there.
type folder struct {
	to    sink
	files int
	bytes int64
	few   []sum // of files that are not in a learner's folder
	many  *bufio.Writer
	spool *os.File // lines of many, which come in their order
	last  string
}

// sum is a line of SHA256SUMS.
type sum struct{ name, hash string }

func (s sum) String() string { return s.hash + "  " + s.name + "\n" }

// sink takes files, one after the other.
type sink interface {
	create(name string) (io.WriteCloser, error)
	close() error
}

// newFolder begins an archive in a sink; scratch is where a file may lie
// meanwhile.
func newFolder(to sink, scratch string) (*folder, error) {
	spool, err := os.CreateTemp(scratch, ".sums-*")
	if err != nil {
		return nil, err
	}
	return &folder{to: to, spool: spool, many: bufio.NewWriter(spool)}, nil
}

// forget takes away what was only needed to write.
func (f *folder) forget() error { return errors.Join(f.spool.Close(), os.Remove(f.spool.Name())) }

// file writes one file.
func (f *folder) file(name string, write func(io.Writer) error) error {
	out, err := f.to.create(name)
	if err != nil {
		return err
	}
	h := hashing{sha256.New(), out, 0}
	buffered := bufio.NewWriterSize(&h, 64<<10)
	if err := errors.Join(write(buffered), buffered.Flush(), out.Close()); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	f.files++
	f.bytes += h.n
	s := sum{name, hex.EncodeToString(h.Hash.Sum(nil))}
	if !strings.HasPrefix(name, learnersFolder+"/") {
		f.few = append(f.few, s)
		return nil
	}
	if f.last != "" && !before(f.last, name) {
		return fmt.Errorf("write %s: it comes behind %s", name, f.last) // the list would not be in order
	}
	f.last = name
	_, err = f.many.WriteString(s.String())
	return err
}

// raw writes bytes as a file.
func (f *folder) raw(name string, b []byte) error {
	return f.file(name, func(w io.Writer) error { _, err := w.Write(b); return err })
}

// text is raw of text.
func (f *folder) text(name, s string) error {
	return f.file(name, func(w io.Writer) error { _, err := io.WriteString(w, s); return err })
}

// hashing hashes what is written.
type hashing struct {
	hash.Hash
	to io.Writer
	n  int64
}

// Write hashes and writes.
func (h *hashing) Write(p []byte) (int, error) {
	n, err := h.to.Write(p)
	h.Hash.Write(p[:n])
	h.n += int64(n)
	return n, err
}

// sums writes the list of all files, in the order in which a folder is walked,
// and gives its hash.
func (f *folder) sums() (string, error) {
	if err := f.many.Flush(); err != nil {
		return "", err
	}
	if _, err := f.spool.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	slices.SortFunc(f.few, func(a, b sum) int {
		if before(a.name, b.name) {
			return -1
		}
		return 1
	})
	behind := slices.IndexFunc(f.few, func(s sum) bool { return before(learnersFolder+"/", s.name) })
	if behind < 0 {
		behind = len(f.few)
	}
	out, err := f.to.create(sumsFile)
	if err != nil {
		return "", err
	}
	h := hashing{sha256.New(), out, 0}
	lines := func(all []sum) (err error) {
		for _, s := range all {
			if err == nil {
				_, err = io.WriteString(&h, s.String())
			}
		}
		return err
	}
	err = lines(f.few[:behind])
	if err == nil {
		_, err = io.Copy(&h, f.spool)
	}
	if err == nil {
		err = lines(f.few[behind:])
	}
	return hex.EncodeToString(h.Hash.Sum(nil)), errors.Join(err, out.Close())
}

// onDisk is a folder of the file system, for its owner alone.
type onDisk struct {
	root *os.Root
	made map[string]bool // folders; those of the learner before are forgotten
}

func (d *onDisk) create(name string) (io.WriteCloser, error) {
	dir := path.Dir(name)
	if !d.made[dir] && dir != "." {
		if err := d.root.MkdirAll(filepath.FromSlash(dir), 0o700); err != nil {
			return nil, err
		}
		if len(d.made) > 100 {
			clear(d.made)
		}
		d.made[dir] = true
	}
	return d.root.OpenFile(filepath.FromSlash(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
}

func (d *onDisk) close() error { return d.root.Close() }

// zipped is a ZIP file, for its owner alone.
type zipped struct {
	file *os.File
	z    *zip.Writer
	at   time.Time
}

func (z *zipped) create(name string) (io.WriteCloser, error) {
	h := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: z.at}
	h.SetMode(0o600)
	w, err := z.z.CreateHeader(h)
	return entry{w}, err
}

func (z *zipped) close() error { return errors.Join(z.z.Close(), z.file.Sync(), z.file.Close()) }

// entry is a file in a ZIP, which ends where the next begins.
type entry struct{ io.Writer }

// Close does nothing.
func (entry) Close() error { return nil }

// atomically writes to a name beside the one that is wanted and renames it when
// all of it is there. An attempt that fails leaves nothing.
func atomically(to string, at time.Time, write func(sink, string) error) (err error) {
	if _, err := os.Lstat(to); err == nil {
		return fmt.Errorf("%s is there already: name a new folder", to)
	}
	parent := filepath.Dir(to)
	scratch, err := os.MkdirTemp(parent, "."+filepath.Base(to)+"-*.partial")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	made := filepath.Join(scratch, "archive")
	var out sink
	if strings.EqualFold(filepath.Ext(to), ".zip") {
		f, err := os.OpenFile(made, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		out = &zipped{f, zip.NewWriter(f), at}
	} else {
		if err := os.Mkdir(made, 0o700); err != nil {
			return err
		}
		root, err := os.OpenRoot(made)
		if err != nil {
			return err
		}
		out = &onDisk{root, map[string]bool{}}
	}
	if err := errors.Join(write(out, scratch), out.close()); err != nil {
		return err
	}
	return os.Rename(made, to)
}
