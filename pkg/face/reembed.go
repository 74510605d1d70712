package face

import "context"

// A Reembedder is a Gallery whose templates can be made anew by another model while it goes on
// answering with those that it has. The new ones are kept beside the old ones until Adopt puts
// them in their place, all at once.
type Reembedder interface {
	Gallery

	// Model is what made the templates that searches compare with.
	Model() Model
	// BeginModel begins with the templates of another model, or goes on with those that were
	// made of it before; what was begun for a third one is discarded. CodeConflict: it is the
	// model in use.
	BeginModel(ctx context.Context, next Model) error
	// Unmade lists sessions of an application that have no template of the next model, with a
	// number above after, in order, at most limit. After BeginModel only.
	Unmade(ctx context.Context, application string, after uint64, limit int) ([]Session, error)
	// PutMade stores templates of the next model by session number. A session that was erased
	// since is passed over.
	PutMade(ctx context.Context, application string, templates map[uint64]Template) error
	// Adopt makes the next model the one in use, in one step: a search sees either all of the old
	// templates or all of the new ones. Sessions that have none of the next model are counted;
	// CodeConflict: there are such, and drop is false. With drop they stay, but leave the gallery
	// and the blocklist, In Review with a comment, and can enter it no more.
	Adopt(ctx context.Context, drop bool) (unmade int, err error)
}
