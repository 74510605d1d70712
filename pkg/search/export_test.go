package search

import (
	"context"
	"image"

	"facesearch/pkg/photo"
)

// OriginalBox is originalBox, for its property test.
func OriginalBox(p *photo.Photo, box image.Rectangle, angle int) image.Rectangle {
	return originalBox(p, box, angle)
}

// A Line is a line, for tests of admission alone.
type Line struct{ *line }

// NewLine makes one.
func NewLine(workers, waitingMax int) Line { return Line{newLine(workers, waitingMax)} }

// Enter waits for a slot.
func (l Line) Enter(ctx context.Context) (leave func(), err error) { return l.enter(ctx) }

// Waiting is how many wait now.
func (l Line) Waiting() int { return int(l.waiting.Load()) }

// RetentionStep is how much is erased in one transaction.
const RetentionStep = retentionStep
