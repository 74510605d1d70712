// Package turbo decodes and encodes JPEG through libjpeg-turbo's TurboJPEG API.
//
// Decoding yields the planes as they are in the file (luma and two chroma planes, not
// upsampled, not converted), optionally at 1/2, 1/4 or 1/8 of the size, which skips most
// of the work. A codec is made and destroyed within each call: that costs microseconds
// beside milliseconds of decoding, and there is nothing to leak or to share.
package turbo

/*
#cgo LDFLAGS: -lturbojpeg
#include <stdio.h>
#include <turbojpeg.h>

// Copies the reason of a failure to where Go can read it after the codec is gone.
static int failed(tjhandle codec, char *reason, size_t reasonSize) {
	snprintf(reason, reasonSize, "%s", tjGetErrorStr2(codec));
	if (codec) tjDestroy(codec);
	return -1;
}

static int readHeader(const unsigned char *data, unsigned long size,
		int *width, int *height, int *subsampling, int *colours,
		char *reason, size_t reasonSize) {
	tjhandle codec = tjInitDecompress();
	if (!codec) return failed(codec, reason, reasonSize);
	if (tjDecompressHeader3(codec, data, size, width, height, subsampling, colours) != 0)
		return failed(codec, reason, reasonSize);
	tjDestroy(codec);
	return 0;
}

// The planes are separate arguments because cgo forbids passing an array of Go pointers.
static int decodePlanes(const unsigned char *data, unsigned long size,
		unsigned char *y, unsigned char *cb, unsigned char *cr,
		int width, int height, char *reason, size_t reasonSize) {
	unsigned char *planes[3] = {y, cb, cr};
	tjhandle codec = tjInitDecompress();
	if (!codec) return failed(codec, reason, reasonSize);
	if (tjDecompressToYUVPlanes(codec, data, size, planes, width, NULL, height,
			TJFLAG_STOPONWARNING | TJFLAG_LIMITSCANS) != 0)
		return failed(codec, reason, reasonSize);
	tjDestroy(codec);
	return 0;
}

static int encode(const unsigned char *pixels, int width, int stride, int height,
		int subsampling, int quality, int flags,
		unsigned char *jpeg, unsigned long *size, char *reason, size_t reasonSize) {
	tjhandle codec = tjInitCompress();
	if (!codec) return failed(codec, reason, reasonSize);
	if (tjCompress2(codec, pixels, width, stride, height, TJPF_RGBX, &jpeg, size,
			subsampling, quality, TJFLAG_NOREALLOC | TJFLAG_ACCURATEDCT | flags) != 0)
		return failed(codec, reason, reasonSize);
	tjDestroy(codec);
	return 0;
}
*/
import "C"

import (
	"errors"
	"fmt"
	"unsafe"
)

// ErrKind is returned for a JPEG whose colours or sampling TurboJPEG cannot give as
// planes of grey or YCbCr.
var ErrKind = errors.New("turbo: not a grey or YCbCr JPEG with usual sampling")

// ErrCutOff is returned when the data ends before the picture does.
var ErrCutOff = errors.New("turbo: premature end of the data")

// cutOff is libjpeg's message for JWRN_JPEG_EOF; TurboJPEG hands out no number for it.
const cutOff = "Premature end of JPEG file"

// reasonBytesMax is JMSG_LENGTH_MAX, the longest message of libjpeg.
const reasonBytesMax = 200

// A Subsampling says how many luma samples share a chroma sample.
type Subsampling int

// The subsamplings of TurboJPEG.
const (
	S444 Subsampling = C.TJSAMP_444
	S422 Subsampling = C.TJSAMP_422
	S420 Subsampling = C.TJSAMP_420
	Grey Subsampling = C.TJSAMP_GRAY
	S440 Subsampling = C.TJSAMP_440
	S411 Subsampling = C.TJSAMP_411
)

// Factors is how many luma samples wide and high a chroma sample is.
func (s Subsampling) Factors() (horizontal, vertical int) {
	switch s {
	case S422:
		return 2, 1
	case S420:
		return 2, 2
	case S440:
		return 1, 2
	case S411:
		return 4, 1
	}
	return 1, 1
}

// A Header is what a JPEG says of itself.
type Header struct {
	Width, Height int
	Subsampling   Subsampling
}

