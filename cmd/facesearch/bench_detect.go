package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"facesearch/models"
	"facesearch/pkg/bench"
	"facesearch/pkg/dlib"
	"facesearch/pkg/face"
	"facesearch/pkg/photo"
)

type benchDetect struct {
	Folder   string   `arg:"" help:"Folder of photographs, looked into to any depth."`
	Models   string   `help:"Directory of the model files." default:"models/files" placeholder:"DIR"`
	Every    int      `help:"Take one photograph of so many." default:"1"`
	Kind     []string `help:"Only copies of this kind; may come several times."`
	FullSize bool     `help:"Also search every whole copy at its full size, which takes long." default:"true" negatable:""`
	JSON     bool     `help:"Print JSON." name:"json"`
}

// thoroughSide is the size, in pixels, at which dlib's own detector with one upsampling was
// measured to find nearly every face.
const thoroughSide = 800

// Run measures in this process; no server is needed.
func (c *benchDetect) Run(ctx context.Context, to streams) error {
	if c.Every < 1 {
		return errors.New("--every is a number from 1")
	}
	kinds, err := kindsOf(c.Kind)
	if err != nil {
		return err
	}
	options := bench.DetectOptions{Kinds: kinds, Sides: []int{thoroughSide}}
	if c.FullSize {
		options.Sides = append(options.Sides, bench.FullSize)
	}
	pictures, err := readPictures(c.Folder)
	if err != nil {
		return err
	}
	for i := 0; i < len(pictures); i += c.Every {
		options.Photographs = append(options.Photographs, pictures[i])
	}
	if err := models.Verify(c.Models); err != nil {
		return err
	}
	engine, err := dlib.Open(ctx, c.Models, 1)
	if err != nil {
		return err
	}
	defer engine.Close()
	estimator, err := openEstimator(c.Models, 1)
	if err != nil {
		return err
	}
	defer estimator.Close()
	options.Finder = engine
	options.Judge = func(ctx context.Context, p *photo.Photo, angle int, found face.Detection) ([]face.Flaw, bool, error) {
		embedding, ok, err := engine.Embed(ctx, p, angle, found.Box)
		if err != nil || !ok {
			return nil, false, err
		}
		shown, err := estimator.Describe(ctx, embedding, float64(found.Box.Dx())*p.Scale(), found.Score)
		return shown.Flaws, true, err
	}
	progress := newBenchProgress(to.err)
	options.Progress = progress.tell
	rows, err := bench.Detect(ctx, options)
	progress.finish()
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(to.out).Encode(rows)
	}
	return bench.WriteDetectTable(to.out, rows)
}

// kindsOf finds kinds of copies by their names; no name stands for all of them.
func kindsOf(names []string) (kinds []bench.Kind, err error) {
	if len(names) == 0 {
		return bench.Kinds, nil
	}
	for _, name := range names {
		before := len(kinds)
		for _, kind := range bench.Kinds {
			if kind.Name == name {
				kinds = append(kinds, kind)
			}
		}
		if len(kinds) == before {
			return nil, fmt.Errorf("%q is no kind of copy: the first column of the table has their names", name)
		}
	}
	return kinds, nil
}
