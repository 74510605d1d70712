package bolt_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"

	"facesearch/pkg/bolt"
	"facesearch/pkg/face"
	"facesearch/pkg/gallerytest"
)

// BenchmarkEnrol includes a picture of the size that is kept, and the wait for the disk.
func BenchmarkEnrol(b *testing.B) {
	directory, _, _ := filledStore(b, 1_000)
	store := openStore(b, directory, quiet(bolt.ExactIndex))
	defer closeStore(b, store)
	enrolment := people(1)[0]
	enrolment.Picture = face.Picture{ContentType: "image/jpeg", Data: make([]byte, 40_000)}
	n := 0
	for b.Loop() {
		n++
		enrolment.Session.ID = fmt.Sprint("new-", n)
		enrolment.Session.PictureID = enrolment.Session.ID
		if _, _, err := store.Enrol(context.Background(), gallerytest.Application, enrolment); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCandidates(b *testing.B) {
	for _, kind := range []bolt.IndexKind{bolt.ExactIndex, bolt.HNSWIndex} {
		b.Run(fmt.Sprintf("%s-10k", kind), func(b *testing.B) {
			directory, _, enrolments := filledStore(b, 10_000)
			log := newRecorder()
			store := openStore(b, directory, bolt.Options{Index: kind, Log: slog.New(log)})
			defer closeStore(b, store)
			if kind == bolt.HNSWIndex {
				log.waitFor(b, rebuilt)
			}
			probe := 0
			for b.Loop() {
				probe++
				template := &enrolments[probe%len(enrolments)].Template
				if _, err := store.Candidates(context.Background(), gallerytest.Application, template, 0.43, 5); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkSessions lists the first and the last page, and one that a rare filter leaves.
func BenchmarkSessions(b *testing.B) {
	directory, _, _ := filledStore(b, 100_000)
	store := openStore(b, directory, quiet(bolt.ExactIndex))
	defer closeStore(b, store)
	for name, filter := range map[string]face.SessionFilter{
		"first":    {Limit: 50},
		"last":     {Limit: 50, Offset: 99_950},
		"filtered": {Limit: 50, Status: face.Declined},
		"number":   {Limit: 50, Number: 50_000},
		"name":     {Limit: 50, Name: "nobody"}, // opens every one
	} {
		b.Run(name+"-100k", func(b *testing.B) {
			for b.Loop() {
				if _, _, err := store.Sessions(context.Background(), gallerytest.Application, filter); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	b.Run("exact-100k", func(b *testing.B) {
		directory, _, _ := filledStore(b, 100_000)
		for b.Loop() {
			store := openStore(b, directory, quiet(bolt.ExactIndex))
			b.StopTimer()
			closeStore(b, store)
			b.StartTimer()
		}
	})
}
