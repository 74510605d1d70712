package pkg_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "facesearch/"

// may is the one direction of data: which packages of ours, and which modules, each package
// may import. What is not named may import only the standard library. README.md has the same
// table with the reasons.
var may = map[string][]string{
	"api": {"api/console", "pkg/face", "pkg/policy", "pkg/search", "pkg/account", "pkg/photo",
		"github.com/go-chi/chi/v5", "github.com/go-chi/cors", "github.com/google/uuid",
		"github.com/prometheus/client_golang", "gopkg.in/yaml.v3"},
	"api/console":     {"pkg/face", "pkg/search", "github.com/go-chi/chi/v5"},
	"index":           {"github.com/coder/hnsw", "github.com/viterin/vek"},
	"models":          {},
	"pkg/face":        {},
	"pkg/photo":       {"pkg/face", "pkg/photo/internal/turbo", "github.com/disintegration/imaging", "golang.org/x/image", "github.com/bep/imagemeta"},
	"pkg/dlib":        {"pkg/face", "pkg/photo", "github.com/Kagami/go-face"},
	"pkg/onnx":        {"github.com/yalue/onnxruntime_go"},
	"pkg/onnxface":    {"pkg/face", "pkg/photo", "pkg/onnx", "github.com/yalue/onnxruntime_go", "gopkg.in/yaml.v3"},
	"pkg/attributes":  {"pkg/face", "pkg/onnx", "github.com/yalue/onnxruntime_go"},
	"pkg/policy":      {"pkg/face"},
	"pkg/search":      {"pkg/face", "pkg/photo", "pkg/policy", "github.com/google/uuid", "golang.org/x/sync"},
	"pkg/account":     {"pkg/face", "pkg/search", "github.com/google/uuid", "golang.org/x/crypto"},
	"pkg/mail":        {"pkg/account", "github.com/wneessen/go-mail"},
	"pkg/bolt":        {"pkg/face", "index", "go.etcd.io/bbolt", "golang.org/x/sync"},
	"pkg/opensearch":  {"pkg/face", "github.com/opensearch-project/opensearch-go/v4"},
	"pkg/gallerytest": {"pkg/face"},
	"pkg/migrate":     {"pkg/face"},
	"pkg/client":      {},
	"pkg/facetest":    {"models", "pkg/policy", "github.com/disintegration/imaging"},
	"pkg/plot":        {},
	"pkg/accuracy":    {"pkg/face", "pkg/policy", "pkg/plot", "index"},
	"pkg/bench": {"pkg/face", "pkg/photo", "pkg/policy", "pkg/client", "pkg/plot", "index",
		"github.com/disintegration/imaging", "github.com/viterin/vek", "go.etcd.io/bbolt"},

	"pkg/opensearch/opensearchtest": {"golang.org/x/crypto"},
	"pkg/photo/internal/turbo":      {},
}

func TestImports(t *testing.T) {
	seen := map[string]bool{}
	err := filepath.WalkDir("..", func(file string, item fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if item.IsDir() && strings.HasPrefix(item.Name(), ".") && item.Name() != ".." {
			return filepath.SkipDir
		}
		if filepath.Ext(file) != ".go" || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		inside, err := filepath.Rel("..", file)
		if err != nil {
			return err
		}
		name := path.Dir(filepath.ToSlash(inside))
		if strings.HasPrefix(name, "cmd/") {
			return nil // wires everything
		}
		allowed, ok := may[name]
		if !ok && !seen[name] {
			t.Errorf("%s is not in the table of imports", name)
		}
		seen[name] = true
		return checkImports(t, file, name, allowed)
	})
	if err != nil {
		t.Fatal(err)
	}
	for name := range may {
		if !seen[name] {
			t.Errorf("%s is in the table of imports and not in the tree", name)
		}
	}
}

func checkImports(t *testing.T, file, name string, allowed []string) error {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		return err
	}
	for _, each := range parsed.Imports {
		imported, err := strconv.Unquote(each.Path.Value)
		if err != nil {
			return err
		}
		first, _, _ := strings.Cut(imported, "/")
		standard := !strings.Contains(first, ".") && first != strings.TrimSuffix(module, "/")
		ours, isOurs := strings.CutPrefix(imported, module)
		if standard || isOurs && slices.Contains(allowed, ours) {
			continue
		}
		ofModule := func(module string) bool { return imported == module || strings.HasPrefix(imported, module+"/") }
		if !isOurs && slices.ContainsFunc(allowed, ofModule) {
			continue
		}
		t.Errorf("%s imports %s, which %s may not", filepath.Base(file), imported, name)
	}
	return nil
}
