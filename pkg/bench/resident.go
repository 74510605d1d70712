package bench

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// A MemoryUse is how much memory a process on this machine had resident while it was under load.
type MemoryUse struct {
	Start   int64   `json:"start_bytes"`
	End     int64   `json:"end_bytes"` // after the last answer
	Max     int64   `json:"max_bytes"` // of the samples
	Every   float64 `json:"sample_seconds"`
	Samples []int64 `json:"samples_bytes"`
}

const memorySampleEvery = time.Second

// watchMemory samples the resident memory of a process until the function that it returns is
// called. An error says that there is no such process, or that the system does not tell.
func watchMemory(ctx context.Context, process int) (stop func() *MemoryUse, err error) {
	name := strconv.Itoa(process)
	use := &MemoryUse{Start: residentBytes(name), Every: memorySampleEvery.Seconds(), Samples: []int64{}}
	if use.Start == 0 {
		return nil, fmt.Errorf("the memory of process %d cannot be read: --pid names a process of this machine, under Linux", process)
	}
	use.Max = use.Start
	watching, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for sleepUntil(watching, time.Now().Add(memorySampleEvery)) {
			use.add(residentBytes(name))
		}
	}()
	return func() *MemoryUse {
		cancel()
		<-done
		use.End = residentBytes(name)
		use.Max = max(use.Max, use.End)
		return use
	}, nil
}

func (use *MemoryUse) add(resident int64) {
	use.Samples = append(use.Samples, resident)
	use.Max = max(use.Max, resident)
}

func (use *MemoryUse) lines() []string {
	if use == nil {
		return nil
	}
	const megabyte = 1 << 20
	return []string{fmt.Sprintf("The server's resident memory: %d MB at the start, %d MB at the end, %d MB at most.",
		use.Start/megabyte, use.End/megabyte, use.Max/megabyte)}
}
