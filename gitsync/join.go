package gitsync

import (
	"bufio"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
)

// Joining copies the compressed objects of several packs into one, as they are. Nothing is inflated but to index the result, so
// that it costs little more than the copying; and nothing is left out, so that no commit is lost that no ref reaches. go-git's
// own repacking inflates the whole history, and drops what no ref reaches.
//
// A delta names its base by how far back in the pack it stands. Where an object is left out because it came before in another
// pack, distances change, and are written anew. The format: git's Documentation/gitformat-pack.

// piece is one object of a pack.
type piece struct {
	hash       Hash
	start, end int64
}

// source is a pack that is joined.
type source struct {
	file   *os.File
	pieces []piece         // by offset
	moved  map[int64]int64 // where an object at an offset stands in the new pack
}

// join puts the objects of the given packs into one pack and removes them, unseen by readers.
func (s *store) join(list []pack) error {
	sources := make([]*source, 0, len(list))
	defer func() {
		for _, src := range sources {
			_ = src.file.Close()
		}
	}()
	distinct := map[Hash]bool{}
	for _, p := range list {
		src, err := openSource(p)
		if err != nil {
			return fmt.Errorf("join packs: %w", err)
		}
		sources = append(sources, src)
		for _, piece := range src.pieces {
			distinct[piece.hash] = true
		}
	}
	sum, err := s.writeJoined(sources, len(distinct))
	if err != nil {
		return fmt.Errorf("join packs: %w", err)
	}
	joined := pack{path: filepath.Join(s.dir, filepath.FromSlash(packDir), fmt.Sprintf("pack-%x.pack", sum))}
	if err := holdsAll(joined, distinct); err != nil {
		return fmt.Errorf("join packs: %w", err)
	}
	if err := errors.Join(flush(joined.index()), flush(joined.path), flush(filepath.Dir(joined.path))); err != nil {
		return fmt.Errorf("join packs: %w", err)
	}
	// The old packs go while nobody reads, and reading goes on with a new handle: the old one would look for them for ever.
	return s.move(s.dir, func() error { return remove(list, joined) })
}

func remove(list []pack, but pack) error {
	for _, p := range list {
		if p.path == but.path {
			continue
		}
		if err := errors.Join(os.Remove(p.path), os.Remove(p.index())); err != nil {
			return fmt.Errorf("remove joined pack: %w", err)
		}
	}
	return nil
}

// writeJoined streams the new pack into the store and returns the checksum that names it.
func (s *store) writeJoined(sources []*source, count int) ([]byte, error) {
	r, w := io.Pipe()
	sum := sha1.New()
	written := make(chan error, 1)
	go func() {
		buffered := bufio.NewWriterSize(w, 64<<10)
		err := writePack(io.MultiWriter(buffered, sum), sources, count)
		if err == nil {
			_, err = buffered.Write(sum.Sum(nil))
		}
		if err == nil {
			err = buffered.Flush()
		}
		_ = w.CloseWithError(err)
		written <- err
	}()
	err := s.addPack(r)
	_ = r.CloseWithError(errors.New("the pack is not wanted"))
	if e := <-written; err == nil {
		err = e
	}
	return sum.Sum(nil), err
}

// writePack writes everything but the checksum at the end.
func writePack(w io.Writer, sources []*source, count int) error {
	header := binary.BigEndian.AppendUint32([]byte("PACK"), 2)
	header = binary.BigEndian.AppendUint32(header, uint32(count))
	if _, err := w.Write(header); err != nil {
		return err
	}
	at := int64(len(header))
	placed := make(map[Hash]int64, count)
	for _, src := range sources {
		for _, p := range src.pieces {
			if before, ok := placed[p.hash]; ok {
				src.moved[p.start] = before
				continue
			}
			n, err := src.copy(w, p, at)
			if err != nil {
				return fmt.Errorf("%s: %w", filepath.Base(src.file.Name()), err)
			}
			placed[p.hash], src.moved[p.start] = at, at
			at += n
		}
	}
	return nil
}

