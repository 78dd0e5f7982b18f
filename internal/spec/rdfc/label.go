package rdfc

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"slices"
)

// digest is a hash with SHA-384, or with SHA-256 and zeros after it. Digests of
// one kind sort as their hexadecimal texts do.
type digest [sha512.Size384]byte

func (d *digest) compare(o *digest) int { return bytes.Compare(d[:], o[:]) }

// labeler tells blank nodes apart: RDFC-1.0 §4.4.3, steps 4 and 5. It knows of
// a dataset what that takes, the nodes' first degree hashes and the statements
// that link nodes.
type labeler struct {
	hash  crypto.Hash
	work  int
	first []digest // by node
	ids   []int32  // canonical number, or none
	next  int32

	links  []link
	linkAt []int32 // linked[linkAt[n]:linkAt[n+1]] are the links of node n
	linked []int32
	buf    []byte
}

// link is a statement that names at least two blank nodes.
type link struct {
	predicate Term
	third     Term // the one of subject, object and graph name that is not blank
	s, o, g   int32
}

// sum is a hash.
func (l *labeler) sum(b []byte) (d digest) {
	if l.hash == crypto.SHA384 {
		return sha512.Sum384(b)
	}
	h := sha256.Sum256(b)
	copy(d[:], h[:])
	return d
}

// appendHex adds a digest as RDFC-1.0 puts it into what is hashed again.
func (l *labeler) appendHex(b []byte, d *digest) []byte {
	return hex.AppendEncode(b, d[:l.hash.Size()])
}

// issue gives a node the next canonical identifier, unless it has one.
func (l *labeler) issue(n int32) {
	if l.ids[n] == none {
		l.ids[n] = l.next
		l.next++
	}
}

// issueAll gives every node its identifier, those that their first degree hash
// alone tells apart first. Of nodes with one hash that no statement links to
// another, nothing can tell one from the other, and any order gives the same
// dataset; the rest go through the n-degree algorithm, for which linked is
// called once.
func (l *labeler) issueAll(alone []bool, linked func() error) error {
	byHash := l.sorted()
	var shared [][]int32
	for len(byHash) > 0 {
		n := 1
		for n < len(byHash) && l.first[byHash[n]] == l.first[byHash[0]] {
			n++
		}
		if n == 1 {
			l.issue(byHash[0])
		} else {
			shared = append(shared, byHash[:n])
		}
		byHash = byHash[n:]
	}
	ready := false
	for _, nodes := range shared {
		if alone[nodes[0]] { // so are all, or the hashes would differ
			for _, n := range nodes {
				l.issue(n)
			}
			continue
		}
		if !ready {
			if err := linked(); err != nil {
				return err
			}
			ready = true
		}
		if err := l.issueShared(nodes); err != nil {
			return err
		}
	}
	return nil
}

// sorted are the nodes in the order of their first degree hashes.
func (l *labeler) sorted() []int32 {
	// The first bytes nearly always decide; they are brought together.
	type keyed struct {
		key uint64
		n   int32
	}
	keys := make([]keyed, len(l.ids))
	for n := range keys {
		keys[n] = keyed{binary.BigEndian.Uint64(l.first[n][:]), int32(n)}
	}
	slices.SortFunc(keys, func(a, b keyed) int {
		if n := cmp.Compare(a.key, b.key); n != 0 {
			return n
		}
		if n := l.first[a.n].compare(&l.first[b.n]); n != 0 {
			return n
		}
		return cmp.Compare(a.n, b.n)
	})
	nodes := make([]int32, len(keys))
	for i, k := range keys {
		nodes[i] = k.n
	}
	return nodes
}

// issueShared tells apart the nodes that share one first degree hash.
func (l *labeler) issueShared(nodes []int32) error {
	type path struct {
		hash   digest
		issuer issuer
	}
	var paths []path
	for _, n := range nodes {
		if l.ids[n] != none {
			continue
		}
		var start issuer
		start.issue(n)
		hash, iss, err := l.nDegree(n, start, 0)
		if err != nil {
			return err
		}
		paths = append(paths, path{hash, iss})
	}
	slices.SortStableFunc(paths, func(a, b path) int { return a.hash.compare(&b.hash) })
	for _, p := range paths {
		for _, n := range p.issuer.order {
			l.issue(n)
		}
	}
	return nil
}

// index lists the links of each node.
func (l *labeler) index() {
	l.linkAt = resize(l.linkAt, len(l.ids)+2)
	clear(l.linkAt)
	each := func(f func(n, link int32)) {
		for i := range l.links {
			k := &l.links[i]
			if k.s != none {
				f(k.s, int32(i))
			}
			if k.o != none && k.o != k.s {
				f(k.o, int32(i))
			}
			if k.g != none && k.g != k.s && k.g != k.o {
				f(k.g, int32(i))
			}
		}
	}
	each(func(n, _ int32) { l.linkAt[n+2]++ })
	for i := range l.ids {
		l.linkAt[i+2] += l.linkAt[i+1]
	}
	l.linked = resize(l.linked, int(l.linkAt[len(l.ids)+1]))
	each(func(n, link int32) {
		l.linked[l.linkAt[n+1]] = link
		l.linkAt[n+1]++
	})
}

// linksOf are the statements that link a node to others.
func (l *labeler) linksOf(n int32) []int32 { return l.linked[l.linkAt[n]:l.linkAt[n+1]] }
