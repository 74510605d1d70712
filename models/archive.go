package models

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// archiveBytesMax bounds what is unpacked on the way to a member; the largest pinned archive
// unpacks to 132 MB.
const archiveBytesMax = 1 << 30

// eachMember calls visit with every regular file of an archive, in the archive's order, until
// visit returns an error; fs.SkipAll ends it without one. Nothing is unpacked to a path that
// the archive names.
func eachMember(path string, visit func(name string, content io.Reader) error) error {
	each := eachInZip // a wheel
	if strings.HasSuffix(path, ".tar.gz") {
		each = eachInTar
	}
	if err := each(path, visit); !errors.Is(err, fs.SkipAll) {
		return err
	}
	return nil
}

func eachInTar(path string, visit func(string, io.Reader) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		return fmt.Errorf("opening the archive: %w", err)
	}
	defer unzipped.Close()
	reader := tar.NewReader(io.LimitReader(unzipped, archiveBytesMax))
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading the archive: %w", err)
		}
		if header.Typeflag != tar.TypeReg {
			continue
		}
		if err := visit(header.Name, reader); err != nil {
			return err
		}
	}
}

func eachInZip(path string, visit func(string, io.Reader) error) error {
	reader, err := zip.OpenReader(path)
	if err != nil {
		return fmt.Errorf("opening the archive: %w", err)
	}
	defer reader.Close()
	for _, member := range reader.File {
		if !member.Mode().IsRegular() {
			continue
		}
		content, err := member.Open()
		if err != nil {
			return fmt.Errorf("reading the archive: %w", err)
		}
		err = visit(member.Name, io.LimitReader(content, archiveBytesMax))
		content.Close()
		if err != nil {
			return err
		}
	}
	return nil
}
