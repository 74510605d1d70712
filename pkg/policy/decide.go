package policy

import (
	"fmt"
	"strings"

	"facesearch/pkg/face"
)

// A Risk names a warning, spelled as clients see it.
type Risk string

// The risks.
const (
	NoFaceDetected        Risk = "NO_FACE_DETECTED"
	FaceInBlocklist       Risk = "FACE_IN_BLOCKLIST"
	MultipleFacesDetected Risk = "MULTIPLE_FACES_DETECTED"
	LowQualitySearchImage Risk = "LOW_QUALITY_SEARCH_IMAGE"
	// ApproximateSearch is our own: an index that may miss neighbours answered.
	ApproximateSearch Risk = "APPROXIMATE_SEARCH"
	// SmallGallery is our own: expected_false_matches had to be taken from the calibration.
	SmallGallery Risk = "SMALL_GALLERY"
)

// A Warning is one thing that a person should know of a search.
type Warning struct {
	Risk     Risk          `json:"risk"`
	Severity face.Severity `json:"severity"`
	// Data says more, in words; empty where there is no more to say.
	Data  string `json:"data"`
	Short string `json:"short"`
	Long  string `json:"long"`
}

// A Match is a candidate at or above the threshold, with its similarity in percent.
type Match struct {
	Session    face.Session
	Similarity float64
	// Expected is how many strangers are expected as near as this; nil when nobody asked.
	Expected *float64
}

// Evidence is what the earlier steps found out about one search.
type Evidence struct {
	Faces      []face.Face // every face found, the searched one first
	Flaws      []face.Flaw // of the searched face
	Candidates face.Candidates
	// Strangers is nil when nobody asked how many strangers are expected. Then Crowds are those
	// of Candidates.List, in its order.
	Strangers *Strangers
	Crowds    []face.Crowd
}

// A Decision is what a search is answered with.
type Decision struct {
	Status   face.Status
	Matches  []Match // at most MaxMatches of the settings
	Total    int     // all matches, listed or not
	Warnings []Warning
}

// Decide applies the settings to the evidence. A blocklisted match, or a warning of severity
// error, declines; else a match leads to the settings' match action, and a warning of
// severity warning to a review at least; else the search is approved. Without a face nothing
// was searched, so there are no matches.
func Decide(settings face.Settings, calibration Calibration, evidence Evidence) Decision {
	if len(evidence.Faces) == 0 {
		evidence.Candidates = face.Candidates{Exact: true}
	}
	if len(evidence.Faces) > 0 && evidence.Strangers != nil && settings.MatchRule == face.ByExpectedFalseMatches {
		evidence = evidence.within(settings.ExpectedFalseMatches)
	}
	decision := Decision{Matches: []Match{}, Total: evidence.Candidates.Total}
	for i, candidate := range evidence.Candidates.List {
		if i == settings.MaxMatches {
			break
		}
		match := Match{Session: candidate.Session, Similarity: Percentage(calibration.Similarity(candidate.Distance))}
		if evidence.Strangers != nil {
			match.Expected = new(evidence.Strangers.Expected(candidate.Distance, evidence.Crowds[i]))
		}
		decision.Matches = append(decision.Matches, match)
	}
	decision.Warnings = warnings(settings, evidence)
	decision.Status = status(settings, decision)
	return decision
}

// within leaves the candidates as near as which at most so many strangers are expected. All
// candidates that may be among them have to be listed.
func (e Evidence) within(expected float64) Evidence {
	kept := face.Candidates{List: []face.Candidate{}, Exact: e.Candidates.Exact}
	var crowds []face.Crowd
	for i, candidate := range e.Candidates.List {
		if e.Strangers.Expected(candidate.Distance, e.Crowds[i]) > expected {
			continue
		}
		kept.Total++
		kept.List, crowds = append(kept.List, candidate), append(crowds, e.Crowds[i])
		if candidate.Session.Blocklisted {
			kept.Blocklisted = append(kept.Blocklisted, candidate)
		}
	}
	e.Candidates, e.Crowds = kept, crowds
	return e
}

