package photo

import (
	"encoding/binary"

	"facesearch/pkg/face"
)

// Tags of TIFF 6.0, of the directory that x/image reads: the first.
const (
	tagImageWidth      = 256
	tagImageLength     = 257
	tagRowsPerStrip    = 278
	tagStripByteCounts = 279
	tagTileWidth       = 322
	tagTileLength      = 323
	tagTileByteCounts  = 325
)

const (
	// blocksMax bounds the strips or tiles; each costs a new decompressor.
	blocksMax = sideMax
	// blockPixelsMax bounds one strip or tile, which is decompressed in one piece.
	blockPixelsMax = 16_000_000
	// readsMax is how often the compressed bytes may be read in total. Honest strips do not
	// overlap; 65,535 strips over the same 5 MB would take hours.
	readsMax = 2
	// paddingMax is how many times as large as the picture its padded tiles may be, beside
	// blockPixelsMax, which lets small pictures have large tiles.
	paddingMax = 2
)

// A directory is what checkBlocks reads of a TIFF's first directory.
type directory struct {
	data  []byte
	order binary.ByteOrder
	// entries holds the 12 bytes of each entry, in the file's order.
	entries []byte
}

// checkBlocks refuses a TIFF whose strips or tiles would take more time or memory than its
// pixels justify. The size was checked before.
func checkBlocks(data []byte) error {
	d := firstDirectory(data)
	width, height := d.number(tagImageWidth), d.number(tagImageLength)
	blockWidth, blockHeight := width, d.number(tagRowsPerStrip)
	if blockHeight == 0 || blockHeight > height {
		blockHeight = height
	}
	counts := tagStripByteCounts
	if d.number(tagTileWidth) != 0 {
		blockWidth, blockHeight = d.number(tagTileWidth), d.number(tagTileLength)
		counts = tagTileByteCounts
	}
	if width == 0 || height == 0 || blockWidth == 0 || blockHeight == 0 ||
		blockWidth > blockPixelsMax || blockHeight > blockPixelsMax {
		return face.Invalid("The TIFF picture is damaged: its strips or tiles have no usable size.")
	}
	blocks := ceilDiv(width, blockWidth) * ceilDiv(height, blockHeight)
	blockPixels := blockWidth * blockHeight
	if blocks > blocksMax || blockPixels > blockPixelsMax ||
		blocks*blockPixels > paddingMax*width*height+blockPixelsMax {
		return face.Invalid("The TIFF picture is stored in strips or tiles of an unusual size: save it as a JPEG or PNG.")
	}
	if d.sum(counts, blocks) > readsMax*uint64(len(data)) {
		return face.Invalid("The TIFF picture is damaged: its strips or tiles have more bytes than the file.")
	}
	return nil
}

// firstDirectory never fails: what does not lie within the data has no entries.
func firstDirectory(data []byte) directory {
	d := directory{data: data, order: binary.LittleEndian}
	if len(data) < 8 {
		return d
	}
	if data[0] == 'M' {
		d.order = binary.BigEndian
	}
	entries := d.at(uint64(d.order.Uint32(data[4:])), 2)
	if entries == nil {
		return d
	}
	d.entries = d.at(uint64(d.order.Uint32(data[4:]))+2, 12*uint64(d.order.Uint16(entries)))
	return d
}

func (d directory) at(offset, size uint64) []byte {
	if offset > uint64(len(d.data)) || size > uint64(len(d.data))-offset {
		return nil
	}
	return d.data[offset : offset+size]
}

// values returns where the values of a tag are, their number and the bytes of each.
func (d directory) values(tag int) (values []byte, count, width uint64) {
	for entries := d.entries; len(entries) >= 12; entries = entries[12:] {
		if int(d.order.Uint16(entries)) != tag {
			continue
		}
		width = [...]uint64{1: 1, 3: 2, 4: 4, 12: 0}[min(d.order.Uint16(entries[2:]), 12)]
		count = uint64(d.order.Uint32(entries[4:]))
		if width*count <= 4 {
			return entries[8:12], count, width
		}
		return d.at(uint64(d.order.Uint32(entries[8:])), width*count), count, width
	}
	return nil, 0, 0
}

// number is a tag's first value, 0 when it has none.
func (d directory) number(tag int) uint64 { return d.sum(tag, 1) }

// sum adds the first countMax values of a tag.
func (d directory) sum(tag int, countMax uint64) uint64 {
	values, count, width := d.values(tag)
	var sum uint64
	for i := range min(count, countMax) {
		if (i+1)*width > uint64(len(values)) {
			break
		}
		switch value := values[i*width:]; width {
		case 1:
			sum += uint64(value[0])
		case 2:
			sum += uint64(d.order.Uint16(value))
		case 4:
			sum += uint64(d.order.Uint32(value))
		}
	}
	return sum
}

func ceilDiv(a, b uint64) uint64 { return (a + b - 1) / b }
