package face

import "fmt"

// TemplateDim is the number of values in a template of DefaultModel.
const TemplateDim = 128

// TemplateDimMax is the most values that a template of any model may have.
const TemplateDimMax = 2048

// A Model is what made templates. Only templates of one model are ever compared.
type Model struct {
	// ID stands for everything that a template depends on: two models of one ID make the same
	// template of the same face.
	ID string `json:"id"`
	// Dim is how many values its templates have.
	Dim int `json:"dim"`
}

// DefaultModel is dlib's, whose weights have the SHA-256 that begins like this. What does not
// say which model it is of was made by it: there was no other once.
var DefaultModel = Model{ID: "dlib-55533b28a95800a5", Dim: TemplateDim}

// Accepts refuses a template that cannot be of the model.
func (m Model) Accepts(template Template) error {
	if err := template.Validate(); err != nil {
		return err
	}
	if len(template) != m.Dim {
		return fmt.Errorf("a template has %d values, and those of the model %s have %d", len(template), m.ID, m.Dim)
	}
	return nil
}
