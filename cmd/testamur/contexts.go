package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/testamur/testamur/internal/spec/jsonld"
)

// sums is the file that names the hash of each context in a folder, as sha256sum
// writes it.
const sums = "SHA256SUMS"

// contextsIn are the contexts of a folder by their address: a file lies there as
// HOST/PATH, or with .json or .jsonld behind it. Those that are compiled in are not
// replaced. hashed asks that each be as SHA256SUMS in the folder has it, and that
// all it names are there.
func contextsIn(folder string, hashed bool) (map[string][]byte, error) {
	if folder == "" {
		return nil, nil
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	var want map[string]string
	if hashed {
		if want, err = hashesIn(root); err != nil {
			return nil, fmt.Errorf("%s: %w", folder, err)
		}
	}
	all := map[string][]byte{}
	err = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(name, "/") {
			return err
		}
		raw, err := root.ReadFile(name)
		if err != nil {
			return err
		}
		if sum := sha256.Sum256(raw); hashed && want[name] != hex.EncodeToString(sum[:]) {
			return fmt.Errorf("%s is not as %s has it", name, sums)
		}
		delete(want, name)
		addresses := []string{"https://" + name}
		if ext := path.Ext(name); slices.Contains([]string{".json", ".jsonld"}, ext) {
			addresses = append(addresses, "https://"+strings.TrimSuffix(name, ext))
		}
		for _, a := range addresses {
			if !jsonld.KnownContext(a) {
				all[a] = raw
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for name := range want {
		return nil, fmt.Errorf("%s names %s, which is not in %s", sums, name, folder)
	}
	return all, nil
}

// hashesIn are the hashes of files by their path.
func hashesIn(root *os.Root) (map[string]string, error) {
	raw, err := root.ReadFile(sums)
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	for lines := bufio.NewScanner(bytes.NewReader(raw)); lines.Scan(); {
		hash, name, ok := strings.Cut(lines.Text(), " ")
		name = strings.TrimPrefix(strings.TrimLeft(name, " *"), "./")
		if !ok || name == "" {
			return nil, fmt.Errorf("%s: %q is not a hash and a file", sums, lines.Text())
		}
		all[name] = strings.ToLower(hash)
	}
	return all, nil
}
