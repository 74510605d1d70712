package policy_test

import "facesearch/pkg/facetest"

// dlib is the calibration that the server uses.
var dlib = facetest.Calibration()
