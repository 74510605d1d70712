package index

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/coder/hnsw"
)

// A snapshot is, little-endian: snapshotHeader; the key of each node, 8 bytes, by node id; coder/hnsw's export; the
// SHA-256 of all that, 32 bytes. The sum is there against damage, not against someone who can write the file: whoever can
// also decides what coder/hnsw, which trusts its lengths, allocates.
type snapshotHeader struct {
	Magic      [8]byte
	Version    uint32
	Dim        uint32
	M          uint32
	_          uint32
	Ml         float64
	Generation uint64
	Nodes      uint64 // all of them live
	Payload    uint64 // bytes of the export
}

const snapshotVersion = 1

var snapshotMagic = [8]byte{'F', 'S', 'G', 'R', 'A', 'P', 'H', '\n'}

const (
	// linkBytes is one neighbour in the export, a node id.
	linkBytes = 4

	// nodeBytesMax is what one node on one layer takes in the export beyond its components and links: its id and two
	// varints for their counts.
	nodeBytesMax = 4 + 2*binary.MaxVarintLen64

	// spareNodes is added to twice the expected number of entries on all layers, for graphs so small that chance can
	// exceed that; it also covers the export's own header.
	spareNodes = 64
)

// payloadMax bounds the export of a graph of n nodes, in bytes. A node stands on 1/(1-Ml) layers on average.
func (h *HNSW) payloadMax(n int) float64 {
	entries := 2*float64(n)/(1-h.options.Ml) + spareNodes
	return entries * float64(nodeBytesMax+4*h.dim+linkBytes*h.options.M)
}

func (h *HNSW) header(nodes int, generation uint64) snapshotHeader {
	return snapshotHeader{
		Magic:      snapshotMagic,
		Version:    snapshotVersion,
		Dim:        uint32(h.dim),
		M:          uint32(h.options.M),
		Ml:         h.options.Ml,
		Generation: generation,
		Nodes:      uint64(nodes),
	}
}

// Snapshot writes the graph for Restore to read. The generation is the caller's mark for the state of his store, and is
// what Restore has to be given. Writers wait while the graph is copied, nobody waits for w; the copy takes as much memory
// as the snapshot has bytes.
//
// It returns ErrNotReady when there is no graph, or one with dead nodes, which would write deleted vectors: Rebuild first.
// Otherwise ErrGraph, or the error of w.
func (h *HNSW) Snapshot(w io.Writer, generation uint64) error {
	var table, payload bytes.Buffer
	if err := h.export(&table, &payload); err != nil {
		return err
	}
	header := h.header(table.Len()/8, generation)
	header.Payload = uint64(payload.Len())
	sum := sha256.New()
	summed := io.MultiWriter(w, sum)
	if err := binary.Write(summed, binary.LittleEndian, header); err != nil {
		return fmt.Errorf("index: snapshot header: %w", err)
	}
	for _, part := range []*bytes.Buffer{&table, &payload} {
		if _, err := part.WriteTo(summed); err != nil {
			return fmt.Errorf("index: snapshot: %w", err)
		}
	}
	if _, err := w.Write(sum.Sum(nil)); err != nil {
		return fmt.Errorf("index: snapshot checksum: %w", err)
	}
	return nil
}

func (h *HNSW) export(table, payload *bytes.Buffer) (err error) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	defer recovered(&err)
	if h.graph == nil {
		return ErrNotReady
	}
	if dead := h.graph.dead(); dead > 0 {
		return fmt.Errorf("%w: %d dead nodes", ErrNotReady, dead)
	}
	for _, key := range h.graph.keyOf {
		table.Write(binary.LittleEndian.AppendUint64(nil, key))
	}
	if err := h.graph.nodes.Export(payload); err != nil {
		return fmt.Errorf("%w: %w", ErrGraph, err)
	}
	return nil
}

// Restore reads a graph written by Snapshot, which then answers instead of the scan. The vectors have to be there already,
// see PutAll: the snapshot is believed only if it was taken of exactly these, in this generation and with these options.
//
// For any doubt, and an error of r, it returns ErrSnapshot, says what was wrong, and leaves the index as it was.
// It reads r to its end, but no more than such a snapshot can be long, and needs twice that in memory.
func (h *HNSW) Restore(r io.Reader, generation uint64) error {
	if err := h.restore(r, generation); err != nil {
		return fmt.Errorf("%w: %w", ErrSnapshot, err)
	}
	return nil
}

