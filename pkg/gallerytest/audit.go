package gallerytest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"facesearch/pkg/face"
)

// whole lists the whole audit log, oldest first.
func (f *fixture) whole() []face.AuditEntry {
	f.Helper()
	list, total, err := f.store.AuditWhole(f.Context(), face.AuditPage{Limit: 1 << 20, OldestFirst: true})
	if err != nil || total != len(list) {
		f.Fatalf("AuditWhole: %d of %d, %v", len(list), total, err)
	}
	return list
}

// requireAuditWhole wants the chain to be whole.
func (f *fixture) requireAuditWhole(t testing.TB) face.AuditVerdict {
	t.Helper()
	verdict, err := face.VerifyAudit(t.Context(), f.store)
	if err != nil || verdict.Broken != 0 {
		t.Fatalf("%+v, %v", verdict, err)
	}
	return verdict
}

func testAudit(t *testing.T, place func(testing.TB) Harness) {
	f := open(t, place)
	f.createApplication(theirs)
	for n := range 9 {
		f.enrol([]string{ours, theirs, ours}[n%3], newEnrolment(newID()))
	}
	for _, when := range []string{"", " after a restart"} {
		t.Run("OK pages"+when, func(t *testing.T) {
			all := f.whole()
			if len(all) != 11 {
				t.Fatalf("%d entries", len(all))
			}
			for _, application := range []string{"", ours, theirs} {
				f.requireAuditPages(t, application, slices.DeleteFunc(slices.Clone(all), func(entry face.AuditEntry) bool {
					return application != "" && entry.Application != application
				}))
			}
		})
		f.reopen()
	}
	t.Run("OK a kept head", func(t *testing.T) {
		kept := f.requireAuditWhole(t).Head
		f.enrol(ours, newEnrolment(newID()))
		if verdict, err := face.VerifyAudit(t.Context(), f.store, kept); err != nil || verdict.Broken != 0 || verdict.Head.Number != kept.Number+1 {
			t.Fatalf("%+v, %v", verdict, err)
		}
	})
	t.Run("ErrKeptHead", func(t *testing.T) {
		head := f.requireAuditWhole(t).Head
		for _, wrong := range []face.AuditHead{{Number: head.Number + 1, Hash: head.Hash}, {Number: head.Number - 1, Hash: head.Hash}} {
			verdict, err := face.VerifyAudit(t.Context(), f.store, wrong)
			if err != nil || verdict.Broken != wrong.Number || verdict.Reason == "" {
				t.Fatalf("%+v, %v", verdict, err)
			}
		}
	})
	t.Run("OK one chain of many writers", func(t *testing.T) {
		before := len(f.whole())
		var group sync.WaitGroup
		for worker := range 8 {
			group.Go(func() {
				for range 5 {
					if _, _, err := f.store.Enrol(t.Context(), []string{ours, theirs}[worker%2], newEnrolment(newID())); err != nil {
						t.Error(err)
					}
				}
			})
		}
		group.Wait()
		if after := len(f.whole()); after != before+40 {
			t.Errorf("%d entries, then %d", before, after)
		}
		f.requireAuditWhole(t)
	})
}

// requireAuditPages wants these entries, oldest first, of an application or of all.
func (f *fixture) requireAuditPages(t *testing.T, application string, want []face.AuditEntry) {
	t.Helper()
	for _, oldestFirst := range []bool{true, false} {
		for _, page := range [][2]int{{0, 0}, {0, 1}, {0, 1000}, {1, 2}, {len(want) - 1, 5}, {len(want), 5}, {len(want) + 7, 5}} {
			asked := face.AuditPage{Offset: page[0], Limit: page[1], OldestFirst: oldestFirst}
			list, total, err := f.store.AuditWhole(t.Context(), asked)
			if application != "" {
				list, total, err = f.store.Audit(t.Context(), application, asked)
			}
			if err != nil || total != len(want) || list == nil {
				t.Fatalf("%q %+v: %d in all, %v", application, asked, total, err)
			}
			from := min(asked.Offset, len(want))
			requireSame(t, fmt.Sprintf("%q %+v", application, asked), list, append([]face.AuditEntry{}, want[from:min(from+asked.Limit, len(want))]...))
		}
		slices.Reverse(want)
	}
}

