package bolt

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	bbolt "go.etcd.io/bbolt"

	"facesearch/pkg/face"
)

// A store has the templates of one model, and while they are made anew those of the model that
// is to follow: a set of either, in a bucket of its own in each application. The record "models"
// says which is which, so that to write it is to change from one to the other.

// ErrOtherModel is returned by Open when the templates of the store were made by another model.
var ErrOtherModel = errors.New("the templates of the store were made by another embedding model")

// A templateSet is the templates of one model.
type templateSet struct {
	face.Model
	Bucket string `json:"bucket"`
}

func (s templateSet) bucket() []byte { return []byte(s.Bucket) }

// templateSets is the record "models".
type templateSets struct {
	Current templateSet  `json:"current"`
	Next    *templateSet `json:"next,omitempty"`
}

// The buckets that the sets are in by turns.
var setBuckets = []string{"templates", "templates2"}

// buckets are those in use.
func (s templateSets) buckets() [][]byte {
	if s.Next == nil {
		return [][]byte{s.Current.bucket()}
	}
	return [][]byte{s.Current.bucket(), s.Next.bucket()}
}

// readTemplateSets takes what a store of before there were models holds for the default one's.
func readTemplateSets(tx *bbolt.Tx) (templateSets, error) {
	sets := templateSets{Current: templateSet{face.DefaultModel, setBuckets[0]}}
	data := tx.Bucket(metaBucket).Get(modelsKey)
	if data == nil {
		return sets, nil
	}
	if err := json.Unmarshal(data, &sets); err != nil || sets.Current.Bucket == "" {
		return sets, errors.New("the store does not say what made its templates: the record is damaged")
	}
	return sets, nil
}

func writeTemplateSets(tx *bbolt.Tx, sets templateSets) error {
	version := uint32(schemaVersion)
	if sets.Current.Model != face.DefaultModel {
		version = schemaVersionModels
	}
	meta := tx.Bucket(metaBucket)
	if err := meta.Put(schemaKey, binary.BigEndian.AppendUint32(nil, version)); err != nil {
		return err
	}
	return putJSON(meta, modelsKey, sets)
}

// firstModel is that of a new store.
func (s *Store) firstModel(tx *bbolt.Tx) error {
	s.model = face.DefaultModel
	if s.wanted != (face.Model{}) {
		s.model = s.wanted
	}
	return writeTemplateSets(tx, templateSets{Current: templateSet{s.model, setBuckets[0]}})
}

// checkModel refuses a store with templates of another model than the one wanted; a store without
// any takes the one wanted.
func (s *Store) checkModel(tx *bbolt.Tx) error {
	sets, err := readTemplateSets(tx)
	if err != nil {
		return err
	}
	s.model = sets.Current.Model
	if s.wanted == (face.Model{}) || s.wanted == s.model {
		return writeTemplateSets(tx, sets)
	}
	if anySession(tx) {
		return fmt.Errorf("%w: %s, and the one in use now is %s; start with the embedder that made them, or move the gallery over with facesearch reembed",
			ErrOtherModel, s.model.ID, s.wanted.ID)
	}
	s.log.Info("the store holds nobody yet, and takes the embedding model in use", "model", s.wanted.ID)
	sets.Current.Model, sets.Next, s.model = s.wanted, nil, s.wanted
	return writeTemplateSets(tx, sets)
}

func anySession(tx *bbolt.Tx) bool {
	all, found := tx.Bucket(applicationsBucket), false
	all.ForEachBucket(func(id []byte) error {
		first, _ := all.Bucket(id).Bucket(sessionsBucket).Cursor().First()
		found = found || first != nil
		return nil
	})
	return found
}

// Model implements face.Reembedder.
func (s *Store) Model() face.Model {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.model
}

// template is nil when a set has none of a session.
func (r records) template(set templateSet, number []byte) (face.Template, error) {
	data, _, err := r.open(set.bucket(), number)
	if err != nil || data == nil {
		return nil, err
	}
	template := make(face.Template, set.Dim)
	return template, decodeTemplate(data, template)
}

// templatesOf is where the templates of a session are, or that it has none.
func (r records) templatesOf(number []byte) []location {
	places := []location{{r.set.bucket(), number}}
	if r.next != nil {
		places = append(places, location{r.next.bucket(), number})
	}
	if r.Bucket.Bucket(bareBucket) != nil {
		places = append(places, location{bareBucket, number})
	}
	return places
}

// countBare is how many sessions have no template.
func (r records) countBare() (count int) {
	if bare := r.Bucket.Bucket(bareBucket); bare != nil {
		bare.ForEach(func(_, _ []byte) error {
			count++
			return nil
		})
	}
	return count
}

// putFlagsOfNext keeps the flags of the template that is to follow in step with the session's.
func (r records) putFlagsOfNext(slot uint64, session face.Session) error {
	if r.next == nil {
		return nil
	}
	number := numberKey(session.Number)
	template, err := r.template(*r.next, number)
	if err != nil || template == nil {
		return err
	}
	return r.seal(slot, r.next.bucket(), number, flagsOf(&session), encodeTemplate(template))
}