func (h *HNSW) restore(r io.Reader, generation uint64) error {
	header, body, err := h.readSnapshot(r, generation)
	if err != nil {
		return err
	}
	table, payload := body[:header.Nodes*8], body[header.Nodes*8:]
	g := newGraph(h.options, h.distance)
	for ; len(table) > 0; table = table[8:] {
		key := binary.LittleEndian.Uint64(table)
		g.nodeOf[key] = uint32(len(g.keyOf))
		g.keyOf = append(g.keyOf, key)
	}
	if err := g.load(payload); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := g.matches(h.vectors); err != nil {
		return err
	}
	h.setGraph(g)
	return nil
}

// readSnapshot returns the header and what lies between it and the checksum, once that is found right.
func (h *HNSW) readSnapshot(r io.Reader, generation uint64) (snapshotHeader, []byte, error) {
	var header snapshotHeader
	head := make([]byte, binary.Size(header))
	if _, err := io.ReadFull(r, head); err != nil {
		return header, nil, fmt.Errorf("header: %w", err)
	}
	if _, err := binary.Decode(head, binary.LittleEndian, &header); err != nil {
		return header, nil, fmt.Errorf("header: %w", err)
	}
	n := h.Len()
	want := h.header(n, generation)
	want.Payload = header.Payload
	if header != want {
		return header, nil, fmt.Errorf("header is %+v, not %+v", header, want)
	}
	if float64(header.Payload) > h.payloadMax(n) {
		return header, nil, fmt.Errorf("%d bytes for %d vectors", header.Payload, n)
	}
	body := make([]byte, n*8+int(header.Payload)+sha256.Size)
	if _, err := io.ReadFull(r, body); err != nil {
		return header, nil, fmt.Errorf("body: %w", err)
	}
	if n, err := r.Read(make([]byte, 1)); n > 0 || err != io.EOF {
		return header, nil, fmt.Errorf("more after its end (%d bytes, %w)", n, err)
	}
	body, stored := body[:len(body)-sha256.Size], body[len(body)-sha256.Size:]
	sum := sha256.New()
	sum.Write(head)
	sum.Write(body)
	if !bytes.Equal(sum.Sum(nil), stored) {
		return header, nil, errors.New("wrong checksum")
	}
	return header, body, nil
}

// load reads coder/hnsw's export, which overwrites the settings of the graph: they have to come out the same.
func (g *graph) load(payload []byte) (err error) {
	defer recovered(&err)
	fresh := &hnsw.Graph[uint32]{}
	rest := bytes.NewReader(payload)
	if err := fresh.Import(rest); err != nil {
		return err
	}
	if rest.Len() > 0 {
		return fmt.Errorf("%d bytes left over", rest.Len())
	}
	if fresh.M != g.nodes.M || math.Float64bits(fresh.Ml) != math.Float64bits(g.nodes.Ml) || fresh.EfSearch != g.nodes.EfSearch {
		return fmt.Errorf("its parameters are M %d, Ml %v, EfSearch %d", fresh.M, fresh.Ml, fresh.EfSearch)
	}
	fresh.Distance, fresh.Rng = g.nodes.Distance, g.nodes.Rng
	g.nodes = fresh
	return nil
}

// matches tells what keeps a graph from being one of exactly these vectors.
func (g *graph) matches(vectors *Exact) (err error) {
	defer recovered(&err)
	n := vectors.Len()
	if len(g.keyOf) != n || len(g.nodeOf) != n || g.nodes.Len() != n {
		return fmt.Errorf("%d nodes of %d keys for %d vectors", g.nodes.Len(), len(g.nodeOf), n)
	}
	for id, key := range g.keyOf {
		vector, ok := g.nodes.Lookup(uint32(id))
		if !ok || !vectors.holds(key, vector) {
			return fmt.Errorf("node %d is not the vector stored under key %d", id, key)
		}
	}
	return nil
}
