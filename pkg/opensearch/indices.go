package opensearch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"facesearch/pkg/face"
)

// names are those of the indices.
type names struct{ sessions, pictures, searches, records string }

func namesOf(prefix string) names {
	return names{prefix + "-sessions", prefix + "-pictures", prefix + "-searches", prefix + "-records"}
}

func (n names) all() []string { return []string{n.sessions, n.pictures, n.searches, n.records} }

// schemaVersion is what this code reads and writes, kept with each index. Another one is refused.
const schemaVersion = 2

// versionMin is the oldest OpenSearch that this was tried with.
const versionMin = "2.19"

type object = map[string]any

// What a field is for. Values that are only handed back are neither indexed nor looked at.
var (
	filtered = object{"type": "keyword", "doc_values": false}
	kept     = object{"type": "keyword", "index": false, "doc_values": false}
	sorted   = object{"type": "keyword", "index": false}
	opaque   = object{"type": "object", "enabled": false}
	moment   = object{"type": "date", "format": "epoch_millis"}
	number   = object{"type": "long"}
	flag     = object{"type": "boolean"}
	lottery  = object{"type": "integer", "doc_values": false}
)

// Every document of every index has a stamp, which is new with each write, and born, the stamp
// of its first write, by which long lists are turned over page by page.
func fields(more object) object {
	all := object{"application": filtered, "stamp": kept, "born": sorted, "created_at": moment}
	for name, field := range more {
		all[name] = field
	}
	return all
}

func (s *Store) mappings() map[string]object {
	template := object{"type": "knn_vector", "dimension": s.model.Dim}
	if s.kind == HNSWIndex {
		template["method"] = object{
			"name": "hnsw", "engine": "lucene", "space_type": "l2",
			"parameters": object{"m": graphNeighbours, "ef_construction": graphBreadth},
		}
	}
	return map[string]object{
		s.names.sessions: fields(object{
			"number": number, "status": filtered, "blocklisted": flag, "in_gallery": flag, "owner": filtered,
			"lottery": lottery, "at": number, "session": opaque, "template": template, "staged": opaque, "staged_at": moment,
		}),
		s.names.pictures: fields(object{"owner": opaque, "picture": opaque}),
		s.names.searches: fields(object{"owner": filtered, "status": filtered, "at": number, "id": sorted, "search": opaque}),
		s.names.records:  fields(object{"kind": filtered, "name": filtered, "number": number, "body": opaque}),
	}
}

// Lucene's graph: how many neighbours a node has, and how many are looked at to find them.
const (
	graphNeighbours = 16
	graphBreadth    = 128
)

// settings of a new index. Document replication is asked for by name, as a cluster may have
// another default; up to three copies are kept, as many as there are nodes for.
func (s *Store) settings(index string, options Options) object {
	settings := object{
		"number_of_shards": 1, "auto_expand_replicas": "0-2", "replication.type": "DOCUMENT",
		// So that what was erased can be merged away soon, see purge.go: no segment is so large
		// that it takes long to write anew, and one erased document is reason enough.
		"merge.policy.expunge_deletes_allowed": 0, "merge.policy.max_merged_segment": "512mb",
		"soft_deletes.retention_lease.period": "10m",
	}
	if index == s.names.sessions {
		settings["number_of_shards"] = options.Shards
		settings["knn"] = s.kind == HNSWIndex
	}
	return settings
}

func (s *Store) checkVersion(ctx context.Context) error {
	var answer struct {
		Version struct {
			Number       string `json:"number"`
			Distribution string `json:"distribution"`
		} `json:"version"`
	}
	if err := s.engine.call(ctx, http.MethodGet, "/", nil, &answer); err != nil {
		return withReason(err)
	}
	var major, minor, majorMin, minorMin int
	fmt.Sscanf(versionMin, "%d.%d", &majorMin, &minorMin)
	_, err := fmt.Sscanf(answer.Version.Number, "%d.%d", &major, &minor)
	if err != nil || answer.Version.Distribution != "opensearch" || major < majorMin || major == majorMin && minor < minorMin {
		return fmt.Errorf("the server says that it is %q, version %q; OpenSearch %s or later is needed",
			answer.Version.Distribution, answer.Version.Number, versionMin)
	}
	return nil
}

// withReason adds what the cluster said, which while opening quotes no document.
func withReason(err error) error {
	var failure *engineError
	if errors.As(err, &failure) && failure.reason != "" && failure.Type != securityRefusal {
		return fmt.Errorf("%w: %s", err, failure.reason)
	}
	return err
}

