package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"image"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"facesearch/models"
	"facesearch/pkg/accuracy"
	"facesearch/pkg/bench"
	"facesearch/pkg/face"
	"facesearch/pkg/photo"
	"facesearch/pkg/policy"
	"facesearch/pkg/search"
)

type evaluateCommand struct {
	benchOutput  `embed:""`
	Source       string       `arg:"" optional:"" help:"Folder of folders named by person, or with a manifest.csv; or CSV file with a heading that says which picture shows whom." placeholder:"FOLDER|CSV"`
	FileColumn   string       `help:"Column of the CSV file with the picture's file, relative to the CSV file." default:"file"`
	PersonColumn string       `help:"Column of the CSV file that names the person; person or identity when left out."`
	CohortColumn string       `help:"Column of the CSV file with the person's group, for error rates by group." default:"cohort"`
	Nobody       string       `help:"Name that stands for nobody, as an empty one does: pictures in which no face should be found." default:"(none)"`
	Templates    string       `help:"In place of pictures, a CSV file of templates, also .csv.gz, with the columns person, x0, x1, …" placeholder:"FILE"`
	Rotate       bool         `help:"Look for faces at any angle."`
	Expected     float64      `help:"Strangers that a search may return, for the threshold that is chosen." default:"0.1"`
	Gallery      int          `help:"People enrolled, for the threshold that is chosen; 0: as many as are evaluated." default:"0"`
	Sizes        []int        `help:"Also search galleries of these sizes, filled up with synthetic strangers."`
	Seed         uint64       `help:"Seed of the synthetic strangers." default:"1"`
	Embedder     embedderName `help:"Model that makes templates, as for serve." default:"dlib" placeholder:"NAME"`
	Models       string       `help:"Directory of the model files." default:"models/files" placeholder:"DIR"`
	Workers      int          `help:"Pictures worked on at once." default:"${workers}"`
}

// Validate refuses what no evaluation could begin with.
func (c *evaluateCommand) Validate() error {
	switch {
	case c.Expected <= 0 || c.Gallery < 0 || c.Workers < 1 || slices.ContainsFunc(c.Sizes, func(n int) bool { return n < 1 }):
		return errors.New("--expected, --workers and --sizes are above 0, and --gallery is not below it")
	case c.Templates != "" && c.Source != "":
		return errors.New("name either pictures or --templates, not both")
	case c.Templates == "" && c.Source == "":
		return errors.New("name a folder or a CSV file of pictures, or --templates")
	}
	return nil
}

// Run evaluates the model in this process, without a server or a store.
func (c *evaluateCommand) Run(ctx context.Context, to streams) error {
	progress := newBenchProgress(to.err)
	defer progress.finish()
	input, calibration, err := c.input(ctx, c.logger(to.err), progress.tell)
	if err != nil {
		return err
	}
	report, err := accuracy.Evaluate(ctx, input, accuracy.Options{
		Calibration: calibration, Expected: c.Expected, Gallery: c.Gallery, Sizes: c.Sizes, Seed: c.Seed, Progress: progress.tell,
	})
	if err != nil {
		return err
	}
	progress.finish()
	return c.write(to, report, nil)
}

func (c *evaluateCommand) logger(to io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(to, nil))
}

// input is what is evaluated, and what the distances in it mean.
func (c *evaluateCommand) input(ctx context.Context, log *slog.Logger, progress bench.Progress) (*accuracy.Input, policy.Calibration, error) {
	if c.Templates != "" {
		calibration, err := dlibCalibration()
		if err != nil {
			return nil, calibration, err
		}
		input, err := templatesInput(c.Templates)
		return input, calibration, err
	}
	labels, err := c.labels()
	if err != nil {
		return nil, policy.Calibration{}, err
	}
	if err := models.Verify(c.Models); err != nil {
		return nil, policy.Calibration{}, err
	}
	opened, err := openEmbedder(ctx, c.Embedder, c.Models, c.Workers, log)
	if err != nil {
		return nil, policy.Calibration{}, err
	}
	defer opened.close()
	input, err := c.look(ctx, opened.Engine, labels, progress)
	return input, opened.Calibration, err
}

// templatesInput reads templates that were made before.
func templatesInput(file string) (*accuracy.Input, error) {
	templates, err := bench.ReadTemplates(file, face.TemplateDim)
	if err != nil {
		return nil, err
	}
	if templates.Dim != face.TemplateDim {
		return nil, fmt.Errorf("%s: templates have %d values here, not %d", file, face.TemplateDim, templates.Dim)
	}
	input := &accuracy.Input{Name: templates.Name}
	for number, pictures := range templates.People {
		for at, values := range pictures {
			input.Pictures = append(input.Pictures, accuracy.Picture{
				Person: fmt.Sprint(number), File: fmt.Sprintf("person %d, template %d", number+1, at+1), Template: face.Template(values),
			})
		}
	}
	return input, nil
}

// A label says whom a picture shows.
type label struct{ file, path, person, cohort string }

// manifestName is the CSV file that speaks for the folder that it is in.
const manifestName = "manifest.csv"

