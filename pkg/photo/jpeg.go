package photo

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image/jpeg"

	"facesearch/pkg/face"
	"facesearch/pkg/photo/internal/turbo"
)

const (
	// scansMax bounds the scans of a JPEG. Each is a pass over the canvas that takes time and
	// next to no bytes, so a small file can ask for hours. A usual progressive picture has ten.
	scansMax = 100
	// scannedPixelsMax bounds scans times pixels where there are several scans: 18 scans of
	// the largest picture, about two seconds.
	scannedPixelsMax = 18 * PixelsMax
	// slowScannedPixelsMax is the same for Go's decoder, also for a single scan.
	slowScannedPixelsMax = 5 * PixelsMax
	// slowProgressivePixelsMax bounds progressive pictures in Go's decoder, which keeps
	// four bytes for each coefficient.
	slowProgressivePixelsMax = 16_000_000
)

// Markers of ITU-T T.81, table B.1.
const (
	markerTEM  = 0x01
	markerSOF0 = 0xc0
	markerSOF2 = 0xc2
	markerDHT  = 0xc4
	markerJPG  = 0xc8
	markerDAC  = 0xcc
	markerSOFF = 0xcf
	markerRST0 = 0xd0
	markerSOI  = 0xd8
	markerEOI  = 0xd9
	markerSOS  = 0xda
	markerAPP1 = 0xe1
)

func decodeJPEG(data []byte) (*Photo, error) {
	outline := outlineOf(data)
	header, err := turbo.ReadHeader(data)
	if err != nil {
		return decodeSlowly(data, outline.progressive)
	}
	if err := checkSize(header.Width, header.Height, PixelsMax); err != nil {
		return nil, err
	}
	if err := checkScans(outline.scans, header.Width*header.Height, scannedPixelsMax); err != nil {
		return nil, err
	}
	scale := scaleOf(max(header.Width, header.Height))
	picture, err := turbo.Decode(data, header, scale)
	if errors.Is(err, turbo.ErrCutOff) {
		// Go's decoder refuses these as well, after doing all of its work.
		return nil, damaged(JPEG, err)
	}
	if err != nil {
		return decodeSlowly(data, outline.progressive)
	}
	return &Photo{Width: header.Width, Height: header.Height, scale: scale, pixels: planesOfTurbo(picture)}, nil
}

// decodeSlowly leaves the decision to Go's decoder: for CMYK and RGB, for unusual sampling,
// and for pictures that libjpeg complained about, of which it refuses the broken ones.
func decodeSlowly(data []byte, progressive bool) (*Photo, error) {
	config, err := jpeg.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, damaged(JPEG, err)
	}
	pixelsMax := PixelsMax
	if progressive {
		pixelsMax = slowProgressivePixelsMax
	}
	if err := checkSize(config.Width, config.Height, pixelsMax); err != nil {
		return nil, err
	}
	if err := checkScans(scansOf(data), config.Width*config.Height, slowScannedPixelsMax); err != nil {
		return nil, err
	}
	decoded, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, damaged(JPEG, err)
	}
	return &Photo{Width: config.Width, Height: config.Height, scale: 1, pixels: planesOf(decoded)}, nil
}

func checkScans(scans, pixels, scannedPixelsMax int) error {
	if scans <= scansMax && scans*pixels <= scannedPixelsMax {
		return nil
	}
	return face.Invalid("The JPEG picture has too many scans for its size: save it again as an ordinary JPEG.")
}

// scaleOf is the largest of 1, 2, 4 and 8 that leaves the longest side DecodeSideMin. Of
// libjpeg-turbo's sixteen scales these are the fast ones.
func scaleOf(longest int) int {
	scale := 8
	for scale > 1 && (longest+scale-1)/scale < DecodeSideMin {
		scale /= 2
	}
	return scale
}

// An outline is what the markers of a JPEG tell before anything is decoded.
type outline struct {
	progressive bool
	// scans is the number of scans when there can be many, up to scansMax + 1, else 1.
	scans int
}

func outlineOf(data []byte) outline {
	result := outline{scans: 1}
	components := 0
	eachSegment(data, func(marker byte, segment []byte) bool {
		if isFrame(marker) && len(segment) >= 6 {
			// SOF2, 6, 10 and 14 are the progressive ones.
			result.progressive = marker&3 == markerSOF2&3
			components = int(segment[5])
		}
		if marker != markerSOS {
			return true
		}
		// A baseline scan with every component is the only one: libjpeg fails at another.
		if result.progressive || len(segment) == 0 || int(segment[0]) < components {
			result.scans = scansOf(data)
		}
		return false
	})
	return result
}

func isFrame(marker byte) bool {
	return marker >= markerSOF0 && marker <= markerSOFF &&
		marker != markerDHT && marker != markerJPG && marker != markerDAC
}

// scansOf counts the scans, up to scansMax + 1.
func scansOf(data []byte) int {
	scans := 0
	eachSegment(data, func(marker byte, _ []byte) bool {
		if marker == markerSOS {
			scans++
		}
		return scans <= scansMax
	})
	return scans
}

// eachSegment calls visit with the marker and content of each segment until it returns
// false. What lies between segments, entropy-coded data above all, is skipped.
func eachSegment(data []byte, visit func(marker byte, segment []byte) bool) {
	for {
		start := bytes.IndexByte(data, 0xff)
		if start < 0 || len(data) < start+4 {
			return
		}
		data = data[start+1:]
		marker := data[0]
		switch {
		case marker == 0xff:
			continue // A fill byte; the next one may be the marker.
		case marker == 0 || marker == markerTEM || marker >= markerRST0 && marker <= markerSOI:
			data = data[1:]
			continue
		case marker == markerEOI:
			return
		}
		size := int(binary.BigEndian.Uint16(data[1:]))
		if size < 2 {
			return
		}
		end := min(1+size, len(data))
		if !visit(marker, data[3:end]) {
			return
		}
		data = data[end:]
	}
}