// prepareIndices makes the indices that are missing, and checks all of them.
func (s *Store) prepareIndices(ctx context.Context, options Options) error {
	ctx, cancel := context.WithTimeout(ctx, startMax)
	defer cancel()
	there, err := s.describeIndices(ctx)
	if err != nil {
		return err
	}
	made := false
	for index, mapping := range s.mappings() {
		if _, ok := there[index]; ok {
			continue
		}
		made = true
		err := s.engine.callWith(ctx, s.engine.patient, http.MethodPut, "/"+index, object{
			"settings": object{"index": s.settings(index, options)},
			"mappings": object{"dynamic": "strict", "properties": mapping, "_meta": object{"facesearch_schema": schemaVersion, "facesearch_model": s.model}},
		}, nil)
		if err != nil && !isThere(err) {
			return fmt.Errorf("making the index %s: %w", index, withReason(err))
		}
	}
	if made {
		if there, err = s.describeIndices(ctx); err != nil {
			return err
		}
	}
	for _, index := range s.names.all() {
		if err := s.checkIndex(index, there[index]); err != nil {
			return err
		}
	}
	if err := s.takeModel(there[s.names.sessions].Mappings.Meta.Model, options.Model); err != nil {
		return err
	}
	return s.awaitIndices(ctx)
}

// takeModel refuses a store with templates of another model than the one wanted: the number of
// their values, and the index made of them, are for good.
func (s *Store) takeModel(stored, wanted face.Model) error {
	if wanted != (face.Model{}) && wanted != stored {
		return fmt.Errorf("%w: %s, and the one in use now is %s; start with the embedder that made them, or move the store to bbolt with facesearch migrate, reembed it there, and move it back under another prefix: facesearch reembed works on bbolt only",
			ErrOtherModel, stored.ID, wanted.ID)
	}
	s.model = stored
	return nil
}

// ErrOtherModel is returned by Open when the templates of the store were made by another model.
var ErrOtherModel = errors.New("the templates of the store were made by another embedding model")

// startMax is how long Open waits for indices to be made and to be ready.
const startMax = 2 * time.Minute

// isThere: another server made the index at the same moment.
func isThere(err error) bool {
	var failure *engineError
	return errors.As(err, &failure) && failure.Type == "resource_already_exists_exception"
}

// An indexReport is what the cluster says of an index.
type indexReport struct {
	Settings map[string]any `json:"settings"`
	Mappings struct {
		Dynamic string `json:"dynamic"`
		Meta    struct {
			Schema int        `json:"facesearch_schema"`
			Model  face.Model `json:"facesearch_model"`
		} `json:"_meta"`
		Properties map[string]object `json:"properties"`
	} `json:"mappings"`
}

func (s *Store) describeIndices(ctx context.Context) (map[string]indexReport, error) {
	reports := map[string]indexReport{}
	path := "/" + strings.Join(s.names.all(), ",") + "?flat_settings=true&ignore_unavailable=true"
	return reports, withReason(s.engine.call(ctx, http.MethodGet, path, nil, &reports))
}

// checkIndex refuses what would lose the promises of a Gallery: with segment replication, or a
// remote store, a copy shows what was written some time later, whatever was asked for.
func (s *Store) checkIndex(index string, report indexReport) error {
	setting := func(name string) string { return fmt.Sprint(report.Settings["index."+name]) }
	switch {
	case report.Mappings.Dynamic != "strict" || report.Mappings.Meta.Schema != schemaVersion:
		return fmt.Errorf("the index %s is not one of this program's, or of another version (schema %d, this program reads %d): choose another prefix, or use the program version that made it",
			index, report.Mappings.Meta.Schema, schemaVersion)
	case setting("replication.type") != "DOCUMENT":
		return fmt.Errorf("the index %s has replication type %s: a search could miss who was enrolled, or find who was erased. Make it anew with document replication",
			index, setting("replication.type"))
	case setting("remote_store.enabled") == "true":
		return fmt.Errorf("the index %s is kept in a remote store: a search could miss who was enrolled, or find who was erased. Make it anew without one", index)
	case index == s.names.sessions && s.kind == HNSWIndex && report.Mappings.Properties["template"]["method"] == nil:
		return fmt.Errorf("the index %s was made for exact search and has no graph: use the index exact, or move the store to another prefix that is made with hnsw", index)
	}
	return nil
}

// awaitIndices waits until a copy of every shard can be written to.
func (s *Store) awaitIndices(ctx context.Context) error {
	for {
		var answer struct {
			Status string `json:"status"`
		}
		path := "/_cluster/health/" + strings.Join(s.names.all(), ",") + "?wait_for_status=yellow&timeout=4s"
		err := s.engine.call(ctx, http.MethodGet, path, nil, &answer)
		if err == nil && (answer.Status == "yellow" || answer.Status == "green") {
			return nil
		}
		if face.CodeOf(err) != face.CodeBusy && err != nil {
			return withReason(err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the indices %s are not ready: look at the cluster's health", strings.Join(s.names.all(), ", "))
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// Drop deletes the indices with everything that is in them. It is for stores that were made to
// measure with.
func (s *Store) Drop(ctx context.Context) error {
	return s.engine.callWith(ctx, s.engine.patient, http.MethodDelete, "/"+strings.Join(s.names.all(), ","), nil, nil)
}
