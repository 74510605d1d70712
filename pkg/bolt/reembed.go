package bolt

import (
	"bytes"
	"context"
	"errors"
	"slices"

	bbolt "go.etcd.io/bbolt"

	"facesearch/index"
	"facesearch/pkg/face"
)

var _ face.Reembedder = (*Store)(nil)

var errNotBegun = errors.New("no other embedding model was begun with")

// eachApplication visits all applications within a transaction.
func (s *Store) eachApplication(tx *bbolt.Tx, visit func(records) error) error {
	all := tx.Bucket(applicationsBucket)
	return all.ForEachBucket(func(id []byte) error {
		r, err := s.records(string(id), all.Bucket(id))
		if err != nil {
			return err
		}
		return visit(r)
	})
}

// BeginModel implements face.Reembedder.
func (s *Store) BeginModel(ctx context.Context, next face.Model) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.db.Update(func(tx *bbolt.Tx) error {
		sets, err := readTemplateSets(tx)
		switch {
		case err != nil:
			return err
		case sets.Current.ID == next.ID:
			return face.Conflict("The templates are of that model already.")
		case sets.Next != nil && sets.Next.Model == next:
			return nil
		}
		sets.Next = &templateSet{next, setBuckets[0]}
		if sets.Current.Bucket == setBuckets[0] {
			sets.Next.Bucket = setBuckets[1]
		}
		err = s.eachApplication(tx, func(r records) error {
			if err := r.dropBucket(sets.Next.bucket()); err != nil {
				return err
			}
			_, err := r.CreateBucket(sets.Next.bucket())
			return err
		})
		if err != nil {
			return err
		}
		return writeTemplateSets(tx, sets)
	})
}

func (r records) dropBucket(name []byte) error {
	if r.Bucket.Bucket(name) == nil {
		return nil
	}
	return r.DeleteBucket(name)
}