// testAuditActions does everything that is audited, and some things that are not.
func testAuditActions(t *testing.T, place func(testing.TB) Harness) {
	f := open(t, place)
	ctx := face.WithActor(t.Context(), face.Actor{ID: "key-7", Name: "the name of key-7"})
	enrolment, id := newEnrolment("session-1"), "session-1"
	search, picture := newSearch("search-1")
	settings := face.DefaultSettings()
	settings.MaxMatches, settings.MatchAction = 7, face.Declined
	change := func(change func(*face.Session)) func(context.Context, Store) error {
		return func(ctx context.Context, store Store) error {
			_, err := store.Change(ctx, ours, id, change)
			return err
		}
	}
	for _, step := range []struct {
		want string // "action object detail", lines
		do   func(context.Context, Store) error
	}{
		{"key_create key-1 scope=enrol", func(ctx context.Context, s Store) error { return s.CreateKey(ctx, newKey(ours, "key-1")) }},
		{"key_revoke key-1 ", func(ctx context.Context, s Store) error { return s.RevokeKey(ctx, ours, "key-1") }},
		{"", func(ctx context.Context, s Store) error { return s.RevokeKey(ctx, ours, "key-1") }},
		{"settings  match_action=Declined max_matches=7", func(ctx context.Context, s Store) error { return s.PutSettings(ctx, ours, settings) }},
		{"", func(ctx context.Context, s Store) error { return s.PutSettings(ctx, ours, settings) }},
		{"enrol session-1 number=1 status=Approved blocklisted=false", func(ctx context.Context, s Store) error {
			_, _, err := s.Enrol(ctx, ours, enrolment)
			return err
		}},
		{"", func(ctx context.Context, s Store) error {
			_, _, err := s.Enrol(ctx, ours, enrolment)
			return err
		}},
		{"status session-1 from=Approved to=In+Review", change(func(s *face.Session) { s.Status = face.InReview })},
		{"", change(func(s *face.Session) { s.Status = face.InReview })},
		{"status session-1 from=In+Review to=In+Review", change(func(s *face.Session) { s.Comment = "a comment" })},
		{"blocklist session-1 blocklisted=true", change(func(s *face.Session) { s.Blocklisted = true })},
		{"details session-1 ", change(func(s *face.Session) { s.Details.Name = "another name" })},
		{"status session-1 from=In+Review to=Declined\nblocklist session-1 blocklisted=false",
			change(func(s *face.Session) { s.Status, s.Blocklisted = face.Declined, false })},
		{"", func(ctx context.Context, s Store) error { return s.SaveSearch(ctx, ours, search, picture) }},
		{"review search-1 from=In+Review to=Declined", func(ctx context.Context, s Store) error {
			_, err := s.ReviewSearch(ctx, ours, search.ID, newReview(face.Declined))
			return err
		}},
		{"media_secret_rotate  revoke=true", func(ctx context.Context, s Store) error { return s.RotateMediaSecret(ctx, true) }},
		{"", func(ctx context.Context, s Store) error {
			_, err := s.Erase(ctx, ours, []string{search.ID, "unknown"})
			requireCode(t, "Erase", err, face.CodeNotFound)
			return nil
		}},
		{"erase search-1 sessions=0 searches=1", func(ctx context.Context, s Store) error {
			_, err := s.Erase(ctx, ours, []string{search.ID})
			return err
		}},
		{"erase_people  sessions=1 searches=0 people=2", func(ctx context.Context, s Store) error {
			_, err := s.EraseOwners(ctx, ours, []string{enrolment.Session.VendorData, "nobody"})
			return err
		}},
		{"erase_people  sessions=0 searches=0 people=1", func(ctx context.Context, s Store) error {
			_, err := s.EraseOwners(ctx, ours, []string{"nobody"})
			return err
		}},
		{"", func(ctx context.Context, s Store) error {
			_, err := s.EraseBefore(ctx, ours, moment(99), moment(99), 5)
			return err
		}},
		{"enrol session-1 number=2 status=Approved blocklisted=false\nenrol session-2 number=3 status=Approved blocklisted=false", func(ctx context.Context, s Store) error {
			f.enrol(ours, enrolment)
			f.enrol(ours, newEnrolment("session-2"))
			return nil
		}},
		{"erase  sessions=2 searches=0 ids=session-2%2Csession-1", func(ctx context.Context, s Store) error {
			_, err := s.Erase(ctx, ours, []string{"session-2", "session-1"})
			return err
		}},
		{"", func(ctx context.Context, s Store) error { return s.SaveSearch(ctx, ours, search, picture) }},
		{"retention  sessions=0 searches=1 searches_before=2025-06-10T12%3A09%3A00Z", func(ctx context.Context, s Store) error {
			_, err := s.EraseBefore(ctx, ours, time.Time{}, moment(99), 5)
			return err
		}},
	} {
		before := len(f.whole())
		if err := step.do(ctx, f.store); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, entry := range f.whole()[before:] {
			got = append(got, entry.Action+" "+entry.Object+" "+entry.Detail)
			wanted := ours
			if entry.Action == face.AuditSecret {
				wanted = ""
			}
			byHand := strings.HasPrefix(step.want, "enrol session-1 number=2")
			if entry.Application != wanted || entry.Actor != "key-7" && !byHand || byHand && entry.Actor != "server" {
				t.Errorf("%+v", entry)
			}
		}
		if strings.Join(got, "\n") != step.want {
			t.Errorf("got  %q\nwant %q", strings.Join(got, "\n"), step.want)
		}
	}
	f.requireAuditWhole(t)
	f.requireNothingPersonal(t)
}

// requireNothingPersonal looks through the whole log for what this suite's people are called.
func (f *fixture) requireNothingPersonal(t *testing.T) {
	t.Helper()
	for _, entry := range f.whole() {
		text := string(entry.Encode())
		for _, personal := range []string{"vendor of", "Ærø", "X-session", "Identity Card", "picture", "a comment", "another name", "seen by hand", "the name of", "reviewer", "nobody"} {
			if strings.Contains(text, personal) {
				t.Errorf("%q is in %s", personal, text)
			}
		}
	}
}
