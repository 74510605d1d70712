package bolt

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	bbolt "go.etcd.io/bbolt"

	"facesearch/pkg/face"
)

// records are the buckets of one application within a transaction, and the keys to what is
// in them.
type records struct {
	vault       *vault
	application string
	set         templateSet  // the templates that searches compare with
	next        *templateSet // those that are to follow; nil when there are none
	*bbolt.Bucket
}

func (s *Store) records(application string, bucket *bbolt.Bucket) (records, error) {
	sets, err := readTemplateSets(bucket.Tx())
	return records{s.vault, application, sets.Current, sets.Next, bucket}, err
}

// The flags of a session, in the clear before its record and its template, so that start-up
// and lists need not open those that they have no use for. A session with neither
// flagApproved nor flagBlocklisted is in no search.
const (
	flagApproved    = 1 << 0
	flagBlocklisted = 1 << 1
	flagDeclined    = 1 << 2
)

func flagsOf(session *face.Session) byte {
	flags := statusFlag(session.Status)
	if session.Blocklisted {
		flags |= flagBlocklisted
	}
	return flags
}

// statusFlag is also all the flags of a saved search.
func statusFlag(status face.Status) byte {
	switch status {
	case face.Approved:
		return flagApproved
	case face.Declined:
		return flagDeclined
	}
	return 0
}

func statusOf(flags byte) face.Status {
	switch {
	case flags&flagApproved != 0:
		return face.Approved
	case flags&flagDeclined != 0:
		return face.Declined
	}
	return face.InReview
}

// flagsBytes stand before what is sealed.
const flagsBytes = 1

// seal encrypts a record and puts it into a bucket behind its flags, which it authenticates.
func (r records) seal(slot uint64, bucket, key []byte, flags byte, data []byte) error {
	sealed, err := r.vault.seal(slot, r.place(bucket, key, flags), data)
	if err != nil {
		return err
	}
	return r.Bucket.Bucket(bucket).Put(key, append([]byte{flags}, sealed...))
}

// open returns nil when there is no such record. One whose key was destroyed is none either: a
// reader whose transaction is older than an erasure still sees it.
func (r records) open(bucket, key []byte) (data []byte, flags byte, err error) {
	value := r.Bucket.Bucket(bucket).Get(key)
	if value == nil {
		return nil, 0, nil
	}
	data, flags, err = r.openValue(bucket, key, value)
	if errors.Is(err, errErased) {
		return nil, 0, nil
	}
	return data, flags, err
}

var errEmpty = errors.New("a stored record is damaged: it is empty")

func (r records) openValue(bucket, key, value []byte) (data []byte, flags byte, err error) {
	if len(value) < flagsBytes {
		return nil, 0, errEmpty
	}
	data, err = r.vault.open(r.place(bucket, key, value[0]), value[flagsBytes:])
	return data, value[0], err
}

func (r records) place(bucket, key []byte, flags byte) []byte {
	return append(place(r.application, bucket, key), flags)
}

// slot is that of a record; 0 when there is none.
func (r records) slot(bucket, key []byte) (uint64, error) {
	value := r.Bucket.Bucket(bucket).Get(key)
	if len(value) < flagsBytes {
		return 0, nil
	}
	return slotOf(value[flagsBytes:])
}

func (r records) sealJSON(slot uint64, bucket, key []byte, flags byte, record any) error {
	data, err := json.Marshal(record)
	if err != nil {
		return err
	}
	return r.seal(slot, bucket, key, flags, data)
}

func (r records) openJSON(bucket, key []byte, record any) (found bool, err error) {
	data, _, err := r.open(bucket, key)
	if err != nil || data == nil {
		return false, err
	}
	if err := json.Unmarshal(data, record); err != nil {
		return false, fmt.Errorf("a stored record is damaged: %w", err)
	}
	return true, nil
}

// encodeTemplate makes little-endian float32 of it.
func encodeTemplate(template face.Template) []byte {
	data := make([]byte, 0, 4*len(template))
	for _, value := range template {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(value))
	}
	return data
}

// decodeTemplate fills a template, which has the length that is expected.
func decodeTemplate(data []byte, template face.Template) error {
	if len(data) != 4*len(template) {
		return fmt.Errorf("a stored template has %d bytes instead of %d", len(data), 4*len(template))
	}
	for i := range template {
		template[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
	}
	return template.Validate()
}

// What somebody owns, behind the hash of his vendor_data in the owners bucket.
const (
	ownsSession = 's' // and the session's number
	ownsSearch  = 'q' // and the saved search's ID
)

// ownerHashBytes is how much of the keyed hash is kept: enough that no two people of one
// application share it.
const ownerHashBytes = 16

// ownerKey hides a vendor_data: with a plain hash, or one whose secret stands in the same
// file, whoever has the file could try out e-mail addresses.
func (s *Store) ownerKey(application, vendorData string) []byte {
	mac := hmac.New(sha256.New, s.ownersSecret)
	fmt.Fprintf(mac, "owner/v1\x00%s\x00%s", application, vendorData)
	return mac.Sum(nil)[:ownerHashBytes]
}

func (s *Store) putOwner(r records, vendorData string, owns byte, what []byte) error {
	if vendorData == "" {
		return nil
	}
	key := append(append(s.ownerKey(r.application, vendorData), owns), what...)
	return r.Bucket.Bucket(ownersBucket).Put(key, []byte{})
}

func (s *Store) deleteOwner(r records, vendorData string, owns byte, what []byte) error {
	if vendorData == "" {
		return nil
	}
	return r.Bucket.Bucket(ownersBucket).Delete(append(append(s.ownerKey(r.application, vendorData), owns), what...))
}

// owned lists what somebody owns, oldest session first.
func (s *Store) owned(r records, vendorData string) (numbers []uint64, searches []string, err error) {
	if vendorData == "" {
		return nil, nil, nil
	}
	prefix := s.ownerKey(r.application, vendorData)
	cursor := r.Bucket.Bucket(ownersBucket).Cursor()
	for key, _ := cursor.Seek(prefix); bytes.HasPrefix(key, prefix); key, _ = cursor.Next() {
		what := key[len(prefix):]
		switch {
		case len(what) > 1 && what[0] == ownsSession:
			number, err := numberOf(what[1:])
			if err != nil {
				return nil, nil, err
			}
			numbers = append(numbers, number)
		case len(what) > 1 && what[0] == ownsSearch:
			searches = append(searches, string(what[1:]))
		default:
			return nil, nil, errors.New("the list of what people own is damaged")
		}
	}
	return numbers, searches, nil
}
