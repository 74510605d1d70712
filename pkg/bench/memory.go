package bench

import (
	"bytes"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"time"
)

// A byteCounter is an index that counts the bytes its searches have read.
type byteCounter interface{ BytesRead() uint64 }

type readCounter struct{ total atomic.Uint64 }

func (c *readCounter) add(bytes int) { c.total.Add(uint64(bytes)) }

// A footprint is what the process has in memory.
type footprint struct {
	heap int64 // bytes that Go's heap has in use
	rss  int64 // resident bytes; 0 where the system does not tell
}

func footprintNow() footprint {
	debug.FreeOSMemory() // collects, too
	runtime.GC()         // what finalizers let go
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return footprint{int64(stats.HeapAlloc), residentBytes("self")}
}

// residentBytes reads Linux's /proc/PROCESS/statm, whose second number is in pages; 0 where there is none.
func residentBytes(process string) int64 {
	data, err := os.ReadFile("/proc/" + process + "/statm")
	if err != nil {
		return 0
	}
	fields := bytes.Fields(data)
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(string(fields[1]), 10, 64)
	return pages * int64(os.Getpagesize())
}

const (
	// BandwidthBytes is more than a processor's caches have for one core.
	BandwidthBytes  = 256 << 20
	bandwidthRounds = 8
)

// ReadBandwidth is how many bytes a second one core reads of an array of some bytes: the best of a few rounds in two orders. It bounds
// a scan of memory.
func ReadBandwidth(bytes int) float64 {
	words := make([]uint64, bytes/8)
	for i := range words {
		words[i] = 1 // pages that were never written are all the same one
	}
	best := time.Duration(math.MaxInt64)
	var sink uint64
	for range bandwidthRounds {
		for _, streams := range []int{1, 4} {
			started := time.Now()
			sink += sumLines(words, streams)
			best = min(best, time.Since(started))
		}
	}
	if sink == 0 { // never; keeps the compiler from leaving the sums out
		return 0
	}
	return float64(bytes) / best.Seconds()
}

// sumLines adds one word of each cache line, as memory delivers lines. It goes through four parts of the array at once,
// or through the whole in order, four lines at a time.
func sumLines(words []uint64, streams int) uint64 {
	const line = 8
	part, step := line, 4*line
	if streams == 4 {
		part, step = len(words)/4, line
	}
	var a, b, c, d uint64
	for i := 0; i+3*part < len(words); i += step {
		a += words[i]
		b += words[i+part]
		c += words[i+2*part]
		d += words[i+3*part]
	}
	return a + b + c + d
}

// processorName is what Linux calls the processor; empty elsewhere.
func processorName() string {
	data, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	for line := range bytes.Lines(data) {
		if name, value, ok := bytes.Cut(line, []byte(":")); ok && bytes.HasPrefix(name, []byte("model name")) {
			return string(bytes.TrimSpace(value))
		}
	}
	return ""
}
