package opensearch

import (
	"context"
	"fmt"
	"net/http"
	"strings"
)

// Lucene marks a deleted document and keeps its bytes until the segment is merged, and OpenSearch
// keeps it for as long as a copy of the shard might need to hear of the deletion. So what was
// erased is at once found by nobody, and is out of the files about a minute later: when every
// copy has heard of it, the segments that hold deleted documents are written anew.

// A purger is what a server knows of the purge under way.
type purger struct {
	due []record
	// heard is, by index and shard, what every copy has to have heard of first.
	heard map[string]int64
}

// purge takes one step: it notes what is due, or waits, or merges.
func (s *Store) purge(ctx context.Context, p *purger) error {
	reports, err := s.shardReports(ctx)
	if err != nil {
		return err
	}
	if len(p.due) == 0 {
		p.heard = map[string]int64{}
		for shard, copies := range reports {
			p.heard[shard] = -1 // of a shard to which nothing was ever written
			for _, each := range copies {
				p.heard[shard] = max(p.heard[shard], each.SeqNo.Max)
			}
		}
		p.due, err = s.purgesDue(ctx)
		return err
	}
	for shard, seqNo := range p.heard {
		for _, each := range reports[shard] {
			for _, lease := range each.RetentionLeases.Leases {
				if lease.RetainingSeqNo <= seqNo {
					return nil // next time
				}
			}
		}
	}
	if err := s.merge(ctx); err != nil {
		return err
	}
	for _, r := range p.due {
		if err := s.deleteRecord(ctx, r); err != nil {
			return err
		}
	}
	s.log.Info("what was erased is out of the files of the gallery on OpenSearch", "erasures", len(p.due))
	*p = purger{}
	return nil
}

// purgesDue are the erasures whose last document is deleted.
func (s *Store) purgesDue(ctx context.Context) (due []record, err error) {
	records, err := s.listRecords(ctx, kindErasure, "")
	if err != nil {
		return nil, err
	}
	for _, r := range records {
		var body erasureBody
		if err := r.read(&body); err != nil {
			return nil, err
		}
		if body.Deleted != 0 {
			due = append(due, r)
		}
	}
	return due, nil
}

func (s *Store) personal() string {
	return strings.Join([]string{s.names.sessions, s.names.pictures, s.names.searches}, ",")
}

// A shardReport is what a copy of a shard says of itself.
type shardReport struct {
	SeqNo struct {
		Max int64 `json:"max_seq_no"`
	} `json:"seq_no"`
	RetentionLeases struct {
		Leases []struct {
			RetainingSeqNo int64 `json:"retaining_seq_no"`
		} `json:"leases"`
	} `json:"retention_leases"`
}

func (s *Store) shardReports(ctx context.Context) (map[string][]shardReport, error) {
	var answer struct {
		Shards  shardsReport `json:"_shards"`
		Indices map[string]struct {
			Shards map[string][]shardReport `json:"shards"`
		} `json:"indices"`
	}
	if err := s.engine.call(ctx, http.MethodGet, "/"+s.personal()+"/_stats/docs?level=shards", nil, &answer); err != nil {
		return nil, err
	}
	reports := map[string][]shardReport{}
	for index, shards := range answer.Indices {
		for number, copies := range shards.Shards {
			reports[fmt.Sprint(index, "/", number)] = copies
		}
	}
	return reports, answer.Shards.whole()
}

// merge writes the segments that hold deleted documents anew, on every copy, and waits for it.
func (s *Store) merge(ctx context.Context) error {
	var answer struct {
		Shards shardsReport `json:"_shards"`
	}
	for _, step := range []string{"/_flush?force=true&wait_if_ongoing=true", "/_forcemerge?only_expunge_deletes=true&flush=true"} {
		if err := s.engine.callWith(ctx, s.engine.patient, http.MethodPost, "/"+s.personal()+step, nil, &answer); err != nil {
			return err
		}
		if err := answer.Shards.whole(); err != nil {
			return err
		}
	}
	return nil
}
