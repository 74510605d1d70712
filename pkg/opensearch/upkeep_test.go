//go:build opensearch

package opensearch_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"facesearch/pkg/face"
	"facesearch/pkg/opensearch"
)

// longAgo is beyond the time after which something half done is taken to be abandoned.
const longAgo = 11 * time.Minute

// left counts documents.
type left struct{ sessions, pictures int }

// TestUpkeep lets servers die in the middle, and another one, which was there before, look after
// what they have left: it finishes what was decided, takes away the rest when that is old, and
// touches nothing else.
func TestUpkeep(t *testing.T) {
	t.Parallel() // it waits most of the time
	prefix := newPrefix(t)
	options := optionsFor(prefix, opensearch.ExactIndex)
	store := openStore(t, options)
	defer store.Close()
	createApplication(t, store)
	owner, erased, again := person("owner", 1), person("erased", 20), person("again", 21)
	for _, one := range []face.Enrolment{owner, erased, again} {
		enrol(t, store, one)
	}
	saved := person("saved", 22)
	if err := store.SaveSearch(t.Context(), application, face.SavedSearch{ID: "saved", PictureID: "picture-saved"}, saved.Picture); err != nil {
		t.Fatal(err)
	}
	if err := store.CreateApplication(t.Context(), face.Application{ID: "dropped", CreatedAt: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := store.Enrol(t.Context(), "dropped", person("of-dropped", 23)); err != nil {
		t.Fatal(err)
	}
	numbered := leaveBehind(t, options)
	enrol(t, store, again) // another one, under the ID of who was erased
	numbered()
	makeOld(t, prefix, "owner", "saved", "again", "old-picture", "old-search", "old-staged")

	want := map[string]left{
		"owner": {1, 1}, "saved": {0, 1}, "again": {1, 1}, "erased": {}, "of-dropped": {},
		"old-picture": {}, "new-picture": {0, 1}, "old-search": {}, "old-staged": {}, "new-staged": {1, 1}, "numbered": {1, 1},
	}
	got := map[string]left{}
	for deadline := time.Now().Add(4 * time.Minute); !maps.Equal(got, want); time.Sleep(time.Second) {
		if time.Now().After(deadline) {
			t.Fatalf("left is %v, want %v", got, want)
		}
		got = documentsLeft(t, prefix, want)
	}
	for _, one := range []face.Enrolment{owner, again, person("numbered", 10)} {
		if !requireWhole(t, store, one) {
			t.Errorf("%s is gone", one.Session.ID)
		}
	}
	if _, err := store.Picture(t.Context(), application, "picture-saved"); err != nil {
		t.Errorf("the picture of a saved search: %v", err)
	}
	if _, err := store.Size(t.Context(), "dropped"); face.CodeOf(err) != face.CodeNotFound {
		t.Errorf("the application that was deleted: %v", err)
	}
	requireEntries(t, store, map[string]int{"erase erased": 1, "erase again": 1, "application_delete dropped": 1})
	// What was taken away can come again; of who was staged, the first enrolment is gone on with.
	for i, one := range []face.Enrolment{person("old-staged", 11), person("old-picture", 12), person("new-staged", 10)} {
		session, _, err := store.Enrol(t.Context(), application, one)
		if err != nil || session.Number != uint64(6+i) {
			t.Errorf("%s: number %d, want %d, %v", one.Session.ID, session.Number, 6+i, err)
		}
	}
}

// leaveBehind lets a server die in the middle of each of several calls. The last is left to the
// caller: whoever enrols after it finishes it.
func leaveBehind(t *testing.T, options opensearch.Options) (last func()) {
	t.Helper()
	erase := func(id string) func(*opensearch.Store) error {
		return func(store *opensearch.Store) error {
			_, err := store.Erase(t.Context(), application, []string{id})
			return err
		}
	}
	enrolment := func(id string) func(*opensearch.Store) error {
		return func(store *opensearch.Store) error {
			_, _, err := store.Enrol(t.Context(), application, person(id, 10))
			return err
		}
	}
	search := func(store *opensearch.Store) error {
		return store.SaveSearch(t.Context(), application, face.SavedSearch{ID: "old-search", PictureID: "picture-old-search"}, person("old-search", 10).Picture)
	}
	drop := func(store *opensearch.Store) error { return store.DeleteApplication(t.Context(), "dropped") }
	// All of them are open before the first dies: who starts finishes what was decided.
	var deaths []func()
	for _, each := range []struct {
		writes int64 // that are made
		do     func(*opensearch.Store) error
	}{
		{1, enrolment("old-picture")}, {1, enrolment("new-picture")}, {1, search}, // the picture is stored first
		{2, enrolment("old-staged")}, {2, enrolment("new-staged")}, // then the session is staged
		{1, erase("erased")}, {2, erase("again")}, {1, drop}, // the first write decides
		{3, enrolment("numbered")}, // the third gives the number
	} {
		deaths = append(deaths, dying(t, options, each.writes, each.do))
	}
	for _, die := range deaths[:len(deaths)-1] {
		die()
	}
	return deaths[len(deaths)-1]
}

// dying opens a store whose server dies in the middle of a call, after some writes.
func dying(t *testing.T, options opensearch.Options, writes int64, do func(*opensearch.Store) error) (die func()) {
	t.Helper()
	var calling, dead atomic.Bool
	var made atomic.Int64
	options.URLs = []string{newProxy(t, func(w http.ResponseWriter, r *http.Request, through http.Handler) {
		if calling.Load() && isWrite(r) && made.Add(1) > writes {
			dead.Store(true)
		}
		if dead.Load() {
			refuse(http.StatusInternalServerError, `{"error":{"type":"exception"},"status":500}`)(w, r)
			return
		}
		through.ServeHTTP(w, r)
	})}
	store := openStore(t, options)
	return func() {
		t.Helper()
		calling.Store(true)
		if err := do(store); err == nil || !dead.Load() {
			t.Errorf("it has not died: %d writes, %v", made.Load(), err)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A stored document, as far as these tests look at it.
type stored struct {
	Index  string         `json:"_index"`
	ID     string         `json:"_id"`
	Source map[string]any `json:"_source"`
}

// belongsTo reports whether it is the session or the picture of somebody.
func (s *stored) belongsTo(id string) bool {
	source, _ := json.Marshal(s.Source)
	picture := base64.StdEncoding.EncodeToString([]byte("picture of " + id))
	return bytes.Contains(source, []byte(`"vendor of `+id+`"`)) || bytes.Contains(source, []byte(`"`+picture+`"`))
}

// documents are all sessions and pictures, whether they count or not.
func documents(t *testing.T, prefix string) []stored {
	t.Helper()
	indices := cluster.Nodes[0].URL + "/" + prefix + "-sessions," + prefix + "-pictures"
	ask(t, http.MethodPost, indices+"/_refresh", "", nil)
	var answer struct{ Hits struct{ Hits []stored } }
	ask(t, http.MethodPost, indices+"/_search", `{"size": 1000}`, &answer)
	return answer.Hits.Hits
}

func documentsLeft(t *testing.T, prefix string, of map[string]left) map[string]left {
	t.Helper()
	counted := map[string]left{}
	all := documents(t, prefix)
	for id := range of {
		var count left
		for _, each := range all {
			switch {
			case !each.belongsTo(id):
			case strings.HasSuffix(each.Index, "-sessions"):
				count.sessions++
			default:
				count.pictures++
			}
		}
		counted[id] = count
	}
	return counted
}

// makeOld changes when the documents of some people say that they were stored.
func makeOld(t *testing.T, prefix string, ids ...string) {
	t.Helper()
	for _, id := range ids {
		changed := false
		for _, each := range documents(t, prefix) {
			for _, field := range []string{"created_at", "staged_at"} {
				if _, has := each.Source[field]; !has || !each.belongsTo(id) {
					continue
				}
				each.Source[field] = time.Now().Add(-longAgo).UnixMilli()
				data, err := json.Marshal(each.Source)
				if err != nil {
					t.Fatal(err)
				}
				ask(t, http.MethodPut, cluster.Nodes[0].URL+"/"+each.Index+"/_doc/"+each.ID, string(data), nil)
				changed = true
			}
		}
		if !changed {
			t.Fatalf("there is nothing of %s", id)
		}
	}
}

// ask asks the cluster itself.
func ask(t *testing.T, method, url, body string, into any) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode >= 300 {
		err = fmt.Errorf("%s: %s", response.Status, answer)
	}
	if err == nil && into != nil {
		err = json.Unmarshal(answer, into)
	}
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
}

// requireEntries counts entries of the audit log by their action and object.
func requireEntries(t *testing.T, store *opensearch.Store, want map[string]int) {
	t.Helper()
	list, _, err := store.AuditWhole(t.Context(), face.AuditPage{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, entry := range list {
		if key := entry.Action + " " + entry.Object; want[key] > 0 {
			got[key]++
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("in the audit log are %v, want %v", got, want)
	}
}
