package policy

import (
	"fmt"

	"facesearch/pkg/face"
)

// LowFaceMatchSimilarity is the warning of a comparison whose faces are not alike enough.
const LowFaceMatchSimilarity Risk = "LOW_FACE_MATCH_SIMILARITY"

// ReviewBelow is the similarity in percent under which two faces are likely of different
// people: a comparison below it is not approved.
const ReviewBelow = 70.0

// A Side is one of the two pictures of a comparison.
type Side struct {
	Name     string        // what its sender calls it, such as ref_image
	Faces    int           // how many were found
	Template face.Template // of the largest; nil when there is none
}

// A Comparison is what a comparison of two pictures is answered with.
type Comparison struct {
	Status face.Status
	// Score is the similarity in percent with one decimal; nil when a picture has no face.
	Score    *float64
	Warnings []Warning
}

// Compare decides whether two pictures show the same person. Without a face in one of them,
// or with a score below declineBelow, it is declined; with a score below ReviewBelow it is
// to be reviewed; else it is approved. That a picture shows several faces has no effect on
// the status: documents often repeat their portrait in small.
func Compare(calibration Calibration, declineBelow float64, one, other Side) Comparison {
	comparison := Comparison{Status: face.Approved, Warnings: []Warning{}}
	for _, side := range []Side{one, other} {
		switch {
		case side.Template == nil:
			comparison.Status = face.Declined
			comparison.Warnings = append(comparison.Warnings, Warning{
				Risk: NoFaceDetected, Severity: face.ErrorLevel, Data: side.Name,
				Short: "No face was detected.",
				Long:  fmt.Sprintf("No face was found in %s, so nothing could be compared. Send a picture in which one face is large, upright and well lit, or set rotate_image when the picture may lie on its side.", side.Name),
			})
		case side.Faces > 1:
			comparison.Warnings = append(comparison.Warnings, Warning{
				Risk: MultipleFacesDetected, Severity: face.Information, Data: side.Name,
				Short: "More than one face was detected.",
				Long:  fmt.Sprintf("%d faces were found in %s. The largest one was compared.", side.Faces, side.Name),
			})
		}
	}
	if one.Template == nil || other.Template == nil {
		return comparison
	}
	score := Percentage(calibration.Similarity(one.Template.Distance(other.Template)))
	comparison.Score = &score
	if warning := lowSimilarity(score, declineBelow); warning != nil {
		comparison.Warnings = append(comparison.Warnings, *warning)
		comparison.Status = face.InReview
		if warning.Severity == face.ErrorLevel {
			comparison.Status = face.Declined
		}
	}
	return comparison
}

// lowSimilarity is nil when the faces are alike enough.
func lowSimilarity(score, declineBelow float64) *Warning {
	severity, limit := face.ErrorLevel, declineBelow
	if score >= declineBelow {
		if score >= ReviewBelow {
			return nil
		}
		severity, limit = face.Warning, ReviewBelow
	}
	return &Warning{
		Risk: LowFaceMatchSimilarity, Severity: severity,
		Short: "The faces are not alike enough.",
		Long:  fmt.Sprintf("The similarity of the two faces is below %v percent, so that they may be of different people.", limit),
	}
}