func status(settings face.Settings, decision Decision) face.Status {
	worst := face.Approved
	raise := func(to face.Status) {
		if rank(to) > rank(worst) {
			worst = to
		}
	}
	if decision.Total > 0 {
		raise(settings.MatchAction)
	}
	for _, warning := range decision.Warnings {
		switch warning.Severity {
		case face.ErrorLevel:
			raise(face.Declined)
		case face.Warning:
			raise(face.InReview)
		}
	}
	return worst
}

func rank(status face.Status) int {
	switch status {
	case face.Declined:
		return 2
	case face.InReview:
		return 1
	}
	return 0
}

func warnings(settings face.Settings, evidence Evidence) []Warning {
	list := []Warning{}
	if len(evidence.Faces) == 0 {
		return append(list, Warning{
			Risk: NoFaceDetected, Severity: face.ErrorLevel,
			Short: "No face was detected.",
			Long:  "No face was found in the image, so nothing could be searched. Send a picture in which one face is large, upright and well lit, or set rotate_image when the picture may lie on its side.",
		})
	}
	for _, candidate := range evidence.Candidates.Blocklisted {
		list = append(list, Warning{
			Risk: FaceInBlocklist, Severity: face.ErrorLevel, Data: candidate.Session.ID,
			Short: "The face is on the blocklist.",
			Long:  "The face matches a face that was put on the blocklist, so the search is declined. The session it matches is named in additional_data.",
		})
	}
	if len(evidence.Faces) > 1 {
		severity := settings.MultipleFacesSeverity
		if settings.AllowMultipleFaces {
			severity = face.Information
		}
		list = append(list, Warning{
			Risk: MultipleFacesDetected, Severity: severity,
			Short: "More than one face was detected.",
			Long:  fmt.Sprintf("%d faces were found in the image and it is unclear which one is meant. The largest one was searched.", len(evidence.Faces)),
		})
	}
	if len(evidence.Flaws) > 0 {
		list = append(list, Warning{
			Risk: LowQualitySearchImage, Severity: settings.LowQualitySeverity, Data: describe(evidence.Flaws),
			Short: "The search image has low quality.",
			Long:  "The face in the search image is of low quality, which may lower the accuracy of the match. The reasons are named in additional_data.",
		})
	}
	if evidence.Strangers != nil && evidence.Strangers.Calibrated() {
		list = append(list, Warning{
			Risk: SmallGallery, Severity: face.Information,
			Short: "The gallery is too small to count its strangers.",
			Long:  fmt.Sprintf("With fewer than %d sessions the expected false matches cannot be told from the gallery itself, so they follow from the model's calibration.", crowdRowsMin),
		})
	}
	if !evidence.Candidates.Exact {
		list = append(list, Warning{
			Risk: ApproximateSearch, Severity: face.Information,
			Short: "The search was approximate.",
			Long:  "The index that this server was set to use may miss sessions that match. Start the server with the exact index to be sure that none is missed; the blocklist was searched exactly.",
		})
	}
	return list
}

// describe names each flaw with its measured value and the limit that it crossed, such as
// "blurred (8.1, limit 12)".
func describe(flaws []face.Flaw) string {
	words := make([]string, len(flaws))
	for i, flaw := range flaws {
		words[i] = fmt.Sprintf("%s (%.4g, limit %.4g)", flaw.Reason, flaw.Value, flaw.Limit)
	}
	return strings.Join(words, ", ")
}

// MaskDocumentNumber hides all but the last three characters; a number of fewer than five
// characters is hidden whole. An empty one stays empty.
func MaskDocumentNumber(number string) string {
	characters := []rune(number)
	switch {
	case len(characters) == 0:
		return ""
	case len(characters) < 5:
		return "***"
	}
	return "***" + string(characters[len(characters)-3:])
}
