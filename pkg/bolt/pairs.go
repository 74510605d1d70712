package bolt

import (
	"cmp"
	"context"
	"errors"
	"math"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"facesearch/index"
	"facesearch/pkg/face"
)

// Pairs implements face.Gallery. The approximate index is passed over: its scan answers.
func (s *Store) Pairs(ctx context.Context, application string, distanceMax float64, after uint64, sessionsMax, pairsMax int) ([]face.Pair, uint64, error) {
	if sessionsMax < 1 || pairsMax < 1 || math.IsNaN(distanceMax) {
		return nil, 0, errors.New("pairs are looked for in one session at least, at most a finite distance apart")
	}
	shard, err := s.shard(application)
	if err != nil {
		return nil, 0, err
	}
	numbers, more, err := s.numbersAfter(ctx, application, after, sessionsMax)
	if err != nil || len(numbers) == 0 {
		return []face.Pair{}, 0, err
	}
	pairs := []face.Pair{}
	next := after
	for part := range slices.Chunk(numbers, runtime.GOMAXPROCS(0)) {
		found, err := shard.earlier(ctx, part, distanceMax)
		if err != nil {
			return nil, 0, err
		}
		if pairs, err = s.appendPairs(ctx, application, pairs, part, found); err != nil {
			return nil, 0, err
		}
		next = part[len(part)-1]
		if len(pairs) >= pairsMax && next != numbers[len(numbers)-1] {
			return pairs, next, nil
		}
	}
	if !more {
		next = 0
	}
	return pairs, next, nil
}

// numbersAfter lists the next sessions of the gallery; more tells whether there may be further ones.
func (s *Store) numbersAfter(ctx context.Context, application string, after uint64, sessionsMax int) (numbers []uint64, more bool, err error) {
	err = s.view(ctx, application, func(r records) error {
		cursor := r.Bucket.Bucket(r.set.bucket()).Cursor()
		if after == math.MaxUint64 {
			return nil
		}
		for key, value := cursor.Seek(numberKey(after + 1)); key != nil; key, value = cursor.Next() {
			if len(numbers) == sessionsMax {
				more = true
				return nil
			}
			number, err := numberOf(key)
			if err != nil {
				return err
			}
			if len(value) >= flagsBytes && value[0]&(flagApproved|flagBlocklisted) != 0 {
				numbers = append(numbers, number)
			}
		}
		return nil
	})
	return numbers, more, err
}

// earlier finds, for each of some sessions, those before it within the distance.
func (sh *shard) earlier(ctx context.Context, numbers []uint64, distanceMax float64) ([][]index.Hit, error) {
	sh.moving.RLock()
	defer sh.moving.RUnlock()
	found := make([][]index.Hit, len(numbers))
	var group errgroup.Group
	for i, number := range numbers {
		group.Go(func() error {
			probe, there := sh.vector(number)
			if !there {
				return nil // it has left the gallery
			}
			for _, part := range []*index.Exact{sh.scan(), sh.blocklisted} {
				result, err := part.WithinFunc(ctx, probe, distanceMax, math.MaxInt, func(key uint64) bool { return key < number })
				if err != nil {
					return err
				}
				found[i] = append(found[i], result.Hits...)
			}
			slices.SortFunc(found[i], func(a, b index.Hit) int { return cmp.Compare(a.Key, b.Key) })
			return nil
		})
	}
	return found, group.Wait()
}

func (s *Store) appendPairs(ctx context.Context, application string, pairs []face.Pair, numbers []uint64, found [][]index.Hit) ([]face.Pair, error) {
	err := s.view(ctx, application, func(r records) error {
		for i, hits := range found {
			if len(hits) == 0 {
				continue
			}
			later, err := r.candidate(index.Hit{Key: numbers[i]})
			if err != nil {
				return err
			}
			if later == nil {
				continue
			}
			for _, hit := range hits {
				earlier, err := r.candidate(hit)
				if err != nil {
					return err
				}
				if earlier != nil {
					pairs = append(pairs, face.Pair{A: earlier.Session, B: later.Session, Distance: hit.Distance})
				}
			}
		}
		return nil
	})
	return pairs, err
}
