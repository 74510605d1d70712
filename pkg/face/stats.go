package face

// Stats is what a gallery holds and how its index does, over all applications together.
type Stats struct {
	Applications int
	// Sessions are all that are stored; Searchable those that searches compare with, and
	// Blocklisted those of them that are on the blocklist.
	Sessions, Searchable, Blocklisted int
	Index                             string // its kind, in one word
	// Remote: the index is not in this process, and of what follows nothing is known.
	Remote     bool
	IndexBytes int64 // of memory; about
	// Of an index that may miss neighbours: how many of its answers were compared with exact
	// ones, how many neighbours those should have named, and how many they did.
	RecallSamples, RecallWanted, RecallFound uint64
}