func (c *evaluateCommand) labels() ([]label, error) {
	table := c.Source
	info, err := os.Stat(c.Source)
	if err == nil && info.IsDir() {
		table = filepath.Join(c.Source, manifestName)
	}
	file, err := os.Open(table)
	if err == nil {
		defer file.Close()
		return c.csvLabels(file, filepath.Dir(table))
	}
	if info == nil || !info.IsDir() || !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	entries, err := folderEntries(c.Source)
	if err != nil {
		return nil, err
	}
	var labels []label
	for _, each := range entries {
		inside, err := filepath.Rel(c.Source, each.file)
		if err != nil {
			return nil, err
		}
		labels = append(labels, label{file: inside, path: each.file, person: each.fields["vendor_data"]})
	}
	return labels, nil
}

func (c *evaluateCommand) csvLabels(from io.Reader, folder string) ([]label, error) {
	reader := csv.NewReader(from)
	heading, err := reader.Read()
	if err != nil {
		return nil, fmt.Errorf("the CSV file has no heading: %w", err)
	}
	heading[0] = strings.TrimPrefix(heading[0], "\ufeff")
	column := func(name string) int { return slices.Index(heading, name) }
	file, person, cohort := column(c.FileColumn), column(c.PersonColumn), column(c.CohortColumn)
	if c.PersonColumn == "" {
		person = slices.IndexFunc(heading, func(name string) bool { return name == "person" || name == "identity" })
	}
	if file < 0 || person < 0 {
		return nil, fmt.Errorf("the CSV file has the columns %s: name those of the file and of the person with --file-column and --person-column", strings.Join(heading, ", "))
	}
	var labels []label
	for {
		row, err := reader.Read()
		if err == io.EOF {
			return labels, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading the CSV file: %w", err)
		}
		each := label{file: row[file], path: row[file], person: row[person]}
		if cohort >= 0 {
			each.cohort = row[cohort]
		}
		if !filepath.IsAbs(each.path) {
			each.path = filepath.Join(folder, each.path)
		}
		labels = append(labels, each)
	}
}

// look makes the templates, with all workers.
func (c *evaluateCommand) look(ctx context.Context, engine search.Engine, labels []label, progress bench.Progress) (*accuracy.Input, error) {
	seen := make([]evaluated, len(labels))
	work := make(chan int)
	var group sync.WaitGroup
	for range c.Workers {
		group.Go(func() {
			for i := range work {
				seen[i] = c.see(ctx, engine, labels[i])
			}
		})
	}
	for i := range labels {
		progress("making templates", i, len(labels))
		work <- i
	}
	close(work)
	group.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	input := &accuracy.Input{Name: filepath.Base(c.Source)}
	for i, each := range seen {
		switch nobody := labels[i].person == "" || labels[i].person == c.Nobody; {
		case nobody:
			input.Empty++
			if each.faces > 0 {
				input.EmptyFaces = append(input.EmptyFaces, labels[i].file)
			}
		case each.reason != "":
			input.Failures = append(input.Failures, accuracy.Failure{File: labels[i].file, Reason: each.reason})
		default:
			input.Pictures = append(input.Pictures, accuracy.Picture{
				Person: labels[i].person, Cohort: labels[i].cohort, File: labels[i].file, Template: each.template, Thumb: each.thumb,
			})
		}
	}
	return input, nil
}

// evaluated is what was seen in one picture; reason says why it cannot be used.
type evaluated struct {
	faces    int
	template face.Template
	thumb    []byte
	reason   string
}

// The face as the report shows it.
const (
	thumbSide    = 112 // px
	thumbMargin  = 0.25
	thumbQuality = 75 // of the JPEG
)

// see does what a server does with a picture that is enrolled.
func (c *evaluateCommand) see(ctx context.Context, engine search.Engine, picture label) evaluated {
	failed := func(err error) evaluated { return evaluated{reason: err.Error()} }
	data, err := os.ReadFile(picture.path)
	if err != nil {
		return failed(err)
	}
	decoded, err := photo.Decode(data)
	if err != nil {
		return failed(err)
	}
	found, err := engine.Find(ctx, decoded, c.Rotate)
	if err != nil {
		return failed(err)
	}
	switch len(found.Faces) {
	case 0:
		return evaluated{reason: "no face was found"}
	case 1:
	default:
		return evaluated{faces: len(found.Faces), reason: fmt.Sprintf("%d faces were found, and it is unclear whose the person is", len(found.Faces))}
	}
	box := found.Faces[0].Box
	embedding, ok, err := engine.Embed(ctx, decoded, found.Angle, box)
	if err != nil {
		return failed(err)
	}
	if !ok {
		return evaluated{reason: "no face was found"}
	}
	seen := evaluated{faces: 1, template: embedding.Template}
	if c.HTML != "" {
		seen.thumb, err = photo.JPEGOf(decoded, grownBox(box), found.Angle, thumbSide, thumbQuality)
		if err != nil {
			return failed(err)
		}
	}
	return seen
}

func grownBox(box image.Rectangle) image.Rectangle {
	return box.Inset(-int(thumbMargin * float64(box.Dx())))
}