// Unmade implements face.Reembedder.
func (s *Store) Unmade(ctx context.Context, application string, after uint64, limit int) ([]face.Session, error) {
	list := []face.Session{}
	err := s.view(ctx, application, func(r records) error {
		return r.eachUnmade(after, func(number []byte) error {
			if len(list) >= limit {
				return errEnough
			}
			var session face.Session
			found, err := r.openJSON(sessionsBucket, number, &session)
			if found {
				list = append(list, session)
			}
			return err
		})
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return list, err
}

var errEnough = errors.New("there are enough")

// eachUnmade walks along sessions and templates, both in the order of their numbers.
func (r records) eachUnmade(after uint64, visit func(number []byte) error) error {
	if r.next == nil {
		return errNotBegun
	}
	sessions, made := r.Bucket.Bucket(sessionsBucket).Cursor(), r.Bucket.Bucket(r.next.bucket()).Cursor()
	number, _ := sessions.Seek(numberKey(after + 1))
	template, _ := made.Seek(numberKey(after + 1))
	for ; number != nil; number, _ = sessions.Next() {
		for template != nil && bytes.Compare(template, number) < 0 {
			template, _ = made.Next()
		}
		if bytes.Equal(template, number) {
			continue
		}
		if err := visit(number); err != nil {
			return err
		}
	}
	return nil
}

// PutMade implements face.Reembedder.
func (s *Store) PutMade(ctx context.Context, application string, templates map[uint64]face.Template) error {
	return s.update(ctx, application, func(r records) error {
		if r.next == nil {
			return errNotBegun
		}
		for number, template := range templates {
			if err := r.next.Accepts(template); err != nil {
				return err
			}
			if err := r.putMade(numberKey(number), template); err != nil {
				return err
			}
		}
		return nil
	}, nil)
}

func (r records) putMade(number []byte, template face.Template) error {
	session := r.Bucket.Bucket(sessionsBucket).Get(number)
	if len(session) < flagsBytes {
		return nil // erased since
	}
	slot, err := r.slot(sessionsBucket, number)
	if err != nil {
		return err
	}
	return r.seal(slot, r.next.bucket(), number, session[0], encodeTemplate(template))
}

// Adopt implements face.Reembedder. The indexes are built while nothing can change; then one
// transaction changes the models, and the indexes take their places.
func (s *Store) Adopt(ctx context.Context, drop bool) (unmade int, err error) {
	for {
		shards, unlock := s.lockWriters()
		unmade, again, err := s.adopt(ctx, shards, drop)
		unlock()
		if !again {
			return unmade, errors.Join(err, s.dropOldSets(), s.destroyDoomed())
		}
	}
}

// lockWriters keeps everybody from changing the applications that there are.
func (s *Store) lockWriters() (shards map[string]*shard, unlock func()) {
	shards = map[string]*shard{}
	s.mu.RLock()
	for id, each := range s.shards {
		shards[id] = each
	}
	s.mu.RUnlock()
	for _, each := range shards {
		each.writer.Lock()
	}
	return shards, func() {
		for _, each := range shards {
			each.writer.Unlock()
		}
	}
}

// adopt returns again when an application came or went before its writers were locked.
func (s *Store) adopt(ctx context.Context, shards map[string]*shard, drop bool) (unmade int, again bool, err error) {
	if err := ctx.Err(); err != nil {
		return 0, false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(shards) != len(s.shards) {
		return 0, true, nil
	}
	for id, each := range s.shards {
		if shards[id] != each {
			return 0, true, nil
		}
	}
	unmade, err = s.countUnmade()
	if err != nil {
		return 0, false, err
	}
	if unmade > 0 && !drop {
		return unmade, false, face.Conflict("%d sessions have no template of the new model.", unmade)
	}
	indexes, err := s.indexNext()
	if err != nil {
		return unmade, false, err
	}
	next, err := s.changeModels(ctx)
	if err != nil {
		return unmade, false, err
	}
	s.model = next
	for id, fresh := range indexes {
		s.shards[id].become(fresh)
		if graph, ok := fresh.approved.(*index.HNSW); ok {
			s.rebuildSoon(graph)
		}
	}
	return unmade, false, nil
}

func (s *Store) countUnmade() (count int, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		return s.eachApplication(tx, func(r records) error {
			return r.eachUnmade(0, func([]byte) error {
				count++
				return nil
			})
		})
	})
	return count, err
}

// indexNext reads the templates that are to follow into indexes of their own.
func (s *Store) indexNext() (map[string]*shard, error) {
	indexes := map[string]*shard{}
	err := s.db.View(func(tx *bbolt.Tx) error {
		return s.eachApplication(tx, func(r records) error {
			fresh := s.newShard(r.next.Dim)
			indexes[r.application] = fresh
			r.set = *r.next
			return r.loadShard(fresh)
		})
	})
	return indexes, err
}

// become takes the place of the indexes, for searches that begin from now on.
func (sh *shard) become(fresh *shard) {
	sh.moving.Lock()
	defer sh.moving.Unlock()
	old := sh.approved
	sh.approved, sh.blocklisted = fresh.approved, fresh.blocklisted
	if graph, ok := old.(*index.HNSW); ok {
		go graph.Close() // it waits for what is being built
	}
}

// changeModels is the one transaction in which everything becomes the next model's.
func (s *Store) changeModels(ctx context.Context) (next face.Model, err error) {
	err = s.db.Update(func(tx *bbolt.Tx) error {
		sets, err := readTemplateSets(tx)
		if err != nil {
			return err
		}
		err = s.eachApplication(tx, func(r records) error {
			var unmade [][]byte
			err := r.eachUnmade(0, func(number []byte) error {
				unmade = append(unmade, slices.Clone(number))
				return nil
			})
			if err != nil {
				return err
			}
			if err := r.dropBucket(bareBucket); err != nil {
				return err
			}
			bare, err := r.CreateBucket(bareBucket)
			if err != nil {
				return err
			}
			for _, number := range unmade {
				if err := errors.Join(bare.Put(number, []byte{}), r.leaveGallery(ctx, number)); err != nil {
					return err
				}
			}
			if err := r.deleteGraph(); err != nil { // it holds the old templates
				return err
			}
			return addGeneration(r.Bucket)
		})
		if err != nil {
			return err
		}
		next = sets.Next.Model
		return writeTemplateSets(tx, templateSets{Current: *sets.Next})
	})
	return next, err
}

// What is said of a session that has no template of the model in use.
const (
	unmadeComment        = "No template could be made of it when the embedding model was changed: enrol the person again from a picture."
	unmadeBlockedComment = "It was on the blocklist, and no template could be made of it when the embedding model was changed: put the face on the blocklist again from a picture."
)

// leaveGallery changes a session that has no template of the next model.
func (r records) leaveGallery(ctx context.Context, number []byte) error {
	var session face.Session
	found, err := r.openJSON(sessionsBucket, number, &session)
	if err != nil || !found || !session.InGallery() {
		return err
	}
	before := session
	session.Comment = unmadeComment
	if session.Blocklisted {
		session.Comment = unmadeBlockedComment
	}
	session.Status, session.Blocklisted = face.InReview, false
	slot, err := r.slot(sessionsBucket, number)
	if err != nil {
		return err
	}
	if err := r.putSession(slot, session, nil); err != nil {
		return err
	}
	return r.auditChange(ctx, before, session)
}

// dropOldSets deletes templates that are of neither the model in use nor the next one: what was
// in use before Adopt, and what a crash after it has left.
func (s *Store) dropOldSets() error {
	return s.db.Update(func(tx *bbolt.Tx) error {
		return s.eachApplication(tx, func(r records) error {
			for _, name := range setBuckets {
				if name == r.set.Bucket || r.next != nil && name == r.next.Bucket {
					continue
				}
				if err := r.dropBucket([]byte(name)); err != nil {
					return err
				}
			}
			return nil
		})
	})
}