// copy writes one object at an offset of the new pack, and returns how many bytes it took.
func (src *source) copy(w io.Writer, p piece, at int64) (int64, error) {
	head := make([]byte, min(32, p.end-p.start))
	if _, err := src.file.ReadAt(head, p.start); err != nil {
		return 0, err
	}
	kind, size := objectHeader(head)
	skip := size
	out := head[:size:size]
	if kind == plumbing.OFSDeltaObject {
		back, n := readDistance(head[size:])
		base, ok := src.moved[p.start-back]
		if n == 0 || !ok || base >= at {
			return 0, errors.New("a delta's base does not come before it")
		}
		skip += n
		out = appendDistance(out, at-base)
	}
	if _, err := w.Write(out); err != nil {
		return 0, err
	}
	n, err := io.Copy(w, io.NewSectionReader(src.file, p.start+int64(skip), p.end-p.start-int64(skip)))
	return int64(len(out)) + n, err
}

// objectHeader reads an object's type, and how long the bytes of type and size are.
func objectHeader(b []byte) (plumbing.ObjectType, int) {
	n := 0
	for n < len(b)-1 && b[n]&0x80 != 0 {
		n++
	}
	return plumbing.ObjectType(b[0] >> 4 & 7), n + 1
}

// readDistance reads how far back the base of a delta stands, and in how many bytes that is written: zero when they are cut off.
func readDistance(b []byte) (distance int64, n int) {
	for i, c := range b {
		if i > 0 {
			distance++
		}
		distance = distance<<7 | int64(c&0x7f)
		if c&0x80 == 0 {
			return distance, i + 1
		}
	}
	return 0, 0
}

func appendDistance(to []byte, distance int64) []byte {
	var b [10]byte
	i := len(b) - 1
	b[i] = byte(distance & 0x7f)
	for distance >>= 7; distance > 0; distance >>= 7 {
		distance--
		i--
		b[i] = 0x80 | byte(distance&0x7f)
	}
	return append(to, b[i:]...)
}

func openSource(p pack) (*source, error) {
	index, err := readIndex(p)
	if err != nil {
		return nil, err
	}
	entries, err := index.EntriesByOffset()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(p.path), err)
	}
	defer entries.Close()
	src := &source{moved: map[int64]int64{}}
	for {
		e, err := entries.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Base(p.path), err)
		}
		start := int64(e.Offset)
		if n := len(src.pieces); n > 0 {
			src.pieces[n-1].end = start
		}
		src.pieces = append(src.pieces, piece{hash: Hash(e.Hash), start: start, end: p.size - sha1.Size})
	}
	if src.file, err = os.Open(p.path); err != nil {
		return nil, err
	}
	if err := src.counts(); err != nil {
		_ = src.file.Close()
		return nil, fmt.Errorf("%s: %w", filepath.Base(p.path), err)
	}
	return src, nil
}

// counts checks that the index lists every object. One that stands twice in a pack is listed once, and then it is not known
// where the one before it ends.
func (src *source) counts() error {
	var header [12]byte
	if _, err := src.file.ReadAt(header[:], 0); err != nil {
		return err
	}
	if n := binary.BigEndian.Uint32(header[8:]); int(n) != len(src.pieces) {
		return fmt.Errorf("%d objects, of which the index lists %d", n, len(src.pieces))
	}
	return nil
}

func readIndex(p pack) (*idxfile.MemoryIndex, error) {
	f, err := os.Open(p.index())
	if err != nil {
		return nil, err
	}
	defer f.Close()
	index := idxfile.NewMemoryIndex()
	if err := idxfile.NewDecoder(bufio.NewReader(f)).Decode(index); err != nil {
		return nil, fmt.Errorf("%s: %w", strings.TrimSuffix(filepath.Base(p.path), ".pack"), err)
	}
	return index, nil
}

// holdsAll checks the new pack before the old ones go.
func holdsAll(p pack, hashes map[Hash]bool) error {
	index, err := readIndex(p)
	if err != nil {
		return err
	}
	for h := range hashes {
		if ok, err := index.Contains(plumbing.Hash(h)); err != nil || !ok {
			return fmt.Errorf("the new pack lacks %s", h.Short())
		}
	}
	return nil
}
