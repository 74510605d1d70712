package photo

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"

	"github.com/bep/imagemeta"
)

const (
	// exifBytesMax bounds the block of metadata that is looked at. In a JPEG it cannot be
	// larger, and the orientation comes early.
	exifBytesMax = 64 * 1024
	// exifReadBytesMax and exifSeeksMax bound the work of the reader, which follows offsets
	// that a stranger wrote. It reads 4 kB ahead after each seek.
	exifReadBytesMax = 8 * 1024 * 1024
	exifSeeksMax     = 2000
	exifTagsMax      = 1000
	// exifTagBytesMax leaves out the values that are no orientation before they are read.
	exifTagBytesMax = 16
)

// upright is the EXIF orientation of a picture that needs no turning.
const upright = 1

// orientationOf reads the EXIF orientation, 1 to 8. Metadata that is missing or broken
// never refuses a picture: it is taken as upright.
func orientationOf(format Format, data []byte) int {
	block := exifOf(format, data)
	// Some writers keep JPEG's prefix in the other formats.
	block = bytes.TrimPrefix(block, []byte("Exif\x00\x00"))
	if len(block) < 8 {
		return upright
	}
	return orientationIn(block)
}

// exifOf is the EXIF block, which is laid out as a TIFF; nil when there is none.
func exifOf(format Format, data []byte) []byte {
	switch format {
	case JPEG:
		return exifOfJPEG(data)
	case PNG:
		return bounded(chunk(data[8:], "eXIf", binary.BigEndian))
	case WebP:
		return bounded(chunk(data[12:], "EXIF", binary.LittleEndian))
	}
	return data
}

func bounded(block []byte) []byte { return block[:min(len(block), exifBytesMax)] }

func exifOfJPEG(data []byte) []byte {
	var block []byte
	eachSegment(data, func(marker byte, segment []byte) bool {
		if marker == markerAPP1 && bytes.HasPrefix(segment, []byte("Exif\x00\x00")) {
			block = segment
		}
		return block == nil && marker != markerSOS
	})
	return block
}

// chunk finds a chunk by its name. PNG puts a big-endian size before the name and a
// checksum of four bytes behind the content; WebP puts a little-endian size behind the name
// and fills up to an even number of bytes.
func chunk(data []byte, name string, order binary.ByteOrder) []byte {
	isPNG := order == binary.BigEndian
	for len(data) >= 8 {
		found, size := string(data[:4]), uint64(order.Uint32(data[4:]))
		behind := size % 2
		if isPNG {
			found, size = string(data[4:8]), uint64(order.Uint32(data))
			behind = 4
		}
		data = data[8:]
		if found == name {
			return data[:min(size, uint64(len(data)))]
		}
		data = data[min(size+behind, uint64(len(data))):]
	}
	return nil
}

// orientationIn reads tag 274 of the first directory of a TIFF.
func orientationIn(block []byte) (orientation int) {
	orientation = upright
	defer func() {
		if recover() != nil {
			orientation = upright
		}
	}()
	isOrientation := func(tag imagemeta.TagInfo) bool {
		return tag.Tag == "Orientation" && tag.Namespace == "IFD0"
	}
	// The error says that the metadata is broken, or that the bounds were reached; what was
	// found before is still good.
	_, _ = imagemeta.Decode(imagemeta.Options{
		R:               &boundedReader{Reader: bytes.NewReader(block)},
		ImageFormat:     imagemeta.TIFF,
		Sources:         imagemeta.EXIF,
		LimitNumTags:    exifTagsMax,
		LimitTagSize:    exifTagBytesMax,
		ShouldHandleTag: isOrientation,
		HandleTag: func(tag imagemeta.TagInfo) error {
			orientation = orientationFrom(tag.Value)
			return imagemeta.ErrStopWalking
		},
	})
	return orientation
}

func orientationFrom(value any) int {
	var orientation int
	switch value := value.(type) {
	case uint8:
		orientation = int(value)
	case uint16:
		orientation = int(value)
	case uint32:
		orientation = int(min(value, 9))
	}
	if orientation < 1 || orientation > 8 {
		return upright
	}
	return orientation
}

var errTooMuchReading = errors.New("photo: the metadata makes its reader read too much")

// A boundedReader fails after so many bytes and seeks.
type boundedReader struct {
	*bytes.Reader
	readBytes, seeks int
}

func (r *boundedReader) Read(into []byte) (int, error) {
	n, err := r.Reader.Read(into)
	r.readBytes += n
	if r.readBytes > exifReadBytesMax {
		return n, errTooMuchReading
	}
	return n, err
}

func (r *boundedReader) Seek(offset int64, whence int) (int64, error) {
	r.seeks++
	if r.seeks > exifSeeksMax {
		return 0, errTooMuchReading
	}
	return r.Reader.Seek(offset, whence)
}

var _ io.ReadSeeker = (*boundedReader)(nil)