// A Picture is a decoded JPEG. Each plane is tightly packed with its own stride; planes
// may be a little larger than the picture where its size is odd. A grey picture has only
// the first.
type Picture struct {
	Width, Height int
	Subsampling   Subsampling
	Planes        [3][]byte
	Strides       [3]int
}

// ReadHeader reads the header and allocates nothing for the pixels. It fails with ErrKind
// for what Decode cannot do.
func ReadHeader(data []byte) (Header, error) {
	if len(data) == 0 {
		return Header{}, ErrCutOff
	}
	var width, height, subsampling, colours C.int
	var reason [reasonBytesMax]C.char
	if C.readHeader(bytesOf(data), C.ulong(len(data)), &width, &height, &subsampling, &colours,
		&reason[0], reasonBytesMax) != 0 {
		return Header{}, failure(&reason)
	}
	header := Header{Width: int(width), Height: int(height), Subsampling: Subsampling(subsampling)}
	grey := colours == C.TJCS_GRAY && header.Subsampling == Grey
	colour := colours == C.TJCS_YCbCr && subsampling >= 0 && header.Subsampling != Grey
	if !grey && !colour {
		return header, ErrKind
	}
	return header, nil
}

// Decode decodes at 1/denominator of the size, rounded up; denominator is 1, 2, 4 or 8.
// Any warning is an error, so that what Decode returns is whole. The header is the one
// that ReadHeader returned for the same data.
func Decode(data []byte, header Header, denominator int) (*Picture, error) {
	picture := &Picture{
		Width:       (header.Width + denominator - 1) / denominator,
		Height:      (header.Height + denominator - 1) / denominator,
		Subsampling: header.Subsampling,
	}
	components := 3
	if header.Subsampling == Grey {
		components = 1
	}
	width, height := C.int(picture.Width), C.int(picture.Height)
	var planes [3]*C.uchar
	for i := range components {
		stride := C.tjPlaneWidth(C.int(i), width, C.int(header.Subsampling))
		size := C.tjPlaneSizeYUV(C.int(i), width, 0, height, C.int(header.Subsampling))
		if stride <= 0 || size == ^C.ulong(0) {
			return nil, fmt.Errorf("turbo: no plane of %d x %d", width, height)
		}
		picture.Planes[i] = make([]byte, size)
		picture.Strides[i] = int(stride)
		planes[i] = bytesOf(picture.Planes[i])
	}
	var reason [reasonBytesMax]C.char
	if C.decodePlanes(bytesOf(data), C.ulong(len(data)), planes[0], planes[1], planes[2],
		width, height, &reason[0], reasonBytesMax) != 0 {
		return nil, failure(&reason)
	}
	return picture, nil
}

// Encode makes a JPEG of pixels of four bytes, red, green, blue and one that is ignored.
func Encode(pixels []byte, width, height, stride int, subsampling Subsampling, quality int, progressive bool) ([]byte, error) {
	if width < 1 || height < 1 || stride < 4*width || len(pixels) < stride*(height-1)+4*width {
		return nil, fmt.Errorf("turbo: %d bytes are not %d x %d pixels", len(pixels), width, height)
	}
	var flags C.int
	if progressive {
		flags = C.TJFLAG_PROGRESSIVE
	}
	size := C.tjBufSize(C.int(width), C.int(height), C.int(subsampling))
	if size == ^C.ulong(0) {
		return nil, fmt.Errorf("turbo: no JPEG of %d x %d", width, height)
	}
	buffer := make([]byte, size)
	var reason [reasonBytesMax]C.char
	if C.encode(bytesOf(pixels), C.int(width), C.int(stride), C.int(height), C.int(subsampling),
		C.int(quality), flags, bytesOf(buffer), &size, &reason[0], reasonBytesMax) != 0 {
		return nil, failure(&reason)
	}
	// The buffer is sized for the worst case; keep only what was written.
	return append([]byte(nil), buffer[:size]...), nil
}

func bytesOf(data []byte) *C.uchar {
	return (*C.uchar)(unsafe.Pointer(unsafe.SliceData(data)))
}

func failure(reason *[reasonBytesMax]C.char) error {
	text := C.GoString(&reason[0])
	if text == cutOff {
		return ErrCutOff
	}
	return errors.New("turbo: " + text)
}
