package policy

import (
	"fmt"
	"strings"

	"facesearch/pkg/face"
)

// LowQualityPortraitImage is the warning of an enrolment whose face is hard to compare.
const LowQualityPortraitImage Risk = "LOW_QUALITY_PORTRAIT_IMAGE"

// Enrolment decides whether a face may be enrolled, and what its sender is told. flaws are
// its flaws in words, as Describe and the Data of LowQualitySearchImage have them, and empty
// when it has none; picture is what its sender calls the picture. CodeInvalid: it may not.
func Enrolment(rule face.EnrolQuality, flaws, picture string) ([]Warning, error) {
	if flaws == "" || rule == face.EnrolAccept {
		return []Warning{}, nil
	}
	if rule == face.EnrolRefuse {
		return nil, face.Invalid("The face in %s is of low quality: %s. Send a better picture, or let the setting enrol_quality be warn.", picture, flaws)
	}
	return []Warning{{
		Risk: LowQualityPortraitImage, Severity: face.Information, Data: flaws,
		Short: "The enrolled picture has low quality.",
		Long:  "The face in the picture was enrolled although it is of low quality, so that searches may miss it. The reasons are named in additional_data; a better picture of the same person can be enrolled beside it.",
	}}, nil
}

// Flaws is the Data of LowQualitySearchImage among the warnings, empty when there is none.
func Flaws(warnings []Warning) string {
	for _, warning := range warnings {
		if warning.Risk == LowQualitySearchImage {
			return warning.Data
		}
	}
	return ""
}

// Describe names each flaw with its measured value and the limit that it crossed, such as
// "blurred (8.1, limit 12)".
func Describe(flaws []face.Flaw) string {
	words := make([]string, len(flaws))
	for i, flaw := range flaws {
		words[i] = fmt.Sprintf("%s (%.4g, limit %.4g)", flaw.Reason, flaw.Value, flaw.Limit)
	}
	return strings.Join(words, ", ")
}
